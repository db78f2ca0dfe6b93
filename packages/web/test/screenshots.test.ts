import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Conversation } from "@conclave/client/node"
import { eventually } from "./eventually.js"
import { believeAllDevices, joined, openPerson } from "./people.js"
import { noBrowser, Person, showOn } from "./person.js"
import { Service } from "./service.js"

/** Between two messages, so that they come in the order in which they are written. */
const BREATH_MILLISECONDS = 250

describe("pictures of the page", {
  skip: noBrowser,
  timeout: 240_000,
}, () => {
  it("are taken of five people who talk, in light and dark, on a screen and on a phone", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address, { height: 800 })
    await alice.open()
    await alice.screenshot("welcome-light")
    await alice.register()
    const names = ["bob", "carol", "dora", "erin"]
    const people = await Promise.all(names.map((name) => openPerson(service, name)))
    await alice.createConversation("Book club", "bob erin")
    await alice.createConversation("Release 2.0", names.join(", "))
    const [bob, carol, dora, erin] = (await Promise.all(people.map((person) => joined(person, "Release 2.0")))) as [
      Conversation,
      Conversation,
      Conversation,
      Conversation,
    ]
    await carol.refresh()
    await erin.refresh()
    await alice.lookInside()
    await alice.page.getByTestId("epoch").getByText("3").waitFor()
    await talk(alice, [
      [undefined, "The audit is back: no findings above “low”."],
      [bob, "Good. I have read it twice, and agree with every line."],
      [bob, "One open point: the padding of short messages. Carol, is that the ticket you meant?"],
      [carol, "Yes. It is in the next build, with a test that measures sizes on the wire."],
      [undefined, "Then we tag it tonight. Dora, please renew your keys first: the old laptop has not turned up."],
    ])
    await dora.refresh()
    await alice.notice("dora renewed their keys.").waitFor()
    await talk(alice, [[dora, "Done. In the tree, everything from my leaf to the root is new."]])
    assert.equal(await alice.countNodes("leaf", "filled"), 5)
    assert.equal(await alice.countNodes("leaf", "blank"), 3)
    assert.equal(await alice.countNodes("renewed"), 4, "dora's leaf, and three above it")

    await everyLook(alice, "inspector", [1280, 390])
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.verify("bob")
    await everyLook(alice, "safety-code")
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.page.getByRole("button", { name: "They match: mark as verified" }).click()
    await everyLook(alice, "verified", [1280])
    await alice.page.keyboard.press("Escape")
    await everyLook(alice, "member", [1280])
    await alice.member("bob").click()
    await alice.page.evaluate(() => (document.activeElement as HTMLElement).blur())
    await alice.page.locator(".group-cards").evaluate((element) => element.scrollTo(0, 0))
    await alice.page.evaluate(() => (location.hash = location.hash.replace(/\/group$/, "")))
    await everyLook(alice, "chat")
    await alice.page.setViewportSize({ width: 390, height: 844 })
    await alice.page.getByRole("button", { name: /^Group/ }).click()
    await everyLook(alice, "group", [390])
    await alice.page.getByRole("button", { name: "Back to the messages" }).click()
    await alice.page.getByRole("button", { name: "All conversations" }).click()
    await everyLook(alice, "list", [390])
    await alice.choose("Release 2.0")
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.lookInside()
    await alice.page.getByRole("button", { name: "Enlarge the tree" }).click()
    await everyLook(alice, "large-tree")
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.page.keyboard.press("Escape")
    await alice.page.getByRole("button", { name: "New conversation" }).click()
    await everyLook(alice, "new-conversation", [1280])
    await alice.page.keyboard.press("Escape")
    await Promise.all(people.map((person) => person.close()))
  })

  it("are taken of a group of twenty, whose names can all be read", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const names = Array.from({ length: 19 }, (_, at) => `guest-${at + 1}`)
    const people = []
    for (const name of names) people.push(await openPerson(service, name))
    await alice.createConversation("Assembly", names.join(" "))
    const seventh = await joined(people[6]!, "Assembly")
    await seventh.refresh()
    await alice.notice("guest-7 renewed their keys.").waitFor()
    await eventually(async () => assert.equal(await alice.countNodes("leaf", "filled"), 20))
    await everyLook(alice, "assembly-inspector")
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    assert.deepEqual(
      (await alice.page.locator(".tree-card .tree-name").allTextContents()).map((text) => text.replace(/^you.*/, "you"))
        .length,
      20,
    )
    await alice.showGroup()
    // From inside one comes back to the panel; where there is room for one thing only, it is in front.
    await alice.page.evaluate(() => (location.hash = location.hash.replace(/\/group$/, "")))
    await everyLook(alice, "assembly")
    await alice.page.setViewportSize({ width: 390, height: 844 })
    await alice.page.getByRole("button", { name: /^Group/ }).click()
    await everyLook(alice, "assembly-group", [390])
    await Promise.all(people.map((person) => person.close()))
  })

  it("are taken of the start, and of people who are called something", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register("alice liddell", "Alice (admin)")
    await alice.page.getByRole("alert").nth(1).waitFor()
    await everyLook(alice, "wrong-name")
    await alice.register("alice", "Alice Liddell")
    const called: readonly (readonly [name: string, displayName: string])[] = [
      ["bob", "Bob"],
      ["auth0|5f7c8ec7c33c6c004bbafe82", "Dora Maar"],
      ["किरण", "किरण देसाई"],
      ["דנה", "דנה כהן"],
      ["\u0430lice", "Alice Liddell"],
      [
        "maximiliane.von.und.zu.hohenstein@department.example.org",
        "Maximiliane Freifrau von und zu Hohenstein-Waldburg-Zeil",
      ],
      ["erin", ""],
    ]
    const people = []
    for (const [name, displayName] of called) people.push(await openPerson(service, name, { displayName }))
    await alice.createConversation("Names", called.map(([name]) => name).join(" "))
    const teams = await Promise.all(people.map((person) => joined(person, "Names")))
    const lines = ["Hello!", "Good morning.", "नमस्ते", "שלום", "It is me, Alice. Please send the key.", "Servus.", "Hi"]
    await talk(
      alice,
      lines.map((line, at) => [teams[at], line] as const),
    )
    await everyLook(alice, "names")
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.page.getByRole("link", { name: "You: name, key and devices" }).click()
    await alice.page.getByRole("button", { name: "Change", exact: true }).click()
    await everyLook(alice, "display-name", [1280])
    await alice.page.keyboard.press("Escape")
    await alice.page.goBack()
    await alice.page.setViewportSize({ width: 390, height: 844 })
    await alice.page.getByRole("button", { name: /^Group/ }).click()
    await alice.page.getByRole("heading", { name: "Members" }).evaluate((element) => element.scrollIntoView())
    await everyLook(alice, "names-group", [390])
    await Promise.all(people.map((person) => person.close()))
  })

  it("are taken of somebody who was removed, and of a key that has changed", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await using bob = await openPerson(service, "bob")
    await using carol = await openPerson(service, "carol")
    const team = await bob.createConversation({ title: "Harbour" })
    // A page that has just registered may not have published its key packages yet.
    await eventually(() => team.invite("alice"))
    await alice.accept("bob")
    await team.send("The gate opens at six.")
    await alice.message("The gate opens at six.").waitFor()
    await alice.createConversation("Old friends", "carol")
    // Not before Alice has met Carol can Carol's key be another.
    await joined(carol, "Old friends")
    service.lie()
    await using mallory = await openPerson(service, "carol", { file: "mallory" })
    await believeAllDevices(bob, "carol")
    // Either would see the other, and decline.
    await Promise.all([carol.close(), mallory.close()])
    await team.invite("carol")
    await alice.page.getByRole("alert").filter({ hasText: "new key" }).waitFor()
    await alice.choose("Harbour")
    await everyLook(alice, "key-change")
    await alice.page.getByRole("button", { name: "Compare it" }).click()
    await everyLook(alice, "key-change-compare")
    await alice.page.getByRole("button", { name: "It is carol: approve" }).click()
    await alice.notice("bob added carol.").waitFor()
    await team.remove("alice")
    await alice.notice("bob removed you from this conversation.").waitFor()
    await everyLook(alice, "removed")
  })

  it("are taken of invitations, alerts, and members with devices", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register("alice", "Alice Liddell")
    await alice.page.getByRole("heading", { name: "You are Alice Liddell" }).waitFor()
    const open = (name: string, displayName: string) => openPerson(service, name, { displayName })
    await using bob = await open("bob", "Bob")
    await using carol = await open("carol", "Carol")
    await using dora = await open("auth0|5f7c8ec7c33c6c004bbafe82", "Dora Maar")
    await using imitator = await open("b\u043eb", "Bob")
    const endorse = (registration: Uint8Array) => bob.endorseDevice(registration)
    await using _phone = await openPerson(service, "bob", { file: "phone", endorse })
    await alice.createConversation("Harbour", "bob carol")
    const harbour = await joined(bob, "Harbour")
    await harbour.send("The gate opens at six.")
    await alice.message("The gate opens at six.").waitFor()
    for (const [by, others] of [
      [dora, ["carol"]],
      [carol, []],
      [imitator, ["bob", dora.name]],
      [dora, []],
    ] as const) {
      await by.createConversation({ title: "Seen by nobody", members: ["alice", ...others] })
    }
    await alice.page.getByRole("button", { name: "Show all 4" }).waitFor()
    await everyLook(alice, "invitations", [1280])
    await alice.page.setViewportSize({ width: 390, height: 844 })
    await alice.page.getByRole("button", { name: "All conversations" }).click()
    await everyLook(alice, "invitations", [390])
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.request("Dora").click()
    await everyLook(alice, "invitation")
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.request("b\u043eb").click()
    await alice.page.getByText("may imitate the name").waitFor()
    await everyLook(alice, "invitation-marked")
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await alice.page.getByRole("button", { name: "Decline", exact: true }).click()
    await alice.choose("Harbour")
    await alice.member("Bob").getByText("2 devices").waitFor()
    await alice.member("Bob").click()
    await alice.page.locator(".devices li").nth(1).waitFor()
    await alice.page.getByRole("heading", { name: "Members" }).evaluate((element) => element.scrollIntoView())
    await everyLook(alice, "devices", [1280])
    await alice.page.setViewportSize({ width: 390, height: 844 })
    await alice.page.getByRole("button", { name: /^Group/ }).click()
    await alice.member("Bob").evaluate((element) => element.scrollIntoView())
    await everyLook(alice, "devices", [390])
    await alice.page.getByRole("button", { name: "Back to the messages" }).click()
    service.lie()
    await using _mallory = await openPerson(service, "alice", { file: "mallory" })
    await alice.page.reload()
    await alice.page.getByRole("alert").filter({ hasText: "An unknown device" }).waitFor()
    await everyLook(alice, "strange-device")
  })

  it("are taken of a service that asks for patience", async () => {
    await using service = new Service({ limits: { creationsByRequester: { perSecond: 1 / 60, burst: 1 } } })
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("First")
    await alice.createConversation("One too many")
    await alice.page.getByText("The service is busy until").waitFor()
    await everyLook(alice, "patience")
  })
})

type Line = readonly [speaker: Conversation | undefined, text: string]

/** Without a speaker it is the one in front of the page. */
async function talk(person: Person, lines: readonly Line[]): Promise<void> {
  for (const [speaker, text] of lines) {
    if (speaker === undefined) await person.say(text)
    else await speaker.send(text)
    await person.message(text).waitFor()
    await person.page.waitForTimeout(BREATH_MILLISECONDS)
  }
}

async function everyLook(person: Person, name: string, widths: readonly number[] = [1280, 390]): Promise<void> {
  for (const width of widths) {
    await person.page.setViewportSize({ width, height: width < 760 ? 844 : 800 })
    for (const colorScheme of ["light", "dark"] as const) {
      await showOn(person.page, { colorScheme })
      await person.page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)))
      await person.screenshot(`${name}-${colorScheme}-${width}`)
    }
  }
  await showOn(person.page, { colorScheme: "light" })
}
