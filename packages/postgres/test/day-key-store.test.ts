import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { noPostgres } from "@conclave/testing/servers"
import { dayKeyStore, openDatabase } from "../src/index.js"
import { bytes, opened, postgres } from "./support.js"

const HOUR = 3_600_000

describe("shared keys of the day in PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  it("are rotated by one process at a time", async (test) => {
    const { options } = await opened(test, server)
    const stores = await Promise.all(
      Array.from({ length: 6 }, () => {
        const database = openDatabase(options)
        test.after(() => database.close())
        return dayKeyStore(database)
      }),
    )
    const made: number[] = []
    const states = await Promise.all(
      stores.flatMap((store, number) =>
        Array.from({ length: 4 }, () =>
          store.rotate(({ keys, now }) => {
            if (keys.length > 0) return undefined
            made.push(number)
            return { id: number + 1, sealed: bytes(`key ${number}`), announceAt: now, destroyAt: now + HOUR }
          }),
        ),
      ),
    )
    assert.equal(made.length, 1)
    for (const { keys } of states) assert.deepEqual(keys, states[0]!.keys)
    assert.equal(states[0]!.keys.length, 1)
  })

  it("come back as they were given, and are deleted when their time is over", async (test) => {
    const store = await dayKeyStore(await opened(test, server))
    const { now } = await store.read()
    const key = { id: 2 ** 32 - 1, sealed: bytes("key", 28), announceAt: now - HOUR, destroyAt: now + HOUR }
    const over = { ...key, id: 7, destroyAt: now - 1 }
    await store.rotate(() => over)
    assert.deepEqual((await store.read()).keys, [over])
    assert.deepEqual((await store.rotate(() => key)).keys, [key])
    const state = await store.read()
    assert.deepEqual(state.keys, [key])
    assert.ok(state.now >= now)
  })
})
