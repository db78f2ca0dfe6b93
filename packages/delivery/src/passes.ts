import { encode, fixed, opaque, struct, uint64 } from "@conclave/codec"
import type { Access, Pass } from "@conclave/contracts/access"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"

const HOUR = 60n * 60n * 1000n
const GIVEN_FOR = 24n * HOUR
/** No service gives a pass for longer: its clock was wrong. */
const AHEAD_MAX = 48n * HOUR

const PassTBS = struct("PassTBS", { groupId: opaque, key: fixed(32), until: uint64 })

/** Gives passes and knows them again. A pass is for one group and key; nothing of it is stored. */
export class Passes {
  readonly #crypto: CryptoProvider
  readonly #secret: Uint8Array

  constructor(crypto: CryptoProvider, secret: Uint8Array) {
    this.#crypto = crypto
    this.#secret = secret
  }

  /** For one who has proved the key. `now`: Unix time in milliseconds. */
  give({ groupId, key }: Pick<Pass, "groupId" | "key">, now: bigint): Pass {
    const until = now + GIVEN_FOR
    return { groupId, key, until, tag: this.#tag({ groupId, key, until }) }
  }

  isGood(groupId: Uint8Array, { key, until, tag }: Extract<Access, { type: "pass" }>, now: bigint): boolean {
    if (until <= now || until > now + AHEAD_MAX) return false
    return equalBytes(tag, this.#tag({ groupId, key, until }))
  }

  #tag(pass: Omit<Pass, "tag">): Uint8Array {
    return this.#crypto.hashes["SHA-256"]!.hmac(this.#secret, encode(PassTBS, pass))
  }
}
