import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"

export const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic"] })

const WAIT_MILLISECONDS = 20_000

/** Somebody with the page. */
export class Person implements AsyncDisposable {
  readonly page: Page
  readonly #context: BrowserContext
  /** Whether a WebSocket has brought anything. */
  heard = false

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context
    this.page = page
    page.on("websocket", (socket) =>
      socket.on("framereceived", () => {
        this.heard = true
      }),
    )
  }

  /** The test's authorities are not the browser's: it trusts what the SDK, which checks them, is given too. */
  static async open(browser: Browser, address: string): Promise<Person> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    context.setDefaultTimeout(WAIT_MILLISECONDS)
    const person = new Person(context, await context.newPage())
    await person.page.goto(address)
    return person
  }

  async register(name: string): Promise<void> {
    await this.page.getByLabel("Your name").fill(name)
    await this.page.getByRole("button", { name: "Take this name" }).click()
  }

  async createConversation(title: string, people: string): Promise<void> {
    await this.page.getByRole("button", { name: "New conversation" }).first().click()
    await this.page.getByLabel("Title").first().fill(title)
    await this.page.getByLabel("People").fill(people)
    await this.page.getByRole("button", { name: "Create", exact: true }).click()
    await this.page.getByRole("heading", { level: 1, name: title }).waitFor()
  }

  /** Resolves when the service has it. */
  async say(text: string): Promise<void> {
    await this.page.getByLabel(/^Message to/).fill(text)
    await this.page.getByLabel(/^Message to/).press("Enter")
    await this.page.locator('.message[data-state="sent"]', { hasText: text }).waitFor()
  }

  /** Whether a message comes in time. */
  async receives(text: string, timeout = WAIT_MILLISECONDS): Promise<boolean> {
    const message = this.page.locator('.message[data-state="received"]', { hasText: text })
    return message.waitFor({ timeout }).then(
      () => true,
      () => false,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close()
  }
}
