export {
  type AuthenticationLimits,
  type AuthenticationOptions,
  authenticationService,
  directoryOf,
  type RefusalKind,
} from "./service.js"
export { memoryStore } from "./store/memory.js"
export type { NewDevice, Registered, Store, StoredDevice } from "./store/store.js"
