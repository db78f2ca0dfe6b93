import type { ToldEvent } from "@conclave/client"

/** Something that happened between two messages. */
export interface Notice {
  readonly number: number
  /** Unix time in milliseconds, by this device's clock. */
  readonly at: number
  /**
   * It comes right after the message at this place, or before all if there is none. Earlier versions of the page have
   * kept the message's id instead.
   */
  readonly after: number | string | undefined
  readonly event: NoticeEvent
  /**
   * Kept by earlier versions, which did not know who had asked to go: members who are out, and those of them whom the user
   * of this page wanted to be. Of the others it is known only whose commit it was.
   */
  readonly out?: { readonly names: readonly string[]; readonly asked: readonly string[] }
}

/** What is kept of an event: what its words need. */
export type NoticeEvent = Exclude<ToldEvent, { type: "message" | "sent" }>
