/**
 * Stands in the place of Firefox's program: starts it, and passes on WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)
 * between it and Playwright, which asks for something at each start that not every Firefox has.
 *
 *   FIREFOX=/usr/bin/firefox-esr node firefox-relay.js OPTIONS-OF-FIREFOX
 */
import { spawn } from "node:child_process"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"
import { type RawData, WebSocket, WebSocketServer } from "ws"

/** What is answered here, with nothing: a colour scheme is a preference of the browser's profile instead. */
const ANSWERED = "emulation.setMediaFeaturesOverride"
const LISTENING = /WebDriver BiDi listening on (ws:\/\/\S+)/

const firefox = spawn(process.env.FIREFOX ?? "/usr/bin/firefox-esr", process.argv.slice(2), {
  stdio: ["ignore", "inherit", "pipe"],
})
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => firefox.kill(signal))
firefox.on("exit", (code) => process.exit(code ?? 1))
createInterface(firefox.stderr).on("line", (text) => {
  const address = LISTENING.exec(text)?.[1]
  if (address === undefined) process.stderr.write(`${text}\n`)
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
  driver.on("message", (message: RawData) => {
    const text = String(message)
    const { id, method } = JSON.parse(text)
    if (method === ANSWERED) driver.send(JSON.stringify({ type: "success", id, result: {} }))
    else if (browser.readyState === WebSocket.OPEN) browser.send(text)
    else waiting.push(text)
  })
  browser.on("open", () => {
    for (const text of waiting.splice(0)) browser.send(text)
  })
  browser.on("message", (message: RawData) => driver.send(String(message)))
  driver.on("close", () => browser.close())
  browser.on("close", () => driver.close())
  browser.on("error", () => driver.close())
}
