import type { ConversationSummary } from "@conclave/headless"
import { render } from "preact"
import type { Profile } from "../src/profile/profile.js"
import { Rows } from "../src/view/conversation-rows.js"

/** A list of so many conversations, in a page of its own. Plain data: nothing of a client is needed to draw it. */
export function drawList(count: number, changed = -1): void {
  const called = (name: string) => name
  const headless = { draft: () => ({ text: "", revision: 0 }) }
  const profile = { name: "alice", called, label: (name: string) => ({ text: name }), headless } as unknown as Profile
  const conversations = Array.from({ length: count }, (_, at) => summaries[at] ?? summaryOf(at))
  for (const [at, it] of conversations.entries()) summaries[at] = it
  if (changed >= 0) {
    const moved = { ...conversations[changed]!, unread: 1 }
    conversations.splice(changed, 1)
    conversations.unshift(moved)
  }
  render(<Rows profile={profile} conversations={conversations} selected={undefined} />, document.querySelector("#app")!)
}

const summaries: ConversationSummary[] = []

function summaryOf(at: number): ConversationSummary {
  return {
    ...{ id: String(at).padStart(64, "0"), title: `Conversation ${at + 1}`, status: "active", missing: false },
    ...{ members: ["alice", "bob"], last: undefined, pending: 0, hasDraft: false, unread: 0, isMuted: false },
    ...{ isArchived: false, removedBy: undefined, stoppedBy: undefined, changedAt: count0 - at },
  }
}

const count0 = 1_000_000
Object.assign(globalThis, { drawList })
