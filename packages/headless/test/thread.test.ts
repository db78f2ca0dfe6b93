import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Message } from "@conclave/client"
import { conversationMemory, readableMemory, storableMemory } from "../src/memory.js"
import type { Notice } from "../src/notice.js"
import { emptyThread, isPlaced, type Thread, timelineOf, withMessages, withPage } from "../src/thread.js"

const sentAt = new Date(0)
const ID = "00".repeat(16)

function message(seq: number, text: string, more: Partial<Message> = {}): Message {
  return { messageId: `id-${seq}`, seq, from: "bob", own: false, sentAt, text, ...more }
}

const texts = ({ messages }: Thread) => messages.map(({ text }) => text)
const page = (...messages: readonly Message[]) => withPage(emptyThread, messages)
const shown = (thread: Thread, notices: readonly Notice[] = [], pending: readonly { messageId: string }[] = []) =>
  timelineOf(
    thread,
    { pending: pending.map((it) => ({ ...it, sentAt, text: "waiting" })) },
    { notices: [...notices], failed: [] },
  )

describe("the messages of a conversation", () => {
  it("are told apart by their places: who repeats an id hides nothing", () => {
    const honest = message(1, "honest", { messageId: ID })
    const forged = message(2, "forged", { messageId: ID, from: "mallory" })
    const { text: _, ...sent } = { ...forged, text: "" }
    for (const thread of [
      page(honest, forged),
      withPage(page(forged), [honest]),
      withPage(page(honest), [forged]),
      withMessages(page(honest), [{ ...sent, text: "forged" }]),
    ]) {
      assert.deepEqual(texts(thread), ["honest", "forged"])
      const keys = shown(thread).map(({ key }) => key)
      assert.equal(new Set(keys).size, 2)
    }
  })

  it("are each there once, in their order, whichever way they come", () => {
    const all = [1, 2, 3, 4].map((seq) => message(seq, `text ${seq}`))
    const thread = withPage(withPage(page(all[2]!, all[3]!), [all[0]!, all[1]!, all[2]!]), [all[3]!])
    assert.deepEqual(texts(thread), ["text 1", "text 2", "text 3", "text 4"])
  })

  it("of somebody else do not stand for one of this device that waits", () => {
    const repeated = page(message(1, "forged", { messageId: ID }))
    assert.equal(isPlaced(repeated, ID), false)
    assert.deepEqual(
      shown(repeated, [], [{ messageId: ID }]).map(({ type }) => type),
      ["message", "pending"],
    )
    const own = page(message(1, "mine", { messageId: ID, own: true }))
    assert.equal(isPlaced(own, ID), true)
    assert.deepEqual(
      shown(own, [], [{ messageId: ID }]).map(({ type }) => type),
      ["message"],
    )
  })
})

describe("a notice", () => {
  const notice = (after: Notice["after"]): Notice => ({
    number: 1,
    at: 0,
    after,
    event: { type: "refreshed", by: "bob" },
  })
  const order = (thread: Thread, after: Notice["after"]) => shown(thread, [notice(after)]).map(({ key }) => key)
  const thread = page(message(5, "one"), message(7, "two", { messageId: ID }), message(9, "again", { messageId: ID }))

  it("comes after the message at its place, or before all", () => {
    assert.deepEqual(order(thread, 5), ["m5", "n1", "m7", "m9"])
    assert.deepEqual(order(thread, undefined), ["n1", "m5", "m7", "m9"])
  })

  it("whose message is not here waits for earlier pages, and is first if there are none", () => {
    assert.deepEqual(order(thread, 3), ["n1", "m5", "m7", "m9"])
    assert.deepEqual(order({ ...thread, hasEarlier: true }, 3), ["m5", "m7", "m9"])
  })

  it("that an earlier version has placed by a message's id stays where it was", () => {
    assert.deepEqual(order(thread, ID), ["m5", "m7", "n1", "m9"], "at the first that has the id")
    assert.deepEqual(order(thread, "gone"), ["n1", "m5", "m7", "m9"])
  })
})

describe("what the page remembers", () => {
  const names = ["constructor", "__proto__", "toString", "alice"]

  it("knows nothing of a name that is a property of every object", () => {
    const memory = readableMemory("{}")
    for (const name of names) {
      assert.equal(memory.compared.get(name), undefined)
      assert.deepEqual(conversationMemory(memory, name).notices, [])
    }
    assert.equal(Object.getPrototypeOf({}), Object.prototype)
  })

  it("is the same after it has been stored", () => {
    const memory = readableMemory("{}")
    memory.lastEvent = 7
    for (const name of names) {
      memory.compared.set(name, [`code of ${name}`])
      conversationMemory(memory, name).draft = `draft in ${name}`
    }
    const again = readableMemory(storableMemory(memory))
    assert.deepEqual(again, memory)
    assert.deepEqual([...again.compared.keys()], names)
  })

  it("is read from what an earlier version has kept", () => {
    const kept =
      '{"lastEvent":3,"conversations":{"ab":{"unread":1,"lastMessageId":"x","draft":"","notices":[],"failed":[],"removals":["bob"]}},"compared":{"bob":["1"],"__proto__":["2"],"constructor":["3"]},"keyAlerts":[]}'
    const memory = readableMemory(kept)
    assert.equal(memory.lastEvent, 3)
    assert.deepEqual(
      [...memory.compared],
      [
        ["bob", ["1"]],
        ["__proto__", ["2"]],
        ["constructor", ["3"]],
      ],
    )
    assert.deepEqual(memory.alerts, [])
    assert.equal(conversationMemory(memory, "ab").lastSeq, undefined)
  })
})
