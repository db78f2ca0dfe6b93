/** The stores of both services in PostgreSQL, for any number of gateways, and the hints between these. */

export { authStore } from "./auth/store.js"
export type { Connection } from "./connection.js"
export { type ConnectionFigures, type Database, type DatabaseOptions, openDatabase, type Usage } from "./database.js"
export { type DeliveryStore, type DeliveryStoreOptions, deliveryStore } from "./delivery/store.js"
export { type Intake, type IntakeOptions, openIntake } from "./intake.js"
export type { Migration } from "./migrations.js"
export { OperatorDatabase } from "./operator.js"
export type { Row, SqlValue } from "./values.js"
export type { WakeFigures, WakeLimits, WakeOptions, WatchedWake } from "./wake/bus.js"
export { type NatsWakeOptions, natsWake } from "./wake/nats.js"
export { type NotifyWakeOptions, notifyWake } from "./wake/notify.js"
