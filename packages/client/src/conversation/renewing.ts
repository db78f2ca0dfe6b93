import type { Wish } from "../records/records.js"
import type { Moment, State } from "./state.js"
import type { Turn } from "./turn.js"

/** Devices, and conversations, renew at different times: up to a quarter of the age later. */
const JITTER = 0.25

/**
 * When this device's leaf is old (Unix time in milliseconds): whoever had a copy of the device's state until then follows no
 * further than the renewal, and comes back no more (post-compromise security, RFC 9420 §16.6).
 */
function oldAt({ id, facts }: State, { identity, renewAfterMilliseconds }: Moment): number {
  const [high = 0, low = 0] = identity.sha256(id, identity.deviceId)
  return Number(facts.leafSince) + renewAfterMilliseconds * (1 + (JITTER * (high * 256 + low)) / 65_536)
}

/**
 * When this device renews its leaf by age, where it has spoken since it was set; `undefined` where it waits until it is to
 * speak. A person who has not accepted the invitation does nothing in the conversation.
 */
export function renewalDue(state: State, moment: Moment): number | undefined {
  const { status, hasSpoken, renewalDue: isDue } = state.facts
  const { invitation, renewalsLeft } = moment
  if (status !== "active" || !hasSpoken || isDue || renewalsLeft <= 0 || state.names.length < 2) return undefined
  if (invitation?.answer === "waiting" || invitation?.answer === "declined") return undefined
  return oldAt(state, moment)
}

/** The leaf is old, and this device has spoken since it was set, or is about to. */
export function renewIfOld(turn: Turn, next: Wish | undefined): void {
  const { state, moment } = turn
  const due = renewalDue(state, moment)
  const isSpeaking = next?.type === "message" && state.names.length > 1 && oldAt(state, moment) <= moment.now
  if (state.facts.renewalDue || (!isSpeaking && (due === undefined || due > moment.now))) return
  turn.update({ renewalDue: true })
  turn.add({ type: "renewing" })
}

/**
 * A device that was let in again has a leaf with fresh keys, and renews it next. What it says does not wait for that: where many
 * come back at once, the service takes one commit after the other.
 */
export function mayPrecedeRenewal(state: State, moment: Moment): boolean {
  const { group, commit, facts } = state
  if (!facts.renewalDue || oldAt(state, moment) <= moment.now) return false
  return group?.proposals.length === 0 && (commit === undefined || commit.wishes.length === 0)
}

/** This device's leaf has been set. */
export function noteRenewed(turn: Turn): void {
  if (turn.state.facts.renewalDue) turn.add({ type: "renewed" })
  turn.update({ renewalDue: false, leafSince: BigInt(turn.moment.now), hasSpoken: false })
}

/** This device has sent a message. */
export function noteSpoken(turn: Turn): void {
  if (!turn.state.facts.hasSpoken) turn.update({ hasSpoken: true })
}
