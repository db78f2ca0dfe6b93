import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import type { DeliveryRequest, DeliveryResponse, Entry } from "@conclave/contracts/delivery"
import { type Client, type ClientEvent, verifyEvidence } from "../src/index.js"
import { pair } from "./support/histories.js"
import { Mallory } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { type Branch, provider, settle, taken, World } from "./support/world.js"

/*
 * A service that lies, with its own key: what each lie comes to, who notices, and with which of the others' entries.
 */

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history()).map(({ text }) => text)
type Contradicted = Extract<ClientEvent, { type: "contradicted" }>
const alarms = new Set(["contradicted", "rejected", "missing", "service", "keyChanged", "stuck", "stopped"])
const alarmsOf = async (client: Client) => (await taken(client)).filter(({ type }) => alarms.has(type))

/** What the service makes of Alice's three messages for Bob, as indexes: `new` is one that Alice has never sent. */
const histories: Readonly<Record<string, readonly (number | "new")[]>> = {
  "leaves one out": [1, 2],
  "puts another one in its place": ["new", 1, 2],
  "shows them in another order": [1, 0, 2],
  "shows one twice": [0, 0, 1, 2],
  "adds one of its own": [0, "new", 1, 2],
}

describe("a service that shows one member another history", () => {
  for (const [what, order] of Object.entries(histories)) {
    it(`${what}: that member notices with the next message of somebody who has read the true one, and can prove it`, async () => {
      const { world, bob, team, leadAway } = await pair()
      await using _ = world
      const before = await world.branch.entries(team)
      const branch = leadAway()
      for (const text of ["one", "two", "three"]) await team.send(text)
      const said = (await world.branch.entries(team)).slice(before.length)
      for (const which of order) await branch.place(team, which === "new" ? changed(said[0]!) : said[which]!)
      await bob.sync()
      const shown = await branch.entries(team)
      const told = (await alarmsOf(bob)).find((it): it is Contradicted => it.type === "contradicted")
      assert.deepEqual([told?.by, told?.accused], ["alice", "service"])
      const { seq } = verifyEvidence(told!.evidence, provider)
      const first = BigInt(before.length) + 1n
      // With the first message that claims what Bob has not read.
      assert.ok(seq >= first && seq < BigInt(shown.length), `${seq}`)
      // What is authentic is shown, once, whatever the service does with it.
      const read = (await texts(bob)).filter((text) => text !== "hello")
      assert.deepEqual(new Set(read).size, read.length)
    })
  }

  it("goes on for ever with two that never meet: nobody notices, and each side hears the other no more", async () => {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    leadAway()
    for (const text of ["one", "two"]) {
      await team.send(text)
      await only(bob).send(`${text}, says Bob`)
    }
    await settle(alice, bob)
    assert.deepEqual([await alarmsOf(alice), await alarmsOf(bob)], [[], []])
    assert.ok(!(await texts(bob)).includes("one") && !(await texts(alice)).includes("one, says Bob"))
  })

  it("lets a fork meet again: both sides notice with the first entry that crosses to them", async () => {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    const before = await world.branch.entries(team)
    const branch = leadAway()
    const last = (of: Branch) => of.entries(team).then((entries) => entries.at(-1)!)
    await team.send("only for Alice")
    await only(bob).send("only for Bob")
    await team.send("Alice again")
    await only(bob).send("Bob again")
    await branch.place(team, await last(world.branch))
    await world.branch.place(team, (await branch.entries(team))[before.length + 1]!)
    await settle(alice, bob)
    for (const [client, other] of [[alice, "bob"] as const, [bob, "alice"] as const]) {
      const [told] = (await alarmsOf(client)) as readonly Contradicted[]
      assert.deepEqual([told?.type, told?.by, told?.accused], ["contradicted", other, "service"])
      assert.equal(verifyEvidence(told!.evidence, provider).seq, BigInt(before.length) + 1n)
    }
  })
})

/** Bob's service answers as `lie` has it, once it is on. */
async function lying(lie: (answer: DeliveryResponse, request: DeliveryRequest) => DeliveryResponse) {
  const world = new World({ inMemory: true })
  const liar = { on: false }
  const delivery = answered(world.transport("delivery"), (request, answer) => (liar.on ? lie(answer, request) : answer))
  const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, bob)
  await team.send("hello")
  await settle(alice, bob)
  await taken(bob)
  return { world, liar, alice, bob, team }
}

describe("a service that withholds", () => {
  it("what a member has read before: the member notices at once, and waits for it", async () => {
    const { world, liar, bob } = await lying((answer) =>
      answer.type === "entries" ? { ...answer, entries: [], headSeq: 1n } : answer,
    )
    await using _ = world
    liar.on = true
    await bob.sync()
    const told = await alarmsOf(bob)
    assert.deepEqual(
      told.map(({ type }) => type),
      ["missing"],
    )
    liar.on = false
    world.now += 60_000
    await bob.sync()
    assert.equal(only(bob).status, "active")
    assert.deepEqual(await texts(bob), ["hello"])
  })

  it("the end of the log: nobody notices before it is shown, and nothing is lost", async () => {
    let shown = 0n
    const { world, liar, bob, team } = await lying((answer, { type }) => {
      if (type !== "read" || answer.type !== "entries") return answer
      return { ...answer, entries: answer.entries.filter(({ seq }) => seq <= shown), headSeq: shown }
    })
    await using _ = world
    shown = BigInt((await world.branch.entries(team)).length)
    liar.on = true
    await team.send("later")
    await bob.sync()
    assert.deepEqual(await alarmsOf(bob), [])
    liar.on = false
    await bob.sync()
    assert.deepEqual(await texts(bob), ["hello", "later"])
  })

  it("one message, by saying that it has expired: who was at the head of the log that day notices at once", async () => {
    let hidden: bigint | undefined
    const { world, liar, bob, team } = await lying((answer) => {
      if (answer.type !== "entries") return answer
      const expire = (it: Entry) =>
        it.seq === hidden ? { ...it, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(it.body) } : it
      return { ...answer, entries: answer.entries.map(expire) }
    })
    await using _ = world
    hidden = BigInt((await world.branch.entries(team)).length) + 1n
    liar.on = true
    await team.send("do not pay")
    await bob.sync()
    const [told] = await alarmsOf(bob)
    assert.ok(told?.type === "rejected" && told.code === "WITHHELD")
  })
})

describe("a service that swaps", () => {
  it("a Welcome for an older one: it opens nothing, and the person is told", async () => {
    let older: Uint8Array | undefined
    const world = new World({ inMemory: true })
    await using _ = world
    const delivery = answered(world.transport("delivery"), (_, answer) => {
      if (answer.type !== "inboxEntries") return answer
      const entries = answer.entries.map((it) => {
        if (it.kind !== "welcome") return it
        older ??= it.body
        return { ...it, body: older }
      })
      return { ...answer, entries }
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.deepEqual(await alarmsOf(bob), [])
    const second = await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.ok(!bob.conversations.has(second.id))
    const [told] = await alarmsOf(bob)
    assert.ok(told?.type === "rejected")
  })

  it("a device of its own in between: whoever is to be deceived is told, and so is who is impersonated", async () => {
    const world = new World({ inMemory: true })
    await using _ = world
    const ghost = new Mallory(world, "a-ghost")
    assert.equal(await ghost.register(), "registered")
    const lookup = async () =>
      decode(
        AuthResponse,
        await world.transport("auth").request(authRequests.encode({ type: "lookup", name: "a-ghost" })),
      )
    const ghostly = await lookup()
    let on = false
    const real = () => world.transport("auth")
    const auth = {
      async request(body: Uint8Array, options?: object) {
        const answer = decode(AuthResponse, await real().request(body, options))
        const request = authRequests.decode(body)
        if (!on || request.type !== "lookup" || request.name !== "bob") return encode(AuthResponse, answer)
        if (answer.type !== "devices" || ghostly.type !== "devices") return encode(AuthResponse, answer)
        return encode(AuthResponse, { ...answer, devices: [...answer.devices, ...ghostly.devices] })
      },
      subscribe: (body: Uint8Array, options?: object) => real().subscribe(body, options),
      [Symbol.asyncDispose]: async () => {},
    }
    const [alice, bob] = [await world.open("alice", { auth }), await world.open("bob", { auth })]
    on = true
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    for (const client of [alice, bob]) {
      const told = (await alarmsOf(client)).filter((it) => it.type === "keyChanged" && it.name === "bob")
      assert.ok(told.length > 0, client.name)
    }
    assert.deepEqual(team.members, ["alice", "bob"])
    assert.equal(team.tree().filter(({ kind, blank }) => kind === "leaf" && !blank).length, 2)
  })
})

/** As an operator can make it: nothing that any member has encrypted. */
function changed(entry: Entry): Entry {
  const body = entry.body.slice()
  body[body.length - 1]! ^= 1
  return { ...entry, body }
}

it("and entries that a service makes up are passed over, with a word", async () => {
  const { world, bob, team, leadAway } = await pair()
  await using _ = world
  const branch = leadAway()
  await team.send("one")
  await branch.place(team, changed((await world.branch.entries(team)).at(-1)!))
  await bob.sync()
  const [told] = await alarmsOf(bob)
  assert.ok(told?.type === "rejected" && told.code !== "UNSIGNED", told?.type)
})
