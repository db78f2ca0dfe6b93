import { STORAGE_PREFIX } from "./settings.js"
import { forgetWorker } from "./versions.js"

/** What the page keeps in this browser: the names of databases begin so, or are that. */
const DATABASES = /^conclave(\/|-keys$|-page$)/
const CACHES = "conclave-page "
const WAIT_MILLISECONDS = 5_000

/**
 * Deletes what the page keeps in this browser: keys, messages, drafts, settings, its own files and the service worker. To be
 * called after the profile has been closed. Returns what is still there, by its name in the browser's tools; it is empty where
 * everything is gone.
 */
export async function forgetDevice(): Promise<readonly string[]> {
  const left: string[] = []
  for (const name of await databaseNames()) if (!(await deleteDatabase(name))) left.push(name)
  for (const key of Object.keys(localStorage)) if (key.startsWith(STORAGE_PREFIX)) localStorage.removeItem(key)
  try {
    const scope = new URL(".", document.baseURI).href
    const names = (await caches.keys()).filter((name) => name.startsWith(`${CACHES}${scope} `))
    for (const name of names) if (!(await caches.delete(name))) left.push(name)
    await forgetWorker()
  } catch {
    left.push("service worker")
  }
  return left
}

async function databaseNames(): Promise<readonly string[]> {
  const databases = await indexedDB.databases()
  return databases.flatMap(({ name }) => (name !== undefined && DATABASES.test(name) ? name : []))
}

/** Whether it is gone. One that another tab has open goes when that tab does; it is not waited for. */
export function deleteDatabase(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name)
    setTimeout(() => resolve(false), WAIT_MILLISECONDS)
    request.onsuccess = () => resolve(true)
    request.onerror = () => resolve(false)
  })
}
