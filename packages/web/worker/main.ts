/**
 * The service worker: keeps the files of one version of the page, and gives them out without asking the service. It answers
 * for these files alone; it never sees what clients and services say to one another, and keeps nothing else.
 */
const worker = globalThis as unknown as ServiceWorkerGlobalScope

/** What the build has written, by `build/worker-file.ts`. */
interface Shipped {
  /** Of the files and of this script. */
  readonly version: string
  /** Relative to the page's folder, which is the first of them; each with its Subresource Integrity. */
  readonly files: readonly (readonly [path: string, integrity: string])[]
}
const { version, files }: Shipped = JSON.parse("SHIPPED")

const { scope } = worker.registration
/** An origin may have several pages beneath several paths, with one store of caches. */
const prefix = `conclave-page ${scope} `
const cacheName = prefix + version
const addresses = new Set(files.map(([path]) => new URL(path, scope).href))

worker.addEventListener("install", (event) => event.waitUntil(keepAll()))
worker.addEventListener("activate", (event) => event.waitUntil(begin()))
worker.addEventListener("message", ({ data }) => {
  if (data === "take over") void worker.skipWaiting()
})
worker.addEventListener("fetch", (event) => {
  const address = keptAddress(event.request)
  if (address !== undefined) event.respondWith(answer(address, event.request))
})

/** All of them or none: what does not have its digest is not kept, and the version before goes on. */
async function keepAll(): Promise<void> {
  const cache = await caches.open(cacheName)
  try {
    await Promise.all(files.map(([path, integrity]) => keep(cache, new URL(path, scope).href, integrity)))
  } catch (error) {
    await caches.delete(cacheName)
    throw error
  }
}

async function keep(cache: Cache, address: string, integrity: string): Promise<void> {
  // The page has loaded most of them a moment ago. Where the browser's cache has another one, the service is asked.
  const found = await fetch(address, { integrity }).catch(() => fetch(address, { integrity, cache: "reload" }))
  if (!found.ok || found.redirected) throw new TypeError(`${address} is not there: status ${found.status}`)
  await cache.put(address, found)
}

async function begin(): Promise<void> {
  const names = await caches.keys()
  await Promise.all(names.filter((it) => it.startsWith(prefix) && it !== cacheName).map((it) => caches.delete(it)))
  await worker.clients.claim()
}

/** What a request asks for, if it is a file that is kept. */
function keptAddress({ method, mode, url }: Request): string | undefined {
  if (method !== "GET") return undefined
  const { origin, pathname, search } = new URL(url)
  const address = origin + pathname
  // The page is one page, whatever somebody has put after it.
  if (search !== "" && !(mode === "navigate" && address === scope)) return undefined
  return addresses.has(address) ? address : undefined
}

async function answer(address: string, request: Request): Promise<Response> {
  const cache = await caches.open(cacheName)
  // Browsers that are short of room take away what was kept.
  return (await cache.match(address)) ?? fetch(request)
}
