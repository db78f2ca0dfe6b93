import * as authentication from "@conclave/auth"
import { Client, MemoryProfile, memoryStore } from "@conclave/client"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { type CipherSuite, cipherSuite } from "@conclave/mls"
import { authStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { directTransport } from "@conclave/transport"
import { duration, table } from "./contest.js"

/*
 * What a member keeps so that it can answer old knocks: the keys of each interval since its oldest leaf was set. Two
 * members of a large group renew their keys in turn, and nobody else does.
 */

/** A module of the SDK's inside, loaded by name. */
interface IntervalKeysModule {
  readonly IntervalKeys: new (
    suite: CipherSuite,
    secret: Uint8Array,
    accessKey?: Uint8Array,
  ) => { readonly accessKey: Uint8Array }
}

const load = async (): Promise<IntervalKeysModule> =>
  import(new URL("../../../packages/client/dist/src/access/interval-keys.js", import.meta.url).href)

const provider = nodeProvider()
const suite = cipherSuite(1, provider)
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
const free = { perSecond: 1e9, burst: 1e9 }
/** As many as the SDK adds by one commit. */
const AT_ONCE = 1_000

export async function intervalKeys(size: number, ages: readonly number[]): Promise<void> {
  const database = openDatabase({ file: ":memory:" })
  const directory = authStore(database)
  const auth = authentication.authenticationService({
    store: directory,
    crypto: provider,
    limits: { registrations: free },
  })
  const service = delivery.deliveryService({
    store: deliveryStore(database, sha256),
    directory: authentication.directoryOf(directory),
    crypto: provider,
    limits: {
      commits: free,
      claimsByRequester: free,
      appends: free,
      appendsByRequester: free,
      appendsByRequesterInAll: free,
      bytesByRequester: free,
    },
  })
  const open = (name: string, profile: MemoryProfile) =>
    Client.open({
      ...{ name, provider, live: false, store: memoryStore(profile), sealingKey: new Uint8Array(32).fill(7) },
      ...{
        delivery: directTransport(service),
        auth: directTransport(auth),
        policy: { keyPackages: 1, history: false },
      },
    })
  const names = Array.from({ length: size - 2 }, (_, at) => `person-${at}`)
  for (const name of names) await (await open(name, new MemoryProfile())).close()
  const profiles = { alice: new MemoryProfile(), bob: new MemoryProfile() }
  const [alice, bob] = [await open("alice", profiles.alice), await open("bob", profiles.bob)]
  const conversation = await alice.createConversation({ members: ["bob", ...names.slice(0, AT_ONCE - 1)] })
  for (let at = AT_ONCE - 1; at < names.length; at += AT_ONCE)
    await conversation.invite(...names.slice(at, at + AT_ONCE))
  await bob.sync()
  const both = [alice, bob].map((client) => [client, [...client.conversations.values()][0]!] as const)
  const rows: string[][] = []
  let done = 0
  for (const age of ages) {
    for (; done < age; done++) {
      const [client, its] = both[done % 2]!
      await client.sync()
      await its.refresh()
    }
    await bob.sync()
    rows.push(await row(age, profiles.bob, open))
  }
  console.log(`\nWhat a member of ${size} keeps, by the age of the oldest leaf in intervals`)
  const head = ["", "kept", "in the store", "the whole state", "share", "in memory", "after a restart", "opened in"]
  console.log(table([head, ...rows]))
  for (const [client] of both) await client.close()
  await database.close()
}

async function row(
  age: number,
  profile: MemoryProfile,
  open: (name: string, profile: MemoryProfile) => Promise<Client>,
) {
  const stored = [...profile.records].filter(([key]) => key.includes("/interval/"))
  const bytes = (records: Iterable<readonly [string, Uint8Array]>) => {
    let sum = 0
    for (const [key, value] of records) sum += key.length + value.length
    return sum
  }
  const [ofKeys, ofAll] = [bytes(stored), bytes(profile.records)]
  const { IntervalKeys } = await load()
  const secrets = Array.from({ length: stored.length }, () => provider.random(suite.secretSize))
  const learned = secrets.map((secret) => new IntervalKeys(suite, secret))
  const known = learned.map(({ accessKey }) => accessKey)
  const copies = Math.ceil(2_000 / stored.length)
  const each = (make: (secret: Uint8Array, at: number) => unknown) =>
    memory(() => Array.from({ length: copies }, () => secrets.map((secret, at) => make(secret.slice(), at)))) / copies
  const fresh = each((secret) => new IntervalKeys(suite, secret))
  const restarted = each((secret, at) => new IntervalKeys(suite, secret, known[at]!.slice()))
  const copy = new MemoryProfile()
  for (const [key, value] of profile.records) copy.records.set(key, value)
  const begun = performance.now()
  const client = await open("bob", copy)
  const opened = performance.now() - begun
  await client.close()
  return [
    `${age}`,
    `${stored.length} keys`,
    kilobytes(ofKeys),
    kilobytes(ofAll),
    `${((100 * ofKeys) / ofAll).toFixed(1)} %`,
    kilobytes(fresh),
    kilobytes(restarted),
    duration(opened),
  ]
}

const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`

/** Heap and buffers that what is made holds on to. */
function memory(make: () => unknown): number {
  const { gc } = globalThis as { gc?: () => void }
  if (gc === undefined) throw new Error("run node with --expose-gc")
  const used = () => {
    for (let i = 0; i < 3; i++) gc()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  const kept = make()
  const bytes = used() - before
  return kept === undefined ? 0 : bytes
}
