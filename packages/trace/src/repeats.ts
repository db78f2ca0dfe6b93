import { createReadStream } from "node:fs"
import { readCapture } from "./capture-reader.js"
import { readPacket, type Segment } from "./segment.js"

export interface Repeat {
  /** The first bytes of what occurs in both, `bytesMin` long, in hexadecimal. */
  readonly bytes: string
  /** Two connections in which it occurs, as `address:port`. */
  readonly connections: readonly [string, string]
}

export interface RepeatOptions {
  /** Default 8. */
  readonly bytesMin?: number
  /** Strings that may repeat because they say nothing of the client, such as a server's public key. */
  readonly except?: readonly Uint8Array[]
}

const REPEATS_MAX = 1000
const WINDOWS_MAX = 4_000_000

/**
 * Byte strings that occur in the clear in two connections of a capture: whatever the protocol, an observer could link
 * them by these. Looks at the data and the fast-open cookies of both directions; addresses and ports are not strings. What
 * carries no TCP is passed over.
 *
 * @throws {RangeError} when a packet was not read, or captured in part: that nothing repeats would be no finding. And when
 *   the capture is too large.
 */
export async function findRepeats(
  capture: string | AsyncIterable<Uint8Array>,
  { bytesMin = 8, except = [] }: RepeatOptions = {},
): Promise<Repeat[]> {
  const seen = new Map<string, string>()
  const allowed = new Set(except.flatMap((bytes) => [...windows(Buffer.from(bytes), bytesMin)]))
  const repeats: Repeat[] = []
  for await (const packet of readCapture(typeof capture === "string" ? createReadStream(capture) : capture)) {
    for (const reading of readPacket(packet)) {
      if (reading.kind === "unread") throw new RangeError(`a packet was not read: ${reading.reason}`)
      if (reading.kind !== "segment") continue
      const { segment } = reading
      const isWhole = segment.dataBytes === segment.payload.length && !segment.optionsCutOff
      if (!isWhole) throw new RangeError("a packet was captured in part")
      const connection = nameOf(segment)
      for (const window of [...windows(segment.payload, bytesMin), ...windows(segment.fastOpenCookie, bytesMin)]) {
        const first = seen.get(window)
        if (first === undefined) {
          if (seen.size >= WINDOWS_MAX) throw new RangeError("the capture is too large to look for repeats")
          seen.set(window, connection)
        } else if (first !== connection && !allowed.has(window) && repeats.length < REPEATS_MAX) {
          repeats.push({ bytes: Buffer.from(window, "latin1").toString("hex"), connections: [first, connection] })
        }
      }
    }
  }
  return repeats
}

function* windows(bytes: Buffer | undefined, length: number): Generator<string> {
  const text = bytes?.toString("latin1") ?? ""
  for (let at = 0; at + length <= text.length; at++) yield text.slice(at, at + length)
}

/** The same name for both directions. */
function nameOf({ source, sourcePort, destination, destinationPort }: Segment): string {
  return [`${source}:${sourcePort}`, `${destination}:${destinationPort}`].sort().join(" – ")
}
