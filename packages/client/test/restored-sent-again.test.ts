import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests, type Entry } from "@conclave/contracts/delivery"
import { LOG_HEAD_LABEL, LogHead } from "@conclave/contracts/heads"
import { signWithLabel } from "@conclave/mls"
import { TransportError } from "@conclave/transport"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client, ClientOptions, Conversation } from "../src/index.js"
import { Backup, only, pass, texts, told } from "./support/backup.js"
import { assertOneGroup } from "./support/team.js"
import { type Branch, next, provider, settle, World } from "./support/world.js"

const cursorOf = (conversation: Conversation) => (conversation as ConversationHandle).driver.state.position.cursor

describe("what a restored service had accepted, and has lost", () => {
  it("is sent again in every conversation, also where nobody else says anything", async () => {
    await using backup = new Backup()
    const alice = await backup.open("alice")
    const bob = await backup.open("bob")
    for (const title of ["one", "two", "three"]) await alice.createConversation({ title, members: ["bob"] })
    await settle(alice, bob)
    const conversations = [...alice.conversations.values()]
    for (const it of conversations) await it.send("before the backup")
    await settle(alice, bob)
    await backup.make()
    const [cursor] = conversations.map(cursorOf)
    for (const it of conversations) assert.equal(cursorOf(it), cursor)
    for (const it of bob.conversations.values()) await it.send("lost")
    // Bob's messages are before Alice's, and she has read none of them.
    backup.lie = (_, answer, to) => {
      if (to !== "alice" || answer.type !== "entries") return answer
      return { ...answer, entries: answer.entries.filter(({ seq }) => seq <= cursor!), headSeq: cursor! }
    }
    const sending = conversations.map((it) => it.send("accepted, and lost"))
    await alice.sync()
    backup.lie = (_, answer) => answer
    backup.restore()
    await pass(backup.world, 30_000, alice)
    await bob.sync()
    for (const it of bob.conversations.values()) {
      assert.equal((await it.history()).at(-1)?.text, "accepted, and lost")
    }
    await Promise.all(sending)
  })

  it("is sent again a few times at most, where it is lost each time", async () => {
    await using world = new World()
    const liar = new Liar(world)
    const alice = await world.open("alice", { delivery: liar.transport })
    const bob = await world.open("bob")
    await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await only(alice).send("before the backup")
    await settle(alice, bob)
    await liar.begin(only(alice))
    const sending = only(alice).send("accepted, and lost")
    await alice.sync().catch(() => {})
    assert.ok(liar.requests < 60, `${liar.requests}`)
    // And once more, when it has lost nothing since.
    liar.loses = false
    world.now += 60_000
    await alice.sync()
    await sending
    assert.equal((await texts(alice)).at(-1), "accepted, and lost")
  })
})

describe("a request that got no answer", () => {
  it("is not sent again before the log was read: the service that answers next may be a restored one", () =>
    readFirst(() => {
      throw new TransportError("the line broke", { retryable: true })
    }))

  it("nor one that the service has put off for five seconds", () =>
    readFirst(() => encode(DeliveryResponse, { type: "throttled", retryAfterMilliseconds: 5_000 })))

  async function readFirst(answer: () => Uint8Array): Promise<void> {
    await using backup = new Backup()
    const [before, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    await only(bob).refresh()
    await settle(before, bob)
    await before.close()
    // Her stream is of the service as it was, and does not end.
    const old = backup.world.branch
    let shown = old
    const asked: string[] = []
    const delivery: ClientOptions["delivery"] = {
      request: async (body, options) => {
        const { type } = deliveryRequests.decode(body)
        if (type === "append" && shown === old) {
          shown = backup.restore()
          return answer()
        }
        if (shown !== old) asked.push(type)
        return shown.transport.request(body, options)
      },
      subscribe: (body, options) => old.transport.subscribe(body, options),
      [Symbol.asyncDispose]: async () => {},
    }
    const alice = await backup.open("alice", { live: true, delivery })
    await alice.sync()
    await only(bob).send("lost, too")
    await next(alice, "message")
    await only(alice).send("after a commit that is lost")
    assert.equal(asked[0], "read")
    assert.ok(asked.indexOf("service") < asked.indexOf("append"), asked.join())
    await pass(backup.world, 60_000, bob, alice)
    assertOneGroup(alice, bob)
    assert.equal((await texts(bob)).at(-1), "after a commit that is lost")
  }
})

describe("a commit that a restored service has lost", () => {
  it("is given back at once where the clock has been set back since", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    await only(alice).refresh()
    await settle(alice, bob)
    backup.restore()
    const { kept } = (only(bob) as ConversationHandle).driver.state
    // It is not Bob's turn yet.
    await bob.sync()
    assert.equal(kept.lost.length, 1)
    backup.world.now -= 60_000
    await bob.sync()
    assert.equal(kept.lost.length, 0)
    await alice.sync()
    assertOneGroup(alice, bob)
  })
})

describe("a request to leave that a restored service still has", () => {
  it("is not sent again by a device that was restarted", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await only(alice).leave()
    await alice.sync()
    await alice.close()
    await backup.make()
    const restored = backup.restore()
    const again = await backup.open("alice")
    await pass(backup.world, 720_000, again)
    assert.equal((await restored.entries(only(bob))).filter(({ kind }) => kind === "proposal").length, 1)
    await pass(backup.world, 720_000, bob, again)
    assert.deepEqual(await told(again), ["restored", "left"])
    assert.ok(!(await told(bob)).some((it) => it.startsWith("rejected")))
  })
})

/** A service that is restored after each message that it accepts, which it loses, and signs the head of its log each time. */
class Liar {
  readonly #world: World
  #shown: Branch
  #conversation: Conversation | undefined
  requests = 0
  loses = false

  constructor(world: World) {
    this.#world = world
    this.#shown = world.branch
  }

  async begin(conversation: Conversation): Promise<void> {
    this.#shown = this.#world.fork()
    this.#conversation = conversation
    this.loses = true
    this.requests = 0
  }

  readonly transport: ClientOptions["delivery"] = {
    request: async (body, options) => {
      if (++this.requests > 300) throw new Error("this client asks without a pause")
      const request = deliveryRequests.decode(body)
      if (this.loses && request.type === "append" && request.kind === "application") {
        this.#shown = await this.#world.restore({ store: this.#shown.store } as Branch)
        const accepted = { seq: 1_000n, chainHash: new Uint8Array(32), undelivered: [] }
        return encode(DeliveryResponse, {
          type: "accepted",
          ...accepted,
          incarnation: 1n,
          signature: new Uint8Array(64),
        })
      }
      const answer = await this.#shown.transport.request(body, options)
      const decoded = decode(DeliveryResponse, answer)
      if (!this.loses || decoded.type !== "entries" || decoded.entries.length > 0) return answer
      const [last] = await this.#shown.entries(this.#conversation!, decoded.headSeq - 1n)
      return encode(DeliveryResponse, { ...decoded, entries: [last!], ...(await this.#signed(decoded.groupId, last!)) })
    },
    subscribe: (body, options) => this.#shown.transport.subscribe(body, options),
    [Symbol.asyncDispose]: async () => {},
  }

  async #signed(groupId: Uint8Array, { seq, chainHash }: Entry) {
    const unused = { seed: new Uint8Array(32), passSecret: new Uint8Array(32), incarnation: 1n, handovers: [] }
    const { seed, incarnation } = await this.#shown.store.identity(unused)
    const head = encode(LogHead, { groupId, incarnation, seq, chainHash })
    using key = provider.signatures.Ed25519!.importKey(seed)
    return { incarnation, signature: signWithLabel(key, LOG_HEAD_LABEL, head) }
  }
}
