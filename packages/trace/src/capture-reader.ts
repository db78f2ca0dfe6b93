/**
 * Packets of a capture file, one at a time, in constant memory: pcap (draft-ietf-opsawg-pcap) in both byte orders with
 * micro- or nanoseconds, and pcapng (draft-ietf-opsawg-pcapng) with any number of sections and interfaces.
 */
export interface CapturedPacket {
  /** Milliseconds since 1970, with a fraction. */
  readonly time: number
  readonly linkType: number
  /** What was captured of the packet; the packet may have been longer. */
  readonly bytes: Buffer
}

/** The file is no capture, or ceases to be one; packets before that were given out. */
export class CaptureError extends Error {
  override readonly name = "CaptureError"
  readonly offset: number

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`)
    this.offset = offset
  }
}

const PACKET_LENGTH_MAX = 0x40000
const BLOCK_LENGTH_MAX = 0x1000000
const INTERFACES_MAX = 4096

/** Throws {@link CaptureError}. A file that ends inside a packet was cut off: the error says so, after the packets before. */
export async function* readCapture(source: AsyncIterable<Uint8Array>): AsyncGenerator<CapturedPacket, void, undefined> {
  const stream = new ByteStream(source)
  const magic = await stream.readExactly(4)
  if (magic.readUInt32BE() === SECTION_HEADER) yield* readPcapng(stream)
  else yield* readPcap(stream, magic)
}

const pcapVariants: readonly { magic: number; nanoseconds: boolean }[] = [
  { magic: 0xa1b2c3d4, nanoseconds: false },
  { magic: 0xa1b23c4d, nanoseconds: true },
]

async function* readPcap(stream: ByteStream, magic: Buffer): AsyncGenerator<CapturedPacket, void, undefined> {
  const variant = pcapVariants.flatMap(({ magic: number, nanoseconds }) => [
    ...(magic.readUInt32LE() === number ? [{ endian: littleEndian, nanoseconds }] : []),
    ...(magic.readUInt32BE() === number ? [{ endian: bigEndian, nanoseconds }] : []),
  ])[0]
  if (variant === undefined) throw new CaptureError("neither pcap nor pcapng", 0)
  const { endian, nanoseconds } = variant
  const header = await stream.readExactly(20)
  const linkType = endian.uint32(header, 16) & 0xffff
  const fractions = nanoseconds ? 1e6 : 1e3

  for (let record = await stream.read(16); record !== undefined; record = await stream.read(16)) {
    const length = endian.uint32(record, 8)
    if (length > PACKET_LENGTH_MAX) throw new CaptureError(`a packet of ${length} bytes`, stream.offset)
    const time = endian.uint32(record, 0) * 1000 + endian.uint32(record, 4) / fractions
    yield { time, linkType, bytes: await stream.readExactly(length) }
  }
}

const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 1
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6
const BYTE_ORDER_MAGIC = 0x1a2b3c4d

interface Interface {
  readonly linkType: number
  /** Ticks of its clock in a millisecond, and where it starts. */
  readonly ticksPerMillisecond: number
  readonly originMilliseconds: number
}

async function* readPcapng(stream: ByteStream): AsyncGenerator<CapturedPacket, void, undefined> {
  let section = await readSection(stream)
  for (let head = await stream.read(8); head !== undefined; head = await stream.read(8)) {
    if (head.readUInt32BE() === SECTION_HEADER) {
      section = await readSection(stream, head.subarray(4))
      continue
    }
    const type = section.endian.uint32(head, 0)
    const body = await readBlockBody(stream, section.endian.uint32(head, 4))
    if (type === INTERFACE_DESCRIPTION) addInterface(section, body, stream.offset)
    const packet = type === ENHANCED_PACKET ? enhancedPacket(section, body) : undefined
    if (packet) yield packet
    else if (type === ENHANCED_PACKET) throw new CaptureError("a packet block that contradicts itself", stream.offset)
    // A simple packet block has no time; nothing can be said about when it was seen.
    if (type === SIMPLE_PACKET) throw new CaptureError("packets without a time cannot be traced", stream.offset)
  }
}

interface Section {
  readonly endian: Endian
  readonly interfaces: Interface[]
}

/** A section's own header says its byte order, so its length can only be read after the magic. */
async function readSection(stream: ByteStream, lengthField?: Buffer): Promise<Section> {
  const length = lengthField ?? (await stream.readExactly(4))
  const magic = await stream.readExactly(4)
  const endian = [littleEndian, bigEndian].find((candidate) => candidate.uint32(magic, 0) === BYTE_ORDER_MAGIC)
  if (endian === undefined) throw new CaptureError("a section without a byte order", stream.offset)
  const total = endian.uint32(length, 0)
  if (total < 28 || total > BLOCK_LENGTH_MAX || total % 4 !== 0)
    throw new CaptureError("a section's length", stream.offset)
  await stream.readExactly(total - 12)
  return { endian, interfaces: [] }
}

async function readBlockBody(stream: ByteStream, total: number): Promise<Buffer> {
  if (total < 12 || total > BLOCK_LENGTH_MAX || total % 4 !== 0) {
    throw new CaptureError(`a block of ${total} bytes`, stream.offset)
  }
  const body = await stream.readExactly(total - 8)
  return body.subarray(0, body.length - 4)
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
  section.interfaces.push({ linkType: endian.uint16(body, 0), ticksPerMillisecond, originMilliseconds })
}

function resolution(octet: number): number {
  return (octet & 0x80 ? 2 ** (octet & 0x7f) : 10 ** octet) / 1000
}

function enhancedPacket({ endian, interfaces }: Section, body: Buffer): CapturedPacket | undefined {
  if (body.length < 20) return undefined
  const captured = interfaces[endian.uint32(body, 0)]
  const length = endian.uint32(body, 12)
  if (captured === undefined || length > body.length - 20 || length > PACKET_LENGTH_MAX) return undefined
  const ticks = endian.uint32(body, 4) * 2 ** 32 + endian.uint32(body, 8)
  const time = captured.originMilliseconds + ticks / captured.ticksPerMillisecond
  return { time, linkType: captured.linkType, bytes: body.subarray(20, 20 + length) }
}

interface Endian {
  uint16(bytes: Buffer, at: number): number
  uint32(bytes: Buffer, at: number): number
  int64(bytes: Buffer, at: number): bigint
}

const littleEndian: Endian = {
  uint16: (bytes, at) => bytes.readUInt16LE(at),
  uint32: (bytes, at) => bytes.readUInt32LE(at),
  int64: (bytes, at) => bytes.readBigInt64LE(at),
}

const bigEndian: Endian = {
  uint16: (bytes, at) => bytes.readUInt16BE(at),
  uint32: (bytes, at) => bytes.readUInt32BE(at),
  int64: (bytes, at) => bytes.readBigInt64BE(at),
}

class ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)
  offset = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** `undefined` at the end of the stream; throws where it ends inside what was asked for. */
  async read(length: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = []
    let missing = length
    while (missing > this.#rest.length) {
      pieces.push(this.#rest)
      missing -= this.#rest.length
      const next = await this.#chunks.next()
      if (next.done) {
        if (missing === length) return undefined
        throw new CaptureError("the capture was cut off", this.offset)
      }
      this.#rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length)
    }
    pieces.push(this.#rest.subarray(0, missing))
    this.#rest = this.#rest.subarray(missing)
    this.offset += length
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)
  }

  async readExactly(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0)
    const bytes = await this.read(length)
    if (bytes === undefined) throw new CaptureError("the capture was cut off", this.offset)
    return bytes
  }
}
