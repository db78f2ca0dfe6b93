import type { Branch } from "@conclave/contracts/evidence"
import type { HeadClaim } from "@conclave/contracts/heads"
import { type ChainLink, chainLink, chainLinkHash, logChainStart } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { nameOf } from "@conclave/identity/verdicts"
import type { Member } from "@conclave/mls"
import { hex } from "../bytes.js"
import { encodeEvidence } from "../heads/evidence.js"
import { serviceSuite, signerOf } from "../heads/service-key.js"
import type { AnswerOf, DeliveryAnswer } from "../service/delivery.js"
import type { Dispute } from "./disputes.js"
import { missing } from "./missing.js"
import type { Next } from "./question.js"
import { isPauseOver, pauseAfter } from "./recovery.js"
import { isRestored, rewindIfRestored, sendAgain } from "./restored.js"
import type { Moment, State } from "./state.js"
import type { Turn } from "./turn.js"

/** A service that does not sign what it shows is not asked for its signature with each entry. */
const UNSIGNED = { first: 10_000, most: 3_600_000 }

/** The newest head that this device has read, to be told to the other members; `undefined` where the service has signed none. */
export function claimOf({ facts: { head } }: State, { service }: Moment): HeadClaim | undefined {
  return head?.incarnation === service?.incarnation ? head : undefined
}

/** By which of the service's keys a head is signed. */
function signer({ state, moment }: Turn, claim: HeadClaim): Uint8Array | undefined {
  const suite = serviceSuite(moment.identity.suite.provider)
  return signerOf(suite, moment.service?.keys ?? [], { groupId: state.id, claim })
}

/** Whether the service that this device knows has signed it. */
export function isSigned(turn: Turn, claim: HeadClaim): boolean {
  return claim.incarnation === turn.moment.service?.incarnation && signer(turn, claim) !== undefined
}

/**
 * Whether a newcomer takes the log up where the inviter had read, as the service has signed: from there on it has to lead to the
 * commit `seq`.
 */
export function mayBegin(turn: Turn, head: HeadClaim, seq: bigint): boolean {
  return head.seq < seq && isSigned(turn, head)
}

/** Whether this device follows the log from the place that its inviter claims to have read; if not, only the service is to blame. */
export function followsClaim({ state, moment }: Turn): boolean {
  const { cursor, chainHash } = state.position
  if (cursor >= state.facts.joinedAt || chainHash.length === 0) return false
  // All logs of a group have the same hash before their first entry.
  return (
    cursor > 0n ||
    !equalBytes(
      chainHash,
      logChainStart((...parts) => moment.identity.sha256(...parts), state.id),
    )
  )
}

// --- The service's own word ------------------------------------------------------------------------------------------

/**
 * At the head of the log: takes the service's signature for what this device has read. Where it is not what it has to be, the service is
 * asked what it says of itself, and for its signature: it may have another key.
 */
export function confirmHead(turn: Turn): Next {
  const { state, moment } = turn
  const { position, disputes } = state
  const { told, chainHash } = position
  const isDue = disputes.pause === undefined || isPauseOver(disputes.pause.retryAt, moment.now)
  if (disputes.wantsService && isDue) return { type: "service", prover: state.prover }
  if (chainHash.length === 0) return "again"
  // The commit by which this device came is not where it was told: what is said from now on is for this device.
  if (position.cursor < state.facts.joinedAt && !isRestored(turn)) turn.update({ joinedAt: position.cursor })
  // What was lost is told by what was read, of which the chain has a part that was stored before the opening.
  if (isRestored(turn) && state.isGroupMissing) return { type: "group" }
  // What was told is lost in a crash, and where entries come while the service is asked. Without any signature, or with none since
  // the service was restored, nothing shows whether this is its log. Where nothing was read since this device came, there is
  // nothing to sign: how far the log was then may have been told wrongly. What another conversation has learned of a restored service
  // concerns this one, too.
  const isUnsigned = (state.facts.head === undefined && position.cursor > state.facts.joinedAt) || isRestored(turn)
  if (told === undefined && isUnsigned && isDue && disputes.mayAsk(moment.now)) {
    return { type: "service", prover: state.prover }
  }
  if (told === undefined) return "again"
  if (confirm(turn, { ...told, chainHash })) return "again"
  if (isDue && disputes.mayAsk(moment.now)) return { type: "service", prover: state.prover }
  position.takeTold()
  if (isDue) {
    // It has another incarnation, or key, with each answer: it is asked later.
    disputes.wantsService = true
    disputes.pause = pauseAfter(moment.now, disputes.pause, UNSIGNED)
  }
  return "again"
}

/**
 * There may be more to read: where nothing else shows later that the service was restored since, its signature for what has been read
 * is taken at once.
 */
export function confirmFirst(turn: Turn): void {
  const { facts, position } = turn.state
  const { told, chainHash } = position
  if (facts.head === undefined && told !== undefined && chainHash.length > 0) confirm(turn, { ...told, chainHash })
}

/**
 * Whether the service has signed this; `isEnd`: it is the log's end. What it has signed before it was restored is noted, too: nothing else
 * may show that later.
 */
function confirm(turn: Turn, head: HeadClaim, isEnd = turn.state.position.isAtHead): boolean {
  const { state, moment } = turn
  if (!isSigned(turn, head)) {
    noteEarlier(turn, head)
    return false
  }
  state.position.takeTold()
  state.disputes.pause = undefined
  const { incarnation, seq, chainHash, signature } = head
  if (isRestored(turn)) sendAgain(turn)
  // Where there is more to read, what has expired after it may have done so long before.
  const headAt = isEnd ? BigInt(moment.now) : 0n
  turn.update({ head: { incarnation, seq, chainHash, signature }, headAt })
  settleDisputes(turn)
  return true
}

/** What this device has read was signed before the service was restored, and that before this device asked who it is. */
function noteEarlier(turn: Turn, { incarnation, seq, chainHash, signature }: HeadClaim): void {
  const { state, moment } = turn
  const isEarlier = incarnation < (moment.service?.incarnation ?? 0n)
  const claim = { incarnation, seq, chainHash, signature }
  if (state.facts.head === undefined && isEarlier && signer(turn, claim) !== undefined) {
    turn.update({ head: claim, headAt: 0n })
  }
}

/** What the service says of itself has been learned; `answer` is how far it says that the log goes, with its signature. */
export function onServiceAnswer(turn: Turn, answer: AnswerOf<"head"> | undefined): Next {
  const { state, moment } = turn
  const { position, disputes } = state
  if (isRestored(turn) && state.isGroupMissing) {
    disputes.wantsService = true
    return { type: "group" }
  }
  disputes.wantsService = false
  settleLater(turn)
  // Where the chain hash at the cursor is not known, nothing can be compared with a signature.
  const told = position.chainHash.length === 0 ? undefined : position.told
  if (told !== undefined) {
    // Of what is still to be read, what was told stays.
    position.takeTold()
    noteEarlier(turn, { ...told, chainHash: position.chainHash })
  }
  const hasOther =
    answer?.headSeq === position.cursor &&
    !equalBytes(answer.chainHash, position.chainHash) &&
    position.chainHash.length > 0
  if (answer === undefined || answer.headSeq < position.cursor || hasOther) {
    const rewound = rewindIfRestored(turn)
    if (rewound !== undefined) return rewound
  }
  if (answer === undefined) {
    missing(turn, { type: "notFound", groupId: state.id })
    return "again"
  }
  // The key that it has now may be the one that has signed what this device has read.
  if (told !== undefined && confirm(turn, { ...told, chainHash: position.chainHash })) return "again"
  const { headSeq: seq, chainHash, incarnation, signature } = answer
  const isSame = seq === position.cursor && equalBytes(chainHash, position.chainHash)
  if (isSame && confirm(turn, { seq, chainHash, incarnation, signature }, true)) return "again"
  // There is more to read meanwhile, or less: the log says it. So it does where nothing has been read yet.
  if (seq !== position.cursor || position.chainHash.length === 0) {
    position.doubtHead()
    if (told === undefined) return "again"
  }
  disputes.pause = pauseAfter(moment.now, disputes.pause, UNSIGNED)
  turn.reject("UNSIGNED", `the service has not signed what it shows up to entry ${position.cursor}`)
  settleDisputes(turn)
  return "again"
}

// --- What other members say ------------------------------------------------------------------------------------------

/**
 * Compares what a member says of the log, with an entry of its own, with what this device has read. Two histories are found where their
 * members meet: until then, nobody can tell.
 */
export function compareHead(
  turn: Turn,
  { seq, by, claim }: { readonly seq: bigint; readonly by: Member | undefined; readonly claim: HeadClaim | undefined },
): void {
  const { state, moment } = turn
  if (claim === undefined || by === undefined) return
  // Before the service has been asked, it may be the present one: what is said of it waits for that.
  const incarnation = moment.service?.incarnation ?? claim.incarnation
  // Logs may be shorter after a backup was restored: what was said before that cannot be compared.
  if (claim.incarnation < incarnation) return
  if (claim.incarnation > incarnation) {
    if (signer(turn, claim) === undefined) return
    state.disputes.wantsService = true
    state.disputes.later ??= { who: "later", by: nameOf(by.credential) ?? "", claim, since: moment.now }
    return
  }
  const hash = claim.seq < seq ? state.chain.hashAt(claim.seq) : undefined
  if (claim.seq < seq && (hash === undefined || equalBytes(hash, claim.chainHash))) return
  // What a member makes up hides nothing that the service has signed.
  const who = `${signer(turn, claim) === undefined ? "" : "signed "}${hex(by.signatureKey)}`
  if (!state.disputes.isNews(who)) return
  state.disputes.waiting.push({ who, by: nameOf(by.credential) ?? "", claim })
  const { head } = state.facts
  if (head?.incarnation === claim.incarnation && head.seq >= claim.seq) settleDisputes(turn)
}

/** By then, whichever of a service's processes is asked knows that it was restored. */
const LATER_MILLISECONDS = 600_000

/**
 * A service that has signed for a later incarnation, and goes on saying that it has an earlier one, says something else to others: what
 * members say of the log is compared with nothing then.
 */
function settleLater(turn: Turn): void {
  const { state, moment } = turn
  const { later } = state.disputes
  const known = moment.service?.incarnation
  if (later === undefined || known === undefined) return
  const { by, claim, since, who } = later
  if (claim.incarnation <= known) state.disputes.later = undefined
  else if (moment.now - since >= LATER_MILLISECONDS && state.disputes.isNews(who)) {
    const reason = `${by} has read what the service has signed as incarnation ${claim.incarnation}, and here it says that it is ${known}`
    tell(turn, { by, accused: "service", reason, evidence: undefined })
  }
}

/** Says what is known of each dispute, with evidence where the service has signed both. */
function settleDisputes(turn: Turn): void {
  const { waiting } = turn.state.disputes
  turn.state.disputes.waiting = []
  for (const dispute of waiting) report(turn, dispute)
}

function report(turn: Turn, { who, by, claim }: Dispute): void {
  // It was of the service as it was before, which this device has learned meanwhile: see `compareHead`.
  if (claim.incarnation !== turn.moment.service?.incarnation) {
    turn.state.disputes.forget(who)
    return
  }
  const serviceKey = signer(turn, claim)
  const reason = `of entry ${claim.seq}, ${by} has read something else`
  if (serviceKey === undefined) {
    tell(turn, {
      by,
      accused: "member",
      reason: `${reason}, and the service that this device knows has not signed it`,
      evidence: undefined,
    })
    return
  }
  const { chain, facts, id: groupId } = turn.state
  const ours = facts.head && signer(turn, facts.head)
  const chainHash = chain.hashAt(claim.seq)
  const links = facts.head && chain.linksBetween(claim.seq, facts.head.seq)
  const isProven = ours !== undefined && equalBytes(ours, serviceKey) && chainHash !== undefined && links !== undefined
  const evidence =
    isProven && facts.head?.incarnation === claim.incarnation && !equalBytes(chainHash, claim.chainHash)
      ? encodeEvidence({
          ...{ serviceKey, groupId, seq: claim.seq },
          one: { chainHash, links, head: facts.head },
          other: { chainHash: claim.chainHash, links: [], head: claim },
        })
      : undefined
  tell(turn, { by, accused: "service", reason: `${reason}, and the service has signed both`, evidence })
}

interface Told {
  readonly by: string
  readonly accused: "service" | "member"
  readonly reason: string
  readonly evidence: Uint8Array | undefined
}

function tell(turn: Turn, { evidence = new Uint8Array(), ...told }: Told): void {
  turn.emit({ type: "contradicted", conversation: turn.state.id, ...told, evidence })
}

// --- Another history than before -------------------------------------------------------------------------------------

/** Where the log does not go on from what the service has signed: it is asked once more for that entry. */
export function probe({ state, moment }: Turn): Next | undefined {
  const { head } = state.facts
  if (head === undefined || head.seq === 0n || head.incarnation !== moment.service?.incarnation) return undefined
  return { type: "probe", after: head.seq - 1n, prover: state.prover }
}

/** A longer page proves nothing: its signature is that of its end. */
const PROBE_MAX = 1_024

/** What the service shows now in the place of the newest head that it has signed. */
export function onProbe(turn: Turn, answer: DeliveryAnswer): Next {
  const { state, moment } = turn
  const { head } = state.facts
  if (answer.type !== "entries" || head === undefined) return "again"
  const [first, ...others] = answer.entries.slice(0, PROBE_MAX)
  if (first?.seq !== head.seq || equalBytes(first.chainHash, head.chainHash)) return "again"
  const sha256 = (...parts: readonly Uint8Array[]) => moment.identity.sha256(...parts)
  const links: ChainLink[] = []
  let hash = first.chainHash
  for (const entry of others) {
    const seq = head.seq + 1n + BigInt(links.length)
    if (entry.seq !== seq) return "again"
    const link = chainLink(sha256, entry)
    hash = chainLinkHash(sha256, hash, { seq, link })
    links.push(link)
  }
  const { incarnation, signature } = answer
  const other: Branch = {
    chainHash: first.chainHash,
    links,
    head: { incarnation, signature, seq: head.seq + BigInt(links.length), chainHash: hash },
  }
  const [key, otherKey] = [signer(turn, head), signer(turn, other.head)]
  if (key === undefined || otherKey === undefined || !equalBytes(key, otherKey)) return "again"
  if (!state.disputes.isNews("")) return "again"
  const one: Branch = { chainHash: head.chainHash, links: [], head }
  const evidence = encodeEvidence({ serviceKey: key, groupId: state.id, seq: head.seq, one, other })
  tell(turn, { by: "", accused: "service", reason: `it has signed two entries ${head.seq}`, evidence })
  return "again"
}

// --- Entries that are kept back --------------------------------------------------------------------------------------

/** A service keeps what is said for a day at least: see `contracts/delivery`. */
const KEPT_MILLISECONDS_MIN = 86_400_000

/** Whether the entry `seq` is younger than that: this device has been at the head of the log since, and it was not there. */
export function isWithheld({ state, moment }: Turn, seq: bigint): boolean {
  const { facts, disputes } = state
  const signed = facts.head === undefined ? undefined : { seq: facts.head.seq, at: Number(facts.headAt) }
  return [signed, disputes.seen].some(
    (it) => it !== undefined && it.seq < seq && moment.now >= it.at && moment.now - it.at < KEPT_MILLISECONDS_MIN,
  )
}
