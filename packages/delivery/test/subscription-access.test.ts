import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { type Access, noAccess, type Pass } from "@conclave/contracts/access"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import type { SigningKey } from "@conclave/crypto"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  accessKeyOf,
  commitRequest,
  createGroup,
  createGroupRequest,
  createService,
  expectType,
  messageRequest,
  NOW,
  random,
  sha256,
  type TestService,
  temporaryFolder,
  withAccess,
} from "@conclave/testing/delivery"
import { stores } from "./stores.js"

const HOUR = 3_600_000
const hintsOnly = { limits: { pollMilliseconds: 600_000 } }
const bare = { type: "subscribe", inboxAfter: 0n, proof: undefined } as const
const accessOf = ({ key, until, tag }: Pass): Access => ({ type: "pass", key, until, tag })
const read = (groupId: Uint8Array) => ({ type: "read", groupId, afterSeq: 0n, limit: 100 }) as const
const seqsOf = (answer: DeliveryResponse) => expectType(answer, "entries").entries.map(({ seq }) => Number(seq))

const nameOf = (groupId: Uint8Array) => Buffer.from(groupId).toString("hex")

const kinds = ["quiet", "new", "read", "removed", "removed, read", "a later key", "knocked", "without a key"] as const
interface Made {
  readonly kind: (typeof kinds)[number]
  readonly groupId: Uint8Array
  readonly afterSeq: bigint
  /** As far as the first key reaches. */
  readonly headSeq: bigint
}

/** A group, and from where it is followed with its first key. */
async function make(service: TestService, kind: Made["kind"]): Promise<Made> {
  const groupId = await createGroup(service)
  const removes = kind.startsWith("removed")
  if (kind === "knocked") {
    expectType(await service.ask({ type: "knock", groupId, id: random(16), sealed: random(9) }), "done")
  } else if (removes || kind === "a later key") {
    expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes })), "accepted")
    const unseen = messageRequest(groupId, 1n, { after: 1n })
    if (removes) expectType(await service.askWith(accessKeyOf(groupId, 1), unseen), "accepted")
  } else if (kind !== "quiet" && kind !== "without a key") {
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
  }
  const isEmpty = kind === "quiet" || kind === "knocked" || kind === "without a key"
  return { kind, groupId, afterSeq: kind.endsWith("read") ? 1n : 0n, headSeq: isEmpty ? 0n : 1n }
}

/** A subscription to one group, its id, and the passes that it gave. */
async function follow(service: TestService, groupId: Uint8Array, proving: { key?: SigningKey; access?: Access } = {}) {
  const { key = accessKeyOf(groupId), access } = proving
  const gone = new AbortController()
  const cursors = [{ groupId, afterSeq: 0n, ...(access && { access }) }]
  const stream = service.stream(withAccess({ ...bare, cursors }, { key, at: service.clock.now }), gone.signal)
  const next = async () => {
    const { value, done } = await stream.next()
    assert.equal(done ?? false, false, "the stream ended")
    return value as DeliveryResponse
  }
  const { subscription } = expectType(await next(), "subscribed")
  const passes = access === undefined ? expectType(await next(), "passes").passes : []
  return { subscription, passes, next, end: () => gone.abort() }
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`what a subscription may see (${name})`, { timeout: 120_000 }, () => {
    it("ends with a removal, and goes on when it is extended by a later key", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      const followed = await follow(service, groupId)
      assert.deepEqual(seqsOf(await followed.next()), [])
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      assert.deepEqual(seqsOf(await followed.next()), [1])
      const coming = followed.next()
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      const removal = await coming
      assert.deepEqual([seqsOf(removal), expectType(removal, "entries").headSeq], [[2], 2n])
      const waiting = followed.next()
      const key = accessKeyOf(groupId, 1)
      for (let i = 0; i < 2; i++) {
        expectType(await service.askWith(key, messageRequest(groupId, 1n, { after: 2n })), "accepted")
      }
      const silent = new Promise((resolve) => setTimeout(resolve, 50, "silent"))
      assert.equal(await Promise.race([waiting, silent]), "silent")
      const extend = {
        type: "extend",
        subscription: followed.subscription,
        cursor: { groupId, afterSeq: 99n },
      } as const
      const [pass] = expectType(await service.askWith(key, extend), "passes").passes
      assert.deepEqual(seqsOf(await waiting), [3, 4])
      assert.deepEqual(seqsOf(await service.ask({ ...read(groupId), access: accessOf(pass!) })), [1, 2, 3, 4])
      // A copy of an older one takes nothing away.
      expectType(await service.ask(extend), "passes")
      expectType(await service.askWith(key, messageRequest(groupId, 1n, { after: 2n })), "accepted")
      assert.deepEqual(seqsOf(await followed.next()), [5])
      followed.end()
    })

    it("is extended only by a key of a group of that subscription, while it is there", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const followed = await follow(service, groupId)
      const { subscription } = followed
      const extend = (of: Uint8Array, id = subscription) =>
        ({ type: "extend", subscription: id, cursor: { groupId: of, afterSeq: 0n } }) as const
      expectType(await service.ask(extend(groupId)), "passes")
      expectType(await service.ask(extend(other)), "notFound")
      expectType(await service.ask(extend(groupId, random(16))), "notFound")
      expectType(await service.ask(extend(groupId, new Uint8Array())), "notFound")
      expectType(await service.askWith(accessKeyOf(other), extend(groupId)), "denied")
      expectType(await service.ask(withAccess(extend(groupId), { at: NOW - HOUR })), "wrongTime")
      const [pass] = followed.passes
      const byPass = { ...extend(groupId), cursor: { groupId, afterSeq: 0n, access: accessOf(pass!) } }
      assert.deepEqual(await service.ask(byPass), { type: "passes", passes: [] })
      followed.end()
      await new Promise((resolve) => setImmediate(resolve))
      expectType(await service.ask(extend(groupId)), "notFound")
    })

    for (const by of ["signatures", "passes"] as const) {
      it(`begins with each of many groups in its order, new or not, and follows them, by ${by}`, async (test) => {
        const service = createService(openStore(test), hintsOnly)
        const made: Made[] = []
        for (let i = 0; i < 40; i++) made.push(await make(service, kinds[(i * 3) % kinds.length]!))
        const cursors: { groupId: Uint8Array; afterSeq: bigint; access?: Access }[] = []
        for (const { kind, groupId, afterSeq } of made) {
          const { passes, end } = await follow(service, groupId)
          end()
          const access = kind === "without a key" ? noAccess : by === "passes" ? accessOf(passes[0]!) : undefined
          cursors.push({ groupId, afterSeq, ...(access && { access }) })
        }
        const gone = new AbortController()
        const stream = service.subscribe({ ...bare, cursors }, gone.signal)
        const next = async () => (await stream.next()).value!
        for (const { kind, groupId, afterSeq, headSeq } of made) {
          const first = await next()
          if (kind === "without a key") {
            assert.deepEqual(expectType(first, "denied").groupId, groupId)
            continue
          }
          const answer = expectType(first, "entries")
          const [seqs, expected] = [seqsOf(answer), headSeq > afterSeq ? [1] : []]
          assert.deepEqual([answer.groupId, seqs, answer.headSeq], [groupId, expected, headSeq], kind)
          if (kind === "knocked") assert.deepEqual(expectType(await next(), "knocks").groupId, groupId)
        }
        for (const { kind, groupId, headSeq } of made) {
          if (kind === "without a key" || kind.startsWith("removed")) continue
          const coming = next()
          const isLater = kind === "a later key"
          const message = messageRequest(groupId, 0n, { after: isLater ? 1n : 0n })
          expectType(await service.askWith(accessKeyOf(groupId, isLater ? 1 : 0), message), "accepted")
          const { entries } = expectType(await coming, "entries")
          assert.deepEqual([entries[0]!.seq, entries.length], [headSeq + 1n, 1], kind)
        }
        gone.abort()
      })
    }

    it("brings what is appended after its first look, and before its first answer was taken", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groups = [await createGroup(service), await createGroup(service), await createGroup(service)]
      const gone = new AbortController()
      const cursors = groups.map((groupId) => ({ groupId, afterSeq: 0n }))
      const stream = service.subscribe({ ...bare, cursors }, gone.signal)
      assert.deepEqual(seqsOf((await stream.next()).value!), [])
      for (const groupId of groups) expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      const seen = new Map(groups.map((groupId) => [nameOf(groupId), 0]))
      while ([...seen.values()].some((count) => count === 0)) {
        const { groupId, entries } = expectType((await stream.next()).value!, "entries")
        seen.set(nameOf(groupId), seen.get(nameOf(groupId))! + entries.length)
      }
      assert.deepEqual([...seen.values()], [1, 1, 1])
      gone.abort()
    })

    it("that is extended during its first look goes on with the later key", async (test) => {
      const store = openStore(test)
      const looks: (() => void)[] = []
      const slow = new Proxy(store, {
        get(target, name) {
          const value = Reflect.get(target, name, target)
          if (name !== "standings") return typeof value === "function" ? value.bind(target) : value
          return async (...shown: Parameters<typeof store.standings>) => {
            const found = await target.standings(...shown)
            await new Promise<void>((resolve) => looks.push(resolve))
            return found
          }
        },
      })
      const service = createService(slow, hintsOnly)
      const groupId = await createGroup(service)
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1 })), "accepted")
      const gone = new AbortController()
      const cursor = { groupId, afterSeq: 1n }
      const stream = service.stream({ ...bare, cursors: [cursor] }, gone.signal)
      const { subscription } = expectType((await stream.next()).value!, "subscribed")
      const looked = async (count: number) => {
        while (looks.length < count) await new Promise((resolve) => setImmediate(resolve))
        looks[count - 1]!()
      }
      const passes = stream.next()
      await looked(1)
      expectType((await passes).value!, "passes")
      const first = stream.next()
      while (looks.length < 2) await new Promise((resolve) => setImmediate(resolve))
      const key = accessKeyOf(groupId, 1)
      expectType(await service.askWith(key, { type: "extend", subscription, cursor }), "passes")
      const removal = commitRequest(groupId, 1n, { interval: 2, removes: true })
      expectType(await service.askWith(key, removal), "accepted")
      await looked(2)
      assert.deepEqual(seqsOf((await first).value!), [2])
      gone.abort()
    })

    it("is told of each group that is denied or missing, in its place, and follows the others", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const [mine, others, missing] = [await createGroup(service), await createGroup(service), random(32)]
      const gone = new AbortController()
      const denied = { groupId: others, afterSeq: 0n, access: noAccess }
      const cursors = [denied, { groupId: missing, afterSeq: 0n }, { groupId: mine, afterSeq: 0n }]
      const stream = service.stream({ ...bare, cursors }, gone.signal)
      const types: string[] = []
      for (let i = 0; i < 5; i++) types.push((await stream.next()).value!.type)
      assert.deepEqual(types, ["subscribed", "passes", "denied", "notFound", "entries"])
      const coming = stream.next()
      expectType(await service.ask(messageRequest(others, 0n)), "accepted")
      expectType(await service.ask(messageRequest(mine, 0n)), "accepted")
      assert.deepEqual(expectType((await coming).value!, "entries").groupId, mine)
      gone.abort()
    })
  })

  describe(`a pass (${name})`, { timeout: 120_000 }, () => {
    it("reads what its key reads for 24 hours, from one service of the store as from another", async (test) => {
      const store = openStore(test)
      const service = createService(store, hintsOnly)
      const groupId = await createGroup(service)
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      const followed = await follow(service, groupId)
      const [pass] = followed.passes
      followed.end()
      assert.deepEqual([pass!.groupId, pass!.until], [groupId, BigInt(NOW + 24 * HOUR)])
      const access = accessOf(pass!)
      const another = createService(store)
      another.clock.now = NOW + 24 * HOUR - 1
      assert.deepEqual(seqsOf(await another.ask({ ...read(groupId), access })), [1])
      assert.equal(expectType(await another.ask({ type: "head", groupId, access }), "head").headSeq, 1n)
      expectType(await another.ask({ type: "knocks", groupId, access }), "knocks")
      expectType(await another.ask({ type: "answer", groupId, id: random(16), access }), "notFound")
      const again = await follow(another, groupId, { access })
      assert.deepEqual(seqsOf(await again.next()), [1])
      again.end()
      // It writes nothing.
      expectType(await another.ask({ ...messageRequest(groupId, 0n), access }), "denied")
      const knock = { type: "knock", groupId, id: random(16), sealed: random(9), access } as const
      expectType(await another.ask(knock), "denied")
      another.clock.now++
      expectType(await another.ask({ ...read(groupId), access }), "denied")
      const late = await follow(another, groupId, { access })
      expectType(await late.next(), "denied")
      late.end()
    })

    it("from before a removal reads no further than it", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      const followed = await follow(service, groupId)
      followed.end()
      const access = accessOf(followed.passes[0]!)
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      const message = messageRequest(groupId, 1n, { after: 1n })
      expectType(await service.askWith(accessKeyOf(groupId, 1), message), "accepted")
      assert.deepEqual(seqsOf(await service.ask({ ...read(groupId), access })), [1])
      const again = await follow(service, groupId, { access })
      assert.deepEqual(seqsOf(await again.next()), [1])
      again.end()
      expectType(await service.ask({ type: "knocks", groupId, access }), "denied")
    })

    it("that is forged, of another group, for another key or of another time is none", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const followed = await follow(service, groupId)
      followed.end()
      const [pass] = followed.passes
      const forged = pass!.tag.slice()
      forged[31]! ^= 1
      const wrong: Readonly<Record<string, [Uint8Array, Access]>> = {
        forged: [groupId, accessOf({ ...pass!, tag: forged })],
        "of another group": [other, accessOf(pass!)],
        "for another key": [groupId, accessOf({ ...pass!, key: accessKeyOf(other).publicKey })],
        longer: [groupId, accessOf({ ...pass!, until: pass!.until + 1n })],
      }
      for (const [what, [of, access]] of Object.entries(wrong)) {
        assert.equal((await service.ask({ ...read(of), access })).type, "denied", what)
      }
      // A service whose clock was ahead has given it: 48 hours are the most.
      service.clock.now = NOW - 24 * HOUR
      expectType(await service.ask({ ...read(groupId), access: accessOf(pass!) }), "entries")
      service.clock.now--
      expectType(await service.ask({ ...read(groupId), access: accessOf(pass!) }), "denied")
      // Another store's service knows nothing of it.
      const elsewhere = createService(openStore(test))
      expectType(await elsewhere.ask(createGroupRequest(groupId)), "done")
      expectType(await elsewhere.ask({ ...read(groupId), access: accessOf(pass!) }), "denied")
    })
  })
}

/** A group as a migration leaves it: made before there were access keys. */
async function openLegacy(test: TestContext) {
  const database = openDatabase({ file: join(temporaryFolder(test), "legacy.db") })
  test.after(() => database.close())
  const service = createService(deliveryStore(database, sha256), hintsOnly)
  const groupId = await createGroup(service)
  await database.write((connection) => {
    connection.run("DELETE FROM access_interval")
    connection.run("UPDATE mls_group SET access_key = NULL, access_seq = NULL")
  })
  return { service, groupId }
}

describe("a group from before there were access keys", { timeout: 120_000 }, () => {
  it("asks for none until a commit registers the first, and for one from then on", async (test) => {
    const { service, groupId } = await openLegacy(test)
    const access = noAccess
    const followed = await follow(service, groupId, { access })
    assert.deepEqual(seqsOf(await followed.next()), [])
    expectType(await service.ask({ ...messageRequest(groupId, 0n), access }), "accepted")
    expectType(await service.ask({ ...commitRequest(groupId, 0n), access }), "accepted")
    // A key that is not registered is none, also here.
    expectType(await service.ask(messageRequest(groupId, 1n, { after: 2n })), "denied")
    expectType(await service.ask({ ...commitRequest(groupId, 1n, { after: 2n, interval: 1 }), access }), "accepted")
    const key = accessKeyOf(groupId, 1)
    for (const request of [messageRequest(groupId, 2n, { after: 3n }), commitRequest(groupId, 2n, { after: 3n })]) {
      expectType(await service.ask({ ...request, access }), "denied")
    }
    // Who has not read of the key yet is told to.
    const behind = { ...messageRequest(groupId, 1n, { after: 2n }), access }
    assert.deepEqual(await service.ask(behind), { type: "stale", lastCommitSeq: 3n, headSeq: 3n })
    expectType(await service.askWith(key, messageRequest(groupId, 2n, { after: 3n })), "accepted")
    assert.deepEqual(seqsOf(await service.ask({ ...read(groupId), access })), [1, 2, 3])
    assert.deepEqual(seqsOf(await service.askWith(key, read(groupId))), [1, 2, 3, 4])
    const seen = [...seqsOf(await followed.next())]
    while (seen.length < 3) seen.push(...seqsOf(await followed.next()))
    assert.deepEqual(seen, [1, 2, 3])
    const cursor = { groupId, afterSeq: 0n }
    const coming = followed.next()
    expectType(await service.askWith(key, { type: "extend", subscription: followed.subscription, cursor }), "passes")
    assert.deepEqual(seqsOf(await coming), [4])
    followed.end()
  })

  it("has no knocks without a key", async (test) => {
    const { service, groupId } = await openLegacy(test)
    const knock = { type: "knock", groupId, id: random(16), sealed: random(9) } as const
    expectType(await service.ask({ ...knock, access: noAccess }), "denied")
    expectType(await service.ask(knock), "denied")
  })

  it("is not one that has a key: there `none` is denied from the first entry on", async (test) => {
    const service = createService(stores.SQLite!(test))
    const groupId = await createGroup(service)
    expectType(await service.ask({ ...read(groupId), access: noAccess }), "denied")
    expectType(await service.ask({ ...messageRequest(groupId, 0n), access: noAccess }), "denied")
  })
})
