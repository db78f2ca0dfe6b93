import assert from "node:assert/strict"
import { test } from "node:test"
import { conclude } from "../src/conclusion.js"
import { formatTrace, parseSegment, renderTimeline, type TraceReport, trace } from "../src/index.js"
import { ACK, type Captured, ethernet, inPieces, type Made, NOON, packet, pcapOf, SYN } from "./captures.js"

const RAW = 101
const ETHERNET = 1
const made = (n: number, more: Partial<Made> = {}): Made => ({
  time: NOON,
  source: `192.0.2.${n}`,
  destination: "198.51.100.1",
  sourcePort: (n * 7919) % 60000,
  destinationPort: 443,
  ...more,
})
const cookie = Buffer.from([34, 10, 1, 2, 3, 4, 5, 6, 7, 8])
const of = (linkType: number, packets: readonly (Buffer | Captured)[]) =>
  trace(
    inPieces(
      pcapOf(
        linkType,
        packets.map((one) => (Buffer.isBuffer(one) ? { bytes: one } : one)),
      ),
    ),
  )
const cut = (bytes: Buffer, kept: number): Captured => ({ bytes: bytes.subarray(0, kept), length: bytes.length })
/** An Ethernet frame of a type. */
const frame = (type: number, body: Uint8Array = Buffer.alloc(46)) =>
  Buffer.concat([Buffer.alloc(12, 2), Buffer.of(type >> 8, type & 255), body])
/** An IPv4 packet of a protocol. */
function datagram(protocol: number, body: Uint8Array, fragment = 0): Buffer {
  const header = Buffer.alloc(20)
  header[0] = 0x45
  header.writeUInt16BE(20 + body.length, 2)
  header.writeUInt16BE(fragment, 6)
  header[9] = protocol
  return Buffer.concat([header, body])
}

/** The first packet of a connection of a version (RFC 9000 section 17.2.2), from a port to another one. */
function quic(version: string, first = "c3", connectionIdLength = "08"): Buffer {
  return datagram(17, Buffer.from(`c00001bb00300000${first}${version}${connectionIdLength}${"00".repeat(40)}`, "hex"))
}

const shown = (report: TraceReport) => [formatTrace(report), renderTimeline(report)]

const reasons: readonly [string, number, Buffer | Captured, string][] = [
  ["a link type that is not known", 147, Buffer.alloc(60), "link type 147"],
  ["an ethertype that is not known", ETHERNET, frame(0x1234), "ethertype 0x1234"],
  ["an ethertype between a length and a type", ETHERNET, frame(0x05ff), "ethertype 0x05ff"],
  ["an ethertype after a VLAN tag", ETHERNET, frame(0x8100, Buffer.from("00054321", "hex")), "ethertype 0x4321"],
  ["an address family that is not known", 0, Buffer.from([7, 0, 0, 0, 1]), "address family 7"],
  ["an IP version that is not known", RAW, Buffer.alloc(40, 0x50), "IP version 5"],
  ["an IP protocol that is not known", RAW, datagram(253, Buffer.alloc(20)), "IP protocol 253"],
  ["a tunnel that is not read", RAW, datagram(115, Buffer.alloc(20)), "L2TPv3 (IP protocol 115)"],
  ["compressed IP", RAW, datagram(108, Buffer.alloc(20)), "compressed (IPComp)"],
  ["encrypted IP", RAW, datagram(50, Buffer.alloc(20)), "encrypted (ESP)"],
  [
    "a tunnel over UDP",
    RAW,
    datagram(17, Buffer.from(`c000086800300000${"00".repeat(40)}`, "hex")),
    "GTP-U (UDP port 2152)",
  ],
  ["QUIC", RAW, quic("00000001"), "QUIC (UDP)"],
  ["QUIC of version 2", RAW, quic("6b3343cf"), "QUIC (UDP)"],
  ["LISP", RAW, datagram(17, Buffer.from(`c00010f500300000${"00".repeat(40)}`, "hex")), "LISP (UDP port 4341)"],
  [
    "MPLS in UDP",
    RAW,
    datagram(17, Buffer.from(`c00019eb00300000${"00".repeat(40)}`, "hex")),
    "MPLS in UDP (UDP port 6635)",
  ],
  ["encrypted PPP", 9, Buffer.from("ff030053aabb", "hex"), "encrypted (PPP)"],
  ["compressed PPP", 9, Buffer.from("00fdaabb", "hex"), "compressed or encrypted (PPP)"],
  ["a PPP protocol that is not known", 9, Buffer.from("0277aabb", "hex"), "PPP protocol 0x0277"],
  ["an LLC service that is not known", ETHERNET, frame(40, Buffer.from("aeae03", "hex")), "LLC service 0xae"],
  [
    "MPLS with an unknown payload",
    ETHERNET,
    frame(0x8847, Buffer.from("00010140f0f0f0f0", "hex")),
    "MPLS with an unknown payload",
  ],
  [
    "a frame whose length leaves no room for LLC, whatever fills it up",
    ETHERNET,
    frame(2, Buffer.from("aaaa030000000800", "hex")),
    "malformed LLC header",
  ],
  [
    "a later fragment of 802.11",
    105,
    Buffer.concat([Buffer.of(0x08, 1), Buffer.alloc(20), Buffer.of(0x31, 0), Buffer.alloc(30)]),
    "802.11 fragment without its header",
  ],
  [
    "an aggregate of 802.11 that is cut off after a whole frame",
    105,
    {
      bytes: Buffer.concat([
        Buffer.of(0x88, 1),
        Buffer.alloc(22),
        Buffer.of(0x80, 0),
        Buffer.alloc(12),
        Buffer.from("0008aaaa030000000806", "hex"),
      ]),
      length: 120,
    },
    "cut off in its 802.11 aggregate header",
  ],
  ["a later fragment", RAW, datagram(6, Buffer.alloc(40), 5), "IP fragment without its first headers"],
  [
    "a first fragment that ends in the TCP header",
    RAW,
    datagram(6, Buffer.alloc(8), 0x2000),
    "IP fragment that ends in its TCP header",
  ],
  ["a packet cut off in Ethernet", ETHERNET, cut(ethernet(packet(made(1))), 10), "cut off in its Ethernet header"],
  ["a packet cut off in IP", RAW, cut(packet(made(1)), 19), "cut off in its IPv4 header"],
  ["a packet cut off before the TCP flags", RAW, cut(packet(made(1)), 33), "cut off in its TCP header"],
  [
    "an IPv4 header that contradicts itself",
    RAW,
    Buffer.concat([Buffer.of(0x44), Buffer.alloc(39)]),
    "malformed IPv4 header",
  ],
  ["a TCP header that is longer than its packet", RAW, datagram(6, Buffer.alloc(20, 0xff)), "malformed TCP header"],
  ["an empty packet", RAW, Buffer.alloc(0), "malformed IP header"],
]

for (const [what, linkType, bytes, reason] of reasons) {
  test(`${what} is counted as "${reason}", in the report, on the terminal and on the page`, async () => {
    const report = await of(linkType, [bytes])
    assert.deepEqual(report.unread, [{ reason, packets: 1 }])
    assert.equal(report.unreadPackets, 1)
    assert.equal(report.conclusion, "unclear")
    for (const text of shown(report)) {
      assert.ok(text.includes(reason), text)
      assert.doesNotMatch(text, /No TCP connection begins/)
    }
  })
}

const withoutTcp: readonly [string, number, Buffer][] = [
  ["ARP", ETHERNET, frame(0x0806)],
  ["LLDP", ETHERNET, frame(0x88cc)],
  ["PPPoE discovery", ETHERNET, frame(0x8863)],
  ["the end of a PPPoE session", ETHERNET, frame(0x8864, Buffer.from("11a700090000", "hex"))],
  ["an acknowledgement of PPTP", RAW, datagram(47, Buffer.from("2081880b0000000000000005", "hex"))],
  ["the key exchange of IPsec over UDP", RAW, datagram(17, Buffer.from("119411940014000000000000aabbccdd", "hex"))],
  ["spanning tree", ETHERNET, frame(38, Buffer.from(`424203${"00".repeat(43)}`, "hex"))],
  ["PPP's own negotiation", 9, Buffer.from("ff03c02101010004", "hex")],
  ["ICMP", RAW, datagram(1, Buffer.alloc(20))],
  ["UDP", RAW, datagram(17, Buffer.from(`0035c00000100000${"00".repeat(8)}`, "hex"))],
  ["a later fragment of UDP", RAW, datagram(17, Buffer.alloc(20), 5)],
  ["a beacon", 105, Buffer.concat([Buffer.of(0x80), Buffer.alloc(40)])],
  ["a null frame of 802.11", 105, Buffer.concat([Buffer.of(0x48), Buffer.alloc(40)])],
]

for (const [what, linkType, bytes] of withoutTcp) {
  test(`${what} carries no TCP: it is read, and "no connection begins" is true`, async () => {
    const report = await of(linkType, [bytes])
    assert.equal(report.others, 1)
    assert.equal(report.conclusion, "unlinked")
    for (const text of shown(report)) assert.match(text, /No TCP connection begins in this capture\./)
  })
}

test("the verdict denies links only for a capture that was read whole", async () => {
  const [one, two] = [packet(made(1)), packet(made(2))]
  const whole = await of(RAW, [one, two])
  assert.equal(whole.conclusion, "unlinked")
  for (const text of shown(whole)) assert.match(text, /Nothing but addresses links these 2 connections\./)
  const part = await of(RAW, [one, two, datagram(50, Buffer.alloc(20))])
  assert.equal(part.conclusion, "unclear")
  for (const text of shown(part)) {
    assert.doesNotMatch(text, /Nothing but addresses links/)
    assert.match(
      text,
      /Nothing but addresses was found to link these 2 connections,\sbut a part of the\scapture was not\sread/,
    )
  }
})

test("a link that was found stands, whatever else was not read", async () => {
  const linked = [1, 2].map((n) => packet(made(n, { options: cookie })))
  const report = await of(RAW, [...linked, datagram(50, Buffer.alloc(20))])
  assert.equal(report.conclusion, "linked")
  for (const text of shown(report)) {
    assert.match(text, /one client over 2 of 2 connections/)
    assert.match(text, /encrypted \(ESP\)/)
  }
})

test("a capture of connections that had begun before says so instead of denying connections", async () => {
  const report = await of(RAW, [packet(made(1, { flags: ACK })), packet(made(2, { flags: SYN | ACK }))])
  assert.equal(report.withoutBeginning, 2)
  assert.equal(report.conclusion, "unclear")
  for (const text of shown(report)) {
    assert.match(text, /No SYN is in this capture: 2 TCP packets belong to\sconnections/)
    assert.doesNotMatch(text, /No TCP connection begins/)
  }
})

test("a SYN whose options are cut off is listed with its addresses and ports", async () => {
  const whole = packet(made(1, { options: Buffer.concat([cookie, cookie]) }))
  // 14 bytes of the TCP header: up to the flags.
  for (const kept of [34, 40, whole.length - 1]) {
    const report = await of(RAW, [cut(whole, kept)])
    assert.equal(report.connections.length, 1)
    assert.equal(report.connections[0]!.optionsCutOff, true)
    assert.equal(report.conclusion, "unclear")
    for (const text of shown(report)) {
      assert.match(text, /192\.0\.2\.1 port 7919 to 198\.51\.100\.1 port 443: SYN, options cut off/)
    }
  }
  const report = await of(RAW, [whole])
  assert.equal(report.connections[0]!.optionsCutOff, false)
  assert.equal(report.conclusion, "unlinked")
})

test("the length of data in a SYN is that of its IP header, whatever was captured of it", async () => {
  const six = { source: "2001:db8:0:1:0:0:0:5", destination: "2001:db8:0:2:0:0:0:1" }
  for (const address of [{}, six]) {
    const syn = packet(made(1, { options: cookie, payload: Buffer.alloc(300, 7), ...address }))
    const report = await of(RAW, [cut(syn, syn.length - 290)])
    assert.equal(report.connections[0]!.synDataBytes, 300)
    // What is left of Ethernet's filling is not data.
    const padded = Buffer.concat([packet(made(2, { payload: Buffer.of(1) })), Buffer.alloc(6, 9)])
    assert.equal((await of(RAW, [padded])).connections[0]!.synDataBytes, 1)
    const read = { time: NOON, isTimed: true, linkType: RAW, bytes: padded, length: padded.length }
    assert.equal(parseSegment(read)!.payload.length, 1)
  }
})

test("a packet whose IP length is 0, as a network card that segments gives it, is as long as the capture says", async () => {
  const syn = packet(made(1, { payload: Buffer.alloc(300, 7) }))
  syn.writeUInt16BE(0, 2)
  const report = await of(RAW, [cut(syn, 60)])
  assert.equal(report.connections[0]!.synDataBytes, 300)
})

test("data that is cut off where a TLS handshake could be leaves the verdict unclear; data that is not TLS does not", async () => {
  const hello = Buffer.concat([Buffer.from("16030100fb010000f70303", "hex"), Buffer.alloc(245, 7)])
  const tls = packet(made(1, { payload: hello }))
  const report = await of(RAW, [cut(tls, 60)])
  assert.equal(report.connections[0]!.dataCutOff, true)
  assert.equal(report.conclusion, "unclear")
  for (const text of shown(report)) assert.match(text, /1 connection has its data cut off: TLS tickets are not seen/)

  const plain = packet(made(1, { payload: Buffer.from("GET / HTTP/1.1\r\n") }))
  assert.equal((await of(RAW, [cut(plain, 45)])).conclusion, "unlinked")
  // Not a byte of it was captured: it could be anything.
  assert.equal((await of(RAW, [cut(plain, 40)])).conclusion, "unclear")
})

test("a packet that is seen at two interfaces is one packet, with another hop limit and check sum too", async () => {
  const one = packet(made(1, { options: cookie }))
  const routed = Buffer.from(one)
  routed[8] = 63
  routed.writeUInt16BE(0xbeef, 10)
  routed.writeUInt16BE(0xcafe, 36)
  const report = await of(RAW, [{ bytes: one }, { bytes: routed, time: NOON + 3 }])
  assert.equal(report.packets, 1)
  assert.equal(report.duplicates, 1)
  assert.match(formatTrace(report), /1 packet \(and 1 copy\), 1 connection/)
})

test("a packet that is sent again is another packet, and so is one with another sequence number", async () => {
  const one = packet(made(1))
  const again = await of(RAW, [{ bytes: one }, { bytes: one, time: NOON + 1000 }])
  assert.deepEqual([again.packets, again.duplicates, again.connections.length], [2, 0, 1])
  const next = await of(RAW, [{ bytes: one }, { bytes: packet(made(1, { sequence: 77 })), time: NOON + 1 }])
  assert.deepEqual([next.packets, next.duplicates, next.connections.length], [2, 0, 2])
})

test("a capture with a reason for each packet is told by the most frequent ones, in bounded memory", async () => {
  const many = Array.from({ length: 500 }, (_, n) => frame(0x2000 + n))
  const report = await of(ETHERNET, [...many, frame(0x3fff), frame(0x2001)])
  assert.ok(report.unread.length <= 201, String(report.unread.length))
  assert.equal(report.unread[0]!.reason, "other reasons")
  assert.deepEqual(report.unread[1], { reason: "ethertype 0x2001", packets: 2 })
  assert.equal(
    report.unread.reduce((sum, { packets }) => sum + packets, 0),
    502,
  )
  assert.match(formatTrace(report), /and \d+ more reasons/)
})

test("connections beyond those that are kept leave the verdict unclear", async () => {
  const report = await of(RAW, [packet(made(1)), packet(made(2))])
  assert.equal(conclude(report), "unlinked")
  const most = { ...report, dropped: 1 }
  assert.equal(conclude(most), "unclear")
  assert.match(formatTrace(most), /1 further connection was not looked at/)
})

test("the terminal's report fits into 80 columns", async () => {
  const long = "2001:db8:1111:2222:3333:4444:5555:"
  const linked = [1, 2].flatMap((n) => [
    packet(made(n, { options: cookie, source: `${long}${n}`, destination: `${long}9` })),
    packet(made(n + 3, { options: cookie })),
  ])
  const esp = datagram(50, Buffer.alloc(20))
  const cutSyn = cut(packet(made(77)), 36)
  const text = formatTrace(await of(RAW, [...linked, esp, cutSyn, packet(made(9, { flags: ACK }))]))
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line)
})

test("UDP that only resembles QUIC is understood to carry no TCP", async () => {
  const packets = [quic("00000000"), quic("12345678"), quic("00000001", "43"), quic("00000001", "c3", "15")]
  const report = await of(RAW, [
    ...packets,
    datagram(17, Buffer.from("c00001bb000e0000c30000000108", "hex").subarray(0, 13)),
  ])
  assert.deepEqual([report.unreadPackets, report.others], [0, 5])
})
