import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { eventually } from "./eventually.js"
import { believeAllDevices, joined, openPerson } from "./people.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

describe("a key that is not known of a name", { skip: noBrowser, timeout: 150_000 }, () => {
  it("holds what one would say, loudly, until it is approved", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await using bob = await openPerson(service, "bob")
    await using carol = await openPerson(service, "carol")
    // Alice has met carol's first device; bob has not.
    await alice.createConversation("first", "carol")
    await joined(carol, "first")
    await alice.createConversation("team", "bob")
    const team = await joined(bob, "team")
    service.lie()
    await using mallory = await openPerson(service, "carol", { file: "mallory" })

    await believeAllDevices(bob, "carol")
    const [carolsKey, mallorysKey] = [carol.signatureKey, mallory.signatureKey]
    // Either would see the other, and decline.
    await Promise.all([carol.close(), mallory.close()])
    await team.invite("carol")
    const notice = alice.page.getByRole("alert").filter({ hasText: "carol uses a new key." })
    await notice.waitFor()
    await alice.page.getByText("A new key came in").waitFor()
    await team.send("Welcome, Carol")
    await alice.page.reload()
    await notice.waitFor()
    // What others say is read as before: only what one would say oneself is held.
    await alice.message("Welcome, Carol", "received").waitFor()

    const filled = notice.locator(".button-primary, .button-danger")
    assert.deepEqual(await filled.allInnerTexts(), ["Keep refusing"], "the safe answer is the one that stands out")
    await notice.getByRole("button", { name: "Keep refusing" }).click()
    await notice.waitFor({ state: "detached" })
    const notices = await alice.page.locator(".notice").allInnerTexts()
    assert.deepEqual(
      notices.filter((text) => /key|Nothing is sent/.test(text)),
      ["carol uses a new key, which you have not approved."],
      "one line where it happened; the reason why nothing is sent is in the place of the composer",
    )
    assert.match(await alice.page.locator(".composer-closed").innerText(), /^A new key came in/)
    assert.equal(await alice.page.locator(".notice-loud").count(), 0)
    await alice.page.getByRole("button", { name: "Look at the new key of carol again" }).click()
    await notice.getByRole("button", { name: "Compare it" }).click()
    const dialog = alice.page.getByRole("dialog", { name: "The new key of carol" })
    await dialog.getByText("Ask them to open “You” on their new device").waitFor()
    assert.deepEqual(await dialog.locator(".dialog-actions .button-primary").allInnerTexts(), ["Keep refusing"])
    const groups = alice.page.getByTestId("new-key-code").locator("li")
    await groups.first().waitFor()
    const code = (await groups.allTextContents()).join(" ")
    assert.equal(code, carol.keyCode("carol", mallorysKey), "the one that her page shows her")
    // What carol reads from her own screen is another one.
    await dialog.getByLabel("Or type or paste").fill(carol.keyCode("carol", carolsKey))
    await dialog.getByRole("button", { name: "Check" }).click()
    await dialog.getByText("The codes are not the same: this key is not on that device.").waitFor()
    assert.equal(await dialog.getByRole("button", { name: "It is carol: approve" }).count(), 0)
    await dialog.getByLabel("Or type or paste").fill(code)
    await dialog.getByRole("button", { name: "Check" }).click()
    await dialog.getByText("The codes match. You can approve it.").waitFor()
    await dialog.getByRole("button", { name: "It is carol: approve" }).click()
    await alice.message("Welcome, Carol", "received").waitFor()
    await notice.waitFor({ state: "detached" })
    assert.equal(await alice.countNodes("leaf", "filled"), 4, "alice, bob, and two that say that they are carol")
    await alice.showGroup()
    await alice.member("carol").getByText("2 devices").waitFor()
    await alice.member("carol").getByText("new device").waitFor()
    assert.equal(await alice.member("bob").getByText("devices").count(), 0)
    assert.equal(
      await alice.page.locator(".notice-loud", { hasText: "Nothing is sent in this conversation" }).count(),
      0,
      "it is decided",
    )
    await alice.notice("carol uses a new key, which you approved.").waitFor()
    assert.equal(await alice.page.locator(".notice-loud").count(), 0, "nothing stays loud for ever")
    await alice.member("carol").click()
    await eventually(async () => assert.equal(await alice.page.locator(".devices li").count(), 2))
    assert.equal(await alice.page.locator(".device-new").count(), 1, "which of them is new")
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })

  it("is taken, and told of, where a device that is known has signed for it", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await using carol = await openPerson(service, "carol")
    await alice.createConversation("team", "carol")
    const code = await alice.safetyCodeWith("carol")
    await alice.markVerified("carol")
    const endorse = (registration: Uint8Array) => carol.endorseDevice(registration)
    await using _phone = await openPerson(service, "carol", { file: "phone", endorse })
    const team = await joined(carol, "team")
    await team.invite("carol")

    const notice = alice.page.getByRole("alert").filter({ hasText: "carol added a device." })
    await notice.waitFor()
    await eventually(async () => assert.equal(await alice.countNodes("leaf", "filled"), 3))
    await notice.getByText("You had verified carol. That no longer holds.").waitFor()
    await alice.page.getByRole("heading", { level: 1 }).getByText("somebody has a new key: verify again").waitFor()
    await alice.showGroup()
    await alice.member("carol").getByText("verify again").waitFor()
    assert.notEqual(await alice.safetyCodeWith("carol"), code)
    await alice.page.reload()
    await notice.getByRole("button", { name: "Verify carol again" }).click()
    await alice.page.getByRole("button", { name: "They match: mark as verified" }).click()
    await alice.page.keyboard.press("Escape")
    await alice.member("carol").getByText("verified", { exact: true }).waitFor()
    await notice.getByRole("button", { name: "I have seen it" }).click()
    await notice.waitFor({ state: "detached" })
    assert.deepEqual(service.faults, [])
  })

  it("under one’s own name is an alert of its own, and no device of a conversation", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("mine")
    service.lie()
    await using _mallory = await openPerson(service, "alice", { file: "mallory" })
    // Now and then each device looks what the directory lists for its own name; a new session does at once.
    await alice.page.reload()
    const alert = alice.page.getByRole("alert").filter({ hasText: "An unknown device uses your name." })
    await alert.getByText("warn the people you talk with").waitFor()
    assert.deepEqual(await alert.locator(".button-primary").allInnerTexts(), ["Keep refusing"])
    assert.equal(await alice.countNodes("leaf", "filled"), 1)
    await alert.getByRole("button", { name: "Keep refusing" }).click()
    await alert.waitFor({ state: "detached" })
    assert.deepEqual(alice.complaints, [])
  })
})
