/// <reference lib="esnext.disposable" preserve="true" />
import type { CryptoProvider } from "@conclave/crypto"
import { ClientError } from "../errors.js"
import { PROFILE_VERSION } from "../records/migrations.js"
import { recordKeys } from "../records/records.js"
import { SealedStore } from "./sealed.js"
import type { Store } from "./store.js"

/** The records of a profile, for tools that show what is stored. `@conclave/client/records` has their codecs. */
export interface ProfileRecords extends AsyncDisposable {
  /** All keys in their order, each with the size of its record in bytes, without what sealing adds. */
  sizes(): Promise<readonly (readonly [key: string, size: number])[]>
  /**
   * The record under a key, unsealed; `undefined` where there is none.
   *
   * @throws {ClientError} `WRONG_PROFILE` when this sealing key did not seal it in this place
   */
  get(key: string): Promise<Uint8Array | undefined>
}

const PAGE = 1000

/**
 * Reads `store`, which belongs to the result from then on; where it throws, to the caller.
 *
 * @throws {ClientError} `WRONG_PROFILE` for another sealing key, and for a profile of another version
 */
export async function readRecords(
  store: Store,
  { provider, sealingKey }: { readonly provider: CryptoProvider; readonly sealingKey: Uint8Array },
): Promise<ProfileRecords> {
  const sealed = new SealedStore(store, { provider, sealingKey, random: (length) => provider.random(length) })
  const [version] = (await sealed.get(recordKeys.profile)) ?? []
  if (version === undefined) throw new ClientError("WRONG_PROFILE", "there is no profile in it yet")
  if (version !== PROFILE_VERSION) {
    const remedy = version > PROFILE_VERSION ? "update" : "a client that opens it makes it one of this version"
    throw new ClientError("WRONG_PROFILE", `it is of version ${version}, not ${PROFILE_VERSION}: ${remedy}`)
  }
  return {
    async sizes() {
      const all: (readonly [string, number])[] = []
      for (let page = await sealed.sizes(PAGE); page.length > 0; page = await sealed.sizes(PAGE, all.at(-1)![0])) {
        for (const [key, size] of page) all.push([key, size - sealed.overhead])
      }
      return all.reverse()
    },
    get: (key) => sealed.get(key),
    [Symbol.asyncDispose]: () => sealed.close(),
  }
}
