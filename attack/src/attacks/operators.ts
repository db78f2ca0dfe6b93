import type { Entry } from "@conclave/contracts/delivery"
import { logChainHash } from "@conclave/contracts/log-chain"
import { nodeProvider } from "@conclave/crypto/node"
import Database from "libsql"
import { type Attack, outcome } from "../attack.js"
import { type AuthResponse, acceptedAs, type DeliveryRequest, type DeliveryResponse } from "../contract.js"
import type { Mallory } from "../mallory.js"
import { Operator } from "../operator.js"
import { until } from "../timing.js"
import { eventsOf, inWords, settle, teamOf, tries, type World } from "../world.js"

const sha256 = (...parts: readonly Uint8Array[]) => nodeProvider().hashes["SHA-256"]!.digest(...parts)
const random = (size: number) => crypto.getRandomValues(new Uint8Array(size))

/** H1: what the service has to do so that somebody who was removed reads one member again. */
class Accomplice {
  stale: Awaited<ReturnType<Mallory["groupInfo"]>> | undefined
  /** Spoils the chain, and then brings nothing. */
  spoils = false
  captured: { kind: "application" | "proposal" | "commit"; body: Uint8Array }[] = []
  seq = 1_000n

  async answer(
    request: { type: string; [field: string]: any },
    truth: (request: any) => Promise<DeliveryResponse>,
  ): Promise<DeliveryResponse | undefined> {
    if (!this.spoils) return undefined
    if (request.type === "groupInfo") return this.stale
    if (request.type === "append") {
      this.captured.push({ kind: request.kind, body: request.body })
      this.seq++
      return acceptedAs(this.seq)
    }
    if (request.type !== "read") return undefined
    if (this.captured.length > 0) {
      return { type: "entries", groupId: request.groupId, entries: [], headSeq: this.seq }
    }
    const page = await truth(request)
    if (page.type !== "entries") return page
    return { ...page, entries: page.entries.map((entry) => ({ ...entry, chainHash: random(32) })) }
  }
}

/** Bob's service hides that Carol was removed; `sees`: he has read of it before, and then his log is spoiled. */
function afterRemoval(id: string, title: string, { sees }: { readonly sees: boolean }): Attack {
  return {
    id,
    title,
    who: "operator",
    async run(world) {
      const service = await world.service()
      const accomplice = new Accomplice()
      await using operator = await Operator.start(service.url, {
        delivery: (request, truth) => accomplice.answer(request, truth),
      })
      const carol = await world.mallory("carol")
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
      accomplice.stale = await carol.groupInfo(team.id)
      await team.of("alice").remove("carol")
      if (sees) {
        await settle(bob)
        await tries(team.of("alice"), "now that carol has gone")
      }
      accomplice.spoils = true
      await settle(bob)
      const sent = await tries(team.of("bob"), "the takeover bid is 12.50 a share")
      for (const { kind, body } of accomplice.captured) carol.take({ seq: 0n, kind, body })
      const from = carol.heardOf("takeover bid")
      const told = (await eventsOf(bob)).filter(({ type }) => type === "recovered" || type === "members")
      return outcome(
        from !== undefined,
        `bob: ${sent}, ${team.of("bob").status}, members=[${team.of("bob").members}], ${told.map(inWords).join("; ")}; ` +
          `carol reads what ${from ?? "nobody"} says`,
      )
    },
  }
}

const readsAgain = afterRemoval("H1", "lets a removed member read again what somebody says who knows of the removal", {
  sees: true,
})

/** To a member from whom it is kept, the conversation is as it was: as with any other entry, nobody compares. */
const hidesRemoval: Attack = {
  ...afterRemoval("H2b", "hides a removal from one member, whom the removed one goes on reading", { sees: false }),
  open: "Admission",
}

/** H2: the log without one entry, and a chain that fits. `chainHash` is that of the entry before it. */
class Omission {
  readonly #seq: bigint
  readonly #chains = new Map<bigint, Uint8Array>()

  constructor(seq: bigint, chainHash: Uint8Array) {
    this.#seq = seq
    this.#chains.set(seq - 1n, chainHash)
  }

  /** Seqs as the victim knows them are lower by one from here on. */
  async answer(
    request: Extract<DeliveryRequest, { type: "read" }>,
    truth: (request: DeliveryRequest) => Promise<DeliveryResponse>,
  ): Promise<DeliveryResponse> {
    const afterSeq = request.afterSeq >= this.#seq ? request.afterSeq + 1n : request.afterSeq
    const page = await truth({ ...request, afterSeq })
    if (page.type !== "entries") return page
    const entries = page.entries.filter(({ seq }) => seq !== this.#seq).map((entry) => this.#moved(entry))
    return { ...page, entries, headSeq: page.headSeq - 1n }
  }

  #moved(entry: Entry): Entry {
    if (entry.seq < this.#seq) return entry
    const moved = { ...entry, seq: entry.seq - 1n }
    const chainHash = logChainHash(sha256, this.#chains.get(moved.seq - 1n)!, moved)
    this.#chains.set(moved.seq, chainHash)
    return { ...moved, chainHash }
  }
}

const leavesOut: Attack = {
  id: "H2",
  title: "leaves one message out for one member",
  who: "operator",
  open: "Admission",
  quick: true,
  async run(world) {
    const service = await world.service()
    let omission: Omission | undefined
    await using operator = await Operator.start(service.url, {
      delivery: async (request, truth) => (request.type === "read" ? omission?.answer(request, truth) : undefined),
    })
    const alice = await world.open("alice")
    const bob = await world.open("bob", { service: operator.url })
    const { id } = await alice.createConversation({ title: "team", members: ["bob"] })
    const team = teamOf(id, [alice, bob])
    await settle(alice, bob)
    const head = await (await world.mallory()).delivery({ type: "head", groupId: team.id })
    if (head.type !== "head") throw new Error(`head: ${head.type}`)
    omission = new Omission(head.headSeq + 1n, head.chainHash)
    await tries(team.of("alice"), "Bob, do NOT pay that bill")
    await tries(team.of("alice"), "see you tomorrow")
    await settle(bob)
    const texts = (await team.of("bob").history({ limit: 50 })).map(({ text }) => text)
    const alarms = (await eventsOf(bob)).filter(({ type }) => type === "rejected" || type === "recovered")
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
const forbids = mistaken("H8b", "has a conversation lost for good by forbidding it once", () => ({
  type: "forbidden",
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

const roster: Attack = {
  id: "H12",
  title: "reads who is in which conversation",
  who: "operator",
  open: "Admission",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const service = await world.service()
    const database = new Database(service.file, { readonly: true })
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[]
    // One value that holds both names is a list of members: a tree.
    const found = tables.filter(({ name }) => {
      const values = (database.prepare(`SELECT * FROM "${name}"`).raw(true).all() as unknown[][]).flat()
      return values.some((value) => ["alice", "bob"].every((who) => holds(value, who)))
    })
    database.close()
    const names = found.map(({ name }) => name)
    return outcome(names.length > 0, `${team.clients.length} names together in: ${names.join(", ") || "no table"}`)
  },
}

const holds = (value: unknown, name: string) =>
  value instanceof Uint8Array && Buffer.from(value).includes(Buffer.from(name))

const anonymousRoster: Attack = {
  id: "H12b",
  title: "reads who is in a conversation whose id she knows",
  who: "stranger",
  open: "Admission",
  async run(world) {
    const team = await world.team(["alice", "bob"])
    const stranger = await world.mallory("stranger", { registered: false })
    const answer = await stranger.delivery({ type: "groupInfo", groupId: team.id })
    const tree = answer.type === "groupInfo" ? Buffer.from(answer.ratchetTree ?? answer.groupInfo) : Buffer.alloc(0)
    const names = ["alice", "bob"].filter((name) => tree.includes(Buffer.from(name)))
    return outcome(names.length > 0, `service: ${answer.type}; names in it: [${names}]`)
  },
}

export const operators: readonly Attack[] = [
  readsAgain,
  hidesRemoval,
  leavesOut,
  forgets,
  forbids,
  ghost,
  laterGhost,
  wrongClock,
  roster,
  anonymousRoster,
]
