export {
  type AuthenticationLimits,
  type AuthenticationOptions,
  authenticationService,
  directoryOf,
  type RefusalKind,
} from "./service.js"
export type { Account, AccountDevice } from "./store/account.js"
export { memoryStore } from "./store/memory.js"
export type { Erased, NewDevice, Operated, Registered, Store, StoredDevice, Suspended } from "./store/store.js"
