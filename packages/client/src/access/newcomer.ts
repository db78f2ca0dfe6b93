import { decode, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { CipherSuite } from "@conclave/mls"
import type { Extension } from "@conclave/mls/wire"
import { IntervalKeys } from "./interval-keys.js"
import { type Continues, NEWCOMER_EXTENSION, NEWCOMER_VERSION, Newcomer } from "./structs.js"

/** What a Welcome tells those whom it brings in. */
export function newcomerExtension(keys: IntervalKeys, head: Newcomer["head"], continues?: Continues): Extension {
  const { secret: intervalSecret, accessKey } = keys
  const told = { version: NEWCOMER_VERSION, intervalSecret, accessKey, head, continues }
  return { extensionType: NEWCOMER_EXTENSION, extensionData: encode(Newcomer, told) }
}

export interface Told {
  readonly keys: IntervalKeys
  readonly head: Newcomer["head"]
  readonly continues: Continues | undefined
}

/**
 * What the extensions of a Welcome's GroupInfo tell; `undefined` where there is nothing of the kind, as before there were
 * intervals. Throws `DecodeError` for what cannot be read, and `RangeError` where secret and key do not belong together.
 */
export function readNewcomer(suite: CipherSuite, extensions: readonly Extension[]): Told | undefined {
  const found = extensions.find(({ extensionType }) => extensionType === NEWCOMER_EXTENSION)
  if (found === undefined) return undefined
  const { version, intervalSecret, accessKey, head, continues } = decode(Newcomer, found.extensionData)
  if (version !== NEWCOMER_VERSION) throw new RangeError(`a Welcome of version ${version}: update`)
  if (intervalSecret.length !== suite.secretSize) throw new RangeError("the interval's secret has another length")
  const keys = new IntervalKeys(suite, intervalSecret)
  if (!equalBytes(keys.accessKey, accessKey)) throw new RangeError("the interval's secret does not lead to its key")
  return { keys, head, continues }
}
