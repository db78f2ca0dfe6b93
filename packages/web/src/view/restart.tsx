import type { Conversation } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import { restartWords } from "../profile/alert-words.js"
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
    <section class={isStopped ? "restart" : "restart restart-quiet"} aria-label={restartWords.title}>
      <p class="restart-text">
        {isStopped
          ? restartWords.stopped(by === undefined ? restartWords.aMember : profile.called(by))
          : conversation.missing
            ? restartWords.missing
            : restartWords.lost}{" "}
        {restartWords.whatItIs}
      </p>
      <div class="action-row">
        {by !== undefined && (
          <button type="button" class="button button-primary" disabled={restarting} onClick={() => void restart([by])}>
            {restartWords.without(profile.called(by))}
          </button>
        )}
        <button
          type="button"
          class={isStopped && by === undefined ? "button button-primary" : "button"}
          disabled={restarting}
          onClick={() => void restart([])}
        >
          {by === undefined ? restartWords.title : restartWords.withAll}
        </button>
      </div>
      <p class={trouble === "" ? "hint" : "field-problem"} role="status">
        {trouble || (restarting ? restartWords.making : "")}
      </p>
    </section>
  )
}
