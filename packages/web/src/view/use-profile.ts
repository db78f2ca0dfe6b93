import { useEffect, useReducer } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { frames } from "./frames.js"

/** Draws the component again after changes of the profile: once for all of a frame. */
export function useProfile(profile: Profile): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    const { request, cancel } = frames(() => redraw(undefined))
    const stop = profile.observe(request)
    // What changed before this was observed.
    request()
    return () => {
      stop()
      cancel()
    }
  }, [profile])
}
