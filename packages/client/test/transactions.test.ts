import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { ClientError } from "../src/errors.js"
import { memoryStore, type StoreChanges } from "../src/index.js"
import { loadProfile, type Reloadable, Transactions } from "../src/journal/transactions.js"
import { SealedStore } from "../src/store/sealed.js"
import { profileOf } from "./support/judging.js"
import { provider } from "./support/world.js"

/** A store that counts transactions, and fails at those that are chosen. */
function counted(fails: (transaction: number) => boolean = () => false) {
  const memory = memoryStore()
  const written: StoreChanges[] = []
  const store = new SealedStore(
    {
      lost: memory.lost,
      get: (key) => memory.get(key),
      list: (prefix, options) => memory.list(prefix, options),
      async transaction(changes) {
        written.push(changes)
        if (fails(written.length)) throw new ClientError("STORE_FAILED", "the disk is full")
        await memory.transaction(changes)
      },
      [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    },
    { provider, sealingKey: new Uint8Array(32), random: (length) => provider.random(length) },
  )
  return { store, written, transactions: new Transactions(store, profileOf("alice")) }
}

/** A number in memory, and in the store as a record. */
class Counter implements Reloadable {
  value = 0
  reloads = 0
  readonly #store: SealedStore

  constructor(store: SealedStore) {
    this.#store = store
  }

  async reload(): Promise<void> {
    this.reloads++
    this.value = (await this.#store.get("counter"))?.[0] ?? 0
  }
}

const rejected = { type: "rejected", conversation: undefined, code: "X", reason: "why" } as const

describe("what waits to be stored", () => {
  it("is written together, in the order in which it was asked for", async () => {
    const { store, written, transactions } = counted()
    const counter = new Counter(store)
    const results = await Promise.all(
      Array.from({ length: 100 }, () =>
        transactions.run(counter, (transaction) => {
          transaction.put("counter", Uint8Array.of(++counter.value))
          transaction.delete(`counter/${counter.value}`)
          return counter.value
        }),
      ),
    )
    assert.deepEqual(
      results,
      results.map((_, at) => at + 1),
    )
    assert.ok(written.length <= 2, `${written.length} transactions`)
    assert.deepEqual(await store.get("counter"), Uint8Array.of(100))
  })

  it("is stored without what throws, whose part is read again, and what comes after goes on from there", async () => {
    const { store, transactions } = counted()
    const counter = new Counter(store)
    const count = () =>
      transactions.run(counter, (transaction) => transaction.put("counter", Uint8Array.of(++counter.value)))
    const before = count()
    const broken = transactions.run(counter, (transaction) => {
      counter.value = 77
      transaction.put("counter", Uint8Array.of(77))
      transaction.put("other", Uint8Array.of(77))
      throw new TypeError("a fault")
    })
    const after = count()
    await assert.rejects(broken, TypeError)
    await Promise.all([before, after])
    assert.deepEqual([counter.value, counter.reloads], [2, 1])
    assert.deepEqual(await store.get("counter"), Uint8Array.of(2))
    assert.equal(await store.get("other"), undefined)
  })

  it("fails together, and everything that it touched is read again", async () => {
    const { store, transactions } = counted((transaction) => transaction === 2)
    const [one, other] = [new Counter(store), new Counter(store)]
    await transactions.run(one, (transaction) => transaction.put("counter", Uint8Array.of(++one.value)))
    const both = [one, other].map((counter) =>
      transactions.run(counter, (transaction) => transaction.put("counter", Uint8Array.of(++counter.value))),
    )
    assert.equal(other.value, 0)
    for (const failed of both) await assert.rejects(failed, { code: "STORE_FAILED" })
    assert.deepEqual([one.value, other.value], [1, 1])
    await transactions.run(one, (transaction) => transaction.put("counter", Uint8Array.of(++one.value)))
    assert.deepEqual(await store.get("counter"), Uint8Array.of(2))
  })

  it("is read again in its turn where that was asked for", async () => {
    const { store, transactions } = counted()
    const counter = new Counter(store)
    const stored = transactions.run(counter, (transaction) => transaction.put("counter", Uint8Array.of(5)))
    const read = transactions.discard(counter)
    const seen = transactions.run(counter, () => counter.value)
    await Promise.all([stored, read])
    assert.equal(await seen, 5)
  })

  it("counts an event that is repeated, once for each time, also within one transaction", async () => {
    const { store, transactions } = counted()
    await Promise.all([1, 2, 3].map(() => transactions.run(undefined, (transaction) => transaction.emit(rejected))))
    await transactions.run(undefined, (transaction) => transaction.emit(rejected))
    assert.equal(transactions.profile.nextEvent, 2n)
    assert.equal((await loadProfile(store))?.nextEvent, 2n)
    assert.equal(transactions.unread.find("rejected  X")?.event.type, "rejected")
    const event = transactions.unread.find("rejected  X")?.event
    assert.equal(event?.type === "rejected" && event.count, 4)
  })

  it("forgets what is deleted under a prefix, but not what is put there later", async () => {
    const { store, transactions } = counted()
    await transactions.run(undefined, (transaction) => {
      for (const key of ["a/1", "a/2", "b/1"]) transaction.put(key, Uint8Array.of(1))
    })
    await Promise.all([
      transactions.run(undefined, (transaction) => transaction.put("a/3", Uint8Array.of(1))),
      transactions.run(undefined, (transaction) => transaction.deleteUnder("a/", "a/1")),
      transactions.run(undefined, (transaction) => transaction.put("a/4", Uint8Array.of(1))),
    ])
    assert.deepEqual([...(await store.keys("a/")), ...(await store.keys("b/"))], ["a/1", "a/4", "b/1"])
  })

  it("is completed when the client is closed, and nothing is taken after that", async () => {
    const { transactions } = counted()
    const last = transactions.run(undefined, () => "done")
    const closing = transactions.close()
    assert.equal(await last, "done")
    await closing
    await assert.rejects(
      transactions.run(undefined, () => {}),
      { code: "CLOSED" },
    )
  })
})
