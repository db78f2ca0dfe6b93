import { type Attack, outcome } from "../attack.js"
import { noAccess } from "../contract.js"
import { type IntervalKeys, nameCommit } from "../interval-keys.js"
import {
  answerTo,
  type Knock,
  type KnockTBS,
  leafHash,
  leafIn,
  newId,
  openKnock,
  readmission,
  sealKnock,
  sealSigned,
} from "../knocks.js"
import { describe, type Mallory } from "../mallory.js"
import { Operator } from "../operator.js"
import { pause } from "../timing.js"
import { eventsOf, inWords, settle, type Team, teamOf, tries, type World } from "../world.js"
import { keyPackageOf, silenced, withMember } from "./entering.js"

const random = (size: number) => crypto.getRandomValues(new Uint8Array(size))

/** A member could have read as much. */
const SEEN = 1_000_000n

/** A knock in the name of the leaf of `name`, as `mallory` has it in her tree. */
function knockFor(
  mallory: Mallory,
  name: string,
  keyPackage: Uint8Array,
  { keys = mallory.keys!, ...rest }: Partial<KnockTBS> & { keys?: IntervalKeys } = {},
): KnockTBS {
  const group = mallory.group!
  return {
    id: newId(),
    groupId: group.id,
    interval: keys.accessKey,
    leafNodeHashes: [leafHash(mallory, group.leafNode(mallory.leafOf(name))!)],
    seen: SEEN,
    seenHash: new Uint8Array(),
    stuckAt: undefined,
    keyPackage,
    ...rest,
  }
}

async function leave(by: Mallory, groupId: Uint8Array, id: Uint8Array, sealed: Uint8Array, keys = by.keys!) {
  const answer = await by.askGroup({ type: "knock", groupId, id, sealed, access: noAccess }, keys)
  if (answer.type !== "done") throw new Error(`Error: the knock is not left: ${describe(answer)}`)
}

/** Whether somebody answers: a commit takes the knocker out and in again. */
async function answeredBy(team: Team, knocking: () => Promise<unknown>): Promise<{ answered: boolean; words: string }> {
  const alice = team.of("alice")
  const { epoch } = alice
  await knocking()
  await settle(...team.clients)
  const commits = alice.epoch - epoch
  return { answered: commits > 0n, words: `${commits} commits answer it; members=[${alice.members}]` }
}

const inAnothersName: Attack = {
  id: "A6a",
  title: "has another member put out by a knock in his name, with a key package of his",
  who: "member",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const { keyPackage } = await keyPackageOf(mallory, "bob")
    const content = knockFor(mallory, "bob", keyPackage)
    const { answered, words } = await answeredBy(team, () =>
      leave(mallory, team.id, content.id, sealKnock(content, mallory, mallory.keys!)),
    )
    return outcome(answered, words)
  },
}

/** Alice, Mallory and Bob, who has no SDK either. */
async function withBob(world: World) {
  const bob = await world.mallory("bob")
  await bob.publish()
  const { mallory, team } = await withMember(world, {}, ["alice"], ["bob"])
  await bob.join()
  await mallory.follow()
  return { bob, mallory, team }
}

const withAnOldCopy: Attack = {
  id: "A6b",
  title: "comes in by a knock with a copy of a device that has renewed its keys since",
  who: "thief",
  quick: true,
  async run(world) {
    const { bob, team } = await withBob(world)
    const { keyPackage } = bob.keyPackage()
    const content = knockFor(bob, "bob", keyPackage)
    const [old, sealed] = [bob.keys!, sealKnock(content, bob, bob.keys!)]
    const renewed = await bob.commit()
    if (renewed.type !== "accepted") throw new Error(`Error: ${describe(renewed)}`)
    await settle(...team.clients)
    const { answered, words } = await answeredBy(team, () => leave(bob, team.id, content.id, sealed, old))
    return outcome(answered, words)
  },
}

const replays: Attack = {
  id: "A6c",
  title: "has a member put out again by sending his knock once more",
  who: "member",
  quick: true,
  async run(world) {
    const { bob, mallory, team } = await withBob(world)
    const alice = team.of("alice")
    const { epoch } = alice
    const content = knockFor(bob, "bob", bob.keyPackage().keyPackage)
    const sealed = sealKnock(content, bob, bob.keys!)
    const first = await answeredBy(team, () => leave(bob, team.id, content.id, sealed))
    if (!first.answered) throw new Error("Error: the true knock is not answered")
    const signed = openKnock(team.id, { id: content.id, sealed }, mallory.keys!)!
    const again = newId()
    // As it was, the service has it already; under another id, it is new to the service.
    await leave(mallory, team.id, content.id, sealed)
    await leave(mallory, team.id, again, sealSigned(signed, mallory.keys!, again))
    await settle(...team.clients)
    const commits = alice.epoch - epoch
    return outcome(commits > 1n, `${commits} commits for one knock; members=[${alice.members}]`)
  },
}

const ofAnotherGroup: Attack = {
  id: "A6d",
  title: "has a member put out by his knock at another group",
  who: "member",
  quick: true,
  async run(world) {
    const { bob, mallory, team } = await withBob(world)
    // By a last resort, his leaf is the same in both.
    const content = knockFor(bob, "bob", bob.keyPackage().keyPackage, { groupId: random(32) })
    const signed = openKnock(
      content.groupId,
      { id: content.id, sealed: sealKnock(content, bob, bob.keys!) },
      bob.keys!,
    )!
    const sealed = sealSigned(signed, mallory.keys!, content.id, team.id)
    const { answered, words } = await answeredBy(team, () => leave(mallory, team.id, content.id, sealed))
    return outcome(answered, words)
  },
}

const cannotBeAdded: Attack = {
  id: "A6e",
  title: "keeps others from speaking by a knock with a key package that nobody can add",
  who: "member",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const { keyPackage } = mallory.keyPackage({ lifetime: { notBefore: 1n, notAfter: 2n } })
    const content = knockFor(mallory, "mallory", keyPackage)
    await leave(mallory, team.id, content.id, sealKnock(content, mallory, mallory.keys!))
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    return outcome(all, words)
  },
}

const answersFalsely: Attack = {
  id: "A7",
  title: "leads a device that knocks into a group of her own by a false answer",
  who: "member",
  async run(world) {
    const service = await world.service()
    let spoils = false
    await using operator = await Operator.start(service.url, {
      // Any reason to knock will do.
      delivery: async (request) =>
        spoils && request.type === "read"
          ? { type: "belowRetention", groupId: request.groupId, oldestSeq: SEEN }
          : undefined,
    })
    const alice = await world.open("alice")
    const bob = await world.open("bob", { service: operator.url })
    const mallory = await world.mallory()
    await mallory.publish()
    const { id } = await alice.createConversation({ title: "team", members: ["bob", "mallory"] })
    await mallory.join()
    const team = teamOf(id, [alice, bob])
    await settle(alice, bob)
    await tries(team.of("alice"), "hello")
    await settle(bob)
    await tries(team.of("alice"), "what bob cannot follow")
    spoils = true
    await settle(bob)
    spoils = false
    if (team.of("bob").status !== "recovering") throw new Error(`Error: bob is ${team.of("bob").status}`)
    await mallory.follow()
    const { knock, keyPackage } = await onlyKnock(mallory, team.id)
    const { keys } = mallory
    // Two successors of one epoch: Bob is told of one, and everybody else of the other.
    const twin = twinOf(mallory)
    const changes = { add: [keyPackage], remove: [mallory.leafOf("bob")] }
    const answer = await mallory.commit(changes, [], (begins, made) => {
      const own = readmission(twin, keyPackage, "bob", nameCommit(mallory.suite, made, begins))
      twin.group!.apply(own.made, twin.mls.dangerouslyAcceptAll(own.made.claims))
      return { answers: answerTo(mallory, team.id, knock.id, keys!, own.welcome), welcome: new Uint8Array() }
    })
    await settle(bob)
    const told = (await eventsOf(bob)).filter(({ type }) => type === "rejected" || type === "recovered")
    const { epochAuthenticator, status } = team.of("bob")
    const isLed = Buffer.compare(epochAuthenticator, twin.group!.epochAuthenticator) === 0
    return outcome(
      isLed,
      `service: ${describe(answer)}; bob: ${status}, ${isLed ? "in her group" : "not in her group"}, ${told.map(inWords).join("; ")}`,
    )
  },
}

async function onlyKnock(mallory: Mallory, groupId: Uint8Array): Promise<{ knock: Knock; keyPackage: Uint8Array }> {
  const answer = await mallory.askGroup({ type: "knocks", groupId, access: noAccess })
  const [knock] = answer.type === "knocks" ? answer.knocks : []
  const opened = knock && openKnock(groupId, knock, mallory.keys!)
  if (knock === undefined || opened === undefined) throw new Error(`Error: no knock to answer: ${describe(answer)}`)
  return { knock, keyPackage: opened.content.keyPackage }
}

/** The same member with a group of its own. */
function twinOf(mallory: Mallory): Mallory {
  const records = mallory.group!.takeChanges().put
  const group = mallory.mls.Group.restore({ ...mallory.groupOptions, records })
  return Object.create(mallory, { group: { value: group, writable: true } })
}

const KNOCKS = 30
const COMMITS_MAX = 2

const knocksForEver: Attack = {
  id: "A8",
  title: "keeps everybody committing by knocking again and again",
  who: "member",
  secondsMax: 120,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const alice = team.of("alice")
    const { epoch } = alice
    const keys = mallory.keys!
    let leaf = mallory.group!.leafNode(mallory.leafOf("mallory"))!
    let left = 0
    for (let n = 0; n < KNOCKS; n++) {
      const { keyPackage } = mallory.keyPackage()
      const leafNodeHashes = [leafHash(mallory, leaf)]
      // She says that she could not follow the newest commit, or one that does not exist.
      const stuckAt = n % 2 === 0 ? SEEN : BigInt(n + 10)
      const content = knockFor(mallory, "mallory", keyPackage, { leafNodeHashes, stuckAt })
      const request = { type: "knock", groupId: team.id, id: content.id, access: noAccess } as const
      const answer = await mallory.askGroup({ ...request, sealed: sealKnock(content, mallory, keys) }, keys)
      if (answer.type === "done") left++
      const before = alice.epoch
      await settle(team.clients[0]!)
      if (alice.epoch > before) leaf = leafIn(mallory, keyPackage)
      await pause(50)
    }
    const commits = Number(alice.epoch - epoch)
    return outcome(commits > COMMITS_MAX, `${left} knocks, ${commits} commits of alice`)
  },
}

export const knocking: readonly Attack[] = [
  inAnothersName,
  withAnOldCopy,
  replays,
  ofAnotherGroup,
  cannotBeAdded,
  answersFalsely,
  knocksForEver,
]
