/** Carrying requests to a service, on any platform: what needs Node or a browser is in `/node` and `/browser`. */
export type { Answered, TraceOptions } from "./answered.js"
export { type HttpTransportOptions, httpTransport } from "./http.js"
export type { LineFault } from "./line-fault.js"
export { errorFields, type Logger, type LogOptions, loggedService, refusalLog } from "./logging.js"
export { directTransport } from "./memory.js"
export { type Rate, RateLimiter, type RateLimiterOptions, type Taking, takeAll } from "./rate-limiter.js"
export { type CountedRefusal, REFUSALS_EVERY_MILLISECONDS, RefusalCounts } from "./refusal-counts.js"
export {
  notToRepeat,
  OtherVersionError,
  type ReplaySafe,
  type ReplaySafety,
  RequestContract,
  requestContract,
  safeToRepeat,
} from "./replay-safety.js"
export * from "./seam.js"
export { type Requester, Share, type ShareLevel, type ShareLimits } from "./share.js"
export { type Refusal, type RefusalKind, type Resource, Shares, type SharesOptions, shareLimits } from "./shares.js"
export { isHandedOver, lineFaultOf } from "./socket-fault.js"
export type { SocketTransportOptions, WebSocketLike } from "./socket-options.js"
export type { Timers } from "./timers.js"
export { type UnavailableAnswer, unavailableAnswer } from "./unavailable.js"
export { socketTransport } from "./websocket.js"
