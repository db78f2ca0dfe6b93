import { hash } from "node:crypto"
import { boolean, decode, encode, fixed, opaque, struct, type TypeOf, uint8, uint32, vector } from "@conclave/codec"

/** What one gateway tells the others at once. */
export const Frame = struct("WakeFrame", {
  /** {@link VERSION} */
  version: uint8,
  /** Drawn by each gateway when it starts: it leaves out what it has sent itself. */
  sender: fixed(8),
  /** Counts the frames of a sender, and begins again at 0 after 2³². */
  sequence: uint32,
  /** More has changed than is told: everything is worth a look. */
  everything: boolean,
  /** {@link HINT_SIZE} bytes for each topic: see {@link hintOf}. */
  hints: opaque,
})
export type Frame = TypeOf<typeof Frame>

export const VERSION = 1

/** In bytes. */
const HINT_SIZE = 8

/** Hints of one frame: in base64url it fits into a NOTIFY, which takes less than 8,000 bytes. */
export const FRAME_HINTS_MAX = 740

/** In bytes: version, sender, sequence, everything, the length of the hints, and the hints. */
export const FRAME_SIZE_MAX = 1 + 8 + 4 + 1 + 2 + FRAME_HINTS_MAX * HINT_SIZE

/**
 * The first 8 bytes of SHA-256 of the topic, a byte for each character. Two topics with the same hint cost a look at one
 * where the other has changed, and making such a pair takes some 2³² hashes.
 */
export const hintOf = (topic: string): string => hash("sha256", topic, "binary").slice(0, HINT_SIZE)

export function encodeFrame(
  frame: Omit<Frame, "version" | "hints"> & { readonly hints: readonly string[] },
): Uint8Array {
  return encode(Frame, { ...frame, version: VERSION, hints: Buffer.from(frame.hints.join(""), "latin1") })
}

/** `undefined` for what is no frame of this version: whoever reaches the bus may send anything. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length > FRAME_SIZE_MAX) return undefined
  try {
    const frame = decode(Frame, bytes)
    return frame.version === VERSION && frame.hints.length % HINT_SIZE === 0 ? frame : undefined
  } catch {
    return undefined
  }
}

/** Signals that one gateway passes on to the others. Gateways that know hints alone take it for no frame. */
export const SignalFrame = struct("WakeSignals", {
  /** {@link SIGNALS_VERSION} */
  version: uint8,
  /** As in {@link Frame}. */
  sender: fixed(8),
  signals: vector(
    struct("WakeSignal", {
      /** {@link tagOf} the topic. */
      tag: fixed(16),
      body: opaque,
    }),
  ),
})
export type SignalFrame = TypeOf<typeof SignalFrame>

export const SIGNALS_VERSION = 2

/** What a signal takes beside its body, in bytes: its tag, and the length of the body. */
export const SIGNAL_OVERHEAD = 16 + 4

/**
 * The first 16 bytes of SHA-256 of the topic, a byte for each character. Longer than a hint, as signals of two topics must
 * not be mistaken for each other; and like one it does not show the topic to whoever listens at the bus.
 */
export const tagOf = (topic: string): string => hash("sha256", topic, "binary").slice(0, 16)

export function encodeSignals(frame: Omit<SignalFrame, "version">): Uint8Array {
  return encode(SignalFrame, { ...frame, version: SIGNALS_VERSION })
}

/** `undefined` for what is no such frame. */
export function decodeSignals(bytes: Uint8Array): SignalFrame | undefined {
  if (bytes.length > FRAME_SIZE_MAX || bytes[0] !== SIGNALS_VERSION) return undefined
  try {
    return decode(SignalFrame, bytes)
  } catch {
    return undefined
  }
}

export function* hintsOf({ hints }: Frame): Generator<string> {
  const text = Buffer.from(hints.buffer, hints.byteOffset, hints.length).toString("latin1")
  // So short a piece is a copy and does not keep the whole.
  for (let start = 0; start < text.length; start += HINT_SIZE) yield text.slice(start, start + HINT_SIZE)
}
