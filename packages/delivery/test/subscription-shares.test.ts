import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import {
  createGroup,
  createService,
  expectType,
  messageRequest,
  random,
  sha256,
  withAccess,
} from "@conclave/testing/delivery"
import { memoryStore, processWake, type Store, StoreUnavailable, type Wake } from "../src/index.js"
import { stores } from "./stores.js"

const subscribe = (groups: readonly Uint8Array[]) =>
  ({
    type: "subscribe",
    cursors: groups.map((groupId) => ({ groupId, afterSeq: 0n })),
    inboxAfter: 0n,
    proof: undefined,
  }) as const

async function next(stream: AsyncGenerator<DeliveryResponse>): Promise<DeliveryResponse> {
  const { value, done } = await stream.next()
  assert.equal(done ?? false, false, "the stream ended")
  return value
}

/** The store, and how often each of its operations was asked for. */
function counting(store: Store) {
  const asked: Record<string, number> = {}
  const counted = new Proxy(store, {
    get(target, name: keyof Store & string) {
      const operation = target[name] as unknown as (...parameters: unknown[]) => unknown
      return (...parameters: unknown[]) => {
        asked[name] = (asked[name] ?? 0) + 1
        return operation.apply(target, parameters)
      }
    },
  })
  return { asked, store: counted }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe("subscriptions that wait", { timeout: 60_000 }, () => {
  for (const [name, openStore] of Object.entries(stores)) {
    it(`share one look into the store, which reads no log where nothing is new (${name})`, async (test) => {
      const { asked, store } = counting(openStore(test))
      const deaf: Wake = { ...processWake(), notify() {} }
      const service = createService(store, { wake: deaf, limits: { pollMilliseconds: 30 } })
      const groups = await Promise.all(Array.from({ length: 5 }, () => createGroup(service)))
      const gone = new AbortController()
      const streams = Array.from({ length: 20 }, () => service.subscribe(subscribe(groups), gone.signal))
      for (const stream of streams) for (const _ of groups) await next(stream)
      const waiting = streams.map((stream) => stream.next())
      const readsOf = () => (asked.read ?? 0) + (asked.standings ?? 0)
      const reads = readsOf()
      const looks = asked.news!
      await pause(200)
      assert.equal(readsOf(), reads)
      assert.ok(asked.news! > looks && asked.news! < looks + 10, `${asked.news} looks`)
      await service.ask(messageRequest(groups[2]!, 0n))
      for (const { value } of await Promise.all(waiting)) {
        assert.deepEqual(expectType(value as DeliveryResponse, "entries").groupId, groups[2])
      }
      // What is new in one group makes nobody read another, and is read once for all.
      assert.equal(readsOf(), reads + 1)
      gone.abort()
      const { news } = asked
      await pause(100)
      assert.ok(asked.news! <= news! + 1, "it looks for nobody")
    })
  }

  it("go on being looked for when one of them leaves", async () => {
    const deaf: Wake = { ...processWake(), notify() {} }
    const service = createService(memoryStore(sha256), { wake: deaf, limits: { pollMilliseconds: 20 } })
    const groupId = await createGroup(service)
    const [leaving, staying] = [new AbortController(), new AbortController()]
    const streams = [leaving, staying].map(({ signal }) => service.subscribe(subscribe([groupId]), signal))
    for (const stream of streams) await next(stream)
    const waiting = streams.map((stream) => stream.next())
    leaving.abort()
    await waiting[0]
    await service.ask(messageRequest(groupId, 0n))
    assert.equal(expectType((await waiting[1]!).value as DeliveryResponse, "entries").entries.length, 1)
    staying.abort()
  })

  it("are unavailable while the store cannot say from where on something is new", async () => {
    const store = memoryStore(sha256)
    let isDown = true
    const news: Store["news"] = async (mark) => {
      if (isDown) throw new StoreUnavailable("the disk does not work", undefined, 20_000)
      return store.news(mark)
    }
    const failing = new Proxy(store, {
      get: (target, name: keyof Store) => (name === "news" ? news : (target[name] as () => unknown).bind(target)),
    })
    const service = createService(failing)
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const first = await next(service.subscribe(subscribe([groupId]), gone.signal))
    assert.ok(first?.type === "unavailable" && first.reason === "the disk does not work")
    const { retryAfterMilliseconds } = first
    assert.ok(retryAfterMilliseconds >= 20_000 && retryAfterMilliseconds <= 30_000, "as the store says, and spread")
    isDown = false
    expectType(await next(service.subscribe(subscribe([groupId]), gone.signal)), "entries")
    gone.abort()
  })

  it("on groups that do not exist are told so once, and cost nothing from then on", async () => {
    const { asked, store } = counting(memoryStore(sha256))
    const limits = { pollMilliseconds: 20, cursorsByRequesterMax: 10 }
    const service = createService(store, { limits })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const missing = Array.from({ length: 9 }, () => random(32))
    const stream = service.subscribe(subscribe([...missing, groupId]), gone.signal, "peer")
    for (const groupId of missing) assert.deepEqual(await next(stream), { type: "notFound", groupId })
    expectType(await next(stream), "entries")
    const waiting = stream.next()
    const reads = asked.read
    await pause(100)
    assert.equal(asked.read, reads)
    // Their places are free for others of this requester.
    const another = service.subscribe(subscribe(missing), gone.signal, "peer")
    assert.equal((await next(another)).type, "notFound")
    await service.ask(messageRequest(groupId, 0n))
    expectType((await waiting).value as DeliveryResponse, "entries")
    gone.abort()
  })

  it("let everything else go on between every few logs that they begin with, however many begin at once", async () => {
    const service = createService(memoryStore(sha256))
    const gone = new AbortController()
    const [SUBSCRIPTIONS, CURSORS] = [8, 250]
    let answers = 0
    let most = 0
    // What is answered without a turn of the event loop between.
    let inThisTurn = 0
    const turn = () => {
      inThisTurn = 0
      if (answers < SUBSCRIPTIONS * CURSORS) setImmediate(turn)
    }
    setImmediate(turn)
    const read = async () => {
      const missing = Array.from({ length: CURSORS }, () => random(32))
      const stream = service.subscribe(subscribe(missing), gone.signal, "peer")
      for (const _ of missing) {
        await next(stream)
        answers++
        most = Math.max(most, ++inThisTurn)
      }
    }
    await Promise.all(Array.from({ length: SUBSCRIPTIONS }, read))
    gone.abort()
    assert.equal(answers, SUBSCRIPTIONS * CURSORS)
    assert.ok(most <= 32, `${most} answers without a pause`)
  })

  it("cost less than 600 bytes for each cursor, and no time", async (test) => {
    const service = createService(stores.SQLite!(test), { limits: { creations: { perSecond: 1e6, burst: 1e6 } } })
    const groups = await Promise.all(Array.from({ length: 1_000 }, () => createGroup(service)))
    const gone = new AbortController()
    // Signed once: a thousand signatures take longer than all that is measured here.
    const request = withAccess(subscribe(groups))
    const idle = async () => {
      const stream = service.subscribe(request, gone.signal)
      for (const _ of groups) await next(stream)
      void stream.next()
    }
    await idle()
    const before = heapUsed()
    for (let i = 0; i < 20; i++) await idle()
    const each = (heapUsed() - before) / (20 * groups.length)
    assert.ok(each < 600, `${each} bytes`)
    const { user, system } = process.cpuUsage()
    await pause(1_000)
    const spent = process.cpuUsage({ user, system })
    assert.ok(spent.user + spent.system < 200_000, `${spent.user + spent.system} µs in a second`)
    gone.abort()
  })
})

describe("one requester", { timeout: 120_000 }, () => {
  const limits = {
    subscriptionsByRequesterMax: 2,
    subscriptionsMax: 12,
    cursorsByRequesterMax: 4,
    cursorsMax: 20,
    cursorsByRequester: { perSecond: 1e6, burst: 1e6 },
  }

  it("has so many subscriptions, its network four times as many, and the others theirs; all are free again when it goes", async () => {
    const refusals: string[] = []
    const service = createService(memoryStore(sha256), { limits, onRefusal: (kind) => refusals.push(kind) })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const open = async (peer: string) => (await next(service.subscribe(subscribe([groupId]), gone.signal, peer))).type
    assert.deepEqual([await open("a"), await open("a"), await open("a")], ["entries", "entries", "throttled"])
    assert.equal(await open("b"), "entries")
    assert.deepEqual(refusals, ["subscriptions"])
    // Those that nobody reads any more, too.
    gone.abort()
    const later = new AbortController()
    const again = service.subscribe(subscribe([groupId]), later.signal, "a")
    assert.equal((await next(again)).type, "entries")
    later.abort()
  })

  it("has so many cursors, in one subscription or several", async () => {
    const service = createService(memoryStore(sha256), { limits })
    const groups = await Promise.all([1, 2, 3, 4].map(() => createGroup(service)))
    const gone = new AbortController()
    const open = async (peer: string, count: number) =>
      (await next(service.subscribe(subscribe(groups.slice(0, count)), gone.signal, peer))).type
    assert.deepEqual([await open("a", 3), await open("a", 2), await open("a", 1)], ["entries", "throttled", "entries"])
    assert.equal(await open("b", 4), "entries")
    gone.abort()
  })

  it("gets each cursor back once, also where it goes while a group of it is found missing", async () => {
    const store = memoryStore(sha256)
    const held: (() => void)[] = []
    const slow = new Proxy(store, {
      get(target, name: keyof Store) {
        if (name !== "standings") return (target[name] as () => unknown).bind(target)
        return async (shown: Parameters<Store["standings"]>[0]) => {
          if (shown[0]?.groupId[0] === 0) await new Promise<void>((resolve) => held.push(resolve))
          return target.standings(shown)
        }
      },
    })
    const service = createService(slow, { limits: { ...limits, subscriptionsByRequesterMax: 10 } })
    const groups = await Promise.all([1, 2, 3, 4].map(() => createGroup(service)))
    const [leaving, staying] = [new AbortController(), new AbortController()]
    const open = (count: number) => next(service.subscribe(subscribe(groups.slice(0, count)), staying.signal, "a"))
    expectType(await open(2), "entries")
    const missing = service.subscribe(subscribe([new Uint8Array(32)]), leaving.signal, "a").next()
    while (held.length === 0) await pause(1)
    leaving.abort()
    held[0]!()
    await missing
    // Two of its four are taken.
    assert.deepEqual([(await open(3)).type, (await open(2)).type], ["throttled", "entries"])
    staying.abort()
  })

  it("begins subscriptions at a limited rate, counted by their cursors, whether there are such groups or not", async () => {
    const cursorsByRequester = { perSecond: 10, burst: 20 }
    const service = createService(memoryStore(sha256), { limits: { cursorsByRequester } })
    const groups = Array.from({ length: 9 }, () => random(32))
    const gone = new AbortController()
    const open = (peer: string) => next(service.subscribe(subscribe(groups), gone.signal, peer))
    assert.deepEqual([(await open("a")).type, (await open("a")).type], ["notFound", "notFound"])
    assert.deepEqual(await open("a"), { type: "throttled", retryAfterMilliseconds: 1_000 })
    assert.equal((await open("b")).type, "notFound")
    gone.abort()
  })
})

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

function heapUsed(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
