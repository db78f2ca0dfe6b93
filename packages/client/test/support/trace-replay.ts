import assert from "node:assert/strict"
import { hex } from "../../src/bytes.js"
import { copyOfSigner } from "./insider.js"
import { always, atOnce, entering, ITS_TURN, type TraceMember, TraceWorld } from "./trace-world.js"
import { taken } from "./world.js"

/** A file of `model/traces`: see `model/README.md`. */
export interface Trace {
  readonly version: 1
  readonly scenario: string
  readonly late: readonly string[]
  readonly without?: string
  readonly rule?: string
  readonly actions: readonly Action[]
  /** What each action leads to where every rule is kept. */
  readonly kept?: readonly Step[]
}

export interface Action {
  readonly actor: string
  readonly does: string
  readonly [detail: string]: unknown
}

interface Step {
  readonly refused?: true
  readonly log: number
  readonly tree: readonly string[]
  readonly members: Readonly<Record<string, MemberStep>>
  readonly insider?: { readonly reads: number; readonly appends: string }
  readonly thief?: { readonly reads: number; readonly acted: boolean }
}

interface MemberStep {
  readonly status: string
  readonly cursor: number
  readonly epoch: number
  readonly knock?: number
}

/**
 * Carries a trace out, and compares what has come of it with what the model says, after each action and in the end: anew for
 * each member that cannot follow then, and each other one that alone is there to let it in.
 */
export async function replay(trace: Trace): Promise<void> {
  let pairs = 1
  for (let pair = 0; pair < pairs; pair++) pairs = await replayWith(trace, pair)
}

/** In the end the pair of this number is alone at first; returns how many pairs there are. */
async function replayWith(trace: Trace, pair: number): Promise<number> {
  const { actions, kept = [] } = trace
  await using scene = new TraceWorld(trace.late)
  const authenticators = new Map<number, string>()
  let before: Step | undefined
  for (const [at, action] of actions.entries()) {
    const step = kept[at]!
    const what = `${at}: ${action.actor} ${action.does}`
    if (action.does === "create") await create(scene, trace, step)
    else await carryOut(scene, action, step)
    const knocks = (name: string) => {
      const knock = step.members[name]?.knock
      return knock !== undefined && knock !== before?.members[name]?.knock
    }
    await scene.settle(knocks)
    await compare(scene, step, { what, authenticators })
    before = step
  }
  // A limit: whoever takes a member's place before it has renewed its leaf keeps it out.
  const stolen = before!.thief?.acted === true ? scene.members.get("A") : undefined
  const pairs = (await pairsOf(scene)).filter(([stuck]) => stuck !== stolen)
  if (pair < pairs.length) await comesBack(scene, pairs[pair]!)
  await end(scene, before!, stolen)
  return pairs.length
}

function create(scene: TraceWorld, { scenario, actions }: Trace, step: Step): Promise<void> {
  const members = actions[0]!.members as string[]
  const newcomers = Object.keys(step.members).filter((name) => !members.includes(name))
  // Who says that a commit did not open is believed once for each committer; the model knows whether it is true. Here the
  // first that M names is B's, and so is the second.
  return scene.create(members, newcomers, scenario === "loop" ? "B" : undefined)
}

const does: Readonly<Record<string, (scene: TraceWorld, action: Action, step: Step) => Promise<void>>> = {
  // --- Honest members ---
  deliver: async (scene, { actor }) => {
    if (actor === "T") return scene.thief!.follow()
    await scene.member(actor).act(atOnce)
    if (actor === "A") scene.forget()
  },
  send: (scene, { actor }) => scene.member(actor).wish((it) => it.send("hello")),
  refresh: async (scene, { actor }, { refused }) => {
    if (actor === "A") scene.remember()
    if (refused) return commitOnTop(scene)
    const member = scene.member(actor)
    // One that has been let in does so by itself.
    if (member.state.facts.renewalDue) await member.owed()
    else await member.wish((it) => it.refresh())
  },
  remove: async (scene, { actor, whom }) => {
    if (actor === "A") scene.remember()
    await scene.member(actor).wish((it) => it.remove(whom as string))
  },
  add: async (scene, { actor, whom }) => {
    if (actor === "A") scene.remember()
    await scene.member(actor).wish((it) => it.invite(whom as string))
  },
  join: async (scene, { actor }) => {
    await scene.member(actor).act(atOnce)
  },
  restart: (scene, { actor }) => scene.member(actor).restart(),
  hear: async (scene, { actor, knock }) => scene.member(actor).hear(scene.knocks[Number(knock) - 1]!),
  answer: (scene, { actor }, { log }) => scene.answers(actor, { due: log > scene.head - scene.base }),
  "take answer": (scene, { actor }) => scene.member(actor).act(entering),

  // --- The insider ---
  "closed path": ({ insider }, { closedTo }) => insider.closePath(closedTo as string[]),
  "other key": ({ insider }) => insider.misregister(insider.strangeKeys()),
  "path without a key": ({ insider }) => insider.misregister(undefined),
  garbage: ({ insider }) => insider.garbage(insider.group.epoch),
  "garbage with a key": ({ insider }) => insider.garbage(insider.group.epoch, insider.strangeKeys()),
  "past commit with a key": ({ insider }) => insider.garbage(insider.group.epoch - 1n, insider.strangeKeys()),
  "past commit": ({ insider }) => insider.appendSibling(),
  "false answer": ({ insider, knocks }, { knock }) => insider.answer(knocks[Number(knock) - 1]!, "A", "broken"),
  "invented answer": ({ insider, knocks }, { knock }) => insider.answer(knocks[Number(knock) - 1]!, "A", "invented"),
  knock: async (scene, { actor }) => {
    if (actor === "T") return knockAsThief(scene)
    const { insider } = scene
    const stuckAt = await insider.mallory.lastCommit(insider.group.id)
    const leafNodeHashes = [insider.leafHash("M")]
    scene.knocks.push(await insider.knock(insider.mallory.signer, { leafNodeHashes, stuckAt }))
  },
  "knock for a stranger": async ({ insider, knocks }) => {
    const stranger = copyOfSigner(insider.mallory.signer, "S")
    knocks.push(await insider.knock(stranger, { leafNodeHashes: [insider.leafHash("M")] }))
  },
  "forged knock": async ({ insider, knocks, world }) => {
    // The pause after A's knock is over: it is not what keeps this one out.
    world.now += 60_000
    // She has seen A's key package in A's knock, and signs with her own key.
    const { keyPackage } = insider.opened(knocks[0]!).content
    const leafNodeHashes = [insider.leafHash("A"), insider.packageLeafHash(keyPackage)]
    const stuckAt = await insider.mallory.lastCommit(insider.group.id)
    knocks.push(await insider.knock(insider.mallory.signer, { leafNodeHashes, keyPackage, stuckAt }))
  },

  // --- The thief ---
  commit: ({ thief }) => thief!.commit(),
  copy: async (scene) => {
    scene.thief = await scene.asA()
  },

  // --- The service ---
  "a day passes": async ({ world, members }) => {
    world.now += 25 * 3_600_000
    // Members who are there would have answered long ago: what they have heard of is as old as what the service keeps.
    for (const { conversation } of members.values()) conversation?.driver.state.visitors.clear()
  },
  lie: async (scene, { of, to }) => {
    // Who hears of a knock that has been answered is said by the next action.
    if (of === "replay knock") return
    assert.equal(of, "false answer")
    const member = scene.member(to as string)
    member.falseAnswer = true
    await member.act(entering)
    member.falseAnswer = false
  },
}

/** Whether somebody can do that with a device, keys or a service. */
export const isAble = (action: Action): boolean => does[action.does] !== undefined

/** Why a trace cannot be carried out; `undefined` where it can. */
export function whyNot({ scenario, actions, kept }: Trace): string | undefined {
  if (kept === undefined) return `the scenario ${scenario} is a model of a plan, which no device carries out`
  const unknown = actions.slice(1).find((action) => !isAble(action))
  return unknown && `nobody can ${unknown.does} here`
}

async function carryOut(scene: TraceWorld, action: Action, step: Step): Promise<void> {
  const before = scene.head
  await does[action.does]!(scene, action, step)
  for (const it of [scene.insider, scene.thief]) if (it !== undefined && it.cursor > scene.head) scene.head = it.cursor
  if (step.refused) assert.equal(scene.head, before, `${action.actor} ${action.does} is refused`)
}

/** As A, a commit on top of what A has read, when another one has been accepted since. */
async function commitOnTop(scene: TraceWorld): Promise<void> {
  const { mallory, group } = await scene.asA()
  const { message: body, epoch } = group.commit()
  const parts = { welcome: new Uint8Array(), recipients: [], answers: undefined, begins: undefined }
  const answer = await mallory.append(group.id, {
    kind: "commit",
    epoch: epoch - 1n,
    body,
    commit: parts,
    after: scene.base,
  })
  assert.equal(answer.type, "stale")
}

/** With all that the thief has, and with the leaf that is in the tree: an accomplice tells him. */
async function knockAsThief(scene: TraceWorld): Promise<void> {
  const { insider, thief } = scene
  const leafNodeHashes = [insider.leafHash("A")]
  const stuckAt = await insider.mallory.lastCommit(insider.group.id)
  const knock = await thief!.knock(thief!.mallory.signer, { leafNodeHashes, seen: scene.head, stuckAt })
  scene.knocks.push(knock)
}

// --- What the model says ---------------------------------------------------------------------------------------------

const statuses: Readonly<Record<string, string>> = { active: "following" }

interface Comparing {
  readonly what: string
  /** By the model's epoch: two members are in the same one if and only if they have the same of these. */
  readonly authenticators: Map<number, string>
}

async function compare(scene: TraceWorld, step: Step, { what, authenticators }: Comparing): Promise<void> {
  assert.equal(Number(scene.head - scene.base), step.log, `${what}: entries`)
  for (const [name, said] of Object.entries(step.members)) {
    const { conversation } = scene.member(name)
    if (said.status === "outside") {
      assert.equal(conversation, undefined, `${what}: ${name} is outside`)
      continue
    }
    assert.ok(conversation !== undefined, `${what}: ${name} is in`)
    const { state } = conversation.driver
    // In a scenario, members knock so often and no more; a device does.
    const isBeyond = said.status === "recovering" && said.knock === undefined
    const found = {
      status: statuses[conversation.status] ?? conversation.status,
      cursor: Number(state.position.cursor - scene.base),
      ...(state.knock !== undefined &&
        !isBeyond && {
          knock: scene.knocks.findIndex(({ id }) => hex(id) === hex(state.knock!.id)) + 1,
        }),
    }
    const { epoch, ...expected } = said
    assert.deepEqual(found, expected, `${what}: ${name}`)
    const authenticator = hex(conversation.epochAuthenticator)
    for (const [other, known] of authenticators) {
      assert.equal(known === authenticator, other === epoch, `${what}: ${name} is in the epoch ${epoch}`)
    }
    authenticators.set(epoch, authenticator)
    const isAtHead = said.status === "following" && said.cursor === step.log
    if (isAtHead) assert.deepEqual([...conversation.members].sort(), step.tree, `${what}: ${name}'s members`)
  }
  await compareAdversaries(scene, step, what)
}

async function compareAdversaries(scene: TraceWorld, { insider, thief }: Step, what: string): Promise<void> {
  if (insider !== undefined) {
    const { mallory, group } = scene.insider
    assert.equal(await scene.reads(mallory), insider.reads, `${what}: what M reads`)
    // What would be accepted is not tried: the log would be another one.
    if (insider.appends !== "accepted") {
      const append = { kind: "application", ...scene.insider.lastWords() } as const
      assert.equal((await mallory.append(group.id, { ...append, after: scene.head })).type, insider.appends, what)
    }
  }
  if (thief !== undefined) assert.equal(await scene.reads(scene.thief!.mallory), thief.reads, `${what}: what T reads`)
}

type Pair = readonly [stuck: TraceMember, other: TraceMember]

/** Everybody reads what there is: who cannot follow then, and who can. */
async function pairsOf({ members }: TraceWorld): Promise<readonly Pair[]> {
  const present = [...members.values()].filter(({ conversation }) => conversation !== undefined)
  for (const member of present) await member.act(["read", "head"])
  const statusOf = ({ conversation }: TraceMember) => conversation!.status
  const following = present.filter((it) => statusOf(it) === "active")
  const stuck = present.filter((it) => statusOf(it) === "recovering")
  return stuck.flatMap((it) => following.map((other) => [it, other] as const))
}

/** While nobody else is there. Days pass, and so does every pause. */
async function comesBack({ world }: TraceWorld, [stuck, other]: Pair): Promise<void> {
  for (const member of [stuck, other]) member.allowed = always
  for (let round = 0; round < 9 && stuck.conversation!.status !== "active"; round++) {
    for (const { client } of [stuck, other, stuck]) await client.sync()
    world.now += round % 3 < 2 ? ITS_TURN : 25 * 3_600_000
  }
  assert.equal(stuck.conversation!.status, "active", `${stuck.name} stays out while ${other.name} is online`)
}

/**
 * What holds in every state: who is a member comes back when others are online, all are in one epoch, and each can say
 * something that the others read; or all are stopped, and know why. Nobody else is there.
 */
async function end(scene: TraceWorld, { tree }: Step, stolen: TraceMember | undefined): Promise<void> {
  const { world, members } = scene
  const present = [...members.values()].filter((it) => it !== stolen && it.conversation !== undefined)
  const clients = present.map(({ client }) => client)
  for (const member of members.values()) {
    member.allowed = always
  }
  for (let round = 0; round < 6; round++) {
    for (const client of [...clients, ...clients]) await client.sync()
    world.now += round < 3 ? 35_000 : 2 * 3_600_000
  }
  const stopped = present.filter(({ conversation }) => conversation!.status === "stopped")
  if (stopped.length > 0) {
    assert.equal(stopped.length, present.length, "all stop, or nobody")
    for (const { client, conversation, name } of present) {
      assert.ok(
        (await taken(client)).some(({ type }) => type === "stopped"),
        `${name} is told`,
      )
      await assert.rejects(conversation!.send("hello?"), { code: "LOST" })
    }
    return
  }
  for (const { name, conversation } of present) {
    assert.equal(conversation!.status, "active", `${name} in the end`)
    assert.deepEqual([...conversation!.members].sort(), tree, `${name}'s members in the end`)
    await conversation!.send(`${name} can speak`)
  }
  for (const client of [...clients, ...clients]) await client.sync()
  for (const { name, conversation } of present) {
    const [first] = present
    assert.deepEqual(conversation!.epochAuthenticator, first!.conversation!.epochAuthenticator, name)
    const said = (await conversation!.history()).slice(-present.length).map(({ text }) => text)
    assert.deepEqual([...said].sort(), present.map((it) => `${it.name} can speak`).sort(), `what ${name} has read`)
  }
}
