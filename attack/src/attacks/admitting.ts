import { type Attack, outcome } from "../attack.js"
import { appendOf, cursorOf, type DeliveryRequest, type DeliveryResponse, noAccess, type Prover } from "../contract.js"
import { listenFor } from "../http.js"
import { IntervalKeys } from "../interval-keys.js"
import { newId } from "../knocks.js"
import { describe, type Mallory } from "../mallory.js"
import { eventsOf, settle, type Team, tries, type World } from "../world.js"
import { noise, withMember } from "./entering.js"

const random = (size: number) => crypto.getRandomValues(new Uint8Array(size))

/** Everything that can be asked of a group. */
function everyRequest(groupId: Uint8Array, epoch: bigint, after: bigint) {
  const access = noAccess
  const append = (kind: "application" | "proposal" | "commit") =>
    appendOf({
      groupId,
      idempotencyId: newId(),
      kind,
      epoch,
      after,
      body: noise(groupId, epoch, kind),
      commit: kind === "commit" ? {} : undefined,
    })
  return [
    { type: "head", groupId, access },
    { type: "read", groupId, afterSeq: 0n, limit: 500, access },
    { type: "knocks", groupId, access },
    { type: "knock", groupId, id: newId(), sealed: random(100), access },
    { type: "answer", groupId, id: newId(), access },
    { type: "policy", groupId, access },
    { type: "setPolicy", groupId, replaces: 0n, wanted: { messages: 86_400, handshakes: undefined }, access },
    ...(["application", "proposal", "commit"] as const).map(append),
  ] as const
}

/** What a subscription tells about a group within a moment. */
async function subscription(world: World, prover: Prover, groupId: Uint8Array, afterSeq = 0n) {
  const { url } = await world.service()
  const cursors = [cursorOf(prover, groupId, afterSeq)]
  const request: DeliveryRequest = { type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }
  return listenFor(url, request, 700)
}

const granted = (answers: readonly DeliveryResponse[]) =>
  answers.filter(({ type }) => !["denied", "notFound", "subscribed"].includes(type)).map(({ type }) => type)

const knowsTheId: Attack = {
  id: "A1",
  title: "asks anything of a conversation whose id she knows",
  who: "stranger",
  quick: true,
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const stranger = await world.mallory()
    const keys = IntervalKeys.unknown(stranger.suite)
    const answers: DeliveryResponse[] = []
    for (const prover of [undefined, keys]) {
      for (const request of everyRequest(team.id, team.of("alice").epoch, 1n)) {
        answers.push(await stranger.askGroup(request, prover))
      }
    }
    answers.push(...(await subscription(world, keys, team.id)))
    const cursor = cursorOf(keys, team.id)
    answers.push(await stranger.delivery({ type: "extend", subscription: random(16), cursor }))
    const got = granted(answers)
    return outcome(got.length > 0, `${answers.length} answers; granted: ${got.join(", ") || "none"}`)
  },
}

/** Somebody who was removed, who knows what she knew, and what has been said since. */
async function afterRemoval(
  world: World,
): Promise<{ readonly mallory: Mallory; readonly team: Team; readonly last: bigint }> {
  const { mallory, team } = await withMember(world)
  await mallory.follow()
  await team.of("alice").remove("mallory")
  await settle(...team.clients)
  const last = (await mallory.head(team.id)).headSeq
  await tries(team.of("alice"), "now that she has gone")
  return { mallory, team, last }
}

/** The key that her removal registers is public, and hers to read. */
const withoutSignature: Attack = {
  id: "A1b",
  title: "asks with the newest public key, which her removal shows, and no signature by it",
  who: "removed member",
  quick: true,
  async run(world) {
    const { mallory, team, last } = await afterRemoval(world)
    const page = await mallory.read(team.id)
    const begins = page.type === "entries" ? page.entries.at(-1)?.begins : undefined
    if (begins?.removes !== true) throw new Error("Error: her removal does not show a key")
    const forged = { accessKey: begins.accessKey, sign: (content: Uint8Array) => mallory.keys!.sign(content) }
    const answers: DeliveryResponse[] = []
    for (const request of everyRequest(team.id, team.of("alice").epoch, last)) {
      answers.push(await mallory.askGroup(request, forged))
    }
    answers.push(...(await subscription(world, forged, team.id)))
    const got = granted(answers)
    return outcome(got.length > 0, `${answers.length} answers; granted: ${got.join(", ") || "none"}`)
  },
}

const seqsIn = (answers: readonly DeliveryResponse[]) =>
  answers.flatMap((answer) => (answer.type === "entries" ? answer.entries.map(({ seq }) => seq) : []))

const readsOn: Attack = {
  id: "A2",
  title: "reads on with the key and the pass that she had",
  who: "removed member",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const keys = mallory.keys!
    const passes = (await subscription(world, keys, team.id)).flatMap((it) => (it.type === "passes" ? it.passes : []))
    const pass = passes[0]
    if (pass === undefined) throw new Error("Error: she was given no pass")
    await team.of("alice").remove("mallory")
    await settle(...team.clients)
    const last = (await mallory.head(team.id)).headSeq
    await tries(team.of("alice"), "now that she has gone")
    const { until, tag } = pass
    const access = { type: "pass", key: keys.accessKey, until, tag } as const
    const answers = [
      await mallory.read(team.id),
      await mallory.delivery({ type: "read", groupId: team.id, afterSeq: 0n, limit: 500, access }),
      ...(await subscription(world, keys, team.id)),
    ]
    const seqs = seqsIn(answers)
    if (seqs.length === 0) throw new Error("Error: she reads nothing at all")
    const further = seqs.filter((seq) => seq > last)
    return outcome(further.length > 0, `her removal is entry ${last}; beyond it she reads [${[...new Set(further)]}]`)
  },
}

const appendsOn: Attack = {
  id: "A3",
  title: "appends with the key that she had",
  who: "removed member",
  quick: true,
  async run(world) {
    const { mallory, team } = await afterRemoval(world)
    const { id: groupId } = team
    const { epoch } = mallory.group!
    const { headSeq, lastCommitSeq } = await mallory.head(groupId)
    const answers: DeliveryResponse[] = []
    for (const kind of ["application", "proposal", "commit"] as const) {
      const entry = {
        groupId,
        kind,
        epoch,
        body: noise(groupId, epoch, kind),
        commit: kind === "commit" ? {} : undefined,
      }
      for (const after of [mallory.lastCommit, lastCommitSeq, headSeq])
        answers.push(await mallory.append({ ...entry, after }))
    }
    const taken = answers.filter(({ type }) => type === "accepted").length
    return outcome(taken > 0, `of ${answers.length} entries ${taken} are taken: ${answers.map(describe).join("; ")}`)
  },
}

/** By whom everybody is told that the conversation was stopped. */
async function stoppedBy(team: Team): Promise<readonly string[]> {
  const events = await Promise.all(team.clients.map(eventsOf))
  return events.map((its) => its.flatMap((event) => (event.type === "stopped" ? [event.by] : [])).join())
}

const registersAnother: Attack = {
  id: "A4",
  title: "locks everybody else out with a key of her own, and nobody is told by whom",
  who: "member",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const { accessKey } = IntervalKeys.unknown(mallory.suite)
    const answer = await mallory.commit({}, [], { begins: { accessKey, removes: false } })
    await settle(...team.clients)
    const named = await stoppedBy(team)
    const states = team.clients.map(({ name }) => `${name} ${team.of(name).status}`)
    return outcome(
      !named.every((name) => name === "mallory"),
      `service: ${describe(answer)}; ${states.join(", ")}; told that it was: [${named}]`,
    )
  },
}

/** She removes Carol, and tells the service something else, so that Carol's key reaches further. */
function hidesFromService(id: string, title: string, begins: (accessKey: Uint8Array) => undefined | object): Attack {
  return {
    id,
    title,
    who: "member",
    quick: true,
    async run(world) {
      const carol = await world.mallory("carol")
      await carol.publish()
      const { mallory, team } = await withMember(world, {}, ["alice", "bob"], ["carol"])
      await carol.join()
      await mallory.follow()
      const answer = await mallory.commit({ remove: [mallory.leafOf("carol")] }, [], (it) => ({
        begins: begins(it!.accessKey) as undefined,
      }))
      if (answer.type !== "accepted") throw new Error(`Error: ${describe(answer)}`)
      await settle(...team.clients)
      await tries(team.of("alice"), "now that carol has gone")
      const { members, status } = team.of("bob")
      const page = await carol.read(team.id)
      const further = seqsIn([page]).filter((seq) => seq > answer.seq)
      return outcome(
        !members.includes("carol") && further.length > 0,
        `bob: ${status}, members=[${members}]; carol reads [${further}] beyond entry ${answer.seq}`,
      )
    },
  }
}

const PASS_LASTS = 86_400_000n

const forgesPasses: Attack = {
  id: "A9",
  title: "makes a pass for the newest key, or a longer one, out of her own",
  who: "removed member",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const keys = mallory.keys!
    const passes = (await subscription(world, keys, team.id)).flatMap((it) => (it.type === "passes" ? it.passes : []))
    const pass = passes[0]
    if (pass === undefined) throw new Error("Error: she was given no pass")
    await team.of("alice").remove("mallory")
    await settle(...team.clients)
    const page = await mallory.read(team.id)
    const newest = page.type === "entries" ? page.entries.at(-1)?.begins?.accessKey : undefined
    if (newest === undefined) throw new Error("Error: her removal does not show a key")
    const { key, until, tag } = pass
    const forged = [
      { type: "pass", key: newest, until, tag },
      { type: "pass", key, until: until + PASS_LASTS / 2n, tag },
      { type: "pass", key, until, tag: random(32) },
    ] as const
    const answers = await Promise.all(
      forged.map((access) => mallory.delivery({ type: "read", groupId: team.id, afterSeq: 0n, limit: 500, access })),
    )
    const got = granted(answers)
    return outcome(got.length > 0, `${answers.map(describe).join("; ")}`)
  },
}

const appendsByPass: Attack = {
  id: "A9b",
  title: "appends with a pass that she has seen, and no key",
  who: "thief",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await mallory.follow()
    const seen = (await subscription(world, mallory.keys!, team.id)).flatMap((it) =>
      it.type === "passes" ? it.passes : [],
    )
    const [pass] = seen
    if (pass === undefined) throw new Error("Error: there is no pass")
    const access = { type: "pass", key: pass.key, until: pass.until, tag: pass.tag } as const
    const thief = await world.mallory("thief", { registered: false })
    const { epoch } = mallory.group!
    const answers: DeliveryResponse[] = []
    for (const request of everyRequest(team.id, epoch, mallory.lastCommit)) {
      if (request.type === "append" || request.type === "knock")
        answers.push(await thief.delivery({ ...request, access }))
    }
    const got = granted(answers)
    return outcome(got.length > 0, answers.map(describe).join("; "))
  },
}

const destroys: Attack = {
  id: "A10",
  title: "has a conversation deleted at the service, or its messages, with the keys that she had",
  who: "removed member",
  quick: true,
  async run(world) {
    const { mallory, team, last } = await afterRemoval(world)
    const [groupId, access] = [team.id, noAccess]
    const answers: DeliveryResponse[] = []
    // Up to where she reads, and up to the head, which she may guess.
    for (const headSeq of [last, last + 1n]) {
      answers.push(await mallory.askGroup({ type: "retire", groupId, headSeq, access }))
    }
    const wanted = { messages: 86_400, handshakes: 14 * 86_400 }
    answers.push(await mallory.askGroup({ type: "setPolicy", groupId, replaces: 0n, wanted, access }))
    const got = granted(answers)
    return outcome(got.includes("policy"), answers.map(describe).join("; "))
  },
}

export const admitting: readonly Attack[] = [
  knowsTheId,
  withoutSignature,
  readsOn,
  appendsOn,
  registersAnother,
  hidesFromService("A5", "lets a removed member read on by a removal that registers no key", () => undefined),
  hidesFromService("A5b", "lets a removed member read on by a removal that she says removes nobody", (accessKey) => ({
    accessKey,
    removes: false,
  })),
  forgesPasses,
  appendsByPass,
  destroys,
]
