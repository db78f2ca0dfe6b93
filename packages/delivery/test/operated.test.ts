import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import {
  commitRequest,
  createDevice,
  createGroup,
  createGroupRequest,
  createService,
  expectType,
  keyPackage,
  messageRequest,
  NOW,
  proved,
  random,
  sha256,
  type TestDevice,
  type TestService,
} from "@conclave/testing/delivery"
import { memoryStore } from "../src/index.js"
import { stores } from "./stores.js"

/** What another process has done is found by looking. */
const soon = { limits: { pollMilliseconds: 10 } }
const refused = { type: "forbidden", reason: "the operator has suspended this name: spam" } as const
const nobodys = { type: "notFound", groupId: new Uint8Array() } as const

const requestsOf = (device: TestDevice) => {
  const publish = { type: "publishKeyPackages", cipherSuite: 1, lastResort: undefined, replaces: false } as const
  return [
    proved(device, { ...publish, keyPackages: [keyPackage(device)] }),
    proved(device, { type: "countKeyPackages", cipherSuite: 1 }),
    proved(device, { type: "inbox", after: 0n, limit: 10 }),
    proved(device, { type: "acknowledgeInbox", upTo: 0n }),
    proved(device, { type: "subscribe", cursors: [], inboxAfter: 0n }),
  ]
}

const claimOf = ({ deviceId }: TestDevice) => ({ type: "claimKeyPackage", deviceId, cipherSuite: 1 }) as const

async function inboxOf(service: TestService, device: TestDevice) {
  const answer = await service.ask(proved(device, { type: "inbox", after: 0n, limit: 10 }))
  return expectType(answer, "inboxEntries").entries.map(({ kind, seq }) => `${kind} ${seq}`)
}

/** Invites the device into the group, and returns the recipients who were not served. */
async function invite(service: TestService, groupId: Uint8Array, device: TestDevice, epoch = 0n) {
  const recipients = [device]
  const options = { after: epoch, recipients }
  return expectType(await service.ask(commitRequest(groupId, epoch, options)), "accepted").undelivered
}

async function last(stream: AsyncGenerator<DeliveryResponse>): Promise<DeliveryResponse | undefined> {
  let answer: DeliveryResponse | undefined
  for await (answer of stream);
  return answer
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`a device that the operator has suspended (${name})`, { timeout: 120_000 }, () => {
    it("is refused in words whatever it signs, until it is resumed", async (test) => {
      const store = openStore(test)
      const service = createService(store)
      const bob = service.register(createDevice())
      for (const request of requestsOf(bob).slice(0, 4)) assert.notEqual((await service.ask(request)).type, "forbidden")
      await store.suspend(bob.deviceId, "spam")
      for (const request of requestsOf(bob)) {
        const signal = new AbortController().signal
        assert.deepEqual(
          request.type === "subscribe" ? await last(service.subscribe(request, signal)) : await service.ask(request),
          refused,
        )
      }
      await store.resume(bob.deviceId)
      for (const request of requestsOf(bob).slice(0, 4)) assert.notEqual((await service.ask(request)).type, "forbidden")
    })

    it("is given no Welcome and invited by no key package, and finds what waited before", async (test) => {
      const store = openStore(test)
      const service = createService(store)
      const bob = service.register(createDevice())
      const groupId = await createGroup(service)
      await service.ask(requestsOf(bob)[0]!)
      assert.deepEqual(await invite(service, groupId, bob), [])
      await store.suspend(bob.deviceId, "spam")
      assert.deepEqual(await service.ask(claimOf(bob)), nobodys)
      assert.deepEqual(await invite(service, groupId, bob, 1n), [bob.deviceId])
      await store.resume(bob.deviceId)
      assert.deepEqual(await inboxOf(service, bob), ["welcome 1"])
      assert.equal((await service.ask(claimOf(bob))).type, "keyPackage")
    })

    it("hears no more of what it has subscribed to", async (test) => {
      const store = openStore(test)
      const service = createService(store, soon)
      const bob = service.register(createDevice())
      const groupId = await createGroup(service)
      const gone = new AbortController()
      const request = proved(bob, { type: "subscribe", cursors: [], inboxAfter: 0n })
      const cursors = [{ groupId, afterSeq: 0n }]
      const [own, nameless] = [
        service.subscribe(request, gone.signal),
        service.subscribe({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, gone.signal),
      ]
      expectType((await own.next()).value, "inboxEntries")
      expectType((await nameless.next()).value, "entries")
      const ended = last(own)
      await store.suspend(bob.deviceId, "spam")
      assert.deepEqual(await ended, refused)
      // What is asked of a group names no account: the service cannot know whose it is.
      await service.ask(messageRequest(groupId, 0n))
      assert.equal(expectType((await nameless.next()).value, "entries").entries.length, 1)
      gone.abort()
    })
  })

  describe(`a group that the operator has closed (${name})`, { timeout: 120_000 }, () => {
    it("is not there, with all that belonged to it, and is not made again", async (test) => {
      const store = openStore(test)
      const service = createService(store)
      const bob = service.register(createDevice())
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      await invite(service, groupId, bob)
      await invite(service, other, bob)
      assert.deepEqual(await inboxOf(service, bob), ["welcome 1", "welcome 1"])
      assert.equal(await store.closeGroup(groupId), true)
      assert.equal(await store.closeGroup(groupId), false)
      const gone = { type: "notFound", groupId } as const
      assert.deepEqual(await service.ask(messageRequest(groupId, 1n, { after: 1n })), gone)
      assert.deepEqual(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 10 }), gone)
      assert.deepEqual(await service.ask({ type: "head", groupId }), gone)
      assert.deepEqual(await service.ask({ type: "knocks", groupId }), gone)
      assert.deepEqual(await service.ask(createGroupRequest(groupId)), { type: "alreadyExists" })
      assert.deepEqual(await inboxOf(service, bob), ["welcome 1"])
      assert.equal(expectType(await service.ask({ type: "head", groupId: other }), "head").headSeq, 1n)
    })

    it("is told of to those who have subscribed to it", async (test) => {
      const store = openStore(test)
      const service = createService(store, soon)
      const groupId = await createGroup(service)
      const gone = new AbortController()
      const cursors = [{ groupId, afterSeq: 0n }]
      const request = { type: "subscribe", cursors, inboxAfter: 0n, proof: undefined } as const
      const stream = service.subscribe(request, gone.signal)
      expectType((await stream.next()).value, "entries")
      const next = stream.next()
      await store.closeGroup(groupId)
      assert.deepEqual((await next).value, { type: "notFound", groupId })
      gone.abort()
    })

    it("leaves what comes after it to be swept as before", async (test) => {
      const store = openStore(test)
      const service = createService(store)
      const [first, second] = [await createGroup(service), await createGroup(service)]
      const horizons = { log: 0n, inbox: 0n, groups: 0n, knocks: 0n, rowsMax: 100, at: BigInt(NOW) }
      await service.ask(messageRequest(second, 0n))
      for (let n = 0; n < 5; n++) await service.ask(messageRequest(first, 0n))
      await store.sweep({ ...horizons, messages: BigInt(NOW) + 1n })
      await store.closeGroup(first)
      await service.ask(messageRequest(second, 0n))
      await store.sweep({ ...horizons, messages: BigInt(NOW) + 1n })
      const log = await service.ask({ type: "read", groupId: second, afterSeq: 0n, limit: 10 })
      assert.deepEqual(
        expectType(log, "entries").entries.map(({ kind }) => kind),
        ["expired", "expired"],
      )
    })
  })
}

describe("a device whose name the directory calls suspended", () => {
  it("is told so by its own signature alone: to others it is as one that is not there", async () => {
    const [bob, mallory] = [createDevice(), createDevice()]
    const suspended = { cipherSuite: 1, signatureKey: bob.key.publicKey, suspended: "spam" }
    const directory = async (id: Uint8Array) => (Buffer.compare(id, bob.deviceId) === 0 ? suspended : undefined)
    const service = createService(memoryStore(sha256), { directory })
    for (const request of requestsOf(bob).slice(0, 4)) assert.deepEqual(await service.ask(request), refused)
    const unknown = { type: "forbidden", reason: "the device is not registered" }
    const posing = { ...mallory, deviceId: bob.deviceId }
    for (const request of requestsOf(posing).slice(1, 4)) assert.deepEqual(await service.ask(request), unknown)
    for (const request of requestsOf(mallory).slice(1, 4)) assert.deepEqual(await service.ask(request), unknown)
    assert.deepEqual(await service.ask(claimOf(bob)), nobodys)
    assert.deepEqual(await service.ask(claimOf({ ...bob, deviceId: random(32) })), nobodys)
    const groupId = await createGroup(service)
    assert.deepEqual(await invite(service, groupId, bob), [bob.deviceId])
    assert.deepEqual(await invite(service, groupId, mallory, 1n), [mallory.deviceId])
  })
})
