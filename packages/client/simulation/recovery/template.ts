import * as authentication from "@conclave/auth"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { directTransport, type Handler, type Transport } from "@conclave/transport"
import { type Client, Client as ClientOf, MemoryProfile, memoryStore } from "../../src/index.js"

const real = nodeProvider()
const sha256 = (...parts: readonly Uint8Array[]) => real.hashes["SHA-256"]!.digest(...parts)
export const BEGIN = 1_800_000_000_000
export const sealingKey: Uint8Array = new Uint8Array(32).fill(7)

/** Of the service whose profiles the template has, and of each that is asked the same again: devices know it by its key. */
const serviceIdentity = { seed: real.random(32), passSecret: real.random(32), incarnation: 1n, handovers: [] }

/** A clock that somebody else moves. */
export interface Clock {
  /** Unix time in milliseconds. */
  now: number
}

/** A request that changes something at the Delivery Service, and when it was made. */
interface Recorded {
  readonly at: number
  readonly body: Uint8Array
}

/**
 * A conversation of `names.length` members, in which everybody has read everything: the profiles, and what the service was
 * asked. It is made once, and each run begins with copies.
 */
export interface Template {
  readonly names: readonly string[]
  readonly profiles: ReadonlyMap<string, MemoryProfile>
  readonly directory: ReturnType<typeof authentication.memoryStore>
  readonly recorded: readonly Recorded[]
  /** When the last request was made. */
  readonly end: number
}

export interface Services {
  readonly delivery: Handler
  readonly auth: Handler
}

export function services(clock: Clock, directory: Template["directory"], limits = {}): Services {
  const now = () => clock.now
  const shared = { crypto: real, now, onError: (error: unknown) => Promise.reject(error) }
  const store = delivery.memoryStore(sha256)
  void store.identity(serviceIdentity)
  return {
    auth: authentication.authenticationService({ ...shared, store: directory }),
    delivery: delivery.deliveryService({
      ...shared,
      limits,
      store,
      directory: authentication.directoryOf(directory),
    }),
  }
}

/** The service as it was when the template was done; the clock is moved to that time. */
export async function replayed({ recorded, directory, end }: Template, clock: Clock): Promise<Services> {
  const again = services(clock, directory)
  const transport = directTransport(again.delivery)
  for (const { at, body } of recorded) {
    clock.now = at
    const answer = decode(DeliveryResponse, await transport.request(body))
    if (answer.type === "invalid" || answer.type === "denied") throw new Error(`the service said ${answer.type}`)
  }
  clock.now = end
  return again
}

const kept = new Set(["publishKeyPackages", "createGroup", "append", "claimKeyPackage", "acknowledgeInbox"])

/** Passes on what is asked, and keeps what changes something. */
function recording(transport: Transport, clock: Clock, recorded: Recorded[]): Transport {
  return {
    request: (body, options) => {
      if (kept.has(deliveryRequests.decode(body).type)) recorded.push({ at: clock.now, body: body.slice() })
      return transport.request(body, options)
    },
    subscribe: (body, options) => transport.subscribe(body, options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

/**
 * `renewals`: so many members, spread over the tree, set their path in it; the other leaves stay as they came, and a path
 * secret is sealed for each of them alone.
 */
export async function template(size: number, renewals: number): Promise<Template> {
  const clock = { now: BEGIN }
  const names = Array.from({ length: size }, (_, at) => `m${at}`)
  const directory = authentication.memoryStore()
  const free = { perSecond: 1e6, burst: 1e6 }
  const both = services(clock, directory, { commits: free, claimsByRequester: free, knocks: free })
  const recorded: Recorded[] = []
  const profiles = new Map<string, MemoryProfile>()
  const clients: Client[] = []
  for (const name of names) {
    const profile = new MemoryProfile()
    profiles.set(name, profile)
    const client = await ClientOf.open({
      name,
      store: memoryStore(profile),
      delivery: recording(directTransport(both.delivery), clock, recorded),
      auth: directTransport(both.auth),
      provider: real,
      sealingKey,
      now: () => clock.now,
      live: false,
      policy: { keyPackages: 1 },
    })
    clients.push(client)
  }
  const [founder] = clients
  const conversation = await founder!.createConversation({ members: names.slice(1) })
  for (const client of clients) await client.sync()
  for (let done = 0; done < renewals; done++) {
    // One in a second, so that the service that is asked again takes them too.
    clock.now += 1_500
    const client = clients[Math.floor((done * size) / renewals)]!
    await client.sync()
    await [...client.conversations.values()][0]!.refresh()
  }
  for (const client of clients) await client.sync()
  for (const client of clients) {
    const [found] = client.conversations.values()
    if (Buffer.compare(found!.epochAuthenticator, conversation.epochAuthenticator) !== 0) {
      throw new Error(`${client.name} is in another epoch`)
    }
  }
  for (const client of clients) await client.close()
  return { names, profiles, directory, recorded, end: clock.now + 60_000 }
}

/** What is on the disks; records are replaced and never changed. */
export function copyOf(profile: MemoryProfile): MemoryProfile {
  const copy = new MemoryProfile()
  for (const [key, value] of profile.records) copy.records.set(key, value)
  return copy
}
