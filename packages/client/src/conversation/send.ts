import type { Group } from "@conclave/mls"
import { type Outgoing, recordKeys, type WishOf } from "../core/records.js"
import type { Step } from "../core/steps.js"
import type { ClientErrorCode } from "../events.js"
import { type AnswerOf, type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import { keysUnder, learnHead, type Work } from "./context.js"
import { follow, placePassed } from "./follow.js"
import { declinedData } from "./invitation.js"
import { decodePayload } from "./payload.js"
import { appendRequest } from "./request.js"
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
 * Sends the commit that is stored, the same bytes each time. Only the log says that a commit has won: on success, and
 * on losing the race, the log is read; without an answer nothing is known and nothing changes.
 */
export async function sendCommit(work: Work): Promise<void> {
  const { local, steps, delivery, signal } = work
  const { outgoing } = local.commit!
  const answer = await delivery.send(outgoing.request, signal)
  if (answer.type === "accepted") return reachAccepted(work, { kind: "commit", outgoing, answer })
  if (answer.type === "stale") return loseRace(work, outgoing)
  const why = refusal(answer)
  await steps.run(local, (step) => {
    local.group?.discardPending()
    local.saveGroup(step)
    for (const wish of local.commit?.wishes ?? []) local.fail(step, Number(wish), why)
    local.putCommit(step, undefined)
  })
}

/** The log has to contain the commit that was faster. If it does not, the service contradicts itself: rejoin. */
async function loseRace(work: Work, outgoing: Outgoing): Promise<void> {
  work.headSeq = undefined
  if (work.staleCommit !== outgoing.request) {
    work.staleCommit = outgoing.request
    return
  }
  await work.steps.run(work.local, (step) =>
    work.local.update(step, { status: "recovering", reason: "the service knows an epoch that its log does not show" }),
  )
}

/** Sends the message of a wish; encrypts and stores it first, where that has not been done. */
export async function sendMessage(work: Work, [number, wish]: readonly [number, WishOf<"message">]): Promise<void> {
  const { delivery, signal, steps, local } = work
  const outgoing = wish.outgoing ?? (await encryptMessage(work, number, wish))
  const answer = await delivery.send(outgoing.request, signal)
  if (answer.type === "accepted") {
    await steps.run(local, (step) => {
      local.putWish(step, number, { ...wish, outgoing, acceptedSeq: answer.seq })
      placePassed(work, step)
    })
    return reachAccepted(work, { kind: "application", outgoing, answer })
  }
  await steps.run(local, (step) => {
    // Refused for good: these bytes will never be in the log, and the text may be encrypted again.
    if (answer.type === "epochTooOld" || answer.type === "stale") {
      work.headSeq = undefined
      local.putWish(step, number, { ...wish, outgoing: undefined })
    } else local.fail(step, number, refusal(answer))
  })
}

function encryptMessage(work: Work, number: number, wish: WishOf<"message">): Promise<Outgoing> {
  const { local, steps } = work
  return steps.run(local, (step) => {
    const { epoch } = local.group!
    const body = local.group!.encrypt(wish.payload)
    const request = appendRequest(work, { kind: "application", epoch, body, commit: undefined })
    if (decodePayload(wish.payload).body.type !== "title") announceTitleIfDue(work, step)
    const outgoing: Outgoing = { epoch, body, request }
    local.putWish(step, number, { ...wish, outgoing })
    local.saveGroup(step)
    return outgoing
  })
}

/** Asks the others to remove this device: nobody can commit their own removal (RFC 9420 §12.4). */
export async function sendLeave(work: Work, [number, wish]: readonly [number, WishOf<"leave">]): Promise<void> {
  const { local, steps, delivery, signal } = work
  if (local.group?.memberCount === 1) return leaveAlone(work)
  const outgoing = wish.outgoing ?? (await proposeLeave(work, number))
  const answer = await delivery.send(outgoing.request, signal)
  await steps.run(local, (step) => {
    if (answer.type === "accepted") markLeaving(work, step, number, answer.seq)
    else if (answer.type === "stale" || answer.type === "epochTooOld") {
      work.headSeq = undefined
      local.putWish(step, number, { type: "leave", outgoing: undefined, acceptedSeq: undefined })
    } else {
      dropOwnProposals(local.group!)
      local.saveGroup(step)
      local.fail(step, number, refusal(answer))
    }
  })
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
    const request = appendRequest(work, { kind: "proposal", epoch, body, commit: undefined })
    const outgoing: Outgoing = { epoch, body, request }
    local.putWish(step, number, { type: "leave", outgoing, acceptedSeq: undefined })
    local.saveGroup(step)
    return outgoing
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
  local.update(step, { status: "left", departures: [] })
  step.emit({ type: "left", conversation: local.id, by: identity.name })
}

/** What the service has accepted right behind the cursor needs no reading: it is our own, and its chain hash is known. */
async function reachAccepted(work: Work, { kind, outgoing, answer }: Accepted): Promise<void> {
  if (answer.seq !== work.local.state.cursor + 1n) {
    learnHead(work, answer.seq)
    return
  }
  const { epoch, body } = outgoing
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
