import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Access } from "@conclave/contracts/access"
import type { KeptFor } from "@conclave/contracts/policy"
import {
  accessKeyOf,
  commitRequest,
  createDevice,
  createGroup,
  createService,
  crypto,
  expectType,
  messageRequest,
  proved,
  random,
  type TestService,
  withAccess,
} from "@conclave/testing/delivery"
import { retentionOf, sweepOnce } from "../src/index.js"
import { stores } from "./stores.js"

const DAY = 86_400
const set = (groupId: Uint8Array, replaces: bigint, messages?: number, handshakes?: number) =>
  ({ type: "setPolicy", groupId, replaces, wanted: { messages, handshakes } satisfies KeptFor }) as const
const retire = (groupId: Uint8Array, headSeq: bigint) => ({ type: "retire", groupId, headSeq }) as const
const asked = async (service: TestService, groupId: Uint8Array) =>
  expectType(await service.ask({ type: "policy", groupId }), "policy").policy
const sweep = (service: TestService) => sweepOnce({ store: service.store, now: () => service.clock.now })
const days = (service: TestService, count: number) => {
  service.clock.now += count * DAY * 1000
}
const kindsOf = async (service: TestService, groupId: Uint8Array, afterSeq = 0n) => {
  const answer = await service.ask({ type: "read", groupId, afterSeq, limit: 100 })
  return expectType(answer, "entries").entries.map(({ seq, kind }) => `${seq} ${kind}`)
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`what members ask for, of the copy of their group (${name})`, { timeout: 120_000 }, () => {
    it("holds after the notice; more holds at once, and never more than the operator keeps", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      assert.deepEqual(await asked(service, groupId), {
        version: 0n,
        wanted: { messages: undefined, handshakes: undefined },
        present: { messages: undefined, handshakes: undefined },
        holdsAt: 0n,
        goneAt: undefined,
        operator: {
          ...{ messages: 30 * DAY, handshakes: 180 * DAY, messagesMin: DAY, handshakesMin: 14 * DAY, notice: 7 * DAY },
        },
      })
      await service.ask(messageRequest(groupId, 0n))
      const { policy } = expectType(await service.ask(set(groupId, 0n, 2 * DAY)), "policy")
      assert.deepEqual([policy.version, policy.wanted.messages, policy.present.messages], [1n, 2 * DAY, undefined])
      days(service, 6.9)
      await service.ask(messageRequest(groupId, 0n))
      await sweep(service)
      assert.deepEqual(await kindsOf(service, groupId), ["1 application", "2 application"])
      days(service, 0.2)
      await sweep(service)
      assert.deepEqual(await kindsOf(service, groupId), ["1 expired", "2 application"])
      // Longer than the operator says is no longer than that.
      await service.ask(set(groupId, 1n, 4_000 * DAY))
      days(service, 29)
      await sweep(service)
      assert.deepEqual(await kindsOf(service, groupId), ["1 expired", "2 application"])
      days(service, 2)
      await sweep(service)
      assert.deepEqual(await kindsOf(service, groupId), ["1 expired", "2 expired"])
    })

    it("may be less of the handshakes: who was away is told where the log begins, and the last commit stays", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      expectType(await service.ask(set(groupId, 0n, DAY, 14 * DAY)), "policy")
      await service.ask(messageRequest(groupId, 0n))
      for (const epoch of [0n, 2n]) await service.ask(commitRequest(groupId, epoch, { after: epoch }))
      days(service, 13)
      await sweep(service)
      assert.deepEqual(await kindsOf(service, groupId), ["1 expired", "2 commit", "3 commit"])
      days(service, 2)
      await service.ask(messageRequest(groupId, 0n, { after: 3n }))
      await sweep(service)
      const read = { type: "read", groupId, afterSeq: 0n, limit: 10 } as const
      assert.deepEqual(await service.ask(read), { type: "belowRetention", groupId, oldestSeq: 4n })
      assert.equal(expectType(await service.ask({ type: "head", groupId }), "head").lastCommitSeq, 3n)
      expectType(await service.ask(commitRequest(groupId, 0n, { after: 3n })), "accepted")
      days(service, 15)
      await sweep(service)
      expectType(await service.ask({ ...read, afterSeq: 5n }), "entries")
    })

    it("is refused below the least that is needed, at zero, and where messages would outlive handshakes", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const wrong = [
        [0],
        [DAY - 1],
        [DAY, 0],
        [DAY, 14 * DAY - 1],
        [undefined, 14 * DAY],
        [20 * DAY, 19 * DAY],
      ] as const
      for (const [messages, handshakes] of wrong) {
        expectType(await service.ask(set(groupId, 0n, messages, handshakes)), "invalid")
      }
      assert.equal((await asked(service, groupId)).version, 0n)
      for (const [messages, handshakes] of [[0xffff_ffff], [DAY, 0xffff_ffff]] as const) {
        const { version } = await asked(service, groupId)
        expectType(await service.ask(set(groupId, version, messages, handshakes)), "policy")
      }
    })

    it("is set with the newest key alone, and by a proof: not by a stranger, an old key, or a pass", async (test) => {
      const service = createService(openStore(test))
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const strangers = crypto.signatures.Ed25519!.generate(random)
      for (const request of [set(groupId, 0n, DAY), retire(groupId, 0n)]) {
        expectType(await service.askWith(strangers, request), "denied")
        expectType(await service.askWith(accessKeyOf(other), request), "denied")
      }
      // Of another group, and of other content: the proof covers both.
      const proved = withAccess(set(other, 0n, DAY), { key: accessKeyOf(other) }) as unknown as {
        readonly access: Access
      }
      expectType(await service.ask({ ...set(groupId, 0n, DAY), access: proved.access }), "denied")
      expectType(await service.ask({ ...set(other, 0n, 2 * DAY), access: proved.access }), "denied")
      expectType(await service.ask({ ...retire(other, 0n), access: proved.access }), "denied")
      const gone = new AbortController()
      const cursors = [{ groupId, afterSeq: 0n }]
      const stream = service.stream({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, gone.signal)
      await stream.next()
      const pass = expectType((await stream.next()).value!, "passes").passes[0]!
      const byPass = { type: "pass", key: pass.key, until: pass.until, tag: pass.tag } as const
      expectType(await service.ask({ type: "policy", groupId, access: byPass }), "policy")
      expectType(await service.ask({ ...set(groupId, 0n, DAY), access: byPass }), "denied")
      expectType(await service.ask({ ...retire(groupId, 0n), access: byPass }), "denied")
      gone.abort()
      // Whose key is over, for a removal or not, sets nothing more, within the minute too in which it still says something.
      await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: false }))
      for (const request of [set(groupId, 0n, DAY), retire(groupId, 1n)])
        expectType(await service.ask(request), "denied")
      expectType(await service.askWith(accessKeyOf(groupId, 1), set(groupId, 0n, DAY)), "policy")
      await service.askWith(accessKeyOf(groupId, 1), commitRequest(groupId, 1n, { interval: 2, removes: true }))
      expectType(await service.ask({ type: "policy", groupId }), "denied")
      expectType(await service.askWith(accessKeyOf(groupId, 2), { type: "policy", groupId }), "policy")
    })

    it("is changed once by each request: a copy, and one that has not seen another, changes nothing", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const first = withAccess(set(groupId, 0n, DAY))
      const { policy } = expectType(await service.ask(first), "policy")
      expectType(await service.ask(set(groupId, 1n)), "policy")
      const { policy: after } = expectType(await service.ask(first), "policy")
      assert.deepEqual([policy.version, after.version, after.wanted.messages], [1n, 2n, undefined])
    })

    it("costs what proposals do, of the group and of the requester: a loop ends there", async (test) => {
      const limits = { proposals: { perSecond: 1, burst: 5 } }
      const service = createService(openStore(test), { limits })
      const groupId = await createGroup(service)
      let changes = 0n
      for (; changes < 20n; changes++) {
        const answer = await service.ask(set(groupId, changes, changes % 2n === 0n ? DAY : undefined))
        if (answer.type !== "policy") break
      }
      assert.equal(changes, 5n)
      expectType(await service.ask(set(groupId, 5n, DAY)), "throttled")
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    })
  })

  describe(`a group that was retired (${name})`, { timeout: 120_000 }, () => {
    it("is there for the notice, and then not at all: not its log, its Welcomes or its id", async (test) => {
      const service = createService(openStore(test))
      const bob = service.register(createDevice())
      const groupId = await createGroup(service)
      await service.ask(messageRequest(groupId, 0n))
      await service.ask(commitRequest(groupId, 0n, { recipients: [bob] }))
      const { policy } = expectType(await service.ask(retire(groupId, 2n)), "policy")
      assert.equal(policy.goneAt, BigInt(service.clock.now + 7 * DAY * 1000))
      days(service, 3)
      // Once more puts nothing off.
      assert.equal(expectType(await service.ask(retire(groupId, 2n)), "policy").policy.goneAt, policy.goneAt)
      await sweep(service)
      assert.equal((await kindsOf(service, groupId)).length, 2)
      days(service, 4)
      await sweep(service)
      expectType(await service.ask({ type: "head", groupId }), "notFound")
      const inbox = await service.ask(proved(bob, { type: "inbox", after: 0n, limit: 9 }, service.clock.now))
      assert.deepEqual(expectType(inbox, "inboxEntries").entries, [])
      const again = {
        type: "createGroup",
        groupId,
        idempotencyId: random(16),
        accessKey: accessKeyOf(groupId).publicKey,
      }
      expectType(await service.ask(again as never), "alreadyExists")
    })

    it("is kept by anything that is appended, by a member who had not read that it was retired too", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      await service.ask(messageRequest(groupId, 0n))
      const copy = withAccess(retire(groupId, 1n))
      expectType(await service.ask(copy), "policy")
      days(service, 6.99)
      await service.ask(messageRequest(groupId, 0n))
      assert.equal((await asked(service, groupId)).goneAt, undefined)
      expectType(await service.ask(retire(groupId, 1n)), "stale")
      days(service, 1)
      await sweep(service)
      assert.equal((await kindsOf(service, groupId)).length, 2)
      expectType(await service.ask(retire(groupId, 2n)), "policy")
      days(service, 8)
      await sweep(service)
      expectType(await service.ask({ type: "head", groupId }), "notFound")
    })

    it("is either kept or gone when something is appended in the moment in which it goes", async (test) => {
      const service = createService(openStore(test))
      for (let round = 0; round < 5; round++) {
        const groupId = await createGroup(service)
        await service.ask(retire(groupId, 0n))
        days(service, 7.1)
        const [appended] = await Promise.all([service.ask(messageRequest(groupId, 0n)), sweep(service)])
        await sweep(service)
        const head = await service.ask({ type: "head", groupId })
        if (appended.type === "accepted") assert.equal(expectType(head, "head").headSeq, 1n)
        else assert.deepEqual([appended.type, head.type], ["notFound", "notFound"])
      }
    })
  })
}

describe("the bounds of an operator", () => {
  it("who keeps less than the least of others keeps that", () => {
    const { messagesMin, handshakesMin } = retentionOf(0.5)
    assert.deepEqual([messagesMin, handshakesMin], [0.5, 3])
  })
})
