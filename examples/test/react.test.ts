import assert from "node:assert/strict"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { createServer } from "@conclave/server"
import { build } from "esbuild"
import { chromium } from "playwright-core"

const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
const skip = existsSync(executablePath) ? false : `no Chromium at ${executablePath}`

describe("the component for React", { skip, timeout: 60_000 }, () => {
  it("opens its profile under StrictMode, which mounts it twice, and draws what happens", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-react-"))
    test.after(() => rmSync(folder, { recursive: true, force: true }))
    await build({
      ...{ bundle: true, format: "esm", platform: "browser", target: "es2022", logLevel: "silent" },
      entryPoints: [fileURLToPath(new URL("../react.js", import.meta.url))],
      outfile: join(folder, "page.js"),
      // The build in which StrictMode mounts twice.
      define: { "process.env.NODE_ENV": '"development"' },
    })
    const page = `<!doctype html><title>test</title><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="page.js"></script>`
    writeFileSync(join(folder, "index.html"), page)
    const server = await createServer({ file: join(folder, "service.db"), page: folder })
    test.after(() => server.close())
    const { url } = await server.listen()
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
    test.after(() => browser.close())
    const shown = await browser.newPage()
    const told: string[] = []
    shown.on("console", (message) => message.type() === "error" && told.push(message.text()))
    await shown.goto(url.href)
    await shown.getByText("connected", { exact: true }).waitFor({ timeout: 20_000 })
    await shown.getByRole("button", { name: "New conversation" }).click()
    await shown.getByText("notes: alice").waitFor({ timeout: 20_000 })
    assert.deepEqual(told, [])
  })
})
