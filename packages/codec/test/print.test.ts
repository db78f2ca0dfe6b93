import assert from "node:assert/strict"
import { test } from "node:test"
import {
  alias,
  boolean,
  type Codec,
  encode,
  enumeration,
  fixed,
  opaque,
  optional,
  type PrintOptions,
  print,
  retained,
  select,
  struct,
  uint8,
  uint16,
  uint64,
  union,
  utf8,
  vector,
} from "@conclave/codec"
import fc from "fast-check"
import { shapes } from "./shapes.js"

const Kind = enumeration("Kind", 1, { keyPackage: 1, update: 2 })
const lines = <T>(codec: Codec<T>, value: T, options?: PrintOptions) => [...print(codec, value, options)]

test("a struct prints its fields with types, names and values", () => {
  const Inner = struct("Inner", { aByte: uint8, wide: uint64 })
  const Outer = struct("Outer", {
    suite: alias("CipherSuite", uint16),
    kind: Kind,
    publicKey: alias("PublicKey", opaque),
    guard: fixed(2),
    name: utf8,
    isTrue: boolean,
    inner: Inner,
    numbers: vector(uint16),
    kinds: vector(Kind),
  })
  const value = {
    suite: 7,
    kind: "keyPackage",
    publicKey: Uint8Array.of(0, 255),
    guard: Uint8Array.of(1, 2),
    name: 'a "b"',
    isTrue: true,
    inner: { aByte: 3, wide: 2n ** 64n - 1n },
    numbers: [1, 2],
    kinds: ["update"],
  } as const
  assert.deepEqual(lines(retained(Outer), value), [
    "Outer = {",
    "    CipherSuite suite = 7;",
    "    Kind kind = key_package(1);",
    "    PublicKey public_key<2> = 00ff;",
    "    opaque guard[2] = 0102;",
    '    opaque name<5> = "a \\"b\\"";',
    "    uint8 is_true = 1;",
    "    Inner inner = {",
    "        uint8 a_byte = 3;",
    "        uint64 wide = 18446744073709551615;",
    "    };",
    "    uint16 numbers<4> = { 1, 2 };",
    "    Kind kinds<1> = { update(2) };",
    "};",
  ])
})

test("a select prints its tag and the fields of the case, an optional value whether it is there", () => {
  const cases = { keyPackage: { lifetime: uint64 }, update: {} }
  const Leaf = struct("Leaf", { source: select(Kind, cases), mayBe: optional(struct("Inner", { it: uint8 })) })
  assert.deepEqual(lines(Leaf, { source: { type: "keyPackage", lifetime: 5n }, mayBe: undefined }), [
    "Leaf = {",
    "    Kind source = key_package(1);",
    "    uint64 lifetime = 5;",
    "    optional<Inner> may_be;  // absent",
    "};",
  ])
  assert.deepEqual(lines(Leaf, { source: { type: "update" }, mayBe: { it: 1 } }).slice(1), [
    "    Kind source = update(2);",
    "    optional<Inner> may_be = {",
    "        uint8 it = 1;",
    "    };",
    "};",
  ])
})

test("a union prints its tag inside, and a case that is a struct by its name", () => {
  const Update = struct("Update", { number: uint8 })
  const Proposal = union("Proposal", "kind", Kind, { keyPackage: {}, update: Update }, "open")
  assert.deepEqual(lines(vector(Proposal), [{ type: "update", number: 4 }], { name: "list" }), [
    "Proposal list<2> = {  // 1 entry",
    "    [0] = {",
    "        Kind kind = update(2);",
    "        Update = {",
    "            uint8 number = 4;",
    "        };",
    "    };",
    "};",
  ])
  const registered = { type: "registered", number: 9, content: Uint8Array.of(1) } as const
  assert.deepEqual(lines(Proposal, registered, { numberOf: (type, number) => ({ text: `${type} ${number}?` }) }), [
    "Proposal = {",
    "    Kind kind = Kind 9?;",
    "    opaque content[1] = 01;",
    "};",
  ])
})

test("entries that are absent print as ranges", () => {
  const list = vector(optional(struct("Node", { it: uint8 })))
  assert.deepEqual(lines(list, [undefined, undefined, { it: 1 }, undefined], { name: "tree" }), [
    "optional<Node> tree<5> = {  // 4 entries",
    "    [0..1];  // absent",
    "    [2] = {",
    "        uint8 it = 1;",
    "    };",
    "    [3];  // absent",
    "};",
  ])
})

test("long bytes are cut to the width, or shown whole over several lines", () => {
  const Long = struct("Long", { content: opaque })
  const value = { content: new Uint8Array(100).fill(0xab) }
  const cut = lines(Long, value, { width: 60 })
  assert.match(cut[1]!, /^ {4}opaque content<100> = (ab)+\.\.\.;$/)
  assert(cut[1]!.length <= 60 && cut[1]!.length > 57)
  const whole = lines(Long, value, { width: 60, full: true })
  assert(whole.every((line) => line.length <= 60))
  assert.equal(whole.slice(2, -1).join("").replace(/[ ;]/g, ""), "ab".repeat(100))
})

test("long text is cut to the width between characters, and shown whole in full", () => {
  const Long = struct("Long", { text: utf8 })
  const value = { text: "\u{1f510}".repeat(60) }
  assert.equal(lines(Long, value, { width: 60 })[1], `    opaque text<240> = "${"\u{1f510}".repeat(31)}"...;`)
  assert(lines(Long, value, { width: 60, full: true })[1]!.includes(value.text))
})

test("text that could move a cursor or turn the writing is escaped", () => {
  const printed = lines(utf8, "a\u001b[2J\u202eb\u0085\n").join("\n")
  assert.equal(printed, 'opaque<12> = "a\\u{1b}[2J\\u{202e}b\\u{85}\\u{a}";')
})

test("bytes that are plain text say so beside", () => {
  assert.deepEqual(lines(opaque, new TextEncoder().encode("Alice")), ['opaque<5> = 416c696365;  // "Alice"'])
  assert.deepEqual(lines(opaque, Uint8Array.of(0x41, 0x1b)), ["opaque<2> = 411b;"])
})

test("a secret is not shown, in full neither", () => {
  const Secrets = struct("Secrets", { joinerSecret: opaque, pathSecret: optional(struct("Path", { it: opaque })) })
  const value = { joinerSecret: new Uint8Array(32).fill(0xcd), pathSecret: { it: new Uint8Array(9).fill(0xcd) } }
  const isSecret = (name: string, field: string) => name === "Secrets" && field.endsWith("_secret")
  assert.deepEqual(lines(Secrets, value, { isSecret, full: true }), [
    "Secrets = {",
    "    opaque joiner_secret (32 bytes, not shown)",
    "    optional<Path> path_secret (11 bytes, not shown)",
    "};",
  ])
})

test("contents and facts are printed in their places", () => {
  const Extension = struct("Extension", { type: uint8, data: opaque })
  const printed = lines(
    Extension,
    { type: 1, data: Uint8Array.of(7) },
    {
      contentsOf: (_, field) =>
        field === "data" ? { codec: struct("Inner", { it: uint8 }), value: { it: 7 } } : undefined,
      factsOf: (name, value) => [`${name}: ${value.it ?? value.type}`],
      numberOf: (type, number) => ({ text: `${number}!`, comment: type }),
    },
  )
  assert.deepEqual(printed, [
    "Extension = {",
    "    uint8 type = 1!;  // uint8",
    "    opaque data<1> = {",
    "        Inner = {",
    "            uint8 it = 7!;  // uint8",
    "        };",
    "        // Inner: 7",
    "    };",
    "};",
    "// Extension: 1",
  ])
})

test("printing stops after the lines that are asked for, and makes no more than were read", () => {
  const list = vector(struct("Item", { it: uint8 }))
  const items = Array.from({ length: 1000 }, () => ({ it: 1 }))
  const cut = lines(list, items, { linesMax: 5 })
  assert.equal(cut.length, 6)
  assert.equal(cut.at(-1), "// cut after 5 lines")
  let facts = 0
  const reading = print(list, items, { factsOf: () => [String(++facts)] })
  for (let i = 0; i < 10; i++) reading.next()
  assert(facts <= 3, `${facts} facts`)
})

test("a codec without a shape prints as its bytes", () => {
  const odd: Codec<number> = { syntax: "Odd %", write: (writer) => writer.uint16(0x1234), read: () => 0 }
  assert.deepEqual(lines(struct("Around", { odd }), { odd: 1 })[1], "    Odd odd<2> = 1234;")
})

test("every value of every composition prints, and the lengths are those of its encoding", () => {
  fc.assert(
    fc.property(
      shapes(3).chain(({ codec, values }) => fc.record({ codec: fc.constant(codec), value: values })),
      ({ codec, value }) => {
        const printed = lines(codec, value, { full: true, width: 1e6 })
        const bytes = encode(codec as Codec<unknown>, value)
        for (const line of printed) {
          assert.equal(line.trimEnd(), line)
          const field = /<(\d+)> = ([0-9a-f]*);(?! {2}\/\/ \d)/.exec(line)
          if (field) assert.equal(field[2]!.length, 2 * Number(field[1]))
          if (field) assert(Buffer.from(bytes).includes(Buffer.from(field[2]!, "hex")))
        }
        const [opened, closed] = [/\{( {2}\/\/.*)?$/, /^ *\};$/].map(
          (it) => printed.filter((one) => it.test(one)).length,
        )
        assert.equal(opened, closed)
      },
    ),
    { numRuns: 300 },
  )
})
