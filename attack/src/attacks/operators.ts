import type { Entry } from "@conclave/contracts/delivery"
import { logChainHash } from "@conclave/contracts/log-chain"
import { nodeProvider } from "@conclave/crypto/node"
import Database from "libsql"
import { type Attack, outcome } from "../attack.js"
import {
  type AuthResponse,
  acceptedAs,
  answerDelivery,
  type DeliveryRequest,
  type DeliveryResponse,
  noAccess,
} from "../contract.js"
import { IntervalKeys } from "../interval-keys.js"
import { answerTo, type Knock, openKnock, readmission } from "../knocks.js"
import type { Mallory } from "../mallory.js"
import { Operator } from "../operator.js"
import { place } from "../place.js"
import { ServiceKey, type Word } from "../service-key.js"
import { until, within } from "../timing.js"
import { eventsOf, inWords, settle, teamOf, tries, type World } from "../world.js"

const sha256 = (...parts: readonly Uint8Array[]) => nodeProvider().hashes["SHA-256"]!.digest(...parts)

/** A log that goes on for one member alone: from an entry of the true one on, with a chain that fits. */
class ForgedLog {
  readonly entries: Entry[] = []
  readonly #key: ServiceKey
  #head: Pick<Entry, "seq" | "chainHash">

  constructor(after: Pick<Entry, "seq" | "chainHash">, key: ServiceKey) {
    this.#head = after
    this.#key = key
  }

  append(entry: Pick<Entry, "kind" | "epoch" | "body" | "begins">): Entry {
    const seq = this.#head.seq + 1n
    const at = BigInt(Date.now())
    const placed = { ...entry, seq, at }
    this.#head = { seq, chainHash: logChainHash(sha256, this.#head.chainHash, placed) }
    const whole = { ...placed, chainHash: this.#head.chainHash }
    this.entries.push(whole)
    return whole
  }

  answer(request: DeliveryRequest): DeliveryResponse | undefined {
    if (!("groupId" in request)) return undefined
    if (request.type === "append") {
      const { kind, epoch, body, commit } = request
      const { seq, chainHash } = this.append({ kind, epoch, body, begins: commit?.begins })
      return {
        ...acceptedAs(seq),
        seq,
        chainHash,
        ...this.#key.word(request.groupId, { seq, chainHash }),
      } as DeliveryResponse
    }
    const word = this.#key.word(request.groupId, this.#head)
    if (request.type === "head") {
      const { seq: headSeq, chainHash } = this.#head
      const lastCommitSeq = this.entries.filter(({ kind }) => kind === "commit").at(-1)?.seq ?? headSeq
      return { type: "head", headSeq, lastCommitSeq, chainHash, ...word }
    }
    if (request.type !== "read") return undefined
    const entries = this.entries.filter(({ seq }) => seq > request.afterSeq)
    return { type: "entries", groupId: request.groupId, entries, headSeq: this.#head.seq, ...word }
  }
}

/** What the service does so that somebody who was removed reads one member again. */
class Accomplice {
  /** The newest entry that the victim has been shown. */
  shown: Pick<Entry, "seq" | "chainHash"> = { seq: 0n, chainHash: new Uint8Array() }
  doing: "nothing" | "spoiling" | "forging" = "nothing"
  log: ForgedLog | undefined
  readonly #carol: Mallory
  readonly #key: ServiceKey
  #knock: Knock | undefined
  #answer: DeliveryResponse | undefined

  constructor(carol: Mallory, key: ServiceKey) {
    this.#carol = carol
    this.#key = key
  }

  forge(): void {
    this.doing = "forging"
    this.log = new ForgedLog(this.shown, this.#key)
  }

  async answer(
    request: DeliveryRequest,
    truth: (request: DeliveryRequest) => Promise<DeliveryResponse>,
  ): Promise<DeliveryResponse | undefined> {
    if (this.doing === "forging") return request.type === "answer" ? this.#answer : this.log!.answer(request)
    if (this.doing === "spoiling") return this.#spoil(request)
    if (request.type !== "read") return undefined
    const page = await truth(request)
    if (page.type === "entries") this.shown = page.entries.at(-1) ?? this.shown
    return page
  }

  /** The log is not kept so long; and the knock is for Carol. */
  #spoil(request: DeliveryRequest): DeliveryResponse | undefined {
    if (request.type === "knock" && request.access.type === "proof") {
      this.#knock = { id: request.id, sealed: request.sealed, key: request.access.key, at: 0n }
      return { type: "done" }
    }
    if (request.type === "answer")
      return this.#answerKnock(request.groupId) ?? { type: "notFound", groupId: request.groupId }
    if (request.type !== "read") return new ForgedLog(this.shown, this.#key).answer(request)
    return { type: "belowRetention", groupId: request.groupId, oldestSeq: this.shown.seq + 1_000n }
  }

  /** By what Carol knows from before her removal: in her own epochs of the group, she is a member still. */
  #answerKnock(groupId: Uint8Array): DeliveryResponse | undefined {
    const carol = this.#carol
    const knock = this.#knock && openKnock(groupId, this.#knock, carol.keys!)
    if (knock === undefined) return undefined
    const { keys } = carol
    const group = carol.group!
    for (let n = 0; n < 3; n++) {
      const commit = group.commit()
      group.apply(commit, carol.mls.dangerouslyAcceptAll(commit.claims))
    }
    const { made, keys: after, welcome } = readmission(carol, knock.content.keyPackage, "bob")
    const { epoch } = group
    group.apply(made, carol.mls.dangerouslyAcceptAll(made.claims))
    this.forge()
    const begins = { accessKey: after.accessKey, removes: true }
    const { seq } = this.log!.append({ kind: "commit", epoch, body: made.message, begins })
    const { to, welcome: sealed } = answerTo(carol, groupId, this.#knock!.id, keys!, welcome)
    this.#answer = { type: "answer", seq, key: to[0]!.key, welcome: sealed }
    return this.#answer
  }
}

/** Bob's service lets Carol answer, who was removed: he has read of that before, and then his log is spoiled. */
function afterRemoval(id: string, title: string): Attack {
  return {
    id,
    title,
    who: "operator",
    async run(world) {
      const service = await world.service()
      const carol = await world.mallory("carol")
      const accomplice = new Accomplice(carol, new ServiceKey(service.file))
      await using operator = await Operator.start(service.url, {
        delivery: (request, truth) => accomplice.answer(request, truth),
      })
      await carol.publish()
      const alice = await world.open("alice")
      const bob = await world.open("bob", { service: operator.url })
      const { id } = await alice.createConversation({ title: "team", members: ["bob", "carol"] })
      await carol.join()
      const team = teamOf(id, [alice, bob])
      await settle(alice, bob)
      // The chain begins with the first entry that Bob reads.
      await tries(team.of("alice"), "hello")
      await settle(alice, bob)
      await carol.follow()
      await team.of("alice").remove("carol")
      await settle(bob)
      accomplice.doing = "spoiling"
      await settle(bob)
      const sent = await tries(team.of("bob"), "the takeover bid is 12.50 a share")
      // What she has made herself she does not have to take.
      for (const entry of accomplice.log?.entries ?? []) carol.take(entry)
      const from = carol.heardOf("takeover bid")
      const told = (await eventsOf(bob)).filter(({ type }) => ["recovered", "members", "rejected"].includes(type))
      return outcome(
        from !== undefined,
        `bob: ${sent}, ${team.of("bob").status}, members=[${team.of("bob").members}], ${told.map(inWords).join("; ")}; ` +
          `carol reads what ${from ?? "nobody"} says`,
      )
    },
  }
}

const readsAgain = afterRemoval("H1", "lets a removed member read again what somebody says who knows of the removal")

/**
 * To a member from whom it is kept, the conversation is as it was, and the removed one reads what that member says: until
 * something that somebody says is let through to somebody who has read the removal.
 */
const hidesRemoval: Attack = {
  id: "H2b",
  title: "hides a removal from one member, and lets through what they say, unnoticed",
  who: "operator",
  async run(world) {
    const service = await world.service()
    const carol = await world.mallory("carol")
    const accomplice = new Accomplice(carol, new ServiceKey(service.file))
    await using operator = await Operator.start(service.url, {
      delivery: (request, truth) => accomplice.answer(request, truth),
    })
    await carol.publish()
    const alice = await world.open("alice")
    const bob = await world.open("bob", { service: operator.url })
    const { id } = await alice.createConversation({ title: "team", members: ["bob", "carol"] })
    await carol.join()
    const team = teamOf(id, [alice, bob])
    await settle(alice, bob)
    await tries(team.of("alice"), "hello")
    await settle(alice, bob)
    await carol.follow()
    accomplice.forge()
    await team.of("alice").remove("carol")
    await settle(bob)
    const said = [await tries(team.of("bob"), "one"), await tries(team.of("bob"), "two")]
    for (const entry of accomplice.log?.entries ?? []) carol.take(entry)
    // Alice is to hear Bob, or she wonders.
    place(service.file, accomplice.log?.entries ?? [])
    await settle(alice)
    const heard = (await team.of("alice").history({ limit: 50 })).some(({ text }) => text === "two")
    const alarms = (await eventsOf(alice)).filter(isAlarm)
    return outcome(
      heard && alarms.length === 0,
      `bob: ${said}, carol reads what ${carol.heardOf("two") ?? "nobody"} says; alice ${heard ? "hears him" : "hears nothing"}, ` +
        `alarms: [${alarms.map(inWords).join("; ")}]`,
    )
  },
}

/** H2: the log without one entry, and a chain that fits. `chainHash` is that of the entry before it. */
class Omission {
  readonly #seq: bigint
  readonly #key: ServiceKey
  readonly #chains = new Map<bigint, Uint8Array>()

  constructor(seq: bigint, chainHash: Uint8Array, key: ServiceKey) {
    this.#seq = seq
    this.#key = key
    this.#chains.set(seq - 1n, chainHash)
  }

  /** Seqs as the victim knows them are lower by one from here on. */
  async answer(
    request: Extract<DeliveryRequest, { type: "read" }>,
    truth: (afterSeq: bigint) => Promise<DeliveryResponse>,
  ): Promise<DeliveryResponse> {
    const page = await truth(request.afterSeq >= this.#seq ? request.afterSeq + 1n : request.afterSeq)
    if (page.type !== "entries") return page
    const entries = page.entries.filter(({ seq }) => seq !== this.#seq).map((entry) => this.#moved(entry))
    const last = entries.at(-1)
    const word: Word = last === undefined ? page : this.#key.word(page.groupId, last)
    return { ...page, entries, headSeq: page.headSeq - 1n, ...word }
  }

  #moved(entry: Entry): Entry {
    if (entry.seq < this.#seq) return entry
    const moved = { ...entry, seq: entry.seq - 1n }
    const chainHash = logChainHash(sha256, this.#chains.get(moved.seq - 1n)!, moved)
    this.#chains.set(moved.seq, chainHash)
    return { ...moved, chainHash }
  }
}

/** What tells somebody that the service, or a member, does not show them what it has to. */
const isAlarm = ({ type }: { readonly type: string }) => ["rejected", "recovered", "contradicted"].includes(type)

const leavesOut: Attack = {
  id: "H2",
  title: "leaves one message out for one member",
  who: "operator",
  quick: true,
  async run(world) {
    const service = await world.service()
    let omission: Omission | undefined
    // A service needs no key to read what it has; this one reads with a member's.
    const eyes = await world.mallory("eyes")
    await eyes.publish()
    await using operator = await Operator.start(service.url, {
      delivery: async (request) =>
        request.type === "read"
          ? omission?.answer(request, (afterSeq) => eyes.read(request.groupId, afterSeq))
          : undefined,
    })
    const alice = await world.open("alice")
    const bob = await world.open("bob", { service: operator.url })
    const { id } = await alice.createConversation({ title: "team", members: ["bob", "eyes"] })
    const team = teamOf(id, [alice, bob])
    await settle(alice, bob)
    await eyes.join()
    const head = await eyes.head(team.id)
    omission = new Omission(head.headSeq + 1n, head.chainHash, new ServiceKey(service.file))
    await tries(team.of("alice"), "Bob, do NOT pay that bill")
    await tries(team.of("alice"), "see you tomorrow")
    await settle(bob)
    const texts = (await team.of("bob").history({ limit: 50 })).map(({ text }) => text)
    const alarms = (await eventsOf(bob)).filter(isAlarm)
    return outcome(
      texts.includes("see you tomorrow") && !texts.includes("Bob, do NOT pay that bill") && alarms.length === 0,
      `bob has read [${texts.join(", ")}]; alarms: [${alarms.map(inWords).join("; ")}]`,
    )
  },
}

/** H8: an answer that is no more than a mistake, once. */
function mistaken(id: string, title: string, mistake: (groupId: Uint8Array) => DeliveryResponse): Attack {
  return {
    id,
    title,
    who: "operator",
    quick: true,
    async run(world) {
      const service = await world.service()
      let lies = false
      await using operator = await Operator.start(service.url, {
        delivery: async (request) => (lies && "groupId" in request ? mistake(request.groupId) : undefined),
      })
      const alice = await world.open("alice", { service: operator.url })
      const bob = await world.open("bob")
      const { id: conversation } = await alice.createConversation({ title: "team", members: ["bob"] })
      const team = teamOf(conversation, [alice, bob])
      await settle(alice, bob)
      lies = true
      await settle(alice)
      const during = team.of("alice").status
      lies = false
      await settle(alice)
      const sent = await tries(team.of("alice"), "are you there?")
      return outcome(sent !== "sent", `meanwhile ${during}, then ${team.of("alice").status}; alice: ${sent}`)
    },
  }
}

const forgets = mistaken(
  "H8a",
  "has a conversation lost for good by saying once that it does not exist",
  (groupId) => ({ type: "notFound", groupId }),
)
const denies = mistaken("H8b", "has a conversation lost for good by denying it once", (groupId) => ({
  type: "denied",
  groupId,
  reason: "not today",
}))

/** The directory says that Bob has one device more, which is the operator's own. */
async function withGhost(world: World, from: "first contact" | "later on") {
  const service = await world.service()
  const spy = await world.mallory("a-name-that-nobody-sees", { poses: "bob" })
  await spy.publish()
  let lies = from === "first contact"
  const operator = await Operator.start(service.url, {
    async auth(request, truth) {
      if (!lies || request.type !== "lookup" || request.name !== "bob") return undefined
      const answer = await truth(request)
      if (answer.type !== "devices") return answer
      const device = {
        deviceId: spy.deviceId,
        cipherSuite: 1,
        signatureKey: spy.signer.key.publicKey,
        registeredAt: BigInt(Date.now()),
        endorsement: undefined,
      }
      return { ...answer, devices: [...answer.devices, device] } satisfies AuthResponse
    },
  })
  await world.open("bob")
  const alice = await world.open("alice", { service: operator.url })
  if (from === "later on") await alice.createConversation({ title: "before", members: ["bob"] })
  lies = true
  const known = new Set(alice.conversations.keys())
  await alice.createConversation({ title: "us two", members: ["bob"] }).catch(() => undefined)
  const conversation = [...alice.conversations.values()].find(({ id }) => !known.has(id))
  const sent = conversation === undefined ? "nothing to send to" : await tries(conversation, "only for you, Bob")
  const joined = await spy.join().catch(() => undefined)
  if (joined) await spy.follow()
  const told = (await eventsOf(alice)).filter(({ type }) => type !== "sent").map(inWords)
  const reader = spy.heardOf("only for you, Bob")
  await operator[Symbol.asyncDispose]()
  return outcome(reader !== undefined, `alice: ${sent}, ${told.join("; ")}; the ghost reads: ${reader ?? "nothing"}`)
}

const ghost: Attack = {
  id: "M1",
  title: "adds a device of its own to somebody at first contact",
  who: "operator",
  run: (world) => withGhost(world, "first contact"),
}

const laterGhost: Attack = {
  id: "D2",
  title: "adds a device of its own to somebody whose key is known",
  who: "operator",
  quick: true,
  run: (world) => withGhost(world, "later on"),
}

const MINUTES_WRONG = 10

const wrongClock: Attack = {
  id: "H11b",
  title: "a clock ten minutes wrong turns a client into a loop against the service",
  who: "accident",
  async run(world) {
    const service = await world.service()
    let requests = 0
    await using operator = await Operator.start(service.url, {
      async delivery() {
        requests++
        return undefined
      },
    })
    await (await world.open("alice")).close()
    const alice = await world.open("alice", {
      service: operator.url,
      live: true,
      now: () => Date.now() + MINUTES_WRONG * 60_000,
    })
    let changes = 0
    let online = alice.online
    alice.observe(() => {
      if (alice.online !== online) changes++
      online = alice.online
    })
    requests = 0
    await until(() => false, 6_000)
    return outcome(requests > 20 || changes > 6, `in 6 s ${requests} requests, "online" changed ${changes} times`)
  },
}

const PEOPLE = ["alice", "bob", "carol"]

const roster: Attack = {
  id: "H12",
  title: "reads who is in which conversation",
  who: "operator",
  async run(world) {
    const team = await world.team(PEOPLE)
    const service = await world.service()
    // Every kind of entry that says something of members: they come, are let in again, renew, ask to leave, and go.
    await team.of("bob").refresh()
    await settle(...team.clients)
    await within(3_000, team.of("carol").leave())
    await settle(...team.clients)
    const database = new Database(service.file, { readonly: true })
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[]
    // One value that holds two names is a list of members.
    const found = tables.filter(({ name }) => {
      const values = (database.prepare(`SELECT * FROM "${name}"`).raw(true).all() as unknown[][]).flat()
      return values.some((value) => PEOPLE.filter((who) => holds(value, who)).length > 1)
    })
    database.close()
    const names = found.map(({ name }) => name)
    return outcome(
      names.length > 0,
      `of ${team.clients.length} names, two together in: ${names.join(", ") || "no table"}`,
    )
  },
}

const holds = (value: unknown, name: string) =>
  value instanceof Uint8Array && Buffer.from(value).includes(Buffer.from(name))

const anonymousRoster: Attack = {
  id: "H12b",
  title: "reads who is in a conversation whose id she knows",
  who: "stranger",
  async run(world) {
    const team = await world.team(PEOPLE)
    const stranger = await world.mallory("stranger", { registered: false })
    const keys = IntervalKeys.unknown(stranger.suite)
    const { id: groupId } = team
    const page = { groupId, afterSeq: 0n, limit: 500, access: noAccess }
    const requests = [
      { type: "read", ...page },
      { type: "head", groupId, access: noAccess },
    ] as const
    const answers = await Promise.all(
      [undefined, keys].flatMap((prover) => requests.map((request) => stranger.askGroup(request, prover))),
    )
    const told = Buffer.concat(answers.map(answerDelivery))
    const names = PEOPLE.filter((name) => told.includes(Buffer.from(name)))
    return outcome(names.length > 0, `service: ${answers.map(({ type }) => type).join(", ")}; names in it: [${names}]`)
  },
}

export const operators: readonly Attack[] = [
  readsAgain,
  hidesRemoval,
  leavesOut,
  forgets,
  denies,
  ghost,
  laterGhost,
  wrongClock,
  roster,
  anonymousRoster,
]
