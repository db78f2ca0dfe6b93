/** Requests sealed to a service, in the first packet where the path allows it: docs/fast-open.md. */
export { AddressTokens, type AddressTokensOptions } from "./address-tokens.js"
export { type AdmissionLimits, admissionLimits } from "./admission.js"
export { type KeptOffer, type PinnedService, SealedTransport, type SealedTransportOptions } from "./client.js"
export { type ExecutionsLimits, executionLimits } from "./execution.js"
export { KeyRing, type KeyRingOptions, type ServerKeys } from "./key-ring.js"
export {
  type FlightRates,
  flightRates,
  type OfferOptions,
  type SealedListenOptions,
  SealedServer,
  type SealedServerOptions,
} from "./server.js"
export { joinTransports, type SealedService, serveAll, shareTransport } from "./services.js"
export { OtherSecretError, SharedKeyRing, type SharedKeyRingOptions } from "./shared-key-ring.js"
export { SharedStrikeRegister, type SharedStrikeRegisterOptions } from "./shared-strike-register.js"
export type { DayKeyStore, SealedDayKey, SealedDayKeys, StrikeEntry, StrikeOutcome, StrikeStore } from "./store.js"
export {
  type KeySince,
  MemoryStrikeRegister,
  type Noted,
  type StrikeRegister,
  type StrikeRegisterOptions,
  type Struck,
} from "./strike-register.js"
export { Offer } from "./wire.js"
