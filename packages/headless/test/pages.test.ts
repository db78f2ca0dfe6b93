import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Message } from "@conclave/client"
import fc from "fast-check"
import { firstSince, messagesAfter } from "../src/pages.js"

/** As the SDK reads it: backwards, by place, so many at a time. */
class History {
  asked = 0
  readonly #messages: readonly Message[]

  constructor(seqs: readonly number[], sentAt: (seq: number) => number = () => 0) {
    this.#messages = seqs.map((seq) => {
      return { seq, messageId: `id-${seq}`, from: "bob", own: false, sentAt: new Date(sentAt(seq)), text: `${seq}` }
    })
  }

  async history({ before = Number.POSITIVE_INFINITY, limit = 100 } = {}): Promise<readonly Message[]> {
    this.asked++
    return this.#messages.filter(({ seq }) => seq < before).slice(-limit)
  }
}

/** Places with small gaps, wide gaps, and those of a restart. */
const places = fc
  .array(
    fc.oneof(
      fc.constant(1),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 2 ** 20 }),
      fc.constant(2 ** 40),
    ),
    {
      maxLength: 60,
    },
  )
  .map((steps) => {
    let last = 0
    return steps.map((step) => (last += step))
  })

describe("a history that is read backwards", () => {
  it("gives the messages after a place, whatever the gaps, in a bounded number of questions", async () => {
    await fc.assert(
      fc.asyncProperty(places, fc.nat(70), fc.integer({ min: 1, max: 20 }), async (seqs, at, limit) => {
        const after = seqs[at] ?? 0
        const history = new History(seqs)
        const found = await messagesAfter(history, after, limit)
        assert.deepEqual(
          found.map(({ seq }) => seq),
          seqs.filter((seq) => seq > after).slice(0, limit),
        )
        // About twice 41 for a gap of a restart, and each of its pieces has a message at least.
        assert.ok(history.asked <= 1 + 90 * limit, `${history.asked} questions`)
      }),
    )
  })

  it("asks once for a page of messages that stand close together", async () => {
    const history = new History(Array.from({ length: 1_000 }, (_, at) => at + 1))
    assert.equal((await messagesAfter(history, 300, 60)).length, 60)
    assert.equal(history.asked, 2, "for the last place, and for the page")
  })

  it("finds the first message of a time, or none", async () => {
    await fc.assert(
      fc.asyncProperty(places, fc.nat(100), async (seqs, hour) => {
        const sentAt = (seq: number) => seqs.indexOf(seq) * 3
        const wanted = seqs.find((seq) => sentAt(seq) >= hour)
        assert.equal(await firstSince(new History(seqs, sentAt), new Date(hour)), wanted)
      }),
    )
  })
})
