import { words } from "../words/words.js"

/**
 * One tab at a time works with this browser's keys: two that did would encrypt twice with the same key and nonce.
 * Resolves when this tab is the one; `onWaiting` is called if another has been it for more than a moment.
 */
export function takePage({ onWaiting }: { readonly onWaiting: () => void }): Promise<void> {
  return new Promise((resolve, reject) => {
    // A tab that is being reloaded lets go only after the new document has begun.
    const patience = setTimeout(onWaiting, PATIENCE_MILLISECONDS)
    const held = navigator.locks.request("conclave-page", () => {
      clearTimeout(patience)
      resolve()
      return new Promise<never>(() => {})
    })
    held.catch((error: unknown) => {
      clearTimeout(patience)
      reject(error)
    })
  })
}

const PATIENCE_MILLISECONDS = 700

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
