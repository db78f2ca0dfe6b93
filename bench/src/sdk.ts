import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import * as authentication from "@conclave/auth"
import {
  Client,
  type ClientOptions,
  type Conversation,
  MemoryProfile,
  memoryStore,
  type Store,
  sqliteStore,
} from "@conclave/client/node"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { authStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { directTransport } from "@conclave/transport"
import { duration, median, table } from "./contest.js"

/*
 * What the SDK costs around the protocol: profiles in SQLite files, the services in the same process on SQLite in memory, no
 * network.
 * It says nothing of a service or a line; compared with the same program at another commit, it says what a change of the
 * SDK is worth.
 */

const provider = nodeProvider()
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
const free = { perSecond: 1e9, burst: 1e9 }
/** What is measured is the client. */
const limits: Partial<delivery.DeliveryLimits> = {
  appends: free,
  appendsByRequester: free,
  commits: free,
  creations: free,
  creationsByRequester: free,
  claims: free,
  bytesByRequester: free,
}

/** A store that counts what is written. */
class Counted implements Store {
  transactions = 0
  /** Of keys and values. */
  bytes = 0
  readonly lost: Promise<Error>
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    this.lost = store.lost
  }

  get: Store["get"] = (key) => this.#store.get(key)
  list: Store["list"] = (prefix, options) => this.#store.list(prefix, options)

  transaction: Store["transaction"] = (changes) => {
    this.transactions++
    for (const [key, value] of changes.put) this.bytes += key.length + value.length
    for (const key of changes.delete) this.bytes += key.length
    return this.#store.transaction(changes)
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store[Symbol.asyncDispose]()
  }
}

class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-bench-"))
  readonly #database = openDatabase({ file: ":memory:" })
  readonly #directory = authStore(this.#database)
  readonly #auth = authentication.authenticationService({ store: this.#directory, crypto: provider })
  readonly #delivery = delivery.deliveryService({
    store: deliveryStore(this.#database, sha256),
    directory: authentication.directoryOf(this.#directory),
    crypto: provider,
    limits,
  })
  readonly #clients: Client[] = []

  async open(
    name: string,
    options: Partial<ClientOptions> = {},
    profile: Store = sqliteStore(join(this.folder, `${name}.db`)),
  ): Promise<{ client: Client; store: Counted }> {
    const store = new Counted(profile)
    const client = await Client.open({
      name,
      store,
      delivery: directTransport(this.#delivery),
      auth: directTransport(this.#auth),
      provider,
      sealingKey: new Uint8Array(32).fill(7),
      ...options,
    })
    this.#clients.push(client)
    return { client, store }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.#database.close()
    rmSync(this.folder, { recursive: true })
  }
}

/** The next `count` messages, each acknowledged. */
async function read(client: Client, count: number): Promise<void> {
  let left = count
  for await (const event of client.events()) {
    if (event.type !== "message" || --left > 0) continue
    await client.acknowledge(event.number)
    return
  }
}

async function pair(scene: Scene, live: boolean) {
  const [alice, bob] = [await scene.open("alice"), await scene.open("bob", { live })]
  const team = await alice.client.createConversation({ members: ["bob"] })
  await bob.client.sync()
  await team.send("hello")
  await bob.client.sync()
  await read(bob.client, 1)
  for await (const event of alice.client.events()) {
    if (event.type !== "sent") continue
    await alice.client.acknowledge(event.number)
    break
  }
  return { alice, bob, team }
}

/** Transactions and bytes that one message costs, with 100 characters, sent and received, events acknowledged or not. */
async function writes(): Promise<readonly string[][]> {
  const scene = new Scene()
  const { alice, bob, team } = await pair(scene, true)
  const count = 100
  const text = "x".repeat(100)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const before = [alice.store, bob.store].map(({ transactions, bytes }) => ({ transactions, bytes }))
  const reading = read(bob.client, count)
  for (let i = 0; i < count; i++) {
    await team.send(text)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await reading
  const row = (what: string, at: number, { transactions, bytes }: Counted) => [
    what,
    ((transactions - before[at]!.transactions) / count).toFixed(2),
    ((bytes - before[at]!.bytes) / count).toFixed(0),
  ]
  const rows = [row("sent, one at a time", 0, alice.store), row("received, event read and acknowledged", 1, bob.store)]
  await scene.close()
  return rows
}

async function sending(outstanding: number, total: number): Promise<number> {
  const scene = new Scene()
  const { team } = await pair(scene, false)
  const start = performance.now()
  let next = 0
  const sender = async () => {
    while (next++ < total) await team.send("hello")
  }
  await Promise.all(Array.from({ length: outstanding }, sender))
  const perSecond = (total / (performance.now() - start)) * 1000
  await scene.close()
  return perSecond
}

/** Messages per second that a device follows that was away. */
async function catchingUp(messages: number): Promise<number> {
  const scene = new Scene()
  const { bob, team } = await pair(scene, false)
  await Promise.all(Array.from({ length: messages }, () => team.send("hello")))
  const start = performance.now()
  await bob.client.sync()
  const perSecond = (messages / (performance.now() - start)) * 1000
  const [conversation] = bob.client.conversations.values()
  const history = await conversation!.history({ limit: messages + 10 })
  if (history.length !== messages + 1) throw new Error(`${history.length} messages have come`)
  await scene.close()
  return perSecond
}

/** Milliseconds that the opening of a profile takes. */
async function opening(conversations: number, rounds: number): Promise<number> {
  const scene = new Scene()
  await scene.open("bob", { live: false })
  const { client } = await scene.open("alice", { live: false })
  const made: Conversation[] = []
  for (let i = 0; i < conversations; i++) made.push(await client.createConversation({ title: `conversation ${i}` }))
  await client.close()
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    const again = await scene.open("alice", { live: false })
    times.push(performance.now() - start)
    if (again.client.conversations.size !== conversations) throw new Error("conversations are missing")
    await again.client.close()
  }
  await scene.close()
  return median(times)
}

/** Milliseconds, and the longest that the event loop waited meanwhile. */
interface Spent {
  readonly total: number
  readonly longest: number
}

async function spent(work: () => Promise<unknown>): Promise<Spent> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  // What was before is not counted.
  await new Promise((resolve) => setTimeout(resolve, 20))
  delay.enable()
  const start = performance.now()
  await work()
  const total = performance.now() - start
  // A block that ended just now is told at the next turn.
  await new Promise((resolve) => setTimeout(resolve, 20))
  delay.disable()
  return { total, longest: delay.max / 1e6 }
}

/** A conversation with so many members is made; as many more are added, in one go; and one of them enters. */
async function large(members: number): Promise<readonly string[][]> {
  const scene = new Scene()
  const names = Array.from({ length: 2 * members }, (_, index) => `member-${index}`)
  const profile = new MemoryProfile()
  for (const name of names) {
    const { client } = await scene.open(name, { live: false }, memoryStore(name === names[0] ? profile : undefined))
    await client.close()
  }
  const { client: alice } = await scene.open("alice", { live: false })
  let team: Conversation | undefined
  const made = await spent(async () => {
    team = await alice.createConversation({ members: names.slice(0, members) })
    await alice.sync()
  })
  const { client: bob } = await scene.open(names[0]!, { live: false }, memoryStore(profile))
  const entered = await spent(() => bob.sync())
  const added = await spent(async () => {
    await team!.invite(...names.slice(members))
    await alice.sync()
  })
  const followed = await spent(() => bob.sync())
  const [theirs] = bob.conversations.values()
  for (const [who, { members: all }] of [
    ["alice", team!],
    ["bob", theirs!],
  ] as const) {
    if (all.length !== 2 * members + 1) throw new Error(`${who} has ${all.length} members`)
  }
  await scene.close()
  const row = (what: string, { total, longest }: Spent) => [what, duration(total), duration(longest)]
  return [
    row(`a conversation made with ${members} members`, made),
    row("entered by one of them", entered),
    row(`${members} more added`, added),
    row("followed by one of the first", followed),
  ]
}

export async function sdk(rounds: number, quick: boolean): Promise<void> {
  console.log("\nWhat one message writes: durable transactions, and bytes of keys and sealed values.")
  console.log(table([["", "transactions", "bytes"], ...(await writes())]))
  const rows: string[][] = []
  for (const outstanding of quick ? [1, 50] : [1, 50, 500, 5_000]) {
    const rates: number[] = []
    const total = Math.max(quick ? 200 : 1_000, outstanding)
    for (let round = 0; round < rounds; round++) rates.push(await sending(outstanding, total))
    rows.push([`sent, ${outstanding} outstanding`, `${median(rates).toFixed(0)}/s`])
  }
  const messages = quick ? 500 : 10_000
  rows.push([`caught up, ${messages} messages`, `${(await catchingUp(messages)).toFixed(0)}/s`])
  const conversations = quick ? 50 : 1_000
  rows.push([`opened, ${conversations} conversations`, duration(await opening(conversations, rounds))])
  console.log(table([["", "median"], ...rows]))
  console.log(table([["", "time", "the event loop waited"], ...(await large(quick ? 100 : 1_000))]))
}
