import type { InitializeHook, LoadHook } from "node:module"
import { type Change, urlOf, withChanges } from "./planted.js"

let changes: readonly Change[] = []

export const initialize: InitializeHook<readonly Change[]> = (planted) => {
  changes = planted
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  if (!changes.some((it) => urlOf(it) === url)) return loaded
  return { ...loaded, source: withChanges(url, `${loaded.source}`, changes) }
}
