import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

describe("a way through the page", { skip: noBrowser, timeout: 120_000 }, () => {
  it("leads to the field to invite, to the codes to compare, and back out of a dialog", async () => {
    await using service = new Service()
    await service.start()
    await using bob = await openPerson(service, "bob")
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("team")
    const { page } = alice
    const invite = page.getByRole("link", { name: "Invite somebody" })
    const field = page.getByLabel("Invite by name")
    const isFocused = () => field.evaluate((it) => it === document.activeElement)
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 800 })
      await invite.click()
      await eventually(async () => assert.ok(await isFocused(), `${width} pixels wide`))
      if (width > 390) {
        await page.getByRole("heading", { level: 1 }).click()
        await invite.click()
        await eventually(async () => assert.ok(await isFocused(), "the second time, too"))
      }
      await page.goBack()
    }
    await invite.waitFor()
    await page.setViewportSize({ width: 1280, height: 800 })
    await alice.invite("bob")
    await joined(bob, "team")

    const compare = page.getByRole("link", { name: "compare safety codes" })
    const verify = page.getByRole("button", { name: "Verify", exact: true })
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 800 })
      await compare.click()
      await verify.waitFor()
      await page.goBack()
      await compare.waitFor()
    }
    await compare.click()
    await verify.click()
    const dialog = page.getByRole("dialog")
    await dialog.getByRole("button", { name: "They match: mark as verified" }).click()
    await page.goBack()
    await dialog.waitFor({ state: "detached" })
    await page.getByRole("link", { name: "everybody is verified" }).click()
    await page.getByRole("button", { name: "Show the code" }).waitFor()
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })
})
