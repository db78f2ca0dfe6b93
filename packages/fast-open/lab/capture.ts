import { closeSync, openSync, writeSync } from "node:fs"

const MAGIC_NANOSECONDS = 0xa1b23c4d
const LINK_TYPE_RAW = 101
const SNAPSHOT_LENGTH = 65535

/** Writes packets to a pcap file (draft-ietf-opsawg-pcap), raw IP, nanoseconds. */
export class CaptureFile {
  readonly #descriptor: number

  constructor(path: string) {
    this.#descriptor = openSync(path, "w")
    const header = Buffer.alloc(24)
    header.writeUInt32LE(MAGIC_NANOSECONDS, 0)
    header.writeUInt16LE(2, 4)
    header.writeUInt16LE(4, 6)
    header.writeUInt32LE(SNAPSHOT_LENGTH, 16)
    header.writeUInt32LE(LINK_TYPE_RAW, 20)
    writeSync(this.#descriptor, header)
  }

  /** `milliseconds` since 1970, with a fraction. */
  write(packet: Uint8Array, milliseconds: number): void {
    const record = Buffer.alloc(16 + packet.length)
    const seconds = Math.floor(milliseconds / 1000)
    record.writeUInt32LE(seconds, 0)
    record.writeUInt32LE(Math.floor((milliseconds - seconds * 1000) * 1e6), 4)
    record.writeUInt32LE(packet.length, 8)
    record.writeUInt32LE(packet.length, 12)
    record.set(packet, 16)
    writeSync(this.#descriptor, record)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
