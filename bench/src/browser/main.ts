/**
 * `npm run bench:browser [-- --rounds 15 --suite 1]`: the cost of messages and of joining in Chromium, beside the same in Node, in
 * turns in one run.
 */

import { existsSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { nodeProvider, verifyBatch } from "@conclave/crypto/node"
import { given } from "@conclave/interop"
import { encodeKeyPackageBundle } from "@conclave/mls"
import { build } from "esbuild"
import { type Browser, type Page as BrowserPage, chromium } from "playwright-core"
import { FullTree } from "../full-tree.js"
import { machine } from "../machine.js"
import type { Page } from "./page.js"
import { type Figures, type Invitation, keyPackageOf, memberOptions, Workload } from "./workload.js"

const values = given(
  () =>
    parseArgs({
      options: {
        rounds: { type: "string", default: "15" },
        members: { type: "string", default: "1000" },
        suite: { type: "string", default: "1" },
      },
    }).values,
  "bench:browser -- --rounds 15 --members 1000 --suite 1",
)
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
/** In a round: enough to outlast the steps of a browser's clock. */
const messages = 20
const targets = { ratio: 3, joinMilliseconds: 300 }

if (!existsSync(executablePath)) throw new Error(`there is no Chromium at ${executablePath}: set CHROMIUM_PATH`)
const provider = nodeProvider()
const invitation = invite(Number(values.members), Number(values.suite))
const server = await serve(await bundle())
let browser: Browser | undefined
try {
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  await page.waitForFunction("typeof page === 'object'")
  console.log(
    `${machine(provider.name)}, Chromium ${browser.version()}, suite ${values.suite}, ${values.rounds} rounds`,
  )
  report(await contest(page, Number(values.rounds)))
} finally {
  await browser?.close()
  server.close()
}

function invite(members: number, suite: number): Invitation {
  const terms = { suite, now: Math.floor(Date.now() / 1000) }
  const options = memberOptions(provider, terms)
  const bundle = keyPackageOf(options)
  const { welcome } = new FullTree(options.suite, members).welcome([bundle.keyPackage])
  return {
    ...terms,
    welcome: base64(welcome),
    bundle: base64(encodeKeyPackageBundle(bundle)),
    signatureKey: base64(options.signer.key.exportPrivateKey()),
  }
}

/** Each in turn, so that whatever else the machine does falls on all of them. */
async function contest(page: BrowserPage, rounds: number): Promise<Map<string, Figures[]>> {
  const openssl = nodeProvider({ accelerate: false })
  const inNode = {
    Node: new Workload(provider, invitation, (signatures) => verifyBatch("Ed25519", signatures)),
    "Node, OpenSSL alone": new Workload(openssl, invitation),
  }
  await page.evaluate((given) => (globalThis as unknown as { page: Page }).page.start(given), invitation)
  const inPage = (name: "web" | "portable") =>
    page.evaluate(([which, count]) => (globalThis as unknown as { page: Page }).page.round(which, count), [
      name,
      messages,
    ] as const)
  const figures = new Map<string, Figures[]>()
  // Of the first three rounds nothing is kept: compilers are at work.
  for (let round = -3; round < rounds; round++) {
    for (const [name, workload] of Object.entries(inNode)) note(name, round, await workload.round(messages))
    note("Chromium, web", round, await inPage("web"))
    note("Chromium, portable", round, await inPage("portable"))
  }
  return figures

  function note(name: string, round: number, one: Figures): void {
    if (round >= 0) figures.set(name, [...(figures.get(name) ?? []), one])
  }
}

function report(figures: ReadonlyMap<string, readonly Figures[]>): void {
  const median = (name: string, field: keyof Figures): number | undefined => {
    const sorted = figures
      .get(name)!
      .flatMap((it) => it[field] ?? [])
      .sort((a, b) => a - b)
    return sorted[sorted.length >> 1]
  }
  const micro = (milliseconds: number | undefined) => `${(milliseconds! * 1000).toFixed(0)} µs`
  const milli = (milliseconds: number | undefined) =>
    milliseconds === undefined ? "-" : `${milliseconds.toFixed(0)} ms`
  console.log(
    `\nMedians: encrypt 1 KiB, decrypt 1 KiB, join ${values.members} members, the same with signatures beside`,
  )
  for (const name of figures.keys()) {
    const [encrypt, decrypt] = [median(name, "encrypt"), median(name, "decrypt")]
    const times = (field: "encrypt" | "decrypt" | "join") => (median(name, field)! / median("Node", field)!).toFixed(1)
    console.log(
      `${name.padEnd(22)} ${micro(encrypt).padStart(8)} (${times("encrypt")})  ${micro(decrypt).padStart(8)} (${times("decrypt")})  ` +
        `${milli(median(name, "join")).padStart(8)} (${times("join")})  ${milli(median(name, "joinBatch")).padStart(8)}`,
    )
  }
  const web = (field: keyof Figures) => median("Chromium, web", field)!
  const checks: [string, boolean][] = [
    [`encrypt at most ${targets.ratio} times Node's`, web("encrypt") <= targets.ratio * median("Node", "encrypt")!],
    [`decrypt at most ${targets.ratio} times Node's`, web("decrypt") <= targets.ratio * median("Node", "decrypt")!],
    [`join in ${targets.joinMilliseconds} ms`, Math.min(web("join"), web("joinBatch")) <= targets.joinMilliseconds],
  ]
  console.log(`\n${checks.map(([what, met]) => `${met ? "met" : "MISSED"}: ${what}`).join("\n")}`)
}

async function bundle(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL("page.js", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    minify: true,
    write: false,
    logLevel: "silent",
  })
  return result.outputFiles[0]!.text
}

/** A page of an isolated origin: its clock is the finest that a browser gives. */
function serve(script: string): Promise<Server> {
  const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
  const listening = createServer((request, response) => {
    const isScript = request.url === "/page.js"
    response.writeHead(200, { ...isolation, "Content-Type": isScript ? "text/javascript" : "text/html" })
    response.end(
      isScript ? script : '<!doctype html><meta charset="utf-8"><script type="module" src="page.js"></script>',
    )
  })
  return new Promise((resolve) => listening.listen(0, "127.0.0.1", () => resolve(listening)))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64")
}
