/** What every browser has to do, in Firefox: the other tests of the page run in Chromium. */
import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import type { Client, Conversation } from "@conclave/client/node"
import { noFirefox } from "./browsers.js"
import { eventually } from "./eventually.js"
import { believeAllDevices, joined, openPerson } from "./people.js"
import { Person } from "./person.js"
import { Service } from "./service.js"

if (noFirefox !== false) console.error(`NOT TESTED: the page in Firefox: ${noFirefox}`)

const texts = async (conversation: Conversation) => (await conversation.history()).map(({ text }) => text)

describe("in Firefox", { skip: noFirefox, timeout: 180_000 }, () => {
  let service: Service
  let alice: Person
  let bob: Client
  let team: Conversation

  before(async () => {
    service = new Service()
    await service.start()
    alice = new Person("alice", service.address, { browser: "firefox" })
    await alice.open()
    bob = await openPerson(service, "bob")
  })

  after(async () => {
    await bob.close()
    await alice[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  it("a name is taken, and somebody is invited", async () => {
    await alice.register()
    await alice.createConversation("team")
    await alice.invite("bob")
    team = await joined(bob, "team")
    assert.equal(await alice.countNodes("leaf", "filled"), 2)
    await alice.showGroup()
  })

  it("messages go both ways", async () => {
    await alice.say("from Firefox")
    await alice.message("from Firefox", "sent").waitFor()
    await eventually(async () => assert.ok((await texts(team)).includes("from Firefox")))
    await team.send("from a program")
    await alice.message("from a program", "received").waitFor()
  })

  it("a reload shows what was said, and goes on", async () => {
    await alice.page.reload()
    await alice.message("from a program").waitFor()
    await alice.say("after a reload")
    await alice.message("after a reload", "sent").waitFor()
  })

  it("the page opens without the service, and sends later what is written", async () => {
    await alice.isKept()
    await service.stop()
    await alice.page.reload()
    await alice.message("after a reload").waitFor()
    await alice.say("without the service")
    await alice.message("without the service", "pending").waitFor()
    await service.start()
    await alice.message("without the service", "sent").waitFor({ timeout: 30_000 })
    await eventually(async () => assert.ok((await texts(team)).includes("without the service")))
  })

  it("what was kept is there when the browser starts again", async () => {
    await alice.close()
    await alice.open()
    await alice.choose("team")
    await alice.message("from a program").waitFor()
  })

  it("a key that is not known of a name raises an alert, and is refused", async () => {
    await using carol = await openPerson(service, "carol")
    await alice.createConversation("first", "carol")
    await joined(carol, "first")
    service.lie()
    await using mallory = await openPerson(service, "carol", { file: "mallory" })
    await believeAllDevices(bob, "carol")
    // Either would see the other, and decline.
    await Promise.all([carol.close(), mallory.close()])
    await team.invite("carol")
    const alert = alice.page.getByRole("alert").filter({ hasText: "carol uses a new key." })
    await alert.getByRole("button", { name: "Keep refusing" }).click()
    await alert.waitFor({ state: "detached" })
  })

  it("nothing is complained about", async () => {
    // Firefox says so of each line that it does not get while the service is down, and of one that a reload has cut off.
    const ofFirefox = /can’t establish a connection|was interrupted while the page was loading/
    const others = alice.complaints.filter((it) => !ofFirefox.test(it))
    assert.deepEqual(others, [])
    assert.deepEqual(service.faults, [])
    await alice.screenshot("firefox-light")
  })
})
