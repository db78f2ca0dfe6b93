/** The stores of both services in one SQLite file, of one process. */
export { authStore } from "./auth/store.js"
export { type Backup, settleFile, unpackBackup, updateUnpacked, writeBackup } from "./backup.js"
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
export {
  type Action,
  type FileStatus,
  type GroupStatus,
  type NameStatus,
  type NewAction,
  OperatorFile,
} from "./operator.js"
