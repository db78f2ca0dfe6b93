import type { InitializeHook, LoadHook } from "node:module"
import { type Change, withChanges } from "./planted.js"

let changes: readonly Change[] = []
const root = new URL("../src/", import.meta.url).href

export const initialize: InitializeHook<readonly Change[]> = (planted) => {
  changes = planted
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  const file = url.startsWith(root) ? url.slice(root.length) : undefined
  if (file === undefined || !changes.some((it) => it.file === file)) return loaded
  return { ...loaded, source: withChanges(file, `${loaded.source}`, changes) }
}
