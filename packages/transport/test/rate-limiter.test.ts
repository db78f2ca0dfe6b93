import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { RateLimiter, takeAll } from "../src/index.js"

describe("a rate limiter", () => {
  it("gives the burst at once and the rate from then on, to each key", () => {
    const limiter = new RateLimiter({ perSecond: 2, burst: 3 })
    for (const key of ["a", "b"]) {
      assert.deepEqual(
        [1, 2, 3, 4].map(() => limiter.take(key, 1000)),
        [undefined, undefined, undefined, 500],
      )
    }
    assert.equal(limiter.take("a", 1250), 250)
    assert.equal(limiter.take("a", 1500), undefined)
    assert.equal(limiter.take("a", 1500), 500)
  })

  it("takes several tokens or none, and never more than the burst", () => {
    const limiter = new RateLimiter({ perSecond: 10, burst: 100 })
    assert.equal(limiter.take("a", 0, 60), undefined)
    assert.equal(limiter.take("a", 0, 60), 2000)
    assert.equal(limiter.take("a", 0, 40), undefined)
    assert.equal(limiter.take("a", 0, 101), Number.POSITIVE_INFINITY)
  })

  it("does not forget a bucket that is not full, however many other keys come", () => {
    const limiter = new RateLimiter({ perSecond: 1 / 3600, burst: 5 }, { keysMax: 100 })
    for (let i = 0; i < 5; i++) assert.equal(limiter.take("victim", 0), undefined)
    for (let i = 0; i < 10_000; i++) limiter.take(`unknown ${i}`, i)
    assert.notEqual(limiter.take("victim", 10_000), undefined)
    assert.equal(limiter.size, 100)
  })

  it("forgets full buckets to make room", () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, { keysMax: 10 })
    for (let i = 0; i < 10; i++) assert.equal(limiter.take(`old ${i}`, 0), undefined)
    for (let i = 0; i < 10; i++) assert.equal(limiter.take(`new ${i}`, 1000), undefined, `${i}`)
    assert.equal(limiter.take("new 3", 1000), 1000)
    assert.equal(limiter.size, 10)
  })

  it("looks for full buckets once in a second, however many new keys come", () => {
    const limiter = new RateLimiter({ perSecond: 10, burst: 1 }, { keysMax: 2 })
    for (const key of ["a", "b"]) assert.equal(limiter.take(key, 0), undefined)
    assert.equal(limiter.take("c", 50), undefined, "it has looked, and found none that is full")
    assert.equal(limiter.take("d", 999), undefined)
    assert.equal(limiter.take("e", 999), 100, "both are full, and nobody has looked")
    assert.deepEqual([limiter.take("d", 1050), limiter.take("e", 1050)], [undefined, undefined])
  })

  it("lets new keys share one bucket while there is no room, and serves the known ones as before", () => {
    const limiter = new RateLimiter({ perSecond: 0.001, burst: 2 }, { keysMax: 2 })
    for (const key of ["a", "b"]) assert.equal(limiter.take(key, 0), undefined)
    const newcomers = ["c", "d", "e"].map((key) => limiter.take(key, 0) === undefined)
    assert.deepEqual(newcomers, [true, true, false])
    assert.equal(limiter.take("a", 0), undefined)
  })

  it("makes room at the cost of the owner with the most keys, whose keys share one bucket until it is full again", () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 3 }, { keysMax: 200 })
    assert.equal(limiter.take("honest 1", 0, 3, "honest"), undefined)
    for (let i = 0; i < 199; i++) assert.equal(limiter.take(`flood ${i}`, 0, 1, "flooder"), undefined)
    // Others come, each with a bucket of its own, and who was there keeps what it had.
    for (let i = 0; i < 50; i++) {
      const taken = [1, 2, 3, 4].map(() => limiter.take(`new ${i}`, 0, 1, `newcomer ${i}`))
      assert.deepEqual(taken, [undefined, undefined, undefined, 1000])
    }
    assert.equal(limiter.take("honest 1", 0, 1, "honest"), 1000)
    // The flooder has two left, whatever it names: those that its emptiest key had.
    const flood = [1, 2, 3, 199, 200].map((i) => limiter.take(`flood ${i}`, 0, 1, "flooder"))
    assert.deepEqual(flood, [undefined, undefined, 1000, 1000, 1000])
    assert.equal(limiter.size, 51)
    assert.equal(limiter.take("flood 1", 1000, 1, "flooder"), undefined)
    assert.equal(limiter.take("flood 2", 1000, 1, "flooder"), 1000)
    for (const key of ["flood 1", "flood 2"]) assert.equal(limiter.take(key, 4000, 3, "flooder"), undefined)
  })

  it("lets newcomers share one bucket where the table is full of owners with few keys", () => {
    const limiter = new RateLimiter({ perSecond: 0.001, burst: 2 }, { keysMax: 120 })
    for (let i = 0; i < 120; i++) assert.equal(limiter.take(`${i}`, 0, 1, `owner ${i % 2}`), undefined)
    const newcomers = ["c", "d", "e"].map((owner) => limiter.take(owner, 0, 1, owner) === undefined)
    assert.deepEqual(newcomers, [true, true, false])
    assert.equal(limiter.take("0", 0, 1, "owner 0"), undefined)
  })

  it("gives nothing for a clock that is set back, and goes on from there", () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 })
    assert.equal(limiter.take("a", 1_000_000), undefined)
    assert.equal(limiter.take("a", 0), 1000)
    assert.equal(limiter.take("a", 1_001_000), undefined)
  })

  it("never lets a key have more than its burst and rate, whatever other keys do", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: fc.nat(30), wait: fc.nat(400) }), { minLength: 50, maxLength: 300 }),
        fc.boolean(),
        (steps, isOwned) => {
          const [perSecond, burst] = [2, 3]
          const limiter = new RateLimiter({ perSecond, burst }, { keysMax: 8 })
          const taken = new Map<number, number>()
          let now = 0
          for (const { key, wait } of steps) {
            now += wait
            const owner = isOwned ? `${key % 3}` : undefined
            if (limiter.take(`${key}`, now, 1, owner) === undefined) taken.set(key, (taken.get(key) ?? 0) + 1)
          }
          // A key may move once from the shared bucket to one of its own: two bursts at the very most.
          for (const count of taken.values()) assert.ok(count <= 2 * burst + (now / 1000) * perSecond * 2)
          assert.ok(limiter.size <= 8)
        },
      ),
    )
  })
})

describe("taking from several levels", () => {
  const levels = () => {
    const peer = new RateLimiter({ perSecond: 1, burst: 5 })
    const network = new RateLimiter({ perSecond: 1, burst: 3 })
    return { peer, network }
  }

  it("takes from all or from none", () => {
    const { peer, network } = levels()
    const ask = () =>
      takeAll(
        [
          { limiter: peer, key: "192.0.2.1" },
          { limiter: network, key: "192.0.2" },
        ],
        0,
      )
    assert.deepEqual([ask(), ask(), ask(), ask(), ask()], [undefined, undefined, undefined, 1000, 1000])
    assert.deepEqual(
      [1, 2, 3].map(() => peer.take("192.0.2.1", 0)),
      [undefined, undefined, 1000],
      "what the network refused was not taken from the peer",
    )
  })

  it("returns the longest wait, and leaves out what is not known", () => {
    const { peer, network } = levels()
    assert.equal(takeAll([{ limiter: peer, key: "a", amount: 5 }], 0), undefined)
    const both = [
      { limiter: peer, key: "a", amount: 4 },
      { limiter: network, key: undefined, amount: 1_000 },
    ]
    assert.equal(takeAll(both, 0), 4000)
    assert.equal(takeAll([{ limiter: network, key: undefined }], 0), undefined)
  })
})
