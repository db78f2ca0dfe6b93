import assert from "node:assert/strict"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import type { Conclave } from "@conclave/server"
import { build } from "esbuild"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import type { Calls } from "./browser-page.js"
import { World } from "./support/world.js"

const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
const skip = existsSync(executablePath) ? false : `no Chromium at ${executablePath}`

describe("in a real browser", { skip, timeout: 180_000 }, () => {
  let world: World
  let server: Conclave
  let url: URL
  let browser: Browser
  before(async () => {
    world = new World({ realClock: true })
    await writePage(world.folder)
    server = await world.server({ page: world.folder })
    url = (await server.listen()).url
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
  })
  after(async () => {
    await browser.close()
    await server.close()
    await world[Symbol.asyncDispose]()
  })

  const openPage = async (context: BrowserContext, name = "index"): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(new URL(`/${name}.html`, url).href)
    await page.waitForFunction("typeof calls === 'object'")
    return page
  }

  it("the IndexedDB store does what every store has to do", async () => {
    const page = await openPage(await browser.newContext())
    const outcomes = await call(page, "conformance")
    for (const [rule, outcome] of outcomes) assert.equal(outcome, "kept", rule)
    assert.ok(outcomes.length >= 6)
  })

  it("one tab at a time has a profile: another is refused, or waits until the first is gone", async () => {
    const context = await browser.newContext()
    const [first, second, third] = [await openPage(context), await openPage(context), await openPage(context)]
    await call(first, "hold", "shared")
    assert.equal(await call(second, "open", "shared", false), "STORE_LOCKED")
    const waiting = call(third, "open", "shared", true)
    await first.close()
    assert.equal(await waiting, "opened")
  })

  it("a page that opens a profile again waits until it has closed it itself", async () => {
    const page = await openPage(await browser.newContext())
    assert.equal(await call(page, "openTwice", "tess", url.href), "tess")
  })

  it("a page that may not compile WebAssembly talks with one that may", async () => {
    const [strict, other] = [await browser.newContext(), await browser.newContext()]
    const [page, theirs] = [await openPage(strict, "strict"), await openPage(other)]
    assert.deepEqual([await call(page, "mayCompile"), await call(theirs, "mayCompile")], [false, true])
    await call(theirs, "register", "olga", url.href)
    const olga = call(theirs, "converse", talk("olga", { until: "hello, olga" }))
    const stan = await call(
      page,
      "converse",
      talk("stan", { invite: ["olga"], say: ["hello, olga"], until: "hello, olga" }),
    )
    assert.deepEqual([stan, await olga], [["stan: hello, olga"], ["stan: hello, olga"]])
  })

  it("a connection that the browser has closed is opened once more, and nothing is lost", async () => {
    for (const how of ["closed", "told"] as const) {
      const page = await openPage(await browser.newContext())
      assert.deepEqual(await call(page, "die", "alice", how), ["1", "before,1", "undefined", "1", "2 connections"], how)
    }
  })

  it("a connection that is closed again at once is told, and the profile is let go", async () => {
    const page = await openPage(await browser.newContext())
    const again = "the browser closes the database again and again"
    const closed = "the store is closed"
    assert.deepEqual(await call(page, "die", "alice", "twice"), [again, closed, closed, closed, `lost: ${again}`])
    assert.equal(await call(page, "open", "alice", false), "opened")
  })

  it("a connection that is closed after it stood idle is opened again, as often as that happens", async () => {
    const page = await openPage(await browser.newContext())
    assert.deepEqual(await call(page, "idle", "alice"), ["undefined"])
  })

  it("a page that asks for a profile which it has open, and gives up, is in nobody's way", async () => {
    const page = await openPage(await browser.newContext())
    assert.deepEqual(await call(page, "giveUp", "alice"), ["enough", "true", "enough, too", "opened"])
  })

  it("a database that is deleted, or cleared with the site's data, is told and not begun again", async () => {
    const context = await browser.newContext()
    const page = await openPage(context)
    const deleted = ["lost: the database is being deleted", "the store is closed", "0"]
    assert.deepEqual(await call(page, "die", "alice", "deleted"), deleted)
    // While it had no connection: what is opened again would be an empty one.
    const why = "the browser has closed the database"
    assert.deepEqual(await call(page, "die", "carol", "vanished"), [why, why, "0"])
    const session = await context.newCDPSession(page)
    await page.exposeFunction("clear", () =>
      session.send("Storage.clearDataForOrigin", { origin: url.origin, storageTypes: "indexeddb" }),
    )
    const [lost, ...rest] = await call(page, "die", "bob", "cleared")
    assert.match(lost!, /^lost: the (browser has closed the database|database is being deleted)$/)
    assert.deepEqual(rest, ["the store is closed", "0"])
  })

  it("a profile has one sealing key, which no other has", async () => {
    const context = await browser.newContext()
    const [first, second] = [await openPage(context), await openPage(context)]
    const key = await call(first, "sealingKey", "alice")
    assert.equal(key.split(",").length, 32)
    assert.equal(await call(second, "sealingKey", "alice"), key)
    assert.notEqual(await call(second, "sealingKey", "bob"), key)
  })

  it("two people hold a conversation, and go on after their pages were closed", async () => {
    const [alices, bobs] = [await browser.newContext(), await browser.newContext()]
    const bobsPage = await openPage(bobs)
    await call(bobsPage, "register", "bob", url.href)
    const bob = call(bobsPage, "converse", talk("bob", { until: "hello, bob" }))
    const alice = call(
      await openPage(alices),
      "converse",
      talk("alice", { invite: ["bob"], say: ["hello, bob"], until: "hello, bob" }),
    )
    assert.deepEqual(await bob, ["alice: hello, bob"])
    assert.deepEqual(await alice, ["alice: hello, bob"])
    for (const context of [alices, bobs]) await context.pages()[0]!.close()

    const later = call(await openPage(alices), "converse", talk("alice", { until: "are you still there?" }))
    await call(
      await openPage(bobs),
      "converse",
      talk("bob", { say: ["are you still there?"], until: "are you still there?" }),
    )
    assert.deepEqual(await later, ["alice: hello, bob", "bob: are you still there?"])
  })

  const talk = (name: string, options: { invite?: string[]; say?: string[]; until: string }) => ({
    invite: [],
    say: [],
    ...options,
    name,
    service: url.href,
  })
})

type Result<K extends keyof Calls> = Awaited<ReturnType<Calls[K]>>

function call<K extends keyof Calls>(page: Page, name: K, ...parameters: Parameters<Calls[K]>): Promise<Result<K>> {
  return page.evaluate(`calls.${name}(...${JSON.stringify(parameters)})`) as Promise<Result<K>>
}

async function writePage(folder: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL("browser-page.js", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outfile: join(folder, "page.js"),
    logLevel: "silent",
  })
  const page = `<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="page.js"></script>`
  writeFileSync(join(folder, "index.html"), page)
  const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'self'">`
  writeFileSync(join(folder, "strict.html"), page.replace("<title>", `${policy}<title>`))
  writeFileSync(join(folder, "delete.js"), "onmessage = ({ data }) => indexedDB.deleteDatabase(data)")
}
