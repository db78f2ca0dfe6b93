import type { Conversation } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { problem } from "../profile/words.js"
import { partWords } from "../words/words.js"
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
    <section class={isStopped ? "restart" : "restart restart-quiet"} aria-label={partWords().restart.title}>
      <p class="restart-text">
        {isStopped
          ? partWords().restart.stopped(by === undefined ? partWords().restart.aMember : profile.called(by))
          : conversation.missing
            ? partWords().restart.missing
            : partWords().restart.lost}{" "}
        {partWords().restart.whatItIs}
      </p>
      <div class="action-row">
        {by !== undefined && (
          <button type="button" class="button button-primary" disabled={restarting} onClick={() => void restart([by])}>
            {partWords().restart.without(profile.called(by))}
          </button>
        )}
        <button
          type="button"
          class={isStopped && by === undefined ? "button button-primary" : "button"}
          disabled={restarting}
          onClick={() => void restart([])}
        >
          {by === undefined ? partWords().restart.title : partWords().restart.withAll}
        </button>
      </div>
      <p class={trouble === "" ? "hint" : "field-problem"} role="status">
        {trouble || (restarting ? partWords().restart.making : "")}
      </p>
    </section>
  )
}
