import type { IncomingMessage, ServerResponse } from "node:http"
import { type Rate, RateLimiter, type Requester, type Shares, takeAll } from "@conclave/transport"
import { sendText } from "./text.js"

const paths = ["/healthz", "/readyz"] as const
export type HealthPath = (typeof paths)[number]
export const isHealthPath = (path: string): path is HealthPath => (paths as readonly string[]).includes(path)

/** Questions of one address and of one network: a probe asks every few seconds, a strange one has no reason to. */
const RATES: Readonly<Record<keyof Requester, Rate>> = {
  peer: { perSecond: 5, burst: 30 },
  network: { perSecond: 20, burst: 120 },
}

/** An answer about the store is good for so long: the store's work does not grow with the questions. */
const KEPT_MILLISECONDS = 1_000
/** A store that says nothing for so long is not ready. */
const PATIENCE_MILLISECONDS = 3_000

export interface HealthOptions {
  readonly ready: () => Promise<boolean>
  readonly shares: Shares
}

interface Asked {
  readonly path: HealthPath
  readonly requester: Requester | undefined
  /** Others are to be asked from here on. */
  readonly leaving: boolean
}

/** Says that the process answers (`/healthz`) and that its store does (`/readyz`), and nothing beside. */
export class Health {
  readonly #ready: () => Promise<boolean>
  readonly #shares: Shares
  readonly #peers = new RateLimiter(RATES.peer)
  readonly #networks = new RateLimiter(RATES.network)
  #known: { readonly at: number; readonly answer: Promise<boolean> } | undefined

  constructor({ ready, shares }: HealthOptions) {
    this.#ready = ready
    this.#shares = shares
  }

  async answer(request: IncomingMessage, response: ServerResponse, { path, requester, leaving }: Asked): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD")
      return sendText(response, 405, "health is asked for by GET")
    }
    const levels = [
      { limiter: this.#peers, key: requester?.peer },
      { limiter: this.#networks, key: requester?.network },
    ]
    if (takeAll(levels, performance.now()) !== undefined) {
      this.#shares.refused("health", requester)
      return sendText(response, 429, "too many questions")
    }
    if (path === "/healthz") return sendText(response, 200, "ok")
    const isReady = !leaving && (await this.#isReady())
    return sendText(response, isReady ? 200 : 503, isReady ? "ready" : "not ready")
  }

  #isReady(): Promise<boolean> {
    const now = performance.now()
    if (this.#known === undefined || now - this.#known.at > KEPT_MILLISECONDS) {
      this.#known = { at: now, answer: withinPatience(this.#ready) }
    }
    return this.#known.answer
  }
}

async function withinPatience(ready: () => Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MILLISECONDS)
  })
  try {
    return await Promise.race([ready(), late])
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
