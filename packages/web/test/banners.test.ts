import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { verifyEvidence } from "@conclave/client/node"
import { nodeProvider } from "@conclave/crypto/node"
import { audit } from "./audit.js"
import { joined, openPerson } from "./people.js"
import { clipboardOf, noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

describe("a service that asks for patience", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is said so, with the time, and what waits for it goes on by itself", async () => {
    await using service = new Service({ limits: { creationsByRequester: { perSecond: 1 / 4, burst: 1 } } })
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("one")
    await alice.createConversation("two")
    const banner = alice.page.getByRole("status").getByText(/^The service is busy until \d\d:\d\d\./)
    await banner.waitFor()
    await alice.page.getByRole("link", { name: /two/ }).getByText("Being created").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await banner.waitFor({ state: "detached" })
    await alice.page.getByRole("link", { name: /two/ }).getByText("No messages yet").waitFor()
    assert.deepEqual(service.faults, [])
  })
})

describe("a service that speaks newer versions only", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is an alert that says to reload, above whatever is in front", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("one")
    service.renew()
    await alice.say("Whether this arrives?")
    const alert = alice.page.getByRole("alert").filter({ hasText: "An update is needed." })
    await alert.waitFor()
    await alice.message("Whether this arrives?").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await alert.getByRole("button", { name: "Copy a report" }).click()
    await alert.getByRole("button", { name: "Report copied" }).waitFor()
    const report = await clipboardOf(alice.page)
    assert.match(
      report,
      /^Conclave client report, version 1\..*\nsdk \d.*; browser (?:Chrome|Firefox) \d+; provider web;/,
    )
    assert.match(report, /ClientError UPDATE/)
    assert.doesNotMatch(report, /Whether this arrives|alice/)
    await alert.getByRole("button", { name: "Reload" }).click()
    await alice.page.getByRole("link", { name: /one/ }).waitFor()
  })
})

describe("a service that has shown two histories", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is an alarm, and the evidence can be saved as a file that proves it", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const bob = await openPerson(service, "bob")
    await alice.createConversation("Release", "bob")
    await alice.say("hello")
    const conversation = await joined(bob, "Release")
    await conversation.send("hello, alice")
    await alice.message("hello, alice").waitFor()
    await alice.page.goto("about:blank")
    await conversation.send("do not sign it")
    await service.forgetNewest()
    // Where it is placed, he has read something else: for him, it waits.
    conversation.send("see you tomorrow").catch(() => {})
    await alice.page.goto(service.address)
    const alert = alice.page.getByRole("alert").filter({ hasText: "shows different members different things" })
    await alert.waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await alice.screenshot("contradicted-light")
    const download = alice.page.waitForEvent("download")
    await alert.getByRole("button", { name: "Save the evidence" }).click()
    const file = await (await download).path()
    const proven = verifyEvidence(readFileSync(file), nodeProvider())
    assert.equal(Buffer.from(proven.groupId).toString("hex"), conversation.id)
    await bob.close()
  })
})

describe("a profile that the browser has deleted", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is not said to be there still", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("one")
    await alice.page.evaluate(async () => {
      for (const { name = "" } of await indexedDB.databases()) indexedDB.deleteDatabase(name)
    })
    await alice.page.getByRole("heading", { name: "Your profile cannot be opened" }).waitFor()
    await alice.page.getByText("Whoever clears the browser’s data, though, deletes the name").waitFor()
    assert.equal(await alice.page.getByText("Nothing has been deleted").count(), 0)
  })
})
