import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { setTimeout as pause } from "node:timers/promises"
import { executablePath } from "./person.js"

const args = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--remote-debugging-pipe"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "about:blank"],
]
const WAIT_MILLISECONDS = 15_000

interface Answer {
  readonly id?: number
  readonly sessionId?: string
  readonly method?: string
  readonly params?: { readonly requestId?: string }
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

/**
 * Chromium by its own protocol (https://chromedevtools.github.io/devtools-protocol/): Playwright makes every page believe
 * that it is in front, so that none is ever hidden.
 */
export class Browser implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #asked = new Map<number, (answer: Answer) => void>()
  readonly #tabs = new Map<string, Tab>()
  #number = 0

  private constructor(process: ChildProcess, folder: string) {
    this.#process = process
    this.#folder = folder
    let rest = ""
    const answers = process.stdio[4] as Readable
    answers.setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0")
      rest = messages.pop()!
      for (const message of messages) this.#take(JSON.parse(message))
    })
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "conclave-hidden-"))
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"] as const
    const process = spawn(executablePath, [...args, `--user-data-dir=${folder}`], { stdio: [...stdio] })
    await once(process, "spawn")
    return new Browser(process, folder)
  }

  /** A tab in front of those that there are. */
  async open(url: string): Promise<Tab> {
    const { targetId } = await this.send("Target.createTarget", { url })
    await this.send("Target.activateTarget", { targetId })
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true })
    const tab = new Tab(this, String(sessionId))
    this.#tabs.set(String(sessionId), tab)
    await this.send("Network.enable", {}, String(sessionId))
    return tab
  }

  send(method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#number
    const message = { id, method, params, ...(sessionId !== undefined && { sessionId }) }
    ;(this.#process.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`)
    return new Promise((resolve, reject) => {
      this.#asked.set(id, ({ result = {}, error }) => {
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${error.message}`))
      })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit")
    this.send("Browser.close", {}).catch(() => {})
    await ended
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #take(answer: Answer): void {
    const { id, sessionId, method, params } = answer
    if (id !== undefined) {
      this.#asked.get(id)?.(answer)
      this.#asked.delete(id)
    } else if (sessionId !== undefined && method !== undefined) {
      this.#tabs.get(sessionId)?.heard(method, params?.requestId ?? "")
    }
  }
}

interface Span {
  readonly from: number
  until: number
}

export class Tab {
  readonly #browser: Browser
  readonly #session: string
  /** When each WebSocket was open, by the protocol's id. */
  readonly #spans = new Map<string, Span>()

  constructor(browser: Browser, session: string) {
    this.#browser = browser
    this.#session = session
  }

  heard(event: string, request: string): void {
    const now = performance.now()
    if (event === "Network.webSocketHandshakeResponseReceived") {
      this.#spans.set(request, { from: now, until: Number.POSITIVE_INFINITY })
    }
    const span = this.#spans.get(request)
    if (event === "Network.webSocketClosed" && span !== undefined) span.until = now
  }

  /** How many have been opened. */
  get sockets(): number {
    return this.#spans.size
  }

  /** For how much of that time a WebSocket was open, in milliseconds. */
  connectedBetween(from: number, until: number): number {
    let [connected, at] = [0, from]
    for (const span of [...this.#spans.values()].sort((a, b) => a.from - b.from)) {
      const begin = Math.max(at, span.from)
      const end = Math.min(until, span.until)
      if (end <= begin) continue
      connected += end - begin
      at = end
    }
    return connected
  }

  async evaluate(expression: string): Promise<unknown> {
    const asked = { expression, returnByValue: true }
    const { result, exceptionDetails } = await this.#browser.send("Runtime.evaluate", asked, this.#session)
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`)
    return (result as { readonly value?: unknown }).value
  }

  async until(condition: string): Promise<void> {
    for (const late = performance.now() + WAIT_MILLISECONDS; (await this.evaluate(condition)) !== true; ) {
      if (performance.now() > late) throw new Error(`never: ${condition}`)
      await pause(50)
    }
  }

  async click(selector: string): Promise<void> {
    await this.until(`document.querySelector('${selector}') !== null`)
    await this.evaluate(`document.querySelector('${selector}').click()`)
  }

  async type(selector: string, text: string): Promise<void> {
    await this.until(`document.querySelector('${selector}') !== null`)
    const entered = `it.value = '${text}'; it.dispatchEvent(new Event('input', { bubbles: true }))`
    await this.evaluate(`{ const it = document.querySelector('${selector}'); ${entered} }`)
  }
}
