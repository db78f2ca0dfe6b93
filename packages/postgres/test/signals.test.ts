import assert from "node:assert/strict"
import { after, before, describe, it, type TestContext } from "node:test"
import type { WatchedWake } from "../src/index.js"
import { decodeSignals, encodeSignals, FRAME_SIZE_MAX, tagOf } from "../src/wake/frame.js"
import { PendingSignals } from "../src/wake/pending-signals.js"
import { type Bus, type BusName, buses } from "./buses.js"

const bytes = (size: number, fill = 7) => new Uint8Array(size).fill(fill)

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail(`not within five seconds: ${what}`)
}

describe("frames of signals", () => {
  it("hold as much as fits into a NOTIFY, and nothing else is taken for one", () => {
    const pending = new PendingSignals(256 * 1024)
    const tag = new Uint8Array(Buffer.from(tagOf("gtopic"), "latin1"))
    for (let i = 0; i < 20; i++) assert.equal(pending.add({ tag, body: bytes(1_024, i) }), true)
    const sender = bytes(8)
    let count = 0
    for (let signals = pending.take(); signals.length > 0; signals = pending.take()) {
      const frame = encodeSignals({ sender, signals: [...signals] })
      assert.ok(frame.length <= FRAME_SIZE_MAX)
      assert.ok(Buffer.from(frame).toString("base64url").length < 8_000)
      const decoded = decodeSignals(frame)!
      for (const { body } of decoded.signals) assert.deepEqual(body, bytes(1_024, count++))
      assert.equal(decodeSignals(Uint8Array.of(1, ...frame.subarray(1))), undefined)
      assert.equal(decodeSignals(frame.subarray(1)), undefined)
      assert.equal(decodeSignals(Uint8Array.of(...frame, 0)), undefined)
    }
    assert.equal(count, 20)
    const full = new PendingSignals(3_000)
    assert.deepEqual(
      [1, 2, 3].map(() => full.add({ tag, body: bytes(1_024) })),
      [true, true, false],
    )
  })
})

for (const name of Object.keys(buses) as BusName[]) {
  describe(`signals between gateways by ${name}`, { skip: buses[name].reason, timeout: 60_000 }, () => {
    let started: { readonly server: AsyncDisposable; readonly busOf: (test: TestContext) => Promise<Bus> }
    before(async () => {
      started = await buses[name].start()
    })
    after(() => started?.server[Symbol.asyncDispose]())

    it("come once, here and there, beside the hints; and what has no server is dropped, not kept", async (test) => {
      const bus = await started.busOf(test)
      const [one, other] = [bus.wake() as WatchedWake, bus.wake() as WatchedWake]
      test.after(() => Promise.all([one, other].map((it) => it[Symbol.asyncDispose]())))
      await until(() => one.figures.isConnected && other.figures.isConnected, "both connected")
      const came: [string, number][] = []
      const ear = (gateway: string, wake: WatchedWake, topic: string) =>
        wake.hear(topic, (body) => came.push([gateway, body[0]!]))
      ear("one", one, "ga")
      const ended = ear("other", other, "ga")
      ear("other", other, "gb")
      for (let i = 0; i < 30; i++) {
        one.signal("ga", bytes(1_024, i))
        one.notify(`g${i}`)
      }
      await until(() => came.filter(([gateway]) => gateway === "other").length >= 30, "all signals")
      await new Promise((resolve) => setTimeout(resolve, 50))
      const told = Array.from({ length: 30 }, (_, i) => i)
      for (const gateway of ["one", "other"]) {
        assert.deepEqual(
          came.filter(([at]) => at === gateway).map(([, number]) => number),
          told,
          gateway,
        )
      }
      assert.equal(one.figures.signals.sent, 30)
      assert.equal(other.figures.signals.received, 30)
      // Longer than it may be, for a topic that nobody hears any more, and made up by somebody at the bus.
      ended[Symbol.dispose]()
      came.length = 0
      one.signal("ga", bytes(1_025))
      one.signal("ga", bytes(1, 1))
      await bus.publish([Uint8Array.of(2), Uint8Array.of(2, ...bytes(40, 255)), bytes(5_900, 2)])
      await until(() => other.figures.signals.received > 30, "the last one")
      assert.deepEqual(came, [["one", 1]])
      // Too many at once: what does not fit is dropped, and hints go on.
      came.length = 0
      for (let i = 0; i < 1_000; i++) one.signal("gb", bytes(1_024, i % 256))
      const { dropped } = one.figures.signals
      assert.ok(dropped > 700, `${dropped} dropped`)
      await until(() => came.length >= 1_000 - dropped, "those that had room")
      await bus.stop()
      await until(() => !one.figures.isConnected, "lost")
      one.signal("gb", bytes(1))
      assert.equal(one.figures.signals.dropped, dropped + 1)
      await bus.start()
      await until(() => one.figures.isConnected && other.figures.isConnected, "again")
      came.length = 0
      one.signal("gb", bytes(1, 9))
      await until(() => came.length > 0, "what is sent after that")
      assert.deepEqual(came, [["other", 9]])
    })
  })
}
