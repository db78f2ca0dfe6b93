import type { ComponentChildren } from "preact"
import { useEffect, useState } from "preact/hooks"
import { isolated } from "../profile/words.js"
import { forgottenWords } from "../words/settings-words.js"
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
    <StartScreen title="Conclave cannot run here">
      <p role="alert">{reason}</p>
    </StartScreen>
  )
}

export function Elsewhere() {
  return (
    <StartScreen title="Open in another tab">
      <p role="alert">Another tab is using your keys, and only one at a time may: two would use the same key twice.</p>
      <p>Close the other tab, and this one goes on by itself.</p>
    </StartScreen>
  )
}

export function Broken({ reason }: { readonly reason: string }) {
  return (
    <StartScreen title="Your profile cannot be opened">
      <p role="alert">{reason}</p>
      <p>
        This page has deleted nothing. Whoever clears the browser’s data, though, deletes the name and its keys with it.
      </p>
      <button type="button" class="button button-primary" onClick={() => location.reload()}>
        Try again
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

/** After a title that says what the service does not do. */
const DOES: Readonly<Record<string, string>> = {
  "The service does not answer": "it does",
  "The cryptography of this page cannot be loaded": "it is there",
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
    return (
      <StartScreen title={registered ? `Opening ${isolated(name)}` : `Registering ${isolated(name)}`}>
        <p role="status">{registered ? "Finishing what was left half done." : "Making keys and taking the name."}</p>
      </StartScreen>
    )
  }
  return (
    <StartScreen title={unreachable}>
      <p role="alert">
        {`${isolated(name)} is ${registered ? "opened" : "registered"}`} as soon as{" "}
        {DOES[unreachable] ?? "that has changed"}; this page asks every two seconds.
      </p>
      {!registered && (
        <button type="button" class="button" onClick={onChooseAgain}>
          Choose another name
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
