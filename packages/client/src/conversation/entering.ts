import { encode, vector } from "@conclave/codec"
import type { Entry } from "@conclave/contracts/delivery"
import type { HeadClaim } from "@conclave/contracts/heads"
import { logChainHash } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { type Judgement, nameOf } from "@conclave/identity/verdicts"
import {
  decodeKeyPackage,
  decodeKeyPackageBundle,
  Group,
  type JoinOptions,
  leafIndex,
  type Sliced,
  type StagedJoin,
  toEnd,
} from "@conclave/mls"
import { Extension, LeafNode } from "@conclave/mls/wire"
import { openAnswer } from "../access/knocks.js"
import { readNewcomer, type Told } from "../access/newcomer.js"
import type { AnswerOf, DeliveryAnswer } from "../service/delivery.js"
import type { Entering } from "./admission.js"
import { without } from "./announcing.js"
import { isNamed } from "./entrance.js"
import { intervalIn } from "./epoch-interval.js"
import { hold } from "./judging.js"
import { forgetDepartures } from "./leaving.js"
import { ownMessageAt, placeOwn, placePassed } from "./messages.js"
import { found, missing } from "./missing.js"
import type { Answers, Next, QuestionOf } from "./question.js"
import { following, KNOCK_LEAVES_MAX, PAUSE_MILLISECONDS_MAX, pauseAfter } from "./recovery.js"
import type { Turn } from "./turn.js"

/**
 * Opens the answer to this device's knock, and reads the log up to it. It is believed where somebody made it who has the
 * knock's interval, it leads to a later epoch of the same group, another member of this device's last tree has signed it
 * with the key that this device knows, and it is an accepted entry of the log, which registers the very key that follows
 * from the epoch that it begins.
 */
export function examine(turn: Turn, { seq, key, welcome: sealed }: AnswerOf<"answer">): Next {
  const { state, moment } = turn
  const { identity, groupOptions } = moment
  const { suite } = identity
  const { id, interval, bundle } = state.knock!
  const known = state.intervals.find(interval)
  if (known === undefined) return refuseAnswer(turn, seq, "its interval is not known any more")
  const welcome = openAnswer(suite, { groupId: state.id, knock: id, keys: known.keys }, { key, welcome: sealed })
  if (welcome === undefined)
    return refuseAnswer(turn, seq, "nobody who has the keys of this conversation has sealed it")
  const work = staged({ ...groupOptions, suite, signer: identity.signer, welcome }, bundle)
  const isLarge = state.names.length >= moment.slicedFrom
  return isLarge ? { type: "enter", seq, work } : examineJoin(turn, seq, () => toEnd(work))
}

function* staged(options: Omit<JoinOptions, "keyPackages">, bundle: Uint8Array): Sliced<StagedJoin> {
  const prepared = yield* Group.openWelcome({ ...options, keyPackages: [decodeKeyPackageBundle(bundle)] })
  return yield* prepared.stageInSlices()
}

/** The answer to a knock was opened in slices. */
export function onEntered(turn: Turn, { seq }: QuestionOf<"enter">, answer: Answers["enter"]): Next {
  if (turn.state.knock === undefined) return "again"
  return examineJoin(turn, seq, () => {
    if ("failure" in answer) throw answer.failure
    return answer.done
  })
}

function examineJoin(turn: Turn, seq: bigint, open: () => StagedJoin): Next {
  const { state, moment } = turn
  let join: StagedJoin
  let told: Told | undefined
  try {
    join = open()
    told = readNewcomer(moment.identity.suite, join.groupInfoExtensions)
  } catch (error) {
    return refuseAnswer(turn, seq, error instanceof Error ? error.message : String(error))
  }
  const by = nameOf(join.inviter.credential)
  if (!equalBytes(join.groupId, state.id)) return refuseAnswer(turn, seq, "it leads to another group")
  if (join.epoch <= (state.facts.epochFloor ?? state.epoch))
    return refuseAnswer(turn, seq, "it leads to no later epoch")
  if (by === undefined || !isKnownOther(turn, by, join.inviter.signatureKey)) {
    return refuseAnswer(turn, seq, "no member whom this device knew has signed it")
  }
  if (told === undefined) return refuseAnswer(turn, seq, "it does not say by what key its epoch is read")
  const { cursor, chainHash } = state.position
  if (seq <= cursor) return refuseAnswer(turn, seq, "this device has read what is in its place")
  const { keys, head, commit } = told
  const here = head && state.chain.hashAt(head.seq)
  if (head !== undefined && here !== undefined && contradicts(turn, head, here)) {
    return refuseAnswer(turn, seq, ANOTHER_LOG)
  }
  state.entering = { join, keys, head, commit, by, seq, cursor, chainHash }
  return "again"
}

function isKnownOther({ state, moment }: Turn, name: string, signatureKey: Uint8Array): boolean {
  if (equalBytes(signatureKey, moment.identity.signatureKey)) return false
  return (state.outline.shown?.nodes ?? []).some(
    (node) => node.type === "leaf" && node.name === name && equalBytes(node.signatureKey, signatureKey),
  )
}

/** A service that answers each knock at once with something else would otherwise be asked without pause. */
const NEXT_KNOCK = { first: 2_000, most: PAUSE_MILLISECONDS_MAX }

/** An alarm: whoever made it is a member, or the service. Another knock is left, as the members are others meanwhile. */
function refuseAnswer(turn: Turn, seq: bigint, why: string): Next {
  turn.reject("FALSE_ANSWER", `the answer to this device's knock is of no use: ${why}`)
  giveUpKnock(turn)
  turn.update({ stuckAt: seq })
  turn.state.refused = pauseAfter(turn.moment.now, turn.state.refused, NEXT_KNOCK)
  return "again"
}

/** Another knock comes in its place. The leaf of its key package may be in the tree: the next one claims it, too. */
export function giveUpKnock(turn: Turn): void {
  const { state, moment } = turn
  if (state.knock === undefined) return
  const { leafNode } = decodeKeyPackage(decodeKeyPackageBundle(state.knock.bundle).keyPackage)
  const hash = moment.identity.suite.hash.digest(encode(LeafNode, leafNode))
  turn.update({ knockLeaves: [...state.facts.knockLeaves, hash].slice(-KNOCK_LEAVES_MAX) })
  turn.putKnock(undefined)
}

/** Reads on, up to the answer; then those who are in the group are judged. */
export function readToAnswer({ state }: Turn, entering: Entering): Next {
  const { join, keys, cursor, seq } = entering
  if (cursor < seq) return { type: "read", after: cursor, prover: keys }
  state.staged = { type: "entering", entering }
  return { type: "judge", wish: undefined, claims: join.claims }
}

export function onPageToAnswer(turn: Turn, answer: DeliveryAnswer): Next {
  const { state } = turn
  const { entering } = state
  if (entering === undefined) return "again"
  if (answer.type === "belowRetention") {
    // What is not there any more cannot be compared.
    entering.cursor = answer.oldestSeq - 1n
    entering.chainHash = new Uint8Array()
    return entering.cursor < entering.seq
      ? "again"
      : refuseAnswer(turn, entering.seq, "the log does not have it any more")
  }
  if (answer.type === "denied")
    return refuseAnswer(turn, entering.seq, "the log does not know the key that follows from it")
  if (answer.type !== "entries") {
    missing(turn, answer)
    return "again"
  }
  found(turn)
  if (answer.entries.length === 0) return refuseAnswer(turn, entering.seq, "the log does not have it")
  for (const entry of answer.entries) {
    if (entering.cursor >= entering.seq) break
    const fault = pass(turn, entering, entry)
    if (fault !== undefined) return refuseAnswer(turn, entering.seq, fault)
  }
  return "again"
}

/** Why an entry cannot be before the answer, or the answer itself. */
function pass(turn: Turn, entering: Entering, entry: Entry): string | undefined {
  const { seq, chainHash, begins, kind } = entry
  const { identity } = turn.moment
  if (seq !== entering.cursor + 1n) return "the log has a gap"
  const expected =
    entering.chainHash.length > 0 && logChainHash((...parts) => identity.sha256(...parts), entering.chainHash, entry)
  if (expected !== false && !equalBytes(expected, chainHash))
    return "the log that leads to it is not the one known here"
  if (seq === entering.seq) {
    const isIt = kind === "commit" && begins?.removes === true && equalBytes(begins.accessKey, entering.keys.accessKey)
    if (!isIt || !isNamed(turn, entering.commit, entry)) return "the log has something else in its place"
  }
  if (entering.head?.seq === seq && contradicts(turn, entering.head, chainHash)) return ANOTHER_LOG
  const own = ownMessageAt(turn, entry)
  if (own !== undefined) placeOwn(turn, entry, own)
  entering.cursor = seq
  entering.chainHash = chainHash
  return undefined
}

const ANOTHER_LOG = "whoever made it has read another log"

/** Heads of different incarnations do not contradict each other. */
function contradicts({ moment }: Turn, head: HeadClaim, chainHash: Uint8Array): boolean {
  return head.incarnation === moment.service?.incarnation && !equalBytes(head.chainHash, chainHash)
}

/** A conversation has the extensions that it began with (RFC 9420 §12.1.7): no commit changes them. */
function isSameContext({ extensions }: Group, before: Group): boolean {
  const encoded = (of: Group["extensions"]) => encode(vector(Extension), of)
  return equalBytes(encoded(extensions), encoded(before.extensions))
}

/** Leaves that are as this device knows them: knocks of theirs are opened with the keys of intervals before its own knock. */
function unchangedLeaves({ state }: Turn, group: Group): ReadonlyMap<number, number> {
  const since = new Map<number, number>()
  for (const [nodeIndex, node] of (state.outline.shown?.nodes ?? []).entries()) {
    if (node.type !== "leaf") continue
    const [before, now] = [state.group, group].map((it) => it?.leafNode(leafIndex(nodeIndex / 2)))
    if (before !== undefined && now !== undefined && equalBytes(before, now)) since.set(nodeIndex, node.since)
  }
  return since
}

/** Enters: everybody who is in the group has been judged. */
export function enter(turn: Turn, judgement: Judgement): void {
  const { state } = turn
  if (state.staged?.type !== "entering") return
  const { join, keys, by, seq, chainHash } = state.staged.entering
  const { names: before } = state
  const { reason } = state.facts
  state.staged = undefined
  const group = join.accept(judgement.verdicts.map(({ claim }) => ({ claim, accepted: true })))
  // Whoever answers removes somebody, and so begins an interval: its key follows from the epoch itself, whatever the Welcome
  // tells. With the key of the others' epoch, it could lead into a group of its maker's own.
  const fault = !equalBytes(intervalIn(group).accessKey, keys.accessKey)
    ? "its epoch leads to another key than the log's"
    : !isSameContext(group, state.group!)
      ? "its group has other extensions"
      : undefined
  if (fault !== undefined) {
    group[Symbol.dispose]()
    refuseAnswer(turn, seq, fault)
    return
  }
  turn.trust(judgement)
  const since = unchangedLeaves(turn, group)
  state.intervals.add(turn, state.key, keys)
  turn.replaceGroup(group, since)
  turn.putCommit(undefined)
  turn.putKnock(undefined)
  state.position.move({ cursor: seq, chainHash, lastCommit: seq })
  state.chain.start(seq, chainHash)
  turn.forgetHandshakes()
  state.recovery = following
  state.refused = undefined
  // The key package was made on a device that others may have a copy of: its leaf is renewed as soon as may be.
  const renewed = { stuckAt: undefined, renewalDue: true, leafSince: BigInt(turn.moment.now), knockLeaves: [] }
  turn.update({ status: "active", reason: "", ...renewed, firstEpoch: group.epoch, unseen: [] })
  forgetDepartures(turn)
  turn.emit({ type: "recovered", conversation: state.id, reason, by })
  // Before anything is sent to them: the members whom this device has not seen come, and those who are gone.
  const [added, removed] = [without(state.names, before), without(before, state.names)]
  if (added.length + removed.length > 0) {
    turn.emit({ type: "members", conversation: state.id, by, added, removed, left: [], rejoined: [] })
  }
  hold(turn, judgement)
  placePassed(turn)
  turn.add({ type: "reach" })
}
