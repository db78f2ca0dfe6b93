import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse, authRequests, RECOVERY_KEY_LABEL, RecoveryKeyTBS } from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import type { ConversationHandle } from "../src/device/handle.js"
import { recoverySigner } from "../src/identity/recovery-secret.js"
import { makeRecoveryText } from "../src/identity/recovery-text.js"
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  MemoryProfile,
  memoryStore,
  type RecoveryKeyEvent,
  type ReturnedEvent,
} from "../src/index.js"
import { provider, settle, taken, World } from "./support/world.js"

const HOUR = 3_600_001

/** Another device of a name, on a profile of its own. */
function further(world: World, name: string, options: Partial<ClientOptions>): Promise<Client> {
  world.now += 1_000
  return world.open(name, { store: memoryStore(new MemoryProfile()), ...options })
}

const idOf = async (client: Client) => (await client.ownDevices()).find((it) => it.isThisDevice)!.id
const isAboutKey = (event: ClientEvent): event is RecoveryKeyEvent & ClientEvent => event.type === "recoveryKey"
const returns = (events: readonly ClientEvent[]) =>
  events.flatMap((it) => (it.type === "returned" ? [(it satisfies ReturnedEvent).name] : []))
const told = (events: readonly ClientEvent[]) =>
  events.flatMap((it) => {
    if (isAboutKey(it)) return [`${it.name} ${it.change}`]
    return ["keyChanged", "returned", "deviceRevoked", "halted"].includes(it.type) ? [`${it.type}`] : []
  })

async function hours(world: World, count: number, ...clients: readonly Client[]): Promise<void> {
  for (let n = 0; n < count; n++) {
    world.now += HOUR
    for (const client of clients) await client.sync()
  }
}

/** Bob's laptop with his recovery key, his phone, and Alice; in a conversation. */
async function bobs(world: World, options: Partial<ClientOptions> = {}) {
  const laptop = await world.open("bob")
  const phone = await further(world, "bob", { endorse: (registration) => laptop.endorseDevice(registration) })
  const alice = await world.open("alice", options)
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, laptop, phone)
  for (const client of [alice, laptop, phone]) await taken(client)
  const text = laptop.recovery.make()
  return { laptop, phone, alice, team, text }
}

describe("the text of a recovery key", () => {
  it("is 36 digits and letters, read however they were typed, and no other", () => {
    const text = makeRecoveryText(provider, (length) => new Uint8Array(length).fill(0xa7))
    assert.match(text, /^([0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/)
    const key = (name: string, typed: string) =>
      Buffer.from(recoverySigner(provider, name, typed).publicKey).toString("hex")
    assert.equal(key("bob", text.toLowerCase().replaceAll("-", " ")), key("bob", text))
    const zeros = makeRecoveryText(provider, (length) => new Uint8Array(length))
    assert.equal(key("bob", zeros.replaceAll("0", "o").replaceAll("1", "l")), key("bob", zeros))
    assert.notEqual(key("alice", text), key("bob", text), "another one for each name")
    const wrong = [
      text.slice(1),
      `${text}0`,
      `${text.slice(0, -1)}U`,
      `0${text.slice(1)}`,
      text.replace(/(.)(.)/, "$2$1"),
      "",
    ]
    for (const typed of wrong.filter((it) => it !== text)) {
      const fault = (error: Error) => error instanceof TypeError && (typed === "" || !error.message.includes(typed))
      assert.throws(() => recoverySigner(provider, "bob", typed), fault, typed)
    }
    const texts = new Set(Array.from({ length: 100 }, () => makeRecoveryText(provider, (it) => provider.random(it))))
    assert.equal(texts.size, 100)
  })
})

describe("a recovery key of a name", () => {
  it("is made by the oldest device, and all the others are told", async () => {
    await using world = new World({ inMemory: true })
    const { laptop, phone, alice, text } = await bobs(world)
    await assert.rejects(phone.recovery.set(text), { code: "REFUSED", message: /only the oldest device/ })
    assert.equal(await laptop.recovery.isSet(), false)
    await laptop.recovery.set(text)
    await laptop.recovery.set(text)
    assert.equal(await phone.recovery.isSet(), true)
    await assert.rejects(laptop.recovery.set(laptop.recovery.make()), {
      code: "REFUSED",
      message: /only that replaces it/,
    })
    await hours(world, 2, laptop, phone, alice)
    assert.deepEqual(told(await taken(laptop)), [])
    assert.deepEqual(told(await taken(phone)), ["bob made"])
    assert.deepEqual(told(await taken(alice)), [])
    const other = phone.recovery.make()
    await assert.rejects(phone.recovery.set(other, { replaces: other }), { code: "REFUSED" })
    await phone.recovery.set(other, { replaces: text })
    await assert.rejects(phone.recovery.revokeDevice(await idOf(laptop), text), {
      code: "REFUSED",
      message: /not the recovery key of bob/,
    })
    await hours(world, 1, laptop, phone)
    assert.deepEqual([told(await taken(laptop)), told(await taken(phone))], [["bob replaced"], []])
  })

  it("revokes the oldest device from a younger one, which stays, and everybody verifies that", async () => {
    await using world = new World({ inMemory: true })
    const { laptop, phone, alice, team, text } = await bobs(world)
    await laptop.recovery.set(text)
    await assert.rejects(phone.revokeDevice(await idOf(laptop)), { code: "REFUSED" })
    const gone = await phone.recovery.revokeDevice(await idOf(laptop), text)
    assert.deepEqual(
      gone.map(({ id }) => id),
      [await idOf(laptop)],
    )
    assert.ok(gone[0]!.revoked!.at !== undefined && gone[0]!.revoked!.by === undefined)
    await hours(world, 2, alice, phone)
    await settle(phone, alice)
    const leaves = team.tree().filter((it) => it.kind === "leaf" && !it.blank)
    assert.equal(leaves.length, 2, "Alice and the phone")
    await team.send("for the phone alone")
    await settle(phone)
    assert.ok((await taken(phone)).some((it) => it.type === "message" && it.text === "for the phone alone"))
    await assert.rejects(laptop.sync(), { code: "REVOKED" })
    const ofAlice = told(await taken(alice))
    assert.deepEqual(ofAlice, ["deviceRevoked", "deviceRevoked"], "no key has changed for her")
    // Somebody who meets him now sees the phone alone, which the recovery key has endorsed.
    const carol = await world.open("carol")
    const fresh = await carol.createConversation({ members: ["bob"] })
    await settle(carol, phone)
    assert.deepEqual(told(await taken(carol)), [])
    await fresh.send("hello")
    await settle(phone)
    assert.ok((await taken(phone)).some((it) => it.type === "message" && it.text === "hello"))
  })

  it("brings a new device where all are lost, without an alarm for others; it takes the lost ones out", async () => {
    await using world = new World({ inMemory: true })
    const { laptop, phone, alice, team, text } = await bobs(world)
    await laptop.recovery.set(text)
    await alice.devices("bob")
    const lost = await Promise.all([laptop, phone].map(idOf))
    await assert.rejects(further(world, "bob", { recovery: laptop.recovery.make() }), {
      code: "REFUSED",
      message: /not the recovery key of bob/,
    })
    await assert.rejects(further(world, "alice", { recovery: text }), {
      code: "REFUSED",
      message: /not the recovery key of alice/,
    })
    const fresh = await further(world, "bob", { recovery: text })
    for (const id of lost) await fresh.recovery.revokeDevice(id, text)
    const mine = await fresh.ownDevices()
    assert.deepEqual(
      mine.map((it) => [it.isThisDevice, it.recovered, it.endorsed, it.revoked !== undefined]),
      [
        [false, false, false, true],
        [false, false, false, true],
        [true, true, true, false],
      ],
    )
    await hours(world, 1, fresh)
    assert.deepEqual(
      told(await taken(fresh)).filter((it) => it !== "deviceRevoked"),
      [],
    )
    await hours(world, 1, alice)
    await team.reinvite("bob")
    await settle(alice, fresh)
    const ofAlice = await taken(alice)
    assert.deepEqual(returns(ofAlice), ["bob"])
    assert.deepEqual(
      told(ofAlice).filter((it) => it !== "deviceRevoked"),
      ["returned"],
    )
    await team.send("welcome back")
    await settle(fresh)
    assert.ok((await taken(fresh)).some((it) => it.type === "message" && it.text === "welcome back"))
    for (const client of [laptop, phone]) await assert.rejects(client.sync(), { code: "REVOKED" })
    // And whoever meets him only now.
    const carol = await world.open("carol")
    const met = await carol.createConversation({ members: ["bob"] })
    await settle(carol, fresh)
    assert.deepEqual(
      told(await taken(carol)).filter((it) => it !== "deviceRevoked"),
      [],
    )
    assert.equal(fresh.conversations.get(met.id)?.status, "active")
  })

  it("alone erases the name, from any device; the oldest one is refused, and has left nothing", async () => {
    await using world = new World({ inMemory: true })
    const { laptop, phone, text, team } = await bobs(world)
    await laptop.recovery.set(text)
    for (const device of [laptop, phone]) {
      await assert.rejects(device.eraseAccount(), {
        code: "REFUSED",
        message: /bob has a recovery key: only that erases/,
      })
      assert.equal(device.conversations.get(team.id)?.status, "active")
    }
    await assert.rejects(phone.recovery.eraseAccount(phone.recovery.make()), { code: "REFUSED" })
    await phone.recovery.eraseAccount(text)
    await assert.rejects(world.open("bob 2", { name: "bob" }), { code: "NAME_TAKEN" })
  })

  it("that a directory invents, changes or hides is refused and told of, and given back to one that has lost it", async () => {
    await using world = new World({ inMemory: true })
    let lie: ((answer: Extract<AuthResponse, { type: "devices" }>) => AuthResponse) | undefined
    const asked: string[] = []
    const lying = (): Transport => {
      const line = world.transport("auth")
      return {
        ...line,
        request: async (body, options) => {
          asked.push(authRequests.decode(body).type)
          const answer = decode(AuthResponse, await line.request(body, options))
          const isLied = lie !== undefined && answer.type === "devices" && answer.name === "bob"
          return encode(AuthResponse, isLied ? lie!(answer) : answer)
        },
      }
    }
    const { laptop, phone, alice, team, text } = await bobs(world, { auth: lying() })
    // The phone is a thief's, who helps the directory: it is not the oldest.
    const { identity } = (phone.conversations.get(team.id) as ConversationHandle).driver.means
    const key = recoverySigner(provider, "bob", phone.recovery.make())
    const said = { recoveryKey: key.publicKey, signerKey: identity.signatureKey, at: BigInt(world.now) }
    const content = encode(RecoveryKeyTBS, { name: "bob", ...said })
    const [signature, proof] = [identity.signer.key, key].map((it) => signWithLabel(it, RECOVERY_KEY_LABEL, content))
    const theirs = { recovery: [{ ...said, signature: signature!, proof: proof! }] }
    lie = (answer) => ({ ...answer, recovery: theirs.recovery })
    await alice.devices("bob")
    assert.deepEqual(told(await taken(alice)), [], "she knows none of his, and takes none")
    lie = undefined
    await laptop.recovery.set(text)
    await alice.devices("bob")
    lie = (answer) => ({ ...answer, recovery: theirs.recovery })
    await alice.devices("bob")
    await alice.devices("bob")
    assert.deepEqual(told(await taken(alice)), ["bob refused"])
    lie = (answer) => ({ ...answer, recovery: [] })
    await alice.devices("bob")
    assert.deepEqual(told(await taken(alice)), [])
    // What was pinned holds: the phone is kept by a key that the directory does not show.
    await phone.recovery.revokeDevice(await idOf(laptop), text)
    await alice.devices("bob")
    const [known] = (await alice.devices("bob")).map((it) => it.endorsed)
    assert.equal(known, true)
    assert.deepEqual(told(await taken(alice)), ["deviceRevoked"])
    // A tablet of Bob's gives it back to a directory that was restored.
    const tablet = await further(world, "bob", {
      auth: lying(),
      endorse: (registration) => phone.endorseDevice(registration),
    })
    lie = undefined
    await hours(world, 2, tablet)
    lie = (answer) => ({ ...answer, recovery: [] })
    asked.length = 0
    await hours(world, 1, tablet)
    assert.equal(asked.filter((it) => it === "setRecoveryKey").length, 1)
  })
})
