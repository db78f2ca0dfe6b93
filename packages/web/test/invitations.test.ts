import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import type { Client, Conversation } from "@conclave/client/node"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

/** As many unanswered invitations by one person as the page takes: the SDK's default. */
const UNANSWERED_MAX = 20
const SECRET = "What nobody may read who has not accepted"

describe("an invitation on the page", { skip: noBrowser, timeout: 240_000 }, () => {
  let service: Service
  let alice: Person
  let bob: Client
  let carol: Client

  before(async () => {
    // All are one requester to the service, which would not deliver so many Welcomes by one.
    service = new Service({ limits: { welcomesByRequester: { perSecond: 100, burst: 1_000 } } })
    await service.start()
    alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    bob = await openPerson(service, "bob", { displayName: "Bob" })
    carol = await openPerson(service, "carol")
    await alice.page.getByRole("heading", { name: "You are alice" }).waitFor()
  })

  after(async () => {
    await Promise.all([bob.close(), carol.close()])
    await alice[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  const announcement = () => alice.page.getByTestId("announcement").innerText()
  const accept = () => alice.page.getByRole("button", { name: "Accept", exact: true })
  const decline = () => alice.page.getByRole("button", { name: "Decline", exact: true })

  async function invite(by: Client, title: string, ...others: readonly string[]): Promise<Conversation> {
    const conversation = await by.createConversation({ title, members: others })
    // A page that has just registered may not have published its key packages yet.
    await eventually(() => conversation.invite("alice"))
    return conversation
  }

  it("is a request in the list and a pane, which show who asks and with whom, and nothing of the conversation", async () => {
    await alice.page.getByText("No conversations yet.").waitFor()
    const team = await invite(bob, "Title of a stranger", "carol")
    await team.send(SECRET)
    await alice.request("Bob").waitFor()
    await alice.page.getByText("Answer the invitation above, or create a conversation.").waitFor()
    assert.equal(await alice.page.getByText("No conversations yet.").count(), 0)
    // What bob is called may be known a moment later.
    await eventually(async () =>
      assert.match(await alice.request("Bob").innerText(), /Bob\s+bob\s+invites you, with carol/),
    )
    assert.match(await announcement(), /^(bob|Bob \(bob\)) invites you to a conversation( with .*)?\.$/)
    await alice.request("Bob").click()
    await alice.page.getByRole("heading", { level: 1, name: "Bob (bob) invites you to a conversation" }).waitFor()
    await alice.page.getByText("You have no conversation with them").waitFor()
    assert.deepEqual(await alice.page.locator(".invitation-card .person").allInnerTexts(), [
      "Bob invites you\nbob",
      "carol",
    ])
    for (const look of ["at once", "after a reload"]) {
      await accept().waitFor()
      const shown = await alice.page.locator("html").innerHTML()
      assert.doesNotMatch(shown, /Title of a stranger|What nobody may read/, look)
      assert.equal(await alice.page.getByLabel(/^Message to/).count(), 0, look)
      assert.equal(await alice.page.getByRole("complementary", { name: "Group" }).count(), 0, look)
      assert.doesNotMatch(await alice.page.title(), /Title of a stranger/, look)
      await alice.page.reload()
    }
    await accept().waitFor()
    for (const width of [1280, 360]) {
      await alice.page.setViewportSize({ width, height: 800 })
      assert.deepEqual(await audit(alice.page), [], `${width} pixels wide`)
    }
    await alice.page.setViewportSize({ width: 1280, height: 800 })
  })

  it("that is accepted becomes a conversation, with what has been written since", async () => {
    await accept().click()
    await alice.message(SECRET, "received").waitFor()
    await alice.page.getByRole("heading", { level: 1, name: "Title of a stranger" }).waitFor()
    await alice.notice("Bob (bob) invites you to a conversation with carol.").waitFor()
    await alice.notice("You joined this conversation. Members: you, Bob (bob) and carol.").waitFor()
    assert.equal(await alice.page.locator(".requests").count(), 0)
    await alice.page.reload()
    await alice.message(SECRET, "received").waitFor()
    assert.deepEqual(
      await alice.page
        .locator(".message-list > li")
        .evaluateAll((items) =>
          items.map((it) => it.getAttribute("data-notice") ?? it.getAttribute("data-state")).filter(Boolean),
        ),
      ["invited", "received", "joined", "title"],
      "in the order in which it happened",
    )
  })

  it("that is declined is gone, also after a reload, and the inviter is told", async () => {
    await using dora = new Person("dora", service.address)
    await dora.open()
    await dora.register()
    await dora.createConversation("Dora's", "alice")
    await alice.request("dora").click()
    await decline().click()
    await alice.request("dora").waitFor({ state: "detached" })
    await alice.page.getByText("Choose a conversation on the left").waitFor()
    await eventually(async () => assert.equal(await announcement(), "You declined the invitation by dora."))
    assert.match(await alice.page.evaluate(() => document.activeElement?.textContent ?? ""), /Title of a stranger/)
    await dora.notice("alice declined the invitation.").waitFor()
    await eventually(async () => assert.equal(await dora.member("alice").count(), 0))
    await dora.page.reload()
    await dora.notice("alice declined the invitation.").waitFor()
    assert.equal(await dora.notice("alice left.").count(), 0, "who never came has not left")
    await alice.page.reload()
    await alice.page.getByRole("link", { name: /Title of a stranger/ }).waitFor()
    assert.equal(await alice.page.getByText("dora").count(), 0)
    assert.deepEqual(dora.complaints, [])
  })

  it("that is withdrawn is gone by itself", async () => {
    const team = await invite(carol, "withdrawn")
    await alice.request("carol").click()
    await accept().waitFor()
    await alice.page.getByText("You talk with them already, in “Title of a stranger”.").waitFor()
    await team.remove("alice")
    await alice.page.getByText("Choose a conversation on the left").waitFor()
    assert.equal(await alice.page.locator(".requests").count(), 0)
  })

  it("does not fill the list, however many somebody sends, nor hide those of others", async () => {
    await using mallory = await openPerson(service, "mallory")
    const first = await mallory.createConversation({ title: "x" })
    // One after the other: the page publishes new key packages as they are used.
    await eventually(() => first.invite("alice"))
    for (let n = 1; n < UNANSWERED_MAX + 3; n++) {
      const another = await mallory.createConversation({ title: `x${n}` })
      await eventually(() => another.invite("alice"))
    }
    await invite(carol, "honest")
    const rows = alice.page.locator(".list-request")
    await alice.request("carol").waitFor()
    await alice.page.getByText("3 invitations were declined unseen.").waitFor()
    assert.equal(await alice.page.locator(".requests .count").innerText(), `${UNANSWERED_MAX + 1}`)
    assert.equal(await rows.count(), 3)
    assert.match(await rows.first().innerText(), /^C?\s*carol/, "whom one knows comes first")
    await alice.page.getByRole("link", { name: /Title of a stranger/ }).click()
    assert.equal(await alice.page.getByRole("link", { name: /Title of a stranger/ }).isVisible(), true)
    await alice.page.getByRole("button", { name: `Show all ${UNANSWERED_MAX + 1}` }).click()
    assert.equal(await rows.count(), UNANSWERED_MAX + 1)
    assert.equal(await alice.page.getByRole("link", { name: /Title of a stranger/ }).isVisible(), true)
    assert.deepEqual(await audit(alice.page), [])
    await alice.page.getByRole("button", { name: "I have seen it" }).click()
    await alice.page.getByText("declined unseen").waitFor({ state: "detached" })
  })

  it("causes no fault", () => {
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })
})

describe("an invitation by somebody who is called like a friend", { skip: noBrowser, timeout: 60_000 }, () => {
  it("says whom they may imitate, or be, and makes declining the answer that stands out", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await using bob = await openPerson(service, "bob")
    await alice.createConversation("team", "bob")
    await joined(bob, "team")
    await using double = await openPerson(service, "bob2", { displayName: "Bob" })
    await double.createConversation({ title: "It is me", members: ["alice"] })
    await alice.request("bob2").click()
    const warning = alice.page.getByText("This name looks like that of bob.")
    await warning.waitFor()
    const filled = alice.page.locator(".invitation-card .button-primary")
    assert.deepEqual(await filled.allInnerTexts(), ["Decline"])
    await using carol = await openPerson(service, "carol")
    await carol.createConversation({ title: "Of another", members: ["alice"] })
    await alice.request("carol").click()
    await alice.page.getByRole("heading", { name: "carol invites you to a conversation" }).waitFor()
    assert.equal(await warning.count(), 0)
    assert.deepEqual(await filled.allInnerTexts(), ["Accept"])
    assert.deepEqual(alice.complaints, [])
  })
})
