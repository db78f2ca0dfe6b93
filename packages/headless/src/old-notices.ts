import type { Notice, NoticeEvent } from "./notice.js"

/** A notice as earlier versions of the page have kept it: fields of all events together. */
export interface OldNotice extends Pick<Notice, "number" | "at" | "after"> {
  readonly type: OldType
  readonly by?: string
  readonly names?: readonly string[]
  readonly removed?: readonly string[]
  /** Those of `removed` whom the user of this page wanted to be: of the others only the commit is known. */
  readonly asked?: readonly string[]
  readonly left?: readonly string[]
  readonly rejoined?: readonly string[]
  readonly text?: string
  readonly code?: string
  readonly reason?: string
  readonly count?: number
  readonly wishes?: Extract<NoticeEvent, { type: "deferred" }>["wishes"]
  readonly until?: number
}

type OldType =
  | "joined"
  | "title"
  | "members"
  | "refreshed"
  | "left"
  | "keyChanged"
  | "failed"
  | "rejected"
  | "halted"
  | "recovered"
  | "lost"
  | "missing"
  | "deferred"
  | "invited"
  | "declined"
  | "throttled"
  | "update"
  | "unavailable"
  | "displayName"

/** None for what the page tells above everything now. */
export function upgradedNotice(old: OldNotice): readonly Notice[] {
  const { number, at, after, asked, removed = [] } = old
  const event = eventOf(old)
  if (event === undefined) return []
  const notice = { number, at, after, event }
  return [asked === undefined || event.type !== "members" ? notice : { ...notice, out: { names: removed, asked } }]
}

function eventOf(old: OldNotice): NoticeEvent | undefined {
  const { type, by = "", names = [], text: reason = "", code = "" } = old
  const [name = ""] = names
  switch (type) {
    case "joined":
      return { type, members: names }
    case "title":
      return { type, from: by, title: reason }
    case "members": {
      const { removed = [], asked, left = [], rejoined = [] } = old
      return { type, by, added: names, removed: asked === undefined ? removed : [], left, rejoined }
    }
    case "refreshed":
    case "left":
      return { type, by }
    case "keyChanged": {
      const accepted = code === "accepted"
      return { type, name, signatureKey: new Uint8Array(), endorsed: accepted, accepted }
    }
    case "failed":
      return { type, wish: reason as WishName, names, code: code as FailureCode, reason: old.reason ?? "" }
    case "rejected":
      return { type, code, reason, count: old.count ?? 1 }
    case "halted":
      return { type, names, reason }
    case "invited":
      return { type, by, members: names, continues: undefined }
    case "declined":
      return { type, name, reason: code === "limit" || code === "unverified" ? code : "declined" }
    case "displayName":
      return { type, name, before: code || undefined, after: reason || undefined }
    case "deferred":
      return { type, wishes: old.wishes ?? [], reason, retryAt: new Date(old.until ?? old.at) }
    case "recovered":
      return { type, reason, by }
    case "lost":
    case "missing":
    case "unavailable":
      return { type, reason }
    case "throttled":
    case "update":
      return undefined
  }
}

type Failed = Extract<NoticeEvent, { type: "failed" }>
// They were these, as the events of then.
type WishName = Failed["wish"]
type FailureCode = Failed["code"]
