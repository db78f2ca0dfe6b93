import type { Conversation } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { titleOf } from "../profile/words.js"
import { words } from "../words/words.js"
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
  const said = words().keeping
  const { id, status } = conversation
  const { conversations, archived } = headless.getSnapshot()
  const { isMuted = false, isArchived = false } = [...conversations, ...archived].find((it) => it.id === id) ?? {}
  const isOver = status === "left" || status === "lost" || status === "continued"
  const archive = () => {
    headless.archive(id, !isArchived)
    profile.say(isArchived ? said.inList : said.inArchive)
  }
  const remove = () => {
    headless.delete(id)
    profile.say(said.deleted)
    goTo({})
  }
  return (
    <section class="card actions" aria-label={said.region}>
      <div class="action-row">
        <button type="button" class="button" aria-pressed={isMuted} onClick={() => headless.mute(id, !isMuted)}>
          {isMuted ? said.muted : said.mute}
        </button>
        <button type="button" class="button" aria-pressed={isArchived} onClick={archive}>
          {isArchived ? said.archived : said.archive}
        </button>
        {isOver && (
          <button type="button" class="button button-danger-quiet" onClick={() => setDeleting(true)}>
            {said.delete}
          </button>
        )}
      </div>
      <p class="hint">{isMuted ? said.mutedHint : said.hint}</p>
      {deleting && (
        <Confirmation
          title={said.deleteTitle(titleOf(conversation, profile))}
          action={said.delete}
          onConfirm={remove}
          onClose={() => setDeleting(false)}
        >
          {said.deleteText}
        </Confirmation>
      )}
    </section>
  )
}
