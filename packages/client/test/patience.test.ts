import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode, enumeration, type TypeOf, uint8, uint32, uint64, union, utf8 } from "@conclave/codec"
import { directTransport, requestContract, safeToRepeat, TransportError } from "@conclave/transport"
import { pauseAfter, Runner } from "../src/device/runner.js"
import { ClientError } from "../src/errors.js"
import type { Client } from "../src/index.js"
import { Busy, Service, Unavailable, WrongTime } from "../src/service/call.js"
import { ServiceClock } from "../src/service/clock.js"
import { Patience } from "../src/service/patience.js"
import { counting, later, until } from "./support/counting.js"
import { next, provider, taken, World } from "./support/world.js"

const random = (length: number) => provider.random(length)
describe("a service that asks for patience", () => {
  it("is not asked again before, and the application sees it: an error, `waiting`, and one event", async () => {
    await using world = new World({ inMemory: true, limits: { creations: { perSecond: 1 / 600, burst: 1 } } })
    const counted = counting(world.transport("delivery"), 4)
    const alice = await world.open("alice", { delivery: counted.transport, live: true })
    await alice.createConversation({ title: "one" })
    assert.ok(alice.waiting === undefined)
    const made = [alice.createConversation({ title: "two" }), alice.createConversation({ title: "three" })]
    for (const it of made) it.catch(() => {})
    const event = await next(alice, "throttled")
    assert.equal(event.service, "delivery")
    assert.ok(event.retryAt.getTime() > world.now && event.retryAt.getTime() <= world.now + 3_600_000)
    await later(1_200)
    assert.equal(counted.times(), 3, "one for each conversation")
    assert.deepEqual(await taken(alice), [])
    const { waiting } = alice as Client
    assert.deepEqual(waiting, { until: event.retryAt, reason: "the Delivery Service is busy" })
    const failure = await alice.sync().then(
      () => undefined,
      (error: unknown) => error,
    )
    assert.ok(failure instanceof ClientError && failure.code === "UNAVAILABLE")
    assert.equal(failure.retryAt?.getTime(), event.retryAt.getTime())
    for (const it of made) {
      world.now += 3_600_000
      await alice.sync().catch(() => {})
      await it.catch(() => {})
    }
    assert.deepEqual(
      [...alice.conversations.values()].map(({ status }) => status),
      ["active", "active", "active"],
    )
  })

  it("is waited for an hour at most, and told of again only after a while without", () => {
    let now = 1_000_000
    const patience = new Patience(() => now)
    const told: string[] = []
    patience.listen({
      onThrottled: (service, retryAt) => told.push(`${service} ${retryAt.getTime() - now}`),
      onOutdated: () => {},
      onChange: () => {},
    })
    assert.equal(patience.throttled("delivery", 0xffff_ffff).getTime(), now + 3_600_000)
    now += 3_600_000
    patience.throttled("delivery", 1_000)
    now += 62_000
    patience.throttled("delivery", 2_000)
    patience.throttled("auth", 500)
    assert.deepEqual(told, ["delivery 3600000", "delivery 2000", "auth 500"])
    assert.equal(patience.waiting?.until.getTime(), now + 2_000)
    now += 2_000
    assert.equal(patience.waiting, undefined)
    patience.close()
  })
})

const kinds = enumeration("Kind", 1, { ask: 1 })
const Request = union("Request", "kind", kinds, { ask: {} })
const answers = enumeration("AnswerKind", 1, { done: 1, throttled: 2, update: 3, wrongTime: 4, unavailable: 5 })
const Response = union("Response", "kind", answers, {
  done: {},
  throttled: { retryAfterMilliseconds: uint32 },
  update: { oldest: uint8, newest: uint8 },
  wrongTime: { serviceTime: uint64 },
  unavailable: { reason: utf8, retryAfterMilliseconds: uint32 },
})

describe("what a service answers instead", () => {
  const patience = new Patience(() => 5_000)
  const ask = (answer: TypeOf<typeof Response>) => heard(encode(Response, answer))
  const heard = (answer: Uint8Array) => {
    const service = new Service({
      name: "auth",
      transport: directTransport(async function* () {
        yield answer
      }),
      requests: contract(),
      response: Response,
      patience,
    })
    return service.ask({ type: "ask" })
  }

  it("is an error that says what to do", async () => {
    assert.deepEqual(await ask({ type: "done" }), { type: "done" })
    await assert.rejects(ask({ type: "throttled", retryAfterMilliseconds: 70 }), (error) => {
      return error instanceof Busy && error.retryAt?.getTime() === 5_070
    })
    await assert.rejects(ask({ type: "wrongTime", serviceTime: 9n }), (error) => {
      return error instanceof WrongTime && error.serviceTime === 9n
    })
    const full = { type: "unavailable", reason: "its disk is full", retryAfterMilliseconds: 70 } as const
    await assert.rejects(ask(full), (error) => {
      const isUnavailable = error instanceof Unavailable && !(error instanceof Busy)
      return isUnavailable && error.retryAt?.getTime() === 5_070 && /its disk is full/.test(error.message)
    })
    assert.equal(patience.waiting?.until.getTime(), 5_070, "of the busy one, not of the full one")
    await assert.rejects(heard(Uint8Array.of(99)), (error) => {
      return error instanceof Unavailable && /cannot be read/.test(error.message)
    })
    const outdated: string[] = []
    patience.listen({ onThrottled: () => {}, onChange: () => {}, onOutdated: (service) => outdated.push(service) })
    for (const _ of [1, 2]) await assert.rejects(ask({ type: "update", oldest: 7, newest: 9 }), { code: "UPDATE" })
    assert.deepEqual(outdated, ["auth"])
    patience.close()
  })

  it("is a time of a proxy, where the service has named none, of five minutes at most", async (test) => {
    const told: number[] = []
    const patience = new Patience(() => 5_000)
    test.after(() => patience.close())
    patience.listen({ onThrottled: (_, at) => told.push(at.getTime()), onChange: () => {}, onOutdated: () => {} })
    for (const [after, until] of [
      [undefined, undefined],
      [70, 5_070],
      [Number.POSITIVE_INFINITY, 305_000],
    ] as const) {
      const transport = directTransport(async function* () {})
      const broken = new TransportError("503", { retryable: true, status: 503, retryAfterMilliseconds: after })
      const service = new Service({
        name: "auth",
        transport: { ...transport, request: () => Promise.reject(broken) },
        requests: contract(),
        response: Response,
        patience,
      })
      await assert.rejects(service.ask({ type: "ask" }), (error) => {
        assert.ok(error instanceof Unavailable)
        assert.equal(error.retryAt?.getTime(), until)
        assert.equal(patience.waiting?.until.getTime(), until)
        return true
      })
    }
    assert.deepEqual(told, [5_070], "one episode")
  })
})

function contract() {
  const parts = {
    version: 1,
    request: Request,
    kind: kinds,
    replaySafety: { ask: safeToRepeat("it does nothing") },
  }
  return requestContract(parts)
}

describe("a clock that is wrong", () => {
  it("is corrected for proofs by whatever the service says, and for lifetimes by two days at most", () => {
    const now = 1_000_000_000_000
    const clock = new ServiceClock(() => now)
    clock.learn(BigInt(now - 86_400_000))
    assert.deepEqual([clock.now(), clock.lifetimeNow()], [now - 86_400_000, now - 86_400_000])
    clock.learn(BigInt(now + 10 * 86_400_000))
    assert.deepEqual([clock.now(), clock.lifetimeNow()], [now + 10 * 86_400_000, now + 2 * 86_400_000])
  })
})

describe("a clock that was set right", () => {
  const [HOUR, DAY] = [3_600_000, 86_400_000]

  it("is not corrected by what was learned before, when it has got as far again", () => {
    const right = 1_000_000_000_000
    let now = right + 3 * HOUR
    const clock = new ServiceClock(() => now)
    clock.learn(BigInt(right))
    now = right
    assert.equal(clock.lifetimeNow(), right)
    now += 4 * HOUR
    assert.deepEqual([clock.now(), clock.lifetimeNow()], [now, now])
  })

  it("is not corrected by it either where it was set right long after that was learned", () => {
    const right = 1_000_000_000_000
    let now = right + 5 * DAY
    const clock = new ServiceClock(() => now)
    clock.learn(BigInt(right))
    now += 6 * DAY
    assert.equal(clock.now(), right + 6 * DAY)
    now -= 5 * DAY
    assert.deepEqual([clock.now(), clock.lifetimeNow()], [now, now])
  })
})

describe("whatever is refused", () => {
  const runnerOf = (
    job: () => Promise<void>,
    options: { due?: () => number | undefined; onFault?: (error: unknown) => void } = {},
  ) => {
    const stop = new AbortController()
    const runner = new Runner({ job, signal: stop.signal, now: Date.now, random, onFault: () => {}, ...options })
    return {
      runner,
      async end() {
        stop.abort()
        await runner.end()
      },
    }
  }

  it("is asked for less and less often, also where it is woken all the time", async () => {
    let runs = 0
    const retryAt = new Date(Date.now() + 400)
    const { runner, end } = runnerOf(async () => {
      if (runs++ === 0) throw new Busy("throttled", { retryAt })
    })
    for (let n = 0; n < 20; n++) {
      runner.wake()
      const isEarly = Date.now() < retryAt.getTime() - 5
      if (isEarly) assert.equal(runs, 1)
      await later(10)
    }
    await until(() => runs === 2, "the second run")
    assert.ok(Date.now() >= retryAt.getTime() - 5)
    await end()
  })

  it("comes back when a service that is not available has said, and later each time, or when somebody asks", async () => {
    const at: number[] = []
    const begun = Date.now()
    const { runner, end } = runnerOf(async () => {
      at.push(Date.now())
      throw new Unavailable("its disk is full", { retryAt: new Date(Date.now() + 1_200) })
    })
    runner.wake()
    await until(() => at.length === 2, "the second run")
    assert.ok(at[1]! - begun >= 1_195, "by itself not before")
    runner.wake()
    await until(() => at.length === 3, "the third run")
    assert.ok(at[2]! - at[1]! < 1_000, "somebody asked")
    assert.equal(runner.state.failures, 3)
    await end()
  })

  it("is no busy loop where a job does not get done with what is due", async () => {
    let runs = 0
    const { runner, end } = runnerOf(
      async () => {
        runs++
      },
      { due: () => Date.now() - 1 },
    )
    runner.wake()
    await later(500)
    assert.ok(runs >= 2 && runs <= 5, `${runs} runs`)
    await end()
  })

  it("is no busy loop where it is due later than a timer of the platform can wait", async () => {
    let runs = 0
    const { runner, end } = runnerOf(
      async () => {
        runs++
      },
      { due: () => Date.now() + 30 * 86_400_000 },
    )
    runner.wake()
    await later(200)
    assert.equal(runs, 1)
    await end()
  })

  it("is told of once in a row of failures, unless the network or the store is to blame", async () => {
    const faults: unknown[] = []
    let runs = 0
    const failing = (error: Error) => async () => {
      runs++
      throw error
    }
    const fault = new TypeError("a fault of the program")
    for (const error of [fault, new Unavailable("no network")]) {
      runs = 0
      const { runner, end } = runnerOf(failing(error), { onFault: (told) => faults.push(told) })
      runner.wake()
      await until(() => runs >= 3, "the third run")
      await end()
      runner.wake()
      assert.equal(runs, 3, "nothing runs after the end")
    }
    assert.deepEqual(faults, [fault])
  })

  it("by an answer waits up to an hour, by the network half a minute", () => {
    assert.ok(pauseAfter(new Unavailable("no network"), 30, random) <= 30_000)
    for (const code of ["REFUSED", "UPDATE"] as const) {
      const pause = pauseAfter(new ClientError(code, "no"), 30, random)
      assert.ok(pause > 1_000_000 && pause <= 3_600_000)
    }
  })

  it("leaves no timer that keeps a process where the job ends after the signal", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((it) => it === "Timeout").length
    let finish = () => {}
    const job = () => new Promise<void>((resolve) => (finish = resolve))
    const { runner, end } = runnerOf(job, { due: () => Date.now() + 60_000 })
    const before = timers()
    runner.wake()
    const ended = end()
    finish()
    await ended
    assert.equal(timers(), before)
  })

  it("is one event, whatever the service refuses to the device itself", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    await alice.close()
    const forgetful = new World({ inMemory: true })
    try {
      const again = await world.open("alice", {
        delivery: forgetful.transport("delivery"),
        auth: forgetful.transport("auth"),
        live: true,
      })
      const event = await next(again, "unavailable")
      assert.equal(event.conversation, undefined)
      assert.match(event.reason, /forbidden|listen/)
      await later(1_000)
      const more = await taken(again)
      assert.ok(more.length <= 2 && more.every(({ type }) => type === "unavailable"), JSON.stringify(more))
      assert.equal(again.online, false)
      assert.match(again.offlineReason!, /forbidden/)
    } finally {
      await forgetful[Symbol.asyncDispose]()
    }
  })
})
