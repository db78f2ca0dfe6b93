import { createReadStream } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { parseSegment, readCapture } from "@conclave/trace"
import { type Laboratory, SERVER_ADDRESS } from "./laboratory.js"
import { forge, observe, type RecordedFlight } from "./recorded.js"

/** An address that nobody in the laboratory has. */
const VICTIM = "192.0.2.77"
/** Longer than a server would wait to send its first answer again. */
const WATCH_MILLISECONDS = 1500

export interface Forgery {
  /** Bytes of IP packets: the one that was forged, and all that the server sent to the address in it. */
  readonly sentBytes: number
  readonly returnedBytes: number
  /** Bytes of data among them, for an address that has not proven that it exists. */
  readonly returnedDataBytes: number
}

/** Sends a client's first flight once more from an address that is not its own, and counts what comes back to it. */
export async function measureForgery(laboratory: Laboratory, { packet }: RecordedFlight): Promise<Forgery> {
  const forged = forge(packet, { address: VICTIM })
  return observe(
    laboratory,
    async () => {
      await laboratory.inject([forged])
      await sleep(WATCH_MILLISECONDS)
    },
    async (file) => {
      let [returnedBytes, returnedDataBytes] = [0, 0]
      for await (const captured of readCapture(createReadStream(file))) {
        const segment = parseSegment(captured)
        if (segment?.source !== SERVER_ADDRESS || segment.destination !== VICTIM) continue
        returnedBytes += captured.length
        returnedDataBytes += segment.dataBytes
      }
      return { sentBytes: forged.length, returnedBytes, returnedDataBytes }
    },
  )
}
