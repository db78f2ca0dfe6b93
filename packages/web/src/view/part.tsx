import type { ComponentType } from "preact"
import { useEffect, useState } from "preact/hooks"
import { loadPartWords, words } from "../words/words.js"

/**
 * A view that few people open, in a file of its own that is loaded when it is shown for the first time. The service worker has
 * fetched it by then. One that does not come is said so; some browsers ask for it again only in a page that is loaded anew.
 */
export function part<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | undefined
  return function Part(props: Props) {
    const [state, setState] = useState<"loading" | "loaded" | "failed">(loaded === undefined ? "loading" : "loaded")
    useEffect(() => {
      if (loaded !== undefined) return
      let isGone = false
      const end = (state: "loaded" | "failed") => !isGone && setState(state)
      Promise.all([load(), loadPartWords()]).then(
        ([view]) => {
          loaded = view
          end("loaded")
        },
        () => end("failed"),
      )
      return () => {
        isGone = true
      }
    }, [])
    const View = loaded
    if (View !== undefined) return <View {...props} />
    return state === "failed" ? <Missing /> : <div class="part-loading" aria-busy="true" />
  }
}

function Missing() {
  return (
    <div class="part-missing" role="alert">
      <p>{words().part.missing}</p>
      <button type="button" class="button" onClick={() => location.reload()}>
        {words().part.reload}
      </button>
    </div>
  )
}
