import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { PendingMessage } from "@conclave/client"
import {
  emptyWindow,
  isPlaced,
  type MessageWindow,
  type ThreadMessage,
  trimmed,
  withLatest,
  withMessages,
} from "../src/messages.js"
import type { Notice } from "../src/notice.js"
import { type TimelineParts, timelineOf } from "../src/timeline.js"

const NOON = new Date(2026, 0, 10, 12).getTime()
const HOUR = 3_600_000
const ID = "00".repeat(16)

function message(seq: number, text: string, more: Partial<ThreadMessage> = {}): ThreadMessage {
  return { messageId: `id-${seq}`, seq, from: "bob", own: false, sentAt: new Date(NOON), content: { text }, ...more }
}

const texts = ({ messages }: MessageWindow) => messages.map(({ content }) => content.text)
const page = (...messages: readonly ThreadMessage[]) => withLatest(emptyWindow, messages, true)
const seqs = ({ messages }: MessageWindow) => messages.map(({ seq }) => seq)
const waiting = (messageId: string): PendingMessage => ({ messageId, sentAt: new Date(NOON), text: "waiting" })

function shown(window: MessageWindow, parts: Partial<TimelineParts> = {}) {
  const defaults = { notices: [], failed: [], waiting: [], isBlocked: () => false, unreadAfter: undefined }
  return timelineOf({ ...defaults, now: NOON + HOUR, ...parts, window })
}
const keys = (...given: Parameters<typeof shown>) => shown(...given).map(({ key }) => key)
/** Without the days, which most tests are not about. */
const order = (...given: Parameters<typeof shown>) => keys(...given).filter((key) => !key.startsWith("d"))

describe("the messages of a conversation", () => {
  it("are told apart by their places: who repeats an id hides nothing", () => {
    const honest = message(1, "honest", { messageId: ID })
    const forged = message(2, "forged", { messageId: ID, from: "mallory" })
    for (const window of [
      page(honest, forged),
      withMessages(page(forged), [honest]),
      withMessages(page(honest), [forged]),
      withMessages(page(honest), [{ ...forged }]),
    ]) {
      assert.deepEqual(texts(window), ["honest", "forged"])
      assert.deepEqual(order(window), ["m1", "m2"])
    }
  })

  it("are each there once, in their order, whichever way they come", () => {
    const all = [1, 2, 3, 4].map((seq) => message(seq, `text ${seq}`))
    const window = withMessages(withMessages(page(all[2]!, all[3]!), [all[0]!, all[1]!, all[2]!]), [all[3]!])
    assert.deepEqual(texts(window), ["text 1", "text 2", "text 3", "text 4"])
  })

  it("keep their identity when they are read again", () => {
    const [first, second] = [message(1, "one"), message(2, "two")]
    const again = withMessages(page(first), [{ ...first }, second])
    assert.equal(again.messages[0], first)
  })

  it("of somebody else do not stand for one of this device that waits", () => {
    const repeated = page(message(1, "forged", { messageId: ID }))
    assert.equal(isPlaced(repeated.messages, ID), false)
    assert.deepEqual(order(repeated, { waiting: [waiting(ID)] }), ["m1", `p${ID}`])
    const own = page(message(1, "mine", { messageId: ID, own: true }))
    assert.equal(isPlaced(own.messages, ID), true)
    assert.deepEqual(order(own, { waiting: [waiting(ID)] }), ["m1"])
  })
})

describe("a window on a conversation", () => {
  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, at) => message(from + at, `text ${from + at}`))

  it("has no gap: a latest page that may be apart from it takes its place", () => {
    const window = withLatest(emptyWindow, numbered(1, 3), true)
    assert.deepEqual(seqs(withLatest(window, numbered(3, 5), false)), [1, 2, 3, 4, 5], "they overlap")
    assert.deepEqual(seqs(withLatest(window, numbered(4, 5), true)), [1, 2, 3, 4, 5], "it is all there is")
    const apart = withLatest(window, numbered(5, 6), false)
    assert.deepEqual([seqs(apart), apart.hasEarlier], [[5, 6], true])
    const later = { ...window, hasLater: true }
    assert.deepEqual(seqs(withLatest(later, numbered(3, 5), false)), [3, 4, 5])
  })

  it("is bounded, and loses at one end so much that it need not lose with each message", () => {
    const window = withLatest(emptyWindow, numbered(1, 11), true)
    assert.equal(trimmed(window, 11, "later"), window)
    const later = trimmed(window, 10, "later")
    assert.deepEqual([seqs(later), later.hasEarlier, later.hasLater], [[4, 5, 6, 7, 8, 9, 10, 11], true, false])
    const earlier = trimmed(window, 10, "earlier")
    assert.deepEqual([seqs(earlier), earlier.hasEarlier, earlier.hasLater], [[1, 2, 3, 4, 5, 6, 7, 8], false, true])
  })

  it("whose end is elsewhere shows nothing that comes last", () => {
    const window = { ...page(message(1, "one")), hasLater: true }
    const notices: Notice[] = [{ number: 1, at: NOON, after: 7, event: { type: "refreshed", by: "bob" } }]
    assert.deepEqual(order(window, { waiting: [waiting("w")], notices }), ["m1"])
  })
})

describe("a notice", () => {
  const notice = (after: Notice["after"]): Notice => ({
    number: 1,
    at: NOON,
    after,
    event: { type: "refreshed", by: "bob" },
  })
  const placed = (window: MessageWindow, after: Notice["after"]) => order(window, { notices: [notice(after)] })
  const window = page(message(5, "one"), message(7, "two", { messageId: ID }), message(9, "again", { messageId: ID }))

  it("comes after the message at its place, or before all", () => {
    assert.deepEqual(placed(window, 5), ["m5", "n1", "m7", "m9"])
    assert.deepEqual(placed(window, undefined), ["n1", "m5", "m7", "m9"])
  })

  it("whose message is not here waits for earlier pages, and is first if there are none", () => {
    assert.deepEqual(placed(window, 3), ["n1", "m5", "m7", "m9"])
    assert.deepEqual(placed({ ...window, hasEarlier: true }, 3), ["m5", "m7", "m9"])
  })

  it("that an earlier version has placed by a message's id stays where it was", () => {
    assert.deepEqual(placed(window, ID), ["m5", "m7", "n1", "m9"], "at the first that has the id")
    assert.deepEqual(placed(window, "gone"), ["n1", "m5", "m7", "m9"])
  })
})

describe("between the messages", () => {
  const at = (month: number, day: number, hour = 12) => ({ sentAt: new Date(2025, month - 1, day, hour) })

  it("each day begins with a line, the first one too, and with a notice as well as with a message", () => {
    const window = page(message(1, "one", at(3, 1)), message(2, "two", at(3, 1, 23)), message(3, "three", at(3, 2, 0)))
    const notices: Notice[] = [
      { number: 4, at: new Date(2025, 2, 3, 8).getTime(), after: 3, event: { type: "refreshed", by: "bob" } },
    ]
    assert.deepEqual(keys(window, { notices }), ["d2025-3-1", "m1", "m2", "d2025-3-2", "m3", "d2025-3-3", "n4"])
    const [day] = shown(window)
    assert.ok(day?.type === "day")
    assert.deepEqual(day.at, new Date(2025, 2, 1), "with its year")
  })

  it("days have keys of their own where a clock was set back, and nobody's clock is believed beyond now", () => {
    const back = page(
      ...[message(1, "a", at(3, 2)), message(2, "b", at(3, 1)), message(3, "c", at(3, 1)), message(4, "d", at(3, 2))],
    )
    assert.deepEqual(keys(back), ["d2025-3-2", "m1", "d2025-3-1", "m2", "m3", "d2025-3-2.1", "m4"])
    const ahead = message(1, "a", { sentAt: new Date(2099, 0, 1) })
    assert.deepEqual(keys(page(ahead)), ["d2026-1-10", "m1"])
    assert.deepEqual(keys(page(ahead, message(2, "b", at(3, 1)))), ["d2025-3-1", "m1", "m2"])
    const never = message(2, "b", { sentAt: new Date(Number.NaN) })
    assert.deepEqual(keys(page(message(1, "a", at(3, 1)), never)), ["d2025-3-1", "m1", "m2"])
  })

  it("one clock that is wrong makes no day of its own", () => {
    const wrong = [new Date(1970, 0, 1), new Date(2025, 5, 1), new Date(2099, 0, 1)]
    for (const sentAt of wrong) {
      const window = page(message(1, "a", at(3, 2)), message(2, "b", { sentAt }), message(3, "c", at(3, 2)))
      assert.deepEqual(keys(window), ["d2025-3-2", "m1", "m2", "m3"])
    }
    // Where the others go on from there, it was right.
    const window = page(message(1, "a", at(3, 2)), message(2, "b", at(3, 3)), message(3, "c", at(3, 4)))
    assert.deepEqual(keys(window), ["d2025-3-2", "m1", "d2025-3-3", "m2", "d2025-3-4", "m3"])
  })

  it("a line stands before the first message of somebody else that was not read", () => {
    const window = page(message(3, "read"), message(5, "mine", { own: true }), message(6, "new"), message(7, "newer"))
    assert.deepEqual(order(window, { unreadAfter: 3 }), ["m3", "m5", "unread", "m6", "m7"])
    assert.deepEqual(order(window, { unreadAfter: 7 }), ["m3", "m5", "m6", "m7"])
    assert.deepEqual(order(window), ["m3", "m5", "m6", "m7"])
  })

  it("what a blocked person says is counted and not shown, wherever it stands", () => {
    const from = (name: string) => ({ from: name })
    const window = page(
      message(1, "spam", from("mallory")),
      message(2, "spam", from("mallory")),
      message(3, "hello"),
      message(4, "spam", from("mallory")),
    )
    const items = shown(window, { isBlocked: (name) => name === "mallory" })
    assert.deepEqual(
      items.filter(({ type }) => type === "blocked"),
      [
        { type: "blocked", key: "b1", from: "mallory", count: 2 },
        { type: "blocked", key: "b4", from: "mallory", count: 1 },
      ],
    )
    assert.doesNotMatch(JSON.stringify(items), /spam/)
  })
})
