import * as authentication from "@conclave/auth"
import { Client, type ClientOptions, type Conversation, MemoryProfile, memoryStore } from "@conclave/client"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { directTransport, type Handler } from "@conclave/transport"
import type { Headless, HeadlessOptions } from "../../src/headless.js"
import { MemoryRecords, memoryChannel, memoryKeep } from "../../src/keep/memory.js"
import { openHeadless } from "../../src/open.js"

const provider = nodeProvider()

/** What belongs to one person, and outlives what is open. */
interface Belongings {
  readonly profile: MemoryProfile
  readonly records: MemoryRecords
}

/** Both services, real ones, in memory, and a clock that only the test moves. Clients do nothing but by `sync`. */
export class World implements AsyncDisposable {
  now = 1_800_000_000_000
  readonly #auth: Handler
  readonly #delivery: Handler
  readonly #people = new Map<string, Belongings>()
  readonly #clients = new Set<Client>()
  readonly #headless = new Set<Headless>()

  constructor() {
    const store = authentication.memoryStore()
    const shared = { crypto: provider, now: () => this.now, onError: (error: unknown) => this.faults.push(error) }
    this.#auth = authentication.authenticationService({ ...shared, store })
    this.#delivery = delivery.deliveryService({
      ...shared,
      store: delivery.memoryStore((...parts) => provider.hashes["SHA-256"]!.digest(...parts)),
      directory: authentication.directoryOf(store),
      limits: { commits: { perSecond: 1e6, burst: 1e6 } },
    })
  }

  /** Whom the services do not answer. */
  readonly offline = new Set<string>()
  /** What the services could not do, through no fault of a request. */
  readonly faults: unknown[] = []

  of(name: string): Belongings {
    const known = this.#people.get(name) ?? { profile: new MemoryProfile(), records: new MemoryRecords() }
    this.#people.set(name, known)
    return known
  }

  async client(name: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    const client = await Client.open({
      name,
      store: options.store ?? memoryStore(this.of(name).profile),
      delivery: directTransport(this.#whileOnline(name, this.#delivery)),
      auth: directTransport(this.#whileOnline(name, this.#auth)),
      provider,
      sealingKey: new Uint8Array(32).fill(7),
      now: () => this.now,
      live: false,
      policy: { keyPackages: 4, invitations: "accept" },
      ...options,
    })
    this.#clients.add(client)
    return client
  }

  async headless(client: Client, options: HeadlessOptions = {}): Promise<Headless> {
    const { records } = this.of(client.name)
    const defaults = { keep: memoryKeep(records), channel: memoryChannel(records), now: () => this.now }
    const headless = await openHeadless(client, { ...defaults, ...options })
    this.#headless.add(headless)
    return headless
  }

  /** A client that asks before it goes in, and what stands between it and a view. */
  async open(name: string, options: HeadlessOptions = {}): Promise<Headless> {
    const client = await this.client(name, { policy: { keyPackages: 4, invitations: "ask" } })
    return this.headless(client, options)
  }

  #whileOnline(name: string, handler: Handler): Handler {
    return (...request) => {
      if (this.offline.has(name)) throw new Error("it does not answer")
      return handler(...request)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const headless of this.#headless) await headless.close()
    for (const client of this.#clients) await client.close()
  }
}

/** Until nobody has anything to read or send any more, and everything is told. */
export async function settle(...all: readonly (Client | Headless)[]): Promise<void> {
  const clients = all.map((it) => ("client" in it ? it.client : it))
  for (let round = 0; round < 3; round++) for (const client of clients) await client.sync()
  for (const it of all) if ("client" in it) await told(it)
}

/** Every event so far is in the snapshots, and stored. */
export async function told(headless: Headless): Promise<void> {
  for (;;) {
    const stop = new AbortController()
    setImmediate(() => stop.abort())
    let waiting = 0
    for await (const _ of headless.client.events({ peek: true, signal: stop.signal })) waiting++
    await new Promise((resolve) => setImmediate(resolve))
    await headless.flush()
    if (waiting === 0) return
  }
}

export function only({ conversations }: Pick<Client, "conversations">): Conversation {
  const [conversation] = conversations.values()
  if (conversation === undefined) throw new Error("there is no conversation")
  return conversation
}

/** The texts of a thread's items: messages as they are, everything else by its type. */
export function lines(headless: Headless, id: string): readonly string[] {
  return headless
    .thread(id)
    .getSnapshot()
    .items.filter(({ type }) => type !== "day")
    .map((item) => {
      if (item.type === "message") return item.message.content.text ?? ""
      if (item.type === "pending") return `pending: ${item.content.text}`
      if (item.type === "failed") return `failed: ${item.message.content.text}`
      return item.type === "notice" ? `(${item.notice.event.type})` : `[${item.type}]`
    })
}

/** Messages without what happened between them. */
export const said = (headless: Headless, id: string) => lines(headless, id).filter((line) => !line.startsWith("("))
