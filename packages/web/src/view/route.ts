import { useEffect, useState } from "preact/hooks"

/** What of the page is in front; in the address's fragment, so that reloading and going back work. */
export interface Route {
  readonly conversation: string | undefined
  /** The group panel, where there is room for one thing only. */
  readonly group: boolean
  /** A message to go to, by its place in the conversation. */
  readonly message?: number | undefined
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

export interface Place {
  readonly conversation?: string
  readonly group?: boolean
  readonly message?: number
}

export function addressOf({ conversation, group = false, message }: Place): string {
  if (conversation === undefined) return "#/"
  return `#/${conversation}${group ? "/group" : message === undefined ? "" : `/${message}`}`
}

export function goTo(route: Place): void {
  location.hash = addressOf(route)
}

function readRoute(): Route {
  const match = /^#\/([0-9a-f]{64})(?:(\/group)|\/(\d{1,15}))?$/.exec(location.hash)
  const message = match?.[3] === undefined ? undefined : Number(match[3])
  return { conversation: match?.[1], group: match?.[2] !== undefined, message }
}
