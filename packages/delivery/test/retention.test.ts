import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  commitRequest,
  createDevice,
  createGroup,
  createGroupRequest,
  createService,
  expectType,
  keyPackage,
  logOf,
  messageRequest,
  NOW,
  proved,
  sha256,
  type TestService,
  temporaryFolder,
} from "@conclave/testing/delivery"
import Libsql from "libsql"
import { retentionOf, startSweeping, sweepOnce } from "../src/index.js"
import { stores } from "./stores.js"

const DAY = 86_400_000
const sweep = (service: TestService, rowsMax = 200) =>
  sweepOnce({ store: service.store, now: () => service.clock.now, rowsMax })
const kindsOf = async (service: TestService, groupId: Uint8Array, afterSeq = 0n) => {
  const answer = await service.ask({ type: "read", groupId, afterSeq, limit: 100 })
  return expectType(answer, "entries").entries.map(({ seq, kind }) => `${seq} ${kind}`)
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`what is kept (${name})`, () => {
    for (const rowsMax of [1, 200]) {
      it(`of messages is what they were for 30 days, then their place in the chain (${rowsMax} at a time)`, async (test) => {
        const service = createService(openStore(test))
        const groupId = await createGroup(service)
        const old = messageRequest(groupId, 0n)
        for (const request of [old, commitRequest(groupId, 0n), messageRequest(groupId, 1n)]) {
          expectType(await service.ask(request), "accepted")
        }
        service.clock.now += 29 * DAY
        await service.ask(messageRequest(groupId, 1n))
        await sweep(service, rowsMax)
        assert.deepEqual(await kindsOf(service, groupId), [
          "1 application",
          "2 commit",
          "3 application",
          "4 application",
        ])
        service.clock.now += 2 * DAY
        await sweep(service, rowsMax)
        assert.deepEqual(await kindsOf(service, groupId), ["1 expired", "2 commit", "3 expired", "4 application"])
        const answer = await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 100 })
        let chainHash = logChainStart(sha256, groupId)
        for (const entry of expectType(answer, "entries").entries) {
          chainHash = logChainHash(sha256, chainHash, entry)
          assert.deepEqual(entry.chainHash, chainHash)
          if (entry.seq === 1n) assert.deepEqual(entry.body, sha256(old.body))
        }
        assert.equal(expectType(await service.ask(old), "accepted").seq, 1n)
      })
    }

    it("of a log is 180 days; who was away for longer is told where it begins, and a stream goes on from there", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      for (const request of [messageRequest(groupId, 0n), commitRequest(groupId, 0n), messageRequest(groupId, 1n)]) {
        await service.ask(request)
      }
      service.clock.now += 181 * DAY
      expectType(await service.ask(messageRequest(groupId, 1n)), "accepted")
      await sweep(service)
      const read = { type: "read", groupId, afterSeq: 0n, limit: 10 } as const
      assert.deepEqual(await service.ask(read), { type: "belowRetention", groupId, oldestSeq: 4n })
      assert.deepEqual(await kindsOf(service, groupId, 3n), ["4 application"])
      const gone = new AbortController()
      const cursors = [{ groupId, afterSeq: 0n }]
      const stream = service.subscribe({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, gone.signal)
      assert.equal((await stream.next()).value?.type, "belowRetention")
      assert.equal(expectType((await stream.next()).value!, "entries").entries[0]?.seq, 4n)
      gone.abort()
      // The last commit is kept, and still what the next one has to come after.
      const kept = await logOf(service.store, groupId)
      assert.deepEqual(
        kept.entries.map(({ seq }) => seq),
        [2n, 4n],
      )
      assert.equal(expectType(await service.ask(commitRequest(groupId, 1n, { after: 0n })), "stale").lastCommitSeq, 2n)
      expectType(await service.ask(commitRequest(groupId, 1n, { after: 2n })), "accepted")
      expectType(await service.ask(messageRequest(groupId, 1n, { after: 0n })), "stale")
      // When another is the last one, it goes as well.
      service.clock.now += 181 * DAY
      await service.ask(messageRequest(groupId, 1n, { after: 5n }))
      await sweep(service)
      const later = await logOf(service.store, groupId)
      assert.deepEqual(
        later.entries.map(({ seq }) => seq),
        [5n, 6n],
      )
    })

    it("of inboxes is 180 days, of key packages their lifetime, of groups without traffic 360 days", async (test) => {
      const service = createService(openStore(test))
      const bob = service.register(createDevice())
      const [silent, busy] = [await createGroup(service), await createGroup(service)]
      await service.ask(commitRequest(silent, 0n, { recipients: [bob] }))
      const publish = { type: "publishKeyPackages", cipherSuite: 1, lastResort: undefined, replaces: false } as const
      await service.ask(proved(bob, { ...publish, keyPackages: [keyPackage(bob)] }))
      const inbox = async () => {
        const answer = await service.ask(proved(bob, { type: "inbox", after: 0n, limit: 9 }, service.clock.now))
        return expectType(answer, "inboxEntries").entries.length
      }
      service.clock.now += 179 * DAY
      await sweep(service)
      assert.equal(await inbox(), 1)
      service.clock.now += 2 * DAY
      await sweep(service)
      assert.equal(await inbox(), 0)
      await service.ask(messageRequest(busy, 0n))
      service.clock.now += 180 * DAY
      await sweep(service)
      expectType(await service.ask({ type: "head", groupId: silent }), "notFound")
      expectType(await service.ask({ type: "head", groupId: busy }), "head")
    })
  })
}

describe("a sweep", { timeout: 120_000 }, () => {
  it("makes room: what was deleted is overwritten on the disk, and its place used again", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    const database = openDatabase({ file })
    test.after(() => database.close())
    const service = createService(deliveryStore(database, sha256))
    const groupId = await createGroup(service)
    const secret = messageRequest(groupId, 0n, { size: 5_000 })
    const needle = Buffer.from(secret.body.subarray(3_000, 3_040))
    const fill = async () => {
      for (let i = 0; i < 40; i++) await service.ask(messageRequest(groupId, 0n, { size: 20_000 }))
    }
    await service.ask(secret)
    await fill()
    database.checkpoint()
    const full = readFileSync(file)
    assert.ok(full.includes(needle))
    service.clock.now += 31 * DAY
    await sweep(service)
    for (const path of [file, `${file}-wal`]) assert.equal(readFileSync(path).includes(needle), false, path)
    await fill()
    database.checkpoint()
    assert.ok(readFileSync(file).length < full.length * 1.3, `${readFileSync(file).length} after ${full.length}`)
  })

  it("counts what a group has freed as its room", async (test) => {
    const service = createService(stores.SQLite!(test), { limits: { groupSizeMax: 10_000 } })
    const groupId = await createGroup(service)
    const fill = async () => {
      let accepted = 0
      while ((await service.ask(messageRequest(groupId, 0n, { size: 2_000 }))).type === "accepted") accepted++
      return accepted
    }
    assert.equal(await fill(), 4)
    service.clock.now += 31 * DAY
    assert.equal(await fill(), 0)
    await sweep(service)
    assert.equal(await fill(), 4)
  })

  it("after a restart leaves the beginning of a log where it was", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    const groupId = new Uint8Array(32).fill(7)
    const at = NOW + 181 * DAY
    const sweepAll = async (prepare?: (service: TestService) => Promise<unknown>) => {
      await using store = deliveryStore(openDatabase({ file }), sha256)
      await prepare?.(createService(store))
      await sweepOnce({ store, now: () => at })
      return logOf(store, groupId)
    }
    const first = await sweepAll(async (service) => {
      await service.ask(createGroupRequest(groupId))
      await service.ask(commitRequest(groupId, 0n))
      for (let i = 0; i < 3; i++) await service.ask(messageRequest(groupId, 1n))
    })
    // The commit stays, before the beginning.
    assert.deepEqual([first.oldestSeq, first.entries.map(({ seq }) => seq)], [5n, [1n]])
    assert.deepEqual(await sweepAll(), first)
  })

  it("that cannot be written says why, and the next one deletes what this one did not", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    const database = openDatabase({ file, lockTimeoutMilliseconds: 20 })
    const other = new Libsql(file)
    test.after(() => Promise.all([database.close(), other.close()]))
    const service = createService(deliveryStore(database, sha256))
    const groupId = await createGroup(service)
    await service.ask(messageRequest(groupId, 0n))
    service.clock.now += 31 * DAY
    other.exec("BEGIN IMMEDIATE")
    await assert.rejects(sweep(service), { code: "STORE_UNAVAILABLE", message: "the database is locked" })
    other.exec("ROLLBACK")
    assert.deepEqual(await kindsOf(service, groupId), ["1 application"])
    await sweep(service)
    assert.deepEqual(await kindsOf(service, groupId), ["1 expired"])
  })

  it("comes on a timer, a store that fails is tried again, and stops when it is disposed", async () => {
    const times: number[] = []
    let now = NOW
    const store = {
      async sweep({ at }: { at: bigint }) {
        times.push(Number(at))
        if (times.length === 1) throw new Error("not now")
        return { rows: 0, more: times.length < 4 }
      },
    } as never
    const errors: unknown[] = []
    const options = { store, intervalMilliseconds: 20, retention: retentionOf(1), now: () => now++ }
    const sweeping = startSweeping({ ...options, onError: (error) => errors.push(error) })
    while (times.length < 5) await new Promise((resolve) => setTimeout(resolve, 5))
    await sweeping[Symbol.asyncDispose]()
    assert.equal(errors.length, 1)
    const { length } = times
    await new Promise((resolve) => setTimeout(resolve, 60))
    assert.equal(times.length, length)
  })
})
