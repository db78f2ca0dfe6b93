/** The stores of both services in one SQLite file, of one process. */
export { authStore } from "./auth/store.js"
export { type Backup, settleFile, unpackBackup, updateUnpacked, writeBackup } from "./backup.js"
export { blobStore } from "./blobs/store.js"
export {
  type Connection,
  type Database,
  type DatabaseOptions,
  openDatabase,
  type Row,
  type SqlValue,
} from "./database.js"
export { deliveryStore } from "./delivery/store.js"
export { type FileLock, type Holder, lockFile, lockHolder } from "./file-lock.js"
export type { Moved } from "./moved.js"
export { type MovingFile, openMovingFile } from "./moving.js"
export { OperatorFile } from "./operator.js"
export { pushStore } from "./push/store.js"
