import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import type { Locator } from "playwright-core"
import { askedGroups, isSameGroup } from "../src/profile/recovery-key.js"
import { audit } from "./audit.js"
import { openPerson } from "./people.js"
import { noBrowser, Person, showOn } from "./person.js"
import { Service } from "./service.js"

describe("three groups of a recovery key", () => {
  it("are different ones, in their order, each as likely as another", () => {
    const { random } = nodeProvider()
    const counts = new Array<number>(9).fill(0)
    for (let round = 0; round < 3_000; round++) {
      const asked = askedGroups(9, random)
      assert.equal(new Set(asked).size, 3)
      assert.deepEqual(
        [...asked].sort((a, b) => a - b),
        asked,
      )
      for (const at of asked) counts[at]!++
    }
    for (const count of counts) assert.ok(count > 800 && count < 1_200, counts.join())
  })

  it("are right as the SDK takes them, whatever is small or looks alike", () => {
    for (const typed of ["0A1Z", "oa1z", " 0 a-I z", "OALZ"]) assert.ok(isSameGroup(typed, "0A1Z"), typed)
    for (const typed of ["", "0A1", "0A1ZZ", "1A0Z", "0A1Y"]) assert.ok(!isSameGroup(typed, "0A1Z"), typed)
  })
})

/** What is shown, as one writes it down. */
async function shown(dialog: Locator): Promise<readonly string[]> {
  await dialog.getByTestId("recovery-key").locator("li").first().waitFor()
  return dialog.getByTestId("recovery-key").locator("li").allInnerTexts()
}

/** Types what is asked for, or something else. */
async function type(dialog: Locator, groups: readonly string[]): Promise<void> {
  const labels = await dialog.locator(".recovery-check label").allInnerTexts()
  for (const label of labels) await dialog.getByLabel(label, { exact: true }).fill(groups[Number(label.slice(6)) - 1]!)
  await dialog.getByRole("button", { name: "Make it my recovery key" }).click()
}

describe("the recovery key", { skip: noBrowser, timeout: 180_000 }, () => {
  it("is shown once, asked for, and bound only then; it brings back who has lost everything, and is replaced by itself", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const { page } = alice
    await page.getByRole("link", { name: "You: name, key and devices" }).click()
    const card = page.getByRole("region", { name: "Recovery key" })
    const dialog = page.getByRole("dialog")
    await card.getByText("Your name has none.").waitFor()
    await card.getByRole("button", { name: "Make a recovery key" }).click()
    const first = await shown(dialog)
    assert.match(first.join("-"), /^([0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/)
    assert.deepEqual(await audit(page), [])
    await page.keyboard.press("Escape")
    await dialog.waitFor({ state: "detached" })
    await card.getByText("Your name has none.").waitFor()

    await card.getByRole("button", { name: "Make a recovery key" }).click()
    const groups = await shown(dialog)
    assert.notDeepEqual(groups, first, "what was not bound is gone")
    await showOn(page, { media: "print" })
    const printed = await page.evaluate(() =>
      [...document.querySelectorAll("body *")]
        .filter((it) => it.checkVisibility({ visibilityProperty: true }) && it.childElementCount === 0)
        .map((it) => it.textContent),
    )
    assert.ok(printed.includes(`Conclave: recovery key of alice`) && groups.every((it) => printed.includes(it)))
    assert.ok(!printed.includes("I have it on paper") && !printed.includes("Your devices"))
    await showOn(page, { media: "screen" })
    await dialog.getByRole("button", { name: "I have it on paper" }).click()
    assert.equal(await dialog.getByTestId("recovery-key").count(), 0)
    await type(dialog, first)
    await dialog.getByRole("alert").getByText("This is not what was shown").waitFor()
    assert.deepEqual(await audit(page), [])
    assert.deepEqual(await (await openPerson(service, "bob")).devices("alice").then((it) => it.length), 1)
    await dialog.getByRole("button", { name: "Show it again" }).click()
    assert.deepEqual(await shown(dialog), groups)
    await dialog.getByRole("button", { name: "I have it on paper" }).click()
    await type(
      dialog,
      groups.map((it) => it.toLowerCase()),
    )
    await card.getByText("Your name has a recovery key.").waitFor()
    await card.getByText("It is the recovery key of your name now.").waitFor()
    assert.equal((await page.content()).includes(groups[0]!), false, "nothing keeps it")
    assert.deepEqual(await audit(page), [])

    await using _phone = await openPerson(service, "alice", { file: "phone", recovery: groups.join("-") })
    await page.reload()
    const alert = page.getByRole("alert").filter({ hasText: "A device came to your name with the recovery key." })
    await alert.getByRole("link", { name: "Look at your devices" }).waitFor()
    await page.locator(".own-devices").getByText("came with the recovery key").waitFor()

    await card.getByRole("button", { name: "Replace it" }).click()
    const before = dialog.getByLabel("The recovery key that you have")
    const replace = async (typed: string) => {
      await before.fill(typed)
      await dialog.getByRole("button", { name: "Go on" }).click()
      const next = await shown(dialog)
      await dialog.getByRole("button", { name: "I have it on paper" }).click()
      await type(dialog, next)
    }
    await replace("not a recovery key")
    await dialog.getByRole("alert").getByText("That is not a recovery key").waitFor()
    await page.keyboard.press("Escape")
    await card.getByRole("button", { name: "Replace it" }).click()
    await replace(first.join(" "))
    await dialog.getByRole("alert").getByText("The service did not take it.").waitFor()
    await page.keyboard.press("Escape")
    await card.getByRole("button", { name: "Replace it" }).click()
    await replace(groups.join(" "))
    await card.getByText("It is the recovery key of your name now.").waitFor()
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })

  it("is asked for where the name is erased, and made by the oldest device alone", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const { page } = alice
    const dialog = page.getByRole("dialog")
    const recovery = await alice.makeRecoveryKey()
    await page.getByRole("button", { name: "Settings" }).click()
    await page.getByRole("button", { name: "Sign out and delete…" }).click()
    await dialog.getByLabel("Also erase the name alice at the service").click()
    const key = dialog.getByLabel("The recovery key that you have")
    await key.fill("not a recovery key")
    await dialog.getByRole("button", { name: "Delete", exact: true }).click()
    await dialog.getByRole("alert").getByText("That is not a recovery key").waitFor()
    assert.deepEqual(await audit(page), [])
    await key.fill(recovery.replaceAll("-", " "))
    await dialog.getByRole("button", { name: "Delete", exact: true }).click()
    await page.getByRole("heading", { name: "Deleted" }).waitFor()
    await using bob = await openPerson(service, "bob")
    assert.deepEqual(await bob.devices("alice"), [])

    await using _first = await openPerson(service, "carol")
    service.lie()
    await using carol = new Person("carol", service.address)
    await carol.open()
    await carol.register()
    await carol.page.getByRole("link", { name: "You: name, key and devices" }).click()
    await carol.page.getByText("Only the oldest of your devices can make one.").waitFor()
    assert.equal(await carol.page.getByRole("button", { name: "Make a recovery key" }).count(), 0)
  })
})
