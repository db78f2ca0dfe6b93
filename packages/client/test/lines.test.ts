import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { type LineFault, type RequestOptions, type Transport, TransportError } from "@conclave/transport"
import { Attention } from "../src/device/attention.js"
import { openDevice } from "../src/device/open.js"
import { Polling } from "../src/device/polling.js"
import { Runner } from "../src/device/runner.js"
import type { Client } from "../src/index.js"
import { Unavailable } from "../src/service/call.js"
import { later, until } from "./support/counting.js"
import { FastTimers } from "./support/fast-timers.js"
import { next, settle, World } from "./support/world.js"

const FACTOR = 50
/** Of the clock that goes faster, in milliseconds. */
const pass = (milliseconds: number) => later(milliseconds / FACTOR)

/** Bob's way to the Delivery Service: sockets and requests fail when the test says so. */
class Way {
  readonly timers = new FastTimers(FACTOR)
  fault: LineFault | undefined = "upgradeDropped"
  sockets = true
  requests = true
  /** Nothing is answered, nothing fails. */
  swallows = false
  probes = 0
  subscriptions: number[] = []
  asked: { readonly type: DeliveryRequest["type"]; readonly at: number; readonly group: string | undefined }[] = []
  #breakOff = () => {}

  transport(world: World): Transport {
    const service = world.transport("delivery")
    const fails = (message: string) => new TransportError(message, { retryable: true, fault: this.fault })
    const way = this
    return {
      async request(body: Uint8Array, options?: RequestOptions) {
        const { type, ...request } = deliveryRequests.decode(body)
        const group = "groupId" in request ? String(request.groupId) : undefined
        way.asked.push({ type, at: way.timers.elapsed(), group })
        if (!way.requests) throw fails("no network")
        return service.request(body, options)
      },
      async *subscribe(body: Uint8Array, options: RequestOptions = {}) {
        way.subscriptions.push(way.timers.elapsed())
        const { signal } = options
        const aborted = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()))
        if (way.swallows) await aborted
        signal?.throwIfAborted()
        if (!way.sockets) throw fails("no socket")
        const broken = new Promise<"broken">((resolve) => {
          way.#breakOff = () => resolve("broken")
        })
        const answers = service.subscribe(body, options)[Symbol.asyncIterator]()
        for (;;) {
          const answer = await Promise.race([answers.next(), broken])
          if (answer === "broken") throw fails("the socket is gone")
          if (answer.done) return
          yield answer.value
        }
      },
      probe: () => way.probes++,
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    }
  }

  breakOff(): void {
    this.#breakOff()
  }

  polls(): readonly number[] {
    return this.asked.filter(({ type }) => type === "inbox").map(({ at }) => at)
  }
}

/** Alice, who does nothing by herself, and bob, who is in some conversations with her and on his own way. */
async function together(world: World, conversations = 1) {
  const alice = await world.open("alice", { policy: { keyPackages: 40 } })
  const before = await world.open("bob", { policy: { keyPackages: 40 } })
  for (let n = 0; n < conversations; n++) await alice.createConversation({ title: `${n}`, members: ["bob"] })
  await settle(before, alice)
  await before.close()
  const way = new Way()
  const open = async () => {
    const options = { ...world.options("bob"), live: true, delivery: way.transport(world) }
    const bob = await openDevice(options, { timers: way.timers })
    opened.push(bob)
    return bob
  }
  return { alice, way, open }
}
let opened: Client[] = []
const closing = async () => {
  await Promise.all(opened.map((client) => client.close()))
  opened = []
}
const first = (client: Client) => [...client.conversations.values()][0]!
const gaps = (times: readonly number[]) => times.slice(1).map((at, n) => at - times[n]!)

describe("a client whose sockets fail while requests are answered", () => {
  it("asks for news, says so and why, and is connected as soon as there is a socket", async () => {
    await using world = new World({ inMemory: true })
    const { alice, way, open } = await together(world)
    way.sockets = false
    const bob = await open()
    try {
      await until(() => bob.line.state === "polling", "polling")
      assert.deepEqual([bob.line.state, bob.online], ["polling", false])
      assert.ok(bob.line.state === "polling")
      assert.equal(bob.line.fault, "upgradeDropped")
      assert.match(bob.line.reason, /a proxy in front of the service does not pass WebSockets/)
      assert.equal(bob.offlineReason, bob.line.reason)
      assert.match(await bob.debugReport(), /; polling; /)
      await first(alice).send("hello")
      assert.equal((await next(bob, "message")).text, "hello")
      await first(bob).send("hello, alice")
      assert.equal((await next(bob, "sent")).text, "hello, alice")
      const more = await alice.createConversation({ title: "more", members: ["bob"] })
      assert.equal((await next(bob, "joined")).conversation.id, more.id)
      await more.send("and here")
      assert.equal((await next(bob, "message")).text, "and here")
      way.sockets = true
      await until(() => bob.line.state === "connected", "connected")
      assert.deepEqual([bob.online, bob.offlineReason], [true, undefined])
      const { length } = way.polls()
      await pass(40_000)
      assert.equal(way.polls().length, length, "there is a stream again")
    } finally {
      await closing()
    }
  })

  it("asks less and less often, more often after something was sent, and at once when somebody looks", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world)
    way.sockets = false
    const bob = await open()
    try {
      await until(() => bob.line.state === "polling", "polling")
      await pass(100_000)
      const alone = gaps(way.polls())
      assert.ok(Math.max(...alone) >= 15_000, `${alone}`)
      assert.ok(alone.slice(0, 3).every((gap) => gap < 8_000) && alone.at(-1)! > alone[1]!, `${alone}`)
      const before = way.polls().length
      await first(bob).send("hello")
      await pass(6_000)
      assert.ok(way.polls().length > before, "after something was sent")
      await pass(60_000)
      const away = way.polls().length
      bob.attend(true)
      await pass(1_000)
      assert.equal(way.polls().length, away + 1, "at once")
      await pass(60_000)
      const looking = gaps(way.polls().slice(away))
      assert.ok(looking.length >= 8, `${looking}`)
    } finally {
      await closing()
    }
  })

  it("comes to every conversation, however many there are, and asks for few at a time", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world, 20)
    way.sockets = false
    const bob = await open()
    try {
      await until(() => bob.line.state === "polling", "polling")
      await pass(3_000)
      way.asked = []
      bob.attend(true)
      await until(() => way.polls().length >= 5, "five rounds")
      const reads = way.asked.filter(({ type }) => type === "read")
      assert.equal(new Set(reads.map(({ group }) => group)).size, 20)
      const [a, b] = way.polls().slice(1)
      const inRound = reads.filter(({ at }) => at >= a! && at < b!)
      assert.ok(inRound.length > 0 && inRound.length <= 12, `${inRound.length} in a round`)
      // Who cannot follow is let in by members who poll, too.
      assert.ok(way.asked.some(({ type }) => type === "knocks"))
    } finally {
      await closing()
    }
  })

  it("does not wait for a socket that neither opens nor fails", async () => {
    await using world = new World({ inMemory: true })
    const { alice, way, open } = await together(world)
    way.swallows = true
    const bob = await open()
    try {
      await first(alice).send("hello")
      assert.equal((await next(bob, "message")).text, "hello")
      await until(() => bob.line.state === "polling", "polling")
      assert.equal(way.subscriptions.length, 1)
    } finally {
      await closing()
    }
  })

  it("is offline while requests fail, too, and sends what waits when they are answered", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world)
    const bob = await open()
    try {
      await until(() => bob.online, "online")
      Object.assign(way, { sockets: false, requests: false, fault: "unreachable" })
      way.breakOff()
      await until(() => bob.line.state === "offline", "offline")
      assert.equal(bob.offlineReason, "the service does not answer")
      const sent = first(bob).send("hello")
      await pass(5_000)
      assert.equal(first(bob).pending.length, 1)
      way.requests = true
      bob.reconnect()
      await sent
      await until(() => bob.line.state === "polling", "polling")
    } finally {
      await closing()
    }
  })

  it("asks for nothing where the service refuses the stream itself", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world)
    const refusing = way.transport
    way.transport = (world) => ({
      ...refusing.call(way, world),
      async *subscribe() {
        way.subscriptions.push(way.timers.elapsed())
        yield encode(DeliveryResponse, { type: "forbidden", reason: "not you" })
      },
    })
    const bob = await open()
    try {
      await until(() => way.subscriptions.length >= 5, "five tries")
      assert.equal(bob.line.state, "offline")
      assert.match(bob.offlineReason!, /not you/)
      assert.ok(way.polls().length <= 1, "what it reads at the beginning")
      const tries = gaps(way.subscriptions)
      assert.ok(
        tries.every((gap) => gap >= 125),
        `${tries}`,
      )
    } finally {
      await closing()
    }
  })
})

describe("a stream that breaks", () => {
  it("is opened again at once the first time, without a timer", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world)
    const bob = await open()
    try {
      await until(() => bob.online, "online")
      await pass(11_000)
      way.timers.areHeld = true
      way.breakOff()
      await until(() => way.subscriptions.length === 2 && bob.online, "a second subscription")
    } finally {
      await closing()
    }
  })

  it("is tried at least every ten seconds while somebody looks, and every minute otherwise", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world)
    Object.assign(way, { sockets: false, requests: false })
    const bob = await open()
    try {
      await until(() => way.subscriptions.length >= 10, "ten tries")
      await pass(10_000)
      const before = way.subscriptions.length
      await pass(200_000)
      const away = way.subscriptions.length - before
      // Pauses of 30 to 60 s.
      assert.ok(away <= 7, `${away} tries in 200 s`)
      bob.attend(true)
      await pass(1_000)
      const begun = way.subscriptions.length
      assert.ok(begun > before + away, "at once")
      await pass(150_000)
      const looking = way.subscriptions.length - begun
      // Of 5 to 10 s.
      assert.ok(looking >= 16, `${looking} tries in 150 s`)
    } finally {
      await closing()
    }
  })

  it("is not waited for by what else has failed", async () => {
    const closing = new AbortController()
    let [runs, fails] = [0, true]
    const job = async () => {
      runs++
      if (fails) throw new Unavailable("no network")
    }
    const common = { signal: closing.signal, now: Date.now, random: () => Uint8Array.of(0), onFault: () => {} }
    const runner = new Runner({ ...common, job, timers: { after: () => () => {}, elapsed: () => 0 } })
    runner.hasten()
    assert.equal(runs, 0, "nothing has failed")
    runner.wake()
    await later(1)
    fails = false
    runner.hasten()
    await later(1)
    runner.hasten()
    await later(1)
    assert.equal(runs, 2)
    closing.abort()
  })

  it("is not tried before the time for which the service has asked", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world)
    const busy = way.transport
    way.transport = (world) => ({
      ...busy.call(way, world),
      async *subscribe() {
        way.subscriptions.push(way.timers.elapsed())
        yield encode(DeliveryResponse, { type: "throttled", retryAfterMilliseconds: 60_000 })
      },
    })
    const bob = await open()
    try {
      await until(() => way.subscriptions.length === 1, "a try")
      await pass(1_000)
      for (let time = 0; time < 5; time++) {
        bob.attend(true)
        bob.reconnect()
        await pass(2_000)
      }
      assert.equal(way.subscriptions.length, 1)
    } finally {
      await closing()
    }
  })

  it("nor is the service asked without a stream before that, where streams come and go meanwhile", async () => {
    const timers = new FastTimers(FACTOR)
    const stop = new AbortController()
    let rounds = 0
    const round = async () => {
      if (rounds++ === 0) throw new Unavailable("throttled", { retryAt: new Date(60_000) })
    }
    const random = (length: number) => new Uint8Array(length)
    const common = { attention: new Attention(), timers, now: () => 0, random, signal: stop.signal }
    const polling = new Polling({ ...common, round, onChange: () => {} })
    polling.start()
    await pass(1_000)
    for (let time = 0; time < 5; time++) {
      polling.stop()
      if (time % 2 === 0) await pass(1_000)
      polling.start()
      polling.now()
      await pass(2_000)
    }
    assert.equal(rounds, 1)
    await pass(60_000)
    assert.ok(rounds > 1, "it is asked after that")
    stop.abort()
    await polling.done
  })

  it("is looked after when somebody begins to look", async () => {
    await using world = new World({ inMemory: true })
    const { way, open } = await together(world)
    const bob = await open()
    try {
      await until(() => bob.online, "online")
      const { probes } = way
      bob.attend(true)
      assert.equal(way.probes, probes + 1)
      bob.attend(false)
      assert.equal(way.probes, probes + 1)
    } finally {
      await closing()
    }
  })
})
