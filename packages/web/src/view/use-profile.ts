import { useEffect, useReducer } from "preact/hooks"
import type { Profile } from "../profile/profile.js"

/** Draws the component anew after each change of the profile. */
export function useProfile(profile: Profile): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => profile.observe(() => redraw(undefined)), [profile])
}
