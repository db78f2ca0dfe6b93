import { useEffect, useState } from "preact/hooks"
import { words } from "../words/words.js"

const SHOWN_MILLISECONDS = 10_000

/** Says what has not happened, for a moment, each time that `count` grows. */
export function FilesRefused({ count }: { readonly count: number }) {
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    if (count === 0) return
    setShown(true)
    const timer = setTimeout(() => setShown(false), SHOWN_MILLISECONDS)
    return () => clearTimeout(timer)
  }, [count])
  return <div role="status">{isShown && <p class="banner banner-quiet">{words().page.filesRefused}</p>}</div>
}
