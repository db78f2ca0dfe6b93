import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person, showOn } from "./person.js"
import { Service } from "./service.js"

const WIDTHS = [1280, 768, 390, 320]

describe("what is on the device", { skip: noBrowser, timeout: 300_000 }, () => {
  it("is searched from everywhere, and a message leads to its place, however far back", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await using bob = await openPerson(service, "bob", { displayName: "Bob" })
    const { page } = alice
    await alice.createConversation("Harbour", "bob")
    const harbour = await joined(bob, "Harbour")
    for (let number = 1; number <= 130; number++) {
      await harbour.send(number === 7 ? "The Café at the gate\nopens at six." : `line ${number}.`)
    }
    await alice.message("line 130.").waitFor()
    await alice.createConversation("constructor")
    await alice.say("a cafe of my own <b>")
    await alice.message("a cafe of my own", "sent").waitFor()

    await page.keyboard.press("Control+k")
    await page.keyboard.type("café")
    const results = page.getByRole("region", { name: "Messages found" })
    await results.getByText("2 messages.").waitFor()
    assert.deepEqual(await results.locator("mark").allTextContents(), ["cafe", "Café"])
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width < 760 ? 844 : 800 })
      if (width < 760 && (await page.getByRole("button", { name: "All conversations" }).isVisible())) {
        await page.getByRole("button", { name: "All conversations" }).click()
      }
      for (const colorScheme of ["light", "dark"] as const) {
        await showOn(page, { colorScheme })
        await page.waitForTimeout(100)
        assert.deepEqual(await audit(page), [], `${width} ${colorScheme}`)
        await alice.screenshot(`search-${colorScheme}-${width}`)
      }
    }
    await showOn(page, { colorScheme: "light" })
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.getByLabel("Search messages on this device").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await alice.message("The Café at the gate").waitFor()
    await page.locator(".message.is-found", { hasText: "The Café" }).waitFor()
    await alice.screenshot("found-light")
    const isInSight = await alice.message("The Café at the gate").evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect()
      const area = element.closest(".messages")!.getBoundingClientRect()
      return top >= area.top && bottom <= area.bottom
    })
    assert.ok(isInSight)
    // From there on both directions are read as they come into sight, and nothing jumps.
    for (let step = 0; step < 60 && (await page.locator(".loading-more.is-later").count()) > 0; step++) {
      await page.locator(".messages").evaluate((element) => element.scrollBy(0, 900))
      await page.waitForTimeout(100)
    }
    await page.locator(".messages").evaluate((element) => element.scrollTo(0, element.scrollHeight))
    await alice.message("line 130.").waitFor()
    await eventually(async () => assert.equal(await page.locator(".jump:not(.jump-up)").count(), 0))
    await page.getByLabel("Search messages on this device").focus()
    await page.keyboard.press("Escape")
    await page.getByRole("link", { name: /^constructor/ }).waitFor()

    await page.getByLabel("Search messages on this device").fill("harb")
    await page
      .getByRole("region", { name: "Conversations", exact: true })
      .getByRole("link", { name: "Harbour" })
      .waitFor()
    await page.getByText("No message on this device has all of these words.").waitFor()
    await page.getByLabel("Search messages on this device").fill("")
    assert.deepEqual(alice.complaints, [])
  })

  it("is found in one conversation, beyond what is drawn, and a day leads to its first message", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await using bob = await openPerson(service, "bob")
    const { page } = alice
    await alice.createConversation("Harbour", "bob")
    const harbour = await joined(bob, "Harbour")
    for (let number = 1; number <= 100; number++) {
      await harbour.send(number % 40 === 5 ? `needle ${number}` : `line ${number}.`)
    }
    await alice.message("line 100.").waitFor()
    // Wherever the focus is, outside the conversation as well; a dialog has none.
    await page.getByRole("button", { name: "Settings" }).click()
    await page.getByRole("dialog").waitFor()
    await page.keyboard.press("Control+f")
    assert.equal(await page.locator(".find-bar").count(), 0)
    await page.keyboard.press("Escape")
    await page.getByRole("button", { name: "New conversation" }).focus()
    await page.keyboard.press("Control+f")
    await page.keyboard.type("nothing")
    await page.locator(".find-bar input").waitFor()
    assert.equal(await page.locator(".find-bar input").inputValue(), "nothing")
    await page.getByLabel("Search messages on this device").focus()
    await page.keyboard.press("Control+f")
    await page.keyboard.type("needle")
    await page.getByText("1 of 3").waitFor()
    await page.locator(".message.is-found", { hasText: "needle 85" }).waitFor()
    assert.deepEqual(await audit(page), [])
    await page.keyboard.press("Enter")
    await page.locator(".message.is-found", { hasText: "needle 45" }).waitFor()
    await page.keyboard.press("Enter")
    await page.locator(".message.is-found", { hasText: "needle 5" }).waitFor()
    await alice.screenshot("find-light")
    await page.keyboard.press("Shift+Enter")
    await page.locator(".message.is-found", { hasText: "needle 45" }).waitFor()
    await page.setViewportSize({ width: 320, height: 700 })
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("find-320")
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.keyboard.press("Escape")
    assert.equal(await page.locator(".find-bar").count(), 0)

    await page.locator(".messages").evaluate((element) => element.scrollTo(0, 0))
    await page.getByRole("button", { name: "Today: go to another day" }).click()
    const dialog = page.getByRole("dialog")
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("day-dialog")
    await dialog.getByRole("button", { name: "Go there" }).click()
    await dialog.getByText("Choose a day.").waitFor()
    const today = await page.evaluate(() => {
      const at = new Date()
      return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((it) => String(it).padStart(2, "0")).join("-")
    })
    await dialog.getByLabel("Day").fill("2099-01-01")
    await dialog.getByRole("button", { name: "Go there" }).click()
    await dialog.getByText("No message on this device is from that day or later.").waitFor()
    await dialog.getByLabel("Day").fill(today)
    await dialog.getByRole("button", { name: "Go there" }).click()
    await dialog.waitFor({ state: "detached" })
    await page.locator(".message.is-found", { hasText: "line 1." }).waitFor()
    assert.deepEqual(alice.complaints, [])
  })
})
