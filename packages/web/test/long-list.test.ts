import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import type { BrowserContext, Page } from "playwright-core"
import { launch, noBrowser } from "./browsers.js"

const source = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

describe("a list of 1,000 conversations", { skip: noBrowser, timeout: 240_000 }, () => {
  const profile = mkdtempSync(join(tmpdir(), "conclave-list-"))
  let browser: BrowserContext
  let page: Page

  before(async () => {
    const built = await build({
      entryPoints: [source("test/long-list-page.tsx")],
      bundle: true,
      write: false,
      format: "iife",
      conditions: ["browser"],
      jsx: "automatic",
      jsxImportSource: "preact",
      loader: { ".wasm": "empty" },
    })
    const styles = ["tokens", "base", "shell", "people"].map((it) =>
      readFileSync(source(`src/style/${it}.css`), "utf8"),
    )
    browser = await launch(profile, { width: 390 })
    page = browser.pages()[0] ?? (await browser.newPage())
    await page.setContent(
      `<style>${styles.join("\n")}</style><main id="app" class="list-pane" style="height:800px"></main><script>${built.outputFiles[0]!.text.replaceAll("</script", "<\\/script")}</script>`,
    )
  })

  after(async () => {
    await browser.close()
    rmSync(profile, { recursive: true, force: true })
  })

  const draw = (count: number, changed?: number) =>
    page.evaluate(
      ([all, at]) => (globalThis as unknown as { drawList(count: number, at?: number): void }).drawList(all!, at),
      [count, changed] as const,
    )
  const rows = () => page.locator(".list-row").count()
  const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "")

  it("has some of them on the page, wherever it is scrolled to", async () => {
    await draw(1_000)
    await page.getByText("Conversation 1", { exact: true }).waitFor()
    assert.ok((await rows()) < 60, `${await rows()} rows`)
    for (const to of [20_000, 1_000, 1e9, 0]) {
      await page.locator(".list-scroll").evaluate((element, top) => element.scrollTo(0, top), to)
      await page.waitForTimeout(100)
      assert.ok((await rows()) < 60, `${await rows()} rows at ${to}`)
      const isBlank = await page.evaluate(() => document.elementFromPoint(150, 400)?.closest(".list-row") === null)
      assert.equal(isBlank, false, `at ${to}`)
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(overflow <= 0)
  })

  it("is walked through by keys, to the end and back, without losing the focus", async () => {
    await page.locator(".list-row[tabindex='0']").focus()
    for (let step = 0; step < 40; step++) await page.keyboard.press("ArrowDown")
    assert.match(await focused(), /Conversation 41/)
    await page.keyboard.press("End")
    await page.waitForTimeout(100)
    assert.match(await focused(), /Conversation 1000/)
    assert.equal(await page.locator("li:focus-within").getAttribute("aria-posinset"), "1000")
    await page.locator(".list-scroll").evaluate((element) => element.scrollTo(0, 0))
    await page.waitForTimeout(100)
    assert.match(await focused(), /Conversation 1000/, "the row with the focus stays")
    await page.keyboard.press("Home")
    await page.waitForTimeout(100)
    assert.match(await focused(), /Conversation 1[^\d]*$/)
    assert.ok((await rows()) < 60)
  })

  it("is drawn again within a frame when a message comes into the last of them", async () => {
    const before = await page.locator(".list-row").count()
    await draw(1_000, 999)
    await page.getByText("Conversation 1000", { exact: true }).waitFor()
    assert.ok(Math.abs((await rows()) - before) < 3)
    assert.match(await page.locator(".list-row").first().innerText(), /Conversation 1000[\s\S]*1/)
  })

  it("is drawn whole where it is short", async () => {
    await draw(50)
    assert.equal(await rows(), 50)
    assert.equal(await page.locator(".list-scroll").count(), 0)
  })
})
