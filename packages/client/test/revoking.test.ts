import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse, authRequests, REVOCATION_LABEL, RevocationTBS } from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import type { ConversationHandle } from "../src/device/handle.js"
import { type Client, type ClientEvent, type DeviceRevokedEvent, MemoryProfile, memoryStore } from "../src/index.js"
import { settle, taken, World } from "./support/world.js"

const HOUR = 3_600_001

/** A further device of a name, endorsed by `by`; each opened on a profile of its own. */
async function further(world: World, by: Client, auth?: Transport) {
  const endorse = (registration: Uint8Array) => by.endorseDevice(registration)
  // The directory's clock tells which of two was first.
  world.now += 1_000
  return world.open(by.name, { store: memoryStore(new MemoryProfile()), endorse, ...(auth && { auth }) })
}

const idOf = async (client: Client) => (await client.ownDevices()).find((it) => it.isThisDevice)!.id
const inWords = ({ name, conversation, by }: DeviceRevokedEvent) =>
  `${name} ${conversation === undefined ? "" : "out"}${by}`
const told = (events: readonly ClientEvent[]) =>
  events.flatMap((event) => (event.type === "deviceRevoked" ? [inWords(event)] : []))
const alarms = (events: readonly ClientEvent[]) => events.filter(({ type }) => type === "keyChanged").length

/** Bob's laptop, and his phone, which the laptop has endorsed; both in a conversation with Alice. */
async function couple(world: World) {
  const alice = await world.open("alice")
  const laptop = await world.open("bob")
  const phone = await further(world, laptop)
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, laptop, phone)
  for (const client of [alice, laptop, phone]) await taken(client)
  return { alice, laptop, phone, team, of: (client: Client) => client.conversations.get(team.id)! }
}

const devicesIn = (client: Client, id: string) =>
  client.conversations
    .get(id)!
    .tree()
    .filter((node) => node.kind === "leaf" && !node.blank).length

describe("a device that another one of its name has revoked", () => {
  it("is taken out of every conversation by whoever is first there, named by an event, and reads nothing after that", async () => {
    await using world = new World({ inMemory: true })
    const { alice, laptop, phone, team, of } = await couple(world)
    const revoked = await laptop.revokeDevice(await idOf(phone))
    assert.deepEqual(
      revoked.map((it) => [it.id, it.revoked?.by, it.revoked?.at]),
      [[await idOf(phone), await idOf(laptop), new Date(world.now)]],
    )
    await settle(laptop)
    world.now += HOUR
    await settle(laptop)
    await settle(alice)
    const events = await taken(laptop)
    assert.deepEqual(told(events), ["bob ", "bob outbob"])
    // Alice has asked about Bob, as everybody does about somebody each hour; to her it is no alarm.
    const ofAlice = await taken(alice)
    assert.deepEqual([told(ofAlice), alarms(ofAlice), alarms(events)], [["bob ", "bob outbob"], 0, 0])
    assert.deepEqual([...team.members], ["alice", "bob"])
    await team.send("for bob's laptop alone")
    await settle(laptop, alice)
    const [message] = (await taken(laptop)).filter((it) => it.type === "message")
    assert.ok(message?.type === "message" && message.text === "for bob's laptop alone")
    // The phone learns it where it is refused; it keeps what it has.
    await assert.rejects(phone.sync(), { code: "REVOKED" })
    assert.deepEqual(told(await taken(phone)), ["bob "])
    await assert.rejects(of(phone).send("I am bob"), { code: "REVOKED" })
    await assert.rejects(phone.createConversation({}), { code: "REVOKED" })
    await assert.rejects(phone.setDisplayName("Bob"), { code: "REVOKED" })
    await assert.rejects(phone.endorseDevice(new Uint8Array()), { code: "REVOKED" })
    await assert.rejects(phone.revokeDevice(await idOf(laptop)), { code: "REVOKED" })
    assert.equal(of(phone).status, "active", "it follows nothing, and has what it had")
    assert.equal((await of(phone).history()).length, 0)
  })

  it("is invited no more, invites nobody, and nobody can approve it", async () => {
    await using world = new World({ inMemory: true })
    const { alice, laptop, phone, of } = await couple(world)
    const carol = await world.open("carol")
    await laptop.revokeDevice(await idOf(phone))
    const other = await alice.createConversation({ members: ["bob"] })
    await settle(laptop, alice)
    assert.equal(devicesIn(alice, other.id), 2)
    const [, key] = await laptop.pinnedKeys("bob")
    await assert.rejects(alice.approveKey("bob", key!), { code: "REFUSED" })
    // The phone does not know yet: what it invites to, Carol does not accept.
    await of(phone)
      .invite("carol")
      .catch(() => {})
    await settle(carol)
    assert.equal(carol.conversations.size, 0)
    // Nor does Alice, who has known its key for long.
    const { size } = alice.conversations
    await phone.createConversation({ members: ["alice"] }).catch(() => {})
    await settle(alice)
    assert.equal(alice.conversations.size, size)
  })

  it("is asked for by a younger one in vain, also after the other way round, and both at once", async () => {
    await using world = new World({ inMemory: true })
    const { laptop, phone } = await couple(world)
    const [ofLaptop, ofPhone] = [await idOf(laptop), await idOf(phone)]
    await assert.rejects(phone.revokeDevice(ofLaptop), { code: "REFUSED" })
    const both = await Promise.allSettled([phone.revokeDevice(ofLaptop), laptop.revokeDevice(ofPhone)])
    assert.deepEqual(
      both.map(({ status }) => status),
      ["rejected", "fulfilled"],
    )
    assert.deepEqual(
      (await laptop.ownDevices()).map((it) => [it.id, it.revoked?.by]),
      [
        [ofLaptop, undefined],
        [ofPhone, ofLaptop],
      ],
    )
    await assert.rejects(laptop.revokeDevice("00".repeat(32)), { code: "REFUSED" })
    await assert.rejects(laptop.revokeDevice(await idOf(await world.open("carol"))), { code: "REFUSED" })
  })

  it("takes a thief's hundred devices with it, each with a statement; those to keep stay", async () => {
    await using world = new World({ inMemory: true })
    const { alice, laptop, phone, team } = await couple(world)
    const tablet = await further(world, phone)
    const thief = await further(world, phone)
    for (let n = 0; n < 40; n++) await further(world, n % 2 === 0 ? thief : phone)
    await team.reinvite("bob")
    await settle(alice, laptop, tablet, thief)
    assert.ok(devicesIn(alice, team.id) > 40)
    const gone = await laptop.revokeDevice(await idOf(phone), { keep: [await idOf(tablet)] })
    assert.equal(gone.length, 42)
    assert.ok(gone.every(({ revoked }) => revoked?.by !== undefined))
    await settle(laptop)
    world.now += HOUR
    await settle(laptop, alice, tablet)
    assert.equal(devicesIn(alice, team.id), 3)
    assert.equal(alarms(await taken(alice)) > 0, true, "of the devices that came, before")
    await team.send("among us")
    await settle(tablet)
    assert.ok((await taken(tablet)).some((it) => it.type === "message" && it.text === "among us"))
    await assert.rejects(thief.sync(), { code: "REVOKED" })
  })

  it("has retired where it says so itself: what it has endorsed stays, also for those who meet the name then", async () => {
    await using world = new World({ inMemory: true })
    const { alice, laptop, phone, team } = await couple(world)
    await laptop.revokeDevice(await idOf(laptop))
    await assert.rejects(laptop.sync(), { code: "REVOKED" })
    await settle(phone)
    world.now += HOUR
    await settle(phone, alice)
    assert.equal(devicesIn(alice, team.id), 2)
    const carol = await world.open("carol")
    const fresh = await carol.createConversation({ members: ["bob"] })
    await settle(phone, carol)
    assert.deepEqual([devicesIn(carol, fresh.id), alarms(await taken(carol))], [2, 0])
  })

  it("stays so for who has seen it, where the directory hides it or has forgotten it", async () => {
    await using world = new World({ inMemory: true })
    let hides = false
    const lying = (): Transport => {
      const line = world.transport("auth")
      return {
        ...line,
        async request(body, options) {
          const answer = decode(AuthResponse, await line.request(body, options))
          if (!hides || answer.type !== "devices") return encode(AuthResponse, answer)
          const back = answer.revoked.map(({ device }) => device)
          return encode(AuthResponse, { ...answer, devices: [...answer.devices, ...back], revoked: [] })
        },
      }
    }
    const laptop = await world.open("bob")
    const phone = await further(world, laptop)
    const [alice, carol] = [await world.open("alice", { auth: lying() }), await world.open("carol", { auth: lying() })]
    // Of somebody whom she has not met, she would not keep it.
    await alice.createConversation({ members: ["bob"] })
    await settle(laptop, phone)
    await laptop.revokeDevice(await idOf(phone))
    assert.equal((await alice.devices("bob")).length, 1)
    hides = true
    assert.equal((await alice.devices("bob")).length, 1)
    assert.equal((await carol.devices("bob")).length, 2, "whom it was hidden from from the first")
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(laptop, alice, carol)
    assert.equal(devicesIn(alice, team.id), 3)
    await taken(alice)
    await alice.close()
    const again = await world.open("alice", { auth: lying() })
    assert.equal((await again.devices("bob")).length, 1)
    // Carol invites the phone, of which she knows nothing, and Alice takes it out before she says anything.
    const ofCarol = carol.conversations.get(team.id)!
    await ofCarol.reinvite("bob")
    await settle(again)
    await again.conversations.get(team.id)!.send("not for the phone")
    await settle(laptop, carol)
    assert.equal(devicesIn(carol, team.id), 3)
  })

  it("is taken out by who comes in where it is, and where it is added after that was known", async () => {
    await using world = new World({ inMemory: true })
    const laptop = await world.open("bob")
    const phone = await further(world, laptop)
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    // Of somebody whom she has not met, she would not know it.
    await alice.createConversation({ members: ["bob"] })
    await settle(laptop, phone, alice)
    const both = await carol.createConversation({ members: ["alice"] })
    const early = await carol.createConversation({ members: ["bob"] })
    await settle(alice, carol, laptop, phone)
    await both.invite("bob")
    await taken(alice)
    await alice.devices("bob")
    await laptop.revokeDevice(await idOf(phone))
    await alice.devices("bob")
    await early.invite("alice")
    await settle(alice)
    for (const { id } of [both, early]) {
      assert.equal(devicesIn(alice, id), 4)
      assert.equal(
        alice.conversations.get(id)!.status,
        "active",
        "what she says takes it out: she has nothing to decide",
      )
      await alice.conversations.get(id)!.send("not for the phone")
      assert.equal(devicesIn(alice, id), 3)
    }
    const events = await taken(alice)
    assert.deepEqual([events.filter(({ type }) => type === "halted"), alarms(events)], [[], 0])
    const takenOut = events.filter(
      (it) => it.type === "deviceRevoked" && [both.id, early.id].includes(it.conversation?.id ?? ""),
    )
    assert.deepEqual(
      takenOut.map((it) => it.type === "deviceRevoked" && it.by),
      ["alice", "alice"],
    )
  })

  it("of somebody whom nobody has met yet keeps an invitation from being accepted, which says why", async () => {
    await using world = new World({ inMemory: true })
    const laptop = await world.open("bob")
    const phone = await further(world, laptop)
    const [carol, alice] = [await world.open("carol"), await world.open("alice")]
    const group = await carol.createConversation({ members: ["bob"] })
    await settle(carol, laptop, phone)
    await laptop.revokeDevice(await idOf(phone))
    await group.invite("alice")
    await alice.sync()
    assert.equal(alice.conversations.size, 0)
    const reasons = (await taken(alice)).flatMap((it) => (it.type === "rejected" ? [it.reason] : []))
    assert.deepEqual(reasons, [
      "an invitation was not accepted: a device of bob was revoked, and has not been taken out yet",
    ])
    // Whoever of them is first there takes it out; after that an invitation is one as any other.
    await laptop.sync()
    await carol.sync()
    await group.reinvite("alice").catch(() => {})
    await group.invite("alice").catch(() => {})
    await alice.sync()
    assert.equal(alice.conversations.get(group.id)?.status, "active")
  })

  it("is given back to a directory that has lost it in a restore", async () => {
    await using world = new World({ inMemory: true })
    const other = new World({ inMemory: true })
    await using _ = other
    const laptop = await world.open("bob")
    const phone = await further(world, laptop)
    const asked: string[] = []
    let isRestored = false
    const line = world.transport("auth")
    const auth: Transport = {
      ...line,
      async request(body, options) {
        const request = authRequests.decode(body)
        asked.push(request.type)
        const answer = decode(AuthResponse, await line.request(body, options))
        if (!isRestored || answer.type !== "devices") return encode(AuthResponse, answer)
        const back = answer.revoked.map(({ device }) => device)
        return encode(AuthResponse, { ...answer, devices: [...answer.devices, ...back], revoked: [] })
      },
    }
    const tablet = await further(world, laptop, auth)
    await laptop.revokeDevice(await idOf(phone))
    await tablet.sync()
    world.now += HOUR
    await tablet.sync()
    assert.equal(asked.includes("revoke"), false)
    isRestored = true
    world.now += HOUR
    await tablet.sync()
    assert.equal(asked.filter((type) => type === "revoke").length, 1)
  })

  it("is not believed of a directory that makes it up: other keys, an older device, a name's thief", async () => {
    await using world = new World({ inMemory: true })
    const { alice, laptop, phone, team, of } = await couple(world)
    const tablet = await further(world, laptop)
    const ofTablet = (await tablet.createConversation({})) as ConversationHandle
    const line = world.transport("auth")
    const listing = async () => {
      const request = authRequests.encode({ type: "lookup", name: "bob" })
      const answer = decode(AuthResponse, await line.request(request, { replaySafe: false } as never))
      assert.ok(answer.type === "devices")
      return answer
    }
    const [first, second, third] = (await listing()).devices
    const { identity } = (of(phone) as ConversationHandle).driver.means
    const statement = (
      revoker: Uint8Array,
      { name = "bob", key = first!.signatureKey, id = first!.deviceId, by = identity } = {},
    ) => {
      const tbs = { deviceId: id, signatureKey: key, revokerKey: revoker, at: BigInt(world.now) }
      const content = encode(RevocationTBS, { name, ...tbs })
      return { ...tbs, signature: signWithLabel(by.signer.key, REVOCATION_LABEL, content) }
    }
    const lies = [
      // By the younger one, in its own name, and in that of the older one.
      { device: first!, revocation: statement(second!.signatureKey) },
      { device: { ...first!, registeredAt: second!.registeredAt + 1n }, revocation: statement(second!.signatureKey) },
      { device: first!, revocation: statement(first!.signatureKey) },
      { device: first!, revocation: statement(second!.signatureKey, { name: "alice" }) },
      // A true one of the phone, about another key.
      {
        device: first!,
        revocation: statement(second!.signatureKey, { key: second!.signatureKey, id: second!.deviceId }),
      },
      // It fell, and nobody says with what.
      { device: first!, revocation: undefined },
    ]
    const ofSecond = { key: second!.signatureKey, id: second!.deviceId, by: ofTablet.driver.means.identity }
    for (const lie of [...lies, { device: second!, revocation: statement(third!.signatureKey, ofSecond) }]) {
      const { revocations } = (team as ConversationHandle).driver.means
      const devices = [
        { ...second!, registeredAt: first!.registeredAt },
        ...(lie.device === second ? [first!, third!] : []),
      ]
      await revocations.heard("bob", { devices, revoked: [lie], displayName: undefined, recovery: [] })
      assert.equal(revocations.size, 0, `${lies.indexOf(lie)}`)
    }
    await settle(alice, laptop)
    assert.deepEqual(told(await taken(alice)), [])
  })

  it("is stated later than what the device stated before, also after its clock was set back and it was opened again", async () => {
    await using world = new World()
    const laptop = await world.open("bob")
    const [phone, tablet] = [await further(world, laptop), await further(world, laptop)]
    await laptop.revokeDevice(await idOf(phone))
    const first = world.now
    world.now -= 60_000
    await laptop.revokeDevice(await idOf(tablet))
    await laptop.close()
    world.now -= 60_000
    const again = await world.open("bob")
    const gone = await again.revokeDevice(await idOf(again))
    assert.deepEqual(
      gone.map(({ revoked }) => Number(revoked!.at) - first),
      [2, 0, 1],
    )
  })

  it("that is the last member has nothing left to do", async () => {
    await using world = new World({ inMemory: true })
    const { laptop, phone } = await couple(world)
    const alone = await phone.createConversation({ title: "alone" })
    await laptop.revokeDevice(await idOf(phone))
    await assert.rejects(phone.sync(), { code: "REVOKED" })
    await assert.rejects(alone.send("anybody?"), { code: "REVOKED" })
    await assert.rejects(alone.leave(), { code: "REVOKED" })
    assert.deepEqual([...alone.members], ["bob"])
  })

  for (const isRevoked of [false, true]) {
    it(`${isRevoked ? "knocks in vain" : "knocks, while it is not revoked, and is let in"}`, async () => {
      await using world = new World({ inMemory: true })
      const { alice, laptop, phone, team, of } = await couple(world)
      if (isRevoked) await laptop.revokeDevice(await idOf(phone))
      if (isRevoked) await alice.devices("bob")
      const { driver } = of(phone) as ConversationHandle
      driver.state.facts = { ...driver.state.facts, status: "recovering", reason: "a test", stuckAt: undefined }
      await driver.runner.once()
      assert.notEqual(driver.state.knock, undefined)
      world.now += 30_000
      await settle(alice)
      const rejoined = (await taken(alice)).flatMap((it) => (it.type === "members" ? it.rejoined : []))
      assert.deepEqual(rejoined, isRevoked ? [] : ["bob"])
      assert.equal(devicesIn(alice, team.id), isRevoked ? 2 : 3)
      assert.equal(/its device was revoked/.test(await alice.debugReport()), isRevoked)
    })
  }
})
