/** The stores of both services in PostgreSQL, and the hints between gateways. */
export type { WakeLimits, WakeOptions } from "./wake/bus.js"
export { type NatsWakeOptions, natsWake } from "./wake/nats.js"
export { type NotifyWakeOptions, notifyWake } from "./wake/notify.js"
/** The stores of both services in PostgreSQL, for any number of gateways. */
export { authStore } from "./auth/store.js"
export {
  type Connection,
  clientOptions,
  type Database,
  type DatabaseOptions,
  openDatabase,
  type Usage,
} from "./database.js"
export { type DeliveryStoreOptions, deliveryStore } from "./delivery/store.js"
export type { Migration } from "./migrations.js"
export type { Row, SqlValue } from "./values.js"
