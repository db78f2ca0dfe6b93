import assert from "node:assert/strict"
import { type TestContext, test } from "node:test"
import {
  AddressTokens,
  type DayKeyStore,
  type SealedDayKey,
  SharedKeyRing,
  type SharedKeyRingOptions,
} from "../../src/sealed/index.js"
import { pause, provider } from "./support.js"

/** A ring whose store goes away. */

class MemoryStore implements DayKeyStore {
  keys: SealedDayKey[] = []
  /** The store's clock less that of this machine. */
  ahead = 0
  isAway = false

  async read() {
    if (this.isAway) throw new Error("away")
    return { keys: [...this.keys], now: Date.now() + this.ahead }
  }

  async rotate(next: Parameters<DayKeyStore["rotate"]>[0]) {
    const before = await this.read()
    this.keys = before.keys.filter(({ destroyAt }) => destroyAt > before.now)
    const added = next({ ...before, keys: this.keys })
    if (added !== undefined) this.keys.push(added)
    return this.read()
  }
}

async function open(test: TestContext, store: MemoryStore, options: Partial<SharedKeyRingOptions> = {}) {
  const ring = await SharedKeyRing.open({ provider, secret: new Uint8Array(32).fill(1), store, ...options })
  test.after(() => ring[Symbol.dispose]())
  return ring
}

test("keys are wiped when their time is over, by a timer, while the store is away", async (t) => {
  const store = new MemoryStore()
  const errors: unknown[] = []
  const short = { periodMilliseconds: 200, overlapMilliseconds: 100, leadMilliseconds: 0, lookMilliseconds: 50 }
  const ring = await open(t, store, { ...short, onError: (error) => errors.push(error) })
  const { id } = ring.publicKeys()[0]!
  const { privateKey } = ring.find(id)!
  assert.ok(privateKey.some((byte) => byte !== 0))
  store.isAway = true
  // Nobody asks for the key: nothing but the timer looks at it.
  for (let waited = 0; waited < 10_000 && privateKey.some((byte) => byte !== 0); waited += 20) await pause(20)
  assert.ok(privateKey.every((byte) => byte === 0))
  assert.deepEqual([ring.find(id), ring.publicKeys()], [undefined, []])
  assert.ok(errors.length > 0)
})

test("a ring that is disposed of while it looks at the store takes no keys any more", async (t) => {
  const store = new MemoryStore()
  const ring = await open(t, store)
  const [{ id }] = store.keys as [SealedDayKey]
  assert.ok(ring.find(id))
  const looking = ring.look()
  ring[Symbol.dispose]()
  await looking
  assert.equal(ring.find(id), undefined)
})

test("a key is announced when all have had time to fetch it, and at the same moment by the store's clock", async (t) => {
  const store = new MemoryStore()
  // The store is an hour ahead of both.
  store.ahead = 3_600_000
  const times = { periodMilliseconds: 10_000, leadMilliseconds: 9_000, lookMilliseconds: 3_600_000 }
  const [one, other] = [await open(t, store, times), await open(t, store, times)]
  const [first] = one.publicKeys()
  assert.deepEqual(other.publicKeys(), [first])
  assert.ok(Number(first!.useUntil) > Date.now() + store.ahead)
  // Due, and not yet announced.
  store.ahead += 2_000
  await one.look()
  assert.equal(store.keys.length, 2)
  await other.look()
  assert.deepEqual(one.publicKeys(), [first])
  assert.ok(other.find(store.keys[1]!.id) !== undefined, "the other has it before it is announced")
  store.ahead += 9_000
  await Promise.all([one.look(), other.look()])
  const ids = one.publicKeys().map(({ id }) => id)
  assert.deepEqual(ids.slice(-2), [store.keys[1]!.id, first!.id])
  assert.deepEqual(
    other.publicKeys().map(({ id }) => id),
    ids,
  )
})

test("a key is announced for as long as clients may use it, and opens what is late for an overlap more", async (t) => {
  const store = new MemoryStore()
  const times = { periodMilliseconds: 20_000, overlapMilliseconds: 30_000, lookMilliseconds: 3_600_000 }
  const ring = await open(t, store, times)
  const [{ id }] = store.keys as [SealedDayKey]
  const announces = () => ring.publicKeys().some((key) => key.id === id)
  for (const [ahead, isAnnounced, isThere] of [
    [0, true, true],
    [35_000, true, true],
    [45_000, false, true],
    [75_000, false, false],
  ] as const) {
    store.ahead = ahead
    await ring.look()
    assert.deepEqual([announces(), ring.find(id) !== undefined], [isAnnounced, isThere], `after ${ahead} ms`)
  }
})

test("tokens of gateways that share a ring are good at each other through the change of hour and day", async (t) => {
  const store = new MemoryStore()
  const times = { periodMilliseconds: 86_400_000, lookMilliseconds: 3_600_000 }
  const rings = [await open(t, store, times), await open(t, store, times)]
  const tokens = rings.map((ring) => {
    const each = new AddressTokens({ provider })
    ring.feed(each)
    return each
  })
  for (let hours = 0; hours < 50; hours++) {
    const token = tokens[hours % 2]!.issue("192.0.2.1")
    assert.equal(tokens[(hours + 1) % 2]!.spend(token, "192.0.2.1"), true, `after ${hours} hours`)
    const kept = tokens[hours % 2]!.issue("192.0.2.1")
    store.ahead += 3_600_000
    await Promise.all(rings.map((ring) => ring.look()))
    assert.equal(tokens[(hours + 1) % 2]!.spend(kept, "192.0.2.1"), true, `from before ${hours} hours`)
  }
})
