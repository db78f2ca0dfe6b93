import type { Entry } from "@conclave/contracts/delivery"
import { logChainHash, logChainStart, type Sha256 } from "@conclave/contracts/log-chain"

/** One operation of one client on a group's log: asked at `start`, answered or given up at `end`, by one clock. */
export interface Operation {
  readonly client: string
  readonly start: number
  readonly end: number
  readonly what: Attempt | Observation
}

/** One time that an append was sent. Sending it again is another operation with the same `id`. */
export interface Attempt {
  readonly type: "append"
  /** The idempotency id. */
  readonly id: string
  /** SHA-256 of the body, in hexadecimal digits; each id has a body of its own. */
  readonly body: string
  readonly after: bigint
  readonly answer: Answer
}

/** `hash`: the chain hash in hexadecimal digits. `unknown`: no answer, or one that leaves open what was done. */
export type Answer =
  | { readonly type: "accepted"; readonly seq: bigint; readonly hash: string }
  | { readonly type: "stale"; readonly lastCommitSeq: bigint; readonly headSeq: bigint }
  | { readonly type: "throttled" }
  | { readonly type: "unknown" }

/** What a read or a head said of the log. */
export interface Observation {
  readonly type: "observation"
  readonly headSeq: bigint
  /** Entries that were seen, with the chain hash of each, or of the head. */
  readonly seen: readonly { readonly seq: bigint; readonly hash: string }[]
}

export interface History {
  readonly groupId: Uint8Array
  /** The whole log, read when all had ended. */
  readonly log: readonly Entry[]
  readonly operations: readonly Operation[]
  readonly sha256: Sha256
  /**
   * `current`: what was acknowledged before a read began is read, whoever wrote it. `monotonic`: of each client alone, a
   * later read sees no less (a replica that lags may promise that).
   */
  readonly reads?: "current" | "monotonic"
}

export interface Violation {
  readonly type: "fork" | "lost" | "twice" | "changed" | "unasked" | "order" | "backwards"
  readonly text: string
}

/**
 * What is wrong with a history: nothing if and only if it is linearizable, that is, if each operation can be given one moment
 * between its start and its end, so that a single log that does them at these moments, one after the other, gives these
 * answers. An append of unknown outcome may be done at any time after its start, or never.
 *
 * Linearizability is hard to decide in general. Here it is not, for the log itself tells the order of the appends. Its states
 * are the prefixes of the final log: the hash of an entry covers all before it, so an answer with another hash at a seq comes
 * from another log, a fork. A state is then its length, and what is left to find is the moment t(s) in which the log came to
 * have s entries, for each s, such that
 *
 * - t(1) <= t(2) <= ...: entries are appended one after the other;
 * - t(s) is after the start of an attempt to append entry s which was accepted, or whose outcome is unknown; of a commit, one
 *   that named the last commit before s (the compare-and-set);
 * - whoever saw the length h did so between t(h) and t(h + 1): t(h) <= end and start <= t(h + 1). These two suffice, since
 *   the intervals [start, end] and [t(h), t(h + 1)] have a moment in common if and only if neither ends before the other
 *   begins; and observations change nothing, so they do not depend on one another;
 * - whoever was told that entry s is accepted was told so after t(s): t(s) <= end. This holds for the attempt that appended
 *   it, and for those that repeated it.
 *
 * Every condition is an earliest or a latest moment. Giving each t(s) the earliest moment that t(s - 1) and the attempts allow
 * leaves every later one the most room, so if that exceeds a latest moment, nothing else would not. This takes one pass.
 */
export function violationsOf(history: History): Violation[] {
  const { log, operations, reads = "current" } = history
  const violations = [...chainViolations(history), ...repetitions(history)]
  const isTrue = ({ seq, hash }: { readonly seq: bigint; readonly hash: string }) =>
    seq === 0n || (log[Number(seq) - 1] !== undefined && hexOf(log[Number(seq) - 1]!.chainHash) === hash)
  for (const { client, what } of operations) {
    if (what.type === "append") continue
    const beyond = what.headSeq > BigInt(log.length)
    if (beyond)
      violations.push({ type: "lost", text: `${client} saw ${what.headSeq} entries; there are ${log.length}` })
    const wrong = beyond ? undefined : what.seen.find((it) => !isTrue(it))
    if (wrong !== undefined) violations.push({ type: "fork", text: `${client} saw another entry ${wrong.seq}` })
  }
  violations.push(...answerViolations(history, isTrue))
  if (reads === "monotonic") violations.push(...backwards(operations))
  // Moments can be looked for only where all speak of one log.
  return violations.length > 0 ? violations : orderViolations(history)
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

function chainViolations({ groupId, log, sha256 }: History): Violation[] {
  let hash = logChainStart(sha256, groupId)
  for (const [index, entry] of log.entries()) {
    if (entry.seq !== BigInt(index + 1)) return [{ type: "lost", text: `entry ${index + 1} is not there` }]
    hash = logChainHash(sha256, hash, entry)
    if (hexOf(hash) !== hexOf(entry.chainHash))
      return [{ type: "fork", text: `entry ${entry.seq} is of another chain` }]
  }
  return []
}

/** Each entry is there once, and was asked for. */
function repetitions({ log, operations, sha256 }: History): Violation[] {
  const asked = new Set(operations.flatMap(({ what }) => (what.type === "append" ? [what.body] : [])))
  const seen = new Map<string, bigint>()
  return log.flatMap(({ seq, body }): Violation[] => {
    const name = hexOf(sha256(body))
    const first = seen.get(name)
    if (first !== undefined) return [{ type: "twice", text: `entry ${seq} is entry ${first} again` }]
    seen.set(name, seq)
    return asked.has(name) ? [] : [{ type: "unasked", text: `nobody has asked for entry ${seq}` }]
  })
}

function answerViolations({ log, operations, sha256 }: History, isTrue: (it: Seen) => boolean): Violation[] {
  // Where a body is there twice, the first counts.
  const bodies = new Map(log.toReversed().map(({ seq, body }) => [hexOf(sha256(body)), seq]))
  const commits = lastCommits(log)
  const first = new Map<string, Seen>()
  return operations.flatMap(({ client, what }): Violation[] => {
    if (what.type !== "append") return []
    const { id, answer, body } = what
    const of = `${client}, ${id}`
    if (answer.type === "accepted") {
      const before = first.get(id) ?? answer
      first.set(id, before)
      const isSame = before.seq === answer.seq && before.hash === answer.hash
      if (!isSame) return [{ type: "changed", text: `${of}: accepted as ${before.seq}, and as ${answer.seq}` }]
      if (answer.seq > BigInt(log.length) || bodies.get(body) === undefined) {
        return [{ type: "lost", text: `${of}: accepted as ${answer.seq}, and not in the log` }]
      }
      if (bodies.get(body) === answer.seq && isTrue(answer)) return []
      return [{ type: "fork", text: `${of}: accepted as ${answer.seq}, which is another entry` }]
    }
    if (answer.type !== "stale") return []
    const seq = bodies.get(body)
    if (seq !== undefined && seq <= answer.headSeq) {
      return [{ type: "changed", text: `${of}: stale at ${answer.headSeq}, and entry ${seq}` }]
    }
    if (answer.headSeq > BigInt(log.length))
      return [{ type: "lost", text: `${of}: the log had ${answer.headSeq} entries` }]
    if (commits[Number(answer.headSeq)] === answer.lastCommitSeq && what.after !== answer.lastCommitSeq) return []
    return [{ type: "fork", text: `${of}: stale after ${what.after}, by ${answer.lastCommitSeq} of ${answer.headSeq}` }]
  })
}

type Seen = Observation["seen"][number]

/** At index n: the last commit among the first n entries. */
function lastCommits(log: readonly Entry[]): bigint[] {
  const commits = [0n]
  for (const { kind, seq } of log) commits.push(kind === "commit" ? seq : commits.at(-1)!)
  return commits
}

function backwards(operations: readonly Operation[]): Violation[] {
  const seen = new Map<string, bigint>()
  return operations
    .filter(({ what }) => what.type === "observation")
    .toSorted((a, b) => a.start - b.start)
    .flatMap(({ client, what }): Violation[] => {
      const { headSeq } = what as Observation
      const before = seen.get(client) ?? 0n
      if (headSeq >= before) seen.set(client, headSeq)
      return headSeq >= before ? [] : [{ type: "backwards", text: `${client} saw ${before}, and later ${headSeq}` }]
    })
}

function orderViolations({ log, operations, sha256, reads = "current" }: History): Violation[] {
  const seqOf = new Map(log.map(({ seq, body }) => [hexOf(sha256(body)), Number(seq)]))
  const commits = lastCommits(log)
  /** By seq. */
  const latest = Array.from({ length: log.length + 2 }, () => ({ at: Number.POSITIVE_INFINITY, of: "" }))
  const earliest = Array.from({ length: log.length + 2 }, () => ({ at: Number.NEGATIVE_INFINITY, of: "" }))
  /** When entry s was first asked for, in a way that can have appended it. */
  const asked = Array.from({ length: log.length + 1 }, () => Number.POSITIVE_INFINITY)
  const isNoLater = (seq: number, at: number, of: string) => {
    if (at < latest[seq]!.at) latest[seq] = { at, of }
  }
  const sawLength = (length: number, { start, end, client }: Operation) => {
    isNoLater(length, end, client)
    if (start > earliest[length + 1]!.at) earliest[length + 1] = { at: start, of: client }
  }
  for (const operation of operations) {
    const { what, start, end, client } = operation
    if (what.type === "observation") {
      if (reads === "current") sawLength(Number(what.headSeq), operation)
      continue
    }
    const { answer, body, after } = what
    const seq = seqOf.get(body)
    if (answer.type === "stale") sawLength(Number(answer.headSeq), operation)
    if (answer.type === "accepted") isNoLater(seq!, end, client)
    if (seq === undefined || (answer.type !== "accepted" && answer.type !== "unknown")) continue
    if (log[seq - 1]!.kind === "commit" && after !== commits[seq - 1]) continue
    asked[seq] = Math.min(asked[seq]!, start)
  }
  let now = Number.NEGATIVE_INFINITY
  for (let seq = 1; seq <= log.length; seq++) {
    if (asked[seq] === Number.POSITIVE_INFINITY) {
      return [{ type: "order", text: `entry ${seq} was appended by an attempt that cannot have done so` }]
    }
    now = Math.max(now, earliest[seq]!.at, asked[seq]!)
    if (now > latest[seq]!.at) {
      const unseen = earliest[seq]!.at === now ? `, and ${earliest[seq]!.of} did not see it` : ""
      return [{ type: "order", text: `${latest[seq]!.of} knew of entry ${seq} before it can have been there${unseen}` }]
    }
  }
  return []
}
