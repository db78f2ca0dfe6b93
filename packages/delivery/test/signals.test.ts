import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { type Cursor, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { SigningKey } from "@conclave/crypto"
import { listen } from "@conclave/server"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  accessKeyOf,
  commitRequest,
  createGroup,
  createGroupRequest,
  createService,
  cursorWithAccess,
  expectType,
  messageRequest,
  random,
  sha256,
  type TestService,
  temporaryFolder,
  withAccess,
} from "@conclave/testing/delivery"
import { connect } from "@conclave/transport/node"
import { memoryStore, processWake, type RefusalKind, type Wake } from "../src/index.js"
import { Heard, Signals } from "../src/signals.js"
import { stores } from "./stores.js"

const signalRequest = (groupId: Uint8Array, body = random(100)) => ({ type: "signal", groupId, body }) as const
const turn = () => new Promise((resolve) => setTimeout(resolve, 20))
async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isTrue(); i++) await turn()
  assert.ok(isTrue(), `not within ten seconds: ${isTrue}`)
}

/** A subscription that hears, and what has come of signals so far. */
async function hearing(service: TestService, groupId: Uint8Array, key?: SigningKey) {
  const gone = new AbortController()
  const cursors = [cursorWithAccess({ groupId, afterSeq: 0n }, { ...(key && { key }), at: service.clock.now })]
  const stream = service.stream({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, gone.signal)
  const { subscription } = expectType((await stream.next()).value!, "subscribed")
  const came: Uint8Array[] = []
  const answers: DeliveryResponse["type"][] = []
  const reading = (async () => {
    for await (const answer of stream) {
      answers.push(answer.type)
      if (answer.type === "signal") came.push(answer.body)
    }
  })()
  expectType(await service.ask({ type: "hear", subscription }), "done")
  // It follows the log before anything is sent.
  await until(() => answers.includes("entries"))
  const end = async () => {
    gone.abort()
    await reading
  }
  return { came, answers, subscription, end }
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`signals (${name})`, { timeout: 60_000 }, () => {
    it("come once to each who hears the group at this moment, to nobody later, and take no place in the log", async (test) => {
      const service = createService(openStore(test))
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const [alice, bob, others] = [
        await hearing(service, groupId),
        await hearing(service, groupId),
        await hearing(service, other),
      ]
      const sent = [random(1), random(1_024)]
      for (const body of sent) expectType(await service.ask(signalRequest(groupId, body)), "done")
      await until(() => alice.came.length + bob.came.length === 4)
      const late = await hearing(service, groupId)
      assert.deepEqual([alice.came, bob.came, others.came, late.came], [sent, sent, [], []])
      expectType(await service.ask(signalRequest(groupId, random(1_025))), "tooLarge")
      const { headSeq } = expectType(await service.ask({ type: "head", groupId }), "head")
      assert.equal(headSeq, 0n)
      // The log is followed by the same subscription, as before.
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      await until(() => alice.answers.at(-1) === "entries")
      for (const it of [alice, bob, others, late]) await it.end()
    })

    it("of strangers, removed members and old keys are denied, and a removed member hears nothing more", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const [first, second] = [accessKeyOf(groupId, 0), accessKeyOf(groupId, 1)]
      const mallory = await hearing(service, groupId, first)
      const stranger = accessKeyOf(random(32))
      expectType(await service.askWith(stranger, signalRequest(groupId)), "denied")
      expectType(await service.ask({ ...signalRequest(groupId), access: { type: "none" } }), "denied")
      expectType(await service.askWith(stranger, signalRequest(random(32))), "notFound")
      // A signal that was proved for one group, or with one body, is good for no other.
      const own = await createGroup(service)
      const proved = withAccess(signalRequest(own), { key: accessKeyOf(own) }) as ReturnType<typeof signalRequest>
      expectType(await service.ask({ ...proved, groupId }), "denied")
      expectType(await service.ask({ ...proved, body: random(9) }), "denied")
      expectType(await service.ask(signalRequest(groupId)), "done")
      await until(() => mallory.came.length === 1)
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      expectType(await service.askWith(first, signalRequest(groupId)), "denied")
      const alice = await hearing(service, groupId, second)
      expectType(await service.askWith(second, signalRequest(groupId)), "done")
      await until(() => alice.came.length === 1)
      assert.equal(mallory.came.length, 1)
      // Nobody is removed: who has not read that is heard, and hears, for a minute.
      expectType(await service.askWith(second, commitRequest(groupId, 1n, { interval: 2 })), "accepted")
      expectType(await service.askWith(second, signalRequest(groupId)), "done")
      await until(() => alice.came.length === 2)
      assert.equal(mallory.came.length, 1)
      service.clock.now += 60_000
      expectType(await service.askWith(second, signalRequest(groupId)), "denied")
      for (const it of [alice, mallory]) await it.end()
    })
  })
}

describe("signals", { timeout: 60_000 }, () => {
  it("are nowhere on the disk", async (test) => {
    const folder = temporaryFolder(test)
    await using store = deliveryStore(openDatabase({ file: join(folder, "delivery.db") }), sha256)
    const service = createService(store)
    const groupId = await createGroup(service)
    const alice = await hearing(service, groupId)
    const marker = Buffer.from("a marker that is nowhere else")
    expectType(await service.ask(signalRequest(groupId, marker)), "done")
    // What is stored shows that the marker would have been found.
    expectType(await service.ask({ ...messageRequest(groupId, 0n) }), "accepted")
    await until(() => alice.came.length === 1)
    const isAnywhere = (bytes: Uint8Array) =>
      readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(Buffer.from(bytes)))
    assert.equal(isAnywhere(groupId), true)
    assert.equal(isAnywhere(marker), false)
    await alice.end()
  })

  it("do not come to a subscription before what its cursors show was looked at", async () => {
    const wake = processWake()
    const service = createService(memoryStore(sha256), { wake })
    const groupId = await createGroup(service)
    const cursor = cursorWithAccess({ groupId, afterSeq: 0n })
    const subscribe = (cursors: readonly Cursor[], signal: AbortSignal) =>
      service.stream({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, signal)
    // The key is the group's; the signature is not the key's.
    const forged = { ...cursor, access: { ...cursor.access, signature: random(64) } } as Cursor
    for (const [cursors, expected] of [
      [[forged], ["denied"]],
      [[cursor], ["passes", "entries", "signal"]],
    ] as const) {
      const gone = new AbortController()
      const stream = subscribe(cursors, gone.signal)
      const { subscription } = expectType((await stream.next()).value!, "subscribed")
      expectType(await service.ask({ type: "hear", subscription }), "done")
      // More than wait for one subscription: it must not be deaf for what comes after them.
      for (let i = 0; i < 40; i++) expectType(await service.ask(signalRequest(groupId)), "done")
      await turn()
      const answers: string[] = []
      const reading = (async () => {
        for await (const { type } of stream) answers.push(type)
      })()
      await until(() => answers.length >= Math.min(2, expected.length))
      expectType(await service.ask(signalRequest(groupId)), "done")
      await until(() => answers.length >= expected.length)
      await turn()
      gone.abort()
      await reading
      assert.deepEqual(answers, expected)
    }
  })

  it("that wait go with the log that they are of, and what comes beyond 32 makes nobody deaf", () => {
    const heard = new Heard("topic", new Map())
    const signalOf = (groupId: Uint8Array) => ({ type: "signal", groupId, body: random(1) }) as const
    const [one, other] = [signalOf(random(32)), signalOf(random(32))]
    for (let i = 0; i < 20; i++) {
      heard.add("one", one)
      heard.add("other", other)
    }
    assert.equal(heard.add("one", one), false)
    const signals = new Signals({ store: memoryStore(sha256), wake: processWake(), onError() {}, onDropped() {} })
    signals.leaveLog(heard, "one")
    assert.deepEqual(heard.take(), Array(16).fill(other))
    assert.equal(heard.add("one", one), true)
  })

  it("of one requester to all its groups have a rate, and another's go on", async () => {
    const service = createService(memoryStore(sha256), {
      limits: { signalsByRequesterInAll: { perSecond: 1, burst: 5 } },
    })
    const answers: string[] = []
    for (let i = 0; i < 7; i++) {
      answers.push((await service.askAs("4c0000201", signalRequest(await createGroup(service)))).type)
    }
    assert.deepEqual(answers, [...Array(5).fill("done"), "throttled", "throttled"])
    expectType(await service.askAs("4c6336401", signalRequest(await createGroup(service))), "done")
  })

  it("do not come to subscriptions that have not asked for them", async () => {
    const service = createService(memoryStore(sha256))
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const cursors = [cursorWithAccess({ groupId, afterSeq: 0n })]
    const stream = service.subscribe({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, gone.signal)
    expectType((await stream.next()).value!, "entries")
    const coming = stream.next()
    expectType(await service.ask(signalRequest(groupId)), "done")
    await turn()
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    expectType((await coming).value!, "entries")
    gone.abort()
    expectType(await service.ask({ type: "hear", subscription: random(16) }), "notFound")
  })

  it("for a reader that never reads are dropped: 32 wait, the rest is gone, and others hear all of them", async () => {
    const refusals: RefusalKind[] = []
    const limits = { signalsByRequester: { perSecond: 1e6, burst: 1e6 }, signals: { perSecond: 1e6, burst: 1e6 } }
    const onRefusal = (kind: RefusalKind) => refusals.push(kind)
    const service = createService(memoryStore(sha256), { limits, onRefusal })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const cursors = [cursorWithAccess({ groupId, afterSeq: 0n })]
    const stream = service.stream({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, gone.signal)
    const { subscription } = expectType((await stream.next()).value!, "subscribed")
    for (const type of ["passes", "entries"] as const) expectType((await stream.next()).value!, type)
    expectType(await service.ask({ type: "hear", subscription }), "done")
    const bob = await hearing(service, groupId)
    const sent = Array.from({ length: 200 }, () => random(1_000))
    for (const body of sent) {
      expectType(await service.ask(signalRequest(groupId, body)), "done")
      await new Promise(setImmediate)
    }
    await until(() => bob.came.length === 200)
    assert.equal(refusals.filter((kind) => kind === "signalsDropped").length, 168)
    // It reads again: the oldest are there, and then what comes.
    for (const body of sent.slice(0, 32)) {
      assert.deepEqual(expectType((await stream.next()).value!, "signal").body, body)
    }
    const body = random(9)
    expectType(await service.ask(signalRequest(groupId, body)), "done")
    assert.deepEqual(expectType((await stream.next()).value!, "signal").body, body)
    gone.abort()
    await bob.end()
  })

  it("in a flood: one requester waits, and a stranger takes nothing of the group's budget", async () => {
    const refusals: RefusalKind[] = []
    const limits = { signalsByRequester: { perSecond: 0.01, burst: 3 }, signals: { perSecond: 0.01, burst: 5 } }
    const service = createService(memoryStore(sha256), { limits, onRefusal: (kind) => refusals.push(kind) })
    const groupId = await createGroup(service)
    const stranger = accessKeyOf(random(32))
    for (let i = 0; i < 20; i++) expectType(await service.askWith(stranger, signalRequest(groupId)), "denied")
    const times = async (peer: string, count: number) => {
      const types: string[] = []
      for (let i = 0; i < count; i++) types.push((await service.askAs(peer, signalRequest(groupId))).type)
      return types
    }
    assert.deepEqual(await times("4c0000201", 4), ["done", "done", "done", "throttled"])
    assert.deepEqual(await times("4c6336401", 3), ["done", "done", "throttled"])
    assert.equal(refusals.filter((kind) => kind === "signals").length, 2)
    // Another group has its own.
    expectType(await service.askAs("4c6336402", signalRequest(await createGroup(service))), "done")
    service.clock.now += 101_000
    assert.deepEqual(await times("4c6336403", 2), ["done", "throttled"])
  })

  it("come over real sockets, and end with the subscription: nothing of it is left at the wake", async () => {
    const ears = { count: 0 }
    const wake: Wake = processWake()
    const counting: Wake = {
      ...wake,
      hear(topic, listener) {
        ears.count++
        const ear = wake.hear(topic, listener)
        return {
          [Symbol.dispose]() {
            ears.count--
            ear[Symbol.dispose]()
          },
        }
      },
    }
    const service = createService(memoryStore(sha256), { wake: counting, now: Date.now })
    const groupId = random(32)
    await using listener = await listen({ services: { delivery: service.handler } })
    await using transport = connect(new URL("delivery", listener.url))
    const ask = async (request: Parameters<TestService["ask"]>[0]) =>
      decode(
        DeliveryResponse,
        await transport.request(deliveryRequests.encode(withAccess(request, { at: Date.now() }))),
      )
    expectType(await ask(createGroupRequest(groupId)), "done")
    const stop = new AbortController()
    const cursors = [{ groupId, afterSeq: 0n }]
    const subscribe = withAccess({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, { at: Date.now() })
    const stream = transport.subscribe(deliveryRequests.encode(subscribe), { signal: stop.signal })
    const body = random(500)
    for await (const bytes of stream) {
      const answer = decode(DeliveryResponse, bytes)
      if (answer.type === "subscribed") {
        expectType(await ask({ type: "hear", subscription: answer.subscription }), "done")
        assert.equal(ears.count, 1)
        expectType(await ask(signalRequest(groupId, body)), "done")
      }
      if (answer.type !== "signal") continue
      assert.deepEqual(answer.body, body)
      break
    }
    for (let i = 0; i < 100 && ears.count > 0; i++) await turn()
    assert.equal(ears.count, 0)
  })
})
