import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { type CapturedPacket, CaptureError, formatTrace, parseSegment, renderTimeline, trace } from "../src/index.js"
import { readPacket } from "../src/segment.js"
import { type Captured, ethernet, inPieces, NOON, packet, pcapOf } from "./captures.js"

const linkTypes = [0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 147, 149, 166, 192, 204, 219, 228, 229, 239]
const allLinkTypes = [...linkTypes, 258, 276]

const hello = Buffer.concat([Buffer.from("160301002b010000270303", "hex"), Buffer.alloc(40, 7)])
const cookie = Buffer.from([34, 10, 1, 2, 3, 4, 5, 6, 7, 8])
const addresses = { destination: "198.51.100.1", sourcePort: 4000, destinationPort: 443 }
const inner = packet({ time: NOON, source: "192.0.2.1", ...addresses, options: cookie, payload: hello })
const inner6 = packet({
  time: NOON,
  source: "2001:db8:0:1:0:0:0:5",
  destination: "2001:db8:0:2:0:0:0:1",
  sourcePort: 4000,
  destinationPort: 443,
  payload: hello,
})
const hex = (text: string) => Buffer.from(text, "hex")
const macs = hex("020000000002020000000001")
const over = (protocol: number, body: Buffer) => {
  const header = hex("450000000001000040000000c0000201c6336401")
  header.writeUInt16BE(20 + body.length, 2)
  header[9] = protocol
  return Buffer.concat([header, body])
}

/** One well-formed packet for every layer that there is, so that random bytes reach each header. */
const stacks: readonly [number, Buffer][] = [
  [1, ethernet(inner)],
  [1, Buffer.concat([macs, hex("886411000001"), hex("00900021"), inner])],
  [1, Buffer.concat([macs, hex("884700010040"), hex("00011140"), inner6])],
  [1, Buffer.concat([macs, hex("0070aaaa030000000800"), inner])],
  [9, Buffer.concat([hex("ff030021"), inner])],
  [101, over(47, Buffer.concat([hex("b0000800000000000000000500000006"), inner]))],
  [101, over(47, Buffer.concat([hex("3081880b00800001000000050000000400"), hex("21"), inner]))],
  [101, over(17, Buffer.concat([hex("c00012b5000000000800000000004d00"), ethernet(inner)]))],
  [101, over(17, Buffer.concat([hex("c00017c1000000000100655800004d0000000000"), ethernet(inner)]))],
  [101, over(51, Buffer.concat([hex("0404000000000005000000010000000000000000000000"), hex("00"), inner]))],
  [101, over(4, over(4, inner))],
  [12, inner],
  [14, inner6],
  [51, Buffer.concat([hex("1100000100880021"), inner])],
  [104, Buffer.concat([hex("0f000800"), inner])],
  [166, Buffer.concat([hex("01ff030021"), inner])],
  [204, Buffer.concat([hex("00ff030057"), inner6])],
  [219, Buffer.concat([hex("00010140"), inner])],
  // A machine that writes its own numbers in the other order.
  [239, Buffer.concat([hex("020000000008000100000000"), Buffer.of(0, 4 + inner.length, 0, 9), inner])],
  [149, Buffer.concat([hex("6c0000000100000000000000"), Buffer.alloc(96), hex("02000000"), inner])],
  [113, Buffer.concat([hex("00000001000602000000000100000800"), inner])],
  [276, Buffer.concat([hex("0800000000000001000100060200000000010000"), inner])],
  [
    127,
    Buffer.concat([
      hex("000012000300000000000000000000002000"),
      hex("88010000"),
      macs,
      hex("020000000003000000000000"),
      hex("aaaa030000000800"),
      inner,
    ]),
  ],
  [105, Buffer.concat([hex("88010000"), macs, hex("02000000000300008000"), macs, hex("0098aaaa030000000800"), inner])],
  [239, Buffer.concat([hex("02000000"), hex("0800010000000000"), Buffer.of(4 + inner.length, 0, 9, 0), inner])],
  [258, Buffer.concat([hex("6c0000000100000065000000"), Buffer.alloc(96), inner])],
]

const captured = (linkType: number, bytes: Buffer, length = bytes.length): CapturedPacket => ({
  time: NOON,
  isTimed: true,
  linkType,
  bytes,
  length,
})

test("every link type and tunnel of these stacks is followed to its TCP segment", () => {
  const unreached = stacks.filter(([linkType, bytes]) => parseSegment(captured(linkType, bytes)) === undefined)
  assert.deepEqual(
    unreached.map(([linkType, bytes]) => `${linkType}: ${bytes.toString("hex").slice(0, 60)}`),
    [],
  )
})

test("random bytes of any link type are read or counted, and nothing is thrown", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...allLinkTypes),
      fc.uint8Array({ maxLength: 160 }),
      fc.nat(400),
      (linkType, bytes, more) => {
        const readings = readPacket(captured(linkType, Buffer.from(bytes), bytes.length + more))
        assert.ok(readings.length >= 1 && readings.length <= 65)
      },
    ),
    { numRuns: 20_000 },
  )
})

test("random bytes in each header of a stack are read or counted, and nothing is thrown", () => {
  const mutation = fc.record({
    stack: fc.constantFrom(...stacks),
    changes: fc.array(fc.record({ at: fc.nat(160), value: fc.nat(255) }), { minLength: 1, maxLength: 8 }),
    kept: fc.nat(300),
    more: fc.nat(2),
  })
  fc.assert(
    fc.property(mutation, ({ stack: [linkType, bytes], changes, kept, more }) => {
      const changed = Buffer.from(bytes.subarray(0, kept))
      for (const { at, value } of changes) if (at < changed.length) changed[at] = value
      for (const reading of readPacket(captured(linkType, changed, changed.length + more))) {
        if (reading.kind === "unread") assert.ok(reading.reason.length > 0 && reading.reason.length < 80)
        if (reading.kind !== "segment") continue
        const { payload, dataBytes, optionsCutOff } = reading.segment
        assert.ok(payload.length <= changed.length)
        assert.ok(Number.isSafeInteger(dataBytes) && dataBytes >= 0 && dataBytes <= 0x10000 + 302)
        assert.ok(!optionsCutOff || payload.length === 0)
      }
    }),
    { numRuns: 30_000 },
  )
})

test("a packet that is cut anywhere is a segment or a reason, never silently nothing", () => {
  for (const [linkType, bytes] of stacks) {
    for (let kept = 0; kept < bytes.length; kept++) {
      for (const reading of readPacket(captured(linkType, bytes.subarray(0, kept), bytes.length))) {
        assert.notEqual(reading.kind, "other", `link type ${linkType}, ${kept} bytes`)
      }
    }
  }
})

/** Headers that lead to themselves, filled up to the largest packet. */
const loops: readonly [string, number, Buffer][] = [
  ["VLAN tags", 1, Buffer.concat([macs, Buffer.alloc(0x3fff0, hex("81000001"))])],
  ["IPv4 in IPv4", 101, Buffer.alloc(0x3fff0, hex("450000000001000040040000c0000201c6336401"))],
  ["IPv6 in IPv6", 229, Buffer.alloc(0x3fff0, Buffer.concat([hex("6000000000002940"), Buffer.alloc(32, 1)]))],
  ["GRE in GRE", 101, over(47, Buffer.alloc(0xff00, hex("000008004500000000010000402f0000c0000201c6336401")))],
  ["bridged PPP in PPPoE", 51, Buffer.alloc(0x3fff0, Buffer.concat([hex("11000001fff000310001"), macs, hex("8864")]))],
  ["PKTAP in PKTAP", 258, Buffer.alloc(0x3fff0, Buffer.concat([hex("6c0000000100000002010000"), Buffer.alloc(96)]))],
  ["PPI in PPI", 192, Buffer.alloc(0x3fff0, hex("00000800c0000000"))],
]

for (const [what, linkType, bytes] of loops) {
  test(`${what} without an end are followed to a limit, and counted`, () => {
    assert.deepEqual(readPacket(captured(linkType, bytes)), [
      { kind: "unread", reason: "more than 32 headers in one packet" },
    ])
  })
}

test("other headers without an end are followed to a limit too", () => {
  const labels = Buffer.concat([macs, hex("8847"), Buffer.alloc(0x3fff0, hex("00010040"))])
  assert.deepEqual(readPacket(captured(1, labels)), [{ kind: "unread", reason: "malformed MPLS header" }])
  const options = Buffer.concat([
    hex("60000000fff03c40"),
    Buffer.alloc(32, 1),
    Buffer.alloc(0xfff0, hex("3c00010400000000")),
  ])
  assert.deepEqual(readPacket(captured(229, options)), [
    { kind: "unread", reason: "more than 16 IP extension headers" },
  ])
  const subframes = Buffer.concat([hex("88010000"), macs, hex("02000000000300008000"), Buffer.alloc(0x3ff00)])
  assert.equal(readPacket(captured(105, subframes)).length, 65)
})

test("mutilated captures of every stack are reported or refused, and the report is written", async () => {
  const mutation = fc.record({
    stack: fc.constantFrom(...stacks),
    flips: fc.array(fc.record({ at: fc.nat(400), value: fc.nat(255) }), { maxLength: 6 }),
    length: fc.nat(600),
  })
  await fc.assert(
    fc.asyncProperty(mutation, async ({ stack: [linkType, bytes], flips, length }) => {
      const packets: Captured[] = [{ bytes }, { bytes, time: NOON + 900 }]
      const file = Buffer.from(pcapOf(linkType, packets).subarray(0, length))
      for (const { at, value } of flips) if (at < file.length) file[at] = value
      try {
        const report = await trace(inPieces(file, 64))
        formatTrace(report)
        renderTimeline(report)
      } catch (error) {
        assert.ok(error instanceof CaptureError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
