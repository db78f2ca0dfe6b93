import type { InitializeHook, LoadHook } from "node:module"
import { replaced } from "../../simulation/planted.js"
import type { Planted } from "./planted-rules.js"

let planted: readonly Planted[] = []
const packages = new URL("../../../../", import.meta.url).href

export const initialize: InitializeHook<readonly Planted[]> = (it) => {
  planted = it
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  const file = url.startsWith(packages) ? url.slice(packages.length) : undefined
  const changes = planted.filter((it) => it.file === file)
  return changes.length === 0 ? loaded : { ...loaded, source: replaced(url, `${loaded.source}`, changes) }
}
