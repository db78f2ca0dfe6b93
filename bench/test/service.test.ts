import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { random } from "@conclave/testing/delivery"
import { Histogram } from "../src/service/histogram.js"
import { reportPage } from "../src/service/report/page.js"
import { isEntries, numberedMessage, numbersIn } from "../src/service/requests.js"
import { isMet, type Measurement, type Run } from "../src/service/results.js"
import { compared, paced, perSecond } from "../src/service/rounds.js"

describe("a histogram of latencies", () => {
  it("tells every quantile to within a sixty-fourth, over seven powers of ten", () => {
    for (const scale of [0.001, 0.1, 1, 30, 5_000]) {
      const histogram = new Histogram()
      for (let value = 1; value <= 1_000; value++) histogram.add(value * scale)
      for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
        const [exact, told] = [share * 1_000 * scale, histogram.quantile(share)]
        assert.ok(told >= exact - 0.001 && told <= exact * (1 + 1 / 64) + 0.001, `${share} of ${scale}: ${told}`)
      }
    }
  })

  it("counts each value once, in buckets that rise", () => {
    const histogram = new Histogram()
    for (let power = 0; power < 200; power++) histogram.add(0.001 * 1.1 ** power)
    const { buckets, count, max } = histogram.latencies("all")
    assert.equal(
      buckets.reduce((sum, [, number]) => sum + number, 0),
      count,
    )
    const uppers = buckets.map(([upper]) => upper)
    assert.deepEqual(
      uppers,
      uppers.toSorted((a, b) => a - b),
    )
    assert.ok(uppers.at(-1)! >= max)
  })
})

describe("what is measured", () => {
  it("compares round by round: what slows one round slows both of its contestants", () => {
    const values = new Map([
      ["mine", [10, 1, 10]],
      ["other", [20, 10, 40]],
    ])
    assert.deepEqual(compared(values, "mine", "other"), {
      value: 10,
      spread: [1, 10],
      beside: { what: "other", value: 20 },
      ratio: 0.25,
    })
  })

  it("runs each of the count once, by as many writers as were asked for", async () => {
    const [indexes, writers] = [[] as number[], new Set<number>()]
    await perSecond({ writers: 3, count: 50 }, async (index, writer) => {
      indexes.push(index)
      writers.add(writer)
      await new Promise((resolve) => setImmediate(resolve))
    })
    assert.deepEqual(
      indexes.toSorted((a, b) => a - b),
      Array.from({ length: 50 }, (_, index) => index),
    )
    assert.equal(writers.size, 3)
  })

  it("calls as often as the rate says, however late", async () => {
    const calls: number[] = []
    await paced({ rate: 400, seconds: 0.1 }, (index) => calls.push(index))
    assert.deepEqual(
      calls,
      Array.from({ length: 40 }, (_, index) => index),
    )
  })

  it("judges the ratio where there is one, and the value otherwise", () => {
    const measurement: Measurement = { what: "it", value: 5, unit: "/s", goal: { atLeast: 3 } }
    assert.equal(isMet(measurement), true)
    assert.equal(isMet({ ...measurement, ratio: 0.5 }), false)
    assert.equal(isMet({ ...measurement, goal: { atMost: 3 } }), false)
    assert.equal(isMet({ what: "it", value: 5, unit: "/s" }), undefined)
  })
})

describe("a message of the load", () => {
  it("shows its number wherever it stands in what was received", () => {
    const groupId = random(32)
    const messages = [7, 4_000_000_000, 0].map((number) => numberedMessage(groupId, number))
    const received = Buffer.concat([random(100), ...messages.flatMap((message) => [message, random(10)])])
    assert.deepEqual([...numbersIn(received)], [7, 4_000_000_000, 0])
    assert.equal(isEntries(random(0)), false)
  })
})

describe("the page", () => {
  const outcome = {
    name: "it",
    title: "<b>Title</b>",
    measurements: [
      {
        what: "rate & ratio",
        value: 50,
        unit: "/s",
        ratio: 0.5,
        beside: { what: "bare", value: 100 },
        goal: { atLeast: 1 },
      },
    ],
    latencies: [{ what: "all", count: 3, p50: 1, p99: 2, max: 2, buckets: [[1, 2] as const, [2, 1] as const] }],
    series: [{ what: "all", perSecond: [1, 5, 3] }],
    notes: ['"note"'],
    seconds: 1,
    load: [0, 1],
  } as const
  const run: Run = { at: "2026-01-02T03:04:05.000Z", machine: "machine", isQuick: false, outcomes: [outcome] }

  it("escapes what it is given, and fetches nothing", () => {
    const page = reportPage(run, undefined)
    assert.ok(page.includes("&lt;b&gt;Title&lt;/b&gt;") && page.includes("rate &amp; ratio"))
    assert.doesNotMatch(page, /<b>Title|https?:|url\(|<script|<link|<img/)
    assert.doesNotMatch(page, /NaN|undefined|Infinity/)
  })

  it("shows an earlier run beside it, by the words of each figure", () => {
    const [measurement] = outcome.measurements
    const earlier: Run = {
      ...run,
      outcomes: [
        {
          ...outcome,
          measurements: [
            { ...measurement, what: "other" },
            { ...measurement, value: 40, ratio: 0.4 },
          ],
        },
      ],
    }
    const page = reportPage(run, earlier)
    assert.match(page, /was 0\.40/)
    assert.match(page, /40 \/s <small>\+25 %<\/small>/)
    assert.equal(page.match(/class="before"/g)?.length, 2)
  })

  it("is written for a run whose scenarios failed", () => {
    const failed = { ...outcome, measurements: [], latencies: [], series: [] }
    assert.match(reportPage({ ...run, outcomes: [failed] }, undefined), /Title/)
  })
})
