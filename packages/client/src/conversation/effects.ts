import type { Judgement } from "@conclave/identity/verdicts"
import type { ClientError } from "../errors.js"
import type { NewEvent, StoredInvitation } from "../records/records.js"
import type { KnockRefusal } from "./admission.js"
import type { Question } from "./question.js"

export type InvitationChange =
  | { readonly type: "add"; readonly invitation: Omit<StoredInvitation, "at" | "times" | "titleFrom"> }
  | { readonly type: "answer"; readonly answer: "accepted" | "declined" }
  | { readonly type: "title"; readonly from: string }
  | { readonly type: "end" }

/**
 * What a step leads to. All that is stored by one step is stored in one transaction, in the order of the effects; the
 * others take place after it, or not at all.
 *
 * Stored: `renewed` that this device's keys were, by age or after a knock; `put`, `delete`, `deleteUnder` (every key that begins with `prefix` and comes after `after`), `keep` (an
 * earlier message's record, to which an event can refer), `emit` an event,
 * `trust` what a judgement accepted (pins, and events about them), `invitation`.
 *
 * After that: `settle` the call that waits for a wish, `wished` says under which number a wish was stored, `took over`
 * under which numbers those of the conversation before it, `refused` why it was not, `again` that the input was of an earlier state, `wake`, `hide` or `forget` the conversation, `reach`
 * further in the log with a new key, `renewing` that a renewal by age begins, `note` something in the client's own log, `ask`.
 */
export type Effect =
  | { readonly type: "put"; readonly key: string; readonly record: Uint8Array }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "deleteUnder"; readonly prefix: string; readonly after?: string }
  | { readonly type: "keep"; readonly key: string }
  | { readonly type: "emit"; readonly event: NewEvent }
  | { readonly type: "trust"; readonly judgement: Judgement }
  | { readonly type: "invitation"; readonly change: InvitationChange }
  | { readonly type: "settle"; readonly wish: number; readonly error: ClientError | undefined }
  | { readonly type: "wished"; readonly wish: number; readonly messageId: Uint8Array | undefined }
  | { readonly type: "took over"; readonly wishes: readonly number[] }
  | { readonly type: "refused"; readonly error: ClientError }
  | { readonly type: "again" }
  | { readonly type: "wake" }
  | { readonly type: "reach" }
  | { readonly type: "renewing" }
  | { readonly type: "renewed" }
  | { readonly type: "note"; readonly of: "knock"; readonly why: KnockRefusal }
  | { readonly type: "hide" }
  | { readonly type: "forget" }
  | { readonly type: "ask"; readonly question: Question; readonly number: number }
