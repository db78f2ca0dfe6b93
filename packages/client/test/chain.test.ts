import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { chainLinkHash } from "@conclave/contracts/log-chain"
import { Chain, LINKS_KEPT } from "../src/conversation/chain.js"
import { provider } from "./support/world.js"

const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)

/** A log whose entries a device follows, and what the device has stored of it. */
class Followed {
  readonly records = new Map<string, Uint8Array>()
  readonly hashes: Uint8Array[] = [new Uint8Array(32)]
  chain = new Chain()

  constructor() {
    this.chain.start(0n, this.hashes[0]!)
  }

  /** Follows up to the entry `last`; each entry in a transaction of its own, unless told otherwise. */
  follow(last: number, { atOnce = false } = {}): void {
    for (let n = this.hashes.length; n <= last; n++) {
      const [seq, before] = [BigInt(n), this.hashes[n - 1]!]
      const link = { kind: "application", epoch: 0n, bodyHash: sha256(before), begins: undefined } as const
      const hash = chainLinkHash(sha256, before, { seq, link })
      this.hashes.push(hash)
      this.chain.offer({ seq, link, before, hash })
      this.chain.follow(seq, hash)
      if (!atOnce || n === last) this.store()
    }
  }

  store(): void {
    const { records } = this
    const deleteUnder = (prefix: string) => {
      for (const key of records.keys()) if (key.startsWith(prefix)) records.delete(key)
    }
    const put = (key: string, record: Uint8Array) => void records.set(key, record)
    this.chain.flush({ put, delete: (key) => void records.delete(key), deleteUnder }, "id")
  }

  reopen(): void {
    this.chain = new Chain()
  }

  load(): void {
    this.chain.load([...this.records], (previous, at) => chainLinkHash(sha256, previous, at))
  }

  /** Nothing but the hashes of the log is known, and those of the last entries are. */
  assertKnown(): void {
    const last = this.hashes.length - 1
    for (const [n, hash] of this.hashes.entries()) {
      const known = this.chain.hashAt(BigInt(n))
      if (known !== undefined || n >= last - LINKS_KEPT) assert.deepEqual(known, hash, `entry ${n} of ${last}`)
    }
    assert.equal(this.chain.linksBetween(BigInt(last - LINKS_KEPT), BigInt(last))?.length, LINKS_KEPT)
  }
}

describe("what a device keeps of the last entries", () => {
  it("is known after it was opened again, whether or not something was followed before it was read", () => {
    const followed = new Followed()
    followed.follow(10)
    followed.reopen()
    followed.follow(11)
    followed.load()
    for (let last = 12; last <= 400; last++) {
      followed.follow(last)
      if (last <= LINKS_KEPT) continue
      followed.assertKnown()
      const { chain } = followed
      followed.reopen()
      followed.load()
      followed.assertKnown()
      followed.chain = chain
    }
  })

  it("has records of nothing else, also where more is followed at once than is kept", () => {
    const followed = new Followed()
    followed.follow(40)
    followed.follow(40 + 2 * LINKS_KEPT, { atOnce: true })
    followed.assertKnown()
    assert.ok(followed.records.size <= LINKS_KEPT / 32 + 2, `${followed.records.size} records`)
  })
})
