import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Conversation } from "@conclave/client/node"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

/** Alice at her page, in a conversation with bob, who has the SDK. */
async function talking(service: Service, alice: Person) {
  await alice.open()
  await alice.register()
  const bob = await openPerson(service, "bob")
  await alice.createConversation("team", "bob")
  return { bob, team: await joined(bob, "team") }
}

/** So many messages that they do not fit on the screen. */
async function fill(alice: Person, team: Conversation): Promise<void> {
  for (let number = 1; number <= 30; number++) await team.send(`line ${number}`)
  await alice.message("line 30", "received").waitFor()
}

const scroll = (alice: Person, top: number) =>
  alice.page.locator(".messages").evaluate((element, to) => element.scrollTo(0, to), top)
/** What is far away is not drawn at all. */
const isInSight = (alice: Person, text: string) =>
  alice.message(text).evaluateAll((elements) =>
    elements.some((element) => {
      const { top, bottom } = element.getBoundingClientRect()
      const area = element.closest(".messages")!.getBoundingClientRect()
      return top >= area.top && bottom <= area.bottom + 1
    }),
  )
/** How far below the upper edge of the area a message begins. */
const topOf = (alice: Person, text: string) =>
  alice
    .message(text)
    .first()
    .evaluate(
      (element) => element.getBoundingClientRect().top - element.closest(".messages")!.getBoundingClientRect().top,
    )

describe("who reads back", { skip: noBrowser, timeout: 240_000 }, () => {
  it("stays there, is told how much is new, and goes to the end by one click or by answering", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob, team } = await talking(service, alice)
    await using _bob = bob
    await fill(alice, team)
    assert.equal(await alice.page.locator(".jump").count(), 0)
    await scroll(alice, 0)
    await alice.page.getByRole("button", { name: "Latest messages: go to the end" }).waitFor()
    await team.send("did you see this?")
    await alice.page.getByRole("button", { name: "1 new message: go to the end" }).waitFor()
    assert.equal(await isInSight(alice, "did you see this?"), false, "nothing moves")
    await eventually(async () => assert.match(await alice.page.title(), /^\(1\) team/))
    assert.deepEqual(await audit(alice.page), [])
    await alice.screenshot("reading-back-light")
    const bottom = (selector: string) =>
      alice.page.locator(selector).evaluate((it) => Math.round(it.getBoundingClientRect().bottom))
    const top = await alice.page.locator(".jump").evaluate((it) => Math.round(it.getBoundingClientRect().top))
    assert.ok((await bottom(".messages")) <= top, "nothing that somebody says is below it")
    await alice.page.locator(".jump").click()
    await eventually(async () => assert.ok(await isInSight(alice, "did you see this?")))
    await eventually(async () => assert.match(await alice.page.title(), /^team/))
    assert.equal(await alice.page.locator(".jump").count(), 0)

    await scroll(alice, 0)
    await alice.page.locator(".jump").waitFor()
    await alice.say("yes, I did")
    await alice.message("yes, I did", "sent").waitFor()
    await eventually(async () => assert.ok(await isInSight(alice, "yes, I did")))
    assert.equal(await alice.page.locator(".unread-line").count(), 0, "who answers has read")
    assert.deepEqual(alice.complaints, [])
  })

  it("finds a line before what came while another conversation was in front, and a day before all", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob, team } = await talking(service, alice)
    await using _bob = bob
    await team.send("seen")
    await alice.message("seen").waitFor()
    await alice.createConversation("other")
    await team.send("new")
    await alice.page.getByRole("link", { name: /team.*1 unread/ }).click()
    await alice.message("new").waitFor()
    const order = await alice.page
      .locator(".message-list > li")
      .evaluateAll((items) =>
        items.map((item) => (item.classList.contains("notice") ? "notice" : (item.textContent ?? ""))),
      )
    assert.deepEqual(
      order.filter((text) => text !== "notice").map((text) => text.replace(/^bob(bob)?|\d\d:\d\d$/g, "")),
      ["Today", "seen", "New messages", "new"],
    )
    assert.ok((await alice.page.locator(".message-list > li").first().innerText()).startsWith("Today"))
  })

  it("reads earlier pages and comes back to the end, with so many messages on the page at most", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob, team } = await talking(service, alice)
    await using _bob = bob
    for (let number = 1; number <= 70; number++) await team.send(`line ${number}.`)
    await alice.message("line 70.", "received").waitFor()
    await alice.page.reload()
    await alice.message("line 70.").waitFor()
    assert.equal(await alice.message("line 10.").count(), 0)
    // The line that stood on top stands there still, and there are others above it now.
    await scroll(alice, 1)
    await alice.page.locator(".beginning").waitFor({ state: "attached" })
    await eventually(async () => {
      const top = await topOf(alice, "line 12.")
      assert.ok(top > 0 && top < 220, `${top}`)
    })
    await scroll(alice, 0)
    await alice.message("line 1.").first().waitFor({ state: "attached" })
    await alice.page.locator(".jump:not(.jump-up)").click()
    await eventually(async () => assert.ok(await isInSight(alice, "line 70.")))
  })
})

describe("a group of which one has left", { skip: noBrowser, timeout: 150_000 }, () => {
  it("shows a face beside what each has said, as before", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob, team } = await talking(service, alice)
    await using _bob = bob
    await team.send("the two of us")
    await alice.message("the two of us").waitFor()
    assert.equal(await alice.page.locator(".message > .avatar").count(), 0)
    await using carol = await openPerson(service, "carol")
    await team.invite("carol")
    await (await joined(carol, "team")).send("hello from carol")
    const faces = () => alice.page.locator(".message > .avatar").count()
    await alice.message("hello from carol").waitFor()
    await eventually(async () => assert.equal(await faces(), 2))
    await team.remove("carol")
    await alice.notice("bob removed carol.").waitFor()
    assert.equal(await faces(), 2)
    await alice.page.reload()
    await alice.message("hello from carol").waitFor()
    assert.equal(await faces(), 2)
  })
})

describe("what somebody writes", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is kept as a draft for each conversation, is said so in the list, and is there after the browser has ended", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob } = await talking(service, alice)
    await using _bob = bob
    await alice.page.getByLabel(/^Message to/).fill("half a thought")
    await alice.createConversation("other")
    await alice.page.getByRole("link", { name: /team.*Draft: half a thought/ }).waitFor()
    assert.equal(await alice.page.getByLabel(/^Message to/).inputValue(), "")
    await alice.page.waitForTimeout(500)
    await alice.close()
    await alice.open()
    await alice.choose("team")
    assert.equal(await alice.page.getByLabel(/^Message to/).inputValue(), "half a thought")
  })

  it("has the direction of its own letters, and carries nothing else away", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob, team } = await talking(service, alice)
    await using _bob = bob
    await team.send("שלום (1)")
    await team.send("hello (1)")
    await alice.message("hello (1)").waitFor()
    const direction = (text: string) =>
      alice
        .message(text)
        .locator(".bubble")
        .evaluate((element) => getComputedStyle(element).direction)
    assert.deepEqual([await direction("שלום"), await direction("hello")], ["rtl", "ltr"])
    await alice.page.getByLabel(/^Message to/).fill("مرحبا")
    assert.equal(
      await alice.page.getByLabel(/^Message to/).evaluate((element) => getComputedStyle(element).direction),
      "rtl",
    )
    assert.equal(await alice.page.locator(".list-row-last bdi").innerText(), "hello (1)")
  })
})

describe("a conversation", { skip: noBrowser, timeout: 180_000 }, () => {
  it("can be muted, archived and, when it is over, deleted", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob, team } = await talking(service, alice)
    await using _bob = bob
    await alice.createConversation("other")
    await alice.choose("team")
    const card = alice.page.getByRole("region", { name: "For you" })
    await card.getByRole("button", { name: "Mute", exact: true }).click()
    await card.getByRole("button", { name: "Muted", exact: true }).waitFor()
    await card.getByRole("button", { name: "Archive", exact: true }).click()
    await card.getByRole("button", { name: "Archived", exact: true }).waitFor()
    await alice.choose("other")
    assert.equal(await alice.page.getByRole("link", { name: /team/ }).count(), 0)
    assert.deepEqual(await audit(alice.page), [])
    await team.send("quiet")
    await alice.page.getByRole("button", { name: "Archived 1" }).click()
    await alice.page.getByRole("link", { name: /team.*muted.*1 unread/ }).click()
    await alice.message("quiet").waitFor()
    await eventually(async () => assert.match(await alice.page.title(), /^team/))
    await card.getByRole("button", { name: "Archived" }).click()
    await card.getByRole("button", { name: "Muted" }).click()
    assert.equal(await card.getByRole("button", { name: "Delete" }).count(), 0, "not while she is in it")
    await team.remove("alice")
    await alice.page.getByRole("link", { name: /team.*Removed by bob/ }).waitFor()
    await card.getByRole("button", { name: "Delete" }).click()
    await alice.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
    await alice.page.getByRole("link", { name: /team/ }).waitFor({ state: "detached" })
    await alice.page.reload()
    await alice.page.getByRole("link", { name: /other/ }).waitFor()
    assert.equal(await alice.page.getByText("quiet").count(), 0)
    assert.deepEqual(alice.complaints, [])
  })
})

describe("somebody who is blocked", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is declined, is not shown in groups with others, and can be unblocked there", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob, team } = await talking(service, alice)
    await using _bob = bob
    await using mallory = await openPerson(service, "mallory")
    await team.invite("mallory")
    await (await joined(mallory, "team")).send("buy now")
    await alice.message("buy now").waitFor()
    await mallory.createConversation({ title: "spam", members: ["alice"] })
    await alice.request("mallory").click()
    await alice.page.getByRole("button", { name: "Block" }).click()
    assert.deepEqual(await audit(alice.page), [])
    await alice.page.getByRole("dialog").getByRole("button", { name: "Block" }).click()
    await alice.request("mallory").waitFor({ state: "detached" })
    await alice.choose("team")
    await alice.notice("A message of mallory, whom you have blocked.").waitFor()
    assert.equal(await alice.message("buy now").count(), 0)
    await alice.page.getByRole("button", { name: "Unblock" }).click()
    await alice.message("buy now").waitFor()
    assert.deepEqual(alice.complaints, [])
  })
})

describe("what an earlier version of the page has kept", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is there after the update, sealed as before, in records of its own", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    const { bob } = await talking(service, alice)
    await using _bob = bob
    // What has happened so far is stored.
    await alice.page.waitForTimeout(1_000)
    const id = new URL(alice.page.url()).hash.slice(2)
    await alice.page.evaluate(storeVersion1, {
      keyAlerts: [],
      lastEvent: 1_000,
      alerts: [],
      compared: [["bob", ["no code"]]],
      conversations: [
        [
          id,
          {
            unread: 0,
            draft: "from before",
            notices: [{ number: 1, at: 1, type: "joined", names: ["alice", "bob"] }],
            failed: [{ messageId: "01", text: "never sent", reason: "Not sent: so it was said.", at: 1 }],
          },
        ],
      ],
    })
    await alice.page.reload()
    await alice.message("never sent", "failed").getByText("Not sent: so it was said.").waitFor()
    await alice.notice("You joined this conversation. Members: you and bob.").waitFor()
    assert.equal(await alice.page.getByLabel(/^Message to/).inputValue(), "from before")
    const [keys, isReadable] = await alice.page.evaluate(inspectRecords, "from before")
    assert.ok(keys.includes(`alice,draft/${id}`) && keys.includes("alice,format"), keys.join(" "))
    assert.ok(!keys.includes("memory/alice"))
    assert.equal(isReadable, false, "no record has the text in it")
    assert.deepEqual(alice.complaints, [])
  })
})

/** As the page did before: one record, sealed without additional data, and nothing else. Runs in the page. */
async function storeVersion1(memory: object): Promise<void> {
  const outcome = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const database = await outcome(indexedDB.open("conclave-page", 1))
  const key = await outcome<CryptoKey>(database.transaction("page").objectStore("page").get("key/alice"))
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const content = new TextEncoder().encode(JSON.stringify(memory))
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, content))
  const store = database.transaction("page", "readwrite").objectStore("page")
  await outcome(store.delete(IDBKeyRange.bound(["alice", ""], ["alice", []])))
  await outcome(store.put(Uint8Array.from([...iv, ...ciphertext]), "memory/alice"))
  database.close()
}

/** The keys of all records, and whether a text is in one of them as it is. Runs in the page. */
async function inspectRecords(text: string): Promise<readonly [readonly string[], boolean]> {
  const outcome = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const database = await outcome(indexedDB.open("conclave-page", 1))
  const store = database.transaction("page").objectStore("page")
  const [keys, values] = await Promise.all([outcome(store.getAllKeys()), outcome(store.getAll())])
  database.close()
  const texts = values.map((value) => (value instanceof Uint8Array ? new TextDecoder("latin1").decode(value) : ""))
  return [keys.map(String), texts.some((it) => it.includes(text))]
}
