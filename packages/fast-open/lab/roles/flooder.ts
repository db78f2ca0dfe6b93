/** The attacker: in a process of its own, floods a service from one address until it is ended. */
import { randomBytes } from "node:crypto"
import { createConnection, type Socket } from "node:net"
import { constants, setPriority } from "node:os"
import { encode } from "@conclave/codec"
import { ClientFrame } from "@conclave/transport/parts"
import type { Ports } from "./shared-service.js"

export type Flood = (typeof floodNames)[number]

export interface Order {
  readonly flood: Flood
  readonly ports: Ports
  readonly localAddress: string
  /** Connections at a time. */
  readonly lines: number
}

export const floodNames = [
  "idle sockets",
  "slow heads",
  "half frames",
  "half bodies",
  "unread pings",
  "many streams",
  "unread answers",
  "new connections",
  "half flights",
  "false flights",
] as const

/** How long a line that was cut is left alone: a flood of connections is one of its own. */
const AGAIN_MILLISECONDS = 1000
const MEBIBYTE = 1024 * 1024
const CHUNK = Buffer.alloc(64 * 1024)

const upgrade =
  "GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: conclave.1\r\n\r\n"
const post = (path: string, length: number) =>
  `POST /${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: ${length}\r\n\r\n`

/** A masked binary frame (RFC 6455 §5.2); the mask is zero. */
function frame(payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(14)
  head[0] = 0x82
  head[1] = 0xff
  head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, payload])
}

const ping = frame(encode(ClientFrame, { type: "ping" }))
const pings = Buffer.concat(Array.from({ length: 200 }, () => ping))

/** Writes `size` bytes of nothing, as fast as they are taken. */
function fill(line: Socket, size: number): void {
  let left = size
  const more = () => {
    while (left > 0 && !line.destroyed) {
      left -= CHUNK.length
      if (!line.write(CHUNK)) return void line.once("drain", more)
    }
  }
  more()
}

function repeat(line: Socket, bytes: () => Uint8Array, everyMilliseconds: number): void {
  const timer = setInterval(() => line.writableNeedDrain || line.write(bytes()), everyMilliseconds)
  line.once("close", () => clearInterval(timer))
}

const acts: Readonly<Record<Flood, (line: Socket) => void>> = {
  "idle sockets": (line) => line.write(upgrade),
  "slow heads"(line) {
    line.write("GET / HTTP/1.1\r\nhost: localhost\r\n")
    repeat(line, () => Buffer.from("a: b\r\n"), 1000)
  },
  "half frames"(line) {
    line.write(upgrade)
    line.write(frame(new Uint8Array(), 4 * MEBIBYTE))
    fill(line, 3.9 * MEBIBYTE)
  },
  "half bodies"(line) {
    line.write(post("echo", 4 * MEBIBYTE))
    fill(line, 3.9 * MEBIBYTE)
  },
  "unread pings"(line) {
    line.write(upgrade)
    line.pause()
    repeat(line, () => pings, 50)
  },
  "many streams"(line) {
    line.write(upgrade)
    const body = new Uint8Array(10_000)
    for (let stream = 1; stream <= 64; stream++) {
      line.write(frame(encode(ClientFrame, { type: "open", stream, service: "silent", credit: MEBIBYTE, body })))
    }
  },
  "unread answers"(line) {
    line.pause()
    line.write(post("large", 0))
  },
  "new connections": (line) => line.write(upgrade),
  "half flights": (line) => line.write(randomBytes(60)),
  "false flights": (line) => line.write(Buffer.concat([randomBytes(68), Buffer.from([1, 0]), randomBytes(256)])),
}

/** Floods of bytes have a tenth of the lines: together these fill a gigabit a second, which is more than most have. */
const heavy: ReadonlySet<Flood> = new Set([
  "half frames",
  "half bodies",
  "unread pings",
  "many streams",
  "unread answers",
])

function flood({ flood, ports, localAddress, lines }: Order): void {
  const isSealed = flood === "half flights" || flood === "false flights"
  const again = flood === "new connections" || flood === "false flights" ? 100 : AGAIN_MILLISECONDS
  const open = () => {
    const line = createConnection({ port: isSealed ? ports.sealed : ports.http, host: "127.0.0.1", localAddress })
    line.on("error", () => {})
    line.once("close", () => setTimeout(open, again))
    line.once("connect", () => acts[flood](line))
    line.resume()
  }
  for (let n = 0; n < lines / (heavy.has(flood) ? 10 : 1); n++) setTimeout(open, n / 4)
}

// It is on a machine of its own, were it real: here it takes the processor that nobody else wants.
setPriority(constants.priority.PRIORITY_LOW)
process.on("message", (order: Order) => flood(order))
process.on("disconnect", () => process.exit())
