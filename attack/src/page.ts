import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { BrowserContext, Page } from "playwright-core"
import { root } from "./hostile.js"
import type { World } from "./world.js"

export const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
/** The page, as it was built. */
export const page = join(root, "packages/web/dist")

const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
const WAIT_MILLISECONDS = 10_000
/** How often nothing new is in front of somebody who has read everything. */
const STILL_MAX = 10

/** Somebody at the page, in a browser of their own. */
export class Person implements AsyncDisposable {
  readonly page: Page
  /** What the browser complained about. */
  readonly complaints: string[] = []
  readonly #context: BrowserContext
  readonly #folder: string

  private constructor(page: Page, context: BrowserContext, folder: string) {
    this.page = page
    this.#context = context
    this.#folder = folder
    page.on("pageerror", (error) => this.complaints.push(String(error)))
  }

  /** Opens the page, and takes a name. */
  static async come(world: World, url: URL, name: string): Promise<Person> {
    if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}: CHROMIUM_PATH says where`)
    // Loaded here alone: every other attack starts without it.
    const { chromium } = await import("playwright-core")
    const folder = mkdtempSync(join(world.folder, "browser-"))
    const context = await chromium.launchPersistentContext(folder, { executablePath, args, locale: "en-GB" })
    context.setDefaultTimeout(WAIT_MILLISECONDS)
    const person = new Person(context.pages()[0] ?? (await context.newPage()), context, folder)
    // A page has its cryptography at `localhost`.
    await person.page.goto(`http://localhost:${url.port}/`)
    await person.page.getByLabel("Your name").fill(name)
    await person.page.getByRole("button", { name: "Take this name" }).click()
    await person.page.getByText("Connected", { exact: true }).waitFor()
    return person
  }

  /** Enters the conversation that `by` has invited to. */
  async accept(by: string, title: string): Promise<void> {
    await this.page.locator(".list-request", { hasText: by }).click()
    await this.page.getByRole("button", { name: "Accept", exact: true }).click()
    await this.page.getByRole("heading", { level: 1, name: title }).waitFor()
  }

  message(text: string) {
    return this.page.locator(".message", { hasText: text })
  }

  /** The texts of all messages in front of the person, who reads back to the first: what is far away is not drawn. */
  async allMessages(): Promise<readonly string[]> {
    const seen = new Set<string>()
    const list = this.page.locator(".messages")
    for (let still = 0; still < STILL_MAX; ) {
      const before = seen.size
      for (const text of await this.page.locator(".message").allInnerTexts()) seen.add(text)
      const isAtTop = await list.evaluate((element) => {
        element.scrollBy(0, -element.clientHeight / 2)
        return element.scrollTop === 0
      })
      await this.page.waitForTimeout(100)
      still = isAtTop && seen.size === before ? still + 1 : 0
    }
    return [...seen]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
