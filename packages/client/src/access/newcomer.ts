import { decode, encode } from "@conclave/codec"
import type { Entry } from "@conclave/contracts/delivery"
import { ChainLink, chainLink, type Sha256 } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import type { CipherSuite } from "@conclave/mls"
import type { Extension } from "@conclave/mls/wire"
import { IntervalKeys } from "./interval-keys.js"
import {
  type Continues,
  ENTRANCE_EXTENSION,
  Entrance,
  NEWCOMER_EXTENSION,
  NEWCOMER_VERSION,
  Newcomer,
} from "./structs.js"

/** What a Welcome tells those whom it brings in. */
export function newcomerExtension(keys: IntervalKeys, head: Newcomer["head"], continues?: Continues): Extension {
  const { secret: intervalSecret, accessKey } = keys
  const told = { version: NEWCOMER_VERSION, intervalSecret, accessKey, head, continues }
  return { extensionType: NEWCOMER_EXTENSION, extensionData: encode(Newcomer, told) }
}

/** Which commit a Welcome belongs to: `hash` is {@link commitHash}. */
export function entranceExtension(hash: Uint8Array): Extension {
  return { extensionType: ENTRANCE_EXTENSION, extensionData: encode(Entrance, { commit: hash }) }
}

/** Of an entry of the log without its place, 32 bytes. */
export function commitHash(sha256: Sha256, entry: Pick<Entry, "kind" | "epoch" | "body" | "begins">): Uint8Array {
  return sha256(encode(ChainLink, chainLink(sha256, { seq: 0n, ...entry })))
}

export interface Told {
  readonly keys: IntervalKeys
  readonly head: Newcomer["head"]
  readonly continues: Continues | undefined
  /** {@link commitHash} of the commit that the Welcome belongs to. */
  readonly commit: Uint8Array
}

/**
 * What the extensions of a Welcome's GroupInfo tell; `undefined` where there is nothing of the kind, as before there were
 * intervals. Throws `DecodeError` for what cannot be read, and `RangeError` where secret and key do not belong together, or
 * the commit is not named.
 */
export function readNewcomer(suite: CipherSuite, extensions: readonly Extension[]): Told | undefined {
  const found = extensions.find(({ extensionType }) => extensionType === NEWCOMER_EXTENSION)
  if (found === undefined) return undefined
  const { version, intervalSecret, accessKey, head, continues } = decode(Newcomer, found.extensionData)
  if (version !== NEWCOMER_VERSION) throw new RangeError(`a Welcome of version ${version}: update`)
  if (intervalSecret.length !== suite.secretSize) throw new RangeError("the interval's secret has another length")
  const keys = new IntervalKeys(suite, intervalSecret)
  if (!equalBytes(keys.accessKey, accessKey)) throw new RangeError("the interval's secret does not lead to its key")
  const entrance = extensions.find(({ extensionType }) => extensionType === ENTRANCE_EXTENSION)
  if (entrance === undefined) throw new RangeError("a Welcome that does not name its commit: the inviter has to update")
  const { commit } = decode(Entrance, entrance.extensionData)
  return { keys, head, continues, commit }
}
