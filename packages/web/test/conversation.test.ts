import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { eventually } from "./eventually.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

/** Long enough for a message to arrive that does: on one machine it takes some hundredths of a second. */
const WOULD_HAVE_COME_MILLISECONDS = 1_500

describe("two people, then three, in browsers of their own", { skip: noBrowser, timeout: 180_000 }, () => {
  let service: Service
  let alice: Person
  let bob: Person
  let carol: Person

  before(async () => {
    service = new Service()
    await service.start()
    alice = new Person("alice", service.address)
    bob = new Person("bob", service.address)
    carol = new Person("carol", service.address)
    await Promise.all([alice.open(), bob.open()])
  })

  after(async () => {
    await Promise.all([alice, bob, carol].map((person) => person[Symbol.asyncDispose]()))
    await service[Symbol.asyncDispose]()
  })

  it("take a name, and not one that somebody has or that is none", async () => {
    await alice.register("two words")
    await alice.page.getByText("It contains a space. A name has 1 to 128 letters").waitFor()
    await alice.register()
    await alice.page.getByRole("heading", { name: "You are alice" }).waitFor()
    await bob.register("alice")
    await bob.page.getByRole("alert").getByText("The name alice is taken: choose another one.").waitFor()
    await bob.page.reload()
    assert.equal(await bob.page.getByLabel("Your name").inputValue(), "", "the name of another is not kept")
    await bob.register(" bob ")
    await bob.page.getByRole("heading", { name: "You are bob" }).waitFor()
    await alice.page.getByText("Connected", { exact: true }).waitFor()
  })

  it("create a conversation, and invite by a name that exists", async () => {
    await alice.createConversation("team")
    await alice.page.getByText("Nobody else is here yet.").waitFor()
    await alice.page.getByLabel("Invite by name").fill("nobody")
    await alice.page.getByRole("button", { name: "Invite", exact: true }).click()
    await alice.page.getByText("Ask them to open this address and to choose that name.").waitFor()
    assert.equal(await alice.epoch(), 0, "nothing has changed")
    await alice.invite("bob")
    await alice.page.locator(".invitation .field-good").waitFor({ state: "detached", timeout: 9_000 })
    await alice.page.getByText("They read what is written from then on").waitFor()
    await bob.accept("alice")
    await bob.notice("You joined this conversation. Members: you and alice.").waitFor()
    await bob.choose("team")
  })

  it("write to each other, and see that each is sent", async () => {
    await alice.say("Hello Bob\nthis is a second line")
    await bob.message("Hello Bob", "received").waitFor()
    await bob.say("Hello Alice")
    await bob.message("Hello Alice", "sent").waitFor()
    await alice.message("Hello Alice", "received").waitFor()
    await alice.message("Hello Bob", "sent").waitFor()
    assert.match(await alice.page.getByTestId("announcement").innerText(), /^bob: Hello Alice$/)
  })

  it("see the same epoch, authenticator and safety code, and mark the other as verified", async () => {
    await agree(alice, bob)
    const code = await alice.safetyCodeWith("bob")
    assert.match(code, /^\d{5}( \d{5}){11}$/)
    assert.equal(await bob.safetyCodeWith("alice"), code)
    await alice.markVerified("bob")
    assert.equal(await bob.member("alice").getByText("verified").count(), 0, "each compares for themselves")
    await alice.page.getByRole("heading", { level: 1 }).getByText("everybody is verified").waitFor()
  })

  it("see the tree: a filled leaf for each, and the path of the last commit", async () => {
    for (const person of [alice, bob]) {
      await eventually(async () => assert.equal(await person.countNodes("leaf", "filled"), 2))
      assert.equal(await person.countNodes("leaf", "own"), 1)
    }
    const before = await alice.epoch()
    await bob.showGroup()
    await bob.page.getByRole("button", { name: "Renew my keys" }).click()
    await bob.page.getByText("Your keys are new.").waitFor()
    await alice.notice("bob renewed their keys.").waitFor()
    for (const person of [alice, bob]) {
      assert.equal(await person.epoch(), before + 1)
      assert.equal(await person.countNodes("renewed"), 2, "bob's leaf and the root")
      assert.equal(await person.countNodes("parent", "filled", "renewed"), 1)
    }
    assert.equal(await bob.countNodes("leaf", "own", "renewed"), 1)
    assert.equal(await alice.countNodes("leaf", "own", "renewed"), 0)
    await agree(alice, bob)
  })

  it("go on after a reload: messages, marks, the path, and a draft", async () => {
    await alice.page.getByLabel(/^Message to/).fill("half a thought")
    await alice.page.waitForTimeout(300)
    await alice.page.reload()
    await alice.message("Hello Alice", "received").waitFor()
    await alice.showGroup()
    await alice.member("bob").getByText("verified").waitFor()
    assert.equal(await alice.page.getByLabel(/^Message to/).inputValue(), "half a thought")
    assert.equal(await alice.countNodes("renewed"), 2)
    await alice.notice("bob renewed their keys.").waitFor()
    await alice.page.getByLabel(/^Message to/).fill("")
  })

  it("read what was written while their browser was closed", async () => {
    await bob.close()
    await alice.say("You are away")
    await alice.message("You are away", "sent").waitFor()
    await bob.open()
    await bob.page.getByRole("link", { name: /team.*1 unread/ }).waitFor()
    await bob.choose("team")
    await bob.message("You are away", "received").waitFor()
    assert.equal(await bob.message("You are away").count(), 1)
  })

  it("keep what they write while the service is down, over the end of the browser, and send it once", async () => {
    await service.stop()
    await alice.page.getByText("Offline, trying again").waitFor()
    await alice.say("Written in silence")
    await alice.message("Written in silence", "pending").getByText("Not sent yet").waitFor()
    await alice.close()
    await service.start()
    await alice.open()
    await alice.choose("team")
    await alice.message("Written in silence", "sent").waitFor()
    await bob.message("Written in silence", "received").waitFor()
    assert.equal(await bob.message("Written in silence").count(), 1)
    assert.equal(await alice.message("Written in silence").count(), 1)
  })

  it("begin a conversation while the service is down, which is created as soon as it is back", async () => {
    await service.stop()
    await alice.page.getByText("Offline, trying again").waitFor()
    await alice.createConversation("later")
    await alice.page.getByRole("link", { name: /later/ }).getByText("Being created").waitFor()
    await alice.close()
    await service.start()
    await alice.open()
    await alice.page.getByRole("link", { name: /later/ }).getByText("No messages yet").waitFor()
    await alice.choose("team")
  })

  it("take a name as soon as the service is back", async () => {
    await carol.open()
    await carol.hasCryptography()
    await service.stop()
    await carol.register()
    await carol.page.getByText("carol is registered as soon as it does").waitFor()
    await service.start()
    await carol.page.getByRole("heading", { name: "You are carol" }).waitFor()
  })

  it("take in a third, who reads nothing from before", async () => {
    await alice.invite("carol")
    await carol.accept("alice")
    await carol.say("Hello both")
    for (const person of [alice, bob]) await person.message("Hello both", "received").waitFor()
    assert.equal(await carol.message("Hello Bob").count(), 0)
    for (const person of [alice, bob, carol]) {
      assert.equal(await person.countNodes("leaf", "filled"), 3)
      assert.equal(await person.countNodes("leaf", "blank"), 1)
    }
    for (const person of [alice, bob]) assert.equal(await person.countNodes("leaf", "added"), 1)
    await agree(alice, bob, carol)
    assert.equal(await alice.safetyCodeWith("carol"), await carol.safetyCodeWith("alice"))
  })

  it("find that a second tab fails closed, and goes on when the first is gone", async () => {
    const second = await carol.secondTab()
    await second.getByRole("heading", { name: "Conclave is open in another tab" }).waitFor()
    assert.equal(await second.getByText("Hello both").count(), 0)
    await carol.page.close()
    await second.getByRole("link", { name: "team" }).click()
    await second.locator(".message", { hasText: "Hello both" }).waitFor()
    const third = await carol.secondTab()
    await third.getByRole("button", { name: "Use it here" }).click()
    await third.getByRole("link", { name: "team" }).click()
    await third.getByLabel(/^Message to/).fill("from the tab that was asked for")
    await third.getByLabel(/^Message to/).press("Enter")
    await alice.message("from the tab that was asked for", "received").waitFor()
    await second.getByRole("button", { name: "Use it here" }).click()
    await second.locator(".message", { hasText: "from the tab that was asked for" }).waitFor()
    await third.getByRole("heading", { name: "Conclave is open in another tab" }).waitFor()
    await third.close()
    await second.close()
    await carol.close()
    await carol.open()
    await carol.choose("team")
  })

  it("remove one, who sees it and reads nothing more", async () => {
    await alice.remove("carol")
    await carol.notice("alice removed you from this conversation.").waitFor()
    await carol.page.getByText("You are no longer a member: you read nothing").waitFor()
    await alice.notice("You removed carol.").waitFor()
    await alice.say("Now without Carol")
    await bob.message("Now without Carol", "received").waitFor()
    await carol.page.waitForTimeout(WOULD_HAVE_COME_MILLISECONDS)
    await carol.page.reload()
    await carol.message("Hello both").waitFor()
    await carol.page.waitForTimeout(WOULD_HAVE_COME_MILLISECONDS)
    assert.equal(await carol.page.getByText("Now without Carol").count(), 0)
    assert.equal(await carol.page.getByLabel(/^Message to/).count(), 0, "nor can she write")
    assert.equal(await carol.countNodes("leaf"), 0)
    for (const person of [alice, bob]) assert.equal(await person.countNodes("leaf", "filled"), 2)
    await agree(alice, bob)
  })

  it("take back one who was removed, who reads what comes from then on", async () => {
    await alice.invite("carol")
    await carol.accept("alice")
    await alice.say("Welcome back")
    await carol.message("Welcome back", "received").waitFor()
    await carol.message("Hello both").waitFor()
    assert.equal(await carol.page.getByText("Now without Carol").count(), 0)
    await agree(alice, bob, carol)
  })

  it("are told of a message that can never be sent, with its text", async () => {
    await service.stop()
    await carol.page.getByText("Offline, trying again").waitFor()
    await carol.say("Too late")
    await carol.message("Too late", "pending").waitFor()
    await carol.close()
    await service.start()
    await alice.remove("carol")
    await alice.notice("You removed carol.").nth(1).waitFor()
    await carol.open()
    await carol.choose("team")
    const failed = carol.message("Too late", "failed")
    await failed.getByText("Not sent: you are no longer a member.").waitFor()
    await carol.page.reload()
    await failed.getByRole("button", { name: "Discard" }).click()
    await failed.waitFor({ state: "detached" })
    assert.equal(await bob.message("Too late").count(), 0)
  })

  it("leave", async () => {
    await bob.showGroup()
    await bob.page.getByRole("button", { name: "Leave", exact: true }).click()
    await bob.page.getByRole("dialog").getByRole("button", { name: "Leave", exact: true }).click()
    await bob.notice("You left this conversation. This device destroyed its keys").waitFor()
    await alice.notice("bob left.").waitFor()
    assert.equal(await alice.countNodes("leaf", "filled"), 1)
  })

  it("cause no fault: neither in the service nor in the browsers", () => {
    assert.deepEqual(service.faults, [])
    // What the browser says while the service is down is not the page's fault, also where it looks for a newer worker; while
    // it ends, it answers 503.
    const complaints = [alice, bob, carol].flatMap((person) => person.complaints)
    const ofBrowsers = [
      /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket connection/,
      /status of 503|fetching the script|Firefox can’t establish a connection|interrupted while the page was loading/,
    ]
    assert.deepEqual(
      complaints.filter((complaint) => !ofBrowsers.some((form) => form.test(complaint))),
      [],
    )
  })
})

/** All see one epoch, by the same authenticator. */
async function agree(...people: readonly Person[]): Promise<void> {
  await eventually(async () => {
    const seen = await Promise.all(
      people.map(async (person) => `epoch ${await person.epoch()}: ${await person.authenticator()}`),
    )
    assert.equal(new Set(seen).size, 1, seen.join(" · "))
    assert.match(seen[0] ?? "", /: [0-9a-f]{4}( [0-9a-f]{4}){2}$/)
  })
}
