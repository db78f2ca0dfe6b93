import { hkdfExtract, wipe } from "@conclave/crypto"
import { Derivations } from "../suite/derivations.js"
import { deriveSecret, expandWithLabel } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"

/*
 * RFC 9420 §8, Figure 22: one epoch's secrets.
 *
 *     init_secret[n-1]
 *          │
 *   Extract(commit_secret) ── "joiner", GroupContext[n] ──► joiner_secret
 *                                                               │
 *                                               Extract(psk_secret or 0)
 *                                                               │
 *                                     ┌─ "welcome" ──► welcome_secret
 *                                     │
 *                             "epoch", GroupContext[n] ──► epoch_secret ── DeriveSecret ──► EpochSecrets, init_secret[n]
 */

/** What lives as long as its epoch, `suite.secretSize` bytes each. */
export interface EpochSecrets {
  readonly senderData: Uint8Array
  readonly exporter: Uint8Array
  readonly external: Uint8Array
  readonly confirmation: Uint8Array
  readonly membership: Uint8Array
  readonly resumption: Uint8Array
  readonly authenticator: Uint8Array
  /** Starts the next epoch, and is consumed by it. */
  readonly init: Uint8Array
}

/** Where an epoch starts from: its members have come along, its newcomers have been told the joiner secret. */
export interface EpochSeed {
  readonly secrets: EpochSecrets
  /** The root of the secret tree. The secret tree owns and consumes it. */
  readonly encryption: Uint8Array
  readonly welcome: Uint8Array
  readonly joiner: Uint8Array
}

/** The epoch after a commit. `context`: the new GroupContext, encoded. */
export function nextEpoch(
  suite: CipherSuite,
  from: {
    readonly init: Uint8Array
    readonly commitSecret: Uint8Array
    readonly pskSecret: Uint8Array
    readonly context: Uint8Array
  },
): EpochSeed {
  const joiner = joinerSecret(suite, from)
  return epochOfJoiner(suite, { joiner, pskSecret: from.pskSecret, context: from.context })
}

export function joinerSecret(
  suite: CipherSuite,
  from: { readonly init: Uint8Array; readonly commitSecret: Uint8Array; readonly context: Uint8Array },
): Uint8Array {
  const extracted = hkdfExtract(suite.hash, from.init, from.commitSecret)
  const joiner = expandWithLabel(suite, extracted, "joiner", from.context, suite.secretSize)
  wipe(extracted)
  return joiner
}

/** The epoch that a newcomer enters with the joiner secret of its Welcome. */
export function epochOfJoiner(
  suite: CipherSuite,
  from: { readonly joiner: Uint8Array; readonly pskSecret: Uint8Array; readonly context: Uint8Array },
): EpochSeed {
  const { joiner, pskSecret, context } = from
  return epochOfMember(suite, { ...memberSecrets(suite, joiner, pskSecret), joiner, context })
}

/**
 * RFC 9420 §8, §12.4.3.1: what opens the GroupInfo of a Welcome, and what the epoch follows from once its context is known, which
 * is inside.
 */
export function memberSecrets(suite: CipherSuite, joiner: Uint8Array, pskSecret: Uint8Array) {
  const member = hkdfExtract(suite.hash, joiner, pskSecret)
  return { member, welcome: deriveSecret(suite, member, "welcome") }
}

/** The epoch of {@link memberSecrets}. `member` is consumed by it. */
export function epochOfMember(
  suite: CipherSuite,
  from: ReturnType<typeof memberSecrets> & { readonly joiner: Uint8Array; readonly context: Uint8Array },
): EpochSeed {
  const { member, welcome, joiner, context } = from
  const epochSecret = expandWithLabel(suite, member, "epoch", context, suite.secretSize)
  wipe(member)
  const { secrets, encryption } = epochSecrets(suite, epochSecret)
  wipe(epochSecret)
  return { secrets, encryption, welcome, joiner }
}

export function epochSecrets(
  suite: CipherSuite,
  epochSecret: Uint8Array,
): { readonly secrets: EpochSecrets; readonly encryption: Uint8Array } {
  const [senderData, exporter, external, confirmation, membership, resumption, authenticator, init, encryption] =
    OF_EPOCH.from(suite, epochSecret)
  const secrets = { senderData, exporter, external, confirmation, membership, resumption, authenticator, init }
  return { secrets, encryption }
}

/** RFC 9420 §8, Table 4. */
const OF_EPOCH = new Derivations(
  ["sender data", "secret"],
  ["exporter", "secret"],
  ["external", "secret"],
  ["confirm", "secret"],
  ["membership", "secret"],
  ["resumption", "secret"],
  ["authentication", "secret"],
  ["init", "secret"],
  ["encryption", "secret"],
)

/** RFC 9420 §8.3: by this key pair somebody outside shares a secret with the epoch's members. */
export function externalKeyPair(suite: CipherSuite, external: Uint8Array) {
  return suite.hpke.deriveKeyPair(external)
}

const externalInitContext = new TextEncoder().encode("MLS 1.0 external init secret")

/** RFC 9420 §8.3, the joiner's side. `ephemeral`: `suite.hpke.kem.ephemeralSize` random bytes. */
export function sendExternalInit(suite: CipherSuite, externalPub: Uint8Array, ephemeral: Uint8Array) {
  const { kemOutput, exported } = suite.hpke.exportTo(externalPub, { ...externalInitRequest(suite), ephemeral })
  return { kemOutput, init: exported }
}

/** RFC 9420 §8.3, the members' side. `undefined` for a malformed `kemOutput`. */
export function receiveExternalInit(suite: CipherSuite, external: Uint8Array, kemOutput: Uint8Array) {
  const { privateKey, publicKey } = externalKeyPair(suite, external)
  const init = suite.hpke.exportFrom(privateKey, { ...externalInitRequest(suite), kemOutput, publicKey })
  wipe(privateKey)
  return init
}

function externalInitRequest(suite: CipherSuite) {
  return { info: new Uint8Array(0), exporterContext: externalInitContext, length: suite.secretSize }
}

/** RFC 9420 §8.5. */
export function exportSecret(
  suite: CipherSuite,
  exporter: Uint8Array,
  request: { readonly label: string; readonly context: Uint8Array; readonly length: number },
): Uint8Array {
  const derived = deriveSecret(suite, exporter, request.label)
  const exported = expandWithLabel(suite, derived, "exported", suite.hash.digest(request.context), request.length)
  wipe(derived)
  return exported
}

export function wipeEpochSecrets(secrets: EpochSecrets): void {
  wipe(...Object.values(secrets))
}
