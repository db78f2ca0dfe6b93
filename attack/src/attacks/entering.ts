import { encode } from "@conclave/codec"
import { proposeOwnAdd } from "@conclave/mls"
import { MLSMessage } from "@conclave/mls/wire"
import { type Attack, outcome } from "../attack.js"
import type { Hostility } from "../hostile.js"
import { describe, type Mallory } from "../mallory.js"
import { eventsOf, inWords, settle, type Team, tries, type World } from "../world.js"

/** C1: lets herself in with the GroupInfo that anybody gets. */
async function enter(mallory: Mallory, groupId: Uint8Array) {
  const current = await mallory.groupInfo(groupId)
  const staged = mallory.mls.Group.stageExternalJoin({
    ...mallory.groupOptions,
    groupInfo: current.groupInfo,
    ...(current.ratchetTree && { ratchetTree: current.ratchetTree }),
    replaceSelf: true,
  })
  const answer = await mallory.append({
    groupId,
    kind: "commit",
    epoch: current.epoch,
    after: current.seq,
    body: staged.message,
    commit: { groupInfo: staged.groupInfo, ratchetTree: staged.ratchetTree() },
  })
  mallory.group = staged.accept(mallory.mls.dangerouslyAcceptAll(staged.claims))
  mallory.cursor = answer.type === "accepted" ? answer.seq : current.seq
  return answer
}

const walksIn: Attack = {
  id: "C1a",
  title: "walks into a conversation by its id, and reads",
  who: "stranger",
  quick: true,
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const mallory = await world.mallory()
    const answer = await enter(mallory, team.id)
    await settle(...team.clients)
    const sent = await tries(team.of("alice"), "the secret for the team")
    await mallory.follow()
    const members = team.of("alice").members
    const from = mallory.heardOf("the secret for the team")
    return outcome(
      from !== undefined || members.includes("mallory"),
      `service: ${describe(answer)}; members=[${members}]; alice: ${sent}; mallory reads: ${from ?? "nothing"}`,
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
  title: "takes a member's place in one request",
  who: "stranger",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const mallory = await world.mallory("mallory", { mls: await world.hostileMls(removesAlice) })
    const answer = await enter(mallory, team.id)
    await settle(...team.clients)
    const { status } = team.of("alice")
    const members = team.of("bob").members
    return outcome(
      status === "left" || members.includes("mallory"),
      `service: ${describe(answer)}; alice status=${status}; bob: members=[${members}]`,
    )
  },
}

const comesBack: Attack = {
  id: "C1c",
  title: "comes back a second after being removed, under another name",
  who: "removed member",
  async run(world) {
    const carol = await world.mallory("carol")
    await carol.publish()
    const team = await world.team(["alice", "bob"], { outsiders: ["carol"] })
    await carol.join()
    await team.of("alice").remove("carol")
    const again = await world.mallory("carol-again")
    const answer = await enter(again, team.id)
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
function noise(groupId: Uint8Array, epoch: bigint, contentType: "commit" | "application" = "commit"): Uint8Array {
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

async function takeOver(mallory: Mallory, groupId: Uint8Array, change = (groupInfo: Uint8Array) => groupInfo) {
  const current = await mallory.groupInfo(groupId)
  groupOfHerOwn(mallory, groupId, current.epoch + 1n)
  const answer = await mallory.append({
    groupId,
    kind: "commit",
    epoch: current.epoch,
    after: current.seq,
    body: noise(groupId, current.epoch),
    commit: {
      groupInfo: change(mallory.group!.groupInfo({ withExternalPub: true })),
      ratchetTree: mallory.group!.ratchetTree(),
    },
  })
  mallory.cursor = answer.type === "accepted" ? answer.seq : current.seq
  return answer
}

const takesOver: Attack = {
  id: "C2",
  title: "moves a whole conversation into a group of her own, unseen",
  who: "stranger",
  async run(world) {
    const team = await world.team(["alice", "bob", "carol"])
    const mallory = await world.mallory()
    const answer = await takeOver(mallory, team.id)
    await settle(...team.clients)
    await settle(...team.clients)
    const sent = await tries(team.of("bob"), "ok, I will wire the money to Carol")
    await mallory.follow()
    const from = mallory.heardOf("wire the money")
    const events = await eventsOf(team.clients[1]!)
    const named = events.some((event) => inWords(event).includes("mallory"))
    return outcome(
      from !== undefined,
      `service: ${describe(answer)}; bob: ${sent}, members=[${team.of("bob").members}]; ` +
        `mallory reads what ${from ?? "nobody"} says; an event names her: ${named}`,
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
  who: "stranger",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const mallory = await world.mallory()
    const spoil = (groupInfo: Uint8Array) => {
      // Its signature, at the end, is nobody's.
      groupInfo[groupInfo.length - 1]! ^= 1
      return groupInfo
    }
    const answer = await takeOver(mallory, team.id, spoil)
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}`)
  },
}

/** Asks to be added, from outside. */
async function askIn(mallory: Mallory, groupId: Uint8Array) {
  const { epoch, seq } = await mallory.groupInfo(groupId)
  const body = proposeOwnAdd({ groupId, epoch }, mallory.keyPackage(), mallory.signer.key)
  return mallory.append({ groupId, kind: "proposal", epoch, after: seq, body })
}

const stopsByProposal: Attack = {
  id: "C3b",
  title: "stops a conversation by asking in under a name that nobody has",
  who: "stranger",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const mallory = await world.mallory("nobody-knows-me", { registered: false })
    const answer = await askIn(mallory, team.id)
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}`)
  },
}

const makesALoop: Attack = {
  id: "C3c",
  title: "turns each client that wants to speak into a loop, by asking in under a registered name",
  who: "stranger",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const mallory = await world.mallory()
    const service = await world.service()
    const answer = await askIn(mallory, team.id)
    await settle(...team.clients)
    const before = service.cpu
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}; service CPU ${service.cpu - before} ms in 4 s`)
  },
}

const stopsByCredential: Attack = {
  id: "C3d",
  title: "stops a conversation with a credential that nobody can approve",
  who: "stranger",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const mallory = await world.mallory("mallory", { registered: false, poses: "No Such Name!" })
    const answer = await enter(mallory, team.id)
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
    const answer = await mallory.commit({ signer: { credential, key } })
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, `service: ${describe(answer)}; ${words}`)
  },
}

/** Alice and Bob, and Mallory, whom they have invited. */
export async function withMember(
  world: World,
  options: NonNullable<Parameters<World["mallory"]>[1]> = {},
  names: readonly string[] = ["alice", "bob"],
) {
  const mallory = await world.mallory("mallory", options)
  await mallory.publish()
  const team = await world.team(names, { outsiders: ["mallory"] })
  await mallory.join()
  return { mallory, team }
}

export { enter, groupOfHerOwn, noise, silenced }
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
