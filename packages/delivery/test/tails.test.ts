import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import {
  accessKeyOf,
  commitRequest,
  createGroup,
  createService,
  crypto,
  cursorWithAccess,
  expectType,
  messageRequest,
  sha256,
} from "@conclave/testing/delivery"
import fc from "fast-check"
import { keyIn, provedBefore, textOf } from "../src/access.js"
import { entriesOf } from "../src/groups.js"
import { openIdentity } from "../src/identity.js"
import { memoryStore, processWake, type Store } from "../src/index.js"
import { Tails, type TailsOptions } from "../src/tails.js"
import { groupTopic, idOf } from "../src/topics.js"

/** The store, but for how it reads logs. */
const readingBy = (store: Store, read: Store["read"]) =>
  new Proxy(store, {
    get(target, name: keyof Store & string) {
      if (name === "read") return read
      return (target[name] as unknown as (...parameters: unknown[]) => unknown).bind(target)
    },
  })

const boundless = { appends: { perSecond: 1e6, burst: 1e6 }, pollMilliseconds: 600_000 }
const page = { limit: 1_000, sizeMax: 1e9 }

/** A group of a service, and the tails of its log, which somebody else follows as well. */
async function scene(options: Partial<TailsOptions> = {}) {
  const memory = memoryStore(sha256)
  let reads = 0
  let held: Promise<void> | undefined
  let failure: Error | undefined
  const store = readingBy(memory, async (asked) => {
    reads++
    const read = await memory.read(asked)
    await held
    if (failure !== undefined) throw failure
    return read
  })
  const wake = processWake()
  const service = createService(memory, { wake, limits: boundless })
  const groupId = await createGroup(service)
  const topic = groupTopic(groupId)
  const watches = [wake.watch([topic]), wake.watch([topic])]
  const tails = new Tails({ store, wake, page, ...options })
  const identity = await openIdentity(memory, crypto)
  const seqsOf = async (after: number, interval = 0) => {
    const key = textOf(accessKeyOf(groupId, interval).publicKey)
    const read = await tails.read(topic, { key, after: BigInt(after), identity })
    return read.type === "page" ? read.entries.map(({ seq }) => Number(seq)) : read.type
  }
  const say = async (count = 1) => {
    for (let said = 0; said < count; said++) expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
  }
  return {
    ...{ store: memory, wake, service, groupId, topic, tails, identity, watches, seqsOf, say },
    reads: () => reads,
    hold(until: Promise<void> | undefined) {
      held = until
    },
    fail(error: Error | undefined) {
      failure = error
    },
  }
}

type Step = { readonly do: "message" } | { readonly do: "commit"; readonly begins: boolean; readonly removes: boolean }
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("message" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      begins: fc.integer({ min: 0, max: 4 }).map((number) => number > 0),
      removes: fc.integer({ min: 0, max: 3 }).map((number) => number === 0),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      // One after the other, with nothing in between.
      by: fc.array(fc.record({ interval: fc.nat({ max: 5 }), after: fc.nat({ max: 12 }) }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
)

describe("the tails of logs", () => {
  it("answer as the store does, for keys of every interval and cursors of every age", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.record({ limit: fc.integer({ min: 1, max: 4 }), sizeMax: fc.constantFrom(100, 400, 1e6) }),
        async (steps, small) => {
          const { store, service, groupId, topic, tails, identity } = await scene({ page: small })
          let [interval, epoch, lastCommit, head] = [0, 0n, 0n, 0n]
          const write = async (written: Step) => {
            const shared = { after: lastCommit, size: 40 }
            const key = accessKeyOf(groupId, interval)
            if (written.do === "message") {
              expectType(await service.askWith(key, messageRequest(groupId, epoch, shared)), "accepted")
              head++
              return
            }
            const { begins, removes } = written
            const parts = { after: lastCommit, removes, ...(begins && { interval: interval + 1 }) }
            expectType(await service.askWith(key, commitRequest(groupId, epoch, parts)), "accepted")
            if (begins) interval++
            epoch++
            lastCommit = ++head
          }
          for (const next of steps) {
            if (next.do !== "read") {
              await write(next)
              continue
            }
            for (const reader of next.by) {
              const key = textOf(accessKeyOf(groupId, reader.interval).publicKey)
              const after = BigInt(reader.after)
              const expected = await store.read({ groupId, key: keyIn(key), after, permit: provedBefore, ...small })
              const read = await tails.read(topic, { key, after, identity })
              if (read.type !== "page" || expected.type !== "page") {
                assert.deepEqual(read, expected)
                continue
              }
              const { response, ...told } = read
              assert.deepEqual(told, expected)
              const answer = response instanceof Uint8Array ? decode(DeliveryResponse, response) : response
              assert.deepEqual(answer, entriesOf(groupId, expected, identity))
            }
          }
        },
      ),
      { numRuns: 150, includeErrorInReport: true },
    )
  })

  it("read what is new once for all who follow, and encode one answer for them", async () => {
    const memory = memoryStore(sha256)
    let reads = 0
    const store = readingBy(memory, (asked) => memory.read(asked).finally(() => reads++))
    const service = createService(store, { limits: boundless })
    const groupId = await createGroup(service)
    const gone = new AbortController()
    const cursors = [cursorWithAccess({ groupId, afterSeq: 0n })]
    const request = deliveryRequests.encode({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined })
    const streams = Array.from({ length: 50 }, () => service.handler(request, { signal: gone.signal, early: false }))
    const iterators = streams.map((stream) => stream[Symbol.asyncIterator]())
    // Id, passes, and that there is nothing yet.
    for (let told = 0; told < 3; told++) for (const iterator of iterators) await iterator.next()
    reads = 0
    for (let said = 1; said <= 10; said++) {
      const coming = iterators.map((iterator) => iterator.next())
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      const [first, ...others] = await Promise.all(coming)
      const { entries } = expectType(decode(DeliveryResponse, first!.value), "entries")
      assert.deepEqual(
        entries.map(({ seq }) => Number(seq)),
        [said],
      )
      for (const { value } of others) assert.equal(value, first!.value)
      assert.equal(reads, said)
    }
    gone.abort()
  })

  it("read again for a hint that came while they were reading", async () => {
    const { hold, seqsOf, say, reads } = await scene()
    await say()
    let release = () => {}
    hold(new Promise((resolve) => (release = resolve)))
    const first = seqsOf(0)
    await new Promise((resolve) => setImmediate(resolve))
    hold(undefined)
    await say()
    const second = seqsOf(0)
    release()
    assert.deepEqual(await first, [1])
    assert.deepEqual(await second, [1, 2])
    assert.equal(reads(), 2)
  })

  it("fail as the store does for all who wait for it, and read again at the next hint", async () => {
    const { fail, seqsOf, say, reads } = await scene()
    await say()
    assert.deepEqual(await seqsOf(0), [1])
    await say()
    fail(new Error("no disk"))
    const answers = await Promise.allSettled([seqsOf(1), seqsOf(1)])
    assert.deepEqual(
      answers.map(({ status }) => status),
      ["rejected", "rejected"],
    )
    fail(undefined)
    assert.deepEqual(await seqsOf(1), [2])
    assert.equal(reads(), 3)
  })

  it("begin near the head, and leave who is far behind to the store", async () => {
    const { seqsOf, say, reads } = await scene({ page: { limit: 10, sizeMax: 1e9 } })
    await say(200)
    assert.deepEqual((await seqsOf(20))!.slice(0, 2), [21, 22])
    const begun = reads()
    assert.equal((await seqsOf(150))[0], 151)
    assert.equal((await seqsOf(198)).length, 2)
    assert.equal(reads(), begun)
    assert.equal((await seqsOf(30))[0], 31)
    assert.equal(reads(), begun + 1)
  })

  it("begin anew where the log has lost its beginning, and with it what came after the last one that they had", async () => {
    const { store, service, seqsOf, say } = await scene()
    await say()
    assert.deepEqual(await seqsOf(0), [1])
    await say(3)
    const [groups, at] = [0n, BigInt(service.clock.now)]
    const horizons = { messages: 0n, inbox: 0n, knocks: 0n, rowsMax: 2, at, groups }
    await store.sweep({ ...horizons, log: at + 1n })
    await say(2)
    assert.deepEqual(await seqsOf(1), await seqsOf(1))
    assert.deepEqual(await seqsOf(3), [5, 6])
  })

  it("keep no more bytes than they may, those used last", async () => {
    const { service, store, wake, identity } = await scene()
    let reads = 0
    const counting = readingBy(store, (asked) => store.read(asked).finally(() => reads++))
    const tails = new Tails({ store: counting, wake, page, sizeMax: 10_000 })
    const topics: string[] = []
    for (let made = 0; made < 4; made++) {
      const groupId = await createGroup(service)
      topics.push(groupTopic(groupId))
      wake.watch(topics.slice(-1))
      wake.watch(topics.slice(-1))
      expectType(await service.ask(messageRequest(groupId, 0n, { size: 3_000 })), "accepted")
    }
    const readFrom = async (topic: string) => {
      const key = textOf(accessKeyOf(idOf(topic)).publicKey)
      const read = await tails.read(topic, { key, after: 0n, identity })
      assert.ok(read.type === "page" && read.entries.length === 1)
    }
    for (const topic of topics) await readFrom(topic)
    assert.equal(reads, 4)
    for (const topic of topics.slice(1)) await readFrom(topic)
    assert.equal(reads, 4)
    await readFrom(topics[0]!)
    assert.equal(reads, 5)
  })

  it("end when nobody else follows the log", async () => {
    const { wake, topic, watches, seqsOf, say, reads } = await scene()
    await say()
    await seqsOf(0)
    assert.equal(wake.watching(topic), 3)
    for (const watch of watches) watch.close()
    await say()
    assert.equal(wake.watching(topic), 0)
    const before = reads()
    await seqsOf(0)
    assert.equal(reads(), before + 1)
  })
})
