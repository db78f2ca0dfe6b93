/// <reference lib="dom" />
/**
 * `npm run bench:page [-- --rounds 5]`: how long the page takes to start in Chromium, on a slow line (400 kbit/s, 300 ms) with a slow
 * processor (a quarter of this one's speed): the first time, and again without the service.
 */

import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { given } from "@conclave/interop"
import { createServer } from "@conclave/server"
import { type BrowserContext, chromium, type Page } from "playwright-core"
import { machine } from "../machine.js"

const values = given(
  () => parseArgs({ options: { rounds: { type: "string", default: "5" } } }).values,
  "bench:page -- --rounds 5",
)
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
const line = { offline: false, latency: 300, downloadThroughput: 50_000, uploadThroughput: 50_000 }
const slowness = 4
/** In milliseconds; the second start is the one without the service. */
const targets = { firstPaint: 2_000, usable: 6_000, again: 1_000 }
const page = fileURLToPath(new URL("../../../../packages/web/dist", import.meta.url))

interface Start {
  readonly firstPaint: number
  readonly usable: number
}

if (!existsSync(executablePath)) throw new Error(`there is no Chromium at ${executablePath}: set CHROMIUM_PATH`)
if (!existsSync(join(page, "index.html"))) throw new Error(`there is no page in ${page}: npm run build`)
const folder = mkdtempSync(join(tmpdir(), "conclave-page-"))
try {
  const rounds: { first: Start; again: Start; size: number }[] = []
  for (let round = 0; round < Number(values.rounds); round++) rounds.push(await measure(join(folder, `${round}`)))
  report(rounds)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** A browser that has never seen the page, at a service of its own. */
async function measure(place: string): Promise<{ first: Start; again: Start; size: number }> {
  const limits = { listener: { closeTimeoutMilliseconds: 100 } }
  const conclave = await createServer({ file: `${place}.db`, page, limits })
  const listener = await conclave.listen({ port: 0 })
  const context = await chromium.launchPersistentContext(place, {
    executablePath,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  })
  try {
    context.setDefaultTimeout(120_000)
    const tab = context.pages()[0]!
    const size = await throttle(context, tab)
    const address = listener.url.href
    const first = await start(tab, address, "button[type=submit]")
    await tab.fill("#name", "alice")
    await tab.click("button[type=submit]")
    await tab.click("text=New conversation")
    await tab.getByLabel("Title").first().fill("notes")
    await tab.getByRole("button", { name: "Create", exact: true }).click()
    await tab.getByLabel(/^Message to/).fill("kept")
    await tab.getByLabel(/^Message to/).press("Enter")
    await tab.waitForSelector('.message[data-state="sent"]')
    await tab.waitForFunction(() => navigator.serviceWorker.controller !== null)
    const received = size()
    await listener.close()
    return { first, again: await start(tab, `${address}${new URL(tab.url()).hash}`, ".message"), size: received }
  } finally {
    await context.close()
    await conclave.close()
  }
}

/** Returns how many bytes of the page have come over the line. */
async function throttle(context: BrowserContext, tab: Page): Promise<() => number> {
  const session = await context.newCDPSession(tab)
  await session.send("Network.enable")
  await session.send("Network.emulateNetworkConditions", line)
  await session.send("Emulation.setCPUThrottlingRate", { rate: slowness })
  let size = 0
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    size += encodedDataLength
  })
  return () => size
}

/** From the moment the address is asked for until something is drawn, and until `wanted` is. */
async function start(tab: Page, address: string, wanted: string): Promise<Start> {
  await tab.goto("about:blank")
  await tab.addInitScript((selector) => {
    const look = () => {
      if (document.querySelector(selector) === null) return void requestAnimationFrame(look)
      // What is in the document now is on the screen after the next drawing.
      requestAnimationFrame(() => setTimeout(() => Object.assign(globalThis, { usable: performance.now() })))
    }
    look()
  }, wanted)
  await tab.goto(address, { waitUntil: "commit" })
  const usable = await tab.waitForFunction(() => (globalThis as { readonly usable?: number }).usable, undefined, {
    timeout: 60_000,
  })
  const painted = await tab.evaluate(
    () => performance.getEntriesByName("first-contentful-paint").map(({ startTime }) => startTime)[0],
  )
  return { firstPaint: painted ?? Number.NaN, usable: Number(await usable.jsonValue()) }
}

function report(rounds: readonly { first: Start; again: Start; size: number }[]): void {
  const median = (of: (round: (typeof rounds)[number]) => number) => {
    const sorted = rounds.map(of).sort((a, b) => a - b)
    return sorted[sorted.length >> 1]!
  }
  const figures = {
    firstPaint: median(({ first }) => first.firstPaint),
    usable: median(({ first }) => first.usable),
    again: median(({ again }) => again.usable),
  }
  console.log(`${machine("none")}, Chromium, ${rounds.length} rounds, medians`)
  console.log(
    `400 kbit/s, ${line.latency} ms, ${slowness} times slower; ${median(({ size }) => size)} bytes came over the line\n`,
  )
  for (const [name, what] of [
    ["firstPaint", "first start: something is drawn"],
    ["usable", "first start: a name can be taken"],
    ["again", "next start, without the service: messages are shown"],
  ] as const) {
    const [took, target] = [figures[name], targets[name]]
    console.log(
      `${took <= target ? "met   " : "MISSED"} ${what.padEnd(52)} ${took.toFixed(0).padStart(6)} ms (at most ${target})`,
    )
  }
}
