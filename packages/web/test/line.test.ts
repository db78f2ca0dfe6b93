import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { after, before, describe, it } from "node:test"
import type { Line } from "@conclave/client/browser"
import { lineWords } from "../src/profile/line-words.js"
import { audit } from "./audit.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person, showOn } from "./person.js"
import { Service } from "./service.js"

/** Passes requests on, and WebSockets only when it is told to: as a proxy whose operator has not thought of them. */
class Middle implements AsyncDisposable {
  passesSockets = false
  passesRequests = true
  readonly #target: URL
  readonly #server: Server

  constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((asked, answer) => this.#pass(asked, answer))
    this.#server.on("upgrade", (asked, near, head) => {
      near.on("error", () => near.destroy())
      if (!this.passesSockets) return void near.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")
      const far = connect(Number(this.#target.port), this.#target.hostname)
      far.on("error", () => near.destroy())
      const headers = Object.entries({ ...asked.headers, host: this.#target.host, origin: this.#target.origin })
      far.write(`GET ${asked.url} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`)
      far.write(head)
      near.pipe(far).pipe(near)
    })
  }

  async open(): Promise<string> {
    this.#server.listen(0, "localhost")
    await once(this.#server, "listening")
    return `http://localhost:${(this.#server.address() as { port: number }).port}/`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    if (!this.passesRequests) return void answer.socket?.destroy()
    const { pathname } = new URL(asked.url!, this.#target)
    // What the service says of its socket to whoever asks without one.
    if (pathname === "/socket") {
      answer.writeHead(426, { "content-type": "application/json" })
      answer.end(JSON.stringify({ code: "upgradeRequired", reason: "", upgrade: "none", originAllowed: true }))
      return
    }
    const headers = { ...asked.headers, host: this.#target.host }
    const { hostname, port } = this.#target
    const passed = request({ hostname, port, path: asked.url, method: asked.method, headers }, (answered) => {
      answer.writeHead(answered.statusCode!, answered.headers)
      answered.pipe(answer)
    })
    passed.on("error", () => answer.destroy())
    asked.pipe(passed)
  }
}

describe("a page behind a proxy that does not pass WebSockets", { skip: noBrowser, timeout: 180_000 }, () => {
  let service: Service
  let proxy: Middle
  let alice: Person
  before(async () => {
    service = new Service()
    await service.start()
    proxy = new Middle(service.address)
    alice = new Person("alice", await proxy.open())
    await alice.open()
  })
  after(async () => {
    await alice[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  it("sends and receives, and says why with a delay", async () => {
    await alice.register()
    const text = "The proxy does not pass WebSockets; messages arrive with a delay."
    await alice.page.getByRole("status").getByText(text).waitFor()
    await alice.page.getByText("Connected, delayed").waitFor()
    await using bob = await openPerson(service, "bob")
    await alice.createConversation("Release", "bob")
    await alice.say("hello, bob")
    await alice.message("hello, bob", "sent").waitFor()
    const conversation = await joined(bob, "Release")
    await conversation.send("hello, alice")
    await alice.message("hello, alice", "received").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    for (const [width, height] of [
      [1280, 800],
      [390, 780],
    ] as const) {
      await alice.page.setViewportSize({ width, height })
      for (const colorScheme of ["light", "dark"] as const) {
        await showOn(alice.page, { colorScheme })
        await alice.screenshot(`line-polling-${width}-${colorScheme}`)
        const overflow = await alice.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        assert.ok(overflow <= 0, `${overflow} px at ${width}`)
      }
    }
    await alice.page.setViewportSize({ width: 1280, height: 800 })
  })

  it("is connected at once where it tries now and there is a way", async () => {
    proxy.passesSockets = true
    await alice.page.getByRole("button", { name: "Try now" }).click()
    await alice.page.getByText("Connected", { exact: true }).waitFor()
    assert.equal(await alice.page.getByRole("button", { name: /^Try/ }).count(), 0)
  })

  it("says that it is offline where nothing gets through, and is back when it is told to try", async () => {
    proxy.passesSockets = false
    proxy.passesRequests = false
    await service.stop()
    await service.start()
    const banner = alice.page.getByRole("status").filter({ hasText: "The service cannot be reached." })
    await banner.waitFor()
    await alice.page.getByText("Offline, trying again").waitFor()
    await showOn(alice.page, { colorScheme: "light" })
    assert.deepEqual(await audit(alice.page), [])
    for (const colorScheme of ["light", "dark"] as const) {
      await showOn(alice.page, { colorScheme })
      await alice.screenshot(`line-offline-${colorScheme}`)
    }
    proxy.passesSockets = true
    proxy.passesRequests = true
    // It may have tried by itself in this moment.
    const tried = banner.getByRole("button", { name: "Try now" }).click({ timeout: 3_000 })
    await tried.catch(async (error: unknown) => {
      if ((await banner.count()) > 0) throw error
    })
    await banner.waitFor({ state: "detached" })
  })
})

describe("what is said of a line", () => {
  const trouble = (state: "polling" | "offline", fault: (Line & { state: "polling" })["fault"]) =>
    lineWords(
      { state, fault, reason: "what answers at this address is no Conclave service, or an older one" },
      "https://chat.example.org",
    )

  it("names the cause, and who can do something about it", () => {
    assert.match(trouble("polling", "upgradeDropped"), /^The proxy does not pass WebSockets; .* with a delay\.$/)
    assert.match(
      trouble("polling", "originRefused"),
      /pages of https:\/\/chat\.example\.org no stream, which its operator can change; mess/,
    )
    assert.match(
      trouble("polling", "unknown"),
      /opens \(what answers at this address is no Conclave service, or an older one\); messages/,
    )
    assert.match(trouble("polling", undefined), /^No stream to the service stays open; messages/)
    assert.match(trouble("offline", "originRefused"), /^The service refuses pages of https:.* is kept on this device/)
    assert.match(trouble("offline", "unavailable"), /^The service is not available at the moment\. /)
    assert.match(trouble("offline", "unreachable"), /^The service cannot be reached\. What you write is kept/)
  })
})
