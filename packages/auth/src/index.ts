export {
  type AuthenticationLimits,
  type AuthenticationOptions,
  authenticationService,
  directoryOf,
  type RefusalKind,
} from "./service.js"
export { memoryStore } from "./store/memory.js"
export type { NewDevice, Operated, Registered, Store, StoredDevice, Suspended } from "./store/store.js"
