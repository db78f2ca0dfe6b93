/** What a store has to do for gateways that answer sealed requests under shared keys. */
export type { DayKeyStore, SealedDayKey, SealedDayKeys } from "./shared-key-ring.js"
export type { StrikeEntry, StrikeOutcome, StrikeStore } from "./shared-strike-register.js"
