import { DecodeError, encode } from "@conclave/codec"
import type { Entry } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import { nameOf } from "@conclave/identity/verdicts"
import type { Received } from "@conclave/mls"
import { decodeEnvelope, encodeEnvelope } from "../heads/claims.js"
import { contentOf, type EffectKind } from "../kinds/contents.js"
import { type Outgoing, recordKeys, StoredMessage, type WishOf } from "../records/records.js"
import { claimOf, compareHead } from "./heads.js"
import { decodePayload, encodePayload, PAYLOAD_VERSION, type Payload, TITLE_SIZE_MAX } from "./payload.js"
import { noteSpoken } from "./renewing.js"
import { outgoing } from "./request.js"
import { isRefusedAsStale, movedIfStale, targetOf } from "./sending.js"
import type { State } from "./state.js"
import type { Turn } from "./turn.js"
import type { Numbered } from "./wishes.js"

type MessageWish = WishOf<"message">
type Place = Pick<Entry, "seq" | "epoch">

// --- This device's own -----------------------------------------------------------------------------------------------

export function addMessage(turn: Turn, body: Payload["body"]): { readonly number: number; readonly payload: Payload } {
  const { random, now } = turn.moment
  const payload: Payload = { version: PAYLOAD_VERSION, messageId: random(16), sentAt: BigInt(now), body }
  const unsent = { outgoing: undefined, acceptedSeq: undefined }
  return { number: turn.addWish({ type: "message", payload: encodePayload(payload), ...unsent }), payload }
}

/**
 * The title goes to newcomers as a message: only members can read it. It goes with every commit and every message of
 * this device, until an announcement of any member has been seen: one too many changes nothing.
 */
export function announceTitleIfDue(turn: Turn): void {
  const { title, titleDueSince } = turn.state.facts
  if (titleDueSince === undefined) return
  turn.update({ titleDueSince: undefined })
  addMessage(turn, { type: "title", title })
}

/**
 * The ciphertext of a message wish, stored before it is sent. It is encrypted again only when the first ciphertext can
 * never be placed, because its epoch is over.
 */
export function encrypted(turn: Turn, [number, wish]: Numbered<MessageWish>): MessageWish {
  const { state } = turn
  const { outgoing: before } = wish
  if (before === undefined) return encrypt(turn, [number, wish])
  if (before.epoch !== state.group!.epoch && isRefusedAsStale(state, before)) return encrypt(turn, [number, wish])
  const sent = movedIfStale(turn, before)
  if (sent === before) return wish
  const again = { ...wish, outgoing: sent }
  turn.putWish(number, again)
  return again
}

function encrypt(turn: Turn, [number, wish]: Numbered<MessageWish>): MessageWish {
  const { state, moment } = turn
  const group = state.group!
  const { epoch } = group
  const body = group.encrypt(encodeEnvelope(wish.payload, claimOf(state, moment)))
  const append = { kind: "application", epoch, body, commit: undefined } as const
  const encryptedWish = { ...wish, outgoing: outgoing(targetOf(state), append, moment.random), acceptedSeq: undefined }
  turn.putWish(number, encryptedWish)
  noteSpoken(turn)
  if (decodePayload(wish.payload).body.type !== "title") announceTitleIfDue(turn)
  turn.saveGroup()
  return encryptedWish
}

/** The message of this device that an entry is, byte for byte: it need not be decrypted. Of an expired one, by its hash. */
export function ownMessageAt({ state, moment }: Turn, entry: Entry): Numbered<MessageWish> | undefined {
  const { kind, epoch, body, begins } = entry
  if (kind !== "application" && kind !== "expired") return undefined
  // It stops all others.
  if (begins !== undefined) return undefined
  const shown = (sent: Uint8Array) => (kind === "expired" ? moment.identity.sha256(sent) : sent)
  return state.wishes
    .encrypted()
    .find(([, { outgoing: sent }]) => sent?.epoch === epoch && equalBytes(shown(sent.body), body))
}

/**
 * Messages of this device whose place is at or before the cursor, where this device does not read them, because it has
 * rejoined meanwhile. Where it has read something else there, the service has not told the truth: nothing is known.
 */
export function placePassed(turn: Turn): void {
  const { wishes, position } = turn.state
  for (const [number, wish] of wishes.encrypted()) {
    const { acceptedSeq: seq, outgoing: sent } = wish
    if (sent === undefined || seq === undefined || seq > position.cursor) continue
    if (wasSkipped(turn.state, sent)) placeOwn(turn, { seq, epoch: sent.epoch }, [number, wish])
    else turn.putWish(number, { ...wish, acceptedSeq: undefined })
  }
}

/** Whether the place of a message may be among those that this device has not read: it was encrypted before it rejoined. */
export function wasSkipped({ facts }: State, { epoch }: Pick<Outgoing, "epoch">): boolean {
  return epoch < facts.firstEpoch
}

export function placeOwn(turn: Turn, place: Place, [number, wish]: Numbered<MessageWish>): void {
  const { name } = turn.moment.identity
  turn.fulfil(number)
  const { body } = decodePayload(wish.payload)
  if (contentOf(body) === undefined) {
    takeEffect(turn, place, { from: name, body })
    return
  }
  remember(turn, place, { from: name, own: true, payload: wish.payload })
  turn.emit({ type: "sent", conversation: turn.state.id, seq: shown(turn, place), payload: wish.payload })
}

// --- Others' ---------------------------------------------------------------------------------------------------------

export function takeMessage(turn: Turn, entry: Entry, received: Received & { readonly type: "application" }): void {
  const { state } = turn
  const { credential, signatureKey } = received.sender
  const from = nameOf(credential)
  const read = readEnvelope(received.plaintext)
  compareHead(turn, { seq: entry.seq, by: received.sender, claim: read?.head })
  // Its place in the log is after the commit that removed its sender: the service accepts late messages. One that was
  // under way is no reason for an event, and its sender is told that it failed.
  if (!state.group!.hasSignatureKey(signatureKey)) return
  if (state.isUnapproved(signatureKey)) {
    turn.reject("UNAPPROVED", `what ${from} says with a key that nobody has approved is not shown`)
  } else if (from === undefined || read === undefined) {
    turn.reject("UNREADABLE", `a message from ${from ?? "a member without a name"} cannot be read`)
  } else if (contentOf(read.body) !== undefined) {
    const { payload } = read
    const message = { from, own: false, payload }
    // It was read before a backup of the service was restored, and is in its place.
    if (state.told.has(turn.moment.identity, message)) return
    remember(turn, entry, message)
    turn.emit({ type: "message", conversation: state.id, from, seq: shown(turn, entry), payload })
  } else {
    takeEffect(turn, entry, { from, body: read.body })
  }
}

function readEnvelope(plaintext: Uint8Array) {
  try {
    const { head, payload } = decodeEnvelope(plaintext)
    return { head, payload, body: decodePayload(payload).body }
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

/** What content that is not a message does, by its kind; `from` may be this device's own name. */
const effects: { readonly [T in EffectKind]: (turn: Turn, place: Place, said: Said<T>) => void } = {
  title: takeTitle,
}

interface Said<T extends Payload["body"]["type"]> {
  readonly from: string
  readonly body: Extract<Payload["body"], { readonly type: T }>
}

function takeEffect(turn: Turn, place: Place, said: Said<Payload["body"]["type"]>): void {
  // The compiler cannot follow that a body and its effect belong together.
  const effect: (turn: Turn, place: Place, said: any) => void = effects[said.body.type as EffectKind]
  effect(turn, place, said)
}

function takeTitle(turn: Turn, place: Place, { from, body: { title } }: Said<"title">): void {
  if (new TextEncoder().encode(title).length > TITLE_SIZE_MAX) {
    turn.reject("UNREADABLE", `a title from ${from} has more than ${TITLE_SIZE_MAX} bytes`)
    return
  }
  const { title: before, titleDueSince } = turn.state.facts
  // Every member of the message's epoch reads it too; whoever was added after that does not, and has another title.
  const isDue = titleDueSince !== undefined && place.epoch < titleDueSince
  const isLate = title !== before && place.epoch < turn.state.epoch
  turn.update({ title, titleDueSince: isLate ? turn.state.epoch : isDue ? titleDueSince : undefined })
  if (title === before) return
  turn.changeInvitation({ type: "title", from })
  turn.emit({ type: "title", conversation: turn.state.id, from, title })
}

/** The place of a message as the application sees it: no service that was restored gives it to another one. */
function shown({ state }: Turn, { seq }: Pick<Place, "seq">): bigint {
  return seq + state.facts.shift
}

function remember(turn: Turn, place: Place, message: StoredMessage): void {
  const { keepHistory, invitation } = turn.moment
  turn.state.told.add(turn.moment.identity, message)
  // Nothing is reported before an invitation is accepted: until then the history is all there is.
  if (!keepHistory && invitation?.answer !== "waiting") return
  turn.put(recordKeys.message(turn.state.key, Number(shown(turn, place))), encode(StoredMessage, message))
}
