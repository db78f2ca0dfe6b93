import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import type { Codec, Enumeration } from "@conclave/codec"
import { cipherSuite, cipherSuiteNumbers } from "../src/suite/suite.js"
import { extensionTypes } from "../src/tree/leaf.js"
import * as wire from "../src/wire.js"
import { everySuite } from "./vectors/suites.js"

/** What RFC 9420 defines, one definition a line: `npm run compare-rfc` holds the file against the RFC itself. */
const rfc = readFileSync(new URL("../../test/rfc9420-structs.txt", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")

/** Definitions of the RFC that no declaration of `wire.ts` prints, and why: `written-by-hand.test.ts` is about them. */
const writtenByHand: Readonly<Record<string, string>> = {
  "optional<T>": "the codec's own `optional`",
  StructWithVectors: "an example of the notation",
  FramedContentTBS: "written as a stream in framing/content.ts; the GroupContext is encoded already",
  AuthenticatedContentTBM: "written as a stream in framing/content.ts, like the FramedContentTBS that it starts with",
  ConfirmedTranscriptHashInput: "written as a stream in schedule/transcript.ts",
  LeafNodeTBS: "a leaf node's own bytes without the signature, and its LeafPosition: tree/leaf.ts",
  FramedContentAuthData: "what it holds depends on the content type beside it",
  PublicMessage: "what it holds depends on the sender inside its content",
  PrivateMessageContent: "what it holds depends on the message around it, and the padding fills what is left",
}

/** Structs of `wire.ts` that are no struct of the RFC but the parts of one. */
const partsOfStructs: Readonly<Record<string, string>> = {
  UnsignedLeafNode: "the front of LeafNodeTBS",
  LeafPosition: "the end of LeafNodeTBS",
}

const declared = Object.entries(wire as Record<string, unknown>).filter(
  (entry): entry is [string, Codec<unknown>] => (entry[1] as Codec<unknown>).syntax !== undefined,
)
const printed = new Map(
  declared.flatMap(([name, { definition }]) =>
    definition === undefined || name in partsOfStructs ? [] : [[name, definition] as const],
  ),
)

for (const definition of rfc.filter((line) => /^(struct|enum) /.test(line))) {
  const name = nameOf(definition)
  if (name in writtenByHand) continue
  test(`${name} is declared as in RFC 9420`, () => {
    assert.equal(withoutOpaqueNames(printed.get(name) ?? "nothing"), withoutOpaqueNames(definition))
  })
}

test("every struct and every enumeration that is declared is one of RFC 9420", () => {
  const defined = new Set(rfc.map(nameOf))
  const foreign = [...printed.keys()].filter((name) => !defined.has(name))
  assert.deepEqual(foreign, [])
})

test("what is listed as written by hand is in RFC 9420 and is printed by no declaration", () => {
  const defined = new Set(rfc.map(nameOf))
  for (const name of Object.keys(writtenByHand)) {
    assert(defined.has(name), `${name} is no definition of the RFC`)
    assert(!printed.has(name), `${name} is declared`)
  }
})

test("vectors without a struct of their own are declared as in RFC 9420", () => {
  const line = (codec: Codec<unknown>, name: string) => `${codec.syntax.replace("%", name)};`
  assert(rfc.includes(line(wire.ExternalSenders, "external_senders")))
  assert(rfc.includes(line(wire.RatchetTreeNodes, "ratchet_tree")))
})

test("numbers of open registries have the size that RFC 9420 gives them", () => {
  for (const codec of [
    wire.CipherSuiteNumber,
    wire.ExtensionTypeNumber,
    wire.ProposalTypeNumber,
    wire.CredentialTypeNumber,
  ]) {
    assert(rfc.includes(`uint16 ${codec.syntax.replace(" %", "")};`), codec.syntax)
  }
})

test("wire formats, proposals and credentials have the numbers of the registries of RFC 9420", () => {
  for (const enumeration of [wire.WireFormat, wire.ProposalType, wire.CredentialType] as Enumeration<string>[]) {
    assert.equal(enumeration.size, 2)
    assert.deepEqual(snakeCased(enumeration.values), registry(enumeration.typeName))
  }
})

test("extension types have the numbers of the registry of RFC 9420", () => {
  assert.deepEqual(snakeCased(extensionTypes), registry("ExtensionType"))
})

test("cipher suites have the numbers and the names of the registry of RFC 9420", () => {
  const suites = cipherSuiteNumbers.map((number) => everySuite(number))
  assert.deepEqual(Object.fromEntries(suites.map(({ name, number }) => [name, number])), registry("CipherSuite"))
  for (const suite of suites) assert.equal(cipherSuite(suite.name, suite.provider).number, suite.number)
})

function nameOf(definition: string): string {
  return definition.match(/([\w<>]+);$/)![1]!.replace(/<V>$/, "")
}

/** Types that are nothing but `opaque<V>` with a name, as the declarations print them. */
function withoutOpaqueNames(definition: string): string {
  const names = ["HPKEPublicKey", "SignaturePublicKey", "MAC", "HashReference", "KeyPackageRef", "ProposalRef"]
  return definition.replace(new RegExp(`\\b(?:${names.join("|")}) (\\w+);`, "g"), "opaque $1<V>;")
}

function registry(type: string): Record<string, number> {
  const line = rfc.find((definition) => definition.startsWith("registry") && nameOf(definition) === type)
  assert(line, `the RFC has a registry for ${type}`)
  return Object.fromEntries([...line.matchAll(/(\w+)\((\d+)\)/g)].map(([, name, number]) => [name, Number(number)]))
}

function snakeCased(values: Readonly<Record<string, number>>): Record<string, number> {
  const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(values).map(([name, number]) => [snakeCase(name), number]))
}
