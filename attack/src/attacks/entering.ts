import { encode } from "@conclave/codec"
import { proposeOwnAdd } from "@conclave/mls"
import { MLSMessage } from "@conclave/mls/wire"
import { type Attack, outcome } from "../attack.js"
import { askAuth } from "../contract.js"
import type { Hostility } from "../hostile.js"
import { nameCommit, tellNewcomers } from "../interval-keys.js"
import { describe, type Mallory, Refused, type WelcomeExtensions } from "../mallory.js"
import { eventsOf, inWords, settle, type Team, tries, type World } from "../world.js"

/**
 * Lets herself in by an external commit, with what a member lends her: a GroupInfo and the access key. `registers`: the key
 * of the interval that follows from it.
 */
async function enter(mallory: Mallory, inside: Mallory, { registers = true, removes = false } = {}) {
  await inside.follow()
  mallory.learnFrom(inside)
  const { id: groupId, epoch } = inside.group!
  const groupInfo = inside.group!.groupInfo({ withRatchetTree: true, withExternalPub: true })
  const staged = mallory.mls.Group.stageExternalJoin({ ...mallory.groupOptions, groupInfo, replaceSelf: removes })
  mallory.group = staged.accept(mallory.mls.dangerouslyAcceptAll(staged.claims))
  const keys = mallory.keysIn(mallory.group)
  const begins = registers ? { accessKey: keys.accessKey, removes } : undefined
  const answer = await mallory.append({ groupId, kind: "commit", epoch, body: staged.message, commit: { begins } })
  if (answer.type !== "accepted") return answer
  if (registers) mallory.keys = keys
  mallory.cursor = mallory.lastCommit = answer.seq
  return answer
}

const walksIn: Attack = {
  id: "C1a",
  title: "lets somebody walk into a conversation uninvited, with a GroupInfo and the key",
  who: "member",
  quick: true,
  async run(world) {
    const { mallory: inside, team } = await withMember(world)
    const eve = await world.mallory("eve")
    const answer = await enter(eve, inside)
    await settle(...team.clients)
    const sent = await tries(team.of("alice"), "the secret for the team")
    await eve.follow()
    const members = team.of("alice").members
    const from = eve.heardOf("the secret for the team")
    return outcome(
      from !== undefined || members.includes("eve"),
      `service: ${describe(answer)}; members=[${members}]; alice: ${sent}; eve reads: ${from ?? "nothing"}`,
    )
  },
}

/** The attacker's library removes whom she wants, not whoever has her own name. */
const removesAlice: Hostility = {
  patches: [
    {
      file: "group/enter.js",
      find: "sameCredential(epoch, options.signer)",
      replace: 'sameCredential(epoch, { credential: { type: "basic", identity: new TextEncoder().encode("alice") } })',
    },
  ],
}

const takesAPlace: Attack = {
  id: "C1b",
  title: "has another take a member's place in one request",
  who: "member",
  async run(world) {
    const { mallory: inside, team } = await withMember(world)
    const eve = await world.mallory("eve", { mls: await world.hostileMls(removesAlice) })
    const answer = await enter(eve, inside, { removes: true })
    await settle(...team.clients)
    const { status } = team.of("alice")
    const members = team.of("bob").members
    return outcome(
      status === "left" || members.includes("eve"),
      `service: ${describe(answer)}; alice status=${status}; bob: members=[${members}]`,
    )
  },
}

const comesBack: Attack = {
  id: "C1c",
  title: "comes back a second after being removed, under another name, with a member's help",
  who: "removed member",
  async run(world) {
    const carol = await world.mallory("carol")
    await carol.publish()
    const { mallory: inside, team } = await withMember(world, {}, ["alice", "bob"], ["carol"])
    await carol.join()
    await team.of("alice").remove("carol")
    const again = await world.mallory("carol-again")
    const answer = await enter(again, inside)
    await settle(...team.clients)
    const sent = await tries(team.of("alice"), "now that carol has gone")
    await again.follow()
    const from = again.heardOf("now that carol has gone")
    return outcome(
      from !== undefined,
      `service: ${describe(answer)}; alice: ${sent}; carol reads what ${from ?? "nobody"} says`,
    )
  },
}

/** C2: a group of her own with the same id, in the epoch that a commit would begin. */
function groupOfHerOwn(mallory: Mallory, groupId: Uint8Array, epoch: bigint): void {
  const group = mallory.found(groupId)
  while (group.epoch < epoch) {
    const commit = group.commit()
    group.apply(commit, mallory.mls.dangerouslyAcceptAll(commit.claims))
  }
}

/** A PrivateMessage that says it is a commit, and holds noise. */
function noise(
  groupId: Uint8Array,
  epoch: bigint,
  contentType: "commit" | "proposal" | "application" = "commit",
): Uint8Array {
  const random = (size: number) => crypto.getRandomValues(new Uint8Array(size))
  const privateMessage = {
    groupId,
    epoch,
    contentType,
    authenticatedData: new Uint8Array(),
    encryptedSenderData: random(28),
    ciphertext: random(200),
  }
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
}

/** Adds people to her own group of the same id; the Welcomes come with a commit in the log that nobody can follow. */
async function takeOver(mallory: Mallory, groupId: Uint8Array, names: readonly string[]) {
  const { keys, lastCommit } = mallory
  const { epoch } = await epochOf(mallory, groupId)
  groupOfHerOwn(mallory, groupId, epoch + 1n)
  mallory.keys = keys
  mallory.lastCommit = lastCommit
  const packages = await Promise.all(names.map((name) => keyPackageOf(mallory, name)))
  const add = packages.map(({ keyPackage }) => keyPackage)
  const recipients = packages.map(({ deviceId }) => deviceId)
  // They can read and write in the log with the key that she knows.
  const welcomeExtensions: WelcomeExtensions = (_, commit) => [tellNewcomers(keys!), nameCommit(mallory.suite, commit)]
  return mallory.commit({ add, path: false, welcomeExtensions }, recipients)
}

/** In which epoch the last entry of the log was framed. */
async function epochOf(mallory: Mallory, groupId: Uint8Array): Promise<{ readonly epoch: bigint }> {
  const page = await mallory.read(groupId)
  if (page.type !== "entries") throw new Refused(page)
  return { epoch: page.entries.at(-1)?.epoch ?? 0n }
}

async function keyPackageOf(mallory: Mallory, name: string) {
  const answer = await askAuth(mallory.ask, { type: "lookup", name })
  if (answer.type !== "devices") throw new Error(`lookup: ${answer.type}`)
  const { deviceId } = answer.devices[0]!
  const claimed = await mallory.delivery({ type: "claimKeyPackage", deviceId, cipherSuite: 1 })
  if (claimed.type !== "keyPackage") throw new Error(`claim: ${claimed.type}`)
  return { deviceId, keyPackage: claimed.keyPackage }
}

const takesOver: Attack = {
  id: "C2",
  title: "moves a whole conversation into a group of her own, unseen, by Welcomes with its id",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world, {}, ["alice", "bob", "carol"])
    await mallory.follow()
    const answer = await takeOver(mallory, team.id, ["alice", "bob", "carol"])
    await settle(...team.clients)
    const sent = await tries(team.of("bob"), "ok, I will wire the money to Carol")
    await mallory.follow()
    const from = mallory.heardOf("wire the money")
    const events = await eventsOf(team.clients[1]!)
    const named = events.some((event) => inWords(event).includes("mallory"))
    return outcome(
      from !== undefined,
      `service: ${describe(answer)}; bob: ${sent}, members=[${team.of("bob").members}]; ` +
        `in her own group mallory reads what ${from ?? "nobody"} says; an event names her: ${named}`,
    )
  },
}

/** Whether both honest members are kept from speaking. */
async function silenced(team: Team, milliseconds = 4_000): Promise<{ readonly all: boolean; readonly words: string }> {
  const sent = await Promise.all(
    ["alice", "bob"].map(async (name) => `${name}: ${await tries(team.of(name), `from ${name}`, milliseconds)}`),
  )
  const states = ["alice", "bob"].map((name) => team.of(name).status)
  return { all: sent.every((it) => !it.endsWith(": sent")), words: `${sent.join("; ")}; status=[${states}]` }
}

const stopsByNoise: Attack = {
  id: "C3a",
  title: "stops a conversation with noise that says it is a commit",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const { epoch } = mallory.group!
    const answer = await mallory.append({
      groupId: team.id,
      kind: "commit",
      epoch,
      body: noise(team.id, epoch),
      commit: {},
    })
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}`)
  },
}

/** Somebody asks to be added from outside, with the key that a member lends. */
async function askIn(mallory: Mallory, inside: Mallory) {
  await inside.follow()
  mallory.learnFrom(inside)
  const { id: groupId, epoch } = inside.group!
  const body = proposeOwnAdd({ groupId, epoch }, mallory.keyPackage(), mallory.signer.key)
  return mallory.append({ groupId, kind: "proposal", epoch, body })
}

const stopsByProposal: Attack = {
  id: "C3b",
  title: "stops a conversation by having somebody ask in under a name that nobody has",
  who: "member",
  async run(world) {
    const { mallory: inside, team } = await withMember(world)
    const nobody = await world.mallory("nobody-knows-me", { registered: false })
    const answer = await askIn(nobody, inside)
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}`)
  },
}

const makesALoop: Attack = {
  id: "C3c",
  title: "turns each client that wants to speak into a loop, by having somebody ask in",
  who: "member",
  async run(world) {
    const { mallory: inside, team } = await withMember(world)
    const eve = await world.mallory("eve")
    const service = await world.service()
    const answer = await askIn(eve, inside)
    await settle(...team.clients)
    const before = service.cpu
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}; service CPU ${service.cpu - before} ms in 4 s`)
  },
}

const stopsByCredential: Attack = {
  id: "C3d",
  title: "stops a conversation by letting somebody in with a credential that nobody can approve",
  who: "member",
  async run(world) {
    const { mallory: inside, team } = await withMember(world)
    const eve = await world.mallory("eve", { registered: false, poses: "No Such Name!" })
    const answer = await enter(eve, inside, { registers: false })
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}`)
  },
}

const stopsAsMember: Attack = {
  id: "C3e",
  title: "stops a conversation by taking a credential that nobody can approve",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    const key = mallory.suite.signature.generate((length) => crypto.getRandomValues(new Uint8Array(length)))
    const credential = { type: "basic", identity: new TextEncoder().encode("No Such Name!") } as const
    // With a key it would stop, as for every commit with a key that does not hold, and everybody be told by whom.
    const answer = await mallory.commit({ signer: { credential, key } }, [], { begins: undefined })
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}`)
  },
}

/** Alice and Bob, and Mallory, whom they have invited with `others`. */
export async function withMember(
  world: World,
  options: NonNullable<Parameters<World["mallory"]>[1]> = {},
  names: readonly string[] = ["alice", "bob"],
  others: readonly string[] = [],
) {
  const mallory = await world.mallory("mallory", options)
  await mallory.publish()
  const team = await world.team(names, { outsiders: ["mallory", ...others] })
  await mallory.join()
  return { mallory, team }
}

export { enter, keyPackageOf, noise, silenced, takeOver }
export const entering: readonly Attack[] = [
  walksIn,
  takesAPlace,
  comesBack,
  takesOver,
  stopsByNoise,
  stopsByProposal,
  makesALoop,
  stopsByCredential,
  stopsAsMember,
]
