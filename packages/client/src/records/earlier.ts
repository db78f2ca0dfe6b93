import type { SealedStore } from "../store/sealed.js"
import { fromVersion2 } from "./version-2.js"
import { fromVersion3 } from "./version-3.js"
import { fromVersion4 } from "./version-4.js"

/** What has to be written, and under which keys, to make one version of the next: all of it in one transaction. */
type Migration = (store: SealedStore) => Promise<{
  readonly put: Map<string, Uint8Array>
  readonly delete?: ReadonlySet<string>
}>

/** By the version that each begins with. */
export const migrations: ReadonlyMap<number, Migration> = new Map([
  [2, async (store) => ({ put: await fromVersion2(store) })],
  [3, async (store) => ({ put: await fromVersion3(store) })],
  [4, fromVersion4],
])
