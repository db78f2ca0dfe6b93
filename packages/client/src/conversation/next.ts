import type { Wish } from "../records/records.js"
import { answerDue, answerKnocks } from "./answering.js"
import { announceGroup } from "./beginning.js"
import { compileCommit, nextWishes, sendCommit } from "./committing.js"
import { readToAnswer } from "./entering.js"
import { awaitEntrance, entranceDue } from "./entrance.js"
import { confirmHead } from "./heads.js"
import { knock, knockDue } from "./knocking.js"
import { departureDue, leave } from "./leaving.js"
import { readLog } from "./log.js"
import { encrypted } from "./messages.js"
import type { Next, Question } from "./question.js"
import { isPauseOver } from "./recovery.js"
import { mayPrecedeRenewal, renewalDue, renewIfOld } from "./renewing.js"
import { IDEMPOTENCY_ID_SIZE } from "./request.js"
import { againDue, appendAgain, quietUntil, rewind } from "./restored.js"
import { endWishes, removalDue, revokedLeaves } from "./revoked.js"
import type { Moment, Staged, State } from "./state.js"
import { TOLD_MAX } from "./told.js"
import type { Turn } from "./turn.js"
import { mayTellTwice } from "./unseen.js"
import { describeWish, type Numbered } from "./wishes.js"

/**
 * Brings the conversation as far as it can go without asking: half-done work first, then what the log says, then what is
 * wished. Nothing is encrypted before the log has been read to its head: a device whose state is older than it should be
 * learns it there.
 */
export function proceed(turn: Turn): Question | undefined {
  for (;;) {
    const next = turnOf(turn)
    if (next === "idle") return undefined
    if (next !== "again") return next
  }
}

/** In these nothing goes on by itself. */
const endedStatuses: ReadonlySet<State["facts"]["status"]> = new Set([
  ...(["left", "lost", "halted", "stopped", "continued"] as const),
])

function turnOf(turn: Turn): Next {
  const { state, moment } = turn
  const { status } = state.facts
  if (endedStatuses.has(status)) return "idle"
  if (state.obstacle.type === "missing" && !isPauseOver(state.obstacle.pause.retryAt, moment.now)) return "idle"
  if (state.rewinding !== undefined && state.isFollowing) return rewind(turn, state.rewinding)
  if (state.staged !== undefined) return { type: "judge", wish: undefined, claims: claimsOf(state.staged) }
  if (status === "recovering") {
    return state.entering === undefined ? knock(turn) : readToAnswer(turn, state.entering)
  }
  if (status === "creating") return create(turn)
  if (state.facts.rewoundAt !== undefined && !state.kept.isLoaded) return { type: "kept" }
  if (!state.position.isAtHead) {
    // What is read is stored with the service's signature over it, which nobody can verify before that.
    if (moment.service === undefined) return { type: "service", prover: state.prover }
    return mayTellTwice(moment) && !state.told.isLoaded ? { type: "told", limit: TOLD_MAX } : readLog(turn)
  }
  const confirmed = confirmHead(turn)
  if (confirmed !== "again") return confirmed
  if (state.awaitsEntrance) return awaitEntrance(turn)
  if (state.facts.rewoundAt !== undefined) {
    const again = appendAgain(turn)
    if (again !== "again" || !state.position.isAtHead) return again
  }
  const { newest } = state.intervals
  if (state.wantsKnocks && newest !== undefined && mayAnswer(turn)) {
    state.wantsKnocks = false
    return { type: "knocks", prover: newest }
  }
  if (moment.revoked.isThisDevice) {
    if (state.wishes.size > 0 || state.commit !== undefined) endWishes(turn)
    return "idle"
  }
  const wishes = nextWishes(state, moment)
  const [next] = wishes
  renewIfOld(turn, next?.[1])
  const quiet = quietUntil(state, moment)
  const isAnswerDue =
    quiet === undefined && mayAnswer(turn) && (answerDue(state) ?? Number.POSITIVE_INFINITY) <= moment.now
  if (state.commit === undefined && next === undefined && !isAnswerDue && !isOwed(turn)) return "idle"
  if (state.isGroupMissing) return { type: "group" }
  if (state.position.needsLastCommit) return { type: "head", prover: newest }
  if (isAnswerDue && state.commit === undefined) {
    const answered = answerKnocks(turn)
    if (answered !== "again" || state.staged !== undefined) return answered
  }
  return quiet === undefined ? send(turn, wishes) : sendQuietly(turn, quiet, wishes)
}

/**
 * No commit is made: those who are ahead of a restored service bring theirs back first. What was said after somebody was
 * removed waits for the removal.
 */
function sendQuietly(turn: Turn, until: number, wishes: readonly Numbered[]): Next {
  const { state, moment } = turn
  const { obstacle } = state
  const [next] = wishes
  if (next?.[1].type !== "message" || state.facts.renewalDue || hasOthersToLetGo(turn)) {
    if (next !== undefined && state.disputes.isNews("quiet")) {
      const reason = "the service was restored from a backup, and what it has lost comes back first"
      const waiting = wishes.map(([, wish]) => describeWish(wish).wish)
      turn.emit({ type: "deferred", conversation: state.id, wishes: waiting, reason, retryAt: BigInt(until) })
    }
    return "idle"
  }
  if (obstacle.type === "deferred" && !isPauseOver(obstacle.pause.retryAt, moment.now)) return "idle"
  return sendNext(turn, next, [next])
}

function send(turn: Turn, wishes: readonly Numbered[]): Next {
  const { state, moment } = turn
  const [next] = wishes
  const { obstacle } = state
  if (obstacle.type === "deferred" && !isPauseOver(obstacle.pause.retryAt, moment.now)) {
    // Letting members go is tried later; meanwhile they can read what is said, as before they asked.
    const onlyLetsGo = obstacle.of === "commit" && state.commit?.wishes.length === 0
    if (next?.[1].type !== "message" || !onlyLetsGo) return "idle"
    return sendNext(turn, next, wishes)
  }
  const mayPrecede = mayPrecedeRenewal(state, moment) && revokedLeaves(state, moment).length === 0
  if (next?.[1].type === "message" && mayPrecede) return sendNext(turn, next, wishes)
  if (state.commit !== undefined) return sendCommit(turn)
  if (mustCommit(turn, next?.[1])) return compileCommit(turn, [])
  if (next === undefined) return "idle"
  return sendNext(turn, next, wishes)
}

function sendNext(turn: Turn, [number, wish]: Numbered, wishes: readonly Numbered[]): Next {
  if (wish.type === "leave") return leave(turn, [number, wish])
  if (wish.type !== "message") return compileCommit(turn, wishes)
  const { outgoing } = encrypted(turn, [number, wish])
  const prover = turn.state.intervals.newest
  return { type: "send", sent: { of: "message", wish: number }, request: outgoing!.request, prover }
}

/** Something is to be done that nobody has wished for: somebody is to be let go or taken out, or this device's leaf renewed. */
const isOwed = ({ state, moment }: Turn) =>
  state.facts.departures.length > 0 || state.facts.renewalDue || revokedLeaves(state, moment).length > 0

/** Nothing is said before a commit lets them go: those who asked for it, and devices that were revoked. */
const hasOthersToLetGo = ({ state, moment }: Turn) =>
  state.group!.proposals.length > 0 || revokedLeaves(state, moment).length > 0

/** A person who has not accepted the invitation, or who leaves, does nothing in the conversation. */
const mayAnswer = ({ state, moment }: Pick<Turn, "state" | "moment">) =>
  state.facts.status === "active" && moment.invitation?.answer !== "waiting" && moment.invitation?.answer !== "declined"

/**
 * RFC 9420 §12.4: proposals are committed before application data is sent; unless these are encrypted already. Members
 * who want to leave are also let go without that, by the first member in the tree at once, and by the others in their
 * order if those before them are not there. So are devices taken out that were revoked.
 */
function mustCommit(turn: Turn, next: Wish | undefined): boolean {
  const { state, moment } = turn
  if (state.facts.renewalDue) return true
  if (!hasOthersToLetGo(turn)) return false
  if (next?.type === "message") return true
  const departing = state.group!.proposals.length === 0 ? undefined : departureDue(state, moment)
  const due = earliest([departing, removalDue(state, moment)])
  return due !== undefined && due <= moment.now
}

function create(turn: Turn): Question {
  const { state } = turn
  for (const [number, wish] of state.wishes) {
    if (wish.type !== "create") break
    if (wish.request.length === IDEMPOTENCY_ID_SIZE) {
      if (state.isGroupMissing) return { type: "group" }
      announceGroup(turn, [number, wish])
      return { type: "more" }
    }
    return { type: "send", sent: { of: "create", wish: number }, request: wish.request, prover: undefined }
  }
  throw new TypeError("a conversation that is being created begins with that")
}

function claimsOf(staged: Staged) {
  if (staged.type === "commit") return staged.commit.claims
  return staged.type === "entry" ? staged.staged.claims : staged.entering.join.claims
}

/** When there is something to do that nobody asks for (Unix time in milliseconds). */
export function nextDue(state: State, moment: Moment): number | undefined {
  const { obstacle, facts } = state
  const missing = obstacle.type === "missing" ? obstacle.pause.retryAt : undefined
  const awaited = missing === undefined && !endedStatuses.has(facts.status) ? entranceDue(state, moment.now) : undefined
  const times =
    facts.status === "recovering"
      ? [missing, knockDue(state)]
      : [
          missing,
          obstacle.type === "deferred" ? obstacle.pause.retryAt : undefined,
          state.commit === undefined && mayAnswer({ state, moment }) ? answerDue(state) : undefined,
          departureDue(state, moment),
          state.commit === undefined ? removalDue(state, moment) : undefined,
          renewalDue(state, moment),
          againDue(state, moment.now),
          awaited,
        ]
  const quiet = quietUntil(state, moment)
  if (quiet !== undefined && facts.status !== "recovering") {
    // Wishes wait for it, too, but for messages; what is over is no reason to look again before.
    const deferred = obstacle.type === "deferred" && obstacle.of === "message" ? obstacle.pause.retryAt : undefined
    const sooner = [missing, deferred].filter((time) => time !== undefined && time > moment.now)
    return earliest([quiet, ...sooner, againDue(state, moment.now), awaited])
  }
  return earliest(times)
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const set = times.filter((time) => time !== undefined)
  return set.length === 0 ? undefined : Math.min(...set)
}

/** No pause is waited for. */
export function askAgain(state: State): void {
  const now = <P extends { readonly pause: object }>(it: P): P => ({ ...it, pause: { ...it.pause, retryAt: 0 } })
  state.position.doubtHead()
  state.wantsKnocks = true
  const { obstacle, knocking } = state
  if (obstacle.type === "missing") {
    const { beneath } = obstacle
    state.obstacle = { ...now(obstacle), beneath: beneath.type === "deferred" ? now(beneath) : beneath }
  } else if (obstacle.type === "deferred") state.obstacle = now(obstacle)
  if (knocking.pause !== undefined) state.knocking = { ...knocking, pause: { ...knocking.pause, retryAt: 0 } }
  if (state.refused !== undefined) state.refused = { ...state.refused, retryAt: 0 }
}

/**
 * Encrypts the message `number` at once, in the step that stores it, where nothing else comes before it: at the head of the
 * log, with nothing under way and nothing to commit.
 */
export function encryptAtOnce(turn: Turn, number: number): void {
  const { state } = turn
  const { position, group } = state
  if (state.asking !== undefined || state.staged !== undefined || state.commit !== undefined) return
  if (!state.isFollowing || state.obstacle.type !== "none") return
  if (!position.isAtHead || position.lastCommit === undefined || group === undefined || state.awaitsEntrance) return
  if (hasOthersToLetGo(turn) || state.facts.renewalDue || turn.moment.revoked.isThisDevice) return
  const [next] = nextWishes(state, turn.moment)
  renewIfOld(turn, next?.[1])
  if (state.facts.renewalDue) return
  if (next?.[0] === number && next[1].type === "message") encrypted(turn, [number, next[1]])
}
