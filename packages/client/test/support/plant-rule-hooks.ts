import type { InitializeHook, LoadHook } from "node:module"
import { withChanges } from "../../simulation/planted.js"
import type { Planted } from "./planted-rules.js"

let planted: readonly Planted[] = []
const packages = new URL("../../../../", import.meta.url).href

export const initialize: InitializeHook<readonly Planted[]> = (it) => {
  planted = it
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  const file = url.startsWith(packages) ? url.slice(packages.length) : undefined
  if (file === undefined || !planted.some((it) => it.file === file)) return loaded
  return { ...loaded, source: withChanges(file, `${loaded.source}`, planted) }
}
