import type { SearchHit } from "@conclave/headless/browser"
import { useEffect, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"

export interface Found {
  /** The words they were found for. */
  readonly words: string
  readonly hits: readonly SearchHit[]
  /** Everything has been looked through, or as much was found as is wanted. */
  readonly isOver: boolean
}

const nothing: Found = { words: "", hits: [], isOver: true }
const WAIT_MILLISECONDS = 150
/** The list is drawn again after so many milliseconds, not after each hit. */
const DRAWN_MILLISECONDS = 60

/** Searches while words are being typed; what is looked for no more is given up. */
export function useSearch(profile: Profile, words: string, max: number, conversation?: string): Found {
  const [found, setFound] = useState(nothing)
  useEffect(() => {
    if (words.trim() === "") return setFound(nothing)
    const ending = new AbortController()
    const { signal } = ending
    const look = async () => {
      const hits: SearchHit[] = []
      let drawn = performance.now()
      setFound({ words, hits: [], isOver: false })
      for await (const hit of profile.headless.search(words, {
        signal,
        ...(conversation !== undefined && { conversation }),
      })) {
        hits.push(hit)
        if (hits.length >= max) break
        if (performance.now() - drawn < DRAWN_MILLISECONDS) continue
        drawn = performance.now()
        if (!signal.aborted) setFound({ words, hits: [...hits], isOver: false })
      }
      if (!signal.aborted) setFound({ words, hits, isOver: true })
    }
    const timer = setTimeout(
      () => void look().catch(() => setFound({ words, hits: [], isOver: true })),
      WAIT_MILLISECONDS,
    )
    return () => {
      clearTimeout(timer)
      ending.abort()
    }
  }, [profile, words, max, conversation])
  return found
}
