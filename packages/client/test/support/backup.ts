import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import { type Client, type ClientOptions, MemoryProfile, memoryStore, type Store } from "../../src/index.js"
import { answered } from "./tampered.js"
import { type Branch, settle, taken, World } from "./world.js"

export const only = (client: Client) => [...client.conversations.values()][0]!
export const texts = async (client: Client) => (await only(client).history({ limit: 1_000 })).map(({ text }) => text)
/** What waits and is no message, acknowledged: in a word each. */
export const told = async (client: Client) =>
  (await taken(client)).flatMap((it) => {
    if (it.type === "message" || it.type === "sent") return []
    return it.type === "rejected" ? [`rejected ${it.code}`] : it.type === "service" ? [it.change] : [it.type]
  })
type Lie = (request: DeliveryRequest, answer: DeliveryResponse, to: string) => DeliveryResponse

/** A client is shown nothing of a log behind `cursor` before it has appended something. */
export function hiddenUntilAppended(name: string, cursor: bigint): Lie {
  let hides = true
  return (request, answer, to) => {
    if (to !== name || !hides) return answer
    if (request.type === "append") hides = false
    if (answer.type !== "entries") return answer
    const entries = answer.entries.filter(({ seq }) => seq <= cursor)
    return { ...answer, entries, headSeq: cursor, signature: new Uint8Array() }
  }
}

/** Clients whose service can be put back to what it was. */
export class Backup implements AsyncDisposable {
  readonly world: World
  readonly #clients = new Map<string, Client>()
  readonly #stores: ((name: string) => Store) | undefined
  #shown: Branch
  #restored: Branch | undefined
  /** What a client is told in the place of an answer. */
  lie: Lie = (_, answer) => answer

  /** `inMemory`: the profiles and the service's files are, for tests that write a lot. */
  constructor({ inMemory = false } = {}) {
    this.world = new World({ folderInMemory: inMemory })
    this.#shown = this.world.branch
    const profiles = new Map<string, MemoryProfile>()
    if (!inMemory) return
    this.#stores = (name) => {
      const profile = profiles.get(name) ?? new MemoryProfile()
      profiles.set(name, profile)
      return memoryStore(profile)
    }
  }

  async open(name: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    const shown: ClientOptions["delivery"] = {
      request: (body, options) => this.#shown.transport.request(body, options),
      subscribe: (body, options) => this.#shown.transport.subscribe(body, options),
      [Symbol.asyncDispose]: async () => {},
    }
    const delivery = answered(shown, (request, answer) => this.lie(request, answer, name))
    const store = options.store ?? this.#stores?.(name)
    const client = await this.world.open(name, { delivery, ...options, ...(store && { store }) })
    this.#clients.set(name, client)
    return client
  }

  team(...names: readonly string[]): Promise<readonly Client[]> {
    return this.teamWith({}, ...names)
  }

  async teamWith(options: Partial<ClientOptions>, ...names: readonly string[]): Promise<readonly Client[]> {
    const clients: Client[] = []
    for (const name of names) clients.push(await this.open(name, options))
    await clients[0]!.createConversation({ title: "team", members: names.slice(1) })
    await settle(...clients)
    await only(clients[0]!).send("before the backup")
    await settle(...clients)
    for (const client of clients) await taken(client)
    return clients
  }

  async make(): Promise<void> {
    this.#restored = await this.world.restore()
  }

  restore(): Branch {
    this.#shown = this.#restored!
    return this.#shown
  }

  /** Another history from now on. */
  show(branch: Branch): void {
    this.#shown = branch
  }

  /** The service is again what it was before it was restored, and has never been restored. */
  takeBack(): Branch {
    this.#shown = this.world.branch
    return this.#shown
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]()
  }
}

/** Everybody looks again and again, until this time is over. */
export async function pass(world: World, milliseconds: number, ...clients: readonly Client[]): Promise<void> {
  for (let at = 0; at < milliseconds; at += 5_000) {
    world.now += 5_000
    for (const client of clients) await client.sync().catch(() => {})
  }
}
