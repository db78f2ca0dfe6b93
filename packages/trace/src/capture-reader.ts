import { ByteStream, bigEndian, CaptureError, type Endian, littleEndian } from "./byte-stream.js"
import type { CapturedPacket } from "./captured-packet.js"
import { readPcapng, SECTION_HEADER } from "./pcapng.js"

/** The most bytes of one packet. tcpdump and Wireshark capture no more of any network's packets. */
export const PACKET_LENGTH_MAX = 0x40000

/**
 * Yields the packets of a capture one at a time, in constant memory: pcap (draft-ietf-opsawg-pcap) in both byte orders,
 * with microseconds, nanoseconds, or the longer record headers of Kuznetzov's libpcap; pcapng (draft-ietf-opsawg-pcapng)
 * with any number of sections and interfaces.
 *
 * @throws {CaptureError} when the source is not a capture, and where it is cut off or damaged, after the packets before.
 */
export async function* readCapture(source: AsyncIterable<Uint8Array>): AsyncGenerator<CapturedPacket, void, undefined> {
  const stream = new ByteStream(source)
  const magic = await stream.readExactly(4)
  if (magic.readUInt32BE() === SECTION_HEADER) yield* readPcapng(stream, PACKET_LENGTH_MAX)
  else yield* readPcap(stream, magic)
}

interface Variant {
  readonly magic: number
  readonly perMillisecond: number
  readonly recordHeaderLength: number
}

const variants: readonly Variant[] = [
  { magic: 0xa1b2c3d4, perMillisecond: 1e3, recordHeaderLength: 16 },
  { magic: 0xa1b23c4d, perMillisecond: 1e6, recordHeaderLength: 16 },
  // Interface, protocol and direction follow the lengths.
  { magic: 0xa1b2cd34, perMillisecond: 1e3, recordHeaderLength: 24 },
]

async function* readPcap(stream: ByteStream, magic: Buffer): AsyncGenerator<CapturedPacket, void, undefined> {
  const { endian, perMillisecond, recordHeaderLength } = variantOf(magic)
  const header = await stream.readExactly(20)
  const linkType = endian.uint32(header, 16) & 0xffff
  for (;;) {
    const record = await stream.read(recordHeaderLength)
    if (record === undefined) return
    const captured = endian.uint32(record, 8)
    if (captured > PACKET_LENGTH_MAX) throw new CaptureError(`a packet of ${captured} bytes`, stream.offset)
    const time = endian.uint32(record, 0) * 1000 + endian.uint32(record, 4) / perMillisecond
    const bytes = await stream.readExactly(captured)
    yield { time, isTimed: true, linkType, bytes, length: Math.max(captured, endian.uint32(record, 12)) }
  }
}

function variantOf(magic: Buffer): Variant & { readonly endian: Endian } {
  for (const endian of [littleEndian, bigEndian]) {
    const variant = variants.find((candidate) => candidate.magic === endian.uint32(magic, 0))
    if (variant !== undefined) return { ...variant, endian }
  }
  if (magic[0] === 0x1f && magic[1] === 0x8b) throw new CaptureError("compressed with gzip: unpack it first", 0)
  throw new CaptureError("neither pcap nor pcapng", 0)
}
