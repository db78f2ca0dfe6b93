import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { FRAME_HINTS_MAX } from "../src/wake/frame.js"
import { HintedTopics } from "../src/wake/hinted.js"
import { Pending } from "../src/wake/pending.js"

const never = new AbortController().signal
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

describe("topics by hints", () => {
  // By the first letter alone, so that hints are the same.
  const firstLetter = (topic: string) => topic[0]!

  it("with the same hint are both woken, and the one that is dropped no longer", async () => {
    const topics = new HintedTopics(firstLetter)
    const watch = topics.watch(["a1", "a2", "a3", "b1", "a1"])
    topics.note("a")
    topics.note("c")
    assert.deepEqual(await watch.changed({ signal: never }), new Set(["a1", "a2", "a3"]))
    watch.drop("a2")
    topics.noteAll()
    assert.deepEqual(await watch.changed({ signal: never }), new Set(["a1", "a3", "b1"]))
    watch.drop("a1")
    watch.drop("a3")
    watch.drop("a3")
    topics.note("a")
    topics.note("b")
    assert.deepEqual(await watch.changed({ signal: never }), new Set(["b1"]))
    watch.close()
    topics.noteAll()
    assert.deepEqual(await watch.changed({ signal: AbortSignal.abort() }), new Set())
  })
})

describe("hints that wait", () => {
  it("leave in the order of their first note, each once, a frame at a time", () => {
    const pending = new Pending(10_000)
    const hints = numbered(FRAME_HINTS_MAX + 1)
    for (const hint of [...hints, ...hints]) pending.add(hint)
    assert.deepEqual(pending.take(), { everything: false, hints: hints.slice(0, FRAME_HINTS_MAX) })
    assert.deepEqual(pending.take(), { everything: false, hints: hints.slice(FRAME_HINTS_MAX) })
    assert.equal(pending.size, 0)
    assert.deepEqual(pending.take(), { everything: false, hints: [] })
  })

  it("become everything above the bound, and what was not told is put back within it", () => {
    const pending = new Pending(3)
    for (const hint of numbered(3)) pending.add(hint)
    const taken = pending.take()
    pending.putBack(taken)
    assert.deepEqual(pending.take(), taken)
    for (const hint of numbered(4)) pending.add(hint)
    for (const hint of numbered(1_000)) pending.add(hint)
    assert.equal(pending.size, 1)
    const everything = { everything: true, hints: [] }
    assert.deepEqual(pending.take(), everything)
    pending.add("after")
    pending.putBack(everything)
    assert.deepEqual(pending.take(), everything)
    assert.equal(pending.size, 0)
    pending.add("later")
    assert.deepEqual(pending.take(), { everything: false, hints: ["later"] })
  })
})
