import { encode } from "@conclave/codec"
import { MLSMessage, SenderData, SenderDataAAD } from "@conclave/mls/wire"
import { type Attack, outcome } from "../attack.js"
import { payloadOf } from "../contract.js"
import type { Hostility } from "../hostile.js"
import { describe, type Mallory } from "../mallory.js"
import { expandWithLabel, spyProvider } from "../spy.js"
import { cpuOf, pause, within } from "../timing.js"
import { eventsOf, inWords, settle, tries } from "../world.js"
import { enter, noise, silenced, withMember } from "./entering.js"

const random = (size: number) => crypto.getRandomValues(new Uint8Array(size))

const reInit: Attack = {
  id: "H3",
  title: "proposes a ReInit, which the first honest member who speaks carries out",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.propose({ type: "reInit", groupId: random(32), cipherSuite: 1, extensions: [] })
    await settle(...team.clients)
    await tries(team.of("alice"), "the first one", 2_500)
    const { all, words } = await silenced(team, 2_500)
    return outcome(all, words)
  },
}

/** H4: a PrivateMessage under the group's sender data key that says it is by `leafIndex`. No signature is in it. */
function forgedSenderData(mallory: Mallory, senderData: Uint8Array, leafIndex: number): Uint8Array {
  const { id: groupId, epoch } = mallory.group!
  const { suite } = mallory
  const ciphertext = random(100)
  const sample = ciphertext.subarray(0, suite.secretSize)
  const key = expandWithLabel(suite, senderData, "key", sample, suite.aead.keySize)
  const nonce = expandWithLabel(suite, senderData, "nonce", sample, suite.aead.nonceSize)
  const contentType = "application" as const
  const privateMessage = {
    groupId,
    epoch,
    contentType,
    authenticatedData: new Uint8Array(),
    encryptedSenderData: suite.aead.seal(
      key,
      nonce,
      encode(SenderData, { leafIndex: leafIndex as never, generation: 7, reuseGuard: random(4) }),
      encode(SenderDataAAD, { groupId, epoch, contentType }),
    ),
    ciphertext,
  }
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
}

const forcesRejoins: Attack = {
  id: "H4",
  title: "makes another member believe that its state was put back, without a signature",
  who: "member",
  quick: true,
  async run(world) {
    const { provider, derived } = spyProvider("sender data")
    const { mallory, team } = await withMember(world, { provider })
    const [, bob] = team.clients
    await settle(...team.clients)
    await mallory.follow()
    const { id: groupId, epoch } = mallory.group!
    // Reading a message derives the key of the epoch's sender data; the secret itself came with the epoch.
    const body = forgedSenderData(mallory, derived.get("sender data")!, mallory.leafOf("bob"))
    const answer = await mallory.append({ groupId, kind: "application", epoch, body })
    await settle(bob!)
    const recovered = (await eventsOf(bob!)).filter(({ type }) => type === "recovered")
    return outcome(
      recovered.length > 0 || team.of("bob").status !== "active",
      `service: ${describe(answer)} ${body.length} bytes; bob: ${recovered.map(inWords).join("; ") || "undisturbed"}`,
    )
  },
}

/** Her library makes what no other takes. */
const longLists: Hostility = { withoutRules: ["leaf-capabilities-length"] }

const CAPABILITIES = 30_000
const REPEATED = 60_000

const longCapabilities: Attack = {
  id: "H5a",
  title: "blocks every member with a leaf of long capability lists",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world, { mls: await world.hostileMls(longLists) })
    const [, bob] = team.clients
    const normal = await cpuOf(() => bob!.sync())
    const distinct = Array.from({ length: CAPABILITIES }, (_, n) => 0x1000 + n)
    // One that stands behind all others, again and again, is the slowest to find.
    const extensions = [...distinct, ...Array<number>(REPEATED).fill(distinct.at(-1)!)]
    const answer = await mallory.commit({ leafCapabilities: { extensions } })
    const blocked = await cpuOf(() => bob!.sync())
    const evidence = `${extensions.length} extension types; service: ${describe(answer)}; bob: ${Math.round(blocked)} ms of CPU`
    return outcome(blocked - normal > 250, evidence)
  },
}

/** A key package has 64 kB at most. */
const IN_A_KEY_PACKAGE = 15_000

const longKeyPackage: Attack = {
  id: "H5b",
  title: "blocks whoever invites her, and every member, with a key package of long capability lists",
  who: "stranger",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const [, bob] = team.clients
    await (await world.mallory("ordinary")).publish()
    const normal = await cpuOf(() => team.of("alice").invite("ordinary"))
    const distinct = Array.from({ length: IN_A_KEY_PACKAGE }, (_, n) => 0x1000 + n)
    const extensions = [...distinct, ...Array<number>(IN_A_KEY_PACKAGE).fill(distinct.at(-1)!)]
    const mallory = await world.mallory("mallory", { mls: await world.hostileMls(longLists) })
    const published = await mallory.publish([mallory.keyPackage({ capabilities: { extensions } })]).then(
      () => "taken",
      (error: Error) => error.message,
    )
    const inviting = await cpuOf(() => within(20_000, team.of("alice").invite("mallory")))
    const following = await cpuOf(() => bob!.sync())
    const words = `${Math.round(inviting)} ms of CPU for alice (${Math.round(normal)} for another), ${Math.round(following)} for bob`
    return outcome(Math.max(inviting - normal, following) > 100, `the key package is ${published}; ${words}`)
  },
}

const proposesAdds: Attack = {
  id: "C3f",
  title: "turns each client that wants to speak into a loop, by proposing to add somebody",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    const other = await world.mallory("somebody-else")
    await mallory.propose({ type: "add", keyPackage: other.keyPackage().keyPackage })
    await settle(...team.clients)
    const service = await world.service()
    const before = service.cpu
    const { all, words } = await silenced(team)
    return outcome(all, `${words}; service CPU ${service.cpu - before} ms in 4 s`)
  },
}

const PROPOSALS = 1_500

const uncommittable: Attack = {
  id: "H6",
  title: "blocks every committer with proposals that cannot be committed",
  who: "member",
  secondsMax: 200,
  async run(world) {
    const { mallory, team } = await withMember(world)
    const [alice] = team.clients
    const taken = await proposeMany(mallory)
    await alice!.sync()
    let sent = ""
    const blocked = await cpuOf(async () => {
      sent = await tries(team.of("alice"), "hello", 30_000)
    })
    return outcome(blocked > 250, `${taken} proposals; alice: ${sent} with ${Math.round(blocked)} ms of CPU`)
  },
}

/** As many as the service takes; returns how many that were. */
async function proposeMany(mallory: Mallory): Promise<number> {
  for (let n = 0; n < PROPOSALS; ) {
    const answer = await mallory.proposeAny({ type: "externalPsk", id: random(16) })
    if (answer.type === "accepted") n++
    else if (answer.type === "throttled" && answer.retryAfterMilliseconds < 100) await pause(20)
    else return n
  }
  return PROPOSALS
}

const throughOthers: Attack = {
  id: "M6a",
  title: "has somebody removed in another member's name",
  who: "member",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world, {}, ["alice", "bob", "carol"])
    const [alice, bob, carol] = team.clients
    await mallory.propose({ type: "remove", leafIndex: mallory.leafOf("bob") })
    await settle(...team.clients)
    const sent = await tries(team.of("alice"), "good morning")
    await settle(alice!, bob!, carol!)
    const seen = [...(await eventsOf(bob!)), ...(await eventsOf(carol!))].filter(
      (event) => event.type === "left" || (event.type === "members" && event.removed.includes("bob")),
    )
    return outcome(
      seen.length > 0,
      `alice: ${sent}; bob ${team.of("bob").status}; ${seen.map(inWords).join("; ") || "nobody was removed"}`,
    )
  },
}

const newName: Attack = {
  id: "M6b",
  title: "goes on under another name by a commit",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    const other = await world.mallory("support-team")
    const answer = await mallory.commit({ signer: other.signer })
    await settle(...team.clients)
    const members = team.of("bob").members
    return outcome(members.includes("support-team"), `service: ${describe(answer)}; bob: members=[${members}]`)
  },
}

const JUMPS = 12

const skips: Attack = {
  id: "M7",
  title: "makes every receiver derive a thousand keys for a message of 200 bytes",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    const [, bob] = team.clients
    const group = mallory.group!
    const { id: groupId, epoch } = group
    const send = (body: Uint8Array) => mallory.append({ groupId, kind: "application", epoch, body })
    for (let n = 0; n < JUMPS; n++) await send(group.encrypt(payloadOf({ text: "one after another" })))
    const inOrder = await cpuOf(() => bob!.sync())
    for (let n = 0; n < JUMPS; n++) {
      for (let skipped = 0; skipped < 999; skipped++) group.encrypt(new Uint8Array())
      await send(group.encrypt(payloadOf({ text: "a thousand later" })))
    }
    const ahead = await cpuOf(() => bob!.sync())
    const each = (ahead - inOrder) / JUMPS
    return outcome(each > 8, `${JUMPS} messages, ${Math.round(each)} ms of CPU more for each than for one in order`)
  },
}

const longTitle: Attack = {
  id: "L1",
  title: "sets a title of 50,000 characters with escape sequences",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.say({ title: "\u001b[2J".repeat(12_500) })
    await settle(...team.clients)
    const { title } = team.of("bob")
    return outcome(Buffer.byteLength(title) > 256, `bob's title has ${title.length} characters`)
  },
}

const JUNK = 300

const junkEntries: Attack = {
  id: "L3",
  title: "fills another member's journal with one event for each entry of junk",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    const { epoch } = mallory.group!
    for (let n = 0; n < JUNK; n++) {
      const body = noise(team.id, epoch, "application")
      await mallory.append({ groupId: team.id, kind: "application", epoch, body })
    }
    await settle(...team.clients)
    const rejected = (await eventsOf(team.clients[1]!)).filter(({ type }) => type === "rejected").length
    return outcome(rejected > 20, `${JUNK} entries of junk: ${rejected} durable events`)
  },
}

const unsaid: Attack = {
  id: "L4",
  title: "lets somebody in without an event that says who it was",
  who: "member",
  async run(world) {
    const { mallory: inside, team } = await withMember(world)
    await enter(await world.mallory("eve"), inside)
    await settle(...team.clients)
    const nameless = (await eventsOf(team.clients[1]!)).filter(
      (event) => "by" in event && event.by === "" && event.type !== "stopped",
    )
    return outcome(nameless.length > 0, nameless.map(inWords).join("; ") || "every event names somebody")
  },
}

export const insiders: readonly Attack[] = [
  reInit,
  forcesRejoins,
  longCapabilities,
  longKeyPackage,
  proposesAdds,
  uncommittable,
  throughOthers,
  newName,
  skips,
  longTitle,
  junkEntries,
  unsaid,
]
