/** Somebody whose browser lost everything comes back under their name, with the page and the paper alone. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Client, ClientEvent } from "@conclave/client/node"
import type { Locator } from "playwright-core"
import { audit } from "./audit.js"
import { axeFindings } from "./axe.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { clearDatabases, noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

/** As its settings do: the databases, what else is kept, and the worker with its files. */
async function clearSite({ page }: Person): Promise<void> {
  await clearDatabases(page)
  await page.evaluate(async () => {
    localStorage.clear()
    sessionStorage.clear()
    for (const name of await caches.keys()) await caches.delete(name)
    for (const it of await navigator.serviceWorker.getRegistrations()) await it.unregister()
  })
  await page.goto("about:blank")
}

/** What the client tells from here on. */
function told(client: Client): readonly ClientEvent[] {
  const events: ClientEvent[] = []
  const follow = async () => {
    for await (const event of client.events()) events.push(event)
  }
  void follow().catch(() => {})
  return events
}

async function comeBack(dialog: Locator, recovery: string): Promise<void> {
  await dialog.getByLabel("Your recovery key").fill(recovery)
  await dialog.getByRole("button", { name: "Come back", exact: true }).click()
}

const focused = ({ page }: Person) => page.evaluate(() => document.activeElement?.textContent?.trim())

describe("the way back by the recovery key", { skip: noBrowser, timeout: 180_000 }, () => {
  it("opens the page under the name after everything was cleared; friends are told, and invite again", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await using bob = await openPerson(service, "bob")
    const events = told(bob)
    await alice.open()
    await alice.register()
    const recovery = await alice.makeRecoveryKey()
    const { page } = alice
    await page.getByRole("button", { name: "Back to the conversations" }).click()
    await alice.createConversation("team", "bob")
    await alice.say("said before")
    await alice.message("said before", "sent").waitFor()
    const team = await joined(bob, "team")
    await clearSite(alice)

    await page.goto(service.address)
    await alice.register()
    await page.getByRole("alert").getByText("come back with your recovery key").waitFor()
    assert.deepEqual(await audit(page), [])
    await page.getByRole("button", { name: "Use my recovery key" }).click()
    const dialog = page.getByRole("dialog", { name: "Come back as" })
    await dialog.getByText("A member of each has to invite you again").waitFor()
    assert.deepEqual([...(await audit(page)), ...(await axeFindings(page))], [])
    await dialog.getByLabel("All my other devices are lost").check()
    await comeBack(dialog, recovery.toLowerCase().replaceAll("-", " "))
    await page.getByRole("heading", { name: "You", exact: true }).waitFor()
    const devices = page.locator(".own-devices li")
    await devices.filter({ hasText: "this device" }).getByText("came with the recovery key").waitFor()
    await devices.filter({ hasNotText: "this device" }).getByText("revoked").waitFor()
    assert.equal(await devices.count(), 2)
    const unknown = page.getByRole("alert").filter({ hasText: "An unknown device uses your name." })
    await unknown.waitFor({ state: "detached" })
    assert.equal((await page.content()).includes(recovery.slice(0, 9)), false, "nothing keeps it")
    assert.deepEqual([...(await audit(page)), ...(await axeFindings(page))], [])

    await bob.devices("alice")
    await eventually(async () => assert.deepEqual(team.members, ["bob"]))
    await team.invite("alice")
    await team.send("welcome back")
    await page.getByRole("button", { name: "Back to the conversations" }).click()
    await alice.accept("bob")
    await alice.message("welcome back", "received").waitFor()
    const kinds = () => events.flatMap((event) => ("name" in event && event.name === "alice" ? [event.type] : []))
    await eventually(async () => assert.ok(kinds().includes("returned"), kinds().join()))
    assert.ok(!kinds().includes("keyChanged"), "it is no alarm")
    assert.equal(await alice.message("said before").count(), 0)
    await page.reload()
    await alice.message("welcome back", "received").waitFor()
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })

  it("says under the field what is wrong with what was typed, goes back by Escape, and waits for the service", async () => {
    await using service = new Service()
    await service.start()
    await using lost = await openPerson(service, "alice")
    const recovery = lost.recovery.make()
    await lost.recovery.set(recovery)
    await using bob = await openPerson(service, "bob")
    const bobs = bob.recovery.make()
    await bob.recovery.set(bobs)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const { page } = alice
    assert.equal(await page.getByRole("button", { name: "Use my recovery key" }).count(), 0)
    await alice.register()
    const use = page.getByRole("button", { name: "Use my recovery key" })
    await use.waitFor()
    await use.click()
    const dialog = page.getByRole("dialog")
    const field = dialog.getByLabel("Your recovery key")
    await field.waitFor()
    assert.ok(await field.evaluate((it) => it === document.activeElement))
    await page.keyboard.press("Escape")
    await dialog.waitFor({ state: "detached" })
    assert.equal(await focused(alice), "Use my recovery key")
    await page.keyboard.press("Enter")
    await dialog.getByRole("button", { name: "Cancel" }).click()
    await dialog.waitFor({ state: "detached" })
    assert.equal(await focused(alice), "Use my recovery key")

    await page.keyboard.press("Enter")
    const problem = dialog.getByRole("alert")
    const last = recovery.at(-1) === "0" ? "1" : "0"
    await comeBack(dialog, recovery.slice(0, -1) + last)
    await problem.getByText("That is not a recovery key").waitFor()
    assert.match((await field.getAttribute("aria-describedby")) ?? "", / /, "the field has the problem and the hint")
    assert.ok(await field.evaluate((it) => it === document.activeElement))
    assert.deepEqual([...(await audit(page)), ...(await axeFindings(page))], [])
    await comeBack(dialog, bobs)
    await problem.getByText("Is what you typed the recovery key of your name?").waitFor()
    await service.stop()
    await comeBack(dialog, recovery)
    await problem.getByText("Try again in a moment.").waitFor({ timeout: 60_000 })
    assert.deepEqual((await audit(page)).concat(await axeFindings(page)), [])
    await service.start()
    assert.deepEqual(
      (await bob.devices("alice")).map((it) => it.signatureKey),
      [lost.signatureKey],
      "nothing was registered",
    )
    await dialog.getByRole("button", { name: "Come back", exact: true }).click()
    await page.getByRole("heading", { name: "You", exact: true }).waitFor()

    // What was not revoked then is revoked by the key afterwards.
    const older = page.locator(".own-devices li").filter({ hasText: "the oldest" })
    await older.getByRole("button", { name: "Revoke with the recovery key" }).click()
    const old = dialog.getByLabel("The recovery key that you have")
    await old.fill(bobs)
    await dialog.getByRole("button", { name: "Revoke the device" }).click()
    await problem.getByText("Is what you typed the recovery key of your name?").waitFor()
    assert.deepEqual([...(await audit(page)), ...(await axeFindings(page))], [])
    await old.fill(recovery)
    await dialog.getByRole("button", { name: "Revoke the device" }).click()
    await page.getByText("The device is revoked.").waitFor()
    await assert.rejects(lost.sync(), { code: "REVOKED" })
    assert.deepEqual(service.faults, [])
  })

  it("is there where the keys of this browser are gone, and in German", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address, { locale: "de-DE" })
    await alice.open()
    const { page } = alice
    await page.getByLabel("Dein Name").fill("alice")
    await page.getByRole("button", { name: "Diesen Namen nehmen" }).click()
    await page.getByRole("heading", { name: "Du bist alice" }).waitFor()
    await clearDatabases(page)
    await page.getByRole("button", { name: "Noch einmal versuchen" }).click()
    await page.getByRole("alert").getByText("Die Schlüssel von alice sind nicht mehr in diesem Browser").waitFor()
    await page.getByRole("button", { name: "Meinen Notfallschlüssel benutzen" }).click()
    const dialog = page.getByRole("dialog", { name: /^Als .*alice.* zurückkommen$/ })
    await dialog.getByText("Dieser Browser wird ein neues Gerät mit deinem Namen.").waitFor()
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 800 })
      assert.deepEqual([...(await audit(page)), ...(await axeFindings(page))], [])
    }
    await dialog.getByLabel("Dein Notfallschlüssel").fill("kein Schlüssel")
    await dialog.getByRole("button", { name: "Zurückkommen" }).click()
    await dialog.getByRole("alert").getByText("Das ist kein Notfallschlüssel").waitFor()
    await dialog.getByRole("button", { name: "Abbrechen" }).click()
    await dialog.waitFor({ state: "detached" })
  })
})
