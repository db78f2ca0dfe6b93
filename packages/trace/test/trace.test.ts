import assert from "node:assert/strict"
import { randomInt } from "node:crypto"
import { test } from "node:test"
import fc from "fast-check"
import { CaptureError, findRepeats, formatTrace, renderTimeline, trace } from "../src/index.js"
import { ACK, inPieces, type Made, packet, pcap, pcapng, pcapOf, SYN } from "./captures.js"

const T0 = Date.UTC(2026, 4, 1, 12)
const fromClient = (n: number, more: Partial<Made> = {}): Made => ({
  time: T0 + n * 1000,
  source: "192.0.2.1",
  destination: "198.51.100.1",
  sourcePort: (n * 7919) % 60000,
  destinationPort: 443,
  ...more,
})
const fastOpen = (cookie: number[]) => Buffer.from([34, 2 + cookie.length, ...cookie])
const timestamp = (value: number) => {
  const option = Buffer.alloc(10)
  option.set([8, 10])
  option.writeUInt32BE(value, 2)
  return option
}
const kindsIn = async (made: readonly Made[]) => (await trace(inPieces(pcap(made)))).links.map((link) => link.kind)

const sixth = { source: "2001:db8:0:1:0:0:0:5", destination: "2001:db8:0:2:0:0:0:1" }
const formats: [string, (packets: readonly Made[]) => Buffer][] = [
  ["pcap, little-endian", (packets) => pcap(packets)],
  ["pcap, big-endian", (packets) => pcap(packets, true)],
  ["pcapng with two interfaces, little-endian", (packets) => pcapng(packets)],
  ["pcapng with two interfaces, big-endian", (packets) => pcapng(packets, true)],
]

for (const [format, write] of formats) {
  test(`${format}: connections of both IP versions are found with their times`, async () => {
    const made = [fromClient(1), fromClient(2, sixth), fromClient(3), fromClient(4, sixth)]

    const { connections, packets, cutOff } = await trace(inPieces(write(made)))

    assert.equal(packets, 4)
    assert.equal(cutOff, undefined)
    assert.deepEqual(
      connections.map(({ client, server, clientPort, start }) => ({ client, server, clientPort, start })),
      made.map(({ source, sourcePort, time }) => ({
        client: source.includes(":") ? "2001:db8:0:1::5" : source,
        server: source.includes(":") ? "2001:db8:0:2::1" : "198.51.100.1",
        clientPort: sourcePort,
        start: time,
      })),
    )
  })
}

test("a cookie is found in option 34 and in the experimental option 254, and links addresses", async () => {
  const cookie = [1, 2, 3, 4, 5, 6, 7, 8]
  const experimental = Buffer.from([254, 12, 0xf9, 0x89, ...cookie])
  const made = [
    fromClient(1, { options: fastOpen(cookie) }),
    fromClient(2, { options: experimental, source: "203.0.113.9" }),
    fromClient(3),
  ]

  const { links, carriers, clients } = await trace(inPieces(pcap(made)))

  const [link] = links
  assert.equal(link?.kind, "cookie")
  assert.deepEqual(link.connections, [0, 1])
  assert.deepEqual(link.addresses, ["192.0.2.1", "203.0.113.9"])
  assert.equal(link.trackingMilliseconds, 1000)
  assert.equal(carriers.cookies, 2)
  assert.deepEqual(clients, [[0, 1], [2]])
})

test("a cookie that is answered with a new one is the beginning of a chain", async () => {
  const first = [1, 1, 1, 1, 1, 1, 1, 1]
  const second = [2, 2, 2, 2, 2, 2, 2, 2]
  const made: Made[] = [
    fromClient(1, { options: fastOpen(first) }),
    fromClient(2, { options: fastOpen(first), source: "203.0.113.9" }),
    {
      ...fromClient(2),
      source: "198.51.100.1",
      destination: "203.0.113.9",
      sourcePort: 443,
      destinationPort: fromClient(2).sourcePort,
      flags: SYN | ACK,
      options: fastOpen(second),
    },
    fromClient(3, { options: fastOpen(second), source: "203.0.113.77" }),
  ]

  const { links } = await trace(inPieces(pcap(made)))

  assert.deepEqual(links[0]?.values, ["01".repeat(8), "02".repeat(8)])
  assert.deepEqual(links[0]?.connections, [0, 1, 2])
  assert.equal(links[0]?.addresses.length, 3)
})

test("a request for a cookie is not a cookie", async () => {
  const made = [1, 2].map((n) => fromClient(n, { options: fastOpen([]), source: `192.0.2.${n}` }))
  const { links, carriers } = await trace(inPieces(pcap(made)))
  assert.deepEqual(links, [])
  assert.equal(carriers.cookies, 0)
})

test("ports that count upwards link connections, random ones do not", async () => {
  const counting = Array.from({ length: 5 }, (_, n) =>
    fromClient(n, { sourcePort: 40000 + 2 * n, source: `192.0.2.${n}` }),
  )
  assert.deepEqual(await kindsIn(counting), ["ports"])
  const random = Array.from({ length: 400 }, (_, n) =>
    fromClient(n * 0.25, { sourcePort: randomInt(32768, 60999), source: `192.0.${n >> 8}.${n & 255}` }),
  )
  assert.deepEqual(await kindsIn(random), [])
})

test("timestamps that go on across addresses are one clock, timestamps of random origin are none", async () => {
  const ticking = [0, 7, 90].map((n) =>
    fromClient(n, { options: timestamp((123456 + n * 1000) >>> 0), source: `192.0.2.${n}` }),
  )
  assert.deepEqual(await kindsIn(ticking), ["clock"])
  const drawn = [3_000_000_000, 17, 900_000_000].map((value, n) =>
    fromClient(n, { options: timestamp(value), source: `192.0.2.${n}` }),
  )
  assert.deepEqual(await kindsIn(drawn), [])
})

test("a clock that passes through zero goes on", async () => {
  const made = [0, 5].map((n) =>
    fromClient(n, { options: timestamp((2 ** 32 - 2000 + n * 1000) % 2 ** 32), source: `192.0.2.${n}` }),
  )
  assert.deepEqual(await kindsIn(made), ["clock"])
})

test("addresses link by themselves, an IPv6 client by its network", async () => {
  const made = [5, 6].map((n) => fromClient(n, { ...sixth, source: `2001:db8:0:1:0:0:0:${n}` }))
  const { links, clients } = await trace(inPieces(pcap(made)))
  assert.deepEqual(
    links.map(({ kind, identifier }) => [kind, identifier]),
    [["address", "2001:db8:0:1::/64"]],
  )
  assert.equal(clients.length, 2, "an address alone does not make a client")
})

test("a repeated SYN is the same connection, a new sequence number on the same ports another one", async () => {
  const made = [fromClient(1), fromClient(1, { time: T0 + 2000 }), fromClient(1, { time: T0 + 9000, sequence: 77 })]
  assert.equal((await trace(inPieces(pcap(made)))).connections.length, 2)
})

test("a capture that breaks off is reported as far as it goes", async () => {
  const whole = pcap([fromClient(1), fromClient(2)])
  const { packets, cutOff } = await trace(inPieces(whole.subarray(0, whole.length - 3)))
  assert.equal(packets, 1)
  assert.match(cutOff!, /cut off/)
})

test("what is no capture is refused", async () => {
  for (const bytes of ["", "abc", "GIF89a and so on and on", "\x0a\x0d\x0d\x0a\x1c\0\0\0????"]) {
    await assert.rejects(trace(inPieces(Buffer.from(bytes, "latin1"))), CaptureError)
  }
  await assert.rejects(trace("/nowhere/at-all.pcap"), { code: "ENOENT" })
})

test("mutilated captures are read or refused, never more", async () => {
  const hello = Buffer.concat([Buffer.from("160301002b010000270303", "hex"), Buffer.alloc(40, 7)])
  const made = [
    fromClient(1, { options: Buffer.concat([fastOpen([1, 2, 3, 4, 5, 6, 7, 8]), timestamp(9)]), payload: hello }),
    fromClient(2, { ...sixth, payload: hello }),
    fromClient(3, { flags: ACK, payload: hello }),
  ]
  const files = formats.map(([, write]) => write(made))
  const mutation = fc.record({
    file: fc.constantFrom(...files),
    flips: fc.array(fc.record({ at: fc.nat(2000), value: fc.nat(255) }), { maxLength: 6 }),
    length: fc.nat(2000),
  })
  await fc.assert(
    fc.asyncProperty(mutation, async ({ file, flips, length }) => {
      const bytes = Buffer.from(file.subarray(0, length))
      for (const { at, value } of flips) if (at < bytes.length) bytes[at] = value
      try {
        const report = await trace(inPieces(bytes, 64))
        formatTrace(report)
        renderTimeline(report)
      } catch (error) {
        assert.ok(error instanceof CaptureError, String(error))
      }
    }),
    { numRuns: 1500 },
  )
})

test("the page quotes what comes from the file", async () => {
  const report = await trace(inPieces(pcap([fromClient(1)])))
  assert.ok(!renderTimeline(report, "<script>alert(1)</script>").includes("<script>"))
})

test("strings of eight bytes in two connections are found, in one connection or with seven bytes not", async () => {
  const secret = Buffer.from("identity")
  const around = (n: number, bytes: Uint8Array) => Buffer.concat([Buffer.alloc(5, n), bytes, Buffer.alloc(5, n + 100)])
  const twice = [1, 2].map((n) => fromClient(n, { payload: around(n, secret) }))
  assert.deepEqual(
    (await findRepeats(inPieces(pcap(twice)))).map(({ bytes }) => bytes),
    [secret.toString("hex")],
  )
  assert.deepEqual(await findRepeats(inPieces(pcap(twice)), { except: [secret] }), [])
  const shorter = [1, 2].map((n) => fromClient(n, { payload: around(n, secret.subarray(1)) }))
  assert.deepEqual(await findRepeats(inPieces(pcap(shorter))), [])
  const alone = [fromClient(1, { payload: secret }), fromClient(1, { payload: secret, flags: ACK })]
  assert.deepEqual(await findRepeats(inPieces(pcap(alone))), [])
})

test("where a packet was not read, or not whole, nobody is told that nothing repeats", async () => {
  const bytes = packet(fromClient(1, { payload: Buffer.from("identity") }))
  const cut = { bytes: bytes.subarray(0, -1), length: bytes.length }
  await assert.rejects(findRepeats(inPieces(pcapOf(101, [cut]))), { name: "RangeError", message: /captured in part/ })
  const unread = { bytes: Buffer.alloc(40, 0x50) }
  await assert.rejects(findRepeats(inPieces(pcapOf(101, [{ bytes }, unread]))), {
    name: "RangeError",
    message: "a packet was not read: IP version 5",
  })
})

test("packets made by these tests are as long as they say", () => {
  assert.equal(packet(fromClient(1)).readUInt16BE(2), packet(fromClient(1)).length)
})
