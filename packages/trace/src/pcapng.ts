import { type ByteStream, bigEndian, CaptureError, type Endian, littleEndian } from "./byte-stream.js"
import type { CapturedPacket } from "./captured-packet.js"

/** The same in both byte orders: the first block type of a file says that it is pcapng. */
export const SECTION_HEADER = 0x0a0d0d0a

const BYTE_ORDER_MAGIC = 0x1a2b3c4d
const VERSION = 1
const INTERFACES_MAX = 4096
/** The most bytes of a block that is read. Blocks of other types are passed over, whatever their length. */
const BLOCK_LENGTH_MAX = 0x1000000
const INTERFACE_DESCRIPTION = 1

interface Interface {
  readonly linkType: number
  /** The most bytes that it captures of a packet; 0 for no limit. */
  readonly snapshotLength: number
  /** Ticks of its clock in a millisecond, and where it starts. */
  readonly ticksPerMillisecond: number
  readonly originMilliseconds: number
}

interface Section {
  readonly endian: Endian
  readonly interfaces: Interface[]
}

/** A packet whose time is not known has none yet. */
type Found = Omit<CapturedPacket, "time" | "isTimed"> & { readonly time: number | undefined }

type PacketBlock = (section: Section, body: Buffer) => Found | undefined

const packetBlocks: ReadonlyMap<number, PacketBlock> = new Map([
  [2, obsoletePacket],
  [3, simplePacket],
  [6, enhancedPacket],
])

/** Blocks after the type of the first one, which the caller has read. */
export async function* readPcapng(
  stream: ByteStream,
  packetLengthMax: number,
): AsyncGenerator<CapturedPacket, void, undefined> {
  let section = await readSection(stream, await stream.readExactly(4))
  let time = 0
  for (let head = await stream.read(8); head !== undefined; head = await stream.read(8)) {
    if (head.readUInt32BE() === SECTION_HEADER) {
      section = await readSection(stream, head.subarray(4))
      continue
    }
    const type = section.endian.uint32(head, 0)
    const total = section.endian.uint32(head, 4)
    const read = packetBlocks.get(type)
    if (read === undefined && type !== INTERFACE_DESCRIPTION) {
      await skipBlock(stream, section, total)
      continue
    }
    const body = await readBody(stream, section, total)
    if (read === undefined) {
      addInterface(section, body, stream.offset)
      continue
    }
    const found = read(section, body)
    if (found === undefined) throw new CaptureError("a packet block that contradicts itself", stream.offset)
    if (found.bytes.length > packetLengthMax) {
      throw new CaptureError(`a packet of ${found.bytes.length} bytes`, stream.offset)
    }
    time = found.time ?? time
    yield { ...found, time, isTimed: found.time !== undefined }
  }
}

/** A section's header says its byte order, so its length can only be read after the magic. */
async function readSection(stream: ByteStream, lengthField: Buffer): Promise<Section> {
  const fields = await stream.readExactly(6)
  const endian = [littleEndian, bigEndian].find((candidate) => candidate.uint32(fields, 0) === BYTE_ORDER_MAGIC)
  if (endian === undefined) throw new CaptureError("a section without a byte order", stream.offset)
  const version = endian.uint16(fields, 4)
  if (version !== VERSION) throw new CaptureError(`pcapng of version ${version}`, stream.offset)
  const total = endian.uint32(lengthField, 0)
  if (total < 28 || total % 4 !== 0) throw blockLength(total, stream)
  await stream.skip(total - 18)
  await readTrailer(stream, endian, total)
  return { endian, interfaces: [] }
}

async function readBody(stream: ByteStream, { endian }: Section, total: number): Promise<Buffer> {
  if (total < 12 || total > BLOCK_LENGTH_MAX || total % 4 !== 0) throw blockLength(total, stream)
  const body = await stream.readExactly(total - 12)
  await readTrailer(stream, endian, total)
  return body
}

async function skipBlock(stream: ByteStream, { endian }: Section, total: number): Promise<void> {
  if (total < 12 || total % 4 !== 0) throw blockLength(total, stream)
  await stream.skip(total - 12)
  await readTrailer(stream, endian, total)
}

/** A block ends with its length again. */
async function readTrailer(stream: ByteStream, endian: Endian, total: number): Promise<void> {
  const trailer = endian.uint32(await stream.readExactly(4), 0)
  if (trailer !== total)
    throw new CaptureError(`a block of ${total} bytes that ends as one of ${trailer}`, stream.offset)
}

function blockLength(total: number, stream: ByteStream): CaptureError {
  return new CaptureError(`a block of ${total} bytes`, stream.offset)
}

const OPTION_END = 0
const OPTION_RESOLUTION = 9
const OPTION_TIME_OFFSET = 14

function addInterface(section: Section, body: Buffer, offset: number): void {
  if (body.length < 8) throw new CaptureError("an interface without a link type", offset)
  if (section.interfaces.length >= INTERFACES_MAX) throw new CaptureError("too many interfaces", offset)
  const { endian } = section
  let ticksPerMillisecond = 1000
  let originMilliseconds = 0
  for (let at = 8; at + 4 <= body.length; ) {
    const code = endian.uint16(body, at)
    const length = endian.uint16(body, at + 2)
    if (code === OPTION_END || at + 4 + length > body.length) break
    if (code === OPTION_RESOLUTION && length === 1) ticksPerMillisecond = resolution(body[at + 4]!)
    if (code === OPTION_TIME_OFFSET && length === 8) originMilliseconds = Number(endian.int64(body, at + 4)) * 1000
    at += 4 + Math.ceil(length / 4) * 4
  }
  const [linkType, snapshotLength] = [endian.uint16(body, 0), endian.uint32(body, 4)]
  section.interfaces.push({ linkType, snapshotLength, ticksPerMillisecond, originMilliseconds })
}

function resolution(octet: number): number {
  return (octet & 0x80 ? 2 ** (octet & 0x7f) : 10 ** octet) / 1000
}

function enhancedPacket(section: Section, body: Buffer): Found | undefined {
  if (body.length < 20) return undefined
  return packetAt20(section, body, section.endian.uint32(body, 0))
}

/** Its interface has 2 bytes only: the other 2 count packets that were dropped. */
function obsoletePacket(section: Section, body: Buffer): Found | undefined {
  if (body.length < 20) return undefined
  return packetAt20(section, body, section.endian.uint16(body, 0))
}

function packetAt20({ endian, interfaces }: Section, body: Buffer, id: number): Found | undefined {
  const captured = interfaces[id]
  const length = endian.uint32(body, 12)
  if (captured === undefined || length > body.length - 20) return undefined
  const ticks = endian.uint32(body, 4) * 2 ** 32 + endian.uint32(body, 8)
  const time = captured.originMilliseconds + ticks / captured.ticksPerMillisecond
  const bytes = body.subarray(20, 20 + length)
  return { time, linkType: captured.linkType, bytes, length: Math.max(length, endian.uint32(body, 16)) }
}

/** A packet of the first interface without a time. What was captured of it follows from the interface's limit. */
function simplePacket({ endian, interfaces }: Section, body: Buffer): Found | undefined {
  const captured = interfaces[0]
  if (body.length < 4 || captured === undefined) return undefined
  const length = endian.uint32(body, 0)
  const limit = captured.snapshotLength || Number.POSITIVE_INFINITY
  const kept = Math.min(length, limit)
  if (kept > body.length - 4) return undefined
  return { time: undefined, linkType: captured.linkType, bytes: body.subarray(4, 4 + kept), length }
}
