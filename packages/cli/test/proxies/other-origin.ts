import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import type { Browser } from "playwright-core"
import { Folder, Service } from "../support.js"
import type { Row } from "./configurations.js"
import { Peer } from "./people.js"

/** An application of somebody else's with the SDK for browsers, as its bundler makes it. */
const application = `
import { openClient } from "@conclave/client/browser"
globalThis.talk = async (service, name, other) => {
  try {
    await using client = await openClient({ name, service })
    const room = await client.createConversation({ title: "room", members: [other] })
    await room.send("ping 1")
    for await (const event of client.events()) {
      await client.acknowledge(event.number)
      if (event.type === "message") return { received: event.text, online: client.online }
    }
  } catch (error) {
    return { code: error.code, message: error.message }
  }
}
globalThis.why = async (service) => {
  const asked = new URL("socket?origin=" + encodeURIComponent(location.origin), service)
  const answer = await fetch(asked, { credentials: "omit", cache: "no-store" })
  return { status: answer.status, ...(await answer.json()) }
}
`

/** An origin with that application: a server of its own at another port. */
class Elsewhere implements AsyncDisposable {
  readonly #server = createServer((request, response) => {
    const isScript = request.url === "/application.js"
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" })
    response.end(isScript ? this.#script : '<!doctype html><script type="module" src="/application.js"></script>')
  })
  readonly #script: string

  private constructor(script: string) {
    this.#script = script
  }

  static async start(): Promise<Elsewhere> {
    const resolveDir = fileURLToPath(new URL(".", import.meta.url))
    const { outputFiles } = await build({
      stdin: { contents: application, resolveDir },
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
      target: "es2022",
      logLevel: "silent",
    })
    const elsewhere = new Elsewhere(outputFiles[0]!.text)
    elsewhere.#server.listen(0, "127.0.0.1")
    await once(elsewhere.#server, "listening")
    return elsewhere
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, "close")
  }
}

/** A page of another origin: refused, and told why; with `--allow-origin` let in. */
export async function otherOrigin(browser: Browser, allowed: boolean): Promise<Row> {
  await using elsewhere = await Elsewhere.start()
  const words = allowed ? ["--allow-origin", elsewhere.origin] : []
  await using service = await Service.start(new Folder(), 0, { words })
  const address = `${service.address.replace("127.0.0.1", "localhost")}/`
  await using peer = await Peer.start({ service: address, folder: service.folder.path, authority: undefined })
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    await page.goto(elsewhere.origin)
    await page.waitForFunction("typeof talk === 'function'")
    const told = (await page.evaluate(`why(${JSON.stringify(address)})`)) as Record<string, unknown>
    const expected = { status: 426, code: "upgradeRequired", origin: elsewhere.origin, originAllowed: allowed }
    for (const [name, value] of Object.entries(expected)) assert.equal(told[name], value, name)
    const talked = (await page.evaluate(`talk(${JSON.stringify(address)}, "alice", "bob")`)) as Record<string, unknown>
    if (allowed) {
      assert.deepEqual(talked, { received: "pong: ping 1", online: true })
      assert.equal(peer.told.at(-1)?.online, true)
      assert.doesNotMatch(service.errors, /refused/)
    } else {
      assert.equal(talked.code, "UNAVAILABLE")
      assert.match(service.errors, new RegExp(`a page at ${elsewhere.origin} was refused: .*--allow-origin`))
    }
    return {
      name: allowed ? "another origin, --allow-origin" : "another origin",
      page: allowed ? "sends, receives" : "refused, and told",
      sdk: allowed ? "sends, receives" : "",
      log: allowed ? "" : "origin refused",
    }
  } finally {
    await context.close()
  }
}
