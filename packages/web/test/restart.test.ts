import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Client, Conversation } from "@conclave/client/node"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, lockOut, openPerson } from "./people.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

const invitationOf = (client: Client) => [...client.conversations.values()].find(({ status }) => status === "invited")
const texts = async (conversation: Conversation) => (await conversation.history()).map(({ text }) => text)

describe("a conversation that a member has stopped", { skip: noBrowser, timeout: 180_000 }, () => {
  it("goes on in a new group by one click, without that member, and the page shows one conversation", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const [bob, mallory] = [await openPerson(service, "bob"), await openPerson(service, "mallory")]
    await alice.createConversation("Release", "bob mallory")
    await alice.say("before it was stopped")
    const old = await joined(bob, "Release")
    await eventually(async () => assert.ok((await texts(old)).includes("before it was stopped")))
    await lockOut(await joined(mallory, "Release"))
    const pane = alice.page.getByRole("region", { name: "Go on in a new group" })
    await pane.getByText("mallory has locked the others out: nobody can write here any more.").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await alice.screenshot("stopped-light")
    await pane.getByRole("button", { name: "Go on without mallory" }).click()
    await alice.page.getByPlaceholder("Write a message").waitFor()
    await alice.message("before it was stopped").waitFor()
    await alice.page.getByRole("alert").filter({ hasText: "Nobody can go on" }).waitFor({ state: "detached" })
    assert.equal(await alice.page.getByRole("link", { name: /Release/ }).count(), 1)
    await alice.say("here we are again")
    await alice.screenshot("restarted-light")
    await eventually(async () => assert.ok(invitationOf(bob)?.invitedToContinue !== undefined))
    const invitation = invitationOf(bob)!
    assert.deepEqual(invitation.invitedToContinue?.removed, ["mallory"])
    await invitation.accept()
    await eventually(async () => assert.ok((await texts(invitation)).includes("here we are again")))
    assert.deepEqual(await texts(invitation), ["before it was stopped", "here we are again"])
    await Promise.all([bob.close(), mallory.close()])
    assert.deepEqual(service.faults, [])
  })

  it("is an invitation that says what is different, and after it one conversation", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const [bob, mallory] = [await openPerson(service, "bob"), await openPerson(service, "mallory")]
    await alice.createConversation("Release", "bob mallory")
    await alice.say("before it was stopped")
    const old = await joined(bob, "Release")
    await eventually(async () => assert.ok((await texts(old)).includes("before it was stopped")))
    await lockOut(await joined(mallory, "Release"))
    await eventually(async () => assert.equal(old.status, "stopped"))
    await alice.page.getByRole("region", { name: "Go on in a new group" }).waitFor()
    const after = await old.restart({ without: ["mallory"] })
    await after.send("I have made a new group")
    await alice.page.getByRole("link", { name: /bob asks you to go on in a new group/ }).click()
    await alice.page
      .getByRole("heading", { name: "bob asks you to go on in a new group, instead of “Release”" })
      .waitFor()
    await alice.page.getByText("mallory is left out.", { exact: true }).waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await alice.screenshot("asked-to-go-on-light")
    await alice.page.getByRole("button", { name: "Accept" }).click()
    await alice.message("I have made a new group").waitFor()
    await alice.message("before it was stopped").waitFor()
    assert.equal(await alice.page.getByRole("link", { name: /Release/ }).count(), 1)
    await Promise.all([bob.close(), mallory.close()])
  })
})

describe("a conversation that the service does not show as it should", { skip: noBrowser, timeout: 180_000 }, () => {
  it("goes on in a new group by one click", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const bob = await openPerson(service, "bob")
    await alice.createConversation("Release", "bob")
    await alice.say("before the service forgot")
    const old = await joined(bob, "Release")
    await eventually(async () => assert.ok((await texts(old)).includes("before the service forgot")))
    await service.forgetNewest()
    await alice.page.reload()
    const pane = alice.page.getByRole("region", { name: "Go on in a new group" })
    await pane.getByText("The service does not show this conversation as it should.").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await alice.screenshot("not-shown-light")
    await pane.getByRole("button", { name: "Go on in a new group" }).click()
    await pane.waitFor({ state: "detached" })
    await alice.say("here we are again")
    await eventually(async () => assert.ok(invitationOf(bob) !== undefined))
    await invitationOf(bob)!.accept()
    await eventually(async () => {
      const [conversation] = [...bob.conversations.values()]
      assert.deepEqual(await texts(conversation!), ["before the service forgot", "here we are again"])
    })
    await bob.close()
  })
})
