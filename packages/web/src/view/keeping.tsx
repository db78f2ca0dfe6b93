import type { Conversation } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { titleOf } from "../profile/words.js"
import { Confirmation } from "./dialog.js"
import { goTo } from "./route.js"

export interface KeepingProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

/** What the user does with a conversation for themselves: nobody else is told. */
export function Keeping({ profile, conversation }: KeepingProps) {
  const [deleting, setDeleting] = useState(false)
  const { headless } = profile
  const { id, status } = conversation
  const { conversations, archived } = headless.getSnapshot()
  const { isMuted = false, isArchived = false } = [...conversations, ...archived].find((it) => it.id === id) ?? {}
  const isOver = status === "left" || status === "lost" || status === "continued"
  const archive = () => {
    headless.archive(id, !isArchived)
    profile.say(isArchived ? "It is in the list again." : "It is in the archive, below the list.")
  }
  const remove = () => {
    headless.delete(id)
    profile.say("The conversation is deleted.")
    goTo({})
  }
  return (
    <section class="card actions" aria-label="For you">
      <div class="action-row">
        <button type="button" class="button" aria-pressed={isMuted} onClick={() => headless.mute(id, !isMuted)}>
          {isMuted ? "Muted" : "Mute"}
        </button>
        <button type="button" class="button" aria-pressed={isArchived} onClick={archive}>
          {isArchived ? "Archived" : "Archive"}
        </button>
        {isOver && (
          <button type="button" class="button button-danger-quiet" onClick={() => setDeleting(true)}>
            Delete
          </button>
        )}
      </div>
      <p class="hint">
        {isMuted
          ? "Messages here are not counted in the title of the page, and do not bring it back from the archive."
          : "Only you see this. Messages of a muted conversation are not counted; an archived one comes back with the next message."}
      </p>
      {deleting && (
        <Confirmation
          title={`Delete “${titleOf(conversation, profile)}”?`}
          action="Delete"
          onConfirm={remove}
          onClose={() => setDeleting(false)}
        >
          It is shown no more, and neither is what was said so far, also if a member invites you again. Its sealed
          records stay in this browser until its data is cleared.
        </Confirmation>
      )}
    </section>
  )
}
