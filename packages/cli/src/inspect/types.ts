import * as records from "@conclave/client/records"
import type { Codec } from "@conclave/codec"
import { groupRecordTypes, inspectableTypes, outermostTypes } from "@conclave/mls/inspect"

/** The records of a client's profile, by the names of their declarations. */
export const recordTypes: Readonly<Record<string, Codec<any>>> = Object.fromEntries(
  Object.entries(records as Record<string, unknown>).filter((entry): entry is [string, Codec<any>] =>
    ["struct", "union", "list"].includes((entry[1] as Partial<Codec<any>>).shape?.kind ?? ""),
  ),
)

/** What `--as` takes. */
export const types: Readonly<Record<string, Codec<any>>> = { ...inspectableTypes, ...groupRecordTypes, ...recordTypes }

/** What an input is tried as, where nobody says what it is. */
export const triedTypes: readonly string[] = [...outermostTypes, ...Object.keys(recordTypes)]

/** Fields of records that hold private keys in a form of their own. */
const secretFields: ReadonlySet<string> = new Set(["StoredKeyPackage.bundle", "StoredKnock.bundle"])

export function isSecretField(struct: string, field: string): boolean {
  return secretFields.has(`${struct}.${field}`) || /(^|_)(private_key|secret)$/.test(field)
}
