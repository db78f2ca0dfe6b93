/**
 * The service worker keeps the page's files on this device, so that it opens without the service. A newer version of the
 * page is kept beside the one that runs, and takes its place when the page starts the next time, or is asked to.
 */
export class Versions {
  /** A newer version is kept, and waits. */
  isNewer = false
  readonly #onNewer: () => void
  #registration: ServiceWorkerRegistration | undefined
  #askedAt = 0

  constructor(onNewer: () => void) {
    this.#onNewer = onNewer
  }

  /**
   * Whether a version that waited takes over: then the page is about to be loaded again. To be asked by the one tab that may
   * use the keys, before it uses any.
   */
  async begin(): Promise<boolean> {
    try {
      const found = await container()?.getRegistration()
      if (found?.waiting == null || container()?.controller == null) return false
      return await takeOver(found.waiting)
    } catch {
      return false
    }
  }

  /** From here on the page is kept, and newer versions are looked for. */
  async keep(): Promise<void> {
    if (import.meta.env.DEV) return
    try {
      // The browser asks for a newer one of a worker that it knows by itself, and says so aloud where there is no answer.
      const registration =
        (await container()?.getRegistration()) ?? (await container()?.register("worker.js", { updateViaCache: "none" }))
      if (registration === undefined) return
      this.#registration = registration
      registration.addEventListener("updatefound", () => this.#follow(registration.installing))
      this.#follow(registration.installing)
      this.#look()
      this.#askedAt = Date.now()
      document.addEventListener("visibilitychange", () => this.#ask())
    } catch {
      // The page runs without, as it does in windows whose data is not kept.
    }
  }

  /** Loads the page again, with the version that waits. */
  async use(): Promise<void> {
    const waiting = this.#registration?.waiting
    if (waiting == null || !(await takeOver(waiting))) location.reload()
  }

  #follow(installing: ServiceWorker | null): void {
    installing?.addEventListener("statechange", () => this.#look())
  }

  #look(): void {
    // The first version of all waits for nothing.
    if (this.#registration?.waiting == null || container()?.controller == null || this.isNewer) return
    this.isNewer = true
    this.#onNewer()
  }

  /** Browsers look when a page is loaded; some are open for weeks. */
  #ask(): void {
    if (document.visibilityState !== "visible" || Date.now() - this.#askedAt < ASK_MILLISECONDS) return
    this.#askedAt = Date.now()
    this.#registration?.update().catch(() => {})
  }
}

const ASK_MILLISECONDS = 3_600_000
const TAKE_OVER_MILLISECONDS = 3_000

/** Takes the worker away, so that the page is loaded from the service from now on. */
export async function forgetWorker(): Promise<void> {
  const registrations = (await container()?.getRegistrations()) ?? []
  const own = registrations.filter(({ scope }) => scope === new URL(".", document.baseURI).href)
  await Promise.all(own.map((registration) => registration.unregister()))
}

/** Other tabs, which wait for this one, are loaded again, too: see `followTakeOver`. */
function takeOver(waiting: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), TAKE_OVER_MILLISECONDS)
    container()?.addEventListener("controllerchange", () => resolve(true))
    waiting.postMessage("take over")
  })
}

/** A page of one version is not to load files of another: it is loaded again when another worker has taken over. */
export function followTakeOver(): void {
  let isControlled = container()?.controller != null
  container()?.addEventListener("controllerchange", () => {
    // The first worker of all has brought the files that are running.
    if (isControlled) location.reload()
    isControlled = true
  })
}

/** Absent where the page is not secure. */
function container(): ServiceWorkerContainer | undefined {
  return (navigator as { readonly serviceWorker?: ServiceWorkerContainer }).serviceWorker
}
