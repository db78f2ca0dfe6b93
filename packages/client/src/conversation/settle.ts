import { equalBytes } from "@conclave/crypto"
import type { StagedCommit } from "@conclave/mls"
import type { Step } from "../core/steps.js"
import { type Judgement, type KeyChange, nameOf, refusalInWords } from "../identity/judge.js"
import type { Work } from "./context.js"
import { encodePayload, PAYLOAD_VERSION, type Payload } from "./payload.js"

/** Pins, and loud events, of what has been accepted. */
export function accept(work: Pick<Work, "local" | "judge">, step: Step, judgement: Judgement): void {
  const pinned = judgement.pins.filter((pin) => work.judge.pin(step, pin))
  // Who is invited is judged when the invitation is made, and when it is committed: told once. With somebody who is met,
  // also of devices that pretend to be theirs.
  const isNews = ({ name, signatureKey, accepted }: KeyChange) =>
    pinned.some((pin) => (accepted ? equalBytes(pin.signatureKey, signatureKey) : pin.name === name))
  emitKeyChanges(work, step, { ...judgement, keyChanges: judgement.keyChanges.filter(isNews) })
}

/**
 * The group is followed whoever is in it, so that nobody can stop it by whom they add. What has been judged otherwise is
 * told, and until the user approves it, or it is gone, nothing is sent that it could read, and nothing it says is shown.
 */
export function hold(work: Work, step: Step, judgement: Judgement): void {
  const { local } = work
  const before = local.unapproved.filter(({ signatureKey }) => local.group?.hasSignatureKey(signatureKey))
  const found = judgement.verdicts.flatMap(({ accepted, claim: { credential, signatureKey } }) =>
    accepted ? [] : [{ name: nameOf(credential) ?? "", signatureKey }],
  )
  const isKnown = ({ signatureKey }: { readonly signatureKey: Uint8Array }) =>
    before.some((it) => equalBytes(it.signatureKey, signatureKey))
  const unapproved = [...before, ...found.filter((it) => !isKnown(it))]
  if (unapproved.length !== local.unapproved.length || found.length > 0) local.putUnapproved(step, unapproved)
  if (found.length === 0) return
  const names = [...new Set(found.map(({ name }) => name))].slice(0, TOLD_MAX)
  emitRefusedKeys(work, step, judgement)
  // Of a key that the directory does not know, too: the user cannot approve what nobody names.
  const isTold = (key: Uint8Array) => judgement.keyChanges.some((it) => equalBytes(it.signatureKey, key))
  for (const key of found.filter(({ signatureKey }) => !isTold(signatureKey)).slice(0, TOLD_MAX)) {
    step.emit({ type: "keyChanged", conversation: local.id, ...key, endorsed: false, accepted: false })
  }
  step.emit({ type: "halted", conversation: local.id, names, reason: refusalInWords(judgement) })
}

/** A crowd is told of in few words. */
const TOLD_MAX = 20

/** This device cannot come back among people that it does not accept: it stays out until the user has decided. */
export async function halt(work: Work, judgement: Judgement): Promise<void> {
  const { local, steps } = work
  await steps.discard(local)
  await steps.run(local, (step) => {
    const names = [...new Set(judgement.refused.map(({ name }) => name))]
    const reason = refusalInWords(judgement)
    local.update(step, { status: "halted", reason })
    emitRefusedKeys(work, step, judgement)
    step.emit({ type: "halted", conversation: local.id, names, reason })
  })
}

interface Concerned {
  readonly local: { readonly id: Uint8Array } | undefined
}

function emitKeyChanges({ local }: Concerned, step: Step, judgement: Judgement): void {
  for (const change of judgement.keyChanges) step.emit({ type: "keyChanged", conversation: local?.id, ...change })
}

/** Where a judgement was not acted upon, only what was refused has happened. */
export function emitRefusedKeys(concerned: Concerned, step: Step, judgement: Judgement | undefined): void {
  if (judgement === undefined) return
  emitKeyChanges(concerned, step, { ...judgement, keyChanges: judgement.keyChanges.filter((it) => !it.accepted) })
}

/** What a commit means for the one that this device has under way, and for its wishes. */
export function settleCommit(work: Work, step: Step, { own, staged }: { own: boolean; staged: StagedCommit }): void {
  const { local } = work
  if (own && local.commit !== undefined) {
    for (const number of local.commit.wishes) local.fulfil(step, Number(number))
  }
  if (staged.added.length > 0 && local.state.title !== "") local.update(step, { titleDueSince: staged.epoch })
  // Who adds somebody tells them at once; the others with what they do next, if the one who should have is gone.
  if (own) announceTitleIfDue(work, step)
  // Somebody else was faster: the wishes stay, and are compiled again for the new epoch.
  local.putCommit(step, undefined)
  forgetDepartures(work, step)
}

/** Proposals are of one epoch: who wants to leave asks again in the next. */
export function forgetDepartures({ local }: Pick<Work, "local">, step: Step): void {
  local.update(step, { departures: [] })
  for (const [number, wish] of local.wishes) {
    if (wish.type === "leave" && wish.outgoing !== undefined) {
      local.putWish(step, number, { type: "leave", outgoing: undefined, acceptedSeq: undefined })
    }
  }
}

/** Only another invitation helps: wishes end here. */
export function loseTrack({ local }: Work, step: Step, reason: string): void {
  local.putCommit(step, undefined)
  local.update(step, { status: "lost", reason })
  step.emit({ type: "lost", conversation: local.id, reason })
  local.failAll(step, { code: "LOST", reason })
}

/**
 * The title goes to newcomers as a message: only members can read it. With every commit of one's own, and with every
 * message, for as long as nobody's announcement has been seen: one too many changes nothing.
 */
export function announceTitleIfDue(work: Work, step: Step): void {
  const { title, titleDueSince } = work.local.state
  if (titleDueSince === undefined) return
  work.local.update(step, { titleDueSince: undefined })
  addMessage(work, step, { type: "title", title })
}

export function addMessage(work: Work, step: Step, body: Payload["body"]): { number: number; payload: Payload } {
  const payload: Payload = {
    version: PAYLOAD_VERSION,
    messageId: work.random(16),
    sentAt: BigInt(work.now()),
    body,
  }
  const wish = {
    type: "message",
    payload: encodePayload(payload),
    outgoing: undefined,
    acceptedSeq: undefined,
  } as const
  return { number: work.local.addWish(step, wish), payload }
}

/** The service has the request to be removed: the caller may go, and the others carry it out. */
export function markLeaving({ local }: Work, step: Step, number: number, seq: bigint): void {
  const wish = local.wishes.get(number)
  if (wish?.type !== "leave") return
  local.putWish(step, number, { ...wish, acceptedSeq: seq })
  local.update(step, { status: "leaving" })
  for (const [later, { type }] of [...local.wishes].filter(([it]) => it > number)) {
    if (type === "leave") local.fulfil(step, later)
    else local.fail(step, later, { code: "NOT_A_MEMBER", reason: "this device is leaving the conversation" })
  }
  step.after(() => local.settle(number))
}
