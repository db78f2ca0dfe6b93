import type { Client, Conversation } from "@conclave/client"
import type { Kept } from "./kept.js"
import { noDraft } from "./records.js"

/** What stands in the field where one writes. */
export interface Draft {
  readonly text: string
  /** Grows when the text has been changed by anything but `setDraft`: a field that is shown has to read it again. */
  readonly revision: number
}

export const emptyDraft: Draft = Object.freeze({ text: "", revision: 0 })

/**
 * One draft for each conversation. It is written a moment after a change; a text that is given to the client stays a draft
 * until the client has stored it, so that it is lost in no crash, and after one it is a draft again only where the client
 * does not have it.
 */
export class Drafts {
  readonly #kept: Kept
  readonly #now: () => number
  readonly #delayMilliseconds: number
  readonly #shown = new Map<string, Draft>()

  constructor(kept: Kept, options: { readonly now: () => number; readonly delayMilliseconds: number }) {
    this.#kept = kept
    this.#now = options.now
    this.#delayMilliseconds = options.delayMilliseconds
  }

  get(id: string): Draft {
    const { text, sentAt } = this.#kept.get("draft", id) ?? noDraft
    const shown = this.#shown.get(id) ?? emptyDraft
    const seen = sentAt === undefined ? text : ""
    if (shown.text === seen) return shown
    // Another window wrote, or it is shown for the first time.
    return this.#show(id, seen, shown === emptyDraft ? 0 : shown.revision + 1)
  }

  set(id: string, text: string): void {
    this.#show(id, text, this.get(id).revision)
    this.#kept.put("draft", id, text === "" ? undefined : { text }, this.#delayMilliseconds)
  }

  /** Below what stands there. */
  add(id: string, text: string): void {
    const { text: before, revision } = this.get(id)
    const together = before === "" ? text : `${before}\n${text}`
    this.#show(id, together, revision + 1)
    this.#kept.put("draft", id, { text: together })
  }

  /** It is given to the client. */
  sending(id: string, text: string): void {
    this.#show(id, "", this.get(id).revision)
    this.#kept.put("draft", id, { text, sentAt: this.#now() })
  }

  /** The client has stored it, or it is kept as one that failed. */
  sent(id: string, text: string): void {
    const draft = this.#kept.get("draft", id)
    if (draft?.sentAt !== undefined && draft.text === text) this.#kept.put("draft", id, undefined)
  }

  /** Of what was given to the client before a crash, finds out what it has. */
  async recover({ conversations }: Pick<Client, "conversations">): Promise<void> {
    for (const [id, { text, sentAt }] of [...this.#kept.all("draft")]) {
      if (sentAt === undefined) continue
      const conversation = conversations.get(id)
      const isStored = conversation !== undefined && (await isKnown(conversation, text, sentAt))
      this.#kept.put("draft", id, isStored ? undefined : { text })
    }
  }

  #show(id: string, text: string, revision: number): Draft {
    const draft = Object.freeze({ text, revision })
    this.#shown.set(id, draft)
    return draft
  }
}

/** The client reads the clock later than the draft. */
async function isKnown(conversation: Conversation, text: string, sentAt: number): Promise<boolean> {
  const isIt = (it: { readonly text?: string; readonly sentAt: Date }) =>
    it.text === text && it.sentAt.getTime() >= sentAt
  if (conversation.pending.some(isIt)) return true
  return (await conversation.history({ limit: LOOKED_AT })).some((message) => message.own && isIt(message))
}

const LOOKED_AT = 500
