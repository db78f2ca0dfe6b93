import { equalBytes } from "@conclave/crypto"
import type { Group } from "@conclave/mls"
import { type Outgoing, recordKeys, type WishOf } from "../core/records.js"
import type { Step } from "../core/steps.js"
import type { ClientErrorCode, FailedEvent } from "../events.js"
import { Unavailable } from "../service/call.js"
import { type AnswerOf, type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import { keysUnder, learnHead, pause, type Work } from "./context.js"
import { follow, placePassed } from "./follow.js"
import { givenUpWith } from "./given-up.js"
import { declinedData } from "./invitation.js"
import { refusedAsMissing } from "./missing.js"
import { decodePayload } from "./payload.js"
import { moved, outgoing } from "./request.js"
import { announceTitleIfDue, markLeaving } from "./settle.js"

/** Makes the group exist at the service. */
export async function sendCreation(work: Work, [number, wish]: readonly [number, WishOf<"create">]): Promise<void> {
  const { local, steps, delivery, signal } = work
  const answer = await delivery.send(wish.request, signal)
  const oldKeys = answer.type === "done" ? [] : await keysUnder(work, recordKeys.group(local.key))
  await steps.run(local, (step) => {
    if (answer.type === "done") {
      local.fulfil(step, number)
      return local.update(step, { status: "active" })
    }
    local.failAll(step, { code: "REFUSED", reason: `the service refused the conversation: ${refusalOf(answer)}` })
    local.dropGroup(step, oldKeys)
    local.update(step, { status: "left" })
  })
}

/**
 * Sends the commit that is stored. Only the log says that a commit has won: on success, and on losing the race, the log is
 * read; without an answer nothing is known and nothing changes.
 */
export async function sendCommit(work: Work): Promise<void> {
  const { local, steps, delivery, signal } = work
  const commit = local.commit!
  const outgoing = placed(work, commit.outgoing)
  if (outgoing !== commit.outgoing) await steps.run(local, (step) => local.putCommit(step, { ...commit, outgoing }))
  const answer = await delivery.send(outgoing.request, signal)
  if (answer.type === "accepted") {
    if (answer.undelivered.length > 0) await takeBack(work, answer.undelivered)
    return reachAccepted(work, { kind: "commit", outgoing, answer })
  }
  if (answer.type === "stale") return loseRace(work, outgoing)
  if (answer.type === "notFound") refusedAsMissing(work)
  // Nobody asked for a commit that lets members go, so that there is nobody to give it up.
  if (mayPass(answer) || commit.wishes.length === 0) {
    const wishes = commit.wishes.flatMap((number) => local.wishName(Number(number)) ?? [])
    return defer(work, answer, { of: "commit", wishes })
  }
  await dropCommit(work, answer)
}

/**
 * Newcomers whose inboxes took no Welcome: they are in the group and will not hear of it. They are taken out again, and
 * their invitation has failed; nobody else's has.
 */
async function takeBack(work: Work, undelivered: readonly Uint8Array[]): Promise<void> {
  const { local, steps } = work
  const invited = (local.commit?.wishes ?? []).flatMap((number) => {
    const wish = local.wishes.get(Number(number))
    return wish?.type === "invite" ? wish.claimed : []
  })
  const isReached = ({ deviceId }: { readonly deviceId: Uint8Array }) =>
    !undelivered.some((it) => equalBytes(it, deviceId))
  // Nobody is put out whom a device of theirs keeps in: it came before, or it is told.
  const reached = new Set([...local.names, ...invited.filter(isReached).map(({ name }) => name)])
  const names = [...new Set(invited.map(({ name }) => name))].filter((name) => !reached.has(name))
  if (names.length === 0) return
  await steps.run(local, (step) => {
    const reason = "their inbox at the service is full: invite them again when they have been online"
    step.emit({ type: "failed", conversation: local.id, wish: "invite", names, code: "REFUSED", reason })
    local.addWish(step, { type: "remove", names })
  })
}

/**
 * Another commit came before. The log, which is read next, has to show it: a service that twice finds stale what comes
 * after the last commit of its own log contradicts itself.
 */
function loseRace(work: Work, { request }: Outgoing): void {
  const { lastCommit } = work.local.state
  const isContradiction = work.stale !== undefined && work.stale.lastCommit === lastCommit
  work.stale = isContradiction ? undefined : { request, lastCommit }
  work.headSeq = undefined
  if (isContradiction) throw new Unavailable("the service knows a commit that its log does not show")
}

/**
 * What to send: the same bytes as before, unless they were refused as stale. Those are refused for ever, as the last commit
 * of a log only grows. If their epoch still stands, what came before them does not hold, and they are sent after that.
 */
function placed(work: Work, outgoing: Outgoing): Outgoing {
  return isRefused(work, outgoing) ? moved(work, outgoing) : outgoing
}

function isRefused({ stale }: Work, { request }: Outgoing): boolean {
  return stale !== undefined && equalBytes(stale.request, request)
}

const DEFERRAL_MILLISECONDS_MIN = 1_000
const DEFERRAL_MILLISECONDS_MAX = 10 * 60_000

const mayPass = ({ type }: DeliveryAnswer) => type === "forbidden" || type === "quotaExceeded"

/** Refused for a reason that may pass: it waits, is sent less and less often, and the user is told once. */
async function defer(
  work: Work,
  answer: DeliveryAnswer,
  { of, wishes }: { readonly of: "commit" | "message"; readonly wishes: readonly FailedEvent["wish"][] },
): Promise<void> {
  const { local, steps } = work
  const isFirst = work.deferral === undefined
  work.deferral = { ...pause(work, work.deferral, DEFERRAL_MILLISECONDS_MIN, DEFERRAL_MILLISECONDS_MAX), of }
  const retryAt = BigInt(work.deferral.retryAt)
  if (!isFirst) return
  const { reason } = refusal(answer)
  await steps.run(local, (step) => step.emit({ type: "deferred", conversation: local.id, wishes, reason, retryAt }))
}

/** Refused for good: what was wished has failed. */
async function dropCommit(work: Work, answer: DeliveryAnswer): Promise<void> {
  const { local, steps } = work
  const why = refusal(answer)
  const [key, record] = await givenUpWith(work, local.commit!.outgoing.body)
  await steps.run(local, (step) => {
    step.put(key, record)
    const wishes = local.commit?.wishes ?? []
    local.group?.discardPending()
    local.saveGroup(step)
    for (const wish of wishes) local.fail(step, Number(wish), why)
    local.putCommit(step, undefined)
  })
}

/** Sends the message of a wish; encrypts and stores it first, where that has not been done. */
export async function sendMessage(work: Work, [number, wish]: readonly [number, WishOf<"message">]): Promise<void> {
  const { delivery, signal, steps, local } = work
  const outgoing = await ciphertextOf(work, [number, wish])
  const answer = await delivery.send(outgoing.request, signal)
  if (answer.type === "accepted") {
    if (work.deferral?.of === "message") work.deferral = undefined
    await steps.run(local, (step) => {
      local.putWish(step, number, { ...wish, outgoing, acceptedSeq: answer.seq })
      placePassed(work, step)
    })
    return reachAccepted(work, { kind: "application", outgoing, answer })
  }
  if (answer.type === "stale") return loseRace(work, outgoing)
  if (answer.type === "notFound") refusedAsMissing(work)
  if (mayPass(answer)) {
    const name = local.wishName(number)
    return defer(work, answer, { of: "message", wishes: name === undefined ? [] : [name] })
  }
  await steps.run(local, (step) => local.fail(step, number, refusal(answer)))
}

/** Stored before it is sent. Encrypted again only when the first ciphertext can never get a place, its epoch being over. */
async function ciphertextOf(work: Work, [number, wish]: readonly [number, WishOf<"message">]): Promise<Outgoing> {
  const { local, steps } = work
  const { outgoing } = wish
  if (outgoing === undefined) return encryptMessage(work, number, wish)
  if (!isRefused(work, outgoing)) return outgoing
  if (outgoing.epoch !== local.group?.epoch) return encryptMessage(work, number, wish)
  const again = moved(work, outgoing)
  await steps.run(local, (step) => local.putWish(step, number, { ...wish, outgoing: again }))
  return again
}

function encryptMessage(work: Work, number: number, wish: WishOf<"message">): Promise<Outgoing> {
  const { local, steps } = work
  return steps.run(local, (step) => {
    const { epoch } = local.group!
    const body = local.group!.encrypt(wish.payload)
    const encrypted = outgoing(work, { kind: "application", epoch, body, commit: undefined })
    if (decodePayload(wish.payload).body.type !== "title") announceTitleIfDue(work, step)
    local.putWish(step, number, { ...wish, outgoing: encrypted })
    local.saveGroup(step)
    return encrypted
  })
}

/** Asks the others to remove this device: nobody can commit their own removal (RFC 9420 §12.4). */
export async function sendLeave(work: Work, [number, wish]: readonly [number, WishOf<"leave">]): Promise<void> {
  const { local, steps, delivery, signal } = work
  if (local.group?.memberCount === 1) return leaveAlone(work)
  const asking = await requestToLeave(work, [number, wish])
  const answer = await delivery.send(asking.request, signal)
  if (answer.type === "stale") return loseRace(work, asking)
  if (answer.type === "notFound") refusedAsMissing(work)
  if (answer.type === "accepted") {
    return steps.run(local, (step) => markLeaving(work, step, number, answer.seq))
  }
  const [key, record] = await givenUpWith(work, asking.body)
  await steps.run(local, (step) => {
    step.put(key, record)
    dropOwnProposals(local.group!)
    local.saveGroup(step)
    local.fail(step, number, refusal(answer))
  })
}

/** Of each epoch a new one: a commit that ends the epoch forgets the one before. */
async function requestToLeave(work: Work, [number, wish]: readonly [number, WishOf<"leave">]): Promise<Outgoing> {
  const { local, steps } = work
  if (wish.outgoing === undefined) return proposeLeave(work, number)
  const again = placed(work, wish.outgoing)
  if (again !== wish.outgoing)
    await steps.run(local, (step) => local.putWish(step, number, { ...wish, outgoing: again }))
  return again
}

function dropOwnProposals(group: Group): void {
  for (const { ref, proposal } of group.proposals) {
    if (proposal.type === "remove" && proposal.removed === group.ownLeafIndex) group.discardProposal(ref)
  }
}

function proposeLeave(work: Work, number: number): Promise<Outgoing> {
  const { local, steps, invitations } = work
  return steps.run(local, (step) => {
    const group = local.group!
    const { epoch } = group
    const authenticatedData = invitations.isDeclined(local.key) ? declinedData("declined") : new Uint8Array()
    const body = group.propose({ type: "remove", leafIndex: group.ownLeafIndex }, { authenticatedData }).message
    const request = outgoing(work, { kind: "proposal", epoch, body, commit: undefined })
    local.putWish(step, number, { type: "leave", outgoing: request, acceptedSeq: undefined })
    local.saveGroup(step)
    return request
  })
}

/** Nobody is there to ask. */
async function leaveAlone(work: Work): Promise<void> {
  const oldKeys = await keysUnder(work, recordKeys.group(work.local.key))
  await work.steps.run(work.local, (step) => leaveNow(work, step, oldKeys))
}

function leaveNow({ local, identity }: Work, step: Step, oldKeys: readonly string[]): void {
  for (const [number, wish] of [...local.wishes]) if (wish.type === "leave") local.fulfil(step, number)
  local.failAll(step, { code: "NOT_A_MEMBER", reason: "this device left the conversation" })
  local.dropGroup(step, oldKeys)
  local.update(step, { status: "left", reason: "", departures: [] })
  step.emit({ type: "left", conversation: local.id, by: identity.name })
}

/** What the service has accepted right behind the cursor needs no reading: it is our own, and its chain hash is known. */
async function reachAccepted(work: Work, { kind, outgoing: { epoch, body }, answer }: Accepted): Promise<void> {
  if (answer.seq !== work.local.state.cursor + 1n) {
    learnHead(work, answer.seq)
    return
  }
  await follow(work, { seq: answer.seq, kind, epoch, body, chainHash: answer.chainHash, at: BigInt(work.now()) })
}

interface Accepted {
  readonly kind: "application" | "commit"
  readonly outgoing: Outgoing
  readonly answer: AnswerOf<"accepted">
}

/** An answer that will be the same next time. */
export function refusal(answer: DeliveryAnswer): { code: ClientErrorCode; reason: string } {
  const code = answer.type === "tooLarge" ? "TOO_LARGE" : "REFUSED"
  return { code, reason: `the service refused it: ${refusalOf(answer)}` }
}
