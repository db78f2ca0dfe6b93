import type { Draw } from "./random.js"

/** Longest input, in bytes. */
export const inputSizeMax = 65536

/** One to four changes of an input; `other` is another one of the corpus, from which pieces are taken over. */
export function mutateBytes(input: Uint8Array, other: Uint8Array, draw: Draw): Uint8Array {
  let mutated: Uint8Array = input.slice()
  for (let changes = 1 + draw(4); changes > 0; changes--) mutated = changeBytes(mutated, other, draw)
  return mutated.length > inputSizeMax ? mutated.slice(0, inputSizeMax) : mutated
}

function changeBytes(bytes: Uint8Array, other: Uint8Array, draw: Draw): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(draw(256))
  const place = draw(bytes.length)
  const length = 1 + draw(Math.min(16, bytes.length - place))
  const before = bytes.subarray(0, place)
  const piece = bytes.subarray(place, place + length)
  const behind = bytes.subarray(place + length)
  switch (draw(13)) {
    case 0:
      bytes[place]! ^= 1 << draw(8)
      return bytes
    case 1:
    case 2:
      bytes[place] = draw(256)
      return bytes
    case 3:
      bytes[place] = interesting[draw(interesting.length)]!
      return bytes
    case 4:
      bytes[place] = bytes[place]! + (draw(2) === 0 ? 1 : -1)
      return bytes
    case 5:
      return joined(before, behind)
    case 6:
      return joined(before, piece, piece, behind)
    case 7:
      return joined(before, Uint8Array.of(draw(256)), piece, behind)
    case 8:
      return bytes.slice(0, place)
    case 9:
      return joined(before, lengthOf(draw), behind)
    case 10: {
      const from = draw(other.length + 1)
      return joined(before, other.subarray(from, from + draw(64)), behind)
    }
    case 11:
      // A short length, written longer than it needs to be.
      return joined(before, Uint8Array.of(0x40, bytes[place]! & 0x3f), bytes.subarray(place + 1))
    default:
      // Rarely as far as an input may be: most of what there is to find is in short ones.
      return draw(64) === 0 ? filled(before, piece, behind, draw) : joined(before, piece, piece, piece, behind)
  }
}

const interesting = [0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 33, 63, 64, 65, 127, 128, 192, 240, 254, 255]

/** A length of variable size (RFC 9420 §2.1.2) at one of its bounds. */
function lengthOf(draw: Draw): Uint8Array {
  const all = ["00", "3f", "4040", "4000", "7fff", "80004000", "80000001", "bfffffff", "c0", "ffffffff"]
  return Uint8Array.from(Buffer.from(all[draw(all.length)]!, "hex"))
}

/** A piece as often as it takes to reach 1, 16 or 64 KiB. */
function filled(before: Uint8Array, piece: Uint8Array, behind: Uint8Array, draw: Draw): Uint8Array {
  const size = [1024, 16384, inputSizeMax][draw(3)]!
  const times = Math.max(1, Math.floor((size - before.length - behind.length) / piece.length))
  const middle = new Uint8Array(times * piece.length)
  for (let i = 0; i < times; i++) middle.set(piece, i * piece.length)
  return joined(before, middle, behind)
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
