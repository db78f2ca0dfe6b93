import assert from "node:assert/strict"
import { setTimeout as delay } from "node:timers/promises"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests, type Entry } from "@conclave/contracts/delivery"
import { random as randomBytes, sha256, withAccess } from "@conclave/testing/delivery"
import { type Violation, violationsOf } from "@conclave/testing/log-history"
import { startNats, startPostgres } from "@conclave/testing/servers"
import { connect } from "@conclave/transport/node"
import { Folder } from "../support.js"
import { Gateway } from "./gateway.js"
import { injectFaults } from "./injector.js"
import { Network } from "./network.js"
import { People, until } from "./people.js"
import { ProtocolClient, type Recorded } from "./protocol-client.js"

export interface TrialOptions {
  readonly seed: number
  readonly seconds: number
  readonly clients: number
  readonly people: number
  readonly gateways?: number
  /** Hints by `nats-server`; otherwise by NOTIFY. */
  readonly withNats: boolean
  /** Gateways in network namespaces of their own. */
  readonly withNamespaces: boolean
  tell(line: string): void
}

export interface Outcome {
  /** By kind. */
  readonly faults: ReadonlyMap<string, number>
  /** Attempts at appending, by their answers. */
  readonly answers: ReadonlyMap<string, number>
  readonly observations: number
  readonly entries: number
  readonly messages: number
  readonly violations: readonly Violation[]
  /** Of the clients of the SDK; `undefined` where all have the same messages, each that was sent once. */
  readonly disagreement: string | undefined
}

/** Gateways, a durable database and clients under faults that follow from a seed. */
export async function trial(options: TrialOptions): Promise<Outcome> {
  const { seed, tell } = options
  await using closing = new Closing()
  const folder = closing.use(new Folder())
  // Durable, as it is out of the box.
  const postgres = closing.use(await startPostgres({ settings: {} }))
  const nats = options.withNats ? closing.use(await startNats()) : undefined
  const count = options.gateways ?? 3
  const network = options.withNamespaces
    ? closing.use(
        await Network.make(count, folder, { postgres: postgres.port, nats: nats && Number(new URL(nats.url).port) }),
      )
    : undefined
  const url = await postgres.url("faults")
  const gateways = Array.from({ length: count }, (_, index) =>
    closing.use(new Gateway(index, { url, nats: nats?.url, network })),
  )
  for (const gateway of gateways) await gateway.start()
  await until("the gateways", () => areReady(gateways), 30_000)

  const clients = Array.from({ length: options.clients }, (_, index) =>
    closing.use(new ProtocolClient(`client ${index}`, gateways, randomOf(seed + 1 + index))),
  )
  const groups: Recorded[] = Array.from({ length: 3 }, () => ({ groupId: randomBytes(32), operations: [] }))
  for (const { groupId } of groups) await clients[0]!.createGroup(groupId)
  const people = closing.use(await People.gather(options.people, gateways))

  const faults = new AbortController()
  const work = new AbortController()
  const working = Promise.all([
    ...clients.map((client) => client.work(groups, work.signal)),
    people.talk(randomOf(seed + 1_000), work.signal),
  ])
  const stopped = working.catch(() => faults.abort())
  const injecting = injectFaults(
    { gateways, postgres, nats, network },
    { random: randomOf(seed), signal: faults.signal, tell },
  )
  await Promise.race([delay(options.seconds * 1_000), stopped])
  faults.abort()
  const injected = await injecting
  tell("all healed")
  await until("the gateways", () => areReady(gateways), 60_000)
  await delay(500)
  work.abort()
  await working

  const violations: Violation[] = []
  let entries = 0
  for (const { groupId, operations } of groups) {
    const log = await wholeLog(groupId, gateways[0]!)
    entries += log.length
    violations.push(...violationsOf({ groupId, log, operations, sha256 }))
  }
  const answers = new Map<string, number>()
  const all = groups.flatMap(({ operations }) => operations)
  for (const { what } of all) {
    if (what.type === "append") answers.set(what.answer.type, (answers.get(what.answer.type) ?? 0) + 1)
  }
  const observations = all.filter(({ what }) => what.type === "observation").length
  // After the logs: clients that were shown two histories wait for ever.
  const disagreement = await people.agree().then(
    () => undefined,
    (error: Error) => error.message,
  )
  return { faults: injected, answers, observations, entries, messages: people.sent.length, violations, disagreement }
}

/** Closes what it was given, the newest first. */
class Closing implements AsyncDisposable {
  readonly #all: (Disposable | AsyncDisposable)[] = []

  use<T extends Disposable | AsyncDisposable>(it: T): T {
    this.#all.push(it)
    return it
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const it of this.#all.reverse()) {
      if (Symbol.asyncDispose in it) await it[Symbol.asyncDispose]()
      else it[Symbol.dispose]()
    }
  }
}

export function inWords(outcome: Outcome): string {
  const { faults, answers, observations, entries, messages, violations, disagreement } = outcome
  const list = (counts: ReadonlyMap<string, number>) =>
    [...counts].map(([name, count]) => `${count} ${name}`).join(", ")
  const verdict = violations.length === 0 ? "linearizable; nothing lost" : `${violations.length} violations`
  return [
    `faults: ${list(faults)}`,
    `attempts at appending: ${list(answers)}; reads and heads: ${observations}`,
    `entries in the logs: ${entries}; messages by the SDK: ${messages}, ${disagreement ?? "the same at all"}`,
    `verdict: ${verdict}`,
    ...violations.slice(0, 20).map(({ type, text }) => `  ${type}: ${text}`),
  ].join("\n")
}

const areReady = async (gateways: readonly Gateway[]) =>
  (await Promise.all(gateways.map((it) => it.isReady()))).every((isReady) => isReady)

async function wholeLog(groupId: Uint8Array, { address }: Gateway): Promise<Entry[]> {
  await using transport = connect(`${address}/delivery`)
  const log: Entry[] = []
  for (;;) {
    const request = withAccess({ type: "read", groupId, afterSeq: BigInt(log.length), limit: 500 }, { at: Date.now() })
    const response = decode(DeliveryResponse, await transport.request(deliveryRequests.encode(request)))
    assert.ok(response.type === "entries", response.type)
    log.push(...response.entries)
    if (response.entries.length === 0) return log
  }
}

/** Numbers from 0 to below 1 that follow from the seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
