export { type DeliveryLimits, limitsForQuota } from "./limits.js"
export type { Directory, DirectoryEntry } from "./proof.js"
export type { DeliveryRates } from "./rates.js"
export type { RefusalKind } from "./refusals.js"
export { type Retention, retentionOf, type SweepingOptions, startSweeping, sweepOnce } from "./retention.js"
export { type DeliveryOptions, deliveryService } from "./service.js"
export {
  type Connection,
  type Database,
  type DatabaseOptions,
  openDatabase,
  type Row,
  type SqlValue,
} from "./store/database.js"
export { memoryStore } from "./store/memory.js"
export { sqliteStore } from "./store/sqlite.js"
export { type Horizons, type Store, StoreUnavailable, type Swept } from "./store/store.js"
export { processWake, type Wake, type Watch } from "./wake.js"
