import { randomInt } from "node:crypto"
import { createReadStream } from "node:fs"
import { join } from "node:path"
import { parseSegment, readCapture } from "@conclave/trace"
import { TemporaryFolder } from "./interruption.js"
import type { Laboratory } from "./laboratory.js"
import { isSynWithData, parseTcp, sealChecksums } from "./packet.js"

/** First flights that were seen on the wire while `experiment` ran: whole packets, and the data in them. */
export async function record(laboratory: Laboratory, experiment: () => Promise<void>): Promise<RecordedFlight[]> {
  return observe(laboratory, experiment, async (file) => {
    const flights: RecordedFlight[] = []
    for await (const packet of readCapture(createReadStream(file))) {
      const segment = parseTcp(packet.bytes)
      if (isSynWithData(segment)) {
        flights.push({ packet: Buffer.from(packet.bytes), data: Buffer.from(parseSegment(packet)!.payload) })
      }
    }
    return flights
  })
}

export interface RecordedFlight {
  readonly packet: Buffer
  readonly data: Buffer
}

/** Runs `experiment` under the eyes of an observer, and `look` at the capture. */
export async function observe<T>(
  laboratory: Laboratory,
  experiment: () => Promise<void>,
  look: (file: string) => Promise<T>,
): Promise<T> {
  using folder = new TemporaryFolder("observed-")
  const file = join(folder.path, "observed.pcap")
  await laboratory.startCapture(file)
  await experiment()
  await laboratory.endCapture()
  return await look(file)
}

/** The same IPv4 SYN from another port, and another address when one is given, with data of one's own or its own. */
export function forge(packet: Buffer, { address, data }: { address?: string; data?: Uint8Array } = {}): Buffer {
  const { dataOffset, tcpOffset } = parseTcp(packet)!
  const forged = data ? Buffer.concat([packet.subarray(0, dataOffset), data]) : Buffer.from(packet)
  if (data) forged.writeUInt16BE(forged.length, 2)
  if (address !== undefined) forged.set(address.split(".").map(Number), 12)
  forged.writeUInt16BE(randomInt(1024, 65_536), tcpOffset)
  forged.writeUInt32BE(randomInt(2 ** 32), tcpOffset + 4)
  return sealChecksums(forged)
}
