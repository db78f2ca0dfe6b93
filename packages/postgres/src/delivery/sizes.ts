import { LogEntryKind } from "@conclave/contracts/delivery"

/** What is left of the body of an expired message: its SHA-256. */
export const EXPIRED_SIZE = 32

export const APPLICATION = LogEntryKind.values.application
