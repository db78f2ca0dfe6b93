import assert from "node:assert/strict"
import { test } from "node:test"
import { type Codec, DecodeError, decode, encode } from "@conclave/codec"
import { MLSMessage } from "../src/wire.js"
import { messages, structs } from "./vectors/messages.js"
import { load, officialVectors } from "./vectors/official.js"
import { bytes, copyOf, hex } from "./vectors/vector.js"

const runs = 100_000

test(
  `${runs} mutations of official messages are refused or are the encoding of what they decode to`,
  officialVectors,
  () => {
    const random = generator(0x9420)
    const sources = load("messages").flatMap((vector) => [
      ...Object.keys(messages).map((field) => [MLSMessage as Codec<unknown>, bytes(vector[field])] as const),
      ...Object.entries<Codec<unknown>>(structs).map(([field, codec]) => [codec, bytes(vector[field])] as const),
    ])
    const count = { refused: 0, decoded: 0 }
    for (let run = 0; run < runs; run++) {
      const [codec, original] = sources[random(sources.length)]!
      const mutated = mutate(original, random)
      const value = decodeOrRefuse(codec, mutated)
      if (value === undefined) {
        count.refused++
        continue
      }
      count.decoded++
      // A copy has none of the kept bytes of which a decoded value would be written.
      const again = encode(codec, copyOf(value))
      if (Buffer.compare(again, mutated) !== 0) {
        assert.fail(`run ${run}: ${hex(mutated)} decodes to what is encoded as ${hex(again)}`)
      }
    }
    // Both have to occur, and often, or the mutations prove nothing.
    assert(count.refused > runs / 10, `${count.refused} refused`)
    assert(count.decoded > runs / 10, `${count.decoded} decoded`)
  },
)

function decodeOrRefuse(codec: Codec<unknown>, input: Uint8Array): unknown {
  try {
    return decode(codec, input)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw new Error(`not a DecodeError for ${hex(input)}`, { cause: error })
    return undefined
  }
}

/** One to three changes: a bit, a byte, a piece cut out, a piece doubled, the end cut off. */
function mutate(original: Uint8Array, random: (below: number) => number): Uint8Array {
  let mutated: Uint8Array = original.slice()
  for (let changes = 1 + random(3); changes > 0 && mutated.length > 0; changes--) {
    const place = random(mutated.length)
    const length = 1 + random(Math.min(8, mutated.length - place))
    const kind = random(6)
    if (kind === 0) mutated[place]! ^= 1 << random(8)
    else if (kind <= 2) mutated[place] = random(256)
    else if (kind === 3) mutated = joined(mutated.subarray(0, place), mutated.subarray(place + length))
    else if (kind === 4) mutated = joined(mutated.subarray(0, place + length), mutated.subarray(place))
    else mutated = mutated.slice(0, place)
  }
  return mutated
}

function joined(front: Uint8Array, back: Uint8Array): Uint8Array {
  const whole = new Uint8Array(front.length + back.length)
  whole.set(front)
  whole.set(back, front.length)
  return whole
}

/** Numbers below a bound, the same in every run: xorshift with 32 bits. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
