import assert from "node:assert/strict"
import { getEventListeners } from "node:events"
import { describe, it } from "node:test"
import { createGroup, createService, expectType, messageRequest, sha256 } from "@conclave/testing/delivery"
import { memoryStore, processWake, type Wake } from "../src/index.js"

const never = new AbortController().signal

describe("hints within one process", { timeout: 120_000 }, () => {
  it("tell of everything where nobody knows what was missed: each watch of its own topics, once", async () => {
    const wake = processWake()
    const [one, two] = [wake.watch(["a", "b"]), wake.watch(["b", "c"])]
    wake.notify("a")
    wake.notifyAllHere()
    wake.notifyAllHere()
    assert.deepEqual(await one.changed({ signal: never }), new Set(["a", "b"]))
    assert.deepEqual(await two.changed({ signal: never }), new Set(["b", "c"]))
    const waiting = one.changed({ signal: never })
    wake.notify("b")
    assert.deepEqual(await waiting, new Set(["b"]))
  })

  it("wake who waits, with the topics that are watched by then", async () => {
    const wake = processWake()
    const watch = wake.watch(["a", "b"])
    watch.drop("a")
    const waiting = watch.changed({ signal: never })
    wake.notifyAllHere()
    assert.deepEqual(await waiting, new Set(["b"]))
  })

  it("let go who waits when its signal is aborted, after earlier waits and a signal of another", async () => {
    const wake = processWake()
    const watch = wake.watch(["a"])
    const [first, second] = [new AbortController(), new AbortController()]
    for (const { signal } of [first, first, second]) {
      const waiting = watch.changed({ signal })
      wake.notify("a")
      assert.deepEqual(await waiting, new Set(["a"]))
    }
    const waiting = watch.changed({ signal: second.signal })
    first.abort()
    assert.equal(await isTold(waiting), false)
    second.abort()
    assert.deepEqual(await waiting, new Set())
  })

  it("leave one listener to a signal however often is waited, and none after the end", async () => {
    const wake = processWake()
    const watch = wake.watch(["a"])
    const { signal } = new AbortController()
    for (let count = 0; count < 3; count++) {
      const waiting = watch.changed({ signal })
      assert.equal(getEventListeners(signal, "abort").length, 1)
      wake.notify("a")
      await waiting
    }
    watch.close()
    assert.equal(getEventListeners(signal, "abort").length, 0)
  })

  it("are not for a watch that is closed or has no topic left", async () => {
    const wake = processWake()
    const [closed, empty] = [wake.watch(["a"]), wake.watch(["a"])]
    closed.close()
    empty.drop("a")
    wake.notifyAllHere()
    for (const watch of [closed, empty]) assert.equal(await isTold(watch.changed({ signal: never })), false)
  })
})

describe("a subscription that is told of everything", { timeout: 120_000 }, () => {
  it("brings what it has missed, and reads no log that is quiet", async () => {
    const store = memoryStore(sha256)
    let reads = 0
    const read = store.read.bind(store)
    store.read = (page) => {
      reads++
      return read(page)
    }
    const wake = processWake()
    const deaf: Wake = { ...wake, notify() {} }
    const service = createService(store, { wake: deaf, limits: { pollMilliseconds: 600_000 } })
    const groups = await Promise.all([...Array(40)].map(() => createGroup(service)))
    const gone = new AbortController()
    const cursors = groups.map((groupId) => ({ groupId, afterSeq: 0n }))
    const request = { type: "subscribe", cursors, inboxAfter: 0n, proof: undefined } as const
    const stream = service.subscribe(request, gone.signal)
    for (let i = 0; i < groups.length; i++) expectType((await stream.next()).value!, "entries")
    const missed = [groups[3]!, groups[37]!]
    for (const groupId of missed) await service.ask(messageRequest(groupId, 0n))
    const coming = stream.next()
    assert.equal(await isTold(coming), false)
    reads = 0
    wake.notifyAllHere()
    const first = expectType((await coming).value!, "entries")
    const second = expectType((await stream.next()).value!, "entries")
    assert.deepEqual([first.groupId, second.groupId], missed)
    assert.deepEqual([first.entries.length, second.entries.length], [1, 1])
    assert.equal(reads, 2)
    gone.abort()
    await stream.return(undefined)
  })
})

/** Whether the promise settles by what has happened already. */
async function isTold(promise: Promise<unknown>): Promise<boolean> {
  const turn = async () => {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
    return false
  }
  return Promise.race([promise.then(() => true), turn()])
}
