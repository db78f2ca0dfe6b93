import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Entry } from "@conclave/contracts/delivery"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import { sha256 } from "@conclave/testing/delivery"
import { type Answer, type History, type Operation, type Violation, violationsOf } from "@conclave/testing/log-history"
import fc from "fast-check"

const groupId = new Uint8Array(32).fill(7)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const bodyOf = (id: string) => new TextEncoder().encode(`body of ${id}`)

/** A log of these ids; one that begins with "commit" is a commit. */
function logOf(...ids: readonly string[]): Entry[] {
  let hash = logChainStart(sha256, groupId)
  return ids.map((id, index) => {
    const kind = id.startsWith("commit") ? ("commit" as const) : ("application" as const)
    const entry = { seq: BigInt(index + 1), kind, epoch: 0n, body: bodyOf(id), begins: undefined }
    hash = logChainHash(sha256, hash, entry)
    return { ...entry, chainHash: hash, at: 0n }
  })
}

const attempt = (start: number, end: number, id: string, answer: Answer, after = 0n): Operation => ({
  ...{ client: "writer", start, end },
  what: { type: "append", id, body: hex(sha256(bodyOf(id))), after, answer },
})
const unknown: Answer = { type: "unknown" }
const accepted = (log: readonly Entry[], seq: number): Answer => ({
  ...{ type: "accepted", seq: BigInt(seq), hash: hex(log[seq - 1]!.chainHash) },
})
/** A read of the first entries, or the head, of a log. */
const saw = (start: number, end: number, log: readonly Entry[], client = "reader"): Operation => ({
  ...{ client, start, end },
  what: {
    type: "observation",
    headSeq: BigInt(log.length),
    seen: log.map(({ seq, chainHash }) => ({ seq, hash: hex(chainHash) })),
  },
})
const check = (log: readonly Entry[], operations: readonly Operation[], more: Partial<History> = {}) =>
  violationsOf({ groupId, log, operations, sha256, ...more })
const types = (violations: readonly Violation[]) => [...new Set(violations.map(({ type }) => type))]

const log = logOf("a", "b", "c")
/** One after the other, each read before and after. */
const orderly: readonly Operation[] = [
  saw(0, 1, log.slice(0, 0)),
  attempt(2, 4, "a", accepted(log, 1)),
  saw(5, 6, log.slice(0, 1)),
  attempt(7, 9, "b", accepted(log, 2)),
  attempt(10, 14, "c", accepted(log, 3)),
  saw(15, 16, log),
]

describe("the checker of a log's history", () => {
  it("finds nothing in what came one after the other", () => assert.deepEqual(check(log, orderly), []))

  it("finds nothing in operations that overlap, whatever each saw of the others", () => {
    const operations = [
      attempt(0, 10, "a", accepted(log, 1)),
      attempt(0, 10, "b", accepted(log, 2)),
      attempt(0, 10, "c", accepted(log, 3)),
      ...[0, 1, 2, 3].map((length) => saw(length, 10 - length, log.slice(0, length))),
    ]
    assert.deepEqual(check(log, operations), [])
  })

  it("lets an append of unknown outcome take effect at any time after it was sent, or never", () => {
    const operations = [
      attempt(0, 1, "a", unknown),
      attempt(0, 1, "never", unknown),
      attempt(2, 9, "b", accepted(log, 2)),
      saw(4, 5, []),
      attempt(6, 9, "c", accepted(log, 3)),
    ]
    assert.deepEqual(check(log, operations), [])
    assert.deepEqual(types(check(log, [attempt(10, 11, "a", unknown), ...operations.slice(1)])), ["order"])
  })

  it("finds an acknowledged append that was lost", () => {
    assert.deepEqual(types(check(log.slice(0, 2), orderly.slice(0, 5))), ["lost"])
    assert.deepEqual(
      types(check(log.slice(0, 2), [...orderly.slice(0, 4), attempt(10, 14, "c", unknown), saw(15, 16, log)])),
      ["lost"],
    )
  })

  it("finds a fork: two entries with one seq", () => {
    const other = logOf("a", "x", "c")
    assert.deepEqual(types(check(log, [...orderly, attempt(7, 9, "x", accepted(other, 2))])), ["lost"])
    const both = logOf("a", "b", "x")
    const told = { ...accepted(both, 3), seq: 2n } as Answer
    assert.deepEqual(types(check(both, [...orderly.slice(0, 4), attempt(10, 14, "x", told)])), ["fork"])
    assert.deepEqual(types(check(log, [...orderly, attempt(7, 9, "x", unknown), saw(17, 18, other)])), ["fork"])
    // The log itself is of two chains.
    assert.deepEqual(
      types(check([...log.slice(0, 2), other[2]!], orderly.slice(0, 4).concat(attempt(10, 11, "c", unknown)))),
      ["fork"],
    )
  })

  it("finds a read that goes back", () => {
    const operations = [...orderly, saw(17, 18, log.slice(0, 2))]
    assert.deepEqual(types(check(log, operations)), ["order"])
    assert.deepEqual(types(check(log, operations, { reads: "monotonic" })), ["backwards"])
  })

  it("finds a stale read after an acknowledged append, where reads are promised to be current", () => {
    const operations = [...orderly, saw(9.5, 9.8, log.slice(0, 1), "another")]
    assert.deepEqual(types(check(log, operations)), ["order"])
    assert.deepEqual(check(log, operations, { reads: "monotonic" }), [])
    // While it is under way, either is right.
    assert.deepEqual(check(log, [...orderly, saw(8, 9.8, log.slice(0, 1), "another")]), [])
  })

  it("finds what was read before it was sent", () => {
    assert.deepEqual(types(check(log, [...orderly, saw(5, 6, log.slice(0, 2), "another")])), ["order"])
  })

  it("finds one entry twice", () => {
    const twice = logOf("a", "b", "c", "b")
    assert.deepEqual(types(check(twice, [...orderly.slice(0, 5), attempt(12, 13, "b", unknown)])), ["twice"])
  })

  it("finds an entry that nobody asked for", () => {
    assert.deepEqual(types(check(logOf("a", "b", "c", "d"), orderly.slice(0, 5))), ["unasked"])
  })

  it("finds an answer that changes on repetition", () => {
    const again = (answer: Answer) => types(check(log, [...orderly, attempt(20, 21, "b", answer)]))
    assert.deepEqual(again(accepted(log, 2)), [])
    assert.deepEqual(again({ type: "throttled" }), [])
    assert.deepEqual(again(accepted(log, 3)), ["changed"])
    assert.deepEqual(again({ ...accepted(log, 2), hash: "00" } as Answer), ["changed"])
    assert.deepEqual(again({ type: "stale", headSeq: 3n, lastCommitSeq: 0n }), ["changed"])
  })

  it("finds a commit that was accepted though its author had not read the one before", () => {
    const commits = logOf("commit 1", "commit 2")
    const first = attempt(0, 1, "commit 1", accepted(commits, 1))
    const second = (after: bigint) => [first, attempt(2, 3, "commit 2", accepted(commits, 2), after)]
    assert.deepEqual(check(commits, second(1n)), [])
    assert.deepEqual(types(check(commits, second(0n))), ["order"])
  })

  it("finds a commit that was refused as stale though nothing was before it", () => {
    const commits = logOf("a", "commit 1")
    const operations = [attempt(0, 1, "a", accepted(commits, 1)), attempt(4, 5, "commit 1", accepted(commits, 2))]
    const stale = (after: bigint, lastCommitSeq: bigint, headSeq: bigint, start: number) =>
      attempt(start, start + 1, "commit 3", { type: "stale", lastCommitSeq, headSeq }, after)
    assert.deepEqual(check(commits, [...operations, stale(0n, 2n, 2n, 6)]), [])
    assert.deepEqual(types(check(commits, [...operations, stale(0n, 0n, 1n, 2)])), ["fork"])
    // It was told of a commit that came later.
    assert.deepEqual(types(check(commits, [...operations, stale(0n, 2n, 2n, 2)])), ["order"])
  })

  it("agrees with trying every order, on small histories of random times and lengths", () => {
    const time = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 4 }))
    const histories = fc.record({
      appends: fc.tuple(time, time, time),
      isKnown: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
      reads: fc.array(fc.tuple(time, fc.integer({ min: 0, max: 3 })), { maxLength: 4 }),
    })
    let [good, bad] = [0, 0]
    fc.assert(
      fc.property(histories, ({ appends, isKnown, reads }) => {
        const operations = [
          ...appends.map(([start, length], i) =>
            attempt(start, start + length, "abc"[i]!, isKnown[i] ? accepted(log, i + 1) : unknown),
          ),
          ...reads.map(([[start, length], seen]) => saw(start, start + length, log.slice(0, seen))),
        ]
        const isLinearizable = someOrder(operations)
        if (isLinearizable) good++
        else bad++
        assert.equal(check(log, operations).length === 0, isLinearizable)
      }),
      { numRuns: 3_000 },
    )
    assert.ok(good > 300 && bad > 300, `${good} and ${bad}`)
  })
})

/** By trying them all: whether the operations can be done one after the other, none before another that had ended. */
function someOrder(left: readonly Operation[], length = 0): boolean {
  if (left.length === 0) return true
  const endOf = ({ what, end }: Operation) =>
    what.type === "append" && what.answer.type === "unknown" ? Number.POSITIVE_INFINITY : end
  return left.some((next) => {
    const others = left.filter((it) => it !== next)
    if (others.some((it) => endOf(it) < next.start)) return false
    const { what } = next
    if (what.type === "observation") return Number(what.headSeq) === length && someOrder(others, length)
    return "abc"[length] === what.id && someOrder(others, length + 1)
  })
}
