import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
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
import { stores } from "./stores.js"

const DAY = 86_400_000
const knockRequest = (groupId: Uint8Array, size = 100) =>
  ({ type: "knock", groupId, id: random(16), sealed: random(size) }) as const
const answerRequest = ({ groupId, id }: { groupId: Uint8Array; id: Uint8Array }) =>
  ({ type: "answer", groupId, id }) as const
const waiting = async (service: TestService, groupId: Uint8Array, key?: SigningKey) => {
  const asked = { type: "knocks", groupId } as const
  return expectType(await (key === undefined ? service.ask(asked) : service.askWith(key, asked)), "knocks").knocks
}
const idsOf = (knocks: readonly { readonly id: Uint8Array }[]) =>
  knocks.map(({ id }) => Buffer.from(id).toString("hex"))

/** A commit that removes and adds who knocked. */
function answering(groupId: Uint8Array, knocks: readonly { readonly id: Uint8Array }[], after: bigint, interval = 1) {
  const answers = { welcome: random(300), to: knocks.map(({ id }) => ({ knock: id, key: random(50) })) }
  return commitRequest(groupId, after, { interval, removes: true, answers })
}

/** The next of these types. */
async function next<T extends DeliveryResponse["type"]>(stream: AsyncGenerator<DeliveryResponse>, type: T) {
  for (;;) {
    const { value, done } = await stream.next()
    assert.equal(done ?? false, false, "the stream ended")
    if (value.type === type) return expectType(value, type)
  }
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`knocks (${name})`, { timeout: 120_000 }, () => {
    it("are left with any key of the group's, seen by a key that reaches the head, and answered for the knock's key", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const [old, current] = [accessKeyOf(groupId, 0), accessKeyOf(groupId, 1)]
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      const knock = knockRequest(groupId)
      assert.deepEqual(await service.askWith(old, knock), { type: "done" })
      const [seen] = await waiting(service, groupId, current)
      assert.deepEqual(seen, { id: knock.id, key: old.publicKey, sealed: knock.sealed, at: BigInt(service.clock.now) })
      expectType(await service.askWith(old, { type: "knocks", groupId }), "denied")
      expectType(await service.askWith(old, answerRequest(knock)), "notFound")
      const commit = answering(groupId, [knock], 1n, 2)
      const { seq } = expectType(await service.askWith(current, commit), "accepted")
      const { welcome, to } = commit.commit!.answers!
      const answer = { type: "answer", seq, key: to[0]!.key, welcome }
      assert.deepEqual(await service.askWith(old, answerRequest(knock)), answer)
      // Members do not get it, and the knock waits no longer.
      for (const interval of [1, 2]) {
        expectType(await service.askWith(accessKeyOf(groupId, interval), answerRequest(knock)), "notFound")
      }
      assert.deepEqual(await waiting(service, groupId, accessKeyOf(groupId, 2)), [])
    })

    it("are there once, by their id, also when they have been answered", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const knock = knockRequest(groupId)
      for (let i = 0; i < 2; i++) assert.deepEqual(await service.ask(knock), { type: "done" })
      assert.equal((await waiting(service, groupId)).length, 1)
      expectType(await service.ask({ ...knock, sealed: random(10) }), "invalid")
      expectType(await service.ask(answering(groupId, [knock], 0n)), "accepted")
      assert.deepEqual(await service.ask(knock), { type: "done" })
      const key = accessKeyOf(groupId, 1)
      assert.deepEqual(await waiting(service, groupId, key), [])
      expectType(await service.askWith(key, knock), "invalid")
    })

    it("of another group, or that nobody has left, are not answered by a commit, which is accepted all the same", async (test) => {
      const service = createService(openStore(test))
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const [here, there] = [knockRequest(groupId), knockRequest(other)]
      for (const knock of [here, there]) await service.ask(knock)
      const commit = answering(groupId, [there, { id: random(16) }, here, here], 0n)
      expectType(await service.ask(commit), "accepted")
      assert.equal((await waiting(service, other)).length, 1)
      expectType(await service.ask(answerRequest(there)), "notFound")
      const answer = expectType(await service.ask(answerRequest(here)), "answer")
      assert.deepEqual(answer.key, commit.commit!.answers!.to[2]!.key)
    })

    it("stay as they are where the commit that would answer them is stale", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const knock = knockRequest(groupId)
      await service.ask(knock)
      expectType(await service.ask(commitRequest(groupId, 0n)), "accepted")
      expectType(await service.ask(answering(groupId, [knock], 0n)), "stale")
      assert.deepEqual(idsOf(await waiting(service, groupId)), idsOf([knock]))
      expectType(await service.ask(answerRequest(knock)), "notFound")
    })

    it("wait for a day, and so do their answers", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const [answered, ignored] = [knockRequest(groupId), knockRequest(groupId)]
      for (const knock of [answered, ignored]) await service.ask(knock)
      service.clock.now += DAY - 1
      expectType(await service.ask(answering(groupId, [answered], 0n)), "accepted")
      const key = accessKeyOf(groupId, 1)
      assert.deepEqual(idsOf(await waiting(service, groupId, key)), idsOf([ignored]))
      service.clock.now += 2
      assert.deepEqual(await waiting(service, groupId, key), [])
      // Nor can a commit answer what waits no longer.
      const late = commitRequest(groupId, 1n, { answers: answering(groupId, [ignored], 1n).commit!.answers })
      expectType(await service.askWith(key, late), "accepted")
      expectType(await service.ask(answerRequest(ignored)), "notFound")
      service.clock.now += DAY - 3
      expectType(await service.ask(answerRequest(answered)), "answer")
      service.clock.now += 2
      expectType(await service.ask(answerRequest(answered)), "notFound")
      await sweepOnce({ store: service.store, now: () => service.clock.now })
      // What is over is as if it had never been.
      assert.deepEqual(await service.ask(answered), { type: "done" })
    })

    it("of one key are 1,024 at most: the requester with the most loses its oldest, and nobody else any", async (test) => {
      const service = createService(openStore(test), {
        limits: { knocksPerKeyMax: 5, knocksByRequester: { perSecond: 1e6, burst: 1e6 } },
      })
      const groupId = await createGroup(service)
      const honest = [knockRequest(groupId), knockRequest(groupId)]
      await service.askAs("alice", honest[0]!)
      const junk = Array.from({ length: 8 }, () => knockRequest(groupId))
      for (const knock of junk) expectType(await service.askAs("mallory", knock), "done")
      await service.askAs("bob", honest[1]!)
      const left = await waiting(service, groupId)
      assert.deepEqual(new Set(idsOf(left)), new Set(idsOf([...honest, ...junk.slice(-3)])))
      // Each requester's oldest comes first.
      assert.deepEqual(idsOf(left).slice(0, 3), idsOf([honest[0]!, junk[5]!, honest[1]!]))
      // Another key has room of its own.
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1 })), "accepted")
      const key = accessKeyOf(groupId, 1)
      expectType(await service.askWith(key, knockRequest(groupId)), "done")
      assert.equal((await waiting(service, groupId, key)).length, 6)
    })

    it("have a size, their ids too, and a rate for each requester", async (test) => {
      const service = createService(openStore(test), { limits: { knocksByRequester: { perSecond: 1, burst: 2 } } })
      const groupId = await createGroup(service)
      assert.deepEqual(await service.ask(knockRequest(groupId, 16_385)), { type: "tooLarge", max: 16_384 })
      expectType(await service.ask(knockRequest(groupId, 16_384)), "done")
      const encoded = deliveryRequests.encode(withAccess({ ...knockRequest(groupId), sealed: new Uint8Array() }))
      const at = 2 + 1 + groupId.length
      const short = Uint8Array.from([...encoded.subarray(0, at), ...encoded.subarray(at + 1)])
      expectType(decode(DeliveryResponse, await service.askBytes(short)), "invalid")
      const answers: string[] = []
      for (let i = 0; i < 3; i++) answers.push((await service.askAs("mallory", knockRequest(groupId))).type)
      assert.deepEqual(answers, ["done", "done", "throttled"])
      expectType(await service.askAs("alice", knockRequest(groupId)), "done")
    })

    it("of one group have a rate, whoever leaves them; one that is there already takes nothing of it", async (test) => {
      const service = createService(openStore(test), { limits: { knocks: { perSecond: 1, burst: 2 } } })
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const first = knockRequest(groupId)
      for (let i = 0; i < 3; i++) expectType(await service.askAs("alice", first), "done")
      expectType(await service.askAs("bob", knockRequest(groupId)), "done")
      const { retryAfterMilliseconds } = expectType(await service.askAs("carol", knockRequest(groupId)), "throttled")
      assert.equal(retryAfterMilliseconds, 1_000)
      assert.equal((await waiting(service, groupId)).length, 2)
      expectType(await service.askAs("carol", knockRequest(other)), "done")
      service.clock.now += 1_000
      expectType(await service.askAs("carol", knockRequest(groupId)), "done")
    })

    it("are pushed to members, those that wait and each that comes, and answers to who knocked", async (test) => {
      const service = createService(openStore(test), { limits: { pollMilliseconds: 600_000 } })
      const groupId = await createGroup(service)
      const [old, current] = [accessKeyOf(groupId, 0), accessKeyOf(groupId, 1)]
      const first = knockRequest(groupId)
      await service.ask(first)
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      const gone = new AbortController()
      const subscribe = { type: "subscribe", inboxAfter: 0n, proof: undefined } as const
      const follow = (key: SigningKey) =>
        service.stream(withAccess({ ...subscribe, cursors: [{ groupId, afterSeq: 0n }] }, { key }), gone.signal)
      const [member, knocker] = [follow(current), follow(old)]
      const { subscription } = await next(member, "subscribed")
      assert.deepEqual(idsOf((await next(member, "knocks")).knocks), idsOf([first]))
      expectType((await knocker.next()).value!, "subscribed")
      expectType((await knocker.next()).value!, "passes")
      assert.equal(expectType((await knocker.next()).value!, "entries").entries.length, 1)
      const second = knockRequest(groupId)
      const pushed = next(member, "knocks")
      const answered = knocker.next()
      expectType(await service.askWith(old, second), "done")
      assert.deepEqual(idsOf((await pushed).knocks), idsOf([second]))
      expectType(await service.askWith(current, answering(groupId, [second], 1n, 2)), "accepted")
      // It has seen no knock, nor what comes after its removal.
      assert.deepEqual((await answered).value, { type: "answered", groupId, id: second.id })
      // Who comes later is told too.
      const later = follow(old)
      assert.deepEqual((await next(later, "answered")).id, second.id)
      // And a member, with the next key, is told of neither once more.
      const extend = { type: "extend", subscription, cursor: { groupId, afterSeq: 0n } } as const
      expectType(await service.askWith(accessKeyOf(groupId, 2), extend), "passes")
      const coming = next(member, "knocks")
      const third = knockRequest(groupId)
      expectType(await service.askWith(old, third), "done")
      assert.deepEqual(idsOf((await coming).knocks), idsOf([third]))
      gone.abort()
    })
  })
}

describe("a knock that no hint tells of", () => {
  it("is found by looking", async (test) => {
    const wake = { ...processWake(), notify() {} }
    const service = createService(stores.SQLite!(test), { wake, limits: { pollMilliseconds: 30 } })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const cursors = [{ groupId, afterSeq: 0n }]
    const stream = service.subscribe({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, gone.signal)
    expectType((await stream.next()).value!, "entries")
    const knock = knockRequest(groupId)
    expectType(await service.ask(knock), "done")
    assert.deepEqual(idsOf((await next(stream, "knocks")).knocks), idsOf([knock]))
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    gone.abort()
  })
})
