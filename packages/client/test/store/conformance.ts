import { ClientError } from "../../src/errors.js"
import type { Store, StoreChanges } from "../../src/store/store.js"

/** A profile that can be opened, closed, and opened again. */
export interface StoreUnderTest {
  open(): Promise<Store>
}

export interface ConformanceCase {
  readonly rule: string
  check(store: StoreUnderTest): Promise<void>
}

/** What every store has to do, whatever it is made of. Plain functions, so that they also run inside a browser. */
export const conformance: readonly ConformanceCase[] = [
  {
    rule: "what a transaction wrote is there after closing and opening",
    async check(profile) {
      await using(profile, (store) => store.transaction(put({ a: [1, 2, 3], b: [] })))
      await using(profile, async (store) => {
        equal(await store.get("a"), [1, 2, 3])
        equal(await store.get("b"), [])
        equal(await store.get("c"), undefined)
      })
    },
  },
  {
    rule: "a transaction replaces and deletes records together",
    async check(profile) {
      await using(profile, async (store) => {
        await store.transaction(put({ kept: [1], replaced: [1], deleted: [1] }))
        await store.transaction({ ...put({ replaced: [2], added: [3] }), delete: new Set(["deleted", "never was"]) })
        equal(await keys(store, ""), ["added", "kept", "replaced"])
        equal(await store.get("replaced"), [2])
      })
    },
  },
  {
    rule: "records are listed by prefix in the order of their keys, from either end, with a limit and a bound",
    async check(profile) {
      await using(profile, async (store) => {
        await store.transaction(put({ "b/2": [2], "b/1": [1], "a/9": [9], "b/3": [3], "c/1": [4], b: [5], b0: [6] }))
        equal(await keys(store, "b/"), ["b/1", "b/2", "b/3"])
        equal(await keys(store, "b/", { limit: 2 }), ["b/1", "b/2"])
        equal(await keys(store, "b/", { reverse: true, limit: 2 }), ["b/3", "b/2"])
        equal(await keys(store, "b/", { reverse: true, before: "b/3" }), ["b/2", "b/1"])
        equal(await keys(store, "b/", { before: "b/0" }), [])
        equal(await keys(store, "b/", { before: "c" }), ["b/1", "b/2", "b/3"])
        equal(await keys(store, "d"), [])
        equal((await store.list("b/", { limit: 1 }))[0]?.[1], [1])
      })
    },
  },
  {
    rule: "a profile that is open is refused to a second client, and free again after closing",
    async check(profile) {
      const first = await profile.open()
      await rejects(() => profile.open(), "STORE_LOCKED")
      await first.transaction(put({ still: [1] }))
      await first[Symbol.asyncDispose]()
      await using(profile, async (second) => equal(await second.get("still"), [1]))
    },
  },
  {
    rule: "a store that is closed fails, and can be closed again",
    async check(profile) {
      const store = await profile.open()
      await store[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await rejects(() => store.get("a"), "STORE_FAILED")
      await rejects(() => store.transaction(put({ a: [1] })), "STORE_FAILED")
    },
  },
  {
    rule: "what was read or written can be changed without changing the store",
    async check(profile) {
      await using(profile, async (store) => {
        const written = Uint8Array.of(1)
        await store.transaction({ put: new Map([["a", written]]), delete: new Set() })
        written[0] = 9
        const read = await store.get("a")
        read![0] = 8
        equal(await store.get("a"), [1])
      })
    },
  },
]

async function using<T>(profile: StoreUnderTest, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await profile.open()
  try {
    return await work(store)
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

function put(records: Record<string, readonly number[]>): StoreChanges {
  return {
    put: new Map(Object.entries(records).map(([key, bytes]) => [key, Uint8Array.from(bytes)])),
    delete: new Set(),
  }
}

async function keys(store: Store, prefix: string, options?: Parameters<Store["list"]>[1]): Promise<readonly string[]> {
  return (await store.list(prefix, options)).map(([key]) => key)
}

function equal(found: Uint8Array | readonly unknown[] | undefined, expected: readonly unknown[] | undefined): void {
  const [a, b] = [found, expected].map((it) => (it === undefined ? "nothing" : JSON.stringify([...it])))
  if (a !== b) throw new Error(`expected ${b}, found ${a}`)
}

async function rejects(work: () => Promise<unknown>, code: string): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof ClientError && error.code === code) return
    throw error
  }
  throw new Error(`expected ${code}, and nothing failed`)
}
