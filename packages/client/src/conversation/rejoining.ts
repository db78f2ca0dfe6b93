import type { Judgement } from "@conclave/identity/verdicts"
import { Group, RuleError, type StagedExternalJoin } from "@conclave/mls"
import { recordKeys } from "../records/records.js"
import { type AnswerOf, type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import { knownSigner, type SignedGroupInfo } from "./group-info.js"
import { halt } from "./judging.js"
import { forgetDepartures } from "./leaving.js"
import { without } from "./log.js"
import { placePassed } from "./messages.js"
import { found, loseTrack, missing, refusedAsMissing } from "./missing.js"
import type { Next, StoredRecords } from "./question.js"
import { pauseAfter, type Recovery } from "./recovery.js"
import { outgoing } from "./request.js"
import type { Moment, State } from "./state.js"
import { restoreGroup, type Turn } from "./turn.js"

/** In a row, without an entry that could be followed: then it is time to wait. */
const REJOINS_MAX = 3
const RETRY = { first: 15_000, most: 900_000 }

type Rejoining = Extract<Recovery, { readonly type: "rejoining" }>

/** Also after an opening, when only the status is known. */
function rejoining(state: State): Rejoining {
  const { recovery } = state
  if (recovery.type === "rejoining") return recovery
  const { rejoins } = recovery
  return { type: "rejoining", rejoins, refusedCommit: undefined, offer: { type: "unknown" } }
}

/** When the service is asked again for something to rejoin by (Unix time in milliseconds). */
export function rejoinDue(state: State): number | undefined {
  const { offer } = rejoining(state)
  return offer.type === "useless" ? offer.pause.retryAt : undefined
}

/**
 * Lets this device in again by an external commit (RFC 9420 §12.4.3.2) that replaces its old leaf: the same name, the same
 * signature key. The new group waits beside the old one until the service has accepted the commit.
 *
 * What the service offers to rejoin by is believed only if a member of this device's last tree has signed it, with the
 * key that this device knows, for the epoch and the place in the log that it has reached, or later. Otherwise the
 * service, or a stranger, could show a group of its own in the place of this one.
 */
export function rejoin(turn: Turn): Next {
  const { state, moment } = turn
  const { recovery, commit } = state
  const due = rejoinDue(state)
  if (due !== undefined && moment.now < due) return "idle"
  if (recovery.rejoins >= REJOINS_MAX) {
    state.recovery = { ...rejoining(state), rejoins: 0 }
    const reason = "the service lets this device in, and then shows no log that can be followed"
    return { type: "unavailable", reason }
  }
  if (commit?.purpose !== "rejoin") return { type: "groupInfo", for: "rejoin" }
  return { type: "send", sent: { of: "rejoin" }, request: commit.outgoing.request }
}

/** Stages an external commit by what the service offers. */
export function onOffer(turn: Turn, current: AnswerOf<"groupInfo"> | undefined): Next {
  const { state, moment } = turn
  if (state.facts.status !== "recovering") return "again"
  if (current === undefined) {
    missing(turn, { type: "notFound", groupId: state.id })
    return "again"
  }
  found(turn)
  const signed = knownSigner(state, moment.identity.suite, current.groupInfo)
  const doubt = doubtOf(state, signed, current)
  const useless = (why: string) => stall(turn, current.seq, `what came with commit ${current.seq} is of no use: ${why}`)
  if (signed === undefined || doubt !== undefined) return useless(doubt ?? "nobody has signed it")
  const recovery = rejoining(state)
  const reason =
    recovery.refusedCommit === current.seq
      ? `${state.facts.reason} (by ${signed.name}, who signed what came with it)`
      : state.facts.reason
  let join: StagedExternalJoin
  try {
    join = stageJoin(moment, current)
  } catch (error) {
    if (!(error instanceof RuleError && error.rule === "profile-external-commit")) return useless(messageOf(error))
    loseTrack(turn, `${reason}; this device is no longer a member`)
    return "again"
  }
  state.recovery = { ...recovery, offer: { type: "unknown" } }
  state.staged = { type: "rejoin", join, seq: current.seq, by: signed.name, epoch: signed.epoch, reason }
  return "again"
}

/** Why a GroupInfo is not believed. */
function doubtOf(
  { position, epoch }: State,
  signed: SignedGroupInfo | undefined,
  { seq }: AnswerOf<"groupInfo">,
): string | undefined {
  const { lastCommit } = position
  if (signed === undefined) return "no member that this device knew has signed it"
  if (signed.epoch < epoch) return `it is of epoch ${signed.epoch}, and this device has got to ${epoch}`
  if (lastCommit !== undefined && seq < lastCommit) return `this device has read a later commit, ${lastCommit}`
  return undefined
}

/**
 * The next commit of a member who can still follow brings a GroupInfo that helps: waits for that, longer and longer. The
 * user is notified, as nobody else can be asked.
 */
function stall(turn: Turn, seq: bigint, reason: string): Next {
  const { state, moment } = turn
  const recovery = rejoining(state)
  const before = recovery.offer.type === "useless" && recovery.offer.seq === seq ? recovery.offer.pause : undefined
  const pause = pauseAfter(moment.now, before, RETRY)
  state.recovery = { ...recovery, offer: { type: "useless", seq, pause } }
  if (before === undefined) turn.reject("CANNOT_REJOIN", `${state.facts.reason}; ${reason}`)
  return "again"
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

function stageJoin({ identity, groupOptions }: Moment, current: AnswerOf<"groupInfo">): StagedExternalJoin {
  const { groupInfo, ratchetTree } = current
  return Group.stageExternalJoin({
    ...groupOptions,
    suite: identity.suite,
    signer: identity.signer,
    groupInfo,
    ...(ratchetTree === undefined ? {} : { ratchetTree }),
    replaceSelf: true,
  })
}

/** Everybody in the group has been judged: stores the commit, and the group that it leads to beside the old one. */
export function onRejoinJudged(turn: Turn, judgement: Judgement): Next {
  const { state, moment } = turn
  if (state.staged?.type !== "rejoin") return "again"
  const { join, by, epoch, reason, seq } = state.staged
  state.staged = undefined
  if (judgement.refused.length > 0) {
    halt(turn, judgement)
    return { type: "reload" }
  }
  turn.trust(judgement)
  turn.deleteUnder(recordKeys.rejoin(state.key))
  const group = join.accept(judgement.verdicts)
  for (const [key, record] of group.takeChanges().put) turn.put(recordKeys.rejoin(state.key) + key, record)
  group[Symbol.dispose]()
  const { message: body, groupInfo } = join
  const commit = { welcome: new Uint8Array(), recipients: [], ratchetTree: join.ratchetTree(), groupInfo }
  const place = { id: state.id, lastCommit: seq }
  turn.putCommit({
    purpose: "rejoin",
    outgoing: outgoing(place, { kind: "commit", epoch, body, commit }, moment.random),
    wishes: [],
    reason,
    by,
  })
  return "again"
}

export function onRejoinAnswer(turn: Turn, answer: DeliveryAnswer, records: StoredRecords): Next {
  const { state } = turn
  const { commit } = state
  if (commit?.purpose !== "rejoin") return "again"
  if (answer.type === "accepted") {
    enter(turn, answer, records)
    return "again"
  }
  turn.deleteUnder(recordKeys.rejoin(state.key))
  turn.putCommit(undefined)
  // Another commit took the place: again, from the GroupInfo that came with it.
  if (answer.type === "stale") return "again"
  if (answer.type === "notFound") return refusedAsMissing(turn)
  return stall(turn, commit.outgoing.epoch, `the service refused to let this device in: ${refusalOf(answer)}`)
}

/** The group that was waiting takes the place of the one that could not go on. */
function enter(turn: Turn, { seq, chainHash }: AnswerOf<"accepted">, records: StoredRecords): void {
  const { state, moment } = turn
  const { key, commit, names: before, recovery } = state
  const prefix = recordKeys.rejoin(key)
  turn.replaceGroup(restoreGroup(moment, records, prefix))
  turn.deleteUnder(prefix)
  for (const [name, record] of records) turn.put(recordKeys.group(key) + name.slice(prefix.length), record)
  const { outgoing: sent, reason, by } = commit!
  turn.putCommit(undefined)
  state.position.move({ cursor: seq, chainHash, lastCommit: seq })
  state.recovery = { type: "following", rejoins: recovery.rejoins + 1 }
  state.unreached = { type: "none" }
  turn.update({ status: "active", reason: "", firstEpoch: sent.epoch + 1n, laterEpoch: undefined, unseen: [] })
  forgetDepartures(turn)
  turn.emit({ type: "recovered", conversation: state.id, reason })
  // Before anything is sent to them: the members whom this device has not seen come, and those who are gone.
  const [added, removed] = [without(state.names, before), without(before, state.names)]
  if (added.length + removed.length > 0) {
    turn.emit({ type: "members", conversation: state.id, by, added, removed, left: [], rejoined: [] })
  }
  placePassed(turn)
}
