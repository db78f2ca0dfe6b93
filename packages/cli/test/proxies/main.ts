/**
 * Real proxies in front of the real service, each with the page in Chromium and a client with the SDK for Node that
 * send and receive through it. Prints a table. `npm run test:proxies [-- PART-OF-A-NAME…]`
 */
import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import type { Browser } from "playwright-core"
import { builtPage } from "../../src/service.js"
import { align } from "../../src/terminal/table.js"
import { Folder, Service } from "../support.js"
import { type Configuration, configurations, type Ground, type Row } from "./configurations.js"
import { otherOrigin } from "./other-origin.js"
import { Peer } from "./people.js"
import { executablePath, Person, startBrowser } from "./person.js"
import * as resources from "./resources.js"

/** The longest that a client waits before it asks again over HTTP, and some more. */
const POLLING_MILLISECONDS = 45_000

const said = { each: "each client by its address", one: "all are one requester", forged: "any address can be claimed" }

async function run(configuration: Configuration, browser: Browser): Promise<Row> {
  const { name, scheme, path = "/", words, sockets, log, requesters, quietMilliseconds } = configuration
  using folder = new resources.TemporaryFolder()
  const certificate = await resources.makeCertificate(folder)
  const port = await resources.freePort()
  const address = `${scheme}://localhost:${port}${path}`
  await using service = await Service.start(new Folder(), 0, { words: words?.(address) ?? [] })
  const listening = /http:\/\/127\.0\.0\.1:(\d+)/.exec(service.announcement)!
  const innerPort = await resources.freePort()
  const ground: Ground = { folder, certificate, service: Number(listening[1]), port, innerPort }
  await using proxies = new resources.Several(configuration.start(ground))
  const authority = scheme === "http" ? undefined : (configuration.authority?.(ground) ?? certificate.authority)
  const isReady = async () =>
    (authority === undefined || existsSync(authority)) &&
    (await resources.statusOf(new URL("readyz", address), { authority })) === 200
  await proxies.running[0]!.until("answer of the service through it", isReady)

  await using peer = await Peer.start({ service: address, folder: folder.path, authority })
  await using alice = await Person.open(browser, address)
  await alice.register("alice")
  await alice.createConversation("room", "bob")
  await alice.say("ping 1")
  const polling = peer.told[0]!.polling === true
  const patience = sockets ? undefined : polling ? POLLING_MILLISECONDS : 3_000
  const received = await alice.receives("pong: ping 1", patience)
  if (quietMilliseconds !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, quietMilliseconds))
    await alice.say("ping 2")
    assert.ok(await alice.receives("pong: ping 2"), "no answer after the proxy has cut a quiet connection")
  }
  const [told] = peer.told.filter((it) => it.received === "ping 1")
  assert.equal(received, sockets || polling, `the page ${received ? "received" : "did not receive"}`)
  assert.equal(alice.heard, sockets, "WebSocket of the page")
  if (sockets) assert.equal(told?.online, true, "WebSocket of the SDK")
  if (log === undefined) assert.doesNotMatch(service.errors, /was refused|came without/)
  else assert.match(service.errors, log)

  const one = await resources.areOneRequester(new URL(address), authority)
  assert.equal(one === "forged" ? one : one ? "one" : "each", requesters, "requesters")
  const lines = service.errors.split("\n").filter((line) => /was refused|came without/.test(line))
  const outcome = (got: boolean) => (got ? "sends, receives" : "sends; receives nothing")
  const logged = lines[0] === undefined ? [] : [lines[0].includes("came without") ? "no Upgrade" : "origin refused"]
  const how = sockets ? "" : polling && received ? ", by asking" : ""
  return {
    name,
    page: outcome(received) + how,
    sdk: outcome(told !== undefined) + how,
    log: [...logged, said[requesters]].join("; "),
  }
}

const wanted = process.argv.slice(2)
const isWanted = (name: string) => wanted.length === 0 || wanted.some((part) => name.includes(part))
if (builtPage() === undefined) throw new Error("the page is not built: npm run build")
if (!existsSync(executablePath)) throw new Error(`there is no Chromium at ${executablePath}: set CHROMIUM_PATH`)

const rows: Row[] = []
const failures: string[] = []
const skipped: string[] = []
const others = [false, true].map((allowed) => ({
  name: `another origin${allowed ? ", --allow-origin" : ""}`,
  programs: [] as const,
  run: (browser: Browser) => otherOrigin(browser, allowed),
}))
const browser = await startBrowser()
try {
  const all = [...configurations.map((it) => ({ ...it, run: (browser: Browser) => run(it, browser) })), ...others]
  for (const { name, programs, run } of all.filter(({ name }) => isWanted(name))) {
    const missing = programs.filter((program) => resources.programPath(program) === undefined)
    if (missing.length > 0) {
      skipped.push(`${name}: ${missing.join(" and ")} not installed`)
      continue
    }
    try {
      rows.push(await run(browser))
      console.log(`ok    ${name}`)
    } catch (error) {
      failures.push(name)
      console.error(`FAILED ${name}\n${(error as Error).stack}`)
    }
  }
} finally {
  await browser.close()
}

const head = ["configuration", "page", "SDK for Node", "what the service says"]
const table = align([head, ...rows.map((row) => [row.name, row.page, row.sdk, row.log])])
console.log(`\n${table.join("\n")}`)
for (const line of skipped) console.log(`\nSKIPPED: ${line}`)
for (const name of failures) console.log(`\nFAILED: ${name}`)
if (rows.length + failures.length + skipped.length === 0)
  throw new Error(`no configuration is called ${wanted.join(", ")}`)
process.exitCode = failures.length > 0 ? 1 : 0
