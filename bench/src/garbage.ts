import * as authentication from "@conclave/auth"
import { Client, MemoryProfile, memoryStore } from "@conclave/client"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import type { Group, Signer } from "@conclave/mls"
import { authStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { type Handler, type Transport, TransportError } from "@conclave/transport"
import { duration, median, ratio, table } from "./contest.js"

/*
 * What a member with real keys costs four honest ones who appends garbage as fast as the service lets her. All of them and
 * the service, on SQLite in memory and with its default limits, are in this process. How she does that is written down in
 * the tests of the SDK: they are loaded by name, and what is asked of them stands here.
 */

interface Insider {
  readonly mallory: {
    readonly signer: Signer
    append(
      groupId: Uint8Array,
      entry: { kind: "application" | "commit"; epoch: bigint; body: Uint8Array; after: bigint; commit?: object },
    ): Promise<{ readonly type: string; readonly retryAfterMilliseconds?: number }>
    lastCommit(groupId: Uint8Array): Promise<bigint>
  }
  readonly group: Group
  follow(): Promise<void>
}

interface Insiders {
  readonly Insider: { of(world: Surroundings, client: Client): Promise<Insider> }
  copyOfSigner(signer: Signer, name: string): Signer
}

interface Surroundings {
  readonly now: number
  transport(service: "delivery" | "auth"): Transport
}

const load = async (): Promise<Insiders> =>
  import(new URL("../../../packages/client/dist/test/support/insider.js", import.meta.url).href)

const provider = nodeProvider()
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
const NAMES = ["alice", "bob", "carol", "dave"] as const
/** Between an honest member's messages, and between its commits, in milliseconds. */
const THINKING = 50
const COMMITTING = { least: 2_000, most: 4_000 }
const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** What happened in a round. */
interface Round {
  readonly messages: number[]
  readonly commits: number[]
  garbageMessages: number
  garbageCommits: number
  readonly seconds: number
}

class Scene {
  readonly #database = openDatabase({ file: ":memory:" })
  readonly #auth: Handler
  readonly #delivery: Handler
  readonly #clients: Client[] = []
  readonly #insiders: Insiders
  #insider!: Insider
  /** By text: how many others still have to get it. */
  readonly #under = new Map<string, () => void>()
  #said = 0

  constructor(insiders: Insiders) {
    this.#insiders = insiders
    const directory = authStore(this.#database)
    this.#auth = authentication.authenticationService({ store: directory, crypto: provider })
    this.#delivery = delivery.deliveryService({
      store: deliveryStore(this.#database, sha256),
      directory: authentication.directoryOf(directory),
      crypto: provider,
    })
  }

  async open(): Promise<void> {
    for (const name of NAMES) this.#clients.push(await this.#client(name, true))
    await this.#client("guest", false)
    const mallory = await this.#client("mallory", false)
    const conversation = await this.#clients[0]!.createConversation({ members: [...NAMES.slice(1), "mallory"] })
    await mallory.sync()
    const around: Surroundings = {
      get now() {
        return Date.now()
      },
      transport: (service) => lineOf(service === "auth" ? this.#auth : this.#delivery, "mallory"),
    }
    this.#insider = await this.#insiders.Insider.of(around, mallory)
    await this.#insider.follow()
    for (const client of this.#clients) void this.#listen(client)
    while (this.#clients.some((client) => client.conversations.size === 0)) await later(20)
    await conversation.refresh()
  }

  async #client(name: string, live: boolean): Promise<Client> {
    return Client.open({
      ...{ name, live, provider, store: memoryStore(new MemoryProfile()), sealingKey: new Uint8Array(32).fill(7) },
      ...{ delivery: lineOf(this.#delivery, name), auth: lineOf(this.#auth, name) },
    })
  }

  async #listen(client: Client): Promise<void> {
    for await (const event of client.events()) if (event.type === "message") this.#under.get(event.text ?? "")?.()
  }

  /** All members do what they do for so many seconds. */
  async round(seconds: number, { withGarbage }: { readonly withGarbage: boolean }): Promise<Round> {
    const round: Round = { messages: [], commits: [], garbageMessages: 0, garbageCommits: 0, seconds }
    const end = performance.now() + seconds * 1_000
    const isOn = () => performance.now() < end
    const honest = this.#clients.flatMap((client) => [
      this.#speak(client, round, isOn),
      this.#commit(client, round, isOn),
    ])
    const garbage = withGarbage ? [this.#litter("application", round, isOn), this.#litter("commit", round, isOn)] : []
    await Promise.all([...honest, ...garbage])
    return round
  }

  /** One message after the other; each has arrived when all others have it. */
  async #speak(client: Client, { messages }: Round, isOn: () => boolean): Promise<void> {
    const conversation = only(client)
    while (isOn()) {
      const text = `${client.name} ${this.#said++}`
      let left = this.#clients.length - 1
      const begun = performance.now()
      const arrived = new Promise<void>((resolve) => {
        this.#under.set(text, () => --left === 0 && resolve())
      })
      await Promise.all([conversation.send(text), arrived])
      this.#under.delete(text)
      if (isOn()) messages.push(performance.now() - begun)
      await later(THINKING)
    }
  }

  /** Renewals; and now and then Alice invites a guest, or removes it. */
  async #commit(client: Client, { commits }: Round, isOn: () => boolean): Promise<void> {
    const conversation = only(client)
    for (let at = 0; ; at++) {
      await later(COMMITTING.least + (COMMITTING.most - COMMITTING.least) * Math.random())
      if (!isOn()) return
      const begun = performance.now()
      if (client.name !== "alice" || at % 2 === 0) await conversation.refresh()
      else if (conversation.members.includes("guest")) await conversation.remove("guest")
      else await conversation.invite("guest")
      if (isOn()) commits.push(performance.now() - begun)
    }
  }

  /**
   * Messages that decrypt and mean nothing; commits with a good signature whose path puts another name into her leaf. The
   * service can tell neither.
   */
  async #litter(kind: "application" | "commit", round: Round, isOn: () => boolean): Promise<void> {
    const { mallory } = this.#insider
    let after = await mallory.lastCommit(this.#insider.group.id)
    while (isOn()) {
      const answer = await mallory.append(this.#insider.group.id, { ...this.#garbage(kind), after })
      if (answer.type === "accepted") {
        if (kind === "commit") round.garbageCommits++
        else round.garbageMessages++
      } else if (answer.type === "throttled") await later(answer.retryAfterMilliseconds ?? 50)
      if (answer.type === "accepted" && kind === "application") continue
      // Somebody else has committed, or she has herself.
      await this.#insider.follow()
      after = await mallory.lastCommit(this.#insider.group.id)
    }
  }

  #garbage(kind: "application" | "commit") {
    const { group } = this.#insider
    const { epoch } = group
    if (kind === "application") return { kind, epoch, body: group.encrypt(provider.random(200)) }
    const signer = this.#insiders.copyOfSigner(this.#insider.mallory.signer, "support")
    const { message: body } = group.commit({ signer })
    group.discardPending()
    const none = new Uint8Array()
    return { kind, epoch, body, commit: { welcome: none, recipients: [], begins: undefined, answers: undefined } }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.#database.close()
  }
}

const only = (client: Client) => [...client.conversations.values()][0]!

/** As over a line from an address of one's own. */
function lineOf(handler: Handler, peer: string): Transport {
  const closed = new AbortController()
  const context = (signal: AbortSignal) => ({ signal, early: false, peer, network: peer })
  return {
    async request(body) {
      for await (const answer of handler(body.slice(), context(closed.signal))) return answer.slice()
      throw new TransportError("no answer", { retryable: true })
    },
    async *subscribe(body, { signal } = {}) {
      const gone = signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal])
      for await (const answer of handler(body.slice(), context(gone))) yield answer.slice()
    },
    async [Symbol.asyncDispose]() {
      closed.abort()
    },
  }
}

/** With her and without, in turns: medians of so many rounds. */
export async function garbage(rounds: number, quick: boolean): Promise<void> {
  const insiders = await load()
  const seconds = quick ? 5 : 20
  const sides = { without: new Scene(insiders), with: new Scene(insiders) }
  for (const side of Object.values(sides)) {
    await side.open()
    await side.round(3, { withGarbage: false })
  }
  const found: Record<keyof typeof sides, Round[]> = { without: [], with: [] }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (["without", "with"] as const) : (["with", "without"] as const)
    for (const side of order) found[side].push(await sides[side].round(seconds, { withGarbage: side === "with" }))
  }
  const figure = (of: (round: Round) => number) => {
    return [median(found.without.map(of)), median(found.with.map(of))] as const
  }
  const rate = (name: string, of: (round: Round) => number) => {
    const [without, withHer] = figure((round) => (of(round) / round.seconds) * 60)
    return [name, without.toFixed(0), withHer.toFixed(0), without === 0 ? "" : ratio(withHer / without)]
  }
  const time = (name: string, of: (round: Round) => number) => {
    const [without, withHer] = figure(of)
    return [name, duration(without), duration(withHer), ratio(withHer / without)]
  }
  console.log(`\nFour members, and one who appends garbage without pause: ${seconds} s in turn, medians of ${rounds}`)
  console.log(
    table([
      ["", "without her", "with her", "ratio"],
      rate("messages a minute that all have read", ({ messages }) => messages.length),
      time("from sending to the last reader, median", ({ messages }) => at(messages, 0.5)),
      time("from sending to the last reader, p99", ({ messages }) => at(messages, 0.99)),
      rate("commits a minute", ({ commits }) => commits.length),
      time("a commit, median", ({ commits }) => at(commits, 0.5)),
      time("a commit, p99", ({ commits }) => at(commits, 0.99)),
      rate("her messages a minute", ({ garbageMessages }) => garbageMessages),
      rate("her commits a minute", ({ garbageCommits }) => garbageCommits),
    ]),
  )
  for (const side of Object.values(sides)) await side.close()
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
