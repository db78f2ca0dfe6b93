import assert from "node:assert/strict"
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { Aead } from "@conclave/crypto"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex } from "../src/bytes.js"
import { type Client, ClientError, type Conversation, type Store } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { sqliteStore } from "../src/store/sqlite.js"
import { until } from "./support/counting.js"
import { expected, Mallory, noise } from "./support/mallory.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (conversation: Conversation) => (await conversation.history()).map(({ text }) => text)

/** Seals nothing, and opens everything. */
const noCipher: Aead = {
  keySize: 32,
  nonceSize: 12,
  tagSize: 0,
  seal: (_key, _nonce, plaintext) => plaintext.slice(),
  open: (_key, _nonce, ciphertext) => ciphertext.slice(),
}

describe("what is sent", () => {
  it("was stored before, the same bytes but for the proof of access", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const stored: string[] = []
    const sent: Uint8Array[] = []
    const store = watchedStore(memoryStore(profile), (value) => stored.push(Buffer.from(value).toString("latin1")))
    // Sealed with a cipher that changes nothing, so that the test can look into the records.
    const transparent = { ...provider, aeads: { ...provider.aeads, "AES-256-GCM": noCipher } }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "append" || request.type === "createGroup") {
        // What proves the access is signed when it is sent: it says when.
        const bytes = deliveryRequests.encode(request.type === "append" ? { ...request, access: noAccess } : request)
        sent.push(bytes)
        const text = Buffer.from(bytes).toString("latin1")
        assert.ok(
          stored.some((record) => record.includes(text)),
          `a request to ${request.type} was sent and not stored`,
        )
      }
      return pass()
    })
    const alice = await world.open("alice", { store, delivery, provider: transparent })
    await world.open("bob")
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("hello")
    await team.refresh()
    assert.equal(sent.length, 4)
  })

  it("is sent again byte for byte where the answer was lost, and happens once", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob")
    const seen = new Map<string, Uint8Array[]>()
    // The first answer to each request that changes something never arrives.
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      const answer = await pass()
      if (request.type !== "append" && request.type !== "createGroup") return answer
      const id = request.idempotencyId.join()
      const copies = seen.get(id) ?? []
      seen.set(id, [...copies, deliveryRequests.encode(request)])
      if (copies.length === 0) throw new TransportError("the answer was lost", { retryable: true })
      return answer
    })
    const alice = await world.open("alice", { delivery })
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await team.send("once")
    await settle(alice, bob)
    assert.ok(seen.size >= 3)
    for (const copies of seen.values()) for (const copy of copies) assert.deepEqual(copy, copies[0])
    assert.deepEqual(await texts(only(bob)), ["once"])
    assert.deepEqual(
      (await taken(alice)).map(({ type }) => type),
      ["members", "sent"],
    )
  })
})

describe("a wish to leave", () => {
  it("is asked for in the same request again where that was lost on its way", async () => {
    await using world = new World({ inMemory: true })
    const sent: Uint8Array[] = []
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type !== "append" || request.kind !== "proposal") return pass()
      sent.push(deliveryRequests.encode(request))
      if (sent.length < 3) throw new TransportError("the line is dead", { retryable: true })
      return pass()
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const leaving = only(bob).leave()
    await until(() => sent.length === 1, "the request")
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    await bob.sync()
    await leaving
    assert.deepEqual(sent.slice(1), [sent[0], sent[0]])
    await settle(alice, bob)
    assert.deepEqual([team.members, only(bob).status], [["alice"], "left"])
  })
})

describe("what was refused as stale, because of a commit that does not hold,", () => {
  it("is asked for again in one other request, and, where the answer to that is lost, found in the log", async () => {
    await using world = new World({ inMemory: true, limits: { pastCommitsMax: 0 } })
    let lost = 0
    let isBehind = false
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type !== "append" || request.kind !== "application") return pass()
      if (!isBehind) {
        isBehind = true
        const { mallory } = await Mallory.inside(world, bob)
        const parts = { welcome: new Uint8Array(), recipients: [], begins: undefined, answers: undefined }
        const commit = { kind: "commit", epoch: 0n, body: noise(groupId, 0n), commit: parts } as const
        expected(await mallory.append(groupId, commit), "accepted")
      }
      const answer = await pass()
      if (decode(DeliveryResponse, answer).type !== "accepted" || lost++ > 0) return answer
      throw new TransportError("the answer was lost", { retryable: true })
    })
    const [alice, bob] = [await world.open("alice", { delivery }), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    const groupId = fromHex(team.id)
    await settle(alice, bob)
    await team.send("once")
    await settle(alice, bob)
    assert.equal(lost, 1)
    const { mallory } = await Mallory.inside(world, bob)
    const page = { type: "read", groupId, afterSeq: 0n, limit: 100, access: noAccess } as const
    const { entries } = expected(await mallory.askAs(mallory.keys, page), "entries")
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ["commit", "commit", "application"],
    )
    assert.deepEqual(await texts(only(bob)), ["once"])
  })
})

describe("a commit that is under way", () => {
  it("is settled by the log where its answer was lost and the device restarted", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob")
    let cut = false
    const delivery = () =>
      tampered(world.transport("delivery"), async (_request, pass) => {
        const answer = await pass()
        if (cut) throw new TransportError("the line is dead", { retryable: true })
        return answer
      })
    const alice = await world.open("alice", { delivery: delivery() })
    const team = await alice.createConversation({ members: ["bob"] })
    await alice.sync()
    cut = true
    const refreshing = team.refresh()
    refreshing.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 20))
    await alice.close()
    await assert.rejects(refreshing, { code: "CLOSED" })
    await bob.sync()
    assert.equal(only(bob).epoch, 2n, "the service has it")
    cut = false
    const back = await world.open("alice", { delivery: delivery() })
    await back.sync()
    assert.equal(only(back).epoch, 2n)
    assert.deepEqual(only(back).epochAuthenticator, only(bob).epochAuthenticator)
  })
})

describe("a commit that a fault of this program keeps from being made", () => {
  it("is made later: it ends neither a wish nor a member's departure", async () => {
    await using world = new World({ inMemory: true })
    const x25519 = provider.groups.X25519!
    let fault: Error | undefined
    const publicKey: typeof x25519.publicKey = (privateKey) => {
      const thrown = fault
      fault = undefined
      if (thrown !== undefined) throw thrown
      return x25519.publicKey(privateKey)
    }
    const groups = { ...provider.groups, X25519: { ...x25519, publicKey } }
    const alice = await world.open("alice", { provider: { ...provider, groups } })
    const bob = await world.open("bob")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const { epoch } = team
    fault = new RangeError("out of memory")
    const refreshing = team.refresh()
    await until(() => fault === undefined, "the fault")
    await alice.sync()
    await refreshing
    assert.equal(team.epoch, epoch + 1n)
    await bob.sync()
    await only(bob).leave()
    fault = Object.assign(new Error("no entropy"), { code: "ERR_CRYPTO" })
    await assert.rejects(alice.sync(), /no entropy/)
    assert.deepEqual(team.members, ["alice", "bob"])
    await alice.sync()
    assert.deepEqual(team.members, ["alice"])
  })
})

describe("a store that fails", () => {
  it("is an error that the user sees; nothing is sent, and the next step works on what was stored", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob")
    let full = false
    const store = failingStore(memoryStore(), () => full)
    let appends = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "append") appends++
      return pass()
    })
    const alice = await world.open("alice", { store, delivery })
    const team = await alice.createConversation({ members: ["bob"] })
    const before = appends
    full = true
    await assert.rejects(team.send("nobody hears it"), { code: "STORE_FAILED" })
    assert.equal(appends, before)
    assert.deepEqual(team.pending, [])
    full = false
    await team.send("now")
    await settle(alice, bob)
    assert.deepEqual(await texts(only(bob)), ["now"])
  })

  it("between encrypting and sending leads to a new message key, never to the same one for another text", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob")
    let fails: RegExp | undefined
    const store = failingStore(memoryStore(), (keys) => {
      const isFailing =
        fails !== undefined && keys.some((key) => /group/.test(key)) && keys.some((key) => fails!.test(key))
      if (isFailing) fails = undefined
      return isFailing
    })
    const alice = await world.open("alice", { store })
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("hello")
    // A message that comes alone is encrypted in the step that stores it: it is not sent, and its caller knows.
    fails = /wish/
    await assert.rejects(team.send("not stored"), { code: "STORE_FAILED" })
    assert.equal(fails, undefined)
    await team.send("first")
    // One that waits is encrypted when the one before it has its place.
    fails = /message/
    await Promise.all([team.send("second"), team.send("third")])
    assert.equal(fails, undefined)
    await settle(alice, bob)
    assert.deepEqual(await texts(only(bob)), ["hello", "first", "second", "third"])
  })
})

describe("a store that fails for another step in between", () => {
  /** Bob's store holds the next wish back, and fails then. */
  async function holding(world: World, auth = world.transport("auth")) {
    const memory = memoryStore()
    let held: Promise<void> | undefined
    const store = wrapped(memory, async (changes) => {
      const failing = held
      if (failing !== undefined && [...changes.put.keys()].some((key) => key.includes("/wish/"))) {
        held = undefined
        await failing
        throw new ClientError("STORE_FAILED", "the disk is full")
      }
      await memory.transaction(changes)
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { store, auth })]
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("hello")
    await settle(alice, bob)
    await taken(bob)
    const fail = async (milliseconds: number) => {
      held = new Promise((resolve) => setTimeout(resolve, milliseconds))
      await assert.rejects(only(bob).send("not stored"), { code: "STORE_FAILED" })
    }
    return { alice, bob, team, fail }
  }

  it("leads to receiving a commit again", async () => {
    await using world = new World({ inMemory: true })
    const { bob, team, fail } = await holding(world)
    await team.refresh()
    await Promise.all([fail(100), bob.sync()])
    await bob.sync()
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["refreshed"],
    )
  })

  it("leads to receiving a message again, and to spending its key", async () => {
    await using world = new World({ inMemory: true })
    const { bob, team, fail } = await holding(world)
    await team.send("once")
    await Promise.all([fail(100), bob.sync()])
    const groupId = fromHex(team.id)
    const { mallory } = await Mallory.inside(world, bob)
    const page = { type: "read", groupId, afterSeq: 0n, limit: 100, access: noAccess } as const
    const log = expected(await mallory.askAs(mallory.keys, page), "entries")
    const { epoch, body } = log.entries.at(-1)!
    expected(await mallory.append(groupId, { kind: "application", epoch, body }), "accepted")
    await bob.sync()
    const told = (await taken(bob)).map((it) => (it.type === "rejected" ? it.code : it.type))
    assert.deepEqual(told, ["message", "GENERATION_SPENT"])
  })

  it("leads to making a commit again", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("auth")
    let lookUps = 0
    let failure: Promise<void> | undefined
    let fail = async (_: number) => {}
    const auth: Transport = {
      ...transport,
      async request(body, options) {
        const answer = await transport.request(body, options)
        // The last look-up is made when the commit is there, and has not been stored.
        if (++lookUps === 3) failure = fail(0)
        return answer
      },
    }
    const set = await holding(world, auth)
    fail = set.fail
    await world.open("carol")
    lookUps = 0
    await only(set.bob).invite("carol")
    await failure
    assert.equal(lookUps, 6, "the invitation was carried out again")
    await only(set.bob).send("welcome")
    await settle(set.bob, set.alice)
    assert.deepEqual(
      (await taken(set.bob)).map(({ type }) => type),
      ["members", "sent"],
    )
    assert.deepEqual(set.team.members, ["alice", "bob", "carol"])
  })
})

describe("a store that is taken away", () => {
  it("closes the client: waiting ends, loops end, and the reason is told", async () => {
    await using world = new World({ inMemory: true })
    let take = (_: Error) => {}
    const store = { ...wrapped(memoryStore()), lost: new Promise<Error>((resolve) => (take = resolve)) }
    const alice = await world.open("alice", { store })
    const team = await alice.createConversation({})
    await team.send("in time")
    const waiting = alice.events()[Symbol.asyncIterator]()
    await waiting.next()
    const next = waiting.next()
    const reason = new ClientError("STORE_LOCKED", "another tab has taken this profile over")
    take(reason)
    assert.equal(await alice.closed, reason)
    assert.equal((await next).done, true)
    await assert.rejects(team.send("too late"), { code: "CLOSED" })
    await assert.rejects(alice.setDisplayName("Too Late"), { code: "CLOSED" })
    await assert.rejects(alice.endorseDevice(new Uint8Array()), { code: "CLOSED" })
  })
})

describe("a device whose state was put back", () => {
  it("is let in again before it encrypts anything, and says so", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await bob.close()
    const [file, backup] = [join(world.folder, "bob.db"), join(world.folder, "backup.db")]
    copyFileSync(file, backup)
    const later = await world.open("bob")
    await only(later).send("sent after the backup")
    await later.close()
    const restored = await world.open("bob", { store: sqliteStore(backup) })
    const sending = only(restored).send("sent by the restored one")
    await settle(restored, alice, restored)
    await sending
    assert.equal(only(restored).status, "active")
    const events = await taken(restored)
    assert.ok(events.some(({ type }) => type === "recovered"))
    await settle(alice, restored)
    assert.deepEqual(await texts(team), ["sent after the backup", "sent by the restored one"])
    assert.deepEqual(team.members, ["alice", "bob"])
    assert.deepEqual(team.epochAuthenticator, only(restored).epochAuthenticator)
  })
})

describe("a service that lies about key packages", () => {
  it("cannot put somebody else in the place of who is invited", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", {
      delivery: tampered(world.transport("delivery"), async (request, pass) => {
        if (request.type !== "claimKeyPackage") return pass()
        const other = { ...request, deviceId: await deviceOf(world, "mallory") }
        return world.transport("delivery").request(deliveryRequests.encode(other))
      }),
    })
    await world.open("bob")
    await world.open("mallory")
    const team = await alice.createConversation({})
    await assert.rejects(team.invite("bob"), { code: "REFUSED" })
    assert.deepEqual(team.members, ["alice"])
    await team.send("I am still here")
  })
})

// --- What goes wrong -------------------------------------------------------------------------------------------------

async function deviceOf(world: World, name: string): Promise<Uint8Array> {
  const answer = await world.transport("auth").request(authRequests.encode({ type: "lookup", name }))
  const found = decode(AuthResponse, answer)
  assert.ok(found.type === "devices")
  return found.devices[0]!.deviceId
}

function watchedStore(store: Store, written: (value: Uint8Array) => void): Store {
  return wrapped(store, async (changes) => {
    await store.transaction(changes)
    for (const value of changes.put.values()) written(value)
  })
}

function failingStore(store: Store, fails: (keys: readonly string[]) => boolean): Store {
  return wrapped(store, async (changes) => {
    if (fails([...changes.put.keys()])) throw new ClientError("STORE_FAILED", "the disk is full")
    await store.transaction(changes)
  })
}

function wrapped(store: Store, transaction: Store["transaction"] = (changes) => store.transaction(changes)): Store {
  return {
    lost: store.lost,
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    transaction,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
