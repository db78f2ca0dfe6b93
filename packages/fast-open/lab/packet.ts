/** The few fields of IPv4, IPv6 and TCP that the router reads and rewrites, over a packet that it owns. */
export const SYN = 0x02
export const RST = 0x04
export const ACK = 0x10

const TCP = 6
const IPV6_HEADER = 40

export interface TcpPacket {
  readonly version: 4 | 6
  readonly bytes: Buffer
  readonly tcpOffset: number
  readonly dataOffset: number
  readonly flags: number
  readonly dataLength: number
}

/** `undefined` for anything but a whole TCP segment directly behind the IP header. */
export function parseTcp(bytes: Buffer): TcpPacket | undefined {
  const version = (bytes[0] ?? 0) >> 4
  if (version !== 4 && version !== 6) return undefined
  const tcpOffset = version === 4 ? (bytes[0]! & 15) * 4 : IPV6_HEADER
  if (bytes.length < tcpOffset + 20 || bytes[version === 4 ? 9 : 6] !== TCP) return undefined
  const dataOffset = tcpOffset + (bytes[tcpOffset + 12]! >> 4) * 4
  if (dataOffset > bytes.length) return undefined
  const flags = bytes[tcpOffset + 13]!
  return { version, bytes, tcpOffset, dataOffset, flags, dataLength: bytes.length - dataOffset }
}

export function isSynWithData(packet: TcpPacket | undefined): packet is TcpPacket {
  return packet !== undefined && (packet.flags & (SYN | ACK)) === SYN && packet.dataLength > 0
}

/** The same segment without its data, as a middlebox that distrusts it would pass it on. */
export function withoutData(packet: TcpPacket): Buffer {
  const bytes = Buffer.from(packet.bytes.subarray(0, packet.dataOffset))
  setLength(bytes, packet.version)
  return sealChecksums(bytes)
}

/** The reset that a firewall would send to the sender of a SYN. */
export function resetFor(packet: TcpPacket): Buffer {
  const bytes = Buffer.from(packet.bytes.subarray(0, packet.tcpOffset + 20))
  setLength(bytes, packet.version)
  swap(bytes, packet.version === 4 ? 12 : 8, packet.version === 4 ? 4 : 16)
  swap(bytes, packet.tcpOffset, 2)
  const sequence = packet.bytes.readUInt32BE(packet.tcpOffset + 4)
  bytes.writeUInt32BE(0, packet.tcpOffset + 4)
  bytes.writeUInt32BE((sequence + 1 + packet.dataLength) >>> 0, packet.tcpOffset + 8)
  bytes[packet.tcpOffset + 12] = 5 << 4
  bytes[packet.tcpOffset + 13] = RST | ACK
  return sealChecksums(bytes)
}

/** Replaces an IPv4 source or destination address, as a network address translator does. */
export function translate(bytes: Buffer, end: "source" | "destination", address: string): Buffer {
  const translated = Buffer.from(bytes)
  translated.set(address.split(".").map(Number), end === "source" ? 12 : 16)
  return sealChecksums(translated)
}

export function ipv4Address(bytes: Buffer, end: "source" | "destination"): string | undefined {
  if ((bytes[0] ?? 0) >> 4 !== 4 || bytes.length < 20) return undefined
  const at = end === "source" ? 12 : 16
  return bytes.subarray(at, at + 4).join(".")
}

function setLength(bytes: Buffer, version: 4 | 6): void {
  if (version === 4) bytes.writeUInt16BE(bytes.length, 2)
  else bytes.writeUInt16BE(bytes.length - IPV6_HEADER, 4)
}

function swap(bytes: Buffer, at: number, size: number): void {
  const first = Buffer.from(bytes.subarray(at, at + size))
  bytes.copyWithin(at, at + size, at + 2 * size)
  first.copy(bytes, at + size)
}

/** RFC 9293 §3.1 and RFC 791 §3.1: computed anew, over the pseudo header of either version. */
export function sealChecksums(bytes: Buffer): Buffer {
  const packet = parseTcp(bytes)
  if (bytes[0]! >> 4 === 4) {
    bytes.writeUInt16BE(0, 10)
    bytes.writeUInt16BE(complement(sum(bytes, 0, (bytes[0]! & 15) * 4)), 10)
  }
  if (packet === undefined) return bytes
  const { tcpOffset, version } = packet
  const addresses = version === 4 ? sum(bytes, 12, 20) : sum(bytes, 8, 40)
  bytes.writeUInt16BE(0, tcpOffset + 16)
  const total = addresses + TCP + (bytes.length - tcpOffset) + sum(bytes, tcpOffset, bytes.length)
  bytes.writeUInt16BE(complement(total), tcpOffset + 16)
  return bytes
}

function sum(bytes: Buffer, start: number, end: number): number {
  let total = 0
  for (let at = start; at + 1 < end; at += 2) total += bytes.readUInt16BE(at)
  if ((end - start) % 2 === 1) total += bytes[end - 1]! << 8
  return total
}

function complement(total: number): number {
  let folded = total
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000)
  return ~folded & 0xffff
}
