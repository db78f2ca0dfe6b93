import type { Random } from "@conclave/mls"

/** Numbers from 0 to `below` − 1, the same in every run with the same seed: xorshift128 (Marsaglia, 2003). */
export type Draw = (below: number) => number

export function drawing(seed: number): Draw {
  const state = Uint32Array.of(seed, 0x9e37_79b9, seed ^ 0x243f_6a88, 0xb7e1_5162)
  const next = (): number => {
    let mixed = state[0]!
    mixed ^= mixed << 11
    mixed ^= mixed >>> 8
    state.copyWithin(0, 1)
    state[3] = state[2]! ^ (state[2]! >>> 19) ^ mixed
    return state[3]!
  }
  for (let i = 0; i < 16; i++) next()
  return (below) => next() % below
}

/** Bytes that look random and are the same in every run: what is generated with them protects nothing. */
export function drawnBytes(draw: Draw): Random {
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = draw(256)
    return bytes
  }
}

/** FNV-1a of 32 bits: names an input, and seeds what follows from it. */
export function fingerprint(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193)
  return hash >>> 0
}
