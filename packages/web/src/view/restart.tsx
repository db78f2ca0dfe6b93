import type { Conversation } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { problem } from "../profile/words.js"
import { goTo } from "./route.js"

export interface RestartProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

/** The way out where nobody can go on, or this device cannot: one button, and what it does. */
export function Restart({ profile, conversation }: RestartProps) {
  const [restarting, setRestarting] = useState(false)
  const [trouble, setTrouble] = useState("")
  const isStopped = conversation.status === "stopped"
  const { conversations, archived } = profile.headless.getSnapshot()
  const by = [...conversations, ...archived].find(({ id }) => id === conversation.id)?.stoppedBy
  const restart = async (without: readonly string[]) => {
    setRestarting(true)
    setTrouble("")
    try {
      const { id } = await profile.restart(conversation, without)
      goTo({ conversation: id })
    } catch (error) {
      setTrouble(problem(error, { names: [...conversation.members] }))
      setRestarting(false)
    }
  }
  return (
    <section class={isStopped ? "restart" : "restart restart-quiet"} aria-label="Go on in a new group">
      <p class="restart-text">
        {isStopped
          ? `${by === undefined ? "A member" : profile.called(by)} has locked the others out: nobody can write here any more.`
          : conversation.missing
            ? "The service does not show this conversation as it should. This device keeps it and asks again; if it does not come back, go on in a new group."
            : "This device lost its place here. It waits for a member’s device to let it back in; if none does, go on in a new group."}{" "}
        A new group has the same title and members. Each of them is asked, what you have read stays, and what waits to
        be sent is sent there.
      </p>
      <div class="action-row">
        {by !== undefined && (
          <button type="button" class="button button-primary" disabled={restarting} onClick={() => void restart([by])}>
            Go on without {profile.called(by)}
          </button>
        )}
        <button
          type="button"
          class={isStopped && by === undefined ? "button button-primary" : "button"}
          disabled={restarting}
          onClick={() => void restart([])}
        >
          {by === undefined ? "Go on in a new group" : "Go on with everybody"}
        </button>
      </div>
      <p class={trouble === "" ? "hint" : "field-problem"} role="status">
        {trouble || (restarting ? "Making the new group…" : "")}
      </p>
    </section>
  )
}
