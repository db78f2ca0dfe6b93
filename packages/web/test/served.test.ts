import assert from "node:assert/strict"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { createServer } from "@conclave/server"
import { browserName, launch } from "./browsers.js"
import { noBrowser, onlyChromium, output, Person } from "./person.js"
import { Service } from "./service.js"

const page = fileURLToPath(new URL("../../../dist", import.meta.url))

describe("the page until its script has come", { skip: noBrowser, timeout: 150_000 }, () => {
  for (const [colorScheme, background] of [
    ["light", "rgb(246, 245, 241)"],
    ["dark", "rgb(19, 20, 18)"],
  ] as const) {
    it(`shows its name and that it is loading, ${colorScheme}`, async () => {
      await using service = new Service()
      await service.start()
      const profile = mkdtempSync(join(tmpdir(), "conclave-loading-"))
      const browser = await launch(profile, { colorScheme, width: 390 })
      try {
        const tab = browser.pages()[0] ?? (await browser.newPage())
        const complaints: string[] = []
        tab.on("console", (message) => complaints.push(message.text()))
        let release = () => {}
        const released = new Promise<void>((resolve) => {
          release = resolve
        })
        await tab.route(/\/assets\/.*\.js$/, async (route) => {
          await released
          await route.continue()
        })
        await tab.goto(service.address, { waitUntil: "commit" })
        const loading = tab.getByText("Loading…")
        await loading.waitFor()
        const name = await tab.getByText("Conclave", { exact: true }).boundingBox()
        assert.ok(name !== null && name.y > 300 && name.y < 500, "in the middle of what is seen")
        assert.equal(await tab.evaluate("getComputedStyle(document.body).backgroundColor"), background)
        // Before a picture Playwright waits for fonts, which Firefox says to be ready only when everything has loaded.
        if (browserName === "chromium") await tab.screenshot({ path: `${output}loading-${colorScheme}-390.png` })
        release()
        await tab.getByRole("button", { name: "Take this name" }).waitFor()
        assert.equal(await loading.isVisible(), false)
        assert.deepEqual(complaints, [])
      } finally {
        await browser.close()
        rmSync(profile, { recursive: true, force: true })
      }
    })
  }
})

describe("the page beneath a path", { skip: noBrowser, timeout: 150_000 }, () => {
  it("works where the path is taken off on the way, and where it is not", async () => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-beneath-"))
    const file = join(folder, "service.db")
    const limits = { listener: { closeTimeoutMilliseconds: 100 } }
    const conclave = await createServer({
      file,
      page,
      limits,
      mount: "/there/chat",
      publicUrl: "http://localhost/here/chat",
    })
    // An application that passes on what is beneath its mount, and nothing else.
    const app = createHttpServer((request, response) => {
      conclave.handler(request, response, () => response.writeHead(404).end())
    })
    app.on("upgrade", (request, socket, head) => conclave.upgrade(request, socket, head) || socket.destroy())
    app.listen(0, "localhost")
    await once(app, "listening")
    try {
      const { url } = await conclave.listen()
      const mounted = `http://localhost:${(app.address() as AddressInfo).port}/there/chat`
      // Without the slash at its end, as people type it.
      for (const [name, address] of [
        ["alice", new URL("here/chat", url).href],
        ["bob", mounted],
      ] as const) {
        await using person = new Person(name, address)
        await person.open()
        assert.match(person.page.url(), /\/(here|there)\/chat\/$/)
        await person.register()
        await person.createConversation("notes")
        await person.say("kept")
        await person.page.getByText("Connected", { exact: true }).waitFor()
        await person.message("kept", "sent").waitFor()
        await person.isKept()
        assert.ok((await person.keptFiles()).includes("theme.js"), "relative to where the page is")
        if (browserName === "chromium") assert.deepEqual(await person.obstaclesToInstalling(), [])
        assert.deepEqual(person.complaints, [])
      }
    } finally {
      app.closeAllConnections()
      app.close()
      await conclave.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("can be installed", {
    skip: onlyChromium("what Firefox says of installing a page is told to nobody"),
  }, async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.isKept()
    assert.deepEqual(await alice.obstaclesToInstalling(), [])
  })
})
