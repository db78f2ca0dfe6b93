/** Both ends of sealed requests: each function runs in a host of the laboratory. */
import { nodeProvider } from "@conclave/crypto/node"
import { dayKeyStore, openDatabase, strikeStore } from "@conclave/postgres"
import type { ReplaySafe, Transport } from "@conclave/transport"
import {
  AddressTokens,
  KeyRing,
  MemoryStrikeRegister,
  SealedServer,
  SealedTransport,
  SharedKeyRing,
  SharedStrikeRegister,
} from "../../src/sealed/index.js"
import { now, type Sample } from "./measured.js"

const provider = nodeProvider()
const keys = new KeyRing({ provider })
let server: SealedServer | undefined
let client: SealedTransport | undefined
let executed = 0
let early = 0
const seen = new Map<string, number>()

export interface ServeOptions {
  readonly port: number
  readonly host: string
  /** Keys of a former process, to be taken over. */
  readonly ring?: Uint8Array
  readonly clientAddress?: string
  /** What the gateways behind one address share: a PostgreSQL database, and a secret of 32 bytes. */
  readonly shared?: { readonly url: string; readonly secret: Uint8Array }
  readonly windowMilliseconds?: number
  readonly workMilliseconds?: number
}

/** Serves requests that are answered with the time of their arrival; returns an offer. */
export async function serve(options: ServeOptions): Promise<Uint8Array> {
  if (options.ring) keys.import(options.ring)
  const { windowMilliseconds = 10_000, workMilliseconds = 0 } = options
  const tokens = new AddressTokens({ provider })
  const own = { keys, register: new MemoryStrikeRegister({ windowMilliseconds }) }
  server = new SealedServer({
    provider,
    tokens,
    ...(options.shared === undefined ? own : await shared(options.shared, tokens)),
    async *handler(request, context) {
      const arrived = now()
      executed++
      if (context.early) early++
      const name = Buffer.from(request.subarray(0, 16)).toString("hex")
      seen.set(name, (seen.get(name) ?? 0) + 1)
      if (workMilliseconds > 0) await new Promise((resolve) => setTimeout(resolve, workMilliseconds))
      const reply = Buffer.alloc(8)
      reply.writeDoubleBE(arrived)
      yield reply
    },
  })
  await server.listen({ port: options.port })
  const { host, clientAddress } = options
  return server.offer({ host, ...(clientAddress !== undefined && { clientAddress }) })
}

async function shared({ url, secret }: { url: string; secret: Uint8Array }, tokens: AddressTokens) {
  const database = openDatabase({ url, connections: 4, statementTimeoutMilliseconds: 1_000 })
  const register = new SharedStrikeRegister({ store: await strikeStore(database) })
  await register.start()
  const ring = await SharedKeyRing.open({
    provider,
    secret: Uint8Array.from(secret),
    store: await dayKeyStore(database),
  })
  ring.feed(tokens)
  return { keys: ring, register }
}

export interface Served {
  readonly executed: number
  readonly early: number
  /** How often the request that ran most often ran. */
  readonly most: number
  readonly admissions: SealedServer["admissions"]
  readonly memoryBytes: number
  readonly cpuMicroseconds: number
}

export function served(): Served {
  const { user, system } = process.cpuUsage()
  return {
    executed,
    early,
    most: Math.max(0, ...seen.values()),
    admissions: server!.admissions,
    memoryBytes: process.memoryUsage.rss(),
    cpuMicroseconds: user + system,
  }
}

export function exportRing(): Uint8Array {
  return keys.export()
}

/** With `elsewhere`, what cannot be asked this way is answered by a fallback with the time. */
export function meet(offer: Uint8Array, { elsewhere = false }: { elsewhere?: boolean } = {}): void {
  client = new SealedTransport({ provider, service: async () => offer, ...(elsewhere && { fallback: clock }) })
}

const clock: Transport = {
  async request() {
    const reply = Buffer.alloc(8)
    reply.writeDoubleBE(now())
    return reply
  },
  async *subscribe() {
    yield this.request(new Uint8Array(0))
  },
  async [Symbol.asyncDispose]() {},
}

/** The first `count` responses to a subscription, and when each was there. */
export async function subscribe(count: number): Promise<Sample[]> {
  const start = now()
  const samples: Sample[] = []
  for await (const response of client!.subscribe(harmless(), { replaySafe: true })) {
    const arrived = Buffer.from(response.buffer, response.byteOffset, response.length).readDoubleBE(0)
    samples.push({ requestMilliseconds: arrived - start, replyMilliseconds: now() - start })
    if (samples.length === count) break
  }
  return samples
}

export function tokenCount(): number {
  return client!.tokenCount
}

const REQUEST_BYTES = 200
/** The service of the laboratory only tells the time: a copy does nothing. */
const harmless = () => provider.random(REQUEST_BYTES) as ReplaySafe

export async function request(options: { replaySafe?: boolean } = {}): Promise<Sample> {
  const start = now()
  const reply = await client!.request(harmless(), { replaySafe: options.replaySafe ?? true })
  const arrived = Buffer.from(reply.buffer, reply.byteOffset, reply.length).readDoubleBE(0)
  return { requestMilliseconds: arrived - start, replyMilliseconds: now() - start }
}

/** `count` requests, `together` at a time. */
export async function requests(count: number, together: number): Promise<void> {
  let left = count
  const ask = async () => {
    while (left-- > 0) await request()
  }
  await Promise.all(Array.from({ length: together }, ask))
}
