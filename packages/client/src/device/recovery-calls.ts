import { encode } from "@conclave/codec"
import {
  RECOVERY_KEY_LABEL,
  RECOVERY_REPLACEMENT_LABEL,
  type RecoveryKey,
  RecoveryKeyTBS,
  recoveryIdOf,
} from "@conclave/contracts/auth"
import { equalBytes, type SigningKey } from "@conclave/crypto"
import { verifyRecovery } from "@conclave/identity/verdicts"
import { signWithLabel } from "@conclave/mls"
import { ClientError } from "../errors.js"
import type { Identity, RecoveryAuthor } from "../identity/identity.js"
import { recoverySigner } from "../identity/recovery-secret.js"
import type { Directory, Listing } from "../service/directory.js"

/*
 * What is done with the secret of a recovery key: so seldom that it is loaded when it is asked for.
 */

export interface RecoveryMeans {
  readonly directory: Directory
  readonly identity: Identity
  /** Unix time in milliseconds. */
  readonly now: () => number
}

/** In milliseconds: further ahead of its own clock the service takes no statement. */
const CLOCK_DIFFERENCE_MAX = 86_400_000n

/**
 * Binds the key of `text` to the name; `replaces` is that of the one before. The keys of the name, which are to be pinned.
 *
 * @throws TypeError, ClientError `REFUSED` or `UNAVAILABLE`
 */
export async function setRecoveryKey(
  means: RecoveryMeans,
  { text, replaces }: { readonly text: string; readonly replaces: string | undefined },
  until: AbortSignal,
): Promise<readonly RecoveryKey[]> {
  const { directory, identity } = means
  const { name, signer } = identity
  using key = signerOf(identity, text)
  using before = replaces === undefined ? undefined : signerOf(identity, replaces)
  const listing = await directory.listing(name, until)
  const { recovery } = listing
  const last = recovery.at(-1)
  // Done before, by a call that did not hear of it.
  if (last !== undefined && equalBytes(last.recoveryKey, key.publicKey)) {
    requireHeld(identity, recovery, key)
    return recovery
  }
  if (last !== undefined && before === undefined) {
    throw new ClientError("REFUSED", `${name} has a recovery key: only that replaces it`)
  }
  if (before !== undefined && (last === undefined || !equalBytes(last.recoveryKey, before.publicKey))) {
    throw new ClientError("REFUSED", `what is to be replaced is not the recovery key of ${name}`)
  }
  // The time of the one before is signed, and no directory's.
  if (before !== undefined) requireHeld(identity, recovery, before)
  const statement = statementOf(means, listing, { key, by: before ?? signer.key })
  const keys = await directory.setRecoveryKey(name, statement, until)
  requireHeld(identity, keys, key)
  return keys
}

/**
 * The key of the name, if `text` is that, and all of them; the key is to be disposed.
 *
 * @throws TypeError, ClientError `REFUSED` or `UNAVAILABLE`
 */
export async function openRecovery(
  { directory, identity }: RecoveryMeans,
  text: string,
  signal: AbortSignal,
): Promise<OpenedRecovery> {
  const key = signerOf(identity, text)
  try {
    const { recovery } = await directory.listing(identity.name, signal)
    requireHeld(identity, recovery, key)
    const id = recoveryIdOf((...parts) => identity.sha256(...parts), key.publicKey)
    return { author: { key, id }, keys: recovery }
  } catch (error) {
    key[Symbol.dispose]()
    throw error
  }
}

export interface OpenedRecovery {
  readonly author: RecoveryAuthor
  readonly keys: readonly RecoveryKey[]
}

/** Each of them has to follow from the one before, or the directory shows somebody else's. */
function requireHeld(identity: Identity, keys: readonly RecoveryKey[], key: SigningKey): void {
  const { isStatement } = verifyRecovery(identity.suite, identity.suite.provider)
  const last = keys.at(-1)
  const isChain = keys.every((it, at) => {
    const before = keys[at - 1]
    const as = before === undefined ? ("first" as const) : ("replacement" as const)
    return isStatement(identity.name, it, as) && (before === undefined || equalBytes(before.recoveryKey, it.signerKey))
  })
  if (last !== undefined && equalBytes(last.recoveryKey, key.publicKey) && isChain) return
  throw new ClientError("REFUSED", `this is not the recovery key of ${identity.name}`)
}

function statementOf(
  { identity, now }: RecoveryMeans,
  listing: Listing,
  { key, by }: { readonly key: SigningKey; readonly by: SigningKey },
): RecoveryKey {
  const at = timeOf(listing, BigInt(now()))
  const said = { recoveryKey: key.publicKey, signerKey: by.publicKey, at }
  const content = encode(RecoveryKeyTBS, { name: identity.name, ...said })
  const label = listing.recovery.length === 0 ? RECOVERY_KEY_LABEL : RECOVERY_REPLACEMENT_LABEL
  const sign = (it: SigningKey) => signWithLabel(it, label, content)
  return { ...said, signature: sign(by), proof: sign(key) }
}

/**
 * After all that was said before, whatever clock said it: others take the first recovery key from nobody whom an older device
 * could still contradict then, and what a key has said after it was replaced for nothing. A directory makes it a day later at most.
 */
function timeOf({ devices, revoked, recovery }: Listing, time: bigint): bigint {
  const latest = time + CLOCK_DIFFERENCE_MAX
  const said = [
    ...[...devices, ...revoked.map(({ device }) => device)].map(({ registeredAt }) => registeredAt),
    ...revoked.flatMap(({ revocation }) => revocation?.at ?? []),
  ]
  const at = said.reduce((at, before) => (before >= at && before < latest ? before + 1n : at), time)
  const last = recovery.at(-1)
  return last !== undefined && last.at >= at ? last.at + 1n : at
}

function signerOf(identity: Identity, text: string): SigningKey {
  return recoverySigner(identity.suite.provider, identity.name, text)
}
