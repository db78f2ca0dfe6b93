import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { noAccess } from "@conclave/contracts/access"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { TransportError } from "@conclave/transport"
import type { Client, Conversation, VerifyLeaves } from "../src/index.js"
import { expected, Mallory } from "./support/mallory.js"
import { tampered } from "./support/tampered.js"
import { next, settle, taken, World } from "./support/world.js"

const texts = async (conversation: Conversation) => (await conversation.history()).map(({ from, text }) => [from, text])
const only = (client: Client) => [...client.conversations.values()][0]!

describe("a conversation", () => {
  it("is created, joined, talked in, and left by the one who is removed", async () => {
    await using world = new World()
    const [alice, bob, carol] = [await world.open("alice"), await world.open("bob"), await world.open("carol")]
    const team = await alice.createConversation({ title: "team", members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    assert.deepEqual(team.members, ["alice", "bob", "carol"])
    for (const client of [bob, carol]) {
      assert.deepEqual(only(client).members, team.members)
      assert.equal(only(client).title, "team")
      assert.deepEqual(only(client).epochAuthenticator, team.epochAuthenticator)
    }
    await team.send("hello")
    await bob.sync()
    await only(bob).send("hello yourself")
    await settle(alice, bob, carol)
    const talk = [
      ["alice", "hello"],
      ["bob", "hello yourself"],
    ]
    for (const client of [alice, bob, carol]) assert.deepEqual(await texts(only(client)), talk)

    await team.remove("carol")
    await team.send("she is gone")
    await settle(alice, bob, carol)
    assert.equal(only(carol).status, "left")
    assert.deepEqual(await texts(only(carol)), talk)
    assert.deepEqual(only(bob).members, ["alice", "bob"])
    assert.deepEqual((await texts(only(bob))).at(-1), ["alice", "she is gone"])
    await assert.rejects(only(carol).send("let me in"), { code: "NOT_A_MEMBER" })
    assert.deepEqual(world.faults, [])
  })

  it("is joined whether the leaves' signatures were verified on other threads, refused there, or the threads fail", async () => {
    await using world = new World()
    const alice = await world.open("alice")
    const asked: [string, number, number][] = []
    const ways = [async () => true, async () => false, async () => Promise.reject(new Error("no threads"))]
    const guests: Client[] = []
    for (const [i, verdict] of ways.entries()) {
      const verifyLeaves: VerifyLeaves = (scheme, { leaves, signatures }) => {
        asked.push([scheme, leaves, signatures().length])
        return verdict()
      }
      guests.push(await world.open(`guest-${i}`, { verifyLeaves }))
    }
    const team = await alice.createConversation({ title: "team", members: guests.map(({ name }) => name) })
    await settle(...guests)
    assert.deepEqual(asked, Array(3).fill(["Ed25519", 4, 4]))
    for (const guest of guests) assert.deepEqual(only(guest).epochAuthenticator, team.epochAuthenticator)
  })

  it("tells each what happened, in order, once", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await team.send("one")
    await team.send(Uint8Array.of(1, 2, 3))
    await settle(alice, bob)
    await only(bob).refresh()
    await settle(alice, bob)
    const seen = (await taken(alice)).map((event) => event.type)
    assert.deepEqual(seen, ["members", "sent", "sent", "refreshed"])
    const events = await taken(bob)
    assert.deepEqual(
      events.map((event) => event.type),
      ["joined", "title", "message", "message", "refreshed"],
    )
    assert.deepEqual(
      events.map((event) => event.number),
      [1, 2, 3, 4, 5],
    )
    const [, , text, bytes] = events
    assert.ok(text?.type === "message" && text.text === "one" && text.bytes === undefined && text.from === "alice")
    assert.ok(bytes?.type === "message" && bytes.text === undefined)
    assert.deepEqual(bytes.bytes, Uint8Array.of(1, 2, 3))
    assert.equal(text.sentAt.getTime(), world.now)
    assert.deepEqual(await taken(bob), [])
  })

  it("lives on over the stream, and after a restart", async () => {
    await using world = new World()
    const alice = await world.open("alice", { live: true })
    const bob = await world.open("bob", { live: true })
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    const { conversation } = await next(bob, "joined")
    await team.send("are you there?")
    assert.equal((await next(bob, "message")).text, "are you there?")
    await bob.close()
    await team.send("you were away")
    const back = await world.open("bob", { live: true })
    assert.equal((await next(back, "message")).text, "you were away")
    await back.conversations.get(conversation.id)!.send("I am back")
    assert.equal((await next(alice, "message")).text, "I am back")
    assert.equal(alice.online, true)
  })

  it("lets a member go: the others carry it out", async () => {
    await using world = new World()
    const [alice, bob, carol] = [await world.open("alice"), await world.open("bob"), await world.open("carol")]
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    await taken(carol)
    await only(carol).leave()
    assert.equal(only(carol).status, "leaving")
    await team.send("did she leave?")
    await settle(alice, bob, carol)
    assert.equal(only(carol).status, "left")
    assert.deepEqual(await texts(only(carol)), [])
    const events = await taken(carol)
    assert.deepEqual(
      events.map((event) => event.type),
      ["left"],
    )
    assert.ok(events[0]?.type === "left" && events[0].by === "carol")
    assert.deepEqual(team.members, ["alice", "bob"])
    assert.deepEqual(only(bob).members, ["alice", "bob"])
  })

  it("waits for the first member in the tree, and then for the next, before somebody's leaving is carried out", async () => {
    await using world = new World()
    const [alice, bob, carol] = [await world.open("alice"), await world.open("bob"), await world.open("carol")]
    await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    await only(carol).leave()
    await bob.sync()
    assert.equal(only(bob).members.length, 3, "bob is second, and waits")
    world.now += 3_001
    await bob.sync()
    assert.deepEqual(only(bob).members, ["alice", "bob"])
  })

  it("ends where all want to leave at once: one of them carries out the others' wishes, and then is alone", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await Promise.all([team.leave(), only(bob).leave(), team.leave()])
    for (let round = 0; round < 3; round++) {
      world.now += 10_000
      await settle(alice, bob)
    }
    assert.deepEqual([team.status, only(bob).status], ["left", "left"])
  })

  it("ends when the last member leaves", async () => {
    await using world = new World()
    const alice = await world.open("alice")
    const notes = await alice.createConversation({ title: "notes" })
    await notes.send("to myself")
    await notes.leave()
    assert.equal(notes.status, "left")
    assert.deepEqual(await texts(notes), [["alice", "to myself"]])
  })

  it("tells its title to somebody whose inviter vanished, once", async () => {
    await using world = new World()
    let vanishing = false
    const line = world.transport("delivery")
    const alice = await world.open("alice", {
      delivery: {
        ...line,
        async request(body, options) {
          const request = deliveryRequests.decode(body)
          // The last that is heard of her is a commit.
          const isHeard = !vanishing || request.type !== "append" || request.kind === "commit"
          if (!isHeard) throw new TransportError("the line is dead", { retryable: true })
          return line.request(body, options)
        },
      },
    })
    const [bob, carol, dave] = [await world.open("bob"), await world.open("carol"), await world.open("dave")]
    const team = await alice.createConversation({ title: "team", members: ["bob", "dave"] })
    await settle(alice, bob, dave)
    vanishing = true
    await team.invite("carol")
    await settle(carol, bob, dave)
    assert.deepEqual(only(carol).members, ["alice", "bob", "carol", "dave"])
    assert.equal(only(carol).title, "")
    await taken(dave)
    await only(bob).send("welcome, carol")
    await settle(carol, dave, bob)
    await only(dave).refresh()
    await settle(carol, dave, bob)
    assert.equal(only(carol).title, "team")
    assert.deepEqual(
      (await taken(carol)).map(({ type }) => type),
      ["joined", "message", "title", "refreshed"],
    )
    assert.deepEqual(
      (await taken(dave)).map(({ type }) => type),
      ["message", "refreshed"],
    )
    const { mallory } = await Mallory.inside(world, alice)
    const asked = { type: "head", groupId: Buffer.from(team.id, "hex"), access: noAccess } as const
    const { headSeq } = expected(await mallory.askAs(mallory.keys, asked), "head")
    assert.equal(headSeq, 6n, "alice's commits and title, bob's message and title, dave's commit")
  })

  it("takes in again somebody who was removed", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await team.send("one")
    await settle(alice, bob)
    await team.remove("bob")
    await team.send("two")
    await team.invite("bob")
    await team.send("three")
    await settle(alice, bob)
    assert.deepEqual(
      (await texts(only(bob))).map(([, text]) => text),
      ["one", "three"],
    )
  })

  it("renews the path of whoever refreshes, and shows it in the tree", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    assert.equal(team.tree().length, 3)
    await only(bob).refresh()
    await alice.sync()
    const [own, root, other] = team.tree()
    assert.deepEqual([own?.name, own?.own, own?.renewedInEpoch], ["alice", true, undefined])
    assert.deepEqual([other?.name, other?.own, other?.renewedInEpoch], ["bob", false, team.epoch])
    assert.deepEqual([root?.kind, root?.renewedInEpoch], ["parent", team.epoch])
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
  })

  it("asks for its log once more after a commit that removes somebody, and after no other", async () => {
    await using world = new World({ inMemory: true })
    let asked = 0
    const delivery = tampered(world.transport("delivery"), (request, pass) => {
      if (request.type === "read") asked++
      return pass()
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const carol = await world.open("carol")
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    const reads = async () => {
      asked = 0
      await bob.sync()
      return asked
    }
    const none = await reads()
    await team.refresh()
    assert.equal(await reads(), none)
    // The key from before it reads no further than the removal.
    await team.remove("carol")
    assert.equal(await reads(), none + 1)
  })
})

describe("a wish", () => {
  it("to invite nobody, or somebody without a key package, fails with the reason", async () => {
    await using world = new World()
    const alice = await world.open("alice")
    await assert.rejects(alice.createConversation({ members: ["nobody"] }), { code: "UNKNOWN_NAME" })
    assert.equal(alice.conversations.size, 0)
    const team = await alice.createConversation({})
    await assert.rejects(team.invite("nobody"), { code: "UNKNOWN_NAME" })
    const [failed] = await taken(alice)
    assert.ok(failed?.type === "failed" && failed.wish === "invite" && failed.code === "UNKNOWN_NAME")
    assert.deepEqual(failed.names, ["nobody"])
  })

  it("to invite several people names all whom nobody knows, and invites none of them", async () => {
    await using world = new World()
    const alice = await world.open("alice")
    await world.open("bob")
    const team = await alice.createConversation({})
    const all = ["x", "bob", "y"] as const
    await assert.rejects(team.invite(...all), { code: "UNKNOWN_NAME", message: "nobody is called x or y" })
    assert.deepEqual(team.members, ["alice"])
    const [failed] = await taken(alice)
    assert.ok(failed?.type === "failed" && failed.reason === "nobody is called x or y")
  })

  it("that has come true already is no error", async () => {
    await using world = new World()
    const [alice] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    const { epoch } = team
    await team.invite("bob")
    await team.remove("carol")
    assert.equal(team.epoch, epoch)
  })

  it("that lost the race is compiled again: both commits of one epoch come true, one after the other", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    await world.open("carol")
    await world.open("dave")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await Promise.all([team.invite("carol"), only(bob).invite("dave")])
    await settle(alice, bob)
    assert.deepEqual(team.members, ["alice", "bob", "carol", "dave"])
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
  })

  it("that two people have at once comes true once", async () => {
    await using world = new World()
    const [alice, bob, carol] = [await world.open("alice"), await world.open("bob"), await world.open("carol")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await Promise.all([team.invite("carol"), only(bob).invite("carol")])
    await settle(alice, bob, carol)
    for (const client of [alice, bob, carol]) assert.deepEqual(only(client).members, ["alice", "bob", "carol"])
    assert.equal(team.tree().filter(({ kind, blank }) => kind === "leaf" && !blank).length, 3)
  })

  it("to rename the conversation is no message that is pending", async () => {
    await using world = new World({ inMemory: true })
    let isCut = false
    const line = world.transport("delivery")
    const request: typeof line.request = async (body, options) => {
      if (isCut) throw new TransportError("the line is dead", { retryable: true })
      return line.request(body, options)
    }
    const alice = await world.open("alice", { delivery: { ...line, request } })
    const team = await alice.createConversation({})
    isCut = true
    const wishes = [team.setTitle("team"), team.send("under a new name")]
    await assert.rejects(alice.sync(), { code: "UNAVAILABLE" })
    assert.deepEqual(
      team.pending.map((it) => it?.text),
      ["under a new name"],
    )
    isCut = false
    await alice.sync()
    await Promise.all(wishes)
    assert.deepEqual([team.title, team.pending], ["team", []])
  })

  it("keeps its place: what is sent after a removal is not for the one who was removed", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await Promise.all([
      team.send("before"),
      team.remove("bob"),
      team.send("after"),
      team.invite("bob"),
      team.send("again"),
    ])
    await settle(alice, bob)
    const seen = (await texts(only(bob))).map(([, text]) => text)
    assert.deepEqual(seen, ["before", "again"])
  })

  it("of nonsense is refused at once", async () => {
    await using world = new World()
    const alice = await world.open("alice")
    const team = await alice.createConversation({})
    await assert.rejects(team.invite("No Name!"), TypeError)
    await assert.rejects(team.remove("alice"), TypeError)
    await assert.rejects(team.send("x".repeat(65_537)), { code: "TOO_LARGE" })
    await assert.rejects(team.setTitle("x".repeat(257)), { code: "TOO_LARGE" })
    await assert.rejects(world.open("Alice Liddell"), TypeError)
  })
})
