/** Packets and capture files made by hand, for what a real kernel cannot be made to send. */
import { readFileSync } from "node:fs"

export interface Made {
  readonly time: number
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence?: number
  readonly flags?: number
  readonly options?: Uint8Array
  readonly payload?: Uint8Array
}

export const SYN = 2
export const ACK = 16

/** A raw IP packet; which version follows from the addresses (eight groups for IPv6). */
export function packet(made: Made): Buffer {
  const options = Buffer.concat([made.options ?? Buffer.alloc(0)])
  const padded = Buffer.concat([options, Buffer.alloc((4 - (options.length % 4)) % 4, 1)])
  const tcp = Buffer.concat([Buffer.alloc(20), padded, made.payload ?? Buffer.alloc(0)])
  tcp.writeUInt16BE(made.sourcePort, 0)
  tcp.writeUInt16BE(made.destinationPort, 2)
  tcp.writeUInt32BE(made.sequence ?? 1000, 4)
  tcp[12] = ((20 + padded.length) / 4) << 4
  tcp[13] = made.flags ?? SYN
  return made.source.includes(":") ? ipv6(made, tcp) : ipv4(made, tcp)
}

function ipv4(made: Made, tcp: Buffer): Buffer {
  const header = Buffer.alloc(20)
  header[0] = 0x45
  header.writeUInt16BE(20 + tcp.length, 2)
  header[9] = 6
  header.set(made.source.split(".").map(Number), 12)
  header.set(made.destination.split(".").map(Number), 16)
  return Buffer.concat([header, tcp])
}

function ipv6(made: Made, tcp: Buffer): Buffer {
  const header = Buffer.alloc(40)
  header[0] = 0x60
  header.writeUInt16BE(8 + tcp.length, 4)
  header[6] = 60
  const groups = (address: string) => address.split(":").map((group) => Number.parseInt(group, 16))
  for (const [n, group] of groups(made.source).entries()) header.writeUInt16BE(group, 8 + n * 2)
  for (const [n, group] of groups(made.destination).entries()) header.writeUInt16BE(group, 24 + n * 2)
  // Destination options with nothing but padding, as a middlebox may put them in.
  return Buffer.concat([header, Buffer.from([6, 0, 1, 4, 0, 0, 0, 0]), tcp])
}

export function ethernet(ip: Buffer): Buffer {
  const header = Buffer.alloc(18)
  header.writeUInt16BE(0x8100, 12)
  header.writeUInt16BE(ip[0]! >> 4 === 4 ? 0x0800 : 0x86dd, 16)
  return Buffer.concat([header, ip])
}

export function pcap(packets: readonly Made[], bigEndian = false): Buffer {
  const u32 = (...values: number[]) => Buffer.concat(values.map((value) => integer(value, 4, bigEndian)))
  const records = packets.map((made) => {
    const bytes = packet(made)
    return Buffer.concat([
      u32(Math.floor(made.time / 1000), (made.time % 1000) * 1000, bytes.length, bytes.length),
      bytes,
    ])
  })
  const version = Buffer.concat([integer(2, 2, bigEndian), integer(4, 2, bigEndian)])
  return Buffer.concat([u32(0xa1b2c3d4), version, u32(0, 0, 65535, 101), ...records])
}

/** One section of two interfaces: raw IP in microseconds, and Ethernet in nanoseconds for every other packet. */
export function pcapng(packets: readonly Made[], bigEndian = false): Buffer {
  const u16 = (value: number) => integer(value, 2, bigEndian)
  const u32 = (value: number) => integer(value, 4, bigEndian)
  const block = (type: number, body: Buffer) => {
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)])
    const length = u32(padded.length + 12)
    return Buffer.concat([u32(type), length, padded, length])
  }
  const section = block(0x0a0d0d0a, Buffer.concat([u32(0x1a2b3c4d), u16(1), u16(0), Buffer.alloc(8, 0xff)]))
  const raw = block(1, Buffer.concat([u16(101), u16(0), u32(0)]))
  const nanoseconds = Buffer.concat([u16(9), u16(1), Buffer.from([9, 0, 0, 0]), u16(0), u16(0)])
  const wired = block(1, Buffer.concat([u16(1), u16(0), u32(0), nanoseconds]))
  const records = packets.map((made, n) => {
    const onWire = n % 2 === 1
    const bytes = onWire ? ethernet(packet(made)) : packet(made)
    const ticks = BigInt(Math.round(made.time * 1000)) * (onWire ? 1000n : 1n)
    const header = [n % 2, Number(ticks >> 32n), Number(ticks & 0xffffffffn), bytes.length, bytes.length].map(u32)
    return block(6, Buffer.concat([...header, bytes]))
  })
  // A block of a type that nobody knows stands between.
  return Buffer.concat([section, raw, wired, block(0x0bad, Buffer.alloc(8)), ...records])
}

/** One packet of a file: what was captured of it, its length if that is more, and when (default 2026-05-01 12:00 UTC). */
export interface Captured {
  readonly bytes: Uint8Array
  readonly length?: number
  readonly time?: number
}

export const NOON = Date.UTC(2026, 4, 1, 12)

export interface PcapForm {
  readonly magic?: number
  readonly bigEndian?: boolean
  /** Bytes that follow the lengths in each record's header. */
  readonly more?: number
}

/** A pcap file of any link type: in microseconds, or in nanoseconds with their magic number. */
export function pcapOf(linkType: number, packets: readonly Captured[], form: PcapForm = {}): Buffer {
  const { magic = 0xa1b2c3d4, bigEndian = false, more = 0 } = form
  const u32 = (...values: number[]) => Buffer.concat(values.map((value) => integer(value, 4, bigEndian)))
  const perMillisecond = magic === 0xa1b23c4d ? 1e6 : 1e3
  const records = packets.map(({ bytes, length = bytes.length, time = NOON }) =>
    Buffer.concat([
      u32(Math.floor(time / 1000), (time % 1000) * perMillisecond, bytes.length, length),
      Buffer.alloc(more),
      bytes,
    ]),
  )
  const version = Buffer.concat([integer(2, 2, bigEndian), integer(4, 2, bigEndian)])
  return Buffer.concat([u32(magic), version, u32(0, 0, 262_144, linkType), ...records])
}

/** Blocks of pcapng in one byte order. */
export class Blocks {
  readonly #bigEndian: boolean

  constructor(bigEndian = false) {
    this.#bigEndian = bigEndian
  }

  block(type: number, ...parts: readonly Uint8Array[]): Buffer {
    const body = Buffer.concat(parts)
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)])
    const length = this.u32(padded.length + 12)
    return Buffer.concat([this.u32(type), length, padded, length])
  }

  section(): Buffer {
    return this.block(0x0a0d0d0a, this.u32(0x1a2b3c4d), this.u16(1, 0), Buffer.alloc(8, 0xff))
  }

  /** `resolution` is the exponent of ten or, with the highest bit, of two. */
  interface(
    linkType: number,
    { resolution, snapshotLength = 0 }: { resolution?: number; snapshotLength?: number } = {},
  ) {
    const option = resolution === undefined ? [] : [this.u16(9, 1), Buffer.of(resolution, 0, 0, 0), this.u16(0, 0)]
    return this.block(1, this.u16(linkType, 0), this.u32(snapshotLength), ...option)
  }

  enhanced(id: number, bytes: Uint8Array, { ticks = 0n, length = bytes.length } = {}): Buffer {
    return this.block(6, this.u32(id, ...halves(ticks), bytes.length, length), bytes)
  }

  obsolete(id: number, bytes: Uint8Array, ticks = 0n): Buffer {
    return this.block(2, this.u16(id, 0xffff), this.u32(...halves(ticks), bytes.length, bytes.length), bytes)
  }

  simple(bytes: Uint8Array, length = bytes.length): Buffer {
    return this.block(3, this.u32(length), bytes)
  }

  u16(...values: readonly number[]): Buffer {
    return Buffer.concat(values.map((value) => integer(value, 2, this.#bigEndian)))
  }

  u32(...values: readonly number[]): Buffer {
    return Buffer.concat(values.map((value) => integer(value, 4, this.#bigEndian)))
  }
}

const halves = (ticks: bigint): [number, number] => [Number(ticks >> 32n), Number(ticks & 0xffffffffn)]

function integer(value: number, size: 2 | 4, bigEndian: boolean): Buffer {
  const bytes = Buffer.alloc(size)
  if (bigEndian) bytes.writeUIntBE(value, 0, size)
  else bytes.writeUIntLE(value, 0, size)
  return bytes
}

/** A file's bytes in pieces of odd sizes, as a slow disk might give them. */
export async function* inPieces(bytes: Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export function fromFile(path: string): Buffer {
  return readFileSync(path)
}
