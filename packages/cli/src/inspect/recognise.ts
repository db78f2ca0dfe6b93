import { type Codec, DecodeError, decode, snakeCase } from "@conclave/codec"
import { Failure } from "../failure.js"
import { words } from "../words/words.js"
import type { Reading } from "./readings.js"
import { triedTypes, types } from "./types.js"

export interface Recognised {
  readonly type: string
  readonly codec: Codec<any>
  readonly value: any
  readonly reading: Reading
  /** Further types of which the same bytes are the encoding. */
  readonly others: readonly string[]
}

/**
 * The most likely type of which an input is the encoding, or the value of the type that is asked for.
 *
 * @throws {NothingRecognised} when it is of none and no type was asked for
 * @throws {Failure} when it is a message with a fault, or not of the type that was asked for, with the place of the fault
 */
export function recognise(readings: readonly Reading[], as: string | undefined): Recognised {
  const wanted = as === undefined ? triedTypes : [as]
  const faults: Fault[] = []
  for (const reading of readings) {
    const fitting: Omit<Recognised, "others">[] = []
    for (const type of wanted) {
      const codec = types[type]!
      try {
        fitting.push({ type, codec, value: decode(codec, reading.bytes), reading })
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error
        faults.push({ type, error, reading })
      }
    }
    const [first, ...others] = fitting
    if (first !== undefined) return { ...first, others: others.map(({ type }) => type) }
  }
  if (as !== undefined) throw new Failure(described(faults[0]!))
  const fault = nearest(faults)
  if (looksLikeMessage(fault.reading.bytes)) throw new Failure(words().looking.fitsNone(described(fault)))
  throw new NothingRecognised(words().looking.recognisedNone(fault.type))
}

/** The input does not even begin as a message does. */
export class NothingRecognised extends Failure {}

interface Fault {
  readonly type: string
  readonly error: DecodeError
  readonly reading: Reading
}

/**
 * The fault of the type that fits best: a message says what it is in its first bytes, whatever its version; of the other
 * types, how far they go says it. That a short type ends early is no fault of the input.
 */
function nearest(faults: readonly Fault[]): Fault {
  const { reading } = faults[0]!
  const all = faults.filter((fault) => fault.reading === reading)
  const eligible = looksLikeMessage(reading.bytes)
    ? all.filter(({ type }) => type === "MLSMessage" || type === "KeyPackage")
    : all.filter(({ error }) => error.path.length > 0 || error.offset * 2 >= reading.bytes.length)
  const candidates = eligible.length > 0 ? eligible : all
  return candidates.reduce((best, fault) => (fault.error.offset > best.error.offset ? fault : best))
}

/** A version and a wire format, of which a KeyPackage has a cipher suite in its place. */
function looksLikeMessage(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0 && bytes[2] === 0 && bytes[3]! >= 1 && bytes[3]! <= WIRE_FORMAT_MAX
}

const WIRE_FORMAT_MAX = 7

/** `as KeyPackage it fails at byte 33, in KeyPackage.leaf_node > LeafNode.signature: need 64 bytes, have 12`. */
function described({ type, error, reading }: Fault): string {
  const path = error.path.map((place) =>
    place
      .split(".")
      .map((name, i) => (i === 0 ? name : snakeCase(name)))
      .join("."),
  )
  const said = words().looking
  const where = path.length === 0 ? "" : said.inField(path.join(" > "))
  const decoded = reading.encoding === "bytes" ? "" : said.ofEncoding(reading.encoding)
  return said.fails(type, `${error.offset}${decoded}${where}`, error.reason)
}
