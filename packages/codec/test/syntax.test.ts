import assert from "node:assert/strict"
import { test } from "node:test"
import {
  alias,
  enumeration,
  fixed,
  opaque,
  optional,
  select,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  union,
  vector,
} from "@conclave/codec"

const Kind = enumeration("Kind", 1, { keyPackage: 1, update: 2 })

test("a struct prints its fields as the RFC writes them", () => {
  const Numeral = alias("Numeral", uint16)
  const Everything = struct("Everything", {
    aByte: uint8,
    number: Numeral,
    wide: uint32,
    wider: uint64,
    bytes: opaque,
    exactly: fixed(4),
    list: vector(Numeral),
    mayBe: optional(alias("Wide", uint32)),
  })
  assert.equal(
    Everything.definition,
    "struct { uint8 a_byte; Numeral number; uint32 wide; uint64 wider; opaque bytes<V>; opaque exactly[4]; " +
      "Numeral list<V>; optional<Wide> may_be; } Everything;",
  )
})

test("a select prints its tag and a body for each case, inside a struct and by itself", () => {
  const cases = { keyPackage: { lifetime: uint64, extra: opaque }, update: {} }
  const printed = "select (%) { case key_package: uint64 lifetime; opaque extra<V>; case update: struct{}; }"
  assert.equal(
    struct("Leaf", { source: select(Kind, cases), after: uint8 }).definition,
    `struct { Kind source; ${printed.replace("%", "source")}; uint8 after; } Leaf;`,
  )
  assert.equal(
    union("Choice", "kind", Kind, cases).definition,
    `struct { Kind kind; ${printed.replace("%", "kind")}; } Choice;`,
  )
})

test("a case that is a struct prints its name", () => {
  const Update = struct("Update", { number: uint8 })
  const Proposal = union("Proposal", "kind", Kind, { keyPackage: Update, update: Update })
  assert.equal(
    Proposal.definition,
    "struct { Kind kind; select (kind) { case key_package: Update; case update: Update; }; } Proposal;",
  )
})

test("an enumeration prints its names, numbers and size", () => {
  assert.equal(Kind.definition, "enum { reserved(0), key_package(1), update(2), (255) } Kind;")
  const Wide = enumeration("Wide", 2, { first: 1 })
  assert.equal(Wide.definition, "enum { reserved(0), first(1), (65535) } Wide;")
})
