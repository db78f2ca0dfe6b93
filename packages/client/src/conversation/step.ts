import type { Entry } from "@conclave/contracts/delivery"
import type { Knock } from "@conclave/contracts/knocks"
import { equalBytes } from "@conclave/crypto"
import { ClientError, thisDeviceRevoked } from "../errors.js"
import type { Wish } from "../records/records.js"
import { hearKnocks } from "./answering.js"
import { onAnswer } from "./answers.js"
import { type Beginning, begin } from "./beginning.js"
import { continueElsewhere, type Places, type TakenOver } from "./continuing.js"
import type { Effect } from "./effects.js"
import { acceptInvitation, concludeInvitation, declineInvitation, type Joined, join, type Kept } from "./invitation.js"
import { hearOfAnswer } from "./knocking.js"
import { addMessage } from "./messages.js"
import { askAgain, encryptAtOnce, proceed } from "./next.js"
import type { Payload } from "./payload.js"
import type { ToldHead } from "./position.js"
import { type Answered, disposeOf, type Next } from "./question.js"
import type { Moment, State } from "./state.js"
import { Turn } from "./turn.js"

/** What an application wishes: a message of which only the content is known, or anything else. */
export type NewWish =
  | { readonly type: "say"; readonly body: Payload["body"] }
  | Exclude<Wish, { readonly type: "message" | "create" }>

/**
 * What happens to a conversation.
 *
 * - `go`: it may go on, from what is stored.
 * - `answered`: a question has been answered; `number` is that of the question, and an answer to an earlier one is
 *   passed over.
 * - `wished`, `accepted`, `declined`, `approved`: what the person, or the application, wants.
 * - `created`, `joined`: how it begins, or begins again.
 * - `continued`: another group takes its place, in the same transaction in which that `takes` what waits here.
 * - `brought`: the stream has brought entries, in order; `interrupted`: it has lost count.
 * - `head unknown`: the log may have grown; `polled`: so may it, and while there is no stream nobody says so. With `knocks`
 *   those are asked for, too.
 * - `knocked`: members cannot follow, and ask to be let in; `answered knock`: one of them has been, perhaps this device.
 * - `asked again`: the application wants to know now: no pause is waited for.
 */
export type Input =
  | { readonly type: "go" }
  | ({ readonly type: "answered"; readonly number: number } & Answered)
  | { readonly type: "wished"; readonly wish: NewWish }
  | { readonly type: "accepted"; readonly kept: readonly Kept[]; readonly cursor: bigint; readonly takes?: TakenOver }
  | { readonly type: "declined" }
  | { readonly type: "approved"; readonly signatureKey: Uint8Array }
  | { readonly type: "created"; readonly beginning: Beginning }
  | { readonly type: "joined"; readonly joined: Joined }
  | { readonly type: "continued"; readonly by: Uint8Array; readonly places: Places }
  | {
      readonly type: "brought"
      readonly entries: readonly Entry[]
      readonly headSeq: bigint
      readonly told: ToldHead | undefined
    }
  | { readonly type: "interrupted" }
  | { readonly type: "head unknown" }
  | { readonly type: "polled"; readonly knocks: boolean }
  | { readonly type: "knocked"; readonly knocks: readonly Knock[] }
  | { readonly type: "answered knock"; readonly id: Uint8Array }
  | { readonly type: "asked again" }

export interface Stepped {
  readonly state: State
  readonly effects: readonly Effect[]
}

/**
 * One step of a conversation: what `input` means in `state`, at `moment`. Synchronous; time and randomness come with the
 * moment, and everything that leaves the conversation is an effect. It owns `state`: the state that it returns takes the
 * place of the one that it was given. Where it throws, or where its effects cannot be stored, what is stored has to be
 * read again: see {@link State}.
 *
 * It goes on until it needs an answer, or there is nothing to do: its last effect is the question, if there is one.
 */
export function step(state: State, input: Input, moment: Moment): Stepped {
  const turn = new Turn(state, moment)
  const next = take(turn, input)
  const question = next === "again" ? proceed(turn) : next === "idle" ? undefined : next
  if (question === undefined && next === "again") concludeInvitation(turn)
  const effects = turn.effects()
  if (next === "idle") return { state, effects }
  state.asking = question
  state.asked++
  if (question === undefined) return { state, effects }
  return { state, effects: [...effects, { type: "ask", question, number: state.asked }] }
}

/** `idle`: what is under way goes on as it was. */
function take(turn: Turn, input: Input): Next {
  const { state } = turn
  switch (input.type) {
    case "go":
      state.inviting.clear()
      return "again"
    case "answered":
      if (input.number !== state.asked || state.asking === undefined) {
        disposeOf(input)
        turn.add({ type: "again" })
        return "idle"
      }
      state.asking = undefined
      return onAnswer(turn, input)
    case "wished":
      wish(turn, input.wish)
      return "idle"
    case "accepted":
      acceptInvitation(turn, input)
      return "idle"
    case "declined":
      declineInvitation(turn)
      return "idle"
    case "approved":
      approve(turn, input.signatureKey)
      return "idle"
    case "created":
      begin(turn, input.beginning)
      return "idle"
    case "joined":
      state.asked++
      state.asking = undefined
      join(turn, input.joined)
      return "idle"
    case "continued":
      continueElsewhere(turn, input)
      return "idle"
    case "brought":
      state.position.bring(input.entries, input.headSeq, input.told)
      return "idle"
    case "interrupted":
      state.position.forget()
      return "idle"
    case "head unknown":
      state.position.doubtHead()
      return "idle"
    case "polled":
      state.position.doubtHead()
      if (input.knocks) state.wantsKnocks = true
      return "idle"
    case "knocked":
      hearKnocks(state, input.knocks, turn.moment.now)
      return "idle"
    case "answered knock":
      if (state.knock !== undefined && equalBytes(state.knock.id, input.id)) hearOfAnswer(state)
      return "idle"
    case "asked again":
      askAgain(state)
      return "idle"
  }
}

// --- What the person wants -------------------------------------------------------------------------------------------

function wish(turn: Turn, wished: NewWish): void {
  const refusal = refusalOf(turn)
  if (refusal !== undefined) {
    turn.add({ type: "refused", error: refusal })
    return
  }
  if (wished.type !== "say") {
    turn.add({ type: "wished", wish: turn.addWish(wished), messageId: undefined })
    return
  }
  const { number, payload } = addMessage(turn, wished.body)
  turn.add({ type: "wished", wish: number, messageId: payload.messageId })
  encryptAtOnce(turn, number)
}

function refusalOf({ state, moment }: Turn): ClientError | undefined {
  const { status, reason } = state.facts
  const { answer } = moment.invitation ?? {}
  if (moment.revoked.isThisDevice) return thisDeviceRevoked()
  if (answer === "waiting") return new ClientError("NOT_A_MEMBER", "this invitation has not been accepted")
  if (answer === "declined") return new ClientError("NOT_A_MEMBER", "this invitation was declined")
  if (status === "left" || status === "leaving") {
    return new ClientError("NOT_A_MEMBER", (status === "left" && reason) || "this conversation was left")
  }
  if (status === "continued") {
    return new ClientError("CONTINUED", "this conversation goes on in a new group: say it there")
  }
  return status === "lost" || status === "stopped" ? new ClientError("LOST", reason) : undefined
}

/** The user has approved a key: what waited for that goes on. */
function approve(turn: Turn, signatureKey: Uint8Array): void {
  const { state } = turn
  const others = state.unapproved.filter((it) => !equalBytes(it.signatureKey, signatureKey))
  if (state.facts.status !== "halted" && others.length === state.unapproved.length) return
  if (state.facts.status === "halted") {
    const asked = [...state.wishes].some(([, it]) => it.type === "leave" && it.acceptedSeq !== undefined)
    turn.update({ status: asked ? "leaving" : "active", reason: "" })
  }
  turn.putUnapproved(others)
  state.position.doubtHead()
  turn.add({ type: "wake" })
}
