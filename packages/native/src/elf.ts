import { closeSync, fstatSync, openSync, readSync } from "node:fs"

export type Libc = "gnu" | "musl"

/** An executable names the loader that starts it near its beginning, and its segments before that. */
const HEAD_SIZE = 4096

/** The ELF header for 64 bits, little endian: where its fields are, and those of each segment. */
const header = { size: 64, class: 4, byteOrder: 5, segments: 32, segmentSize: 54, segmentCount: 56 }
const segment = { size: 56, offset: 8, bytes: 32 }

/**
 * Which C library a program for Linux uses, by the loader that its file names: a library for the other one would bring
 * that into the process as well. `undefined` for what cannot be read, is no program for Linux, or uses none.
 */
export function libcOf(program: string): Libc | undefined {
  const head = headOf(program)
  if (head === undefined || !isElf(head.bytes)) return undefined
  if (head.bytes.includes("/ld-musl-")) return "musl"
  return head.bytes.includes("/ld-linux") ? "gnu" : undefined
}

/**
 * Whether a library for Linux ends before its segments do, as one that was copied onto a full disk: where it is loaded all
 * the same, the process dies. Of other files nothing is said: a loader refuses them.
 */
export function isCutOff(library: string): boolean {
  const head = headOf(library)
  if (head === undefined || !isElf(head.bytes)) return false
  const { bytes, fileSize } = head
  if (fileSize < header.size) return true
  // What is not for 64 bits, little endian, is for none of our platforms.
  if (bytes[header.class] !== 2 || bytes[header.byteOrder] !== 1) return false
  const first = Number(bytes.readBigUInt64LE(header.segments))
  const size = bytes.readUInt16LE(header.segmentSize)
  for (let i = 0; i < bytes.readUInt16LE(header.segmentCount); i++) {
    const at = first + i * size
    if (at + segment.size > fileSize) return true
    if (at + segment.size > HEAD_SIZE) return false
    const end = bytes.readBigUInt64LE(at + segment.offset) + bytes.readBigUInt64LE(at + segment.bytes)
    if (end > BigInt(fileSize)) return true
  }
  return false
}

const isElf = (bytes: Buffer) => bytes.toString("latin1", 0, 4) === "\x7fELF"

/** The first bytes of a file, with zeros after its end. */
function headOf(path: string): { readonly bytes: Buffer; readonly fileSize: number } | undefined {
  try {
    const file = openSync(path, "r")
    try {
      const bytes = Buffer.alloc(HEAD_SIZE)
      readSync(file, bytes, 0, HEAD_SIZE, 0)
      return { bytes, fileSize: fstatSync(file).size }
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}
