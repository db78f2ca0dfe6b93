import { CHUNK_COST } from "@conclave/transport/parts"

const CONTROL = 8

/**
 * Follows the frames of one WebSocket from outside (RFC 6455 §5.2), to know what its receiver holds of a message that
 * is not there in full. Headers are read and payloads skipped; what is wrong is for the receiver to refuse.
 */
export class FrameMeter {
  /** Bytes that the message under way holds, with what their chunks cost; 0 between messages. */
  pending = 0
  /** Control frames that were there in full, since this was last set to 0. */
  controlFrames = 0
  readonly #head: number[] = []
  /** Of the payload under way. */
  #left = 0
  #first = 0
  #inMessage = false

  add(chunk: Uint8Array): void {
    let pendingFrom = 0
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - at)
        at += step
        this.#left -= step
      } else {
        this.#head.push(chunk[at++]!)
        if (this.#head.length < headerSize(this.#head)) continue
        this.#first = this.#head[0]!
        this.#left = payloadSize(this.#head)
        this.#head.length = 0
      }
      if (this.#left === 0 && this.#endFrame()) {
        this.pending = 0
        pendingFrom = at
      }
    }
    if (this.#inMessage || this.#left > 0 || this.#head.length > 0) {
      this.pending += chunk.length - pendingFrom + CHUNK_COST
    }
  }

  /** Whether nothing is under way now. */
  #endFrame(): boolean {
    const isFinal = (this.#first & 0x80) !== 0
    if ((this.#first & 0x0f) >= CONTROL) this.controlFrames++
    else this.#inMessage = !isFinal
    return !this.#inMessage
  }
}

/** Of a header that begins with `head`, as far as that tells. */
function headerSize(head: readonly number[]): number {
  if (head.length < 2) return 2
  const length = head[1]! & 0x7f
  const extended = length === 126 ? 2 : length === 127 ? 8 : 0
  return 2 + extended + ((head[1]! & 0x80) !== 0 ? 4 : 0)
}

function payloadSize(head: readonly number[]): number {
  const length = head[1]! & 0x7f
  if (length < 126) return length
  return head.slice(2, length === 126 ? 4 : 10).reduce((size, byte) => size * 256 + byte, 0)
}
