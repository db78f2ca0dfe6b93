import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { BrowserContext, Locator, Page } from "playwright-core"
import { type Look, launch } from "./browsers.js"

export { executablePath, type Look, noBrowser, onlyChromium } from "./browsers.js"
export { allowCamera, clearDatabases, clipboardOf, showOn } from "./firefox-window.js"

/** Of the repository; left out of it. */
export const output = fileURLToPath(new URL("../../../../../output/", import.meta.url))

const WAIT_MILLISECONDS = 30_000

/** Playwright adds a style of these words before it takes a picture in Firefox, where the page's policy holds for it, too. */
const PICTURE_STYLE = createHash("sha256").update("body {}").digest("base64")

type NodeKind = "leaf" | "parent" | "filled" | "blank" | "renewed" | "added" | "own"

/** Somebody with a browser of their own, in a profile folder of their own. */
export class Person implements AsyncDisposable {
  readonly name: string
  readonly address: string
  /** What the browser complained about: a broken policy, an error that nobody caught. */
  readonly complaints: string[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), "conclave-person-"))
  readonly #look: Look
  #context: BrowserContext | undefined
  #page: Page | undefined

  constructor(name: string, address: string, look: Look = {}) {
    this.name = name
    this.address = address
    this.#look = look
  }

  get page(): Page {
    if (this.#page === undefined) throw new TypeError(`${this.name} has no page open`)
    return this.#page
  }

  /** Starts the browser, with whatever the profile holds from before. `watch` sees the page before anything is loaded. */
  async open(fragment = "", watch?: (page: Page) => void): Promise<void> {
    this.#context = await launch(this.#folder, this.#look)
    this.#context.setDefaultTimeout(WAIT_MILLISECONDS)
    this.#page = this.#watch(this.#context.pages()[0] ?? (await this.#context.newPage()))
    watch?.(this.#page)
    await this.#page.goto(this.address + fragment)
  }

  /** Resolves when the page's files are kept in the browser. */
  async isKept(): Promise<void> {
    await this.page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  }

  /** What Chromium says against installing the page: its manifest, its icons, its worker. */
  async obstaclesToInstalling(): Promise<readonly string[]> {
    const session = await this.page.context().newCDPSession(this.page)
    const { errors } = await session.send("Page.getAppManifest")
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors")
    return [...errors.map(({ message }) => message), ...installabilityErrors.map(({ errorId }) => errorId)]
  }

  /** The paths of what is kept of the page, relative to it. */
  keptFiles(): Promise<string[]> {
    return this.page.evaluate(async () => {
      const kept: string[] = []
      for (const name of await caches.keys()) {
        const cache = await caches.open(name)
        for (const { url } of await cache.keys()) kept.push(url.slice(new URL(".", document.baseURI).href.length))
      }
      return kept
    })
  }

  /** The text of a file, as the page gets it. */
  fetched(path: string): Promise<string> {
    return this.page.evaluate((from) => fetch(from, { cache: "no-store" }).then((it) => it.text()), path)
  }

  /** Resolves when everything has come that a new name needs of the service's files. */
  async hasCryptography(): Promise<void> {
    const isThere = () => performance.getEntriesByType("resource").some(({ name }) => name.endsWith(".wasm"))
    await this.page.waitForFunction(isThere)
  }

  /** Ends the browser, as somebody who closes its window. */
  async close(): Promise<void> {
    await this.#context?.close()
    this.#context = undefined
    this.#page = undefined
  }

  async secondTab(): Promise<Page> {
    const page = this.#watch(await this.#context!.newPage())
    await page.goto(this.address)
    return page
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  // --- What a person does --------------------------------------------------------------------------------------------

  async register(name = this.name, displayName = ""): Promise<void> {
    await this.page.getByLabel("Your name").fill(name)
    await this.page.getByLabel("Display name").fill(displayName)
    await this.page.getByRole("button", { name: "Take this name" }).click()
  }

  /** Makes the recovery key of the name, with the paper that the page asks for, and returns it. */
  async makeRecoveryKey(): Promise<string> {
    const { page } = this
    const dialog = page.getByRole("dialog")
    await page.getByRole("link", { name: "You: name, key and devices" }).click()
    await page.getByRole("button", { name: "Make a recovery key" }).click()
    const shown = dialog.getByTestId("recovery-key").locator("li")
    await shown.first().waitFor()
    const groups = await shown.allInnerTexts()
    await dialog.getByRole("button", { name: "I have it on paper" }).click()
    for (const label of await dialog.locator(".recovery-check label").allInnerTexts()) {
      await dialog.getByLabel(label, { exact: true }).fill(groups[Number(label.slice(6)) - 1]!)
    }
    await dialog.getByRole("button", { name: "Make it my recovery key" }).click()
    await page.getByText("It is the recovery key of your name now.").waitFor()
    return groups.join("-")
  }

  async createConversation(title: string, people = ""): Promise<void> {
    await this.page.getByRole("button", { name: "New conversation" }).first().click()
    // The group beside it has a title of its own.
    const dialog = this.page.getByRole("dialog")
    await dialog.getByLabel("Title").fill(title)
    await dialog.getByLabel("People").fill(people)
    await this.page.getByRole("button", { name: "Create", exact: true }).click()
    await this.page.getByRole("heading", { level: 1, name: title }).waitFor()
  }

  request(by: string): Locator {
    return this.page.locator(".list-request", { hasText: by }).first()
  }

  async accept(by: string): Promise<void> {
    await this.request(by).click()
    await this.page.getByRole("button", { name: "Accept", exact: true }).click()
    await this.page.getByLabel(/^Message to/).waitFor()
  }

  async choose(title: string): Promise<void> {
    await this.page.getByRole("link", { name: title }).click()
    await this.page.getByRole("heading", { level: 1, name: title }).waitFor()
  }

  async invite(name: string): Promise<void> {
    await this.showGroup()
    await this.page.getByLabel("Invite by name").fill(name)
    await this.page.getByRole("button", { name: "Invite", exact: true }).click()
    await this.page.getByText(`Added ${name}.`).first().waitFor()
  }

  async say(text: string): Promise<void> {
    await this.page.getByLabel(/^Message to/).fill(text)
    await this.page.getByLabel(/^Message to/).press("Enter")
  }

  message(text: string, state?: "sent" | "received" | "pending" | "failed"): Locator {
    return this.page.locator(state === undefined ? ".message" : `.message[data-state="${state}"]`, { hasText: text })
  }

  notice(text: string): Locator {
    return this.page.locator(".notice", { hasText: text })
  }

  member(name: string): Locator {
    return this.page
      .locator(".members")
      .getByRole("button", { name: new RegExp(`^${name}(?![\\p{L}\\p{M}\\p{N}-])`, "u") })
  }

  /** The group panel, instead of what is inside; where there is little room, instead of the messages. */
  async showGroup(): Promise<void> {
    const back = this.page.getByRole("button", { name: "Back to the group" })
    if (await back.isVisible()) await back.click()
    const toggle = this.page.locator(".group-toggle[aria-expanded=false]")
    if (await toggle.isVisible()) await toggle.click()
    await this.page.getByRole("heading", { name: "Group", exact: true }).waitFor()
  }

  /** What is inside the conversation. */
  async lookInside(): Promise<void> {
    const inspector = this.page.getByRole("heading", { name: "Inspector", exact: true })
    if (await inspector.isVisible()) return
    await this.showGroup()
    await this.page.getByRole("link", { name: "Look inside" }).click()
    await inspector.waitFor()
  }

  /** Opens the dialog in which the safety code with a member is compared. */
  async verify(name: string): Promise<Locator> {
    await this.openMember(name)
    await this.page.getByRole("button", { name: /^(Verify|Verify again|Show the code)$/ }).click()
    return this.page.getByRole("dialog")
  }

  async openMember(name: string): Promise<void> {
    await this.showGroup()
    if ((await this.member(name).getAttribute("aria-expanded")) !== "true") await this.member(name).click()
  }

  async safetyCodeWith(name: string): Promise<string> {
    const dialog = await this.verify(name)
    const code = this.page.getByTestId("safety-code").locator("li")
    // The dialog is a part of the page that is loaded when it is opened.
    await code.first().waitFor()
    const groups = await code.allTextContents()
    await this.page.keyboard.press("Escape")
    await dialog.waitFor({ state: "detached" })
    return groups.join(" ")
  }

  async markVerified(name: string): Promise<void> {
    const dialog = await this.verify(name)
    await dialog.getByRole("button", { name: "They match: mark as verified" }).click()
    await dialog.getByRole("button", { name: "Close" }).click()
    await this.member(name).getByText("verified", { exact: true }).waitFor()
  }

  async epoch(): Promise<number> {
    await this.lookInside()
    return Number(await this.page.getByTestId("epoch").textContent())
  }

  async authenticator(): Promise<string> {
    await this.lookInside()
    return (await this.page.getByTestId("authenticator").textContent()) ?? ""
  }

  /** Of the drawing: what is inside has to be in front. */
  nodes(...kinds: readonly NodeKind[]): Locator {
    return this.page.locator(`.tree-card .tree-node[data-node-index]${kinds.map((kind) => `.is-${kind}`).join("")}`)
  }

  /** How many of these kinds are in the drawing. */
  async countNodes(...kinds: readonly NodeKind[]): Promise<number> {
    await this.lookInside()
    return this.nodes(...kinds).count()
  }

  async remove(name: string): Promise<void> {
    await this.openMember(name)
    await this.page.getByRole("button", { name: "Remove", exact: true }).click()
    await this.page.getByRole("button", { name: `Remove ${name}` }).click()
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: join(output, `${name}.png`) })
  }

  #watch(page: Page): Page {
    const complain = (text: string) => text.includes(PICTURE_STYLE) || this.complaints.push(text)
    page.on("pageerror", (error) => complain(String(error)))
    page.on("console", (message) => message.type() === "error" && complain(message.text()))
    return page
  }
}
