import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { type Access, AccessTBS, noAccess, type Pass } from "@conclave/contracts/access"
import { Cursor, type DeliveryRequest, type DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { SigningKey } from "@conclave/crypto"
import {
  accessKeyOf,
  commitRequest,
  createGroup,
  createGroupRequest,
  createService,
  crypto,
  expectType,
  macOver,
  messageRequest,
  NOW,
  privateMessage,
  random,
  type TestService,
  withAccess,
} from "@conclave/testing/delivery"
import { stores } from "./stores.js"

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const hintsOnly = { limits: { pollMilliseconds: 600_000 } }
type AppendRequest = Extract<DeliveryRequest, { readonly type: "append" }>
type Mac = Extract<Access, { readonly type: "mac" }>

const read = (groupId: Uint8Array) => ({ type: "read", groupId, afterSeq: 0n, limit: 100 }) as const
const knockRequest = (groupId: Uint8Array) => ({ type: "knock", groupId, id: random(16), sealed: random(9) }) as const
const seqsOf = (answer: DeliveryResponse) => expectType(answer, "entries").entries.map(({ seq }) => Number(seq))

/** What a subscription to the group, by this cursor's access, begins with. */
async function firstAnswers(service: TestService, cursor: Cursor, count: number) {
  const gone = new AbortController()
  const subscribe = { type: "subscribe", cursors: [cursor], inboxAfter: 0n, proof: undefined } as const
  const stream = service.stream(subscribe, gone.signal)
  const answers: DeliveryResponse[] = []
  while (answers.length < count) {
    const { value, done } = await stream.next()
    assert.equal(done ?? false, false, "the stream ended")
    answers.push(value!)
  }
  gone.abort()
  await stream.return(undefined)
  return answers
}

async function passOf(service: TestService, groupId: Uint8Array, key: SigningKey = accessKeyOf(groupId)) {
  const subscribe = {
    type: "subscribe",
    cursors: [{ groupId, afterSeq: 0n }],
    inboxAfter: 0n,
    proof: undefined,
  } as const
  const signed = withAccess(subscribe, { key, at: service.clock.now }) as { readonly cursors: readonly Cursor[] }
  const [, second] = await firstAnswers(service, signed.cursors[0]!, 2)
  return expectType(second!, "passes").passes[0]!
}

/** The message with a MAC by the pass, of the service's time. */
const byMac = (service: TestService, pass: Pass, request = messageRequest(pass.groupId, 0n)) =>
  withAccess(request, { pass, at: service.clock.now }) as AppendRequest & { readonly access: Mac }

for (const [name, openStore] of Object.entries(stores)) {
  describe(`a MAC by a pass (${name})`, { timeout: 120_000 }, () => {
    it("appends and knocks, reads and follows, until its pass is over", async (test) => {
      const store = openStore(test)
      const service = createService(store, hintsOnly)
      const groupId = await createGroup(service)
      const pass = await passOf(service, groupId)
      expectType(await service.ask(byMac(service, pass)), "accepted")
      const commit = byMac(service, pass, commitRequest(groupId, 0n))
      expectType(await service.ask(commit), "accepted")
      const proposal = {
        ...messageRequest(groupId, 1n, { after: 2n }),
        kind: "proposal",
        body: privateMessage({ groupId, epoch: 1n, kind: "proposal" }),
      } as const
      expectType(await service.ask(byMac(service, pass, proposal)), "accepted")
      const shown = { pass }
      expectType(await service.ask(withAccess(knockRequest(groupId), shown)), "done")
      assert.equal(
        expectType(await service.ask(withAccess({ type: "knocks", groupId }, shown)), "knocks").knocks.length,
        1,
      )
      assert.deepEqual(seqsOf(await service.ask(withAccess(read(groupId), shown))), [1, 2, 3])
      // Another service of the same store derives the same key.
      const another = createService(store)
      another.clock.now = NOW + 24 * HOUR - 1
      expectType(await another.ask(byMac(another, pass, messageRequest(groupId, 1n, { after: 2n }))), "accepted")
      another.clock.now++
      const late = byMac(another, pass, messageRequest(groupId, 1n, { after: 2n }))
      expectType(await another.ask(late), "denied")
      expectType(await another.ask(withAccess(knockRequest(groupId), { pass, at: another.clock.now })), "denied")
      // Nor is it good for longer than 48 hours.
      const early = createService(store)
      early.clock.now = NOW - 24 * HOUR
      expectType(await early.ask(byMac(early, pass, messageRequest(groupId, 1n, { after: 2n }))), "accepted")
      early.clock.now--
      expectType(await early.ask(byMac(early, pass, messageRequest(groupId, 1n, { after: 2n }))), "denied")
    })

    it("follows a log and extends a subscription, but gets no pass", async (test) => {
      const service = createService(openStore(test), hintsOnly)
      const groupId = await createGroup(service)
      const pass = await passOf(service, groupId)
      expectType(await service.ask(byMac(service, pass)), "accepted")
      const bare = { groupId, afterSeq: 0n, access: noAccess }
      const cursor = { ...bare, access: macOver(pass, encode(Cursor, bare)) }
      const [subscribed, entries] = await firstAnswers(service, cursor, 2)
      assert.deepEqual(seqsOf(entries!), [1])
      const gone = new AbortController()
      const subscribe = { type: "subscribe", cursors: [cursor], inboxAfter: 0n, proof: undefined } as const
      const stream = service.stream(subscribe, gone.signal)
      const { subscription } = expectType((await stream.next()).value!, "subscribed")
      assert.notDeepEqual(subscription, expectType(subscribed!, "subscribed").subscription)
      const extend = { type: "extend", subscription, cursor } as const
      assert.deepEqual(await service.ask(extend), { type: "passes", passes: [] })
      gone.abort()
      // A MAC over the cursor of another place, and one of another time.
      const moved = { ...cursor, afterSeq: 1n }
      assert.equal((await firstAnswers(service, moved, 2))[1]!.type, "denied")
      const old = { ...bare, access: macOver(pass, encode(Cursor, bare), NOW - 6 * MINUTE) }
      assert.deepEqual(await firstAnswers(service, old, 1), [{ type: "wrongTime", serviceTime: BigInt(NOW) }])
    })

    it("is good for its request, group, key and time, and nothing else", async (test) => {
      const service = createService(openStore(test))
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const [pass, others] = [await passOf(service, groupId), await passOf(service, other)]
      const message = byMac(service, pass)
      const { access } = message
      const twin = random(32)
      const { publicKey: accessKey } = accessKeyOf(groupId)
      expectType(await service.ask({ ...createGroupRequest(twin), accessKey }), "done")
      expectType(await service.askWith(accessKeyOf(groupId), read(twin)), "entries")
      const reading = withAccess(read(groupId), { pass }) as DeliveryRequest & { readonly access: Access }
      const content = deliveryRequests.encode({ ...message, access: noAccess })
      const changed = access.mac.slice()
      changed[31]! ^= 1
      const shown = (change: Partial<Mac>) => ({ ...message, access: { ...access, ...change } })
      const bareTBS = encode(AccessTBS, { at: access.at, content })
      const wrong: Readonly<Record<string, DeliveryRequest>> = {
        forged: shown({ mac: changed }),
        random: shown({ mac: random(32) }),
        "with another time": shown({ at: access.at + 1n }),
        "with another end": shown({ until: access.until + 1n }),
        "for the key of another group": shown({ key: others.key }),
        "of another message": { ...(messageRequest(groupId, 0n) as AppendRequest), access },
        "of another body": { ...message, body: privateMessage({ groupId, epoch: 0n, kind: "application" }) },
        "of another `after`": { ...message, after: 1n },
        "of an append, in a knock": { ...knockRequest(groupId), access },
        "of an append, when reading": { ...read(groupId), access },
        "of another group with the same key": { ...read(twin), access: reading.access },
        "by the pass for the same key in another group": withAccess(read(twin), { pass }),
        "by another group's pass": { ...message, access: macOver({ ...others, key: pass.key }, content) },
        "of another group's key and pass": { ...message, access: macOver(others, content) },
        "by a pass of another time": { ...message, access: macOver({ ...pass, until: pass.until - 1n }, content) },
        "over bytes without their version": { ...message, access: macOver(pass, content.subarray(1)) },
        "without the label": shown({ mac: crypto.hashes["SHA-256"]!.hmac(pass.macKey, bareTBS) }),
      }
      for (const [what, request] of Object.entries(wrong)) {
        assert.equal((await service.ask(request)).type, "denied", what)
      }
      for (const at of [NOW - 5 * MINUTE - 1, NOW + 5 * MINUTE + 1]) {
        const asked = withAccess(messageRequest(groupId, 0n), { pass, at })
        assert.deepEqual(await service.ask(asked), { type: "wrongTime", serviceTime: BigInt(NOW) })
      }
      assert.deepEqual(seqsOf(await service.ask(read(groupId))), [])
      for (const at of [NOW - 5 * MINUTE, NOW + 5 * MINUTE]) {
        expectType(await service.ask(withAccess(messageRequest(groupId, 0n), { pass, at })), "accepted")
      }
      expectType(await service.ask(message), "accepted")
    })

    it("cannot be computed from the pass that a reading request shows", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const { key, until, tag, macKey } = await passOf(service, groupId)
      assert.notDeepEqual(tag, macKey)
      const recorded: Access = { type: "pass", key, until, tag }
      expectType(await service.ask({ ...read(groupId), access: recorded }), "entries")
      for (const request of [messageRequest(groupId, 0n), commitRequest(groupId, 0n), knockRequest(groupId)]) {
        expectType(await service.ask({ ...request, access: recorded }), "denied")
        const pass = { groupId, key, until, tag, macKey: tag }
        expectType(await service.ask(withAccess(request, { pass })), "denied")
      }
      // Nor does the key of MACs read as a tag.
      expectType(await service.ask({ ...read(groupId), access: { ...recorded, tag: macKey } }), "denied")
    })

    it("goes by the rules on keys that a proof goes by", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const old = await passOf(service, groupId)
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1 })), "accepted")
      const current = await passOf(service, groupId, accessKeyOf(groupId, 1))
      const message = () => messageRequest(groupId, 0n, { after: 1n })
      service.clock.now += MINUTE - 1
      expectType(await service.ask(byMac(service, old, message())), "accepted")
      const commit = (after: bigint) => commitRequest(groupId, 1n, { after, interval: 2, removes: true })
      expectType(await service.ask(byMac(service, old, commit(1n))), "denied")
      expectType(await service.ask(byMac(service, old, commit(0n))), "stale")
      service.clock.now++
      expectType(await service.ask(byMac(service, old, message())), "denied")
      expectType(await service.ask(byMac(service, current, commit(1n))), "accepted")
      // It has removed whoever knows the older keys alone.
      for (const pass of [old, current]) {
        const late = messageRequest(groupId, 2n, { after: 3n })
        expectType(await service.ask(byMac(service, pass, late)), "denied")
        const newest = { ...pass, key: accessKeyOf(groupId, 2).publicKey }
        expectType(await service.ask(byMac(service, newest, late)), "denied")
      }
      expectType(await service.ask(withAccess(knockRequest(groupId), { pass: old, at: service.clock.now })), "done")
    })

    it("appends once: a copy gets the first answer, also when the pass is over", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const pass = await passOf(service, groupId)
      const message = byMac(service, pass)
      const accepted = await service.ask(message)
      expectType(accepted, "accepted")
      // So does its sender, who has lost the answer and signs instead.
      const { access: _, ...bare } = message
      for (const copy of [message, bare]) assert.deepEqual(await service.ask(copy), accepted)
      service.clock.now += 25 * HOUR
      assert.deepEqual(await service.ask(message), accepted)
      assert.deepEqual(seqsOf(await service.ask(read(groupId))), [1])
    })
  })
}

describe("a MAC of another store's service", () => {
  it("is denied", async (test) => {
    const [here, there] = [createService(stores.memory!(test)), createService(stores.memory!(test))]
    const groupId = await createGroup(here)
    expectType(await there.ask(createGroupRequest(groupId)), "done")
    expectType(await there.ask(byMac(there, await passOf(here, groupId))), "denied")
  })
})
