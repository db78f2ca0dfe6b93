/** What can come in between where somebody comes back by the recovery key: a slow service, a reload, Cancel, a part that is missing. */
import assert from "node:assert/strict"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import type { Client } from "@conclave/client/node"
import { audit } from "./audit.js"
import { axeFindings } from "./axe.js"
import { eventually } from "./eventually.js"
import { openPerson } from "./people.js"
import { clearDatabases, noBrowser, onlyChromium, Person } from "./person.js"
import { comeBack, devices, gate, strangers, wayBack } from "./returning.js"
import { builtPage, Service } from "./service.js"

const live = async (client: Client) => (await client.ownDevices()).filter((it) => it.revoked === undefined).length
const you = ({ page }: Person) => page.getByRole("heading", { name: "You", exact: true })
const refused = ({ page }: Person) => page.getByText("another recovery key")
const fieldsAudit = async ({ page }: Person) => [...(await audit(page)), ...(await axeFindings(page))]

describe("the way back, where something comes in between", { skip: noBrowser, timeout: 240_000 }, () => {
  it("says what is revoked where the service stops in the middle, and goes on", async () => {
    await using service = new Service()
    await service.start()
    const { oldest, recovery } = await strangers(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    let revocations = 0
    service.before = (type) => (type === "revoke" && ++revocations === 2 ? new Promise(() => {}) : undefined)
    await comeBack(dialog, recovery, { revokes: true })
    await dialog.getByText("You are back as alice. Of your other devices, 1 of 3 is revoked").waitFor()
    assert.ok(await dialog.getByRole("button", { name: "Revoking…" }).isDisabled())
    await eventually(async () => assert.equal(revocations, 2))
    await service.stop()
    await dialog.getByRole("alert").getByText("Try again in a moment.").waitFor({ timeout: 60_000 })
    await dialog.getByText("You are back as alice. Of your other devices, 1 of 3 is revoked").waitFor()
    assert.ok(await dialog.getByLabel("Your recovery key").evaluate((it) => it === document.activeElement))
    assert.deepEqual(await fieldsAudit(alice), [])
    service.before = undefined
    await service.start()
    await dialog.getByRole("button", { name: "Go on revoking" }).click()
    await you(alice).waitFor()
    await eventually(async () => assert.equal(await alice.page.locator(".own-devices li.is-revoked").count(), 3))
    await assert.rejects(oldest.sync(), { code: "REVOKED" })
    assert.deepEqual(service.faults, [])
  })

  it("ends revoking on Escape, and shows what is revoked; the key is asked for no more", async () => {
    await using service = new Service()
    await service.start()
    const { recovery } = await strangers(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    const slow = gate()
    let revocations = 0
    service.before = (type) => (type === "revoke" && ++revocations === 2 ? slow.opened : undefined)
    await comeBack(dialog, recovery, { revokes: true })
    await dialog.getByText("1 of 3 is revoked").waitFor()
    await eventually(async () => assert.equal(revocations, 2))
    await alice.page.keyboard.press("Escape")
    await you(alice).waitFor()
    const revoked = alice.page.locator(".own-devices li.is-revoked")
    await revoked.waitFor()
    slow.open()
    // Nothing more is asked for than what was under way.
    await alice.page.waitForTimeout(2_000)
    assert.equal(revocations, 2)
    await alice.page.reload()
    await you(alice).waitFor()
    await eventually(async () => assert.equal(await revoked.count(), 2))
    assert.deepEqual(service.faults, [])
  })

  it("revokes what a thief brings meanwhile by the same key, too", async () => {
    await using service = new Service()
    await service.start()
    const { oldest, recovery } = await strangers(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    let thief: Client | undefined
    let revocations = 0
    service.before = async (type) => {
      if (type === "revoke" && ++revocations === 2)
        thief = await openPerson(service, "alice", { file: "thief", recovery })
    }
    await comeBack(dialog, recovery, { revokes: true })
    await you(alice).waitFor()
    await assert.rejects(thief!.sync(), { code: "REVOKED" })
    await assert.rejects(oldest.sync(), { code: "REVOKED" })
    await eventually(async () => assert.equal(await alice.page.locator(".own-devices li.is-revoked").count(), 4))
  })

  it("goes on as the name after a reload between coming back and revoking", async () => {
    await using service = new Service()
    await service.start()
    const { oldest, recovery } = await strangers(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    const slow = gate()
    service.before = (type) => (type === "revoke" ? slow.opened : undefined)
    await comeBack(dialog, recovery, { revokes: true })
    await dialog.getByText("0 of 3 are revoked").waitFor()
    await alice.page.reload()
    await alice.page.getByRole("heading", { name: "You are alice" }).waitFor()
    await alice.page.getByText("An unknown device uses your name.").first().waitFor()
    service.before = undefined
    slow.open()
    assert.ok((await live(oldest)) >= 2)
    assert.equal(await refused(alice).count(), 0)
  })

  it("that is cancelled before the service answers has made a device, which goes on without an alarm", async () => {
    await using service = new Service()
    await service.start()
    const { recovery } = await devices(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    const slow = gate()
    const asked = gate()
    service.after = (type) => {
      if (type === "register") asked.open()
      return type === "register" ? slow.opened : undefined
    }
    await comeBack(dialog, recovery)
    await asked.opened
    await dialog.getByRole("button", { name: "Cancel" }).click()
    await dialog.waitFor({ state: "detached" })
    service.after = undefined
    slow.open()
    await alice.register()
    await alice.page.getByRole("heading", { name: "You are alice" }).waitFor()
    await alice.page.getByRole("link", { name: "You: name, key and devices" }).click()
    const own = alice.page.locator(".own-devices li").filter({ hasText: "this device" })
    await own.getByText("came with the recovery key").waitFor()
    assert.equal(await refused(alice).count(), 0)
    assert.deepEqual(service.faults, [])
  })

  it("takes a new key where that of an earlier try was revoked before it came to an end", async () => {
    await using service = new Service()
    await service.start()
    const { laptop, recovery } = await devices(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const { page } = alice
    const dialog = await wayBack(alice)
    const asked = gate()
    service.after = (type) => {
      if (type === "register") asked.open()
      return type === "register" ? new Promise(() => {}) : undefined
    }
    await comeBack(dialog, recovery)
    await asked.opened
    await page.reload()
    service.after = undefined
    const half = (await laptop.ownDevices()).at(-1)!
    await laptop.recovery.revokeDevice(half.id, recovery)
    await alice.register()
    await page.getByRole("alert").getByText("The name alice is taken").waitFor()
    await page.getByRole("button", { name: "Use my recovery key" }).click()
    await comeBack(dialog, recovery)
    await you(alice).waitFor()
    const own = page.locator(".own-devices li").filter({ hasText: "this device" })
    await own.getByText("came with the recovery key").waitFor()
    assert.equal(await live(laptop), 4)
  })

  it("is no matter of the key where a part of the page does not come", async (test) => {
    const page = mkdtempSync(join(tmpdir(), "conclave-part-"))
    test.after(() => rmSync(page, { recursive: true, force: true }))
    cpSync(builtPage, page, { recursive: true, filter: (path) => !path.includes("recovery-calls") })
    await using service = new Service({ page })
    await service.start()
    const { recovery } = await devices(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    await comeBack(dialog, recovery)
    await dialog.getByRole("alert").getByText("Try again in a moment.").waitFor()
  })

  it("keeps what the person was called last", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    const { page } = alice
    await alice.register("alice", "Alice Liddell")
    await page.getByRole("heading", { name: "You are Alice Liddell" }).waitFor()
    const recovery = await alice.makeRecoveryKey()
    await page.getByRole("button", { name: "Change", exact: true }).click()
    await page.getByRole("dialog").getByLabel("Display name").fill("Queen Alice")
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click()
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await clearDatabases(page)
    await page.goto("about:blank")
    await page.goto(service.address)
    await page.getByRole("button", { name: "Use my recovery key" }).click()
    const dialog = page.getByRole("dialog")
    await comeBack(dialog, recovery)
    await you(alice).waitFor()
    await page.getByRole("region", { name: "What others see" }).getByText("Queen Alice").waitFor()
  })
})

describe("the start", { skip: noBrowser, timeout: 120_000 }, () => {
  it("goes on in another tab, as an open page does", async () => {
    await using service = new Service()
    await service.start()
    const { recovery } = await devices(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    await dialog.getByLabel("Your recovery key").fill(recovery)
    const other = await alice.secondTab()
    await other.getByRole("button", { name: "Use it here" }).click()
    await other.getByLabel("Your name").fill("alice")
    await alice.page.getByRole("heading", { name: "Conclave is open in another tab" }).waitFor()
    await other.getByRole("button", { name: "Take this name" }).click()
    await other.getByRole("button", { name: "Use my recovery key" }).click()
    await comeBack(other.getByRole("dialog"), recovery)
    await other.getByRole("heading", { name: "You", exact: true }).waitFor()
  })
})

describe("a recovery key that is made", { skip: noBrowser, timeout: 120_000 }, () => {
  it("and bound slowly is the only one, also where the dialog is closed meanwhile", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const { page } = alice
    const slow = gate()
    service.before = (type) => (type === "setRecoveryKey" ? slow.opened : undefined)
    const making = alice.makeRecoveryKey()
    const dialog = page.getByRole("dialog")
    await dialog.getByRole("button", { name: "Setting it…" }).waitFor()
    await page.keyboard.press("Escape")
    await dialog.waitFor({ state: "detached" })
    const card = page.getByRole("region", { name: "Recovery key" })
    assert.ok(await card.getByRole("button", { name: "Setting it…" }).isDisabled())
    slow.open()
    await making
    await card.getByRole("button", { name: "Replace it" }).waitFor()
  })
})

describe("a recovery key that was typed", { skip: noBrowser, timeout: 120_000 }, () => {
  it("goes to no service that corrects, translates or remembers", async () => {
    await using service = new Service()
    await service.start()
    await devices(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    const attributes = await dialog
      .getByLabel("Your recovery key")
      .evaluate((it) =>
        ["autocomplete", "autocorrect", "spellcheck", "translate", "writingsuggestions", "name"].map((name) =>
          it.getAttribute(name),
        ),
      )
    assert.deepEqual(attributes, ["off", "off", "false", "no", "false", null])
  })

  it("is nowhere in the memory of the page afterwards", {
    skip: onlyChromium("the memory of a page is read by the protocol of Chromium"),
  }, async () => {
    await using service = new Service()
    await service.start()
    const { recovery } = await devices(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const dialog = await wayBack(alice)
    await dialog.getByLabel("All my other devices are lost").check()
    await dialog.getByLabel("Your recovery key").focus()
    // Letter by letter: no other script gets the whole.
    await alice.page.keyboard.type(recovery)
    const session = await alice.page.context().newCDPSession(alice.page)
    await session.send("HeapProfiler.enable")
    let chunks: string[] = []
    session.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => chunks.push(chunk))
    const remembers = async () => {
      chunks = []
      for (let round = 0; round < 3; round++) await session.send("HeapProfiler.collectGarbage")
      await session.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false })
      const { strings } = JSON.parse(chunks.join("")) as { readonly strings: readonly string[] }
      const plain = strings.map((it) => it.replaceAll("-", ""))
      return { key: plain.includes(recovery.replaceAll("-", "")), page: strings.includes("alice") }
    }
    service.before = (type) => (type === "register" ? new Promise(() => {}) : undefined)
    await dialog.getByRole("button", { name: "Come back", exact: true }).click()
    await dialog.getByRole("button", { name: "Coming back…" }).waitFor()
    await eventually(async () => assert.deepEqual(await remembers(), { key: true, page: true }, "it is found"))
    await dialog.getByRole("button", { name: "Cancel" }).click()
    service.before = undefined
    await alice.page.getByRole("button", { name: "Use my recovery key" }).click()
    await dialog.getByLabel("Your recovery key").focus()
    await alice.page.keyboard.type(recovery)
    await dialog.getByRole("button", { name: "Come back", exact: true }).click()
    await you(alice).waitFor()
    await eventually(async () => assert.deepEqual(await remembers(), { key: false, page: true }))
  })
})

describe("devices under You, after a way back", { skip: noBrowser, timeout: 240_000 }, () => {
  it("are kept by the key where the one that vouched for them is revoked", async () => {
    await using service = new Service()
    await service.start()
    const { laptop, phone, tablet, recovery } = await devices(service)
    await using bob = await openPerson(service, "bob")
    await using alice = new Person("alice", service.address)
    await alice.open()
    await comeBack(await wayBack(alice), recovery)
    await you(alice).waitFor()
    const { page } = alice
    const oldest = page.locator(".own-devices li").filter({ hasText: "the oldest" })
    await oldest.getByRole("button", { name: "Revoke with the recovery key" }).click()
    const dialog = page.getByRole("dialog", { name: "Revoke this device?" })
    const codeOf = (client: Client) => client.keyCode("alice", client.signatureKey).slice(0, 11)
    assert.equal(await dialog.getByRole("checkbox").count(), 2)
    await dialog.getByLabel(`Keep the device ${codeOf(tablet)}`).waitFor()
    await dialog.getByLabel(`Keep the device ${codeOf(phone)}`).check()
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 800 })
      assert.deepEqual(await fieldsAudit(alice), [])
    }
    await dialog.getByLabel("The recovery key that you have").fill(recovery)
    await dialog.getByRole("button", { name: "Revoke the device" }).click()
    await page.getByText("2 devices are revoked.").waitFor()
    await assert.rejects(laptop.sync(), { code: "REVOKED" })
    await assert.rejects(tablet.sync(), { code: "REVOKED" })
    await phone.sync()
    const listed = await bob.devices("alice")
    assert.deepEqual(
      listed.map((it) => it.endorsed),
      [true, true],
      "the phone, and this browser",
    )
    assert.deepEqual(service.faults, [])
  })

  it("are kept by an older device, too, where Enter revokes nothing by itself; what the key has brought only the key revokes", async () => {
    await using service = new Service()
    await service.start()
    const laptop = await openPerson(service, "alice")
    const recovery = laptop.recovery.make()
    await laptop.recovery.set(recovery)
    await using alice = new Person("alice", service.address)
    await alice.open()
    const { page } = alice
    await comeBack(await wayBack(alice), recovery)
    await you(alice).waitFor()
    const endorsedBy = (client: Client) => ({ endorse: (asked: Uint8Array) => client.endorseDevice(asked) })
    const phone = await openPerson(service, "alice", { file: "phone", ...endorsedBy(laptop) })
    const tablet = await openPerson(service, "alice", { file: "tablet", ...endorsedBy(phone) })
    const thief = await openPerson(service, "alice", { file: "thief", recovery })
    await page.reload()
    const item = (client: Client) => {
      return page.locator(".own-devices li").filter({ hasText: client.keyCode("alice", client.signatureKey) })
    }
    const dialog = page.getByRole("dialog", { name: "Revoke this device?" })
    await item(phone)
      .getByRole("button", { name: /^Revoke the device/ })
      .click()
    await dialog.getByLabel(/^Keep the device/).waitFor()
    await page.keyboard.press("Enter")
    await dialog.waitFor({ state: "detached" })
    await item(phone)
      .getByRole("button", { name: /^Revoke the device/ })
      .click()
    await dialog.getByLabel(/^Keep the device/).check()
    await dialog.getByRole("button", { name: "Revoke the device" }).click()
    await page.getByText("The device is revoked.").waitFor()
    await assert.rejects(phone.sync(), { code: "REVOKED" })
    await tablet.sync()
    await item(thief).getByRole("button", { name: "Revoke with the recovery key" }).click()
    await dialog.getByLabel("The recovery key that you have").fill(recovery)
    await dialog.getByRole("button", { name: "Revoke the device" }).click()
    await dialog.waitFor({ state: "detached" })
    await assert.rejects(thief.sync(), { code: "REVOKED" })
  })

  it("are not revoked after Cancel, and what comes late closes no other dialog", async () => {
    await using service = new Service()
    await service.start()
    const { recovery } = await strangers(service)
    await using alice = new Person("alice", service.address)
    await alice.open()
    await comeBack(await wayBack(alice), recovery)
    await you(alice).waitFor()
    const { page } = alice
    const dialog = page.getByRole("dialog", { name: "Revoke this device?" })
    const revoke = page.locator(".own-devices").getByRole("button", { name: "Revoke with the recovery key" })
    const slow = gate()
    const asked = gate()
    service.before = (type) => {
      if (type === "revoke") asked.open()
      return type === "revoke" ? slow.opened : undefined
    }
    await revoke.first().click()
    await dialog.getByLabel("The recovery key that you have").fill(recovery)
    await dialog.getByRole("button", { name: "Revoke the device" }).click()
    await asked.opened
    await dialog.getByRole("button", { name: "Cancel" }).click()
    await dialog.waitFor({ state: "detached" })
    await revoke.last().click()
    await dialog.getByLabel("The recovery key that you have").fill("typed meanwhile")
    slow.open()
    await page.waitForTimeout(1_500)
    assert.equal(await dialog.getByLabel("The recovery key that you have").inputValue(), "typed meanwhile")
    assert.equal(await page.getByText("The device is revoked.").count(), 0)
  })
})
