import { useEffect, useState } from "preact/hooks"

/** What of the page is in front; in the address's fragment, so that reloading and going back work. */
export interface Route {
  readonly conversation: string | undefined
  /** The group panel, where there is room for one thing only. */
  readonly group: boolean
  /** A message to go to, by its place in the conversation. */
  readonly message: number | undefined
  /** What is inside, in the place of the group panel. */
  readonly inspector: boolean
  /** The user: name, key and devices. */
  readonly you: boolean
}

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute)
  useEffect(() => {
    const change = () => setRoute(readRoute())
    addEventListener("hashchange", change)
    return () => removeEventListener("hashchange", change)
  }, [])
  return route
}

type Place = Partial<Route>

export function addressOf({ conversation, group = false, message, inspector = false, you = false }: Place): string {
  if (you) return "#/you"
  if (conversation === undefined) return "#/"
  const view = inspector ? "/inspector" : group ? "/group" : message === undefined ? "" : `/${message}`
  return `#/${conversation}${view}`
}

export function goTo(place: Place): void {
  location.hash = addressOf(place)
}

function readRoute(): Route {
  const match = /^#\/([0-9a-f]{64})(?:\/(group|inspector|\d{1,15}))?$/.exec(location.hash)
  const [, conversation, view] = match ?? []
  return {
    conversation,
    group: view === "group",
    message: view !== undefined && /^\d/.test(view) ? Number(view) : undefined,
    inspector: view === "inspector",
    you: location.hash === "#/you",
  }
}
