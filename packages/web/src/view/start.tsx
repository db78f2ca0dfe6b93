import type { ComponentChildren } from "preact"
import { useEffect, useState } from "preact/hooks"
import type { Phase } from "../opening.js"
import { askForPage } from "../profile/page-lock.js"
import { isolated } from "../profile/words.js"
import { words } from "../words/words.js"
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
    <StartScreen title={words().start.unsuitable}>
      <p role="alert">{reason}</p>
    </StartScreen>
  )
}

export function Elsewhere() {
  const said = words().start.elsewhere
  return (
    <StartScreen title={said.title}>
      <p role="alert">{said.reason}</p>
      <p>{said.remedy}</p>
      <button type="button" class="button button-primary" onClick={askForPage}>
        {said.here}
      </button>
    </StartScreen>
  )
}

export function Broken({ reason }: { readonly reason: string }) {
  const said = words().start.broken
  return (
    <StartScreen title={said.title}>
      <p role="alert">{reason}</p>
      <p>{said.nothingDeleted}</p>
      <button type="button" class="button button-primary" onClick={() => location.reload()}>
        {said.again}
      </button>
    </StartScreen>
  )
}

/** `left`: what the browser has not deleted; `undefined` while it is at it. */
export function Forgotten({ left }: { readonly left: readonly string[] | undefined }) {
  const said = words().forgotten
  if (left === undefined) {
    return (
      <StartScreen title={said.doing}>
        <p role="status">{said.doingText}</p>
      </StartScreen>
    )
  }
  const isAll = left.length === 0
  return (
    <StartScreen title={isAll ? said.done : said.partly}>
      <p role={isAll ? "status" : "alert"}>{isAll ? said.doneText : said.partlyText(left.join(", "))}</p>
      <button type="button" class="button button-primary" onClick={() => location.assign(location.pathname)}>
        {said.again}
      </button>
    </StartScreen>
  )
}

export interface OpeningScreenProps {
  readonly name: string
  readonly registered: boolean
  /** Why the service could not be asked, as a title; `undefined` while that is not known. */
  readonly unreachable: Extract<Phase, { type: "opening" }>["unreachable"]
  readonly onChooseAgain: () => void
}

const LATE_MILLISECONDS = 15_000

export function OpeningScreen({ name, registered, unreachable, onChooseAgain }: OpeningScreenProps) {
  const slow = useLater(400)
  // A browser whose storage does not answer says nothing.
  const isLate = useLater(LATE_MILLISECONDS)
  // What is done in a moment is not worth a screen that flashes.
  if (!slow && unreachable === undefined) return null
  if (unreachable === undefined) {
    const { opening, registering } = words().start
    const { title, text } = (registered ? opening : registering)(isolated(name))
    return (
      <StartScreen title={title}>
        <p role="status">{isLate ? words().start.slow : text}</p>
      </StartScreen>
    )
  }
  return (
    <StartScreen title={unreachable.title}>
      <p role="alert">{words().start.waiting(isolated(name), registered, unreachable.what)}</p>
      {!registered && (
        <button type="button" class="button" onClick={onChooseAgain}>
          {words().start.chooseAgain}
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
