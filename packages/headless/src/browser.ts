/// <reference lib="dom" />
export * from "./index.js"
export { broadcastChannel } from "./keep/broadcast.js"
export { type IndexedDbKeepOptions, indexedDbKeep } from "./keep/indexeddb.js"
