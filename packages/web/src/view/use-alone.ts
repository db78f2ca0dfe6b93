import { useEffect, useState } from "preact/hooks"

/** As in the styles: there is room for one pane only. */
const NARROW = "(max-width: 47.4375em)"

/** Whether what is shown is the only pane of the page, and so its main part. */
export function useAlone(isShown: boolean): boolean {
  const [isNarrow, setNarrow] = useState(() => matchMedia(NARROW).matches)
  useEffect(() => {
    const query = matchMedia(NARROW)
    const change = () => setNarrow(query.matches)
    query.addEventListener("change", change)
    return () => query.removeEventListener("change", change)
  }, [])
  return isNarrow && isShown
}
