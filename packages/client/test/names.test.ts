import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse, type DisplayName, DisplayNameTBS } from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import { type Client, MemoryProfile, memoryStore } from "../src/index.js"
import { recordKeys, StoredEvent, StoredMessage } from "../src/records/records.js"
import { SealedStore } from "../src/store/sealed.js"
import { Mallory } from "./support/mallory.js"
import { provider, settle, taken, World } from "./support/world.js"

const bad = [
  "",
  "al ice",
  "alice\u3164",
  "alice\u115f",
  "alice\uffa0",
  "\uff41lice",
  "\ufb01",
  "cafe\u0301",
  "x".repeat(129),
]
const unusual = [
  "auth0|5f7c8ec7",
  "x.y+z@example.org",
  "Xavier",
  "किरण",
  "லோகேஷ்",
  "constructor",
  "__proto__",
  "toString",
]

describe("a name", () => {
  it("that could deceive is refused wherever one is given, before anything is asked or stored", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const team = await alice.createConversation({ title: "team" })
    for (const name of bad) {
      await assert.rejects(world.open(name), TypeError, name)
      await assert.rejects(alice.createConversation({ members: [name] }), TypeError, name)
      await assert.rejects(team.invite(name), /is not a name: .*a name has 1 to 128/, name)
      await assert.rejects(team.remove(name), TypeError, name)
      await assert.rejects(alice.devices(name), TypeError, name)
    }
    assert.equal(alice.conversations.size, 1)
    assert.deepEqual(team.members, ["alice"])
  })

  it("may be what an application has, or a property of every object, and goes through everything", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const others: Client[] = []
    for (const name of unusual) others.push(await world.open(name, { displayName: "Same For All" }))
    const team = await alice.createConversation({ title: "constructor", members: unusual })
    await settle(alice, ...others)
    assert.deepEqual(team.members, [...unusual, "alice"].sort())
    for (const client of others) {
      const [conversation] = [...client.conversations.values()]
      assert.equal(conversation?.title, "constructor")
      await conversation.send(`I am ${client.name}`)
      assert.equal(alice.displayName(client.name), "Same For All")
      assert.equal(conversation.safetyCode("alice"), team.safetyCode(client.name))
    }
    await settle(alice)
    const said = (await taken(alice)).flatMap((event) => (event.type === "message" ? [[event.from, event.text]] : []))
    assert.deepEqual(
      said,
      unusual.map((name) => [name, `I am ${name}`]),
    )
    await team.remove(...unusual)
    assert.deepEqual(team.members, ["alice"])
    assert.equal(alice.displayName("valueOf"), undefined)
  })
})

describe("a display name", () => {
  it("is published with the name, and known to all who meet its owner, over restarts", async () => {
    await using world = new World()
    const alice = await world.open("alice", { displayName: "  Alice \uff22. " })
    const bob = await world.open("bob")
    assert.equal(alice.displayName("alice"), "Alice B.")
    assert.equal(bob.displayName("alice"), undefined)
    await bob.createConversation({ members: ["alice"] })
    await settle(bob)
    assert.equal(bob.displayName("alice"), "Alice B.")
    assert.equal(bob.displayName("bob"), undefined)
    assert.ok(!(await taken(bob)).some(({ type }) => type === "displayName"), "an introduction is no change")
    for (const client of [alice, bob]) await client.close()
    assert.equal((await world.open("alice")).displayName("alice"), "Alice B.")
    assert.equal((await world.open("bob")).displayName("alice"), "Alice B.")
  })

  it("reaches whoever is invited too", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { displayName: "Alice" })
    const bob = await world.open("bob")
    await alice.createConversation({ members: ["bob"] })
    await settle(bob)
    assert.equal(bob.displayName("alice"), "Alice")
  })

  it("that has changed is an event, with both", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob } = await meet(world)
    const change = async (text: string, before: string | undefined, after: string | undefined) => {
      await alice.setDisplayName(text)
      assert.equal(alice.displayName("alice"), after)
      await ask(bob)
      assert.equal(bob.displayName("alice"), after)
      const [event] = (await taken(bob)).filter(({ type }) => type === "displayName")
      const { number: _, ...rest } = event ?? { number: 0 }
      assert.deepEqual(rest, { type: "displayName", conversation: undefined, name: "alice", before, after })
    }
    await change("Alicia", "Alice", "Alicia")
    await change("", "Alicia", undefined)
    await change("Alice", undefined, "Alice")
    await ask(bob)
    assert.deepEqual(
      (await taken(bob)).filter(({ type }) => type === "displayName"),
      [],
      "told once",
    )
  })

  it("changes although the clock stands still, or another device's is ahead", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { displayName: "Alice" })
    const phone = await world.open("alice", {
      store: memoryStore(),
      endorse: (registration) => alice.endorseDevice(registration),
      now: () => world.now + 240_000,
    })
    await settle(phone)
    assert.equal(phone.displayName("alice"), "Alice", "a further device learns it")
    await phone.setDisplayName("Alice on the phone")
    await alice.setDisplayName("Alice at the desk")
    const bob = await world.open("bob")
    await bob.createConversation({ members: ["alice"] })
    await settle(bob)
    assert.equal(bob.displayName("alice"), "Alice at the desk")
  })

  it("that is none is refused, and nothing has changed", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { displayName: "Alice" })
    for (const text of ["Ali\u200dce", "Alice (bob)", "\u202eecila", "x".repeat(65), "\u3164"]) {
      await assert.rejects(alice.setDisplayName(text), TypeError, text)
      await assert.rejects(world.open("carol", { displayName: text }), TypeError, text)
    }
    assert.equal(alice.displayName("alice"), "Alice")
    await assert.rejects(alice.createConversation({ members: ["carol"] }), { code: "UNKNOWN_NAME" })
    await world.open("carol")
  })

  it("cannot be made up, taken from another name or put back by the directory", async () => {
    await using world = new World({ inMemory: true })
    const answers: DisplayName[] = []
    let lie: (truth: DisplayName | undefined) => DisplayName | undefined = (truth) => {
      if (truth !== undefined) answers.push(truth)
      return truth
    }
    const alice = await world.open("alice", { displayName: "Alice" })
    const mallory = await world.open("mallory", { displayName: "Mallory" })
    const bob = await world.open("bob", { auth: lyingAbout(world.transport("auth"), (truth) => lie(truth)) })
    await bob.createConversation({ members: ["alice", "mallory"] })
    await settle(bob)
    const ofAlice = answers.find(({ text }) => text === "Alice")!
    const ofMallory = answers.find(({ text }) => text === "Mallory")!
    await alice.setDisplayName("Alicia")
    await ask(bob)
    assert.equal(bob.displayName("alice"), "Alicia")
    await taken(bob)

    const lies: readonly ((truth: DisplayName | undefined) => DisplayName | undefined)[] = [
      () => ofAlice,
      () => undefined,
      () => ({ ...ofAlice, at: ofAlice.at + 1_000n }),
      () => ({ ...ofAlice, text: "Bob’s boss", at: ofAlice.at + 1_000n }),
      () => ({ ...ofMallory, at: ofMallory.at + 1_000n }),
      () => ({ ...ofMallory, deviceId: ofAlice.deviceId, at: ofMallory.at + 1_000n }),
      () => ({ ...ofAlice, text: "Ali\u202ece", at: ofAlice.at + 1_000n }),
    ]
    for (const [at, next] of lies.entries()) {
      lie = next
      await ask(bob)
      assert.equal(bob.displayName("alice"), "Alicia", `lie ${at}`)
    }
    assert.deepEqual(await taken(bob).then((events) => events.filter(({ type }) => type === "displayName")), [])
    await mallory.close()
  })

  it("that could deceive is not believed, although its owner has signed it", async () => {
    await using world = new World({ inMemory: true })
    let told: DisplayName | undefined
    const bob = await world.open("bob", { auth: lyingAbout(world.transport("auth"), (truth) => told ?? truth) })
    const alice = await world.open("alice", { displayName: "Alice" })
    await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const { mallory } = await Mallory.inside(world, alice)
    for (const [text, believed] of [
      ["Ali\u202ece", "Alice"],
      [" Alicia", "Alice"],
      ["Alicia", "Alicia"],
    ] as const) {
      const at = BigInt(world.now + 1_000)
      const content = encode(DisplayNameTBS, { name: "alice", text, at })
      const signature = signWithLabel(mallory.signer.key, "ConclaveDisplayName", content)
      told = { text, at, deviceId: mallory.deviceId, signature }
      await ask(bob)
      assert.equal(bob.displayName("alice"), believed)
    }
  })

  it("that nobody of its name can have signed holds up no other", async () => {
    await using world = new World({ inMemory: true })
    for (const name of ["alice", "carol"]) await world.open(name, { displayName: name.toUpperCase() })
    const lie = (truth: DisplayName | undefined) =>
      truth?.text === "ALICE" ? { ...truth, deviceId: provider.random(32) } : truth
    const bob = await world.open("bob", { auth: lyingAbout(world.transport("auth"), lie) })
    await bob.createConversation({ members: ["alice", "carol"] })
    await settle(bob)
    assert.deepEqual(
      ["alice", "carol"].map((name) => bob.displayName(name)),
      [undefined, "CAROL"],
    )
  })

  it("is not fought over for ever with a directory that keeps another one", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("auth")
    let asked = 0
    const alice = await world.open("alice", {
      auth: {
        ...transport,
        async request(body, options) {
          const answer = decode(AuthResponse, await transport.request(body, options))
          if (answer.type !== "displayName") return encode(AuthResponse, answer)
          asked++
          const { at } = answer.displayName
          const displayName = { ...answer.displayName, at: at + 10n, signature: new Uint8Array(64) }
          return encode(AuthResponse, { type: "displayName", displayName })
        },
      },
    })
    await assert.rejects(alice.setDisplayName("Alice"), { code: "REFUSED", message: /keeps another/ })
    assert.equal(asked, 3)
    assert.equal(alice.displayName("alice"), undefined)
  })

  it("of a name that is not accepted is not believed", async () => {
    await using world = new World({ inMemory: true })
    await world.open("alice", { displayName: "Alice" })
    const bob = await world.open("bob")
    await bob.createConversation({ members: ["alice"] }).catch(() => {})
    await settle(bob)
    const carol = await world.open("carol")
    // Carol asks, and nobody is added: nothing has been pinned.
    await assert.rejects(carol.createConversation({ members: ["alice", "nobody"] }), { code: "UNKNOWN_NAME" })
    await settle(carol)
    assert.deepEqual(await carol.pinnedKeys("alice"), [])
    assert.equal(carol.displayName("alice"), undefined)
  })
})

describe("an event of a message", () => {
  it("has the message's place in the conversation, as the history has it", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob } = await meet(world)
    const [team] = [...alice.conversations.values()]
    await team!.send("one")
    await team!.send("two")
    await settle(bob, alice)
    for (const client of [alice, bob]) {
      const [conversation] = [...client.conversations.values()]
      const seqs = (await conversation!.history()).map(({ seq }) => seq)
      const told = (await taken(client)).flatMap((event) => ("seq" in event ? [event.seq] : []))
      assert.deepEqual(told, seqs)
      assert.equal(new Set(seqs).size, 2)
    }
  })

  it("that an earlier version has stored is read without it", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const alice = await world.open("alice", { store: memoryStore(profile) })
    const team = await alice.createConversation({ title: "team" })
    await team.send("one")
    const last = (await taken(alice)).at(-1)
    await team.send("two")
    await alice.close()
    const raw = memoryStore(profile)
    const random = (length: number) => provider.random(length)
    const store = new SealedStore(raw, { provider, sealingKey: new Uint8Array(32).fill(7), random })
    const key = recordKeys.event((last?.number ?? 0) + 1)
    const stored = decode(StoredEvent, (await store.get(key))!)
    assert.ok(stored.type === "keptMessage")
    const { conversation, seq } = stored
    const message = recordKeys.message(Buffer.from(conversation).toString("hex"), Number(seq))
    const { payload } = decode(StoredMessage, (await store.get(message))!)
    const earlier = encode(StoredEvent, { type: "sentWithoutSeq", conversation, payload })
    await store.transaction({ put: new Map([[key, earlier]]), delete: new Set() })
    await store.close()
    const again = await world.open("alice", { store: memoryStore(profile) })
    const [event] = await taken(again)
    assert.ok(event?.type === "sent")
    assert.deepEqual([event.text, event.seq], ["two", undefined])
  })
})

async function meet(world: World): Promise<{ alice: Client; bob: Client }> {
  const alice = await world.open("alice", { displayName: "Alice" })
  const bob = await world.open("bob")
  await alice.createConversation({ members: ["bob"] })
  await settle(bob, alice)
  await taken(alice)
  await taken(bob)
  return { alice, bob }
}

/** Has the client look alice up in the directory. */
async function ask(client: Client): Promise<void> {
  await client.createConversation({ members: ["alice"] })
  await settle(client)
}

function lyingAbout(transport: Transport, lie: (truth: DisplayName | undefined) => DisplayName | undefined): Transport {
  return {
    ...transport,
    async request(body, options) {
      const answer = decode(AuthResponse, await transport.request(body, options))
      if (answer.type !== "devices") return encode(AuthResponse, answer)
      return encode(AuthResponse, { ...answer, displayName: lie(answer.displayName) })
    },
  }
}
