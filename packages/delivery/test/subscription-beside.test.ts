import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import type { SigningKey } from "@conclave/crypto"
import {
  accessKeyOf,
  commitRequest,
  createGroup,
  createService,
  expectType,
  messageRequest,
  random,
  type TestService,
  withAccess,
} from "@conclave/testing/delivery"
import { processWake, sweepOnce } from "../src/index.js"
import type { Store } from "../src/store/store.js"
import { groupTopic } from "../src/topics.js"
import { stores } from "./stores.js"

const DAY = 86_400_000
const hintsOnly = { limits: { pollMilliseconds: 600_000 } }

const knockRequest = (groupId: Uint8Array) => ({ type: "knock", groupId, id: random(16), sealed: random(9) }) as const
type Knock = ReturnType<typeof knockRequest>

/** A commit that removes and adds who knocked. */
function answering(groupId: Uint8Array, knocks: readonly Knock[], after: bigint, interval: number) {
  const answers = { welcome: random(30), to: knocks.map(({ id }) => ({ knock: id, key: random(50) })) }
  return commitRequest(groupId, after, { interval, removes: true, answers })
}

/** The store, where `before` happens before each look at what lies beside a log. */
function watched(store: Store, before: () => Promise<unknown>): Store {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target)
      if (name !== "beside") return typeof value === "function" ? value.bind(target) : value
      return async (...asked: Parameters<Store["beside"]>) => {
        await before()
        return target.beside(...asked)
      }
    },
  })
}

/** A subscription to one group, without its first answers, up to the first page of the log. */
async function follow(service: TestService, groupId: Uint8Array, { key, afterSeq = 0n }: Following = {}) {
  const gone = new AbortController()
  const cursors = [{ groupId, afterSeq }]
  const request = { type: "subscribe", inboxAfter: 0n, proof: undefined, cursors } as const
  const stream = service.stream(withAccess(request, { at: service.clock.now, ...(key && { key }) }), gone.signal)
  const next = async () => (await stream.next()).value as DeliveryResponse
  const { subscription } = expectType(await next(), "subscribed")
  expectType(await next(), "passes")
  return { subscription, next, end: () => gone.abort() }
}
interface Following {
  readonly key?: SigningKey
  readonly afterSeq?: bigint
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`what lies beside a log that is followed (${name})`, { timeout: 120_000 }, () => {
    it("is told to the last knock, however many there are", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      const knocks = Array.from({ length: 80 }, () => knockRequest(groupId))
      for (const knock of knocks) expectType(await service.ask(knock), "done")
      const { next, end } = await follow(service, groupId)
      expectType(await next(), "entries")
      const told: Uint8Array[] = []
      while (told.length < knocks.length) told.push(...expectType(await next(), "knocks").knocks.map(({ id }) => id))
      assert.deepEqual(
        told,
        knocks.map(({ id }) => id),
      )
      end()
    })

    it("is told to the last answer, however many there are", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      const knocks = Array.from({ length: 80 }, () => knockRequest(groupId))
      for (const knock of knocks) expectType(await service.ask(knock), "done")
      expectType(await service.ask(answering(groupId, knocks, 0n, 1)), "accepted")
      const { next, end } = await follow(service, groupId)
      expectType(await next(), "entries")
      for (const { id } of knocks) assert.deepEqual(expectType(await next(), "answered").id, id)
      end()
    })

    it("is told no more to who is removed before the look at it", async (test) => {
      let before = async () => {}
      const service = createService(
        watched(openStore(test), () => before()),
        hintsOnly,
      )
      const groupId = await createGroup(service)
      expectType(await service.ask(knockRequest(groupId)), "done")
      const { next, end } = await follow(service, groupId)
      before = async () => {
        before = async () => {}
        expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      }
      assert.deepEqual(expectType(await next(), "entries").entries, [])
      assert.equal(expectType(await next(), "entries").entries[0]?.seq, 1n)
      end()
    })

    it("is not told of a group that has gone before the look at it", async (test) => {
      let before = async () => {}
      const wake = processWake()
      const service = createService(
        watched(openStore(test), () => before()),
        { ...hintsOnly, wake },
      )
      const groupId = await createGroup(service)
      expectType(await service.ask(knockRequest(groupId)), "done")
      const { next, end } = await follow(service, groupId)
      before = async () => {
        before = async () => {}
        await sweepOnce({ store: service.store, now: () => service.clock.now + 400 * DAY })
        wake.notify(groupTopic(groupId))
      }
      expectType(await next(), "entries")
      assert.deepEqual(await next(), { type: "notFound", groupId })
      end()
    })

    it("is told for the key by which the subscription was extended during the look", async (test) => {
      let before = async () => {}
      const service = createService(
        watched(openStore(test), () => before()),
        hintsOnly,
      )
      const groupId = await createGroup(service)
      const [older, later] = [accessKeyOf(groupId, 0), accessKeyOf(groupId, 1)]
      const [first, second] = [knockRequest(groupId), knockRequest(groupId)]
      expectType(await service.askWith(older, first), "done")
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1 })), "accepted")
      expectType(await service.askWith(later, second), "done")
      expectType(await service.askWith(later, answering(groupId, [second, first], 1n, 2)), "accepted")
      const { subscription, next, end } = await follow(service, groupId, { key: older })
      before = async () => {
        before = async () => {}
        const extend = { type: "extend", subscription, cursor: { groupId, afterSeq: 0n } } as const
        expectType(await service.askWith(later, extend), "passes")
      }
      expectType(await next(), "entries")
      assert.deepEqual(await next(), { type: "answered", groupId, id: second.id })
      end()
    })
  })

  describe(`a log whose beginning is kept no longer (${name})`, { timeout: 120_000 }, () => {
    it("is said to be so to a key that reaches no further than that", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      const key = accessKeyOf(groupId, 1)
      expectType(await service.askWith(key, messageRequest(groupId, 1n, { after: 1n })), "accepted")
      service.clock.now += 200 * DAY
      expectType(await service.askWith(key, commitRequest(groupId, 1n, { after: 1n })), "accepted")
      await sweepOnce({ store: service.store, now: () => service.clock.now })
      const { next, end } = await follow(service, groupId, { key: accessKeyOf(groupId, 0), afterSeq: 1n })
      assert.deepEqual(await next(), { type: "belowRetention", groupId, oldestSeq: 3n })
      end()
    })
  })
}
