import type { Entry } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import { type Judgement, nameOf } from "@conclave/identity/verdicts"
import {
  type Exporter,
  type LeafIndex,
  type Member,
  type OutgoingCommit as MlsCommit,
  RuleError,
  type StagedCommit,
} from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import { sealAnswers } from "../access/knocks.js"
import { commitHash, entranceExtension, newcomerExtension } from "../access/newcomer.js"
import type { Continues } from "../access/structs.js"
import { hex } from "../bytes.js"
import { encodeHandshakeData } from "../heads/claims.js"
import { isBy, type WishBy } from "../kinds/wishes.js"
import type { Claimed, Outgoing } from "../records/records.js"
import type { AnswerOf, DeliveryAnswer } from "../service/delivery.js"
import { intervalAfter, intervalOf } from "./epoch-interval.js"
import { claimOf } from "./heads.js"
import { invite } from "./inviting.js"
import { emitRefusedKeys } from "./judging.js"
import { isUnknown, refusedAsMissing } from "./missing.js"
import { NAMES_AT_ONCE_MAX } from "./profile.js"
import type { Answers, Next } from "./question.js"
import { appendOf, idempotencyIdOf, outgoing } from "./request.js"
import { revokedLeaves } from "./revoked.js"
import { defer, loseRace, mayPass, movedIfStale, refusal, targetOf } from "./sending.js"
import type { CommitChanges, Moment, State } from "./state.js"
import type { Turn } from "./turn.js"
import { describeWish, type Numbered, namesIn } from "./wishes.js"

/** Random bytes that make a commit without a path another one each time. */
const UNIQUE_SIZE = 16

type CommitWish = WishBy<"commit">

/**
 * The wish that is next, and those after it that fit into the same commit. While there are members whom the user has not
 * approved, messages and invitations wait, and a removal does not wait for them.
 */
export function nextWishes({ wishes, unapproved }: State, { revoked }: Pick<Moment, "revoked">): readonly Numbered[] {
  // One that was revoked is taken out before anything is said, and nobody is asked about it.
  const isHeld = unapproved.some(({ name, signatureKey }) => revoked.since(name, signatureKey) === undefined)
  const next: Numbered[] = []
  const touched = new Set<string>()
  for (const [number, wish] of wishes) {
    // What is accepted waits for the log only.
    if ("acceptedSeq" in wish && wish.acceptedSeq !== undefined) continue
    if (isHeld && (wish.type === "message" || wish.type === "invite")) continue
    const names = namesIn(wish)
    // One commit knows no order: two wishes about one name need two. And it has a limit.
    const fits =
      isBy(wish, "commit") &&
      !names.some((name) => touched.has(name)) &&
      touched.size + names.length <= NAMES_AT_ONCE_MAX
    if (next.length > 0 && !fits) break
    next.push([number, wish])
    if (!fits) break
    for (const name of names) touched.add(name)
  }
  return next
}

/** Names in wishes that one commit can fulfil. */
export function atOnce(names: Iterable<string>): readonly (readonly string[])[] {
  const all = [...new Set(names)]
  const parts: string[][] = []
  for (let at = 0; at < all.length; at += NAMES_AT_ONCE_MAX) parts.push(all.slice(at, at + NAMES_AT_ONCE_MAX))
  return parts
}

/**
 * Compiles wishes into one commit of the current epoch, together with every proposal that is waiting. Wishes that have
 * come true meanwhile are fulfilled; those that cannot come true fail, each with its reason.
 */
export function compileCommit(turn: Turn, wishes: readonly Numbered[]): Next {
  const { state, moment } = turn
  const commitWishes = wishes.flatMap(([number, wish]) => (isBy(wish, "commit") ? [[number, wish] as const] : []))
  for (const [number, wish] of commitWishes) {
    const question = wish.type === "invite" || wish.type === "reinvite" ? invite(turn, [number, wish]) : undefined
    if (question !== undefined) return question
  }
  const changes = changesFor(state, possible(turn, commitWishes))
  const isOwed = state.group!.proposals.length > 0 || state.facts.renewalDue || revokedLeaves(state, moment).length > 0
  if (changes.fulfils.length === 0 && !isOwed) {
    for (const number of changes.done) turn.fulfil(number)
    return "again"
  }
  return stageCommit(turn, changes)
}

/** Without the invitations that cannot come true: they end here. */
function possible(turn: Turn, wishes: readonly Numbered<CommitWish>[]): readonly Numbered<CommitWish>[] {
  return wishes.filter(([number]) => {
    const { why, judgement } = turn.state.inviting.get(number) ?? {}
    if (why === undefined) return true
    turn.state.inviting.delete(number)
    emitRefusedKeys(turn, judgement)
    turn.fail(number, why)
    return false
  })
}

function changesFor(state: State, wishes: readonly Numbered<CommitWish>[]): CommitChanges {
  const add: Claimed[] = []
  const remove: LeafIndex[] = []
  const fulfils: number[] = []
  const done: number[] = []
  const judgements: Judgement[] = []
  for (const [number, wish] of wishes) {
    const { judgement } = state.inviting.get(number) ?? {}
    if (judgement !== undefined) judgements.push(judgement)
    const newcomers = newcomersOf(state, wish)
    const leaving = leavingOf(state, wish)
    add.push(...newcomers)
    remove.push(...leaving.map(({ leafIndex }) => leafIndex))
    const isOpen = wish.type === "refresh" || newcomers.length + leaving.length > 0
    ;(isOpen ? fulfils : done).push(number)
  }
  const renew = wishes.some(([, { type }]) => type === "refresh")
  return { add, remove, fulfils, done, judgements, renew }
}

function newcomersOf({ group }: State, wish: CommitWish): readonly Claimed[] {
  if (wish.type === "reinvite") return wish.claimed
  return wish.type === "invite" ? wish.claimed.filter((it) => !group?.hasSignatureKey(it.signatureKey)) : []
}

function leavingOf({ members }: State, wish: CommitWish): readonly Member[] {
  if (wish.type === "remove") return members.filter(({ credential }) => wish.names.includes(nameOf(credential) ?? ""))
  if (wish.type !== "reinvite") return []
  return members.filter((member) => wish.claimed.some((it) => equalBytes(it.signatureKey, member.signatureKey)))
}

/**
 * Makes a commit of `changes` and every proposal that is waiting, and asks who those are whom it adds. Devices that were
 * revoked are taken out by every commit.
 */
export function stageCommit(turn: Turn, changes: CommitChanges): Next {
  const { state, moment } = turn
  const { suite } = moment.identity
  const group = state.group!
  // Those who asked to be removed are removed by their own proposals, which the commit refers to.
  const departing = state.facts.departures.map(({ leafIndex }) => leafIndex)
  const revoked = revokedLeaves(state, moment).map(({ leafIndex }) => leafIndex)
  const remove = [...new Set([...changes.remove, ...revoked])]
  const { newest } = state.intervals
  const path =
    changes.renew || state.facts.renewalDue || remove.length + group.proposals.length > 0 || newest === undefined
  if (group.pending !== undefined) {
    turn.giveUp(group.pending.message)
    group.discardPending()
    turn.saveGroup()
  }
  turn.flushGroup()
  const head = claimOf(state, moment)
  const told = toldOf(state, changes)
  const wanted = {
    add: changes.add.map(({ keyPackage }) => keyPackage),
    remove: remove.filter((leafIndex) => !departing.includes(leafIndex)),
    path,
    // Without a path there is nothing random in a commit: made again after a crash, it would lead to the same keys, and
    // encrypt another Welcome with them.
    authenticatedData: encodeHandshakeData(path ? new Uint8Array() : moment.random(UNIQUE_SIZE), head),
    welcomeExtensions: (exportNext: Exporter, commit: StagedCommit & { readonly message: Uint8Array }) => {
      const next = path || newest === undefined ? intervalOf(suite, state.id, exportNext) : undefined
      const hash = commitHash((...parts) => moment.identity.sha256(...parts), entryOf(commit, next))
      return [newcomerExtension(next ?? newest!, head, told), entranceExtension(hash)]
    },
  }
  // A path may have a ciphertext for each member.
  if (changes.add.length + (path ? group.memberCount : 0) >= moment.slicedFrom) {
    state.making = changes
    return { type: "make", work: group.makeCommit(wanted) }
  }
  return stage(turn, changes, () => group.commit(wanted))
}

function stage(turn: Turn, changes: CommitChanges, make: () => MlsCommit): Next {
  let commit: MlsCommit
  try {
    commit = make()
  } catch (error) {
    // The protocol does not allow it: a key package that was made wrongly, for example. Without a wish to blame, it is a
    // fault of this program, and no reason to forget anything.
    if (changes.fulfils.length === 0 || !(error instanceof Error) || !("code" in error)) throw error
    const code = error instanceof RuleError && error.rule === "leaf-lifetime-current" ? "WRONG_CLOCK" : "REFUSED"
    for (const number of changes.fulfils) turn.fail(number, { code, reason: error.message })
    return { type: "reload" }
  }
  turn.state.staged = { type: "commit", commit, changes }
  return "again"
}

/** A commit was made in slices. The wishes behind it stand: where it would come too late, they lead to another. */
export function onMade(turn: Turn, changes: CommitChanges, answer: Answers["make"]): Next {
  const { state } = turn
  const { group } = state
  if ("done" in answer && (group === undefined || state.position.bringsCommit)) {
    answer.done[Symbol.dispose]()
    return "again"
  }
  return stage(turn, changes, () => {
    if ("failure" in answer) throw answer.failure
    return group!.commitMade(answer.done)
  })
}

/** Whoever was no member of the conversation that this one continues is told nothing of it: its members are their own affair. */
function toldOf({ continuation: { continues } }: State, { add }: CommitChanges): Continues | undefined {
  return continues !== undefined && add.every((it) => "name" in it && continues.names.includes(it.name))
    ? continues
    : undefined
}

/** Everybody whom the commit adds has been judged. */
export function onCommitJudged(turn: Turn, judgement: Judgement): Next {
  const { state, moment } = turn
  if (state.staged?.type !== "commit") return "again"
  const { commit, changes } = state.staged
  state.staged = undefined
  state.inviting.clear()
  if (judgement.refused.length > 0) {
    // Accepted when the invitation was made, and not any more: the wishes fail, and nothing halts.
    const [first] = judgement.refused
    emitRefusedKeys(turn, judgement)
    const code = first?.keyChanged ? "KEY_CHANGED" : "REFUSED"
    for (const number of changes.fulfils) turn.fail(number, { code, reason: first?.reason ?? "refused" })
    // Those who knocked are judged no otherwise next time, and would be let in, and refused, without end.
    for (const it of changes.add) if ("answer" in it) state.visitors.delete(hex(it.answer.knock))
    return { type: "reload" }
  }
  for (const number of changes.done) turn.fulfil(number)
  for (const it of changes.judgements) turn.trust(it)
  turn.trust(judgement)
  const next = commit.path ? intervalAfter(state, moment.identity.suite, commit) : undefined
  const { begins, ...entry } = entryOf(commit, next)
  const append = { ...entry, commit: { ...invited(turn, commit, changes), begins } } as const
  turn.putCommit({
    outgoing: outgoing(targetOf(state), append, moment.random),
    wishes: changes.fulfils.map(BigInt),
  })
  turn.saveGroup()
  return "again"
}

/** The Welcome goes to the inboxes of those who are invited; what answers knocks lies beside them. */
function invited({ state, moment }: Turn, { welcome = new Uint8Array() }: MlsCommit, { add }: CommitChanges) {
  const to = add.flatMap((it) => ("answer" in it ? [it.answer] : []))
  const recipients = add.flatMap((it) => ("deviceId" in it ? [{ deviceId: it.deviceId }] : []))
  if (to.length === 0) return { welcome, recipients, answers: undefined }
  const answers = sealAnswers(moment.identity.suite, { welcome, groupId: state.id, to }, moment.random)
  return { welcome: new Uint8Array(), recipients: [], answers }
}

/** A commit as the log has it; `next` is the interval that it begins. */
function entryOf(
  { message, epoch, removals }: StagedCommit & { readonly message: Uint8Array },
  next: IntervalKeys | undefined,
): { readonly kind: "commit" } & Pick<Entry, "epoch" | "body" | "begins"> {
  const begins = next && { accessKey: next.accessKey, removes: removals.length > 0 }
  return { kind: "commit", epoch: epoch - 1n, body: message, begins }
}

// --- Sending it ------------------------------------------------------------------------------------------------------

/**
 * Sends the commit that is stored. Only the log says that a commit has won: on success, and on losing the race, the log
 * is read; without an answer nothing is known and nothing changes.
 */
export function sendCommit(turn: Turn): Next {
  const commit = turn.state.commit!
  const sent = movedIfStale(turn, commit.outgoing)
  if (sent !== commit.outgoing) turn.putCommit({ ...commit, outgoing: sent })
  return { type: "send", sent: { of: "commit" }, request: sent.request, prover: turn.state.intervals.newest }
}

export function onCommitAnswer(turn: Turn, answer: DeliveryAnswer): Next {
  const { state } = turn
  const { commit } = state
  if (commit === undefined) return "again"
  if (answer.type === "accepted") {
    if (contradictsLog(state, commit.outgoing)) {
      return { type: "unavailable", reason: "the service has accepted a commit that its log does not show" }
    }
    if (answer.undelivered.length > 0) takeBack(turn, answer.undelivered)
    reachAccepted(turn, { kind: "commit", sent: commit.outgoing, answer })
    return "again"
  }
  if (answer.type === "stale") return loseRace(turn, commit.outgoing)
  if (isUnknown(answer)) return refusedAsMissing(turn)
  // Nobody asked for a commit that lets members go, so that there is nobody to give it up.
  if (mayPass(answer) || commit.wishes.length === 0) {
    const wishes = commit.wishes.flatMap((number) => {
      const wish = state.wishes.get(Number(number))
      return wish === undefined ? [] : [describeWish(wish).wish]
    })
    return defer(turn, answer, { of: "commit", wishes })
  }
  // Refused for good: what was wished has failed. The group keeps the commit until there is another one: a service that
  // has placed it nevertheless shows it in the log, and nobody but its author could come back from that.
  for (const wish of commit.wishes) turn.fail(Number(wish), refusal(answer))
  turn.putCommit(undefined)
  return "again"
}

/**
 * Whether the very commit was accepted before, and the log, which has been read since, has not shown anything more. A
 * commit ends with the entry that it is.
 */
function contradictsLog(state: State, sent: Outgoing): boolean {
  const { accepted, position } = state
  const isContradiction =
    accepted?.cursor === position.cursor && equalBytes(accepted.idempotencyId, idempotencyIdOf(sent))
  state.accepted = isContradiction ? undefined : { idempotencyId: idempotencyIdOf(sent), cursor: position.cursor }
  if (isContradiction) position.doubtHead()
  return isContradiction
}

/**
 * Newcomers whose inboxes took no Welcome: they are in the group and will not hear of it. They are taken out again, and
 * their invitation has failed; nobody else's has.
 */
function takeBack(turn: Turn, undelivered: readonly Uint8Array[]): void {
  const { state } = turn
  const invited = (state.commit?.wishes ?? []).flatMap((number) => {
    const wish = state.wishes.get(Number(number))
    return wish?.type === "invite" || wish?.type === "reinvite" ? wish.claimed : []
  })
  const isReached = ({ deviceId }: Claimed) => !undelivered.some((it) => equalBytes(it, deviceId))
  // Nobody is put out whom a device of theirs keeps in: it came before, or it is notified.
  const reached = new Set([...state.names, ...invited.filter(isReached).map(({ name }) => name)])
  const names = [...new Set(invited.map(({ name }) => name))].filter((name) => !reached.has(name))
  if (names.length === 0) return
  const reason = "their inbox at the service is full: invite them again when they have been online"
  turn.emit({ type: "failed", conversation: state.id, wish: "invite", names, code: "REFUSED", reason })
  turn.addWish({ type: "remove", names })
}

/** What the service has accepted right after the cursor needs no reading: it is this device's own. */
export function reachAccepted({ state, moment }: Turn, { kind, sent, answer }: Accepted): void {
  const { seq, chainHash } = answer
  const { epoch, body } = sent
  if (seq !== state.position.cursor + 1n) state.position.reaches(seq)
  else {
    const begins = kind === "commit" ? appendOf(sent.request).commit?.begins : undefined
    const { incarnation, signature } = answer
    const entry = { seq, kind, epoch, body, begins, chainHash, at: BigInt(moment.now) }
    state.position.placed(entry, { seq, incarnation, signature })
  }
}

interface Accepted {
  readonly kind: "application" | "commit"
  readonly sent: Outgoing
  readonly answer: AnswerOf<"accepted">
}
