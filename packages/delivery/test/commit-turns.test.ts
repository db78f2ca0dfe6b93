import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Rate, Requester } from "@conclave/transport"
import { afterTaking } from "../src/budgets.js"
import { CommitTurns, type CommitTurnsOptions } from "../src/commit-turns.js"

/** mulberry32: the same draws in every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Turns, with the budgets that a store keeps. */
class Turns {
  readonly #turns: CommitTurns
  readonly #rate: Rate
  readonly #fullAt = new Map<string, number>()

  constructor(options: CommitTurnsOptions) {
    this.#turns = new CommitTurns(options)
    this.#rate = options.rate
  }

  take(group: string, requester: Requester | undefined, now: number): number | undefined {
    const fullAt = this.#fullAt.get(group) ?? 0
    const wait = this.#turns.take(group, requester, { now, fullAt })
    if (wait === undefined) this.#fullAt.set(group, afterTaking({ rate: this.#rate, fullAt }, now))
    return wait
  }

  /** As somebody does that another process serves. */
  takeElsewhere(group: string, now: number): void {
    this.#fullAt.set(group, afterTaking({ rate: this.#rate, fullAt: this.#fullAt.get(group) ?? 0 }, now))
  }

  get size(): number {
    return this.#turns.size
  }
}

const turnsOf = (seed = 1, options = {}) =>
  new Turns({ rate: { perSecond: 1, burst: 5 }, random: generator(seed), ...options })

const requester = (peer: string, network = peer): Requester => ({ peer, network })
const [alice, bob, mallory] = [requester("alice"), requester("bob"), requester("mallory")]

/** Asks until it is served; when, and how often it was told to wait. */
function servedAt(turns: Turns, asking: Requester, from: number): number {
  for (let now = from; ; ) {
    const wait = turns.take("g", asking, now)
    if (wait === undefined) return now
    now += wait
    assert.ok(now - from < 120_000, "never served")
  }
}

interface Contest {
  readonly seed: number
  readonly attackers: readonly Requester[]
  /** Between the honest member and the service, one way. */
  readonly delay?: number
}

/**
 * Attackers ask once in a millisecond, beside the service. The honest member is `delay` away: it commits again each
 * time that a commit of theirs came first, as soon as it has read it. Returns when its commit was accepted.
 */
function contest({ seed, attackers, delay = 50 }: Contest): number {
  const turns = turnsOf(seed)
  let log = 0
  let honest = { arrives: delay, after: 0 }
  for (let now = 0; now < 10_000; now++) {
    for (const attacker of attackers) if (turns.take("g", attacker, now) === undefined) log++
    if (now < honest.arrives) continue
    // Stale: it reads what came first and makes its commit again.
    if (honest.after !== log) honest = { arrives: now + 2 * delay, after: log }
    else {
      const wait = turns.take("g", alice, now)
      if (wait === undefined) return now
      // It learns of what has been accepted meanwhile, and commits again; or asks again with what it has.
      honest = { arrives: now + wait + 2 * delay, after: honest.after }
    }
  }
  return Number.POSITIVE_INFINITY
}

describe("the turns of those who commit in a group", () => {
  it("come at once while the burst lasts, and then at the rate", () => {
    const turns = turnsOf()
    const waits = [1, 2, 3, 4, 5, 6].map(() => turns.take("g", alice, 0))
    assert.deepEqual(waits, [undefined, undefined, undefined, undefined, undefined, 1000])
    assert.equal(turns.take("g", alice, 999), 50)
    assert.equal(turns.take("g", alice, 1000), undefined)
    assert.equal(turns.take("another group", alice, 1000), undefined)
  })

  it("change between two who both want all of them, however fast one of them asks", () => {
    const turns = turnsOf()
    for (let i = 0; i < 5; i++) turns.take("g", mallory, 0)
    const served: string[] = []
    let bobAsksAt = 500
    for (let now = 0; served.length < 20; now++) {
      if (turns.take("g", mallory, now) === undefined) served.push("mallory")
      if (now < bobAsksAt) continue
      const wait = turns.take("g", bob, now)
      if (wait === undefined) served.push("bob")
      bobAsksAt = now + (wait ?? 1)
    }
    assert.equal(served[0], "bob")
    const ofBob = served.filter((name) => name === "bob").length
    assert.ok(ofBob >= 9 && ofBob <= 15, served.join())
  })

  it("let a member 50 ms away commit within 5 s against one who commits as fast as it can beside the service", () => {
    const times = Array.from({ length: 300 }, (_, seed) => contest({ seed, attackers: [mallory] }))
    assert.ok(Math.max(...times) <= 5_000, `${Math.max(...times)} ms`)
  })

  it("are one for a network, however many addresses in it ask", () => {
    const attackers = Array.from({ length: 50 }, (_, index) => requester(`attacker ${index}`, "attackers"))
    const times = Array.from({ length: 40 }, (_, seed) => contest({ seed, attackers }))
    assert.ok(Math.max(...times) <= 5_000, `${Math.max(...times)} ms`)
  })

  it("are one for each address within a network", () => {
    const turns = turnsOf()
    const [a, b] = [requester("a", "n"), requester("b", "n")]
    for (let i = 0; i < 5; i++) turns.take("g", a, 0)
    turns.take("g", a, 0)
    turns.take("g", b, 0)
    assert.equal(turns.take("g", a, 1000), 250)
    assert.equal(turns.take("g", b, 1000), undefined)
  })

  it("are kept for the one drawn for three seconds, and then free for others", () => {
    const turns = turnsOf()
    for (let i = 0; i < 5; i++) turns.take("g", mallory, 0)
    turns.take("g", bob, 900)
    const served: number[] = []
    // Bob has had none: his is the place at 1,000, and he is gone.
    for (let now = 1_000; now <= 4_500; now++) if (turns.take("g", mallory, now) === undefined) served.push(now)
    assert.deepEqual(
      served,
      [2_000, 3_000, 4_000, 4_000].map((now, index) => now + (index === 3 ? 1 : 0)),
    )
  })

  it("of those that have stopped asking are not waited for", () => {
    const turns = turnsOf()
    for (let i = 0; i < 5; i++) turns.take("g", mallory, 0)
    turns.take("g", bob, 0)
    // Bob's lot is out of the draw five seconds after he asked.
    for (let i = 0; i < 4; i++) turns.take("g", mallory, 5_001)
    assert.equal(turns.take("g", mallory, 5_001), undefined)
  })

  it("are free for others while there is more than one place", () => {
    const turns = turnsOf()
    for (let i = 0; i < 6; i++) turns.take("g", mallory, 0)
    turns.take("g", bob, 0)
    turns.take("g", mallory, 1_000)
    assert.equal(turns.take("g", mallory, 1_999), 250)
    assert.equal(turns.take("g", mallory, 2_000), undefined)
  })

  it("are not given where somebody took the group's place elsewhere, and come with the next", () => {
    const turns = turnsOf()
    for (let i = 0; i < 5; i++) turns.take("g", mallory, 0)
    turns.take("g", bob, 0)
    turns.takeElsewhere("g", 0)
    assert.equal(turns.take("g", bob, 1_000), 1_000)
    // It was drawn and comes: the place is gone once more.
    turns.take("g", mallory, 2_000)
    turns.takeElsewhere("g", 2_000)
    assert.equal(turns.take("g", bob, 2_100), 250)
    assert.equal(turns.take("g", bob, 3_000), undefined)
  })

  it("are not needed by one who is alone: it gets every place when it is there", () => {
    const turns = turnsOf()
    for (let i = 0; i < 5; i++) turns.take("g", alice, 0)
    for (let second = 1; second < 10; second++) assert.equal(servedAt(turns, alice, second * 1000 - 400), second * 1000)
  })

  it("that no listener can tell apart have one lot together", () => {
    const turns = turnsOf()
    for (let i = 0; i < 5; i++) turns.take("g", undefined, 0)
    turns.take("g", undefined, 500)
    turns.take("g", bob, 500)
    assert.equal(turns.take("g", undefined, 1000), 250)
    assert.equal(turns.take("g", bob, 1000), undefined)
  })

  it("are forgotten when nobody could tell, and not before", () => {
    const turns = turnsOf()
    for (let group = 0; group < 100; group++) turns.take(`g${group}`, alice, 0)
    assert.equal(turns.size, 100)
    turns.take("g", alice, 59_000)
    assert.equal(turns.size, 101)
    turns.take("g", alice, 125_000)
    assert.equal(turns.size, 1)
  })

  it("are looked through for what can be forgotten once in a minute, not with every commit", () => {
    const turns = turnsOf()
    turns.take("first", alice, 0)
    turns.take("second", alice, 10_000)
    // The second group's turn is 50 s old.
    turns.take("third", alice, 60_000)
    assert.equal(turns.size, 2)
    turns.take("third", alice, 100_000)
    assert.equal(turns.size, 2)
    turns.take("third", alice, 120_000)
    assert.equal(turns.size, 1)
  })

  it("have room for 256 that wait; which of them makes room for another is drawn", () => {
    let drawn = 0
    const random = () => {
      drawn++
      return 0
    }
    const turns = new Turns({ rate: { perSecond: 1, burst: 1 }, random })
    turns.take("g", mallory, 0)
    drawn = 0
    for (let i = 0; i < 256; i++) turns.take("g", requester(`waiting ${i}`), 0)
    assert.equal(drawn, 0)
    for (let i = 0; i < 50; i++) turns.take("g", requester(`late ${i}`), 0)
    assert.equal(drawn, 50)
    // Those that wait already take nobody's room by asking again.
    turns.take("g", requester("late 49"), 0)
    assert.equal(drawn, 50)
  })
})
