/** Services over HTTP and WebSocket. */
export { type Listener, listen } from "./listener/listen.js"
export type { ListenLimits, ListenOptions } from "./listener/serving.js"
