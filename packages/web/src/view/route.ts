import { useEffect, useState } from "preact/hooks"

/** What of the page is in front; in the address's fragment, so that reloading and going back work. */
export interface Route {
  readonly conversation: string | undefined
  /** The group panel, where there is room for one thing only. */
  readonly group: boolean
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

export function addressOf({ conversation, group = false }: { conversation?: string; group?: boolean }): string {
  if (conversation === undefined) return "#/"
  return `#/${conversation}${group ? "/group" : ""}`
}

export function goTo(route: { conversation?: string; group?: boolean }): void {
  location.hash = addressOf(route)
}

function readRoute(): Route {
  const match = /^#\/([0-9a-f]{64})(\/group)?$/.exec(location.hash)
  return { conversation: match?.[1], group: match?.[2] !== undefined }
}
