import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  type BareRequest,
  createGroup,
  createService,
  expectType,
  messageRequest,
  privateMessage,
  random,
  sha256,
} from "@conclave/testing/delivery"
import { type DeliveryLimits, memoryPushStore, memoryStore } from "../src/index.js"

const free = { perSecond: 1e9, burst: 1e9 }
const two = { perSecond: 1e-6, burst: 2 }
/** More than a table of rates has room for. */
const MANY = 20_100

const knock = (groupId: Uint8Array) => ({ type: "knock", groupId, id: random(16), sealed: random(9) }) as const
const signal = (groupId: Uint8Array) => ({ type: "signal", groupId, body: random(40) }) as const
const push = (groupId: Uint8Array) =>
  ({
    ...{ type: "registerPush", groupId, id: random(16), kind: "webhook", endpoint: "https://push.example.org/" },
    ...{ parameters: random(4), lifetimeSeconds: 60, removal: random(32) },
  }) as const satisfies BareRequest
const append = (groupId: Uint8Array) => messageRequest(groupId, 0n)
const proposal = (groupId: Uint8Array) => {
  const body = privateMessage({ groupId, epoch: 0n, kind: "proposal" })
  return { ...append(groupId), kind: "proposal", body } as const
}

interface Kind {
  readonly request: (groupId: Uint8Array) => BareRequest
  readonly ofGroup: keyof DeliveryLimits
  readonly ofAll: keyof DeliveryLimits
  readonly answer: "done" | "accepted"
}

/** Requests about a group, and which rate of each requester they have there and for all groups. */
const kinds: Readonly<Record<string, Kind>> = {
  knock: { request: knock, ofGroup: "knocksByRequester", ofAll: "knocksByRequesterInAll", answer: "done" },
  append: { request: append, ofGroup: "appendsByRequester", ofAll: "appendsByRequesterInAll", answer: "accepted" },
  proposal: {
    ...{ request: proposal, ofGroup: "proposalsByRequester", ofAll: "appendsByRequesterInAll", answer: "accepted" },
  },
  signal: { request: signal, ofGroup: "signalsByRequester", ofAll: "signalsByRequesterInAll", answer: "done" },
  registerPush: { request: push, ofGroup: "pushesByRequester", ofAll: "pushesByRequesterInAll", answer: "done" },
}

const serviceOf = (limits: Partial<DeliveryLimits>) =>
  createService(memoryStore(sha256), {
    ...{ limits, pushes: memoryPushStore(), pushSender: { send: async () => "sent" as const } },
  })

describe("a stranger who makes up groups", { timeout: 120_000 }, () => {
  for (const [name, { request, ofGroup, ofAll, answer }] of Object.entries(kinds)) {
    it(`takes nothing of what members have for ${name}`, async () => {
      const service = serviceOf({ denialsByRequester: free, [ofGroup]: two, [ofAll]: free })
      const groupId = await createGroup(service)
      // A key of its own costs no signature; the key is none of the group's anyway.
      const access = { type: "none" } as const
      for (let i = 0; i < MANY; i++) {
        const asked = { ...request(random(32)), access } as BareRequest
        expectType(await service.askAs(`stranger ${i % 7}`, asked), "notFound")
      }
      for (const member of ["alice", "bob", "carol"]) {
        const answers: string[] = []
        for (let i = 0; i < 3; i++) answers.push((await service.askAs(member, request(groupId))).type)
        assert.deepEqual(answers, [answer, answer, "throttled"])
      }
    })

    it(`waits like one who is denied, and as one who asks for ${name} of too many groups`, async () => {
      const requests = (groupIds: readonly Uint8Array[]) => groupIds.map((groupId) => request(groupId))
      const types = async (service: ReturnType<typeof serviceOf>, peer: string, asked: readonly BareRequest[]) => {
        const answers: string[] = []
        for (const it of asked) answers.push((await service.askAs(peer, it)).type)
        return answers
      }
      const denying = serviceOf({ denialsByRequester: two })
      const groupId = await createGroup(denying)
      const unknown = requests([random(32), random(32), groupId])
      assert.deepEqual(await types(denying, "mallory", unknown), ["notFound", "notFound", "throttled"])
      assert.deepEqual(await types(denying, "alice", requests([groupId])), [answer])
      const limited = serviceOf({ [ofAll]: two })
      const groups = [await createGroup(limited), await createGroup(limited), await createGroup(limited)]
      assert.deepEqual(await types(limited, "mallory", requests(groups)), [answer, answer, "throttled"])
      assert.deepEqual(await types(limited, "alice", requests(groups.slice(2))), [answer])
    })
  }

  it("takes nothing of a group that is there either, without a key", async () => {
    for (const { request, ofGroup, answer } of Object.values(kinds)) {
      const service = serviceOf({ [ofGroup]: two })
      const groupId = await createGroup(service)
      const stranger = { ...request(groupId), access: { type: "none" } } as BareRequest
      for (let i = 0; i < 5; i++) expectType(await service.askAs("shared", stranger), "denied")
      expectType(await service.askAs("shared", request(groupId)), answer)
    }
  })

  it("of subscriptions counts as one who is denied, too", async () => {
    const service = serviceOf({ denialsByRequester: two })
    const gone = new AbortController()
    const cursors = [random(32), random(32)].map((groupId) => ({ groupId, afterSeq: 0n }))
    const request = { type: "subscribe", inboxAfter: 0n, proof: undefined, cursors } as const
    const followed = service.subscribe(request, gone.signal, "mallory")
    for (let i = 0; i < 2; i++) expectType((await followed.next()).value!, "notFound")
    const head = { type: "head", groupId: await createGroup(service) } as const
    expectType(await service.askAs("mallory", head), "throttled")
    expectType(await service.askAs("alice", head), "head")
    gone.abort()
    await followed.return(undefined)
  })
})
