import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import {
  commitRequest,
  createDevice,
  createGroup,
  createService,
  cursorWithAccess,
  expectType,
  messageRequest,
  proved,
  random,
  sha256,
} from "@conclave/testing/delivery"
import { memoryStore, processWake, type Store, type Wake } from "../src/index.js"
import { stores } from "./stores.js"

const subscribe = (cursors: readonly { groupId: Uint8Array; afterSeq: bigint }[]) =>
  ({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }) as const

/** Nothing is found by looking, so a hint that is forgotten shows. */
const hintsOnly = { limits: { pollMilliseconds: 600_000 } }

async function next(stream: AsyncGenerator<DeliveryResponse>): Promise<DeliveryResponse> {
  const { value, done } = await stream.next()
  assert.equal(done ?? false, false, "the stream ended")
  return value
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`a subscription (${name})`, { timeout: 120_000 }, () => {
    it("brings what is behind the cursor, then what comes, each entry once and in order", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      const gone = new AbortController()
      for (let i = 0; i < 3; i++) await service.ask(messageRequest(groupId, 0n))
      const stream = service.subscribe(subscribe([{ groupId, afterSeq: 1n }]), gone.signal)
      const seqs: bigint[] = []
      const sending = (async () => {
        for (let i = 0; i < 20; i++) await service.ask(messageRequest(groupId, 0n))
      })()
      while ((seqs.at(-1) ?? 0n) < 23n) {
        for (const entry of expectType(await next(stream), "entries").entries) seqs.push(entry.seq)
      }
      await sending
      assert.deepEqual(
        seqs,
        Array.from({ length: 22 }, (_, index) => BigInt(index + 2)),
      )
      gone.abort()
      assert.equal((await stream.next()).done, true)
    })

    it("answers once for each cursor at the beginning, also where there is nothing or no group", async (test) => {
      const service = createService(openStore(test))
      const [groupId, missing] = [await createGroup(service), random(32)]
      const gone = new AbortController()
      const cursors = [groupId, missing].map((groupId) => ({ groupId, afterSeq: 0n }))
      const stream = service.subscribe(subscribe(cursors), gone.signal)
      const signature = new Uint8Array()
      const nothing = { type: "entries", groupId, entries: [], headSeq: 0n, incarnation: 1n, signature }
      assert.deepEqual(await next(stream), nothing)
      assert.deepEqual(await next(stream), { type: "notFound", groupId: missing })
      await service.ask(messageRequest(groupId, 0n))
      assert.equal(expectType(await next(stream), "entries").headSeq, 1n)
      gone.abort()
    })

    it("of a device brings its welcomes when their commit is appended", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      const bob = service.register(createDevice())
      const gone = new AbortController()
      const request = proved(bob, { type: "subscribe", cursors: [], inboxAfter: 0n })
      const stream = service.subscribe(request, gone.signal)
      assert.deepEqual(await next(stream), { type: "inboxEntries", entries: [], head: 0n })
      await service.ask(commitRequest(groupId, 0n, { recipients: [bob] }))
      const { entries } = expectType(await next(stream), "inboxEntries")
      assert.deepEqual(
        entries.map(({ n, kind, groupId }) => ({ n, kind, groupId })),
        [{ n: 1n, kind: "welcome", groupId }],
      )
      gone.abort()
    })
  })
}

describe("a subscription and its reader", { timeout: 120_000 }, () => {
  it("a hint that was lost only delays: the service looks by itself", async () => {
    const deaf: Wake = { ...processWake(), notify() {} }
    const service = createService(memoryStore(sha256), { wake: deaf, limits: { pollMilliseconds: 50 } })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const stream = service.subscribe(subscribe([{ groupId, afterSeq: 0n }]), gone.signal)
    await next(stream)
    await service.ask(messageRequest(groupId, 0n))
    assert.equal(expectType(await next(stream), "entries").entries.length, 1)
    gone.abort()
  })

  it("looks at everything where the store cannot tell what was missed", async () => {
    const deaf: Wake = { ...processWake(), notify() {} }
    const store = memoryStore(sha256)
    const forgetful = new Proxy(store, {
      get: (target, name: keyof Store) => {
        if (name === "news") return async () => ({ mark: [], groups: [], devices: [], everything: true })
        return (target[name] as () => unknown).bind(target)
      },
    })
    const service = createService(forgetful, { wake: deaf, limits: { pollMilliseconds: 50 } })
    const bob = service.register(createDevice())
    const groupIds = [await createGroup(service), await createGroup(service)]
    const gone = new AbortController()
    const cursors = groupIds.map((groupId) => cursorWithAccess({ groupId, afterSeq: 0n }))
    const request = proved(bob, { type: "subscribe", cursors, inboxAfter: 0n })
    const stream = service.subscribe(request, gone.signal)
    for (let answered = 0; answered < 3; answered++) await next(stream)
    for (const groupId of groupIds) await service.ask(commitRequest(groupId, 0n, { recipients: [bob] }))
    const told = [await next(stream), await next(stream), await next(stream)].map(({ type }) => type).sort()
    assert.deepEqual(told, ["entries", "entries", "inboxEntries"])
    gone.abort()
  })

  it("a slow reader makes the service read no further than it takes", async (test) => {
    const store = stores.SQLite!(test)
    let pages = 0
    const counting = {
      ...store,
      read: (page: Parameters<typeof store.read>[0]) => store.read(page).finally(() => pages++),
    }
    const limits = { pageEntriesMax: 10, appends: { perSecond: 1e6, burst: 1e6 } }
    const service = createService(counting, { limits })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const stream = service.subscribe(subscribe([{ groupId, afterSeq: 0n }]), gone.signal)
    await next(stream)
    await Promise.all(Array.from({ length: 1000 }, () => service.ask(messageRequest(groupId, 0n))))
    assert.equal(pages, 0)
    assert.equal(expectType(await next(stream), "entries").entries.length, 10)
    assert.equal(pages, 1)
    gone.abort()
  })

  it("with somebody else's proof is refused and ends", async () => {
    const service = createService(memoryStore(sha256))
    const [bob, carol] = [service.register(createDevice()), service.register(createDevice())]
    const request = proved(bob, { type: "subscribe", cursors: [], inboxAfter: 0n })
    assert.ok(request.type === "subscribe" && request.proof !== undefined)
    const forged = { ...request, proof: { ...request.proof, deviceId: carol.deviceId } }
    const answers: string[] = []
    for await (const answer of service.subscribe(forged, new AbortController().signal)) answers.push(answer.type)
    assert.deepEqual(answers, ["forbidden"])
  })

  it("with too many cursors, or with two for one group, is refused and ends", async () => {
    const service = createService(memoryStore(sha256), { limits: { cursorsPerSubscriptionMax: 2 } })
    const [a, b, c] = [1, 2, 3].map(() => ({ groupId: random(32), afterSeq: 0n }))
    for (const cursors of [
      [a!, b!, c!],
      [a!, a!],
    ]) {
      const answers: string[] = []
      for await (const answer of service.subscribe(subscribe(cursors), new AbortController().signal)) {
        answers.push(answer.type)
      }
      assert.deepEqual(answers, ["invalid"])
    }
  })

  it("one too many is told to come later, and its place is free again when another leaves", async () => {
    const service = createService(memoryStore(sha256), { limits: { subscriptionsMax: 1 } })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const first = service.subscribe(subscribe([{ groupId, afterSeq: 0n }]), gone.signal)
    expectType(await next(first), "entries")
    const second = () => service.subscribe(subscribe([{ groupId, afterSeq: 0n }]), new AbortController().signal)
    expectType(await next(second()), "throttled")
    gone.abort()
    await first.return(undefined)
    const third = second()
    expectType(await next(third), "entries")
    await third.return(undefined)
  })
})
