import type { Versions } from "../page/versions.js"
import { versionWords } from "../words/page-words.js"

/** The element stays, so that what appears in it is said. */
export function NewVersion({ versions }: { readonly versions: Versions }) {
  return (
    <div role="status">
      {versions.isNewer && (
        <div class="banner banner-quiet">
          <span>{versionWords.newer}</span>
          <button type="button" class="button" onClick={() => void versions.use()}>
            {versionWords.use}
          </button>
        </div>
      )}
    </div>
  )
}
