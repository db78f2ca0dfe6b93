/** Both services over HTTP and WebSocket, alone or inside an application's own server; and a listener for any service. */
export { type Listener, listen } from "./listener/listen.js"
export { type OriginOptions, originOf, publicUrlOf } from "./listener/origins.js"
export type { ListenLimits, ListenOptions, Place, ServingOptions } from "./listener/serving.js"
export type { TurnedAway } from "./listener/turned-away.js"
export { listenForMetrics, type MetricsListener } from "./metrics/listener.js"
export type { Figures, Meter, ServerPart, StoreCall, StoreFigures } from "./metrics/meter.js"
export { createMetrics, type Metrics, type MetricsOptions } from "./metrics/metrics.js"
export type { MountedRequest } from "./mount.js"
export type {
  DatabasePlace,
  FastOpenOptions,
  FastOpenServer,
  Refusal,
  ServerLimits,
  ServerOptions,
  Services,
  SharedSealing,
  Stores,
} from "./options.js"
export { type Conclave, createServer, type Next } from "./server.js"
