import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { deliveryStore } from "../src/index.js"
import { bytes, logOf, message, newGroup, opened, operator, postgres } from "./support.js"

const GROUPS = Array.from({ length: 24 }, (_, number) => `group ${number}`)

describe("appending to many groups", { skip: noPostgres }, () => {
  const server = postgres()

  async function start(test: TestContext) {
    const database = await opened(test, server, { lockTimeoutMilliseconds: 8_000 })
    const batches: number[] = []
    const store = await deliveryStore(database, sha256, { onBatch: (entries) => batches.push(entries) })
    for (const group of GROUPS) {
      await store.createGroup(newGroup(group))
      await store.append(message(group, `first of ${group}`))
    }
    batches.splice(0)
    const asOperator = await operator(test, database.options)
    const locked = async (group: string) => {
      await asOperator.query("BEGIN")
      await asOperator.query("SELECT 1 FROM mls_group WHERE id = $1 FOR UPDATE", [bytes(group)])
      return () => asOperator.query("ROLLBACK")
    }
    return { store, batches, locked }
  }

  const inOrder = (ids: readonly string[]) => ids.map((id) => Buffer.from(bytes(`body of ${id}`)).toString("hex"))

  it("writes what comes at once in one transaction, whatever groups it is for", async (test) => {
    const { store, batches } = await start(test)
    await Promise.all(GROUPS.map((group) => store.append(message(group, `second of ${group}`))))
    assert.deepEqual(batches, [GROUPS.length])
  })

  it("goes on in all groups but that which another transaction holds, and those few of its lane", async (test) => {
    const { store, locked } = await start(test)
    const release = await locked(GROUPS[0]!)
    const settled = new Set<string>()
    const append = async (group: string, id: string) => {
      await store.append(message(group, id))
      settled.add(id)
    }
    let isHeld = true
    const held = append(GROUPS[0]!, "held").finally(() => {
      isHeld = false
    })
    const others: Promise<void>[] = []
    const turns = 5
    for (let turn = 0; turn < turns; turn++) {
      for (const group of GROUPS.slice(1)) others.push(append(group, `turn ${turn} of ${group}`))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // One in 64 shares the lane of the group that is held.
    const most = turns * (GROUPS.length - 4)
    while (isHeld && settled.size < most) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(isHeld, true)
    await release()
    await Promise.all([held, ...others])
  })

  it("gives the entries of a group places in the order in which they came, also behind one that needs locks", async (test) => {
    const { store } = await start(test)
    const group = GROUPS[0]!
    const ids = Array.from({ length: 40 }, (_, number) => `${number}`)
    const answers: Promise<unknown>[] = []
    for (const [index, id] of ids.entries()) {
      // A repetition, which takes more round trips than a message.
      if (index % 4 === 0) answers.push(store.append(message(group, `first of ${group}`)))
      answers.push(store.append(message(group, id)))
      await new Promise((resolve) => setTimeout(resolve, index % 5))
    }
    await Promise.all(answers)
    const bodies = (await logOf(store, group)).map(({ body }) => Buffer.from(body).toString("hex"))
    assert.deepEqual(bodies, inOrder([`first of ${group}`, ...ids]))
  })

  it("is done when nothing waits any more", async (test) => {
    const { store } = await start(test)
    const asked = GROUPS.map((group) => store.append(message(group, `last of ${group}`)))
    await store[Symbol.asyncDispose]()
    assert.deepEqual(new Set((await Promise.all(asked)).map(({ type }) => type)), new Set(["accepted"]))
  })
})
