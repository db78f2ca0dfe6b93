import type { ComponentChildren } from "preact"
import { useEffect, useState } from "preact/hooks"
import { isolated } from "../profile/words.js"
import { forgottenWords } from "../words/settings-words.js"
import { openingWords, startWords, waitingWords } from "../words/start-words.js"
import { Mark } from "./icons.js"

/** The frame of every screen that comes before the conversations. */
export function StartScreen({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <main class="start">
      <div class="start-card">
        <Mark />
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  )
}

export function Unsuitable({ reason }: { readonly reason: string }) {
  return (
    <StartScreen title={startWords.unsuitable}>
      <p role="alert">{reason}</p>
    </StartScreen>
  )
}

export function Elsewhere() {
  const words = startWords.elsewhere
  return (
    <StartScreen title={words.title}>
      <p role="alert">{words.reason}</p>
      <p>{words.remedy}</p>
    </StartScreen>
  )
}

export function Broken({ reason }: { readonly reason: string }) {
  const words = startWords.broken
  return (
    <StartScreen title={words.title}>
      <p role="alert">{reason}</p>
      <p>{words.nothingDeleted}</p>
      <button type="button" class="button button-primary" onClick={() => location.reload()}>
        {words.again}
      </button>
    </StartScreen>
  )
}

/** `left`: what the browser has not deleted; `undefined` while it is at it. */
export function Forgotten({ left }: { readonly left: readonly string[] | undefined }) {
  const words = forgottenWords
  if (left === undefined) {
    return (
      <StartScreen title={words.doing}>
        <p role="status">{words.doingText}</p>
      </StartScreen>
    )
  }
  const isAll = left.length === 0
  return (
    <StartScreen title={isAll ? words.done : words.partly}>
      <p role={isAll ? "status" : "alert"}>{isAll ? words.doneText : words.partlyText(left.join(", "))}</p>
      <button type="button" class="button button-primary" onClick={() => location.assign(location.pathname)}>
        {words.again}
      </button>
    </StartScreen>
  )
}

export interface OpeningScreenProps {
  readonly name: string
  readonly registered: boolean
  /** Why the service could not be asked, as a title; `undefined` while that is not known. */
  readonly unreachable: string | undefined
  readonly onChooseAgain: () => void
}

export function OpeningScreen({ name, registered, unreachable, onChooseAgain }: OpeningScreenProps) {
  const slow = useLater(400)
  // What is done in a moment is not worth a screen that flashes.
  if (!slow && unreachable === undefined) return null
  if (unreachable === undefined) {
    const { title, text } = openingWords(isolated(name), registered)
    return (
      <StartScreen title={title}>
        <p role="status">{text}</p>
      </StartScreen>
    )
  }
  return (
    <StartScreen title={unreachable}>
      <p role="alert">{waitingWords(isolated(name), registered, unreachable)}</p>
      {!registered && (
        <button type="button" class="button" onClick={onChooseAgain}>
          {startWords.chooseAgain}
        </button>
      )}
    </StartScreen>
  )
}

/** Whether so much time has passed since the first drawing. */
export function useLater(milliseconds: number): boolean {
  const [later, setLater] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLater(true), milliseconds)
    return () => clearTimeout(timer)
  }, [milliseconds])
  return later
}
