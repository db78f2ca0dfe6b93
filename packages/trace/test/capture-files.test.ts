import assert from "node:assert/strict"
import { test } from "node:test"
import { CaptureError, formatTrace, readCapture, renderTimeline, trace } from "../src/index.js"
import { Blocks, ethernet, inPieces, NOON, packet, pcapOf } from "./captures.js"

const RAW = 101
const ETHERNET = 1
const syn = (n: number) =>
  packet({
    time: NOON,
    source: `192.0.2.${n}`,
    destination: "198.51.100.1",
    sourcePort: 1024 + n * 7919,
    destinationPort: 443,
  })

async function starts(file: Buffer): Promise<[string, number][]> {
  const { connections } = await trace(inPieces(file))
  return connections.map(({ client, start }) => [client, start])
}

for (const bigEndian of [false, true]) {
  const order = bigEndian ? "big-endian" : "little-endian"
  for (const [name, magic, more] of [
    ["microseconds", 0xa1b2c3d4, 0],
    ["nanoseconds", 0xa1b23c4d, 0],
    ["longer record headers", 0xa1b2cd34, 8],
  ] as const) {
    test(`pcap with ${name}, ${order}: packets have their times and lengths`, async () => {
      const packets = [
        { bytes: syn(1), time: NOON + 250 },
        { bytes: syn(2).subarray(0, 36), length: 40, time: NOON + 1500 },
      ]
      const file = pcapOf(RAW, packets, { magic, bigEndian, more })
      const read = []
      for await (const { time, bytes, length } of readCapture(inPieces(file))) read.push([time, bytes.length, length])
      assert.deepEqual(read, [
        [NOON + 250, 40, 40],
        [NOON + 1500, 36, 40],
      ])
    })
  }

  test(`pcapng, ${order}: enhanced, obsolete and simple packet blocks are read, unknown blocks are passed over`, async () => {
    const blocks = new Blocks(bigEndian)
    const ticks = BigInt(NOON) * 1000n
    const file = Buffer.concat([
      blocks.section(),
      blocks.interface(RAW),
      blocks.interface(ETHERNET),
      blocks.block(0x0bad, Buffer.alloc(9)),
      blocks.enhanced(0, syn(1), { ticks }),
      blocks.obsolete(1, ethernet(syn(2)), ticks + 1_000_000n),
      blocks.block(0x80000bad),
      blocks.simple(syn(3)),
    ])
    const report = await trace(inPieces(file))
    assert.deepEqual(
      report.connections.map(({ client, start }) => [client, start]),
      [
        ["192.0.2.1", NOON],
        ["192.0.2.2", NOON + 1000],
        ["192.0.2.3", NOON + 1000],
      ],
    )
    assert.equal(report.untimed, 1)
    for (const text of [formatTrace(report), renderTimeline(report)]) assert.match(text, /1 packet has no time/)
  })
}

test("every interface has its link type and the resolution of its clock", async () => {
  const blocks = new Blocks()
  const file = Buffer.concat([
    blocks.section(),
    blocks.interface(RAW, { resolution: 3 }),
    blocks.interface(ETHERNET, { resolution: 9 }),
    // Units of 2^-10 seconds.
    blocks.interface(RAW, { resolution: 0x80 | 10 }),
    blocks.enhanced(0, syn(1), { ticks: BigInt(NOON) }),
    blocks.enhanced(1, ethernet(syn(2)), { ticks: BigInt(NOON) * 1_000_000n }),
    blocks.enhanced(2, syn(3), { ticks: BigInt(NOON / 1000) * 1024n }),
  ])
  assert.deepEqual(await starts(file), [
    ["192.0.2.1", NOON],
    ["192.0.2.2", NOON],
    ["192.0.2.3", NOON],
  ])
})

test("sections of both byte orders follow each other, each with interfaces of its own", async () => {
  const [little, big] = [new Blocks(), new Blocks(true)]
  const ticks = BigInt(NOON) * 1000n
  const file = Buffer.concat([
    ...[little.section(), little.interface(ETHERNET), little.enhanced(0, ethernet(syn(1)), { ticks })],
    ...[big.section(), big.interface(RAW), big.enhanced(0, syn(2), { ticks })],
    ...[little.section(), little.interface(ETHERNET), little.enhanced(0, ethernet(syn(3)), { ticks })],
  ])
  assert.deepEqual(
    (await starts(file)).map(([client]) => client),
    ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
  )
})

test("a simple packet is as long as the interface's limit lets it be", async () => {
  const blocks = new Blocks()
  const bytes = syn(1)
  const head = [blocks.section(), blocks.interface(RAW, { snapshotLength: 36 })]
  const file = Buffer.concat([...head, blocks.simple(bytes.subarray(0, 36), bytes.length)])
  const { value: found } = await readCapture(inPieces(file)).next()
  assert.ok(found)
  assert.deepEqual([found.bytes.length, found.length, found.isTimed], [36, 40, false])
})

/** Files that end or break after one packet, and what is said of it. */
const damaged = (): readonly [string, Buffer, RegExp][] => {
  const blocks = new Blocks()
  const ticks = BigInt(NOON) * 1000n
  const head = Buffer.concat([blocks.section(), blocks.interface(RAW), blocks.enhanced(0, syn(1), { ticks })])
  const after = (...rest: Buffer[]) => Buffer.concat([head, ...rest])
  const tooLong = Buffer.from(blocks.enhanced(0, syn(2)))
  tooLong.writeUInt32LE(4_294_967_295, 20)
  const pcap = pcapOf(RAW, [{ bytes: syn(1) }, { bytes: syn(2) }])
  const huge = Buffer.from(pcap)
  huge.writeUInt32LE(4_294_967_295, 24 + 16 + 40 + 8)
  const trailer = Buffer.from(blocks.block(0x0bad, Buffer.alloc(8)))
  trailer.writeUInt32LE(24, trailer.length - 4)
  return [
    ["a pcap file cut in a packet", pcap.subarray(0, -1), /cut off/],
    ["a pcap file cut in a record's header", pcap.subarray(0, 24 + 16 + 40 + 5), /cut off/],
    ["a packet of 4 GiB", huge, /a packet of 4294967295 bytes/],
    ["a pcapng file cut in a block", after(blocks.enhanced(0, syn(2)).subarray(0, -3)), /cut off/],
    ["an unknown block of 4 GiB", after(blocks.u32(0x0bad, 4_294_967_292)), /cut off/],
    ["a packet block of 4 GiB", after(blocks.u32(6, 4_294_967_292)), /a block of 4294967292 bytes/],
    ["a block without room for its own length", after(blocks.u32(0x0bad, 8, 8)), /a block of 8 bytes/],
    ["a packet that is longer than its block", after(tooLong), /contradicts itself/],
    ["a packet of an interface that was not described", after(blocks.enhanced(7, syn(2))), /contradicts itself/],
    ["a block that ends as one of another length", after(trailer), /ends as one of 24/],
    [
      "a section of another version",
      after(blocks.block(0x0a0d0d0a, blocks.u32(0x1a2b3c4d), blocks.u16(2, 0), Buffer.alloc(8))),
      /pcapng of version 2/,
    ],
  ]
}

for (const [what, file, says] of damaged()) {
  test(`${what}: everything before it is read, and the report says where it ended`, async () => {
    const report = await trace(inPieces(file, 64))
    assert.equal(report.connections.length, 1)
    assert.match(report.cutOff!, says)
    assert.equal(report.conclusion, "unclear")
    for (const text of [formatTrace(report), renderTimeline(report)]) assert.match(text, /not read to its end/)
  })
}

test("a file that is cut before its first packet is an error, not a capture without connections", async () => {
  const file = pcapOf(RAW, [{ bytes: syn(1) }])
  await assert.rejects(trace(inPieces(file.subarray(0, -1))), CaptureError)
  await assert.rejects(trace(inPieces(file.subarray(0, 10))), CaptureError)
})

test("a compressed capture is an error that says so", async () => {
  await assert.rejects(trace(inPieces(Buffer.from("1f8b080000000000", "hex"))), /compressed with gzip/)
})

test("an unknown block is passed over without keeping it, whatever its length", async () => {
  const blocks = new Blocks()
  const length = 0x8000000
  async function* file() {
    yield Buffer.concat([blocks.section(), blocks.interface(RAW), blocks.u32(0x0bad, length)])
    const zeros = Buffer.alloc(0x10000)
    for (let at = 0; at < length - 12; at += zeros.length)
      yield zeros.subarray(0, Math.min(zeros.length, length - 12 - at))
    yield Buffer.concat([blocks.u32(length), blocks.enhanced(0, syn(1))])
  }
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  async function* watched() {
    for await (const chunk of file()) {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      yield chunk
    }
  }
  const { connections } = await trace(watched())
  assert.equal(connections.length, 1)
  assert.ok(most < length / 4, `${most} bytes`)
})
