import assert from "node:assert/strict"
import { fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { on, once } from "node:events"
import { after, before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import type { Watch } from "@conclave/delivery"
import { decodeFrame, encodeFrame, FRAME_HINTS_MAX, FRAME_SIZE_MAX, hintOf, hintsOf } from "../src/wake/frame.js"
import { type Bus, type BusName, buses, openWake } from "./buses.js"
import { relayTo } from "./relay.js"

const never = new AbortController().signal
const next = (watch: Watch) => watch.changed({ signal: never })
const topics = (count: number) => Array.from({ length: count }, () => `g${randomBytes(32).toString("latin1")}`)

for (const [name, { reason, start }] of Object.entries(buses)) {
  describe(`hints between gateways by ${name}`, { skip: reason ?? false, timeout: 120_000 }, () => {
    let started: Awaited<ReturnType<typeof start>>
    before(async () => {
      started = await start()
    })
    after(() => started.server[Symbol.asyncDispose]())

    const otherProcess = (bus: Bus, topic: string) =>
      fork(fileURLToPath(new URL("wake-child.js", import.meta.url)), [name, bus.url, "5000", topic], {
        serialization: "advanced",
      })

    it("cross to another process and back", async (test) => {
      const bus = await started.busOf(test)
      // They are arguments of a program, which hold no zero.
      const [there, here] = ["there", "here"]
      const wake = bus.wake()
      const watch = wake.watch([here])
      await next(watch)
      const child = otherProcess(bus, there)
      test.after(() => child.kill("SIGKILL"))
      const messages = on(child, "message")
      assert.deepEqual(await messageOf(messages), { type: "watching" })
      // As soon as it is connected it looks at everything.
      assert.deepEqual(await messageOf(messages), { type: "hint", topic: there })
      for (let i = 0; i < 20; i++) {
        wake.notify(there)
        assert.deepEqual(await messageOf(messages), { type: "hint", topic: there })
        child.send(here)
        assert.deepEqual(await next(watch), new Set([here]))
      }
      child.disconnect()
      assert.deepEqual(await once(child, "exit"), [0, null])
    })

    it("of one burst share few messages, and none is missing", async (test) => {
      const bus = await started.busOf(test)
      const many = topics(1_000)
      const [one, other] = [bus.wake(), bus.wake()]
      const watch = other.watch(many)
      await connected(one, other)
      await next(watch)
      const heard = await bus.listen()
      for (const topic of many) for (let i = 0; i < 3; i++) one.notify(topic)
      await allOf(watch, many)
      await until(() => heard.flatMap(hintsIn).length >= many.length)
      assert.deepEqual(new Set(heard.flatMap(hintsIn)), new Set(many.map(hintOf)))
      const telling = heard.filter((frame) => hintsIn(frame).length > 0)
      assert.equal(telling.length, Math.ceil(many.length / FRAME_HINTS_MAX))
    })

    it("are known at once to the gateway that notes them, and not again when they come back", async (test) => {
      const bus = await started.busOf(test)
      const [topic, last] = topics(2) as [string, string]
      const [one, other] = [bus.wake(), bus.wake()]
      await connected(one, other)
      const [own, others] = [one.watch([topic, last]), other.watch([topic, last])]
      one.notify(topic)
      assert.equal(await isSettled(next(own)), true)
      await allOf(others, [topic])
      const coming = next(own)
      other.notify(last)
      assert.deepEqual(await coming, new Set([last]))
    })

    it("for this gateway alone do not leave it", async (test) => {
      const bus = await started.busOf(test)
      const [topic, last] = topics(2) as [string, string]
      const [one, other] = [bus.wake(), bus.wake()]
      await connected(one, other)
      const [own, others] = [one.watch([topic]), other.watch([topic, last])]
      one.notifyHere(topic)
      assert.deepEqual(await next(own), new Set([topic]))
      one.notifyAllHere()
      assert.deepEqual(await next(own), new Set([topic]))
      one.notify(last)
      assert.deepEqual(await next(others), new Set([last]))
    })

    it("come again after the server was down, which is told once, and everything is looked at", async (test) => {
      const bus = await started.busOf(test)
      const told: string[] = []
      const [topic] = topics(1) as [string]
      const [one, other] = [bus.wake(recording(told)), bus.wake()]
      const [own, others] = [one.watch([topic]), other.watch([topic])]
      await Promise.all([next(own), next(others)])
      await bus.stop("SIGKILL")
      await until(() => told.length > 0)
      one.notify(topic)
      assert.deepEqual(await next(own), new Set([topic]))
      const waiting = [next(own), next(others)]
      await pause(700)
      assert.deepEqual(await Promise.all(waiting.map(isSettled)), [false, false])
      await bus.start()
      assert.deepEqual(await Promise.all(waiting), [new Set([topic]), new Set([topic])])
      await until(() => told.length > 1)
      assert.match(told[0]!, new RegExp(`^lost: no hints from other gateways by ${name}: .`))
      assert.deepEqual(told.slice(1), ["regained"])
      await crosses(one, others, topic)
    })

    it("come as soon as there is a server, and a gateway that starts without one goes on", async (test) => {
      const bus = await started.busOf(test)
      await bus.stop()
      const told: string[] = []
      const [topic] = topics(1) as [string]
      const one = bus.wake(recording(told))
      const watch = one.watch([topic])
      one.notify(topic)
      assert.deepEqual(await next(watch), new Set([topic]))
      await until(() => told.length > 0)
      await pause(500)
      assert.equal(told.length, 1)
      await bus.start()
      assert.deepEqual(await next(watch), new Set([topic]))
      assert.equal(told.length, 2)
      const other = bus.wake()
      await connected(one, other)
      await crosses(other, watch, topic)
    })

    it("that were noted while the connection was lost, or on their way then, are sent when it is back", async (test) => {
      const bus = await started.busOf(test)
      const relay = await relayTo(bus.url, test)
      const told: string[] = []
      const wake = openWake(name as BusName, relay.url, { ...recording(told), limits: { answerMilliseconds: 200 } })
      test.after(() => wake[Symbol.asyncDispose]())
      await next(wake.watch(topics(1)))
      const heard = await bus.listen()
      const [onItsWay, later] = topics(2) as [string, string]
      relay.mode = "silent"
      wake.notify(onItsWay)
      await until(() => told.length > 0)
      relay.mode = "closed"
      wake.notify(later)
      await pause(100)
      assert.deepEqual(heard.flatMap(hintsIn), [])
      relay.mode = "open"
      await until(() => told.length > 1)
      await until(() => heard.flatMap(hintsIn).length >= 2)
      assert.deepEqual(new Set(heard.flatMap(hintsIn)), new Set([hintOf(onItsWay), hintOf(later)]))
    })

    it("do not break on anything that another client sends", async (test) => {
      const bus = await started.busOf(test)
      const told: string[] = []
      const [topic] = topics(1) as [string]
      const [one, other] = [bus.wake(recording(told)), bus.wake()]
      await connected(one, other)
      const watch = one.watch([topic])
      const coming = next(watch)
      await bus.publish(garbage(hintOf(topic)))
      assert.equal(await isSettled(coming), false)
      other.notify(topic)
      assert.deepEqual(await coming, new Set([topic]))
      assert.deepEqual(told, [])
      // The control: the same hint in a frame as it has to be.
      const again = next(watch)
      await bus.publish([frameOf({ hints: [hintOf(topic)] })])
      assert.deepEqual(await again, new Set([topic]))
    })

    it("make no gateway look at everything over and over", async (test) => {
      const bus = await started.busOf(test)
      const [topic] = topics(1) as [string]
      const [one, other] = [bus.wake(), bus.wake()]
      const watch = one.watch([topic])
      await connected(one, other)
      let looks = 0
      const gone = new AbortController()
      const looking = (async () => {
        for (; !gone.signal.aborted; looks++) await watch.changed(gone)
      })()
      const asked = 2_000
      await bus.publish(Array(asked).fill(frameOf({ everything: true })))
      await connected(other, one)
      // The last of them is not lost: it is due a second after the first.
      await pause(1_200)
      gone.abort()
      await looking
      assert.ok(looks >= 3 && looks < 20, `${looks} looks for ${asked} messages`)
    })

    it("are bounded while the server does not answer, and then all look at everything", async (test) => {
      const bus = await started.busOf(test)
      const told: string[] = []
      const limits = { answerMilliseconds: 300, pendingMax: 2_000 }
      const one = bus.wake({ ...recording(told), limits })
      await next(one.watch(topics(1)))
      const heard = await bus.listen()
      await bus.freeze()
      for (const topic of topics(50_000)) one.notify(topic)
      await until(() => told.length > 0)
      assert.match(told[0]!, /the server has not answered for 300 ms$/)
      for (const topic of topics(50_000)) one.notify(topic)
      bus.thaw()
      await until(() => heard.some((frame) => decodeFrame(frame)?.everything === true))
      const hints = heard.flatMap(hintsIn)
      assert.ok(hints.length <= FRAME_HINTS_MAX, `${hints.length} hints`)
    })

    it("keep no gateway from ending while the server does not answer", async (test) => {
      const bus = await started.busOf(test)
      const [one, two] = [bus.wake(), bus.wake({ limits: { answerMilliseconds: 600_000 } })]
      await connected(one, two)
      const child = otherProcess(bus, "there")
      test.after(() => child.kill("SIGKILL"))
      // The second message: it is connected.
      for (let i = 0; i < 2; i++) await once(child, "message")
      await bus.freeze()
      const connecting = bus.wake()
      two.notify("g")
      await Promise.all([one, two, connecting].map((wake) => wake[Symbol.asyncDispose]()))
      // Nothing is left behind that would keep a process.
      child.disconnect()
      assert.deepEqual(await once(child, "exit"), [0, null])
      bus.thaw()
    })

    it("are sent before a gateway ends, and none after", async (test) => {
      const bus = await started.busOf(test)
      const [topic, late] = topics(2) as [string, string]
      const [one, other] = [bus.wake(), bus.wake()]
      await connected(one, other)
      const watch = other.watch([topic, late])
      for (const it of [...topics(5_000), topic]) one.notify(it)
      await one[Symbol.asyncDispose]()
      one.notify(late)
      assert.deepEqual(await next(watch), new Set([topic]))
      await one[Symbol.asyncDispose]()
    })
  })
}

/** Neither a frame of this version nor one that ends where it has to. */
function garbage(hint: string): Uint8Array[] {
  const good = frameOf({ hints: [hint] })
  const [version, shortened, longer, odd] = [good.slice(), good.slice(0, -1), Buffer.concat([good, good]), good.slice()]
  version[0] = 2
  // The byte of `everything`.
  odd[13] = 2
  const tooMany = frameOf({ hints: Array(FRAME_HINTS_MAX + 1).fill(hint) })
  const uneven = frameOf({ hints: [`${hint}x`] })
  assert.ok(tooMany.length > FRAME_SIZE_MAX)
  const random = Array.from({ length: 50 }, (_, i) => new Uint8Array(randomBytes(i * 10)))
  return [version, shortened, longer, odd, uneven, ...(tooMany.length < 5_990 ? [tooMany] : []), ...random]
}

const frameOf = ({ everything = false, hints = [] }: { everything?: boolean; hints?: readonly string[] }) =>
  encodeFrame({ sender: new Uint8Array(randomBytes(8)), sequence: 7, everything, hints })

const hintsIn = (frame: Uint8Array): string[] => [...hintsOf(decodeFrame(frame)!)]

const recording = (told: string[]) => ({
  onLost: (error: Error) => void told.push(`lost: ${error.message}`),
  onRegained: () => void told.push("regained"),
})

type Opened = ReturnType<Bus["wake"]>

/** Resolves when hints of each have come to all others. */
async function connected(...wakes: readonly Opened[]): Promise<void> {
  for (const from of wakes) {
    for (const to of wakes) {
      if (from === to) continue
      const [topic] = topics(1) as [string]
      const watch = to.watch([topic])
      await crosses(from, watch, topic)
      watch.close()
    }
  }
}

/** A hint crosses: until it does it is noted again, for both ends are still connecting. */
async function crosses(from: Opened, watch: Watch, topic: string): Promise<void> {
  // Whatever was told before.
  await pause(0)
  const noting = setInterval(() => from.notify(topic), 20)
  try {
    assert.deepEqual(await next(watch), new Set([topic]))
  } finally {
    clearInterval(noting)
  }
}

async function allOf(watch: Watch, expected: readonly string[]): Promise<void> {
  const missing = new Set(expected)
  while (missing.size > 0) for (const topic of await next(watch)) missing.delete(topic)
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5)
}

/** Whether the promise settles by what has happened already. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), pause(0).then(() => false)])
}

async function messageOf(messages: AsyncIterableIterator<unknown[]>): Promise<unknown> {
  return (await messages.next()).value[0]
}
