/** A browser that has no room, or keeps nothing, and a clock that jumps: the page says what it cannot do, and stays usable. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Page } from "playwright-core"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { clearDatabases, noBrowser, onlyChromium, Person } from "./person.js"
import { Service } from "./service.js"

/** So many bytes for the page in this browser; `undefined`: as many as there are. */
async function giveRoom({ page }: Person, quotaSize: number | undefined): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const { origin } = new URL(page.url())
  await session.send("Storage.overrideQuotaForOrigin", { origin, ...(quotaSize !== undefined && { quotaSize }) })
}

const full = /There is no room left in this browser/

const byProtocol = onlyChromium("how much room a page has is set by the protocol of Chromium")

describe("a browser without room", { timeout: 240_000 }, () => {
  it("says so, sends nothing that it cannot keep, and goes on by itself when there is some", {
    skip: byProtocol,
  }, async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const { page } = alice
    await using bob = await openPerson(service, "bob")
    await alice.createConversation("team", "bob")
    const team = await joined(bob, "team")
    await team.send("before")
    await alice.message("before").waitFor()
    await alice.say("kept")
    await alice.message("kept", "sent").waitFor()
    await giveRoom(alice, 1)
    // For half a minute the browser believes what it has measured.
    await page.waitForTimeout(32_000)
    await alice.say("no room for this")
    const failed = alice.message("no room for this", "failed")
    await failed.getByText("Make room").waitFor()
    await page.getByRole("alert").getByText(full).waitFor()
    assert.ok(
      !(await team.history()).some(({ text }) => text === "no room for this"),
      "nothing leaves that is not kept",
    )
    await team.send("meanwhile")
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("no-room-light")
    await page.getByRole("button", { name: "New conversation" }).click()
    await page.getByRole("dialog").getByLabel("Title").fill("another")
    await page.getByRole("button", { name: "Create", exact: true }).click()
    await page.getByRole("dialog").getByRole("alert").getByText("This browser did not store it").waitFor()
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click()
    await alice.message("before").waitFor()
    await page.getByRole("button", { name: "Settings" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Done" }).click()
    await giveRoom(alice, undefined)
    await page.getByText(full).waitFor({ state: "detached" })
    await alice.message("meanwhile").waitFor({ timeout: 40_000 })
    await failed.getByRole("button", { name: "Edit and send again" }).click()
    await page.getByLabel(/^Message to/).press("Enter")
    await alice.message("no room for this", "sent").waitFor()
    await eventually(async () => assert.ok((await team.history()).some(({ text }) => text === "no room for this")))
    await page.reload()
    await alice.message("no room for this", "sent").waitFor()
    assert.equal(await alice.message("meanwhile").count(), 1)
    assert.deepEqual(service.faults, [])
  })

  it("takes no name, and takes it when there is room", { skip: byProtocol }, async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await giveRoom(alice, 1)
    await alice.register()
    await alice.page.getByRole("heading", { name: "Your profile cannot be opened" }).waitFor()
    await alice.page.getByText("This browser did not store it").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await alice.screenshot("no-room-start-light")
    await giveRoom(alice, undefined)
    await alice.page.getByRole("button", { name: "Try again" }).click()
    await alice.page.getByRole("heading", { name: "You are alice" }).waitFor()
  })
})

describe("a browser that keeps nothing", { skip: noBrowser, timeout: 240_000 }, () => {
  it("takes no name that the next start would not know", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open("", (page) =>
      page.addInitScript(() => {
        Storage.prototype.setItem = () => {
          throw new DOMException("it is full", "QuotaExceededError")
        }
      }),
    )
    await alice.register()
    await alice.page.getByRole("alert").getByText("This browser did not store it: QuotaExceededError.").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    assert.equal(await alice.page.getByLabel("Your name").inputValue(), "alice")
    await using bob = await openPerson(service, "bob")
    assert.deepEqual(await bob.devices("alice"), [], "nothing was registered")
  })

  it("says so where it lends no database at all", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open("", (page) =>
      page.addInitScript(() => {
        IDBFactory.prototype.open = () => {
          throw new DOMException("it is not allowed here", "SecurityError")
        }
      }),
    )
    await alice.register()
    await alice.page.getByText(/This browser did not store it: .*SecurityError/).waitFor()
    assert.deepEqual(await audit(alice.page), [])
  })

  it("says so where the database does not answer", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open("", (page) =>
      page.addInitScript(() => {
        IDBFactory.prototype.open = () => new EventTarget() as IDBOpenDBRequest
      }),
    )
    await alice.register()
    await alice.page.getByText("close the other tabs of this page").waitFor({ timeout: 25_000 })
    assert.deepEqual(await audit(alice.page), [])
  })
})

describe("a browser whose data was cleared", { skip: noBrowser, timeout: 120_000 }, () => {
  it("says that the keys are gone, and not that somebody else has the name", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("notes")
    await alice.say("kept")
    await alice.message("kept", "sent").waitFor()
    await clearDatabases(alice.page)
    await alice.page.getByText("has taken the profile from this page").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await alice.page.getByRole("button", { name: "Try again" }).click()
    await alice.page.getByRole("alert").getByText("The keys of alice are no longer in this browser").waitFor()
    await alice.register("alice-2")
    await alice.page.getByRole("heading", { name: "You are alice-2" }).waitFor()
  })
})

const DAY = 86_400_000

/** The page's clock shows so much more from here on. */
async function jump(page: Page, milliseconds: number): Promise<void> {
  await page.evaluate((by) => Object.assign(globalThis, { ahead: by }), milliseconds)
}

describe("a clock that jumps", { skip: noBrowser, timeout: 240_000 }, () => {
  it("keeps nobody from reading and writing, forwards and back", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open("", (page) => page.addInitScript(bendClock))
    await alice.register()
    const { page } = alice
    await using bob = await openPerson(service, "bob")
    await alice.createConversation("team", "bob")
    const team = await joined(bob, "team")
    for (const [name, days] of [
      ["a year ahead", 365],
      ["a year behind", -365],
      ["right again", 0],
    ] as const) {
      await jump(page, days * DAY)
      await alice.say(`written ${name}`)
      await alice.message(`written ${name}`, "sent").waitFor()
      await team.send(`read ${name}`)
      await alice.message(`read ${name}`, "received").waitFor()
    }
    await jump(page, 400 * DAY)
    await service.stop()
    await page.getByText("The service cannot be reached.").waitFor({ timeout: 40_000 })
    await alice.say("later")
    await alice.message("later", "pending").waitFor()
    await jump(page, -400 * DAY)
    await service.start()
    await alice.message("later", "sent").waitFor({ timeout: 70_000 })
    await jump(page, 0)
    await page.reload()
    await alice.message("written a year behind", "sent").waitFor()
    await alice.message("read a year ahead", "received").waitFor()
    assert.deepEqual(await page.locator(".message .bubble").allInnerTexts(), [
      ...["a year ahead", "a year behind", "right again"].flatMap((name) => [`written ${name}`, `read ${name}`]),
      "later",
    ])
    assert.deepEqual(service.faults, [])
  })

  it("says why nobody can be invited by a device whose clock is wrong", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open("", (page) => page.addInitScript(bendClock))
    await alice.register()
    await using _bob = await openPerson(service, "bob")
    await alice.createConversation("team")
    await jump(alice.page, 365 * DAY)
    await alice.page.getByLabel("Invite by name").fill("bob")
    await alice.page.getByRole("button", { name: "Invite", exact: true }).click()
    await alice.page.locator(".invitation .field-problem").waitFor()
    assert.match(await alice.page.locator(".invitation .field-problem").innerText(), /clock/)
    await jump(alice.page, 0)
    await alice.page.getByRole("button", { name: "Invite", exact: true }).click()
    await alice.page.getByText("Added bob.").first().waitFor()
  })
})

/** Before anything else runs: the page's clock is the true one and `ahead` milliseconds more. */
function bendClock(): void {
  const True = Date
  const now = () => True.now() + ((globalThis as { readonly ahead?: number }).ahead ?? 0)
  class Bent extends True {
    constructor(...given: readonly unknown[]) {
      if (given.length === 0) super(now())
      else super(...(given as [number]))
    }
    static override now = now
  }
  Object.assign(globalThis, { Date: Bent })
}
