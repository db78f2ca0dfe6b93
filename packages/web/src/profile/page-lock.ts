import { words } from "../words/words.js"

const ASKED = "use it there"

/**
 * One tab at a time works with this browser's keys: two that did would encrypt twice with the same key and nonce.
 * Resolves when this tab is the one, with what lets go of that; `onWaiting` is called if another has been it for more than a moment.
 */
export function takePage({ onWaiting }: { readonly onWaiting: () => void }): Promise<() => void> {
  return new Promise((resolve, reject) => {
    // A tab that is being reloaded lets go only after the new document has begun.
    const patience = setTimeout(onWaiting, PATIENCE_MILLISECONDS)
    const held = navigator.locks.request("conclave-page", () => {
      clearTimeout(patience)
      return new Promise<void>((release) => resolve(release))
    })
    held.catch((error: unknown) => {
      clearTimeout(patience)
      reject(error)
    })
  })
}

const PATIENCE_MILLISECONDS = 700

/** To the tab that has the page: it is wanted in this one. */
export function askForPage(): void {
  const channel = new BroadcastChannel(CHANNEL)
  channel.postMessage(ASKED)
  channel.close()
}

/** Calls `listener` when the page is wanted in another tab. */
export function onAsked(listener: () => void): void {
  new BroadcastChannel(CHANNEL).onmessage = ({ data }) => data === ASKED && listener()
}

const CHANNEL = "conclave-page-tabs"

/** What the page needs and does not have here, in words; or `undefined`. */
export function missingFromBrowser(): string | undefined {
  if (!globalThis.isSecureContext) {
    return words().start.insecure
  }
  if (navigator.locks === undefined || globalThis.indexedDB === undefined || globalThis.WebAssembly === undefined) {
    return words().start.incapable
  }
  return undefined
}
