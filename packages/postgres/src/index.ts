/** The stores of both services in PostgreSQL, and the hints between gateways. */
export type { WakeLimits, WakeOptions } from "./wake/bus.js"
export { type NatsWakeOptions, natsWake } from "./wake/nats.js"
export { type NotifyWakeOptions, notifyWake } from "./wake/notify.js"
