import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { gzipSync } from "node:zlib"
import { eventually } from "./eventually.js"
import { noBrowser, Person } from "./person.js"
import { builtPage, Service } from "./service.js"

/** Of script, gzipped: what a first start and a first conversation load, and all that a start could ever load. */
const SCRIPT_SIZE_MAX = 200_000

const files = () =>
  (readdirSync(builtPage, { recursive: true }) as string[]).filter(
    (name) => statSync(join(builtPage, name)).isFile() && !/\.(br|gz)$/.test(name),
  )

describe("what a start loads", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is less than 200 KB of script, gzipped, with WebAssembly in a file of its own", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const loaded: { readonly name: string; readonly size: number }[] = []
    await alice.open("", (page) =>
      page.on("response", async (response) => {
        const { pathname } = new URL(response.url())
        if (!/\.(js|wasm)$/.test(pathname) || pathname === "/worker.js") return
        loaded.push({ name: pathname, size: gzipSync(await response.body(), { level: 9 }).length })
      }),
    )
    await alice.register()
    await alice.createConversation("notes")
    await alice.say("kept")
    await alice.message("kept", "sent").waitFor()
    const scripts = loaded.filter(({ name }) => name.endsWith(".js"))
    const size = scripts.reduce((sum, it) => sum + it.size, 0)
    assert.ok(scripts.length >= 2 && size > 50_000, "what is loaded is counted")
    assert.ok(size < SCRIPT_SIZE_MAX, `${size} bytes: ${JSON.stringify(scripts)}`)
    assert.equal(loaded.filter(({ name }) => name.endsWith(".wasm")).length, 1)
    assert.deepEqual(alice.complaints, [])
  })
})

describe("the page without the service", { skip: noBrowser, timeout: 180_000 }, () => {
  it("opens, shows what was said, takes what is written, and sends it later", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("notes")
    await alice.say("said before")
    await alice.message("said before", "sent").waitFor()
    await alice.isKept()
    await service.stop()
    await alice.close()
    await alice.open()
    await alice.choose("notes")
    await alice.message("said before").waitFor()
    await alice.say("written without the service")
    await alice.message("written without the service", "pending").waitFor()
    await alice.page.getByText("The service cannot be reached.").waitFor()
    await alice.screenshot("offline-light")
    await service.start()
    await alice.message("written without the service", "sent").waitFor()
  })

  it("keeps the built files, each of them, and nothing else", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("notes")
    await alice.say("kept")
    await alice.message("kept", "sent").waitFor()
    await alice.isKept()
    await alice.page.reload()
    await alice.message("kept").waitFor()
    assert.deepEqual(alice.complaints, [])
    await alice.fetched("answers-of-the-service")
    await alice.fetched("?another")
    const kept = await alice.keptFiles()
    const expected = files().map((name) => (name === "index.html" ? "" : name))
    assert.deepEqual(kept.sort(), expected.filter((name) => name !== "worker.js").sort())
  })
})

describe("a new version of the page", { skip: noBrowser, timeout: 240_000 }, () => {
  it("says that it is there, starts when it is asked to, and takes away the files of the one before", async () => {
    await using versions = new Folder()
    await using service = new Service({ page: versions.path })
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("notes")
    await alice.isKept()
    await alice.page.getByLabel(/^Message to/).fill("half a sentence")
    versions.change("favicon.svg", (text) => `${text}<!-- 2 -->`)
    await alice.page.evaluate(() => navigator.serviceWorker.getRegistration().then((it) => it?.update()))
    await alice.page.getByText("A new version of Conclave is ready.").waitFor()
    await alice.screenshot("new-version-light")
    assert.doesNotMatch(await alice.fetched("favicon.svg"), /<!-- 2 -->/, "the one before runs until then")
    await alice.page.getByRole("button", { name: "Start it now" }).click()
    await eventually(async () => assert.match(await alice.fetched("favicon.svg"), /<!-- 2 -->/))
    await alice.page.getByText("A new version of Conclave is ready.").waitFor({ state: "detached" })
    assert.equal(await alice.page.getByLabel(/^Message to/).inputValue(), "half a sentence")
    await eventually(async () =>
      assert.equal(await alice.page.evaluate(() => caches.keys().then((it) => it.length)), 1),
    )
    assert.deepEqual(alice.complaints, [])
  })

  it("takes over when the page starts the next time, without a word", async () => {
    await using versions = new Folder()
    await using service = new Service({ page: versions.path })
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.isKept()
    versions.change("favicon.svg", (text) => `${text}<!-- 2 -->`)
    await alice.page.evaluate(() => navigator.serviceWorker.getRegistration().then((it) => it?.update()))
    const waits = () => navigator.serviceWorker.getRegistration().then((it) => it !== undefined && it.waiting !== null)
    await eventually(async () => assert.ok(await alice.page.evaluate(waits)))
    await alice.page.reload()
    await eventually(async () => assert.match(await alice.fetched("favicon.svg"), /<!-- 2 -->/))
    await alice.page.getByRole("button", { name: "Take this name" }).waitFor()
  })

  it("is not kept where a file is another one than was built, and the one before goes on", async () => {
    await using versions = new Folder()
    await using service = new Service({ page: versions.path })
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.isKept()
    const before = await alice.keptFiles()
    versions.change("theme.js", (text) => `${text}\n// 2\n`)
    versions.write("theme.js", "fetch('https://elsewhere.example/')")
    const outcome = await alice.page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration()
      await registration?.update()
      const { installing } = registration!
      return new Promise((resolve) => {
        installing?.addEventListener("statechange", () => resolve(installing.state))
      })
    })
    assert.equal(outcome, "redundant")
    await alice.page.reload()
    await alice.page.getByRole("button", { name: "Take this name" }).waitFor()
    assert.doesNotMatch(await alice.fetched("theme.js"), /elsewhere/)
    assert.deepEqual(await alice.keptFiles(), before)
  })
})

/** A copy of the built page, of which versions can be made. */
class Folder implements AsyncDisposable {
  readonly path = mkdtempSync(join(tmpdir(), "conclave-versions-"))

  constructor() {
    cpSync(builtPage, this.path, { recursive: true })
    // Else the service sends them in the place of those that are changed here.
    for (const name of ["worker.js", "favicon.svg", "theme.js"]) {
      for (const ending of [".br", ".gz"]) rmSync(join(this.path, name + ending), { force: true })
    }
  }

  /** As a build does: the file, and what the worker has of it. */
  change(name: string, change: (text: string) => string): void {
    const before = readFileSync(join(this.path, name), "utf8")
    this.write(name, change(before))
    const worker = readFileSync(join(this.path, "worker.js"), "utf8")
    const digest = (text: string) => createHash("sha256").update(text).digest("base64")
    const changed = worker
      .replace(digest(before), digest(change(before)))
      .replace(/(version\\*":\\*")[\w-]{43}/, `$1${digest(change(before)).slice(0, 40).replace(/\W/g, "x")}`)
    assert.notEqual(changed, worker)
    this.write("worker.js", changed)
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.path, { recursive: true, force: true })
  }
}
