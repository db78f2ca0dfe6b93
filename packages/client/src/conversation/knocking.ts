import { noAccess } from "@conclave/contracts/access"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { createKeyPackage, encodeKeyPackageBundle } from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import { sealKnock } from "../access/knocks.js"
import { type AnswerOf, type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import { examine, giveUpKnock } from "./entering.js"
import { isSigned } from "./heads.js"
import { found, isUnknown, missing, refusedAsMissing } from "./missing.js"
import type { Next } from "./question.js"
import { isPauseOver, type Knocking, pauseAfter } from "./recovery.js"
import { followHeadIfRestored, proversOf } from "./restored.js"
import type { State } from "./state.js"
import type { Turn } from "./turn.js"

/** A knock lies at the service for a day: another one takes its place before that. */
const KNOCK_MILLISECONDS = 20n * 3_600_000n
/** How often the service is asked for the answer, beside being told of it. */
const LOOK = { first: 2_000, most: 5 * 60_000 }
/** So many times it is looked for before the knock is left again: a service that was restored has lost it. */
const LOOKS_EACH = 8
/** Of the key package in a knock. */
const LIFETIME_SECONDS = 7n * 86_400n
const CLOCK_SKEW_SECONDS = 3_600n
const ID_SIZE = 16

/** When this device knocks, or looks for an answer (Unix time in milliseconds). */
export function knockDue({ knocking, knock, refused }: State): number | undefined {
  return knocking.pause?.retryAt ?? (knock === undefined ? refused?.retryAt : undefined)
}

/**
 * This device is a member and cannot follow: it asks the others to take it out and in again, by a knock that only they can
 * read. Until one of them has answered it follows, judges and commits nothing.
 */
export function knock(turn: Turn): Next {
  const { state, moment } = turn
  const { knocking, intervals } = state
  const due = knockDue(state)
  if (due !== undefined && !isPauseOver(due, moment.now)) return "idle"
  if (state.isGroupMissing) return { type: "group" }
  const { newest } = intervals
  // Nobody who is in there can read a knock: another invitation helps.
  if (newest === undefined) return "idle"
  // It may have been answered while this device was away.
  if (knocking.missed === true && isOver(state, moment.now)) giveUpKnock(turn)
  // It is lost. Who has seen it may have let its leaf in, and the answer is nowhere: the next one claims that leaf, too.
  if (isOfEarlierService(turn)) giveUpKnock(turn)
  if (state.knock === undefined) {
    // A service that was restored may know an older one only.
    const keys = proversOf(state)[knocking.tried ?? 0] ?? newest
    if (knocking.seen === undefined) return { type: "head", prover: keys }
    makeKnock(turn, { ...knocking.seen, keys })
  }
  const { id, interval, sealed } = state.knock!
  const prover = intervals.find(interval)?.keys ?? newest
  if (isOver(state, moment.now)) return { type: "answer", knock: id, prover }
  if (!state.knocking.left) {
    if (state.knocking.doubted === true) return { type: "service", prover }
    const request = deliveryRequests.encode({ type: "knock", groupId: state.id, id, sealed, access: noAccess })
    return { type: "send", sent: { of: "knock" }, request, prover }
  }
  return { type: "answer", knock: id, prover }
}

function isOver({ knock }: State, now: number): boolean {
  return knock !== undefined && (knock.at + KNOCK_MILLISECONDS < BigInt(now) || knock.at > BigInt(now))
}

function isOfEarlierService({ state: { knock, knocking }, moment }: Turn): boolean {
  const { incarnation } = knocking
  return knock !== undefined && incarnation !== undefined && incarnation < (moment.service?.incarnation ?? 0n)
}

/** With a fresh key package, whose private keys are kept with it. */
function makeKnock(turn: Turn, seen: NonNullable<Knocking["seen"]> & { readonly keys: IntervalKeys }): void {
  const { state, moment } = turn
  const { identity, random, groupOptions } = moment
  const group = state.group!
  const { keys } = seen
  const { suite, signer } = identity
  const seconds = groupOptions.now()
  const notBefore = seconds > CLOCK_SKEW_SECONDS ? seconds - CLOCK_SKEW_SECONDS : 0n
  const lifetime = { notBefore, notAfter: seconds + LIFETIME_SECONDS }
  const bundle = createKeyPackage({ suite, signer, lifetime, lastResort: false, random })
  const id = random(ID_SIZE)
  const content = {
    id,
    groupId: state.id,
    interval: keys.accessKey,
    leafNodeHashes: [suite.hash.digest(group.leafNode(group.ownLeafIndex)!), ...state.facts.knockLeaves],
    seen: seen.seq,
    seenHash: seen.chainHash,
    stuckAt: state.facts.stuckAt,
    keyPackage: bundle.keyPackage,
  }
  const sealed = sealKnock(content, { keys, signer: signer.key, random })
  const at = BigInt(moment.now)
  turn.putKnock({ id, interval: keys.accessKey, sealed, bundle: encodeKeyPackageBundle(bundle), at })
}

/** How far the log goes: a member who has heard this device's leaf beyond that does not let it in. */
export function onHeadForKnock(turn: Turn, answer: AnswerOf<"head"> | undefined): Next {
  const { state, moment } = turn
  if (state.knock !== undefined && state.knocking.doubted === true && answer !== undefined) {
    state.knocking = { ...state.knocking, doubted: false }
    return "again"
  }
  if (state.knock !== undefined) {
    // Another knock comes in its place, with an older interval; or the service contradicts itself.
    if (answer === undefined) giveUpKnock(turn)
    missing(turn, { type: "denied", groupId: state.id, reason: "this device's knock is of no interval of the group" })
    return "again"
  }
  const isNews = answer === undefined || answer.incarnation > (moment.service?.incarnation ?? answer.incarnation)
  if (isNews && state.disputes.mayAsk(moment.now) && !state.disputes.wantsService) {
    state.disputes.wantsService = true
    return { type: "service", prover: proversOf(state)[state.knocking.tried ?? 0] }
  }
  state.disputes.wantsService = false
  if (answer === undefined) {
    const tried = (state.knocking.tried ?? 0) + 1
    const isLast = tried >= proversOf(state).length
    state.knocking = { ...state.knocking, tried: isLast ? 0 : tried }
    if (isLast) missing(turn, { type: "notFound", groupId: state.id })
    return "again"
  }
  found(turn)
  const { headSeq: seq, chainHash, incarnation, signature } = answer
  if (isSigned(turn, { incarnation, seq, chainHash, signature })) followHeadIfRestored(turn, seq)
  state.knocking = { ...state.knocking, seen: { seq, chainHash } }
  return "again"
}

/** What the service says to the knock. */
export function onKnockAnswer(turn: Turn, answer: DeliveryAnswer): Next {
  const { state, moment } = turn
  if (state.facts.status !== "recovering" || state.knock === undefined) return "again"
  if (answer.type === "denied") return askOfInterval(turn)
  if (isUnknown(answer)) return refusedAsMissing(turn)
  if (answer.type !== "done") {
    // Not for ever: it may have been full, or the group may not be there yet.
    state.knocking = { left: false, pause: pauseAfter(moment.now, state.knocking.pause, LOOK) }
    if (state.knocking.pause?.tries === 1) {
      turn.reject("CANNOT_KNOCK", `${state.facts.reason}; the service said ${refusalOf(answer)}`)
    }
    return "again"
  }
  const { doubted, pause } = state.knocking
  state.knocking = {
    left: true,
    pause: doubted === undefined ? undefined : pause,
    incarnation: moment.service?.incarnation,
  }
  return "again"
}

/**
 * The interval of the knock is none that the service knows, as it says: it may have been restored. It is asked whether that is so
 * by something else.
 */
function askOfInterval({ state }: Turn): Next {
  return { type: "head", prover: state.intervals.find(state.knock!.interval)?.keys ?? state.intervals.newest }
}

/** The answer to the knock, if there is one. */
export function onAnswerFound(
  turn: Turn,
  answer: AnswerOf<"answer"> | AnswerOf<"notFound"> | AnswerOf<"denied">,
): Next {
  const { state, moment } = turn
  if (state.facts.status !== "recovering" || state.knock === undefined) return "again"
  if (answer.type === "denied") return askOfInterval(turn)
  if (answer.type === "notFound") {
    const isLast = isOver(state, moment.now)
    const pause = isLast ? undefined : pauseAfter(moment.now, state.knocking.pause, LOOK)
    const doubted = !isLast && (pause?.tries ?? 0) % LOOKS_EACH === 0
    state.knocking = { ...state.knocking, left: !doubted, ...(doubted && { doubted }), pause, missed: isLast }
    return "again"
  }
  return examine(turn, answer)
}

/** The service says that a knock has been answered. */
export function hearOfAnswer(state: State): void {
  if (state.knocking.left) state.knocking = { ...state.knocking, pause: undefined }
}
