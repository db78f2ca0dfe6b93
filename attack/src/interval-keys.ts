import {
  boolean,
  decode,
  encode,
  enumeration,
  fixed,
  opaque,
  optional,
  struct,
  uint8,
  uint64,
  vector,
} from "@conclave/codec"
import type { SigningKey } from "@conclave/crypto"
import { type CipherSuite, expandWithLabel, type OutgoingCommit, signWithLabel } from "@conclave/mls"
import type { Extension } from "@conclave/mls/wire"

/*
 * The keys of an interval, as the SDK derives and hands them on. Written again here: an attacker has no use for what the
 * SDK refuses to do.
 */

type Exporter = (label: string, context: Uint8Array, length: number) => Uint8Array

export class IntervalKeys {
  readonly secret: Uint8Array
  readonly accessKey: Uint8Array
  readonly #suite: CipherSuite
  readonly #signing: SigningKey

  constructor(suite: CipherSuite, secret: Uint8Array) {
    this.#suite = suite
    this.secret = secret
    const ed25519 = suite.provider.signatures.Ed25519!
    this.#signing = ed25519.importKey(this.#expand("conclave access", ed25519.privateKeySize))
    this.accessKey = this.#signing.publicKey
  }

  /** Those of the epoch that `exported` is the exporter of (RFC 9420 section 8.5). */
  static of(suite: CipherSuite, groupId: Uint8Array, exported: Exporter): IntervalKeys {
    return new IntervalKeys(suite, exported("conclave interval", groupId, suite.secretSize))
  }

  /** Somebody else's: nobody has them from a group. */
  static unknown(suite: CipherSuite): IntervalKeys {
    return new IntervalKeys(suite, suite.provider.random(suite.secretSize))
  }

  sign(content: Uint8Array): Uint8Array {
    return signWithLabel(this.#signing, "ConclaveAccess", content)
  }

  seal(of: Sealed, plaintext: Uint8Array): Uint8Array {
    return sealWith(this.#suite, this.#knockKey(), plaintext, encode(KnockContext, of))
  }

  /** `undefined` for what is not authentic. */
  open(of: Sealed, sealed: Uint8Array): Uint8Array | undefined {
    return openWith(this.#suite, this.#knockKey(), sealed, encode(KnockContext, of))
  }

  #knockKey(): Uint8Array {
    return this.#expand("conclave knock", this.#suite.aead.keySize)
  }

  #expand(label: string, length: number): Uint8Array {
    return expandWithLabel(this.#suite, this.secret, label, new Uint8Array(), length)
  }
}

/** What is sealed under a knock key. */
export interface Sealed {
  readonly of: "knock" | "answer"
  readonly groupId: Uint8Array
  readonly knock: Uint8Array
}

const KnockContext = struct("KnockContext", {
  of: enumeration("SealedFor", 1, { knock: 1, answer: 2 }),
  groupId: opaque,
  knock: fixed(16),
})

/** A random nonce, and the ciphertext. */
export function sealWith(suite: CipherSuite, key: Uint8Array, plaintext: Uint8Array, context: Uint8Array): Uint8Array {
  const nonce = suite.provider.random(suite.aead.nonceSize)
  return Uint8Array.from([...nonce, ...suite.aead.seal(key, nonce, plaintext, context)])
}

export function openWith(
  { aead }: CipherSuite,
  key: Uint8Array,
  sealed: Uint8Array,
  context: Uint8Array,
): Uint8Array | undefined {
  return aead.open(key, sealed.subarray(0, aead.nonceSize), sealed.subarray(aead.nonceSize), context)
}

// --- What a Welcome tells newcomers ----------------------------------------------------------------------------------

const NEWCOMER_EXTENSION = 0xf0c1
const Newcomer = struct("Newcomer", {
  version: uint8,
  intervalSecret: opaque,
  accessKey: fixed(32),
  head: optional(struct("HeadClaim", { incarnation: uint64, seq: uint64, chainHash: fixed(32), signature: opaque })),
  continues: optional(struct("Continues", { groupId: opaque, names: vector(opaque) })),
})

export function tellNewcomers({ secret: intervalSecret, accessKey }: IntervalKeys): Extension {
  const extensionData = encode(Newcomer, {
    version: 1,
    intervalSecret,
    accessKey,
    head: undefined,
    continues: undefined,
  })
  return { extensionType: NEWCOMER_EXTENSION, extensionData }
}

const ENTRANCE_EXTENSION = 0xf0c2
/** Of a commit, whose kind is 3. */
const Link = struct("ChainLink", {
  kind: uint8,
  epoch: uint64,
  bodyHash: fixed(32),
  begins: optional(struct("Interval", { accessKey: fixed(32), removes: boolean })),
})

/** The commit that a Welcome belongs to; `keys` are of the interval that it begins. */
export function nameCommit(
  suite: CipherSuite,
  { message, epoch, removals }: Pick<OutgoingCommit, "message" | "epoch" | "removals">,
  keys?: Pick<IntervalKeys, "accessKey">,
): Extension {
  const sha256 = suite.provider.hashes["SHA-256"]!
  const begins = keys && { accessKey: keys.accessKey, removes: removals.length > 0 }
  const link = encode(Link, { kind: 3, epoch: epoch - 1n, bodyHash: sha256.digest(message), begins })
  return { extensionType: ENTRANCE_EXTENSION, extensionData: encode(fixed(32), sha256.digest(link)) }
}

/** `undefined` where the Welcome tells nothing of the kind. */
export function toldBy(suite: CipherSuite, extensions: readonly Extension[]): IntervalKeys | undefined {
  const found = extensions.find(({ extensionType }) => extensionType === NEWCOMER_EXTENSION)
  return found && new IntervalKeys(suite, decode(Newcomer, found.extensionData).intervalSecret)
}
