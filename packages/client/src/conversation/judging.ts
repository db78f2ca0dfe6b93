import { equalBytes } from "@conclave/crypto"
import { type Judgement, nameOf, refusalInWords } from "@conclave/identity/verdicts"
import type { Turn } from "./turn.js"

/** A crowd is reported in few words. */
const NAMED_MAX = 20

/**
 * A commit is followed whoever is added, so that nobody can stop a group by whom they add. Members whom this device does
 * not accept raise an alert, and until the user approves them, or they are removed, nothing is sent that they could
 * read, and nothing that they say is shown.
 */
export function hold(turn: Turn, judgement: Judgement): void {
  const { state } = turn
  const before = state.unapproved.filter(({ signatureKey }) => state.group?.hasSignatureKey(signatureKey))
  const isRevoked = ({ name, signatureKey }: { readonly name: string; readonly signatureKey: Uint8Array }) =>
    turn.moment.revoked.since(name, signatureKey) !== undefined
  const held = judgement.verdicts.flatMap(({ accepted, claim: { credential, signatureKey } }) => {
    const member = { name: nameOf(credential) ?? "", signatureKey }
    return accepted && !isRevoked(member) ? [] : [member]
  })
  // A device that was revoked is taken out before anything is said: what it says is not shown, and nobody is asked about it.
  const found = held.filter((it) => !isRevoked(it))
  const isKnown = ({ signatureKey }: { readonly signatureKey: Uint8Array }) =>
    before.some((it) => equalBytes(it.signatureKey, signatureKey))
  const unapproved = [...before, ...held.filter((it) => !isKnown(it))]
  if (unapproved.length !== state.unapproved.length || held.length > 0) turn.putUnapproved(unapproved)
  if (found.length === 0) return
  const names = [...new Set(found.map(({ name }) => name))].slice(0, NAMED_MAX)
  emitRefusedKeys(turn, judgement)
  // Also a key that the directory does not know: the user cannot approve a key that nobody names.
  const isNamed = (key: Uint8Array) => judgement.keyChanges.some((it) => equalBytes(it.signatureKey, key))
  for (const key of found.filter(({ signatureKey }) => !isNamed(signatureKey)).slice(0, NAMED_MAX)) {
    turn.emit({ type: "keyChanged", conversation: state.id, ...key, endorsed: false, accepted: false })
  }
  turn.emit({ type: "halted", conversation: state.id, names, reason: refusalInWords(judgement) })
}

/** Of a judgement that was not acted upon, only the refusals are events. */
export function emitRefusedKeys(turn: Turn, judgement: Judgement | undefined): void {
  for (const change of judgement?.keyChanges ?? []) {
    const { name, signatureKey, endorsed, accepted } = change
    if (!accepted)
      turn.emit({ type: "keyChanged", conversation: turn.state.id, name, signatureKey, endorsed, accepted })
  }
}

/** Where nobody is to be judged. */
export const nobodyJudged: Judgement = { verdicts: [], pins: [], keyChanges: [], refused: [] }
