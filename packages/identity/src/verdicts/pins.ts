import { equalBytes } from "@conclave/crypto"

/** A key to be trusted for a name from now on. */
export interface Pin {
  readonly name: string
  readonly signatureKey: Uint8Array
  /** Where nothing was pinned for the name: the key that all its others come from. */
  readonly root?: Uint8Array
}

/**
 * The pinned keys of a name after `pin`: the same array where the key is pinned already, otherwise a new one that ends
 * with a copy of the key. `undefined` where the pin follows from a first contact and another person was met under the
 * name since: then the judgement has to be made again.
 */
export function withPin(
  pinned: readonly Uint8Array[],
  { signatureKey, root }: Pick<Pin, "signatureKey" | "root">,
): readonly Uint8Array[] | undefined {
  if (includes(pinned, signatureKey)) return pinned
  if (root !== undefined && pinned.length > 0 && !includes(pinned, root)) return undefined
  return [...pinned, new Uint8Array(signatureKey)]
}

/** Whether `key` is one of `keys`. */
export function includes(keys: readonly Uint8Array[], key: Uint8Array): boolean {
  return keys.some((it) => equalBytes(it, key))
}
