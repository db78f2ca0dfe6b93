import type { Versions } from "../page/versions.js"
import { words } from "../words/words.js"

/** The element stays, so that what appears in it is said. */
export function NewVersion({ versions }: { readonly versions: Versions }) {
  return (
    <div role="status">
      {versions.isNewer && (
        <div class="banner banner-quiet">
          <span>{words().version.newer}</span>
          <button type="button" class="button" onClick={() => void versions.use()}>
            {words().version.use}
          </button>
        </div>
      )}
    </div>
  )
}
