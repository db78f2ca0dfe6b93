import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type Client,
  type ClientEvent,
  type Conversation,
  type NodeClientOptions,
  openClient,
} from "@conclave/client/node"
import { type Hostility, hostileMls } from "./hostile.js"
import { asking } from "./http.js"
import { Mallory, type MalloryOptions } from "./mallory.js"
import { Service } from "./service.js"
import type { ServiceChoice } from "./service-process.js"
import { within } from "./timing.js"

/** Addresses of the attacker, of honest people elsewhere, and of honest people in the attacker's own network. */
export const addresses = { attacker: "127.0.1.7", elsewhere: "127.0.2.9", neighbour: "127.0.1.99" }

export interface Team {
  readonly id: Uint8Array
  readonly clients: readonly Client[]
  /** The conversation as each of them has it, by name. */
  of(name: string): Conversation
}

/** A real service in a process of its own, real SDKs on real profiles, and whoever attacks them. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-attack-"))
  readonly #clients: Client[] = []
  readonly #services: Service[] = []
  #service: Service | undefined

  /** The service that {@link serve} has started, with its defaults where nobody has yet. */
  async service(): Promise<Service> {
    return this.#service ?? this.serve()
  }

  async serve(choice: Partial<ServiceChoice> = {}, execArgv: readonly string[] = []): Promise<Service> {
    const file = join(this.folder, "service.db")
    const service = await Service.start({ file, host: "127.0.0.1", port: 0, ...choice }, execArgv)
    this.#services.push(service)
    this.#service = service
    return service
  }

  /** A real client on a profile of its name. It reads and sends when it is told to, unless `live` is asked for. */
  async open(name: string, options: Partial<NodeClientOptions> = {}): Promise<Client> {
    const { url } = await this.service()
    const client = await openClient({
      service: url,
      profile: join(this.folder, `${name}.db`),
      name,
      live: false,
      ...options,
      policy: { keyPackages: 8, ...options.policy },
    })
    this.#clients.push(client)
    return client
  }

  async ask(localAddress: string = addresses.attacker) {
    return asking((await this.service()).url, localAddress)
  }

  async mallory(name = "mallory", options: MalloryOptions = {}): Promise<Mallory> {
    return Mallory.come(name, await this.ask(), options)
  }

  hostileMls(hostility: Hostility) {
    return hostileMls(hostility)
  }

  /** The first creates a conversation with the others, who come in; `outsiders` are invited too. */
  async team(
    names: readonly string[],
    { outsiders = [], open = {} }: { outsiders?: readonly string[]; open?: Partial<NodeClientOptions> } = {},
  ): Promise<Team> {
    const clients: Client[] = []
    for (const name of names) clients.push(await this.open(name, open))
    const members = [...names.slice(1), ...outsiders]
    const { id } = await clients[0]!.createConversation({ title: "team", members })
    await settle(...clients)
    return teamOf(id, clients)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within(2_000, Promise.allSettled(this.#clients.map((client) => client.close())))
    await Promise.all(this.#services.map((service) => service.stop("SIGKILL")))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function teamOf(id: string, clients: readonly Client[]): Team {
  return {
    id: Uint8Array.from(Buffer.from(id, "hex")),
    clients,
    of: (name) => {
      const conversation = clients.find((client) => client.name === name)?.conversations.get(id)
      if (conversation === undefined) throw new Error(`${name} is not in the conversation`)
      return conversation
    },
  }
}

/** Until nobody has anything to read or send any more, or it takes too long. What a client refuses is not our matter. */
export async function settle(...clients: readonly Client[]): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (const client of clients) await within(3_000, client.sync())
  }
}

/** Every event that a client has not acknowledged, the oldest first. */
export async function eventsOf(client: Client): Promise<readonly ClientEvent[]> {
  const stop = new AbortController()
  const events: ClientEvent[] = []
  const timer = setTimeout(() => stop.abort(), 400)
  for await (const event of client.events({ signal: stop.signal, peek: true })) {
    events.push(event)
    timer.refresh()
  }
  clearTimeout(timer)
  return events
}

/** One event in a few words. */
export function inWords(event: ClientEvent): string {
  const { type } = event
  if (type === "members") return `members by "${event.by}" +[${event.added}] -[${event.removed}]`
  if (type === "left" || type === "refreshed") return `${type} by "${event.by}"`
  if ("reason" in event) return `${type} "${event.reason}"`
  if (type === "message") return `message from ${event.from}: ${event.text}`
  return type
}

/** How a wish to say something ends within so many milliseconds. */
export async function tries(conversation: Conversation, words: string, milliseconds = 4_000): Promise<string> {
  const sent = await within(milliseconds, conversation.send(words))
  return sent.state === "failed" ? `failed: ${sent.error.message}` : sent.state === "done" ? "sent" : "still waiting"
}
