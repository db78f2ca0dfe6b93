import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Client, type Conversation, memoryStore } from "@conclave/client"
import type { Headless, HeadlessOptions } from "../src/index.js"
import { lines, only, said, settle, told, World } from "./support/world.js"

/** Alice has the SDK alone, bob what stands between it and a view; bob has accepted. */
async function talking(world: World, options: HeadlessOptions = {}) {
  const alice = await world.client("alice")
  const bob = await world.open("bob", options)
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, bob)
  await bob.accept(team.id)
  await settle(alice, bob)
  bob.show(team.id)
  await bob.thread(team.id).load()
  return { alice, bob, team, id: team.id, thread: bob.thread(team.id) }
}

/** `from` to `to`, each as a message; the clock goes on by a minute before each. */
async function count(world: World, team: Conversation, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; number++) {
    world.now += 60_000
    await team.send(`${number}`)
  }
}

const shown = (bob: Headless, id: string) => said(bob, id).map(Number)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)
const small = { pageSize: 4, windowMax: 10 }

describe("a thread", () => {
  it("is read in pages, back to the beginning and forward to the end, and has so many messages at most", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world, small)
    bob.show(undefined)
    await count(world, team, 1, 30)
    await settle(alice, bob)
    const again = await reopened(world, bob)
    const other = again.thread(id)
    await other.load()
    assert.deepEqual([shown(again, id), other.getSnapshot().hasEarlier], [range(27, 30), true])
    const seen = new Set<number>()
    let most = 0
    while (other.getSnapshot().hasEarlier) {
      await other.loadEarlier()
      for (const number of shown(again, id)) seen.add(number)
      most = Math.max(most, shown(again, id).length)
    }
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      range(1, 30),
    )
    assert.ok(most <= small.windowMax, `${most} at once`)
    assert.deepEqual([shown(again, id)[0], other.getSnapshot().hasLater], [1, true])
    seen.clear()
    while (other.getSnapshot().hasLater) {
      await other.loadLater()
      assert.deepEqual(shown(again, id), range(shown(again, id)[0]!, shown(again, id).at(-1)!), "without a gap")
      for (const number of shown(again, id)) seen.add(number)
      assert.ok(shown(again, id).length <= small.windowMax)
    }
    assert.equal(shown(again, id).at(-1), 30)
    void thread
  })

  it("that is followed loses what is far above, and has no more than so many messages, however many come", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world, small)
    for (let round = 0; round < 3; round++) {
      await count(world, team, round * 10 + 1, round * 10 + 10)
      await settle(alice, bob)
      assert.ok(shown(bob, id).length <= small.windowMax)
      assert.equal(shown(bob, id).at(-1), round * 10 + 10)
    }
    assert.equal(thread.getSnapshot().hasEarlier, true)
    await thread.loadEarlier()
    assert.deepEqual(shown(bob, id), range(shown(bob, id)[0]!, shown(bob, id).at(-1)!))
  })

  it("does not grow without end while somebody reads further up, and has the rest when it is read on", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world, small)
    await count(world, team, 1, 4)
    await settle(alice, bob)
    const numbers = () => shown(bob, id).filter((number) => !Number.isNaN(number))
    thread.follow(false)
    for (let round = 0; round < 4; round++) {
      await count(world, team, round * 10 + 5, round * 10 + 14)
      await settle(alice, bob)
      assert.ok(numbers().length <= 1.5 * small.windowMax, `${numbers().length}`)
      assert.equal(numbers()[0], 1, "what is being read stays")
    }
    const { hasLater, unread } = thread.getSnapshot()
    assert.deepEqual([hasLater, unread], [true, 40])
    while (thread.getSnapshot().hasLater) {
      await thread.loadLater()
      assert.deepEqual(numbers(), range(numbers()[0]!, numbers().at(-1)!))
    }
    assert.equal(numbers().at(-1), 44)
  })

  it("whose earlier pages are read while the end is in sight goes on following it, as long as it has room", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world, { ...small, windowMax: 40 })
    await count(world, team, 1, 20)
    await settle(alice, bob)
    const again = await reopened(world, bob)
    const thread = again.thread(id)
    again.show(id)
    await thread.load()
    await thread.loadEarlier()
    assert.equal(thread.getSnapshot().isFollowing, true)
    await count(world, team, 21, 21)
    await settle(alice, again)
    assert.equal(thread.getSnapshot().unread, 0)
    assert.equal(shown(again, id).at(-1), 21)
  })

  it("whose end is not among the items gets what comes when it is read to the end, or jumped to", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world, small)
    await count(world, team, 1, 20)
    await settle(alice, bob)
    thread.follow(false)
    while (thread.getSnapshot().hasEarlier) await thread.loadEarlier()
    await count(world, team, 21, 22)
    await settle(alice, bob)
    assert.ok(!shown(bob, id).includes(21))
    assert.equal(thread.getSnapshot().unread, 2)
    await thread.jumpToLatest()
    const { hasLater, unread, isFollowing } = thread.getSnapshot()
    assert.deepEqual(said(bob, id), ["19", "20", "[unread]", "21", "22"])
    assert.deepEqual([hasLater, unread, isFollowing], [false, 0, true])
  })

  it("is of a group as soon as there are three, and stays so when one has left, also when it is opened again", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world, small)
    await count(world, team, 1, 2)
    await settle(alice, bob)
    assert.equal(thread.getSnapshot().isGroup, false)
    await using carol = await world.client("carol")
    await Promise.all([team.invite("carol"), settle(alice, bob, carol)])
    await settle(alice, bob, carol)
    assert.equal(thread.getSnapshot().isGroup, true)
    await Promise.all([team.remove("carol"), settle(alice, bob)])
    await settle(alice, bob)
    assert.equal(bob.client.conversations.get(id)?.members.length, 2)
    assert.equal(thread.getSnapshot().isGroup, true)
    const again = await reopened(world, bob)
    await again.thread(id).load()
    assert.equal(again.thread(id).getSnapshot().isGroup, true, "by what was told")
    await Promise.all([team.remove("bob"), settle(alice, again)])
    await settle(alice, again)
    assert.equal(again.thread(id).getSnapshot().isGroup, true, "although nobody is left of whom this device knows")
  })

  it("is jumped into, to a message and to a date, with what stands around it", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world, small)
    const begun = world.now
    await count(world, team, 1, 30)
    await settle(alice, bob)
    const key = await thread.jumpToDate(new Date(begun + 10 * 60_000))
    const { items, isFollowing, hasEarlier, hasLater } = thread.getSnapshot()
    const item = items.find((it) => it.key === key)
    assert.ok(item?.type === "message" && item.message.content.text === "10")
    assert.deepEqual([isFollowing, hasEarlier, hasLater], [false, true, true])
    assert.deepEqual(shown(bob, id), range(8, 11))
    assert.equal(await thread.jumpTo(item.message.seq), key, "it is there already")
    assert.equal(await thread.jumpTo(1_000_000), undefined)
    assert.equal(await thread.jumpToDate(new Date(world.now + 1)), undefined)
    const first = await thread.jumpToDate(new Date(0))
    assert.ok(thread.getSnapshot().items.some((it) => it.key === first))
    assert.equal(shown(bob, id)[0], 1)
    assert.equal(thread.getSnapshot().hasEarlier, false)
  })
})

async function reopened(world: World, { client }: Headless): Promise<Headless> {
  await told(await world.headless(client, small))
  return world.headless(client, small)
}

describe("what was not read", () => {
  it("begins with a line, which stays where it is while one reads, and is gone when one has answered", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world)
    await team.send("seen")
    await settle(alice, bob)
    assert.deepEqual(said(bob, id), ["seen"])
    bob.show(undefined)
    await team.send("one")
    await team.send("two")
    await settle(alice, bob)
    bob.show(id)
    await thread.load()
    const divided = ["seen", "[unread]", "one", "two"]
    assert.deepEqual([said(bob, id), bob.getSnapshot().unread], [divided, 0])
    await team.send("three")
    await settle(alice, bob)
    assert.deepEqual(said(bob, id), [...divided, "three"])
    thread.send("answer")
    await settle(bob, alice)
    assert.deepEqual(said(bob, id), ["seen", "one", "two", "three", "answer"])
  })

  it("is counted while one reads further up or looks elsewhere, and begins with a line of its own", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world)
    await team.send("seen")
    await settle(alice, bob)
    thread.follow(false)
    await team.send("below")
    await settle(alice, bob)
    assert.deepEqual([thread.getSnapshot().unread, bob.getSnapshot().unread], [1, 1])
    assert.deepEqual(said(bob, id), ["seen", "[unread]", "below"])
    thread.follow(true)
    assert.equal(thread.getSnapshot().unread, 0)
    bob.attend(false)
    await team.send("while away")
    await settle(alice, bob)
    assert.equal(bob.getSnapshot().unread, 1)
    assert.deepEqual(said(bob, id), ["seen", "below", "[unread]", "while away"])
    bob.attend(true)
    assert.equal(bob.getSnapshot().unread, 0)
  })

  it("is not what another device of the user has said", async () => {
    await using world = new World()
    const { alice, bob, team } = await talking(world)
    bob.show(undefined)
    const endorse = (registration: Uint8Array) => bob.client.endorseDevice(registration)
    const phone = await world.client("bob", { endorse, store: memoryStore() })
    await team.invite("bob")
    await settle(alice, phone, bob)
    await only(phone).send("from the phone")
    await settle(phone, alice, bob)
    await bob.thread(team.id).load()
    assert.deepEqual(said(bob, team.id), ["from the phone"])
    assert.equal(bob.getSnapshot().unread, 0)
  })

  it("is the same in two windows: what one has read is read in the other", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world)
    bob.show(undefined)
    await team.send("one")
    await settle(alice, bob)
    const other = await world.headless(bob.client)
    assert.equal(other.getSnapshot().unread, 1)
    bob.show(id)
    await bob.flush()
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(other.getSnapshot().unread, 0)
  })
})

describe("what one says", () => {
  it("is pending at once, then sent, and there once; it jumps to the end", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world, small)
    await count(world, team, 1, 12)
    await settle(alice, bob)
    await thread.jumpToDate(new Date(0))
    bob.setDraft(id, "mine")
    world.offline.add("bob")
    thread.send("mine")
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(said(bob, id).slice(-2), ["12", "pending: mine"])
    assert.equal(bob.draft(id).text, "")
    assert.deepEqual(bob.getSnapshot().conversations[0]?.pending, 1)
    world.offline.delete("bob")
    await settle(bob, alice)
    assert.deepEqual(said(bob, id).slice(-2), ["12", "mine"])
    assert.equal(bob.getSnapshot().conversations[0]?.last?.content.text, "mine")
  })

  it("and can never be sent is said, and can be edited into the draft or discarded, also after a reopening", async () => {
    await using world = new World()
    const { alice, bob, team, id, thread } = await talking(world)
    world.offline.add("bob")
    thread.send("too late")
    thread.send("too late, too")
    await team.remove("bob")
    world.offline.delete("bob")
    await settle(alice, bob)
    await eventually(() => assert.deepEqual(said(bob, id), ["failed: too late", "failed: too late, too"]))
    const [first, second] = thread.getSnapshot().items.flatMap((it) => (it.type === "failed" ? [it.message] : []))
    assert.deepEqual([first?.why, first?.content], [{ code: "left" }, { text: "too late" }])
    await bob.close()
    const again = await world.headless(bob.client)
    again.setDraft(id, "before")
    const { revision } = again.draft(id)
    again.thread(id).edit(first!.messageId)
    assert.deepEqual(again.draft(id), { text: "before\ntoo late", revision: revision + 1 })
    again.thread(id).discard(second!.messageId)
    assert.deepEqual(said(again, id), [])
  })

  it("and cannot even be stored is kept, with the reason", async () => {
    await using world = new World()
    const { bob, id, thread } = await talking(world)
    thread.send("x".repeat(70_000))
    await eventually(() => assert.equal(said(bob, id).length, 1))
    const [item] = thread.getSnapshot().items.filter(({ type }) => type === "failed")
    assert.ok(item?.type === "failed")
    assert.ok(item.message.why.code === "error" && item.message.why.error === "TOO_LARGE")
    assert.equal(bob.draft(id).text, "")
  })
})

describe("what happens", () => {
  it("stands between the messages where it happened", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world)
    await team.send("one")
    await settle(alice, bob)
    await team.refresh()
    await team.setTitle("other")
    await settle(alice, bob)
    await team.send("two")
    await settle(alice, bob)
    assert.deepEqual(lines(bob, id).slice(-4), ["one", "(refreshed)", "(title)", "two"])
  })

  it("of the tree is kept where it is asked for: what the last commit has renewed", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world, { followTrees: true })
    assert.equal(bob.tree(id).filter(({ kind, blank }) => kind === "leaf" && !blank).length, 2)
    await team.refresh()
    await settle(alice, bob)
    const own = bob.tree(id).find(({ name }) => name === "alice")!.nodeIndex
    const { epoch, nodes, added } = bob.renewal(id)!
    assert.deepEqual(
      [epoch, nodes.includes(own), added],
      [bob.client.conversations.get(id)!.epoch.toString(), true, []],
    )
    assert.equal(bob.tree(id), bob.tree(id))
  })

  it("to a conversation that goes on in a new group is one thread, with its draft and what was not read", async () => {
    await using world = new World()
    const { alice, bob, team, id } = await talking(world)
    await team.send("before")
    await settle(alice, bob)
    bob.setDraft(id, "half a thought")
    bob.mute(id, true)
    const conversation = bob.client.conversations.get(id)!
    await stop(team, alice, bob)
    assert.equal(conversation.status, "stopped")
    const restarting = bob.restart(id)
    await settle(bob, alice)
    const after = await restarting
    await eventually(() =>
      assert.deepEqual(
        bob.getSnapshot().conversations.map((it) => it.id),
        [after.id],
      ),
    )
    bob.show(after.id)
    await bob.thread(after.id).load()
    assert.deepEqual(said(bob, after.id), ["before"])
    assert.equal(bob.draft(after.id).text, "half a thought")
    assert.equal(bob.getSnapshot().conversations[0]?.isMuted, true)
    assert.deepEqual(bob.getSnapshot().alerts, [], "what had to be seen is over")
  })
})

/** As a member who means harm: a commit with a key that nobody else has, at which everybody stops. */
async function stop(team: Conversation, ...all: readonly (Client | Headless)[]): Promise<void> {
  const { means } = (team as unknown as Changeable).driver
  const { step } = means
  means.step = (...given) => {
    const stepped = step(...given)
    for (const { question } of stepped.effects) {
      if (question?.sent?.of !== "commit") continue
      const request = question.request!
      request.set(means.identity.signatureKey, request.length - AFTER_KEY - 32)
    }
    return stepped
  }
  team.refresh().catch(() => {})
  await settle(...all)
}

interface Changeable {
  readonly driver: {
    readonly means: {
      readonly identity: { readonly signatureKey: Uint8Array }
      step: (...given: unknown[]) => {
        readonly effects: readonly {
          readonly question?: { readonly sent?: { readonly of: string }; readonly request?: Uint8Array }
        }[]
      }
    }
  }
}
/** What follows the access key in a request with a commit: whether it removes, no answers, `after`, no access yet. */
const AFTER_KEY = 1 + 1 + 8 + 1

/** Tries until it holds, for five seconds. */
async function eventually(check: () => void): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return check()
    } catch (error) {
      if (attempt === 250) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}
