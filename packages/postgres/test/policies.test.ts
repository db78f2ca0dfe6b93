import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { type GroupPolicy, keeping, retiring } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { deliveryStore, openDatabase } from "../src/index.js"
import { admitted, bytes, KEY, logOf, message, newGroup, opened, operator, postgres, sweepAll } from "./support.js"

const shown = (name: string) => ({ groupId: bytes(name), key: KEY, permit: admitted, admit: admitted })
const noticing = { at: 1n, notice: 10n }

describe("policies at several gateways on PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  async function twoGateways(test: TestContext) {
    const database = await opened(test, server)
    const other = openDatabase(database.options)
    test.after(() => other.close())
    return { one: await deliveryStore(database, sha256), two: await deliveryStore(other, sha256), database }
  }

  it("a group that is retired is kept or gone, never both, when the other gateway appends as it goes", async (test) => {
    const { one, two } = await twoGateways(test)
    const outcomes = new Set<string>()
    for (let round = 0; round < 8; round++) {
      const name = `group ${round}`
      await one.createGroup(newGroup(name))
      await two.changePolicy({ ...shown(name), at: 1n, change: (policy) => retiring(policy, 0n, noticing) })
      const swept = one.sweep({ at: 11n, messages: 0n, log: 0n, inbox: 0n, groups: 0n, knocks: 0n, rowsMax: 9 })
      const appended = await two.append(message(name, "late", { at: 11n }))
      await swept
      await sweepAll(one, { at: 11n })
      const head = await two.head(shown(name))
      outcomes.add(appended.type)
      if (appended.type === "accepted") assert.equal((await logOf(two, name)).length, 1)
      else assert.deepEqual([appended.type, head.type], ["notFound", "notFound"])
    }
    assert.ok(outcomes.size > 0)
  })

  it("a change is made once of what a change at the other gateway has left", async (test) => {
    const { one, two } = await twoGateways(test)
    await one.createGroup(newGroup("group"))
    const next = (policy: GroupPolicy) => keeping(policy, { messages: 5n, handshakes: undefined }, noticing)
    const changes = Array.from({ length: 10 }, (_, n) =>
      (n % 2 === 0 ? one : two).changePolicy({ ...shown("group"), at: 1n, change: next }),
    )
    const versions = (await Promise.all(changes)).map((it) => (it.type === "policy" ? it.policy.version : 0n))
    assert.deepEqual(
      versions.sort((a, b) => Number(a - b)),
      Array.from({ length: 10 }, (_, n) => BigInt(n + 1)),
    )
    const found = await two.policy(shown("group"))
    assert.equal(found.type === "policy" && found.policy.version, 10n)
  })

  it("of a group that a gateway of an earlier version has deleted is forgotten", async (test) => {
    const { one, database } = await twoGateways(test)
    const asOperator = await operator(test, database.options)
    await one.createGroup(newGroup("group"))
    await one.changePolicy({ ...shown("group"), at: 1n, change: (policy) => retiring(policy, 0n, noticing) })
    await asOperator.query("DELETE FROM access_interval; DELETE FROM mls_group")
    await sweepAll(one, { at: 99n })
    assert.deepEqual((await asOperator.query("SELECT * FROM group_policy")).rows, [])
  })
})
