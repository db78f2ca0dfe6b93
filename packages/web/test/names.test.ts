import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import type { Client } from "@conclave/client/node"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

describe("names that could deceive the page, or break it", { skip: noBrowser, timeout: 180_000 }, () => {
  let service: Service
  let alice: Person
  const others: Client[] = []

  before(async () => {
    service = new Service()
    await service.start()
    alice = new Person("alice", service.address)
    await alice.open()
  })

  after(async () => {
    await Promise.all(others.map((client) => client.close()))
    await alice[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  async function open(name: string, more: Parameters<typeof openPerson>[2] = {}): Promise<Client> {
    const client = await openPerson(service, name, more)
    others.push(client)
    return client
  }

  const problem = (text: string | RegExp) => alice.page.getByRole("alert").getByText(text)

  it("are refused at the start, in words that say what a name may be", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["", /^It is empty\. A name has 1 to 128 letters, .* , ; ", without spaces \(at most 256 bytes\)\.$/],
      ["alice\u3164", /^It contains U\+3164, which is invisible\. A name has/],
      ["\uff41lice", /^It contains U\+FF41, a variant of “a”\./],
      ["a,b", /^It contains “,” \(U\+002C\)\./],
      ["x".repeat(129), /^It is too long\./],
    ]
    for (const [name, says] of cases) {
      await alice.register(name)
      await problem(says).waitFor()
    }
    await alice.register("alice", "Alice (bob)")
    await problem(/^It contains “\(” \(U\+0028\)\. A display name has 1 to 64/).waitFor()
    assert.deepEqual(await audit(alice.page), [])
  })

  it("are shown with what their owner is called, which can be changed", async () => {
    await alice.register("alice", " Alice  Liddell ")
    await alice.page.getByRole("heading", { name: "You are Alice Liddell (alice)" }).waitFor()
    await alice.page.reload()
    await alice.page.getByRole("heading", { name: "You are Alice Liddell (alice)" }).waitFor()
    await alice.page.getByRole("link", { name: "You: name, key and devices" }).click()
    await alice.page.getByRole("button", { name: "Change", exact: true }).click()
    const field = alice.page.getByRole("dialog").getByLabel("Display name")
    assert.equal(await field.inputValue(), "Alice Liddell")
    assert.deepEqual(await audit(alice.page), [])
    await field.fill("Alice \u202e")
    await field.press("Enter")
    await problem(/U\+202E, which is invisible/).waitFor()
    await field.fill("Alice")
    await field.press("Enter")
    await alice.page.getByRole("dialog").waitFor({ state: "detached" })
    await alice.page.getByRole("button", { name: "Back to the conversations" }).click()
    await alice.page.getByRole("heading", { name: "You are Alice (alice)" }).waitFor()
  })

  it("may be properties of every object: invited, inviting, compared, switched to, after a reload, removed", async () => {
    const names = ["constructor", "__proto__", "toString"]
    for (const name of names) {
      const client = await open(name)
      const conversation = await client.createConversation({ title: name })
      await eventually(() => conversation.invite("alice"))
      await conversation.send(`I am ${name}`)
    }
    for (const name of names) {
      await alice.accept(name)
      await alice.message(`I am ${name}`, "received").waitFor()
      assert.equal(await alice.member(name).getByText("verified").count(), 0, "nothing has been compared")
      await alice.markVerified(name)
      await alice.say(`Hello ${name}`)
      await alice.message(`Hello ${name}`, "sent").waitFor()
    }
    await alice.page.reload()
    for (const name of names) {
      await alice.choose(name)
      await alice.message(`Hello ${name}`, "sent").waitFor()
      await alice.member(name).getByText("verified").waitFor()
      await alice.remove(name)
      await alice.notice(`You removed ${name}.`).waitFor()
      await alice.invite(name)
    }
    assert.deepEqual(alice.complaints, [])
  })

  it("stand beside what somebody is called, in the list, above messages and in what is told", async () => {
    const bob = await open("bob", { displayName: "Alice" })
    const kiran = await open("किरण", { displayName: "किरण देसाई" })
    await alice.createConversation("who is who", "bob किरण")
    const team = await joined(bob, "who is who")
    await team.send("It is me, Alice")
    const message = alice.message("It is me, Alice", "received")
    await message.waitFor()
    // She is called Alice herself.
    assert.equal(await message.locator(".message-from").innerText(), "Alice bob looks like another member")
    assert.equal(await alice.member("Alice").locator(".person").innerText(), "Alice\nbob")
    assert.match(await alice.page.getByTestId("announcement").innerText(), /^Alice \(bob\): It is me/)
    await alice.member("किरण देसाई").click()
    await alice.page.getByText("You have not compared codes with \u2068किरण देसाई (किरण)\u2069 yet.").waitFor()
    await alice.member("किरण देसाई").click()
    await bob.setDisplayName("Bob")
    // The directory is asked again when somebody is invited.
    await alice.createConversation("another", "bob")
    await alice.choose("who is who")
    await alice.notice("Alice (bob) is now called Bob (bob).").waitFor()
    assert.equal(await message.locator(".message-from").innerText(), "Bob bob")
    await joined(kiran, "who is who")
  })

  it("of mixed scripts are marked", async () => {
    const mallory = await open("\u0430lice", { displayName: "B\u043eb" })
    const conversation = await mallory.createConversation({ title: "money" })
    await conversation.invite("alice")
    await conversation.send("It is me")
    await alice.request("\u0430lice").locator(".person-mark", { hasText: "mixed scripts" }).waitFor()
    await alice.accept("\u0430lice")
    await alice.page.locator(".members .person-mark", { hasText: "mixed scripts" }).waitFor()
    await alice.lookInside()
    await alice.page.locator(".tree-card .tree-name", { hasText: "⚠ \u0430lice" }).waitFor()
    await alice.message("It is me").locator(".person-mark", { hasText: "mixed scripts" }).waitFor()
    assert.match(
      await alice.notice("You joined this conversation").innerText(),
      /B\u043eb \(\u0430lice\) \[mixed scripts\]/,
    )
  })

  it("that nobody has, or that are none, are all named where several are given, and none of the others is added", async () => {
    await open("carol")
    const { page } = alice
    await page.getByRole("button", { name: "New conversation" }).first().click()
    const dialog = page.getByRole("dialog")
    await dialog.getByLabel("Title").fill("several")
    await dialog.getByLabel("People").fill("carol x\u3164 y\u3164")
    await dialog.getByRole("button", { name: "Create", exact: true }).click()
    await problem(/^“.?x.*”: It contains U\+3164, .* “.?y.*”: It contains U\+3164, /).waitFor()
    await dialog.getByLabel("People").fill("nobody-1 carol nobody-2")
    await dialog.getByRole("button", { name: "Create", exact: true }).click()
    await problem(/^Nobody is called nobody-1 or nobody-2\. Ask them to/).waitFor()
    await dialog.getByRole("button", { name: "Cancel" }).click()
    await alice.createConversation("several")
    await alice.showGroup()
    const field = page.getByLabel("Invite by name")
    await field.fill("nobody-1 carol nobody-2")
    await page.getByRole("button", { name: "Invite", exact: true }).click()
    const outcome = page.locator(".invitation").getByRole("status")
    await outcome.getByText(/^Nobody is called nobody-1 or nobody-2\. Ask them .* Nobody was added\.$/).waitFor()
    assert.equal(await field.inputValue(), "nobody-1 carol nobody-2")
    await alice.notice("nobody-2 could not be added: nobody is called nobody-1 or nobody-2.").waitFor()
    assert.equal(await alice.member("carol").count(), 0)
    await field.fill("carol nobody-2")
    await page.getByRole("button", { name: "Invite", exact: true }).click()
    await outcome.getByText(/^Nobody is called nobody-2\. /).waitFor()
  })

  it("do not help to hide a message: not even an id that is repeated does", async () => {
    let repeated: Uint8Array | undefined
    const bob = others.find(({ name }) => name === "bob")!
    const random = (length: number) => {
      const bytes = length === 16 && repeated !== undefined ? repeated : crypto.getRandomValues(new Uint8Array(length))
      if (bytes === repeated) repeated = undefined
      return bytes
    }
    const mallory = await open("mallory", { random })
    await alice.createConversation("votes", "bob mallory")
    const id = await (await joined(bob, "votes")).send("I vote no")
    await alice.message("I vote no", "received").waitFor()
    const votes = await joined(mallory, "votes")
    repeated = Uint8Array.from(Buffer.from(id, "hex"))
    await votes.send("whatever")
    await alice.message("whatever", "received").waitFor()
    assert.equal(repeated, undefined, "the id was repeated")
    for (const look of ["at once", "after a reload"]) {
      assert.equal(await alice.message("I vote no").count(), 1, look)
      assert.equal(await alice.message("whatever").count(), 1, look)
      await alice.page.reload()
      // The page may show the later message first.
      for (const text of ["I vote no", "whatever"]) await alice.message(text).first().waitFor()
    }
  })

  it("cause no fault", () => {
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })
})
