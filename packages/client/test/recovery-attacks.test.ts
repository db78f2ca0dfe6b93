import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import {
  type AuthRequest,
  AuthResponse,
  authRequests,
  RECOVERY_KEY_LABEL,
  type RecoveryKey,
  RecoveryKeyTBS,
} from "@conclave/contracts/auth"
import type { SigningKey } from "@conclave/crypto"
import { cipherSuite, signWithLabel } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import { type Client, type ClientOptions, MemoryProfile, memoryStore } from "../src/index.js"
import { provider, settle, taken, World } from "./support/world.js"

const HOUR = 3_600_000
const suite = cipherSuite(1, provider)
const makeKey = () => suite.signature.generate((length) => provider.random(length))

function further(world: World, name: string, options: Partial<ClientOptions> = {}): Promise<Client> {
  world.now += 1_000
  return world.open(name, { store: memoryStore(new MemoryProfile()), ...options })
}

const idOf = async (client: Client) => (await client.ownDevices()).find((it) => it.isThisDevice)!.id
const told = async (client: Client) => (await taken(client)).map((it) => it.type).filter((it) => it !== "message")

type Lie = (answer: AuthResponse, asked: AuthRequest) => AuthResponse

/** A directory that says what the lie makes of its answers. */
function lying(world: World): { readonly auth: Transport; lie: Lie | undefined } {
  const line = world.transport("auth")
  const directory = {
    lie: undefined as Lie | undefined,
    auth: {
      ...line,
      request: async (...[body, options]: Parameters<Transport["request"]>) => {
        const answer = decode(AuthResponse, await line.request(body, options))
        return encode(AuthResponse, directory.lie?.(answer, authRequests.decode(body)) ?? answer)
      },
    },
  }
  return directory
}

function binding(name: string, recovery: SigningKey, by: SigningKey, at: number): RecoveryKey {
  const said = { recoveryKey: recovery.publicKey, signerKey: by.publicKey, at: BigInt(at) }
  const content = encode(RecoveryKeyTBS, { name, ...said })
  const sign = (key: SigningKey) => signWithLabel(key, RECOVERY_KEY_LABEL, content)
  return { ...said, signature: sign(by), proof: sign(recovery) }
}

describe("a directory that is asked for a recovery key", () => {
  it("and answers with one of its own has none believed, not by the device that asked either", async () => {
    await using world = new World({ inMemory: true })
    const directory = lying(world)
    const laptop = await world.open("bob", { auth: directory.auth })
    const text = laptop.recovery.make()
    const [evil, other] = [makeKey(), makeKey()]
    const invented = binding("bob", evil, other, world.now)
    directory.lie = (answer) => {
      return answer.type === "recoveryKeys" ? { ...answer, recovery: [invented, ...answer.recovery] } : answer
    }
    await assert.rejects(laptop.recovery.set(text), { code: "REFUSED" })
    directory.lie = (answer) => {
      return answer.type === "devices" ? { ...answer, recovery: [invented, ...answer.recovery] } : answer
    }
    await assert.rejects(laptop.recovery.set(text), { code: "REFUSED" })
    directory.lie = undefined
    await laptop.recovery.set(text)
    assert.equal(await laptop.recovery.isSet(), true)
  })
})

describe("wrong clocks", () => {
  /** What each device says goes by its own clock: so much ahead of the others', or behind. */
  const ahead = (world: World, milliseconds: number) => ({ now: () => world.now + milliseconds })

  it("of the device that retired before do not make others refuse the recovery key", async () => {
    await using world = new World({ inMemory: true })
    const laptop = await world.open("bob", ahead(world, 10 * HOUR))
    const phone = await further(world, "bob", { endorse: (registration) => laptop.endorseDevice(registration) })
    const alice = await world.open("alice")
    await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, laptop, phone)
    await laptop.revokeDevice(await idOf(laptop))
    const text = phone.recovery.make()
    await phone.recovery.set(text)
    const fresh = await further(world, "bob", { recovery: text })
    await alice.devices("bob")
    const known = (await alice.devices("bob")).map((it) => it.endorsed)
    assert.deepEqual(known, [true, true], "the phone, and who came by its recovery key")
    assert.equal((await fresh.ownDevices()).at(-1)?.endorsed, true)
  })

  it("of who replaces a recovery key take nothing from what it has said", async () => {
    await using world = new World({ inMemory: true })
    const laptop = await world.open("bob")
    const text = laptop.recovery.make()
    await laptop.recovery.set(text)
    const alice = await world.open("alice")
    await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, laptop)
    world.now += HOUR
    // He returns on a device whose clock is ahead, revokes, and replaces the key on one whose clock is behind.
    const fast = await further(world, "bob", { recovery: text, ...ahead(world, 10 * HOUR) })
    await fast.recovery.revokeDevice(await idOf(laptop), text)
    const slow = await further(world, "bob", { recovery: text, ...ahead(world, -HOUR / 2) })
    await slow.recovery.set(slow.recovery.make(), { replaces: text })
    await alice.devices("bob")
    assert.deepEqual(
      (await alice.devices("bob")).map((it) => it.endorsed),
      [true, true],
      "the laptop is gone, and both have returned",
    )
    assert.ok((await told(alice)).includes("deviceRevoked"))
  })
})

describe("a recovery key", () => {
  it("revokes devices of a cipher suite with other keys than its own", async () => {
    await using world = new World({ inMemory: true })
    const suite = { suite: 2 }
    const laptop = await world.open("bob", suite)
    const alice = await world.open("alice", suite)
    await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, laptop)
    const text = laptop.recovery.make()
    await laptop.recovery.set(text)
    await taken(alice)
    const fresh = await further(world, "bob", { recovery: text, ...suite })
    await fresh.recovery.revokeDevice(await idOf(laptop), text)
    await alice.devices("bob")
    assert.deepEqual(await told(alice), ["deviceRevoked"])
    assert.deepEqual(
      (await alice.devices("bob")).map((it) => it.endorsed),
      [true],
    )
  })

  it("is used once for what a thief has filled a name with, not for each of those devices again", async () => {
    await using world = new World({ inMemory: true })
    const directory = lying(world)
    let asked = 0
    directory.lie = (answer, { type }) => {
      if (type === "revoke") asked++
      return answer
    }
    const laptop = await world.open("bob")
    for (let n = 0; n < 5; n++) {
      await further(world, "bob", { endorse: (registration) => laptop.endorseDevice(registration) })
    }
    const text = laptop.recovery.make()
    await laptop.recovery.set(text)
    const fresh = await further(world, "bob", { recovery: text, auth: directory.auth })
    const lost = (await fresh.ownDevices()).filter((it) => !it.isThisDevice)
    for (const { id } of lost) await fresh.recovery.revokeDevice(id, text)
    const left = (await fresh.ownDevices()).filter((it) => it.revoked?.at === undefined)
    assert.deepEqual([lost.length, left.length, asked], [6, 1, 2])
    // A directory that only says so is asked.
    const forged = new Uint8Array(64)
    directory.lie = (answer, { type }) => {
      if (type === "revoke") asked++
      if (answer.type !== "devices") return answer
      const revoked = answer.revoked.map((it) => {
        return { ...it, revocation: it.revocation && { ...it.revocation, signature: forged } }
      })
      return { ...answer, revoked }
    }
    await fresh.recovery.revokeDevice(lost[1]!.id, text)
    assert.equal(asked, 3)
  })
})

describe("somebody who comes back by a recovery key", () => {
  /** Bob's laptop is lost. By `auth` a registration comes to the directory, and its answer never back. */
  async function lost(world: World) {
    const laptop = await world.open("bob")
    const alice = await world.open("alice")
    await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, laptop)
    const text = laptop.recovery.make()
    await laptop.recovery.set(text)
    const old = await idOf(laptop)
    await laptop.close()
    world.now += 1_000
    const line = world.transport("auth")
    const auth = {
      ...line,
      request: async (...[body, options]: Parameters<Transport["request"]>) => {
        const answer = await line.request(body, options)
        if (authRequests.decode(body).type === "register") throw new Error("the line is gone")
        return answer
      },
    }
    const profile = new MemoryProfile()
    const open = (options: Partial<ClientOptions>) => world.open("bob", { store: memoryStore(profile), ...options })
    return { text, old, auth, open }
  }

  it("and hears no answer goes on at the next opening without it: the device came with the key, and nothing is an alarm", async () => {
    await using world = new World({ inMemory: true })
    const { text, old, auth, open } = await lost(world)
    await assert.rejects(open({ recovery: text, auth }), { code: "UNAVAILABLE" })
    const back = await open({})
    for (let hours = 0; hours < 2; hours++) {
      world.now += HOUR
      await back.sync()
    }
    const said = (await taken(back)).map((it) => (it.type === "recoveryKey" ? `${it.type} ${it.change}` : it.type))
    assert.deepEqual(said, ["keyChanged"], "the lost device is not known here")
    const own = (await back.ownDevices()).find((it) => it.isThisDevice)!
    assert.equal(own.recovered, true)
    await back.recovery.revokeDevice(old, text)
    assert.deepEqual(
      (await back.ownDevices()).map((it) => it.revoked !== undefined),
      [true, false],
    )
  })
})
