import assert from "node:assert/strict"
import { test } from "node:test"
import { formatTrace, trace } from "../src/index.js"
import { ACK, inPieces, type Made, NOON, packet, pcapOf, SYN } from "./captures.js"

const uint16 = (value: number) => Buffer.of(value >> 8, value & 255)
const vector = (bytes: Buffer) => Buffer.concat([uint16(bytes.length), bytes])

/** A ClientHello (RFC 8446 §4.1.2) that offers a ticket of TLS 1.2, in records of at most 16,000 bytes. */
function clientHello(random: number, padding = 0): Buffer {
  const ticket = Buffer.concat([uint16(35), vector(Buffer.from("a ticket that both connections offer"))])
  const extensions = vector(Buffer.concat([ticket, uint16(21), vector(Buffer.alloc(padding))]))
  const suites = Buffer.from("000213010100", "hex")
  const body = Buffer.concat([uint16(0x0303), Buffer.alloc(32, random), Buffer.of(0), suites, extensions])
  const message = Buffer.concat([Buffer.of(1, 0), vector(body)])
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += 16_000) {
    records.push(Buffer.of(22, 3, 1), vector(message.subarray(at, at + 16_000)))
  }
  return Buffer.concat(records)
}

const made = (client: number, more: Partial<Made> = {}): Made => ({
  time: NOON,
  source: `192.0.2.${client}`,
  destination: "198.51.100.1",
  sourcePort: 1000 + client * 7919,
  destinationPort: 443,
  ...more,
})
/** What one client sends after its SYN, in so many segments. */
function sent(client: number, bytes: Buffer, segments = 1): Buffer[] {
  const size = Math.ceil(bytes.length / segments)
  return Array.from({ length: segments }, (_, n) =>
    packet(made(client, { flags: ACK, sequence: 1001 + n * size, payload: bytes.subarray(n * size, (n + 1) * size) })),
  )
}
const syn = (client: number) => packet(made(client, { flags: SYN }))
const of = (packets: readonly Buffer[]) =>
  trace(
    inPieces(
      pcapOf(
        101,
        packets.map((bytes, n) => ({ bytes, time: NOON + n })),
      ),
    ),
  )
const both = (after: (client: number) => readonly Buffer[]) =>
  of([1, 2].flatMap((client) => [syn(client), ...after(client)]))

test("two connections that offer the same ticket are linked, in one segment or in several", async () => {
  for (const segments of [1, 2, 30]) {
    const report = await both((client) => sent(client, clientHello(client), segments))
    assert.equal(report.conclusion, "linked")
  }
})

test("two connections that offer the same ticket through an HTTP proxy are linked", async () => {
  const connect = "CONNECT chat.example.org:443 HTTP/1.1\r\nhost: chat.example.org\r\n\r\n"
  for (const asked of [connect, connect + connect]) {
    for (const segments of [1, 9]) {
      const bytes = (client: number) => Buffer.concat([Buffer.from(asked), clientHello(client)])
      const report = await both((client) => sent(client, bytes(client), segments))
      assert.equal(report.conclusion, "linked")
    }
  }
})

test("a cookie that is in a repeated SYN alone links as well", async () => {
  const options = Buffer.from([34, 10, 1, 2, 3, 4, 5, 6, 7, 8])
  const report = await both((client) => [packet(made(client, { flags: SYN, options }))])
  assert.deepEqual([report.conclusion, report.connections.length], ["linked", 2])
})

const gaps: readonly [string, (client: number) => readonly Buffer[]][] = [
  ["the first part of a ClientHello is missing", (client) => sent(client, clientHello(client), 2).slice(client - 1)],
  ["the last part of a ClientHello is missing", (client) => sent(client, clientHello(client), 2).slice(0, 3 - client)],
  [
    "a ClientHello comes in more disorder than is put right",
    (client) => sent(client, clientHello(client), 60).reverse(),
  ],
  ["a ClientHello is longer than what is read", (client) => sent(client, clientHello(client, 40_000), 40)],
]
for (const [what, after] of gaps) {
  test(`where ${what}, nothing is said not to link`, async () => {
    const report = await both(after)
    assert.equal(report.conclusion, "unclear")
    assert.match(formatTrace(report), /cut off: TLS tickets are not seen/)
  })
}

test("where more connections are open than are followed, nothing is said not to link", async () => {
  const others = Array.from({ length: 20_001 }, (_, n) =>
    packet(made(3, { destination: `198.51.${n >> 8}.${n & 255}`, destinationPort: 80, sequence: n })),
  )
  const hellos = [1, 2].flatMap((client) => sent(client, clientHello(client)))
  const report = await of([syn(1), syn(2), ...others, ...hellos])
  assert.equal(report.conclusion, "unclear")
})

test("a server's answer of which the beginning is missing is a gap until the handshake has ended", async () => {
  const back = (sequence: number, payload: Buffer, flags = ACK) =>
    packet({
      ...made(1, { flags, sequence, payload }),
      ...{ source: "198.51.100.1", sourcePort: 443, destination: "192.0.2.1", destinationPort: made(1).sourcePort },
    })
  const before = [syn(1), ...sent(1, clientHello(1))]
  const handshake = Buffer.from("160303000402000000", "hex")
  const data = Buffer.from("1703030001ff", "hex")
  const start = back(5000, Buffer.alloc(0), SYN | ACK)
  assert.equal((await of([...before, start, back(5006, handshake)])).conclusion, "unclear")
  assert.equal((await of([...before, back(5001, handshake)])).conclusion, "unclear")
  assert.equal(
    (await of([...before, start, back(5001, Buffer.concat([handshake, data])), back(9000, data)])).conclusion,
    "unlinked",
  )
})

test("segments of one byte are read as large ones are, and cost no more than in proportion", async (context) => {
  let copied = 0
  const { concat } = Buffer
  context.mock.method(Buffer, "concat", (parts: readonly Uint8Array[], length?: number) => {
    const whole = length === undefined ? concat(parts) : concat(parts, length)
    copied += whole.length
    return whole
  })
  const cost = async (length: number) => {
    const capture = pcapOf(
      101,
      [1, 2]
        .flatMap((client) => [syn(client), ...sent(client, clientHello(client, length), length + 400)])
        .map((bytes) => ({ bytes })),
    )
    copied = 0
    const report = await trace(inPieces(capture, 65_536))
    assert.equal(report.connections.length, 2)
    assert.equal(report.conclusion, "linked")
    return copied / capture.length
  }
  const [short, long] = [await cost(1_000), await cost(16_000)]
  assert.ok(long < 2 * short, `${short} and ${long} bytes are copied for each byte of the capture`)
})

function hexOf(text: string): string {
  return Buffer.from(text).toString("hex")
}

const negotiations: readonly [string, string, string][] = [
  ["SOCKS", "a SOCKS5 proxy", "050100"],
  ["SOCKS", "a SOCKS5 proxy, byte for byte", "05"],
  ["SOCKS", "a SOCKS4 proxy", "040101bbc633640100"],
  ["STARTTLS", "SMTP", hexOf("STARTTLS\r\n")],
  ["STARTTLS", "IMAP", hexOf("a1 starttls\r\n")],
  ["STARTTLS", "POP3", hexOf("STLS\r\n")],
  ["STARTTLS", "FTP", hexOf("AUTH TLS\r\n")],
  ["STARTTLS", "XMPP", hexOf("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")],
  ["STARTTLS", "PostgreSQL", "0000000804d2162f"],
]
for (const [kind, what, asked] of negotiations) {
  test(`where TLS begins in ${what}, nothing is said not to link`, async () => {
    const report = await both((client) => [
      ...(kind === "STARTTLS" ? sent(client, Buffer.from("hello\r\n")) : []),
      packet(
        made(client, { flags: ACK, sequence: kind === "SOCKS" ? 1001 : 5_000, payload: Buffer.from(asked, "hex") }),
      ),
      packet(made(client, { flags: ACK, sequence: 6_000, payload: clientHello(client) })),
    ])
    assert.equal(report.conclusion, "unclear")
    assert.match(
      formatTrace(report),
      new RegExp(`2 connections begin with ${kind}: TLS tickets after that are not seen`),
    )
  })
}

test("what only resembles a negotiation of TLS is read as what it is", async () => {
  for (const payload of ["GET / HTTP/1.1\r\n", "STARTTLS is nice\r\n", "0400", "\x04\x09", "\x05\x00"]) {
    const report = await both((client) => sent(client, Buffer.from(payload, "latin1")))
    assert.equal(report.conclusion, "unlinked", payload)
  }
})
