import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Client, Conversation } from "@conclave/client"
import { type Headless, type HeadlessOptions, memoryKeep } from "../src/index.js"
import { HeldTimers } from "./support/clock.js"
import { lines, only, said, settle, told, World } from "./support/world.js"

/** Bob, with a headless, in a conversation of alice's, who has the SDK alone. */
async function talking(world: World, options: HeadlessOptions = {}) {
  const alice = await world.client("alice")
  const bob = await world.open("bob", options)
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, bob)
  await bob.accept(team.id)
  await settle(alice, bob)
  return { alice, bob, team, id: team.id, say: (text: string) => saying(team, text, alice, bob) }
}

async function saying(team: Conversation, text: string, ...all: readonly (Client | Headless)[]): Promise<void> {
  await team.send(text)
  await settle(...all)
}

const summary = (headless: Headless, id: string) => {
  const { conversations, archived } = headless.getSnapshot()
  return [...conversations, ...archived].find((it) => it.id === id)
}
const order = (headless: Headless) => headless.getSnapshot().conversations.map(({ title }) => title)

describe("the list", () => {
  it("is ordered by what was told of last, in the order of arrival, whatever the senders' clocks say", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    let wrong = 0
    const alice = await world.client("alice", { now: () => world.now - wrong })
    const fast = await world.client("fast", { now: () => world.now + wrong })
    const one = await alice.createConversation({ title: "one", members: ["bob"] })
    const two = await fast.createConversation({ title: "two", members: ["bob"] })
    await settle(alice, fast, bob)
    for (const { id } of [one, two]) await bob.accept(id)
    await settle(alice, fast, bob)
    wrong = 1_800_000
    await saying(one, "first", alice, bob)
    await saying(two, "second", fast, bob)
    await saying(one, "third", alice, bob)
    assert.deepEqual(order(bob), ["one", "two"])
    await saying(two, "fourth", fast, bob)
    assert.deepEqual(order(bob), ["two", "one"])
    const { last, unread, members } = summary(bob, two.id)!
    assert.deepEqual([last?.content.text, last?.from, unread, members], ["fourth", "fast", 2, ["bob", "fast"]])
  })

  it("says who left by themselves, and who was removed and by whom", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world)
    const carol = await world.open("carol")
    await team.invite("carol")
    await settle(alice, bob, carol)
    await carol.accept(id)
    await settle(alice, bob, carol)
    await team.remove("carol")
    await settle(alice, bob, carol)
    assert.deepEqual([summary(carol, id)?.status, summary(carol, id)?.removedBy], ["left", "alice"])
    const leaving = bob.client.conversations.get(id)!.leave()
    await settle(bob, alice)
    await leaving
    world.now += 10_000
    await settle(alice, bob)
    assert.deepEqual([summary(bob, id)?.status, summary(bob, id)?.removedBy], ["left", "bob"])
  })

  it("counts what others have said and the user has not seen, and forgets it when they look", async () => {
    await using world = new World()
    const { bob, id, say } = await talking(world)
    await say("one")
    await say("two")
    assert.deepEqual([summary(bob, id)?.unread, bob.getSnapshot().unread], [2, 2])
    bob.attend(false)
    bob.show(id)
    await bob.thread(id).load()
    assert.equal(bob.getSnapshot().unread, 2, "nobody looks")
    bob.attend(true)
    assert.equal(bob.getSnapshot().unread, 0)
    await say("three")
    assert.equal(bob.getSnapshot().unread, 0, "it is in front")
    bob.show(undefined)
    await say("four")
    assert.equal(bob.getSnapshot().unread, 1)
    bob.markRead(id)
    assert.equal(bob.getSnapshot().unread, 0)
  })

  it("does not count what is muted, and takes out of the archive what is not, when something comes", async () => {
    await using world = new World()
    const { bob, id, say } = await talking(world)
    bob.mute(id, true)
    await say("one")
    assert.deepEqual([summary(bob, id)?.unread, bob.getSnapshot().unread], [1, 0])
    bob.archive(id, true)
    assert.deepEqual([bob.getSnapshot().conversations.length, bob.getSnapshot().archived.length], [0, 1])
    await say("two")
    assert.equal(bob.getSnapshot().archived.length, 1, "a muted one stays")
    bob.mute(id, false)
    await say("three")
    assert.deepEqual([bob.getSnapshot().archived.length, bob.getSnapshot().unread], [0, 3])
  })

  it("forgets a conversation that the user has left and deleted, with what was said, also when they come back", async () => {
    await using world = new World()
    const { alice, bob, team, id, say } = await talking(world)
    await say("before")
    bob.setDraft(id, "never sent")
    assert.throws(() => bob.delete(id), TypeError, "not while one is in it")
    await team.remove("bob")
    await settle(alice, bob)
    bob.delete(id)
    assert.deepEqual([bob.getSnapshot().conversations, bob.getSnapshot().archived], [[], []])
    assert.equal(bob.draft(id).text, "")
    await bob.close()
    const again = await world.headless(bob.client)
    assert.deepEqual(again.getSnapshot().conversations, [])
    await team.invite("bob")
    await settle(alice, again)
    await again.accept(id)
    await saying(team, "after", alice, again)
    assert.equal(order(again).length, 1)
    await again.thread(id).load()
    assert.deepEqual(said(again, id), ["after"])
    assert.equal(again.thread(id).getSnapshot().hasEarlier, false)
    const found = []
    for await (const { text } of again.search("before")) found.push(text)
    assert.deepEqual(found, [])
  })
})

describe("snapshots", () => {
  it("stay the same object as long as nothing has changed, in each of their parts", async () => {
    await using world = new World()
    const { alice, bob, id, say } = await talking(world)
    const other = await alice.createConversation({ title: "other", members: ["bob"] })
    await settle(alice, bob)
    await bob.accept(other.id)
    await settle(alice, bob)
    await bob.thread(id).load()
    await say("one")
    const [list, thread] = [bob.getSnapshot(), bob.thread(id).getSnapshot()]
    await settle(alice, bob)
    assert.equal(bob.getSnapshot(), list, "steps that change nothing")
    assert.equal(bob.thread(id).getSnapshot(), thread)
    await say("two")
    const next = bob.getSnapshot()
    assert.notEqual(next, list)
    const find = (from: typeof list, wanted: string) => from.conversations.find((it) => it.id === wanted)
    assert.equal(find(next, other.id), find(list, other.id), "the other conversation is the same")
    assert.equal(next.alerts, list.alerts)
    const items = bob.thread(id).getSnapshot().items
    assert.notEqual(items, thread.items)
    for (const item of thread.items) assert.ok(items.includes(item), item.key)
  })

  it("cannot be changed", async () => {
    await using world = new World()
    const { bob, id, say } = await talking(world)
    await bob.thread(id).load()
    await say("one")
    const { conversations } = bob.getSnapshot()
    assert.throws(() => (conversations as unknown[]).pop(), TypeError)
    assert.throws(() => Object.assign(conversations[0]!, { title: "x" }), TypeError)
    assert.throws(() => (conversations[0]!.members as string[]).push("mallory"), TypeError)
    const { items } = bob.thread(id).getSnapshot()
    assert.throws(() => Object.assign(items[0]!, { key: "x" }), TypeError)
  })

  it("are told of once for all changes of one turn, to those who have not stopped listening", async () => {
    await using world = new World()
    const { bob, id } = await talking(world)
    let calls = 0
    const stop = bob.subscribe(() => calls++)
    bob.mute(id, true)
    bob.archive(id, true)
    assert.equal(calls, 0, "not in the middle of it")
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(calls, 1)
    stop()
    bob.mute(id, false)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(calls, 1)
  })

  it("of a thread are told to its listeners alone", async () => {
    await using world = new World()
    const { bob, id, say } = await talking(world)
    await bob.thread(id).load()
    let calls = 0
    bob.thread(id).subscribe(() => calls++)
    bob.setSetting("theme", "dark")
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(calls, 0)
    await say("one")
    assert.ok(calls > 0)
  })
})

describe("a draft", () => {
  it("is kept for each conversation, a moment after it was written, and is there after a crash", async () => {
    await using world = new World()
    const { bob, id } = await talking(world)
    bob.setDraft(id, "half a")
    bob.setDraft(id, "half a thought")
    assert.equal(bob.draft(id).text, "half a thought")
    assert.equal(summary(bob, id)?.hasDraft, true)
    await bob.flush()
    // Nothing was closed: another process begins from what is stored.
    const again = await world.headless(bob.client)
    assert.equal(again.draft(id).text, "half a thought")
    assert.equal(again.draft("another").text, "")
  })

  it("that was given to the client is not lost where it has not been stored, nor there twice where it has", async () => {
    await using world = new World()
    const { bob, id } = await talking(world)
    const { records } = world.of("bob").records
    bob.setDraft(id, "stored")
    bob.thread(id).send("stored")
    assert.equal(bob.draft(id).text, "", "at once")
    await bob.flush()
    const sentAt = world.now
    const crashedWith = async (draft: object) => {
      await bob.close()
      records.set(`draft/${id}`, JSON.stringify(draft))
      return world.headless(bob.client)
    }
    const first = await crashedWith({ text: "stored", sentAt })
    assert.deepEqual([first.draft(id).text, said(first, id)], ["", ["pending: stored"]])
    await first.close()
    records.set(`draft/${id}`, JSON.stringify({ text: "lost", sentAt }))
    const second = await world.headless(bob.client)
    assert.equal(second.draft(id).text, "lost")
    await settle(second)
    await second.close()
    records.set(`draft/${id}`, JSON.stringify({ text: "stored", sentAt }))
    const third = await world.headless(bob.client)
    assert.equal(third.draft(id).text, "", "it was sent")
    await third.close()
    records.set(`draft/${id}`, JSON.stringify({ text: "stored", sentAt: sentAt + 1 }))
    const fourth = await world.headless(bob.client)
    assert.equal(fourth.draft(id).text, "stored", "the same was said before")
  })

  it("is written after a moment, once for all that was typed until then", async () => {
    await using world = new World()
    const timers = new HeldTimers()
    const { bob, id } = await talking(world, { timers })
    const { records } = world.of("bob").records
    await bob.flush()
    bob.setDraft(id, "a")
    bob.setDraft(id, "ab")
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual([records.has(`draft/${id}`), timers.waiting], [false, 1])
    timers.fire()
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(records.get(`draft/${id}`), '{"text":"ab"}')
  })

  it("says when a field that is shown has to read it again", async () => {
    await using world = new World()
    const { bob, id } = await talking(world)
    bob.setDraft(id, "one")
    assert.deepEqual(bob.draft(id), { text: "one", revision: 0 })
    assert.equal(bob.draft(id), bob.draft(id))
    await bob.flush()
    const other = await world.headless(bob.client)
    other.setDraft(id, "from another window")
    await other.flush()
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(bob.draft(id), { text: "from another window", revision: 1 })
  })
})

describe("events", () => {
  it("are told once in the life of the profile, with what is kept of them", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world)
    const heard: string[] = []
    bob.listen(({ event, notice, isShown }) => heard.push(`${event.type} ${notice?.event.type} ${isShown}`))
    await team.send("hello")
    await team.refresh()
    await settle(alice, bob)
    bob.show(id)
    await team.refresh()
    await settle(alice, bob)
    assert.deepEqual(heard, ["message undefined false", "refreshed refreshed false", "refreshed refreshed true"])
    await bob.close()
    const again = await world.headless(bob.client)
    again.listen(({ event }) => heard.push(event.type))
    await told(again)
    assert.equal(heard.length, 3)
  })

  it("that were stored and not acknowledged when the process ended count once", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world)
    await bob.close()
    await team.send("one")
    await team.send("two")
    await settle(alice, bob.client)
    const { client } = bob
    const acknowledge = client.acknowledge.bind(client)
    let end = () => {}
    client.acknowledge = () =>
      new Promise((resolve) => {
        end = resolve
      })
    const crashed = await world.headless(client)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(summary(crashed, id)?.unread, 2)
    client.acknowledge = acknowledge
    const again = await world.headless(client)
    await told(again)
    assert.equal(summary(again, id)?.unread, 2)
    assert.equal(await waitingEvents(again), 0, "and they are acknowledged now")
    end()
  })

  it("are not acknowledged where what follows from them could not be stored", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world)
    await bob.close()
    await saying(team, "one", alice, bob.client)
    const { records } = world.of("bob")
    const whole = memoryKeep(records)
    let hasRoom = false
    const write: typeof whole.write = (changes) =>
      hasRoom ? whole.write(changes) : Promise.reject(new DOMException("", "QuotaExceededError"))
    const timers = new HeldTimers()
    const full = await world.headless(bob.client, { keep: { ...whole, write }, timers })
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const { fault, isFull } = full.getSnapshot()
    assert.deepEqual([fault, isFull], ["QuotaExceededError", true], "an error without a message is named")
    assert.equal(summary(full, id)?.unread, 1)
    assert.equal(await waitingEvents(full), 1)
    hasRoom = true
    timers.fire()
    await full.flush()
    assert.deepEqual([full.getSnapshot().fault, full.getSnapshot().isFull], [undefined, false], "there is room again")
    hasRoom = false
    full.mute(id, true)
    await assert.rejects(full.close(), { name: "QuotaExceededError" })
  })
})

async function waitingEvents({ client }: Headless): Promise<number> {
  const stop = new AbortController()
  setImmediate(() => stop.abort())
  let waiting = 0
  for await (const _ of client.events({ peek: true, signal: stop.signal })) waiting++
  return waiting
}

describe("names", () => {
  it("that are properties of every object are names like others, everywhere", async () => {
    await using world = new World()
    const bob = await world.open("bob")
    const odd = await world.client("constructor")
    const proto = await world.client("__proto__")
    const team = await odd.createConversation({ title: "__proto__", members: ["bob", "__proto__"] })
    await settle(odd, proto, bob)
    assert.deepEqual(
      bob.getSnapshot().invitations.map(({ by }) => by),
      ["constructor"],
    )
    await bob.accept(team.id)
    await settle(odd, proto, bob)
    await saying(team, "hello", odd, proto, bob)
    await saying(only(proto), "spam", proto, odd, bob)
    assert.equal(bob.isCompared(team.id, "constructor"), false)
    bob.setCompared(team.id, "__proto__", true)
    assert.deepEqual([bob.isCompared(team.id, "__proto__"), bob.isCompared(team.id, "constructor")], [true, false])
    bob.block("__proto__")
    bob.setSetting("constructor", 1)
    assert.deepEqual([bob.setting("constructor"), bob.setting("toString")], [1, undefined])
    await bob.thread(team.id).load()
    assert.deepEqual(said(bob, team.id), ["hello", "[blocked]"])
    assert.equal(bob.label("constructor").name, "constructor")
    assert.ok(lines(bob, team.id).length > 0)
  })
})
