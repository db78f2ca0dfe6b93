import assert from "node:assert/strict"
import { test } from "node:test"
import { Execution, executionLimits } from "../../src/sealed/execution.js"

const small = { ...executionLimits, recordedBytesMax: 100, graceMilliseconds: 5_000 }
const bytes = (length: number) => new Uint8Array(length)

/** A run that says what is pushed, and goes on until it is aborted or ended. */
function running({ limits = small, subscription = false } = {}) {
  const said: Uint8Array[] = []
  let wake = () => {}
  let ended = false
  const execution = new Execution(
    async function* () {
      for (;;) {
        while (said.length > 0) yield said.shift()!
        if (ended) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    { limits, origin: { subscription, peer: "a" }, counted: () => {} },
  )
  const say = (response: Uint8Array) => {
    said.push(response)
    wake()
  }
  const end = () => {
    ended = true
    wake()
  }
  return { execution, say, end }
}

test("a copy hears a run from the first response on, or not at all", async () => {
  const { execution, say } = running()
  const first = execution.listen("a")!
  say(bytes(60))
  await first.responses.next()
  const second = execution.listen("b")!
  assert.equal((await second.responses.next()).value?.length, 60)
  execution.abort()
  assert.equal(execution.listen("a"), undefined, "it was ended")
})

test("a copy that comes after more was said than is kept is turned away", async () => {
  const { execution, say } = running()
  const first = execution.listen("a")!
  for (let i = 0; i < 3; i++) {
    say(bytes(60))
    await first.responses.next()
  }
  assert.equal(execution.listen("b"), undefined)
  execution.abort()
})

test("a run that is retired is heard to its end by those who listen, and by nobody new", async () => {
  const { execution, say, end } = running()
  const first = execution.listen("a")!
  say(bytes(10))
  await first.responses.next()
  execution.retire()
  assert.equal(execution.listen("b"), undefined)
  say(bytes(20))
  assert.equal((await first.responses.next()).value?.length, 20)
  end()
  assert.equal((await first.responses.next()).done, true)
})

test("whoever leaves while nothing is said waits no longer, and the others do", async () => {
  const { execution, say } = running()
  const [leaving, staying] = [execution.listen("a")!, execution.listen("b")!]
  const [next, other] = [leaving.responses.next(), staying.responses.next()]
  leaving.leave()
  assert.equal((await next).done, true)
  say(bytes(10))
  assert.equal((await other).value?.length, 10)
  execution.abort()
})

test("whoever leaves does so once: the run goes on for one who comes within its grace", async () => {
  const { execution, say } = running({ limits: { ...small, graceMilliseconds: 30 } })
  const leaving = execution.listen("a")!
  leaving.leave()
  leaving.leave()
  const staying = execution.listen("a")!
  await new Promise((resolve) => setTimeout(resolve, 60))
  say(bytes(10))
  assert.equal((await staying.responses.next()).value?.length, 10)
  execution.abort()
})

test("a run that is ended fails for those who listen, although the service goes on", async () => {
  const { execution } = running()
  const next = execution.listen("a")!.responses.next()
  execution.abort()
  await assert.rejects(next, /the service failed/)
})

/** Whoever leaves, it is too late for another to take its place. */
const afterRace = { ...small, raceMilliseconds: -1 }

test("a run of a request, and one of a subscription whose copy leaves, goes on for the others", async () => {
  for (const subscription of [false, true]) {
    const { execution, say } = running({ limits: afterRace, subscription })
    const both = [execution.listen("a")!, execution.listen("a")!]
    const [leaving, staying] = subscription ? both.reverse() : both
    leaving!.leave()
    const next = staying!.responses.next()
    say(bytes(10))
    assert.equal((await next).value?.length, 10)
    execution.abort()
  }
})

test("a subscription that has ended is heard to its end, also when the first connection is gone", async () => {
  const { execution, say, end } = running({ limits: afterRace, subscription: true })
  const [first, second] = [execution.listen("a")!, execution.listen("a")!]
  say(bytes(10))
  await first.responses.next()
  end()
  assert.equal((await first.responses.next()).done, true)
  first.leave()
  assert.equal((await second.responses.next()).value?.length, 10)
  assert.equal((await second.responses.next()).done, true)
})
