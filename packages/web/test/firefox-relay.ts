/**
 * Stands in the place of Firefox's program: starts it, and passes on WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)
 * between it and Playwright, which asks for something at each start that not every Firefox has. At a socket of its own it
 * takes functions for Firefox's own window: they do what Playwright has no words for. See `firefox-window.ts`.
 *
 *   FIREFOX=/usr/bin/firefox-esr FIREFOX_WINDOW=SOCKET node firefox-relay.js OPTIONS-OF-FIREFOX
 */
import { spawn } from "node:child_process"
import { rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { type RawData, WebSocket, WebSocketServer } from "ws"

/** What is answered here, with nothing: a colour scheme is a preference of the profile, or comes by the socket. */
const ANSWERED = "emulation.setMediaFeaturesOverride"
const LISTENING = /WebDriver BiDi listening on (ws:\/\/\S+)/
const DOWNLOADS: ReadonlySet<unknown> = new Set(["browsingContext.downloadWillBegin", "browsingContext.downloadEnd"])
/** Commands of the relay's own have higher numbers than any of Playwright's. */
const OWN_ID_MIN = 2 ** 40

interface Answer {
  readonly type: "success" | "error"
  readonly message?: string
  readonly result: {
    readonly contexts?: readonly { readonly context: string }[]
    readonly type?: string
    readonly result?: { readonly value?: string }
  }
}

/** Runs a command in the browser that is connected. */
let command = (_method: string, _params: object): Promise<Answer> => Promise.reject(new Error("nothing is connected"))

// Of the browser's own window BiDi sees something by the flag alone.
const firefox = spawn(
  process.env.FIREFOX ?? "/usr/bin/firefox-esr",
  ["--remote-allow-system-access", ...process.argv.slice(2)],
  { stdio: ["ignore", "inherit", "pipe"] },
)
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => firefox.kill(signal))
firefox.on("exit", (code) => process.exit(code ?? 1))
createInterface(firefox.stderr).on("line", (line) => {
  const address = LISTENING.exec(line)?.[1]
  if (address === undefined) process.stderr.write(`${line}\n`)
  else relay(address)
})

function relay(address: string): void {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
  server.on("connection", (driver, request) => connect(driver, new WebSocket(address + (request.url ?? ""))))
  server.on("listening", () => {
    const { port } = server.address() as AddressInfo
    process.stderr.write(`WebDriver BiDi listening on ws://127.0.0.1:${port}\n`)
  })
}

function connect(driver: WebSocket, browser: WebSocket): void {
  const waiting: string[] = []
  const asked = new Map<number, (answer: Answer) => void>()
  command = (method, params) =>
    new Promise((resolve) => {
      const id = OWN_ID_MIN + asked.size
      asked.set(id, resolve)
      browser.send(JSON.stringify({ id, method, params }))
    })
  driver.on("message", (message: RawData) => {
    const said = String(message)
    const { id, method } = JSON.parse(said)
    if (method === ANSWERED) driver.send(JSON.stringify({ type: "success", id, result: {} }))
    else if (browser.readyState === WebSocket.OPEN) browser.send(said)
    else waiting.push(said)
  })
  browser.on("open", () => {
    for (const said of waiting.splice(0)) browser.send(said)
  })
  browser.on("message", (message: RawData) => {
    const said = String(message)
    const answer = JSON.parse(said)
    const own = asked.get(answer.id)
    if (own !== undefined) own(answer)
    else if (DOWNLOADS.has(answer.method)) driver.send(JSON.stringify(withDownload(answer)))
    else driver.send(said)
  })
  driver.on("close", () => browser.close())
  browser.on("close", () => driver.close())
  browser.on("error", () => driver.close())
}

/** Playwright tells downloads apart by a number that this Firefox does not give: an address has one at a time. */
function withDownload<T extends { readonly params: { readonly url: string } }>(event: T): T {
  return { ...event, params: { download: event.params.url, ...event.params } }
}

/** `asked`: JSON of a function's text and of what it is given. Resolves to the text that it returns, if it does. */
async function run(asked: string): Promise<string> {
  const { functionDeclaration, given } = JSON.parse(asked)
  const tree = await command("browsingContext.getTree", { "moz:scope": "chrome", maxDepth: 0 })
  const [window] = tree.result?.contexts ?? []
  if (window === undefined) throw new Error(`no window: ${JSON.stringify(tree)}`)
  const done = await command("script.callFunction", {
    functionDeclaration,
    arguments: [{ type: "string", value: JSON.stringify(given) }],
    target: { context: window.context },
    awaitPromise: true,
  })
  if (done.type !== "success" || done.result.type !== "success") throw new Error(JSON.stringify(done))
  return done.result.result?.value ?? ""
}

const socket = process.env.FIREFOX_WINDOW
if (socket !== undefined) {
  rmSync(socket, { force: true })
  createServer((request, response) => {
    text(request)
      .then(run)
      .then(
        (said) => response.end(said),
        (error: unknown) => response.writeHead(500).end(String(error)),
      )
  }).listen(socket)
}
