import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { MemoryProfile, memoryStore } from "@conclave/client"
import type { Headless } from "../src/index.js"
import { said, settle, World } from "./support/world.js"

const invitedBy = (headless: Headless) => headless.getSnapshot().invitations.map(({ by }) => by)

describe("invitations", () => {
  it("tell who asks and whether the user knows them, and nothing that a stranger has written", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const [alice, carol] = [await world.client("alice"), await world.client("carol")]
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await bob.accept(team.id)
    await settle(alice, bob)
    const spam = await carol.createConversation({ title: "SPAM buy now", members: ["bob"] })
    await settle(carol, bob)
    const known = await alice.createConversation({ title: "more", members: ["bob"] })
    await settle(alice, bob)
    const { invitations, conversations } = bob.getSnapshot()
    assert.deepEqual(
      invitations.map(({ id, by, known }) => [id, by, known]),
      [
        [known.id, "alice", true],
        [spam.id, "carol", false],
      ],
    )
    assert.doesNotMatch(JSON.stringify(bob.getSnapshot()), /SPAM/)
    assert.deepEqual(
      conversations.map(({ title }) => title),
      ["team"],
    )
  })

  it("are accepted, with the messages that have come meanwhile; or declined, and then gone", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const alice = await world.client("alice")
    const one = await alice.createConversation({ title: "one", members: ["bob"] })
    await one.send("hello")
    const two = await alice.createConversation({ title: "two", members: ["bob"] })
    await settle(alice, bob)
    await bob.accept(one.id)
    await settle(bob)
    await bob.thread(one.id).load()
    assert.deepEqual(said(bob, one.id), ["hello"])
    const declined = bob.decline(two.id)
    await bob.client.sync()
    await declined
    assert.deepEqual([bob.getSnapshot().invitations, bob.client.conversations.has(two.id)], [[], false])
  })

  it("that are in front when they are accepted are a thread in front: what comes is there, and read", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const alice = await world.client("alice")
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    bob.show(team.id)
    await bob.accept(team.id)
    await settle(bob)
    await team.send("hello")
    await settle(alice, bob)
    assert.deepEqual([said(bob, team.id), bob.getSnapshot().unread], [["hello"], 0])
  })
})

describe("somebody who is blocked", () => {
  it("gets nobody's attention any more: not by invitations, those that wait included", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const [mallory, alice] = [await world.client("mallory"), await world.client("alice")]
    await mallory.createConversation({ title: "spam", members: ["bob"] })
    await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(mallory, alice, bob)
    assert.deepEqual(new Set(invitedBy(bob)), new Set(["mallory", "alice"]))
    bob.block("mallory")
    assert.deepEqual([invitedBy(bob), bob.getSnapshot().blocked], [["alice"], ["mallory"]], "at once")
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(bob.client.conversations.size, 1, "it was declined, and nothing had to happen for it")
    await settle(bob, mallory)
    await mallory.createConversation({ title: "spam again", members: ["bob"] })
    await settle(mallory, bob)
    assert.deepEqual(invitedBy(bob), ["alice"])
    await settle(bob)
    assert.equal(bob.client.conversations.size, 1)
  })

  it("is seen and counted nowhere in a group with others, and all of it is there when they are unblocked", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const [alice, mallory] = [await world.client("alice"), await world.client("mallory")]
    const team = await alice.createConversation({ title: "team", members: ["bob", "mallory"] })
    await settle(alice, mallory, bob)
    await bob.accept(team.id)
    await settle(alice, mallory, bob)
    await team.send("hello")
    const theirs = mallory.conversations.get(team.id)!
    await settle(alice, mallory, bob)
    await theirs.send("spam one")
    await settle(alice, mallory, bob)
    bob.markRead(team.id)
    bob.block("mallory")
    await theirs.send("spam two")
    const heard: string[] = []
    bob.listen(({ event }) => heard.push(event.type))
    await settle(mallory, alice, bob)
    await bob.thread(team.id).load()
    assert.deepEqual(said(bob, team.id), ["hello", "[blocked]"])
    const [row] = bob.getSnapshot().conversations
    assert.deepEqual([row?.unread, row?.last?.content.text, heard], [0, "hello", []])
    const found = []
    for await (const { text } of bob.search("spam")) found.push(text)
    assert.deepEqual(found, [])
    await bob.close()
    const again = await world.headless(bob.client)
    await again.thread(team.id).load()
    assert.deepEqual(said(again, team.id), ["hello", "[blocked]"], "also after a reopening")
    again.unblock("mallory")
    assert.deepEqual(said(again, team.id), ["hello", "spam one", "spam two"])
    assert.throws(() => again.block("bob"), TypeError)
  })
})

describe("alerts", () => {
  /** Alice has met carol; now somebody uses another key under that name, and bob puts both into a group with her. */
  async function withStrangeKey(world: World) {
    const alice = await world.open("alice")
    const [bob, carol] = [await world.client("bob"), await world.client("carol")]
    const first = await carol.createConversation({ title: "first", members: ["alice"] })
    await settle(carol, alice)
    await alice.accept(first.id)
    await settle(carol, alice)
    const endorse = (registration: Uint8Array) => carol.endorseDevice(registration)
    const phone = await world.client("carol", { endorse, store: memoryStore(new MemoryProfile()) })
    const team = await bob.createConversation({ title: "team", members: ["alice"] })
    await settle(bob, alice)
    await alice.accept(team.id)
    await settle(bob, alice)
    await team.invite("carol")
    await settle(bob, carol, phone, alice)
    return { alice, team }
  }

  it("say what a person can do, and are gone for good when that has been done", async () => {
    await using world = new World()
    const { alice } = await withStrangeKey(world)
    const [alert, ...others] = alice.getSnapshot().alerts
    assert.deepEqual(others, [])
    assert.ok(alert?.event.type === "keyChanged" && alert.event.name === "carol")
    assert.deepEqual([alert.code, alert.severity, alert.actions], ["KEY_CHANGED", "alarm", [{ type: "dismiss" }]])
    const other = await world.headless(alice.client)
    assert.equal(other.getSnapshot().alerts.length, 1)
    alice.dismiss(alert.id)
    assert.deepEqual(alice.getSnapshot().alerts, [])
    await alice.flush()
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(other.getSnapshot().alerts, [], "in the other window, too")
    await alice.close()
    const again = await world.headless(alice.client)
    assert.deepEqual(again.getSnapshot().alerts, [])
  })

  it("about a key can be put off and looked at again, and approved", async () => {
    await using world = new World()
    const alice = await world.client("alice", { policy: { keyPackages: 4, endorsedKey: "ask" } })
    const carol = await world.client("carol")
    const first = await alice.createConversation({ title: "first", members: ["carol"] })
    await settle(alice, carol)
    const endorse = (registration: Uint8Array) => carol.endorseDevice(registration)
    const phone = await world.client("carol", { endorse, store: memoryStore(new MemoryProfile()) })
    const headless = await world.headless(alice)
    await settle(phone, alice, headless)
    await carol.conversations.get(first.id)!.invite("carol")
    await settle(carol, phone, headless)
    const [alert] = headless.getSnapshot().alerts
    assert.deepEqual(alert?.actions, [{ type: "refuseKey" }, { type: "approveKey" }])
    assert.equal(first.status, "halted")
    await headless.thread(first.id).load()
    const told = headless
      .thread(first.id)
      .getSnapshot()
      .items.flatMap((it) => (it.type === "notice" ? it.notice : []))
    const types = told.map(({ event }) => event.type)
    assert.deepEqual([types.includes("keyChanged"), types.includes("halted")], [true, false], "it is told once")
    headless.refuseKey(alert!.id)
    assert.deepEqual([headless.getSnapshot().alerts, headless.getSnapshot().refusedKeys.length], [[], 1])
    headless.reconsiderKey(alert!.id)
    assert.deepEqual([headless.getSnapshot().alerts.length, headless.getSnapshot().refusedKeys.length], [1, 0])
    await headless.approveKey(alert!.id)
    assert.deepEqual([headless.getSnapshot().alerts, first.status], [[], "active"])
    await assert.rejects(headless.approveKey("none"), TypeError)
  })
})

describe("trust in somebody", () => {
  it("is lost, and said to be, with another device; which is known as a new one until it was compared", async () => {
    await using world = new World()
    const alice = await world.client("alice", { policy: { keyPackages: 4, endorsedKey: "ask" } })
    const carol = await world.client("carol")
    const { id } = await alice.createConversation({ title: "first", members: ["carol"] })
    await settle(alice, carol)
    const headless = await world.headless(alice, { followTrees: true })
    assert.equal(headless.comparison(id, "carol"), "none")
    headless.setCompared(id, "carol", true)
    assert.equal(headless.comparison(id, "carol"), "compared")
    const before = headless.devices(id)
    assert.equal(headless.devices(id), before, "the same as long as the tree is")
    assert.deepEqual(
      [...before].map(([name, devices]) => [name, devices.map(({ own }) => own)]),
      [
        ["alice", [true]],
        ["carol", [false]],
      ],
    )
    const endorse = (registration: Uint8Array) => carol.endorseDevice(registration)
    const phone = await world.client("carol", { endorse, store: memoryStore(new MemoryProfile()) })
    await settle(phone, headless)
    await carol.conversations.get(id)!.invite("carol")
    await settle(carol, phone, headless)
    assert.equal(headless.comparison(id, "carol"), "changed")
    const { signatureKey } = phone
    assert.deepEqual(
      headless
        .devices(id)
        .get("carol")
        ?.map((it) => headless.newDevice("carol", it.signatureKey)?.at),
      [undefined, world.now],
    )
    assert.equal(headless.isKeyOpen("carol", signatureKey), true)
    assert.equal(headless.keyCode("carol", signatureKey), phone.keyCode("carol", signatureKey))
    assert.notEqual(headless.keyCode("carol", signatureKey), headless.keyCode("carol", carol.signatureKey))
    await headless.approveKey(headless.getSnapshot().alerts[0]!.id)
    assert.equal(headless.isKeyOpen("carol", signatureKey), false)
    await headless.close()
    const again = await world.headless(alice, { followTrees: true })
    assert.equal(again.newDevice("carol", signatureKey)?.isApproved, true)
    again.setCompared(id, "carol", true)
    assert.equal(again.comparison(id, "carol"), "compared")
    assert.deepEqual(
      again.commits(id).map(({ epoch, by, added, own }) => ({ epoch, by, added, own })),
      [
        { epoch: "1", by: "alice", added: ["carol"], own: true },
        { epoch: "2", by: "carol", added: ["carol"], own: false },
      ],
      "what was followed with the trees is kept",
    )
  })
})

describe("a search", () => {
  it("finds messages with every word, without telling case and marks apart, and says where", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const alice = await world.client("alice")
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    const other = await alice.createConversation({ title: "other", members: ["bob"] })
    await settle(alice, bob)
    for (const { id } of [team, other]) await bob.accept(id)
    await settle(alice, bob)
    for (const text of ["The Café is open", "no coffee", "the CAFE, the cafe"]) await team.send(text)
    await other.send("cafés everywhere")
    await settle(alice, bob)
    const found = async (words: string, options = {}) => {
      const hits = []
      for await (const { text, matches } of bob.search(words, options)) {
        hits.push(`${text}: ${matches.map(([from, to]) => text.slice(from, to)).join(" ")}`)
      }
      return hits
    }
    const here = { conversation: team.id }
    assert.deepEqual(await found("cafe THE", here), [
      "the CAFE, the cafe: the CAFE the cafe",
      "The Café is open: The Café",
    ])
    assert.equal((await found("cafe")).length, 3)
    assert.deepEqual(await found("cafe tea"), [])
    assert.deepEqual(await found("  "), [])
  })

  it("reads a bounded number of messages in one turn, and only as results are asked for", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const mine = await bob.client.createConversation({ title: "notes" })
    for (let at = 0; at < 250; at++) mine.send(`note ${at}`).catch(() => {})
    await settle(bob)
    let read = 0
    let readInTurn = 0
    let most = 0
    const history = mine.history.bind(mine)
    mine.history = async (options) => {
      const page = await history(options)
      read += page.length
      readInTurn += page.length
      most = Math.max(most, readInTurn)
      setImmediate(() => {
        readInTurn = 0
      })
      return page
    }
    const hits = bob.search("note")[Symbol.asyncIterator]()
    assert.equal((await hits.next()).value?.text, "note 249")
    assert.equal(read, 100, "no further than the first page")
    const stop = new AbortController()
    let count = 0
    for await (const _ of bob.search("note", { signal: stop.signal })) if (++count === 150) stop.abort()
    assert.equal(count, 150, "and not beyond its end")
    assert.ok(most <= 100, `${most} messages in one turn`)
    let all = 0
    for await (const _ of bob.search("note")) all++
    assert.equal(all, 250)
  })
})
