import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { createGroup, createService, expectType, messageRequest, sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import type { Connection } from "../src/connection.js"
import { type Database, deliveryStore, openDatabase } from "../src/index.js"
import { message, newGroup, opened, operator, postgres } from "./support.js"

describe("attacks on appending through several gateways", { skip: noPostgres }, () => {
  const server = postgres()

  /** Appends without locks call `meanwhile` when they have read. */
  function between(database: Database, meanwhile: () => Promise<void>): Database {
    const free: Database["free"] = (work) =>
      database.free((connection) => {
        const commit: Connection["commit"] = async (sql, parameters) => {
          await meanwhile()
          return connection.commit(sql, parameters)
        }
        return work({ ...connection, commit })
      })
    return new Proxy(database, {
      get(target, name) {
        const value = name === "free" ? free : Reflect.get(target, name, target)
        return typeof value === "function" && name !== "free" ? value.bind(target) : value
      },
    })
  }

  /** Two gateways, the first of which is slow: `meanwhile` is between its reading and its writing. */
  async function slowAndFast(test: TestContext) {
    const database = await opened(test, server)
    const other = openDatabase(database.options)
    test.after(() => other.close())
    const run: { meanwhile: () => Promise<void> } = { meanwhile: async () => {} }
    const slow = await deliveryStore(
      between(database, () => run.meanwhile()),
      sha256,
    )
    return { slow, fast: await deliveryStore(other, sha256), run, options: database.options }
  }

  const answersOf = (types: readonly { readonly type: string }[], type: string) =>
    types.filter((it) => it.type === type).length

  it("what a group has left of its rate is not spent twice by two gateways at once", async (test) => {
    const { slow, fast, run } = await slowAndFast(test)
    const limits = { appends: { perSecond: 1, burst: 41 } }
    const [first, second] = [createService(slow, { limits }), createService(fast, { limits })]
    const groupId = await createGroup(first)
    expectType(await first.ask(messageRequest(groupId, 0n)), "accepted")
    const some = (service: typeof first) =>
      Promise.all(Array.from({ length: 30 }, () => service.ask(messageRequest(groupId, 0n))))
    let others: Awaited<ReturnType<typeof some>> = []
    run.meanwhile = async () => {
      run.meanwhile = async () => {}
      others = await some(second)
    }
    const answers = [...(await some(first)), ...others]
    assert.deepEqual([answersOf(answers, "accepted"), answersOf(answers, "throttled")], [40, 20])
  })

  it("nor is its room", async (test) => {
    const { slow, fast, run } = await slowAndFast(test)
    const limits = { groupSizeMax: 10_000 }
    const [first, second] = [createService(slow, { limits }), createService(fast, { limits })]
    const groupId = await createGroup(first)
    const asked = () => messageRequest(groupId, 0n, { size: 500 })
    const some = (service: typeof first) => Promise.all(Array.from({ length: 10 }, () => service.ask(asked())))
    expectType(await first.ask(asked()), "accepted")
    let others: Awaited<ReturnType<typeof some>> = []
    run.meanwhile = async () => {
      run.meanwhile = async () => {}
      others = await some(second)
    }
    const answers = [...(await some(first)), ...others]
    const [accepted, refused] = [answersOf(answers, "accepted"), answersOf(answers, "quotaExceeded")]
    assert.ok(refused > 0 && accepted + refused === 20 && accepted * 700 < 10_000, `${accepted} accepted`)
  })

  it("where a clock was set back, the rate of a group starts again, and does not end", async (test) => {
    const service = createService(await deliveryStore(await opened(test, server), sha256), {
      limits: { appends: { perSecond: 1, burst: 5 } },
    })
    const groupId = await createGroup(service)
    service.clock.now += 3_600_000
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    service.clock.now -= 3_600_000
    const answers = []
    for (let tried = 0; tried < 10; tried++) answers.push(await service.ask(messageRequest(groupId, 0n)))
    assert.deepEqual([answersOf(answers, "accepted"), answersOf(answers, "throttled")], [5, 5])
  })

  it("a gateway that starts while another rewrites a partition appends where there is one", async (test) => {
    const database = await opened(test, server, { lockTimeoutMilliseconds: 300 })
    const first = await deliveryStore(database, sha256)
    await first.createGroup(newGroup("group"))
    await first.append(message("group", "1"))
    const holder = await operator(test, database.options)
    await holder.query("BEGIN")
    await holder.query("SELECT pg_advisory_xact_lock(hashtext('conclave partitions'), hashtext(current_schema()))")
    const other = openDatabase(database.options)
    test.after(() => other.close())
    const second = await deliveryStore(other, sha256)
    assert.equal((await second.append(message("group", "2"))).type, "accepted")
  })

  it("keeps the order of a group where a batch is tried one by one, and somebody holds the group for a moment", async (test) => {
    const { slow, run, options } = await slowAndFast(test)
    for (const group of ["group", "other"]) await slow.createGroup(newGroup(group))
    await slow.append(message("group", "0"))
    const holder = await operator(test, options)
    const release = () => holder.query("ROLLBACK")
    run.meanwhile = async () => {
      // What comes next finds it free.
      run.meanwhile = async () => void (await release())
      await holder.query("BEGIN; SELECT 1 FROM mls_group ORDER BY number FOR UPDATE")
      setTimeout(() => release().catch(() => {}), 200)
    }
    const asked = [
      slow.append(message("group", "1")),
      // Not below 2^63: no statement has such a parameter.
      slow.append(message("other", "2", { epoch: 1n << 63n })),
      slow.append(message("group", "3")),
    ]
    await assert.rejects(asked[1]!, RangeError)
    const answers = await Promise.all([asked[0]!, asked[2]!])
    assert.deepEqual(
      answers.map((answer) => answer.type === "accepted" && answer.seq),
      [2n, 3n],
    )
  })
})
