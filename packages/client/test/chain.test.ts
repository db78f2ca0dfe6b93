import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { chainLinkHash } from "@conclave/contracts/log-chain"
import { Chain, LINKS_KEPT } from "../src/conversation/chain.js"
import { HANDSHAKES_KEPT } from "../src/conversation/kept.js"
import { ChainPart, recordKeys } from "../src/records/records.js"
import { provider } from "./support/world.js"

const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)

/** A log whose entries a device follows, and what the device has stored of it. */
class Followed {
  readonly records = new Map<string, Uint8Array>()
  readonly hashes: Uint8Array[] = [new Uint8Array(32)]
  chain = new Chain()
  /** The entries that are commits. */
  readonly #commits: ReadonlySet<number>

  constructor(...commits: readonly number[]) {
    this.chain.start(0n, this.hashes[0]!)
    this.#commits = new Set(commits)
  }

  /** Follows up to the entry `last`; each entry in a transaction of its own, unless told otherwise. */
  follow(last: number, { atOnce = false } = {}): void {
    for (let n = this.hashes.length; n <= last; n++) {
      const [seq, before] = [BigInt(n), this.hashes[n - 1]!]
      const link = this.link(n)
      const hash = chainLinkHash(sha256, before, { seq, link })
      this.hashes.push(hash)
      this.chain.offer({ seq, link, before, hash })
      this.chain.follow(seq, hash)
      if (!atOnce || n === last) this.store()
    }
  }

  /** Of the entry `n`, whose predecessor's hash is known. */
  link(n: number) {
    const kind = this.#commits.has(n) ? "commit" : "application"
    return { kind, epoch: 0n, bodyHash: sha256(this.hashes[n - 1]!), begins: undefined } as const
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
    const { records } = this
    for (const key of records.keys()) assert.ok(key.startsWith(recordKeys.chain("id")), key)
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
    // Of what is before the last entries: where the log begins, and two hashes for each doubling of the distance.
    assert.ok(followed.records.size <= LINKS_KEPT / 32 + 2 + 3, `${followed.records.size} records`)
  })
})

describe("what a device keeps of the entries before the last ones", () => {
  const commits = Array.from({ length: 100 }, (_, n) => 3 + 7 * n)

  /** Between two hashes that are kept are no more entries than after the later one. */
  function assertSparse({ chain, hashes }: Followed, from = 0): void {
    const { known } = chain
    const last = hashes.length - 1
    assert.equal(known[0], 0n)
    assert.equal(known.at(-1), BigInt(last))
    for (const [at, seq] of known.entries()) {
      assert.deepEqual(chain.hashAt(seq), hashes[Number(seq)], `entry ${seq}`)
      const before = known[at - 1] ?? 0n
      if (before < from || seq === before + 1n) continue
      assert.ok(seq - before <= BigInt(last) - seq, `nothing between ${before} and ${seq} of ${last}`)
    }
  }

  it("are hashes at distances that grow with it, however it was opened and stored", () => {
    const followed = new Followed()
    for (const last of [300, 301, 777, 1_000, 2_048, 5_000, 12_345, 12_346, 40_000]) {
      followed.follow(last, { atOnce: last === 2_048 })
      assertSparse(followed)
      if (last % 2 === 0) followed.reopen()
      if (last % 4 === 0) followed.follow(last + 40)
      followed.load()
      assertSparse(followed)
      followed.assertKnown()
      followed.store()
      const doublings = Math.log2(last / LINKS_KEPT)
      assert.ok(followed.records.size <= LINKS_KEPT / 32 + 2 * doublings + 5, `${followed.records.size} records`)
      assert.equal(followed.chain.linksBetween(0n, BigInt(last)), undefined)
    }
  })

  it("are the hashes at and before each of the last handshakes, twice as many as can be given back", () => {
    const followed = new Followed(...commits)
    followed.follow(5_000)
    for (const reopened of [false, true]) {
      if (reopened) {
        followed.reopen()
        followed.load()
      }
      assertSparse(followed)
      for (const seq of commits.slice(-2 * HANDSHAKES_KEPT)) {
        assert.deepEqual(followed.chain.hashAt(BigInt(seq)), followed.hashes[seq], `commit ${seq}`)
        assert.deepEqual(followed.chain.hashAt(BigInt(seq - 1)), followed.hashes[seq - 1])
      }
      const older = commits.slice(0, -2 * HANDSHAKES_KEPT).filter((seq) => followed.chain.hashAt(BigInt(seq)))
      assert.ok(older.length < 10, `${older.length} older ones`)
      assert.ok(followed.records.size <= LINKS_KEPT / 32 + 2 * HANDSHAKES_KEPT + 15, `${followed.records.size} records`)
    }
  })

  it("are of use after the log was cut there", () => {
    const followed = new Followed(...commits)
    followed.follow(5_000)
    const at = Number(followed.chain.known.find((seq) => seq > 2_000n))
    followed.chain.cut(BigInt(at))
    followed.hashes.splice(at + 1)
    followed.store()
    assert.equal(followed.chain.known.at(-1), BigInt(at))
    for (const last of [at + 1, at + 40, at + 1_000]) {
      followed.follow(last)
      assertSparse(followed, at)
      followed.reopen()
      followed.load()
      assertSparse(followed, at)
    }
  })

  it("are kept from then on in a profile from when they were not", () => {
    const followed = new Followed()
    followed.follow(1_000, { atOnce: true })
    followed.records.clear()
    // As it was stored: the last entries, in parts of 32.
    for (let after = 1_000 - LINKS_KEPT - 16; after < 1_000; after += 32) {
      const links = Array.from({ length: Math.min(32, 1_000 - after) }, (_, n) => followed.link(after + n + 1))
      const part = encode(ChainPart, { after: BigInt(after), hash: followed.hashes[after]!, links })
      followed.records.set(recordKeys.chainPart("id", after), part)
    }
    followed.reopen()
    followed.load()
    followed.follow(5_000)
    const { known } = followed.chain
    assert.equal(known[0], BigInt(1_000 - LINKS_KEPT - 16))
    for (const [at, seq] of known.slice(1).entries()) assert.ok(seq - known[at]! <= 5_000n - known[at]!)
    for (const seq of known) assert.deepEqual(followed.chain.hashAt(seq), followed.hashes[Number(seq)])
    assert.ok(known.some((seq) => seq > 1_000n && seq < 4_000n))
  })
})
