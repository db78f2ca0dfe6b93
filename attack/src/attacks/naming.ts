import { cpSync, existsSync } from "node:fs"
import { join } from "node:path"
import { type Client, personLabel } from "@conclave/client/node"
import { equalBytes } from "@conclave/crypto"
import { type Attack, outcome } from "../attack.js"
import { askAuth, REGISTRATION_LABEL, registrationContent } from "../contract.js"
import { create } from "../floods.js"
import { Mallory } from "../mallory.js"
import { within } from "../timing.js"
import { eventsOf, inWords, settle, teamOf, tries, type World } from "../world.js"

/** Each looks like somebody else's name, or like nothing. */
const lookAlikes: Readonly<Record<string, string>> = {
  "alice and U+3164": "alice\u3164",
  "alice and U+115F": "alice\u115f",
  "alice and U+FFA0": "alice\uffa0",
  "U+3164 alone": "\u3164",
  "a of Cyrillic": "\u0430lice",
  "a of full width": "\uff41lice",
  "a of mathematics": "\u{1d41a}lice",
  "ligature fi": "\ufb01ona",
  "superscript two": "alice\u00b2",
}

const deceives: Attack = {
  id: "M5",
  also: "F6",
  title: "takes names that look like other people's, or like nothing",
  who: "stranger",
  quick: true,
  async run(world) {
    await world.open("alice")
    const ask = await world.ask()
    const taken: string[] = []
    for (const [what, name] of Object.entries(lookAlikes)) {
      const somebody = await Mallory.come(name, ask, { registered: false })
      // Ids are what an application has, and several scripts in one are its affair: whoever reads it sees the mark.
      if ((await somebody.register(name)) === "registered" && personLabel(name).mark === undefined) taken.push(what)
    }
    return outcome(taken.length > 0, `registered, and shown without a mark: ${taken.join(", ") || "none"}`)
  },
}

/** The profile of a client as a thief or a backup has it. */
function copyProfile(world: World, name: string, copy: string): string {
  for (const suffix of ["", ".key", "-wal"]) {
    const original = join(world.folder, `${name}.db${suffix}`)
    if (existsSync(original)) cpSync(original, join(world.folder, `${copy}.db${suffix}`))
  }
  return join(world.folder, `${copy}.db`)
}

const stolenDevice: Attack = {
  id: "M2",
  title: "brings devices of her own under the name of a stolen one, and nothing revokes them",
  who: "thief",
  async run(world) {
    const laptop = await world.open("bob")
    const profile = join(world.folder, "bob-phone.db")
    const phone = await world.open("bob", { profile, endorse: (registration) => laptop.endorseDevice(registration) })
    await phone.close()
    const alice = await world.open("alice")
    const thief = await world.open("bob", { profile: copyProfile(world, "bob-phone", "stolen") })
    const further = await world.open("bob", {
      profile: join(world.folder, "further.db"),
      endorse: (registration) => thief.endorseDevice(registration),
    })
    const before = await alice.createConversation({ title: "before", members: ["bob"] })
    await settle(laptop, thief, further)
    const stolen = (await laptop.ownDevices()).find(({ isThisDevice, endorsedBy }) => !isThisDevice && endorsedBy)!
    await laptop.revokeDevice(stolen.id)
    // What Bob says next waits until the devices are out.
    await tries(teamOf(before.id, [laptop]).of("bob"), "my phone was stolen")
    await settle(laptop, alice)
    await tries(before, "for Bob alone")
    const after = await alice.createConversation({ title: "after", members: ["bob"] })
    await tries(after, "for Bob alone, too")
    await settle(thief, further)
    const events = [...(await eventsOf(thief)), ...(await eventsOf(further))]
    const heard = events.filter(({ type }) => type === "message").map(inWords)
    return outcome(heard.length > 0, `the thief's devices: ${heard.join() || "nothing"}`)
  },
}

const stolenOldestDevice: Attack = {
  id: "M2b",
  title: "does so with the oldest device of the name, which no other device revokes",
  who: "thief",
  async run(world) {
    const first = await world.open("bob")
    // On paper, before the theft.
    const key = first.recovery.make()
    await first.recovery.set(key)
    await first.close()
    const thief = await world.open("bob", { profile: copyProfile(world, "bob", "stolen") })
    const further = await world.open("bob", {
      profile: join(world.folder, "further.db"),
      endorse: (registration) => thief.endorseDevice(registration),
    })
    const alice = await world.open("alice")
    const before = await alice.createConversation({ title: "before", members: ["bob"] })
    await settle(thief, further)
    // Bob has nothing but the paper: the thief has locked him out of his laptop.
    const fresh = await world.open("bob", { profile: join(world.folder, "fresh.db"), recovery: key })
    for (const { id, isThisDevice } of await fresh.ownDevices()) {
      if (!isThisDevice) await within(4_000, fresh.recovery.revokeDevice(id, key))
    }
    const takesBack = (await thief.ownDevices().catch(() => [])).find((it) => it.recovered)
    if (takesBack !== undefined) await within(4_000, thief.revokeDevice(takesBack.id))
    // What Alice says next waits until she has heard.
    await alice.devices("bob")
    await settle(alice)
    await tries(before, "for Bob alone")
    const after = await alice.createConversation({ title: "after", members: ["bob"] })
    await tries(after, "for Bob alone, too")
    await settle(thief, further, fresh)
    const heardBy = async (client: Client) =>
      (await eventsOf(client)).filter(({ type }) => type === "message").map(inWords)
    const stolen = [...(await heardBy(thief)), ...(await heardBy(further))]
    const own = await heardBy(fresh)
    return outcome(
      stolen.length > 0 || own.length === 0,
      `the thief's devices: ${stolen.join() || "nothing"}; bob's new one: ${own.join() || "nothing"}`,
    )
  },
}

const restoredBackup: Attack = {
  id: "M3",
  title: "a restored backup has lost conversations, and inviting again changes nothing",
  who: "accident",
  async run(world) {
    const alice = await world.open("alice")
    await alice.close()
    copyProfile(world, "alice", "backup")
    const again = await world.open("alice")
    const bob = await world.open("bob")
    const { id } = await bob.createConversation({ title: "team", members: ["alice"] })
    await settle(again, bob)
    await again.close()
    const restored = await world.open("alice", { profile: join(world.folder, "backup.db") })
    await settle(restored, bob)
    const team = teamOf(id, [bob])
    const invited = await within(4_000, team.of("bob").reinvite("alice"))
    await settle(restored, bob)
    await tries(team.of("bob"), "are you back?")
    await settle(restored)
    const heard = (await eventsOf(restored)).filter(({ type }) => type === "message").map(inWords)
    return outcome(
      heard.length === 0,
      `bob: members=[${team.of("bob").members}], invited again: ${invited.state}; alice has ${restored.conversations.size} ` +
        `conversations and hears ${heard.join() || "nothing"}`,
    )
  },
}

const staleLastResort: Attack = {
  id: "F18",
  title: "a last resort that has been used is handed out again and again",
  who: "thief",
  async run(world) {
    const bob = await world.open("bob")
    const mallory = await world.mallory()
    const devices = await askAuth(mallory.ask, { type: "lookup", name: "bob" })
    if (devices.type !== "devices") throw new Error(`lookup: ${devices.type}`)
    const { deviceId } = devices.devices[0]!
    const lastResort = async () => {
      for (;;) {
        const answer = await mallory.delivery({ type: "claimKeyPackage", deviceId, cipherSuite: 1 })
        if (answer.type !== "keyPackage") throw new Error(`claim: ${answer.type}`)
        if (answer.lastResort) return answer.keyPackage
      }
    }
    const before = await lastResort()
    await create(mallory)
    await mallory.commit({ add: [before] }, [deviceId])
    await settle(bob)
    const joined = bob.conversations.size
    const after = await lastResort()
    if (joined !== 1) throw new Error("bob was not invited by it")
    return outcome(equalBytes(before, after), `used once, it is ${equalBytes(before, after) ? "the same" : "another"}`)
  },
}

const takesNames: Attack = {
  id: "D1",
  title: "registers a device under somebody's name with an endorsement of her own",
  who: "stranger",
  async run(world) {
    await world.open("alice")
    const mallory = await world.mallory("alice", { registered: false })
    const known = await askAuth(mallory.ask, { type: "lookup", name: "alice" })
    if (known.type !== "devices") throw new Error(`lookup: ${known.type}`)
    const device = { name: "alice", cipherSuite: 1, signatureKey: mallory.signer.key.publicKey }
    const signature = mallory.mls.signWithLabel(mallory.signer.key, REGISTRATION_LABEL, registrationContent(device))
    const endorsement = { deviceId: known.devices[0]!.deviceId, signature }
    const answer = await askAuth(mallory.ask, { type: "register", ...device, signature, endorsement })
    return outcome(answer.type === "registered", `the directory: ${answer.type}`)
  },
}

export const naming: readonly Attack[] = [
  deceives,
  stolenDevice,
  stolenOldestDevice,
  restoredBackup,
  staleLastResort,
  takesNames,
]
