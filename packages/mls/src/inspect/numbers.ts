import { snakeCase } from "@conclave/codec"
import { cipherSuiteNames } from "../suite/suite.js"
import { extensionTypes } from "../tree/leaf.js"
import { CredentialType, ProposalType, ProtocolVersion } from "../wire.js"

/** Names in the registries of RFC 9420 §17, by the wire type that they belong to. */
const registries: Readonly<Record<string, ReadonlyMap<number, string>>> = {
  ProtocolVersion: byNumber(ProtocolVersion.values),
  ExtensionType: byNumber(extensionTypes),
  ProposalType: byNumber(ProposalType.values),
  CredentialType: byNumber(CredentialType.values),
}

/** RFC 9420 §17: from here on, numbers are for private use. */
const PRIVATE_USE_FROM = 0xf000

/** How a number of an open registry reads: `ratchet_tree(2)`, `0x2a2a (GREASE)`, `0x0042 (unknown)`. */
export function registeredNumber(typeName: string, number: number): { text: string; comment?: string } | undefined {
  const suite = typeName === "CipherSuite"
  if (!suite && !(typeName in registries)) return undefined
  const name = suite ? cipherSuiteNames.get(number) : registries[typeName]!.get(number)
  // The names of suites are too long for a list.
  if (name !== undefined) return suite ? { text: String(number), comment: name } : { text: `${name}(${number})` }
  const mark = isGrease(number) ? "GREASE" : number >= PRIVATE_USE_FROM ? "private use" : "unknown"
  return { text: `0x${number.toString(16).padStart(4, "0")} (${mark})` }
}

/** RFC 9420 §13.5: 0x0A0A, 0x1A1A, … 0xEAEA. */
export function isGrease(number: number): boolean {
  return number >> 8 === (number & 0xff) && (number & 0x0f) === 0x0a && number < PRIVATE_USE_FROM
}

function byNumber(values: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(values).map(([name, number]) => [number, snakeCase(name)]))
}
