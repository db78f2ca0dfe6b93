import { equalBytes } from "@conclave/crypto"
import { hex } from "../bytes.js"
import { without } from "../conversation/announcing.js"
import { canBeContinued, type Places, type TakenOver, unplaced, waitingMessages } from "../conversation/continuing.js"
import type { Effect } from "../conversation/effects.js"
import { isMissing } from "../conversation/missing.js"
import type { Input } from "../conversation/step.js"
import type { ContinuedConversation, Conversation } from "../conversation.js"
import type { Reloadable, Transaction } from "../journal/transactions.js"
import { Unavailable } from "../service/call.js"
import type { Driver } from "./driver.js"

/** A conversation, and what drives it. */
export interface Continuable extends Conversation {
  readonly driver: Driver
}

/** Finds a conversation by its id, listed or not; not one whose invitation was declined. */
export type Find = (id: string) => Continuable | undefined

/**
 * What an invitation continues, as this device sees it now. It is an ordinary invitation to all who have no reason to leave
 * what they have: a claim must not take over a conversation that works, or one that the claimant was not in. So it counts
 * only where this device cannot go on in the old one. Who invites, and with which key, was compared when the invitation came.
 */
export function continuedIn(invited: Continuable, find: Find): ContinuedConversation | undefined {
  const { state, means } = invited.driver
  const by = means.invitations.get(invited.id)?.by
  const { continues } = state.continuation
  const before = continues && find(hex(continues.groupId))
  if (by === undefined || before === undefined || !mayBeContinued(before)) return undefined
  return compared(before, { by, names: state.names, told: continues!.names })
}

/** The same of an invitation that is just coming in. */
export function compared(
  conversation: Continuable,
  { by, names, told }: { readonly by: string; readonly names: readonly string[]; readonly told: readonly string[] },
): ContinuedConversation {
  const known = conversation.driver.state.names
  const isSame = without(told, known).length + without(known, told).length === 0
  return { conversation, by, added: without(names, known), removed: without(known, names), known: isSame }
}

export function mayBeContinued({ id, driver }: Continuable): boolean {
  return (canBeContinued(driver.state) || isMissing(driver.state)) && !driver.means.invitations.isWaiting(id)
}

/** The person accepts an invitation, which continues the conversation `claimed`. */
export function acceptContinuing(
  invited: Continuable,
  claimed: Continuable,
  { find, input }: { readonly find: Find; readonly input: (takes: TakenOver) => Input },
): Promise<readonly Effect[]> {
  // Where another group has taken its place already, the newest that was accepted takes the place of that.
  const before = lastOf(claimed, find)
  const { groupId } = invited.driver.state.continuation.continues!
  const continues = { groupId, names: claimed.driver.state.names }
  return takeOver(before.driver, invited.driver, { continues, require: () => {}, input, beside: () => {} })
}

function lastOf(conversation: Continuable, find: Find): Continuable {
  const { after } = conversation.driver.state.continuation
  const next = after && find(hex(after))
  return next === undefined ? conversation : lastOf(next, find)
}

export interface TakingOver {
  /** What the new one's Welcomes say; by default that it continues `before`. */
  readonly continues?: TakenOver["continues"]
  /** Throws where it is too late. */
  readonly require: () => void
  readonly input: (takes: TakenOver) => Input
  readonly beside: (transaction: Transaction, effects: readonly Effect[]) => void
}

/**
 * Two steps in one transaction: `after` begins, or is accepted, with what waits in `before`; and `before` ends. Each message
 * is in one of them at any time, whatever fails.
 */
export async function takeOver(
  before: Driver,
  after: Driver,
  { continues, require, input, beside }: TakingOver,
): Promise<readonly Effect[]> {
  const { transactions } = before.means
  for (;;) {
    const places = await placesOf(before)
    const done = await transactions.run(together(before, after), (transaction) => {
      require()
      const { state } = before
      // What has been said meanwhile may have a place, too.
      if (unplaced(state).some(([number]) => !places.has(number))) return undefined
      const waiting = waitingMessages(state, places)
      const told = continues ?? { groupId: state.id, names: state.names }
      const payloads = waiting.map(([, { payload }]) => payload)
      const effects = after.take(transaction, input({ before: state.id, continues: told, payloads }))
      // Accepting is tried again: nothing has happened.
      if (effects.some(({ type }) => type === "again")) return effects
      const moved = effects.flatMap((effect) => (effect.type === "took over" ? effect.wishes : []))
      for (const [at, [wish]] of waiting.entries()) {
        const taken = moved[at]
        if (taken !== undefined) before.handOver(transaction, wish, { driver: after, wish: taken })
      }
      before.take(transaction, { type: "continued", by: after.state.id, places })
      beside(transaction, effects)
      return effects
    })
    if (done !== undefined) {
      after.runner.wake()
      return done
    }
  }
}

function together(...parts: readonly Reloadable[]): Reloadable {
  return {
    async reload() {
      for (const part of parts) await part.reload()
    },
    settled() {
      for (const part of parts) part.settled?.()
    },
  }
}

/**
 * Where the log has messages of this device of which it has no word from the service: it was sending them when it lost its
 * place. The log is read for them, and nothing else: its content is for those who can follow.
 */
async function placesOf({ state, means }: Driver): Promise<Places> {
  const { delivery, signal, identity } = means
  const wanted = unplaced(state)
  const places = new Map<number, bigint | undefined>(wanted.map(([number]) => [number, undefined]))
  let isShortened = false
  for (let after = state.position.cursor; wanted.length > 0; ) {
    const answer = await delivery.read(state.id, after, { prover: state.intervals.newest, signal })
    // A service that says it again and again would be asked for ever.
    if (answer.type === "belowRetention" && !isShortened) {
      isShortened = true
      after = answer.oldestSeq - 1n
      continue
    }
    if (answer.type !== "entries") {
      throw new Unavailable("the service does not show whether messages that wait have been sent")
    }
    for (const { seq, kind, body } of answer.entries) {
      if (seq !== ++after) throw new Unavailable("the service shows a log with a gap")
      const own = wanted.find(([, { outgoing }]) => {
        const sent = outgoing!.body
        return equalBytes(kind === "expired" ? identity.sha256(sent) : sent, body)
      })
      if (own !== undefined) places.set(own[0], seq)
    }
    if (answer.entries.length === 0) break
  }
  return places
}
