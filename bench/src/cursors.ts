import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { decode, encode } from "@conclave/codec"
import { ACCESS_LABEL, type Access, AccessTBS, noAccess, type Pass } from "@conclave/contracts/access"
import { Cursor, type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import { type DeliveryLimits, deliveryService } from "@conclave/delivery"
import { signWithLabel } from "@conclave/mls"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import { type Contestant, contest, duration, table } from "./contest.js"

/*
 * What a subscription costs the Delivery Service that follows many groups in which nothing is new: from the request's bytes
 * to the bytes of the last first answer, in processor time of this process, with SQLite in a file. The client, and the
 * network, are not in it.
 */

const provider = nodeProvider()
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
const ed25519 = provider.signatures.Ed25519!
const free = { perSecond: 1e9, burst: 1e9 }
const limits: Partial<DeliveryLimits> = {
  creations: free,
  creationsByRequester: free,
  cursorsByRequester: free,
}

export async function cursors(count: number, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "conclave-bench-"))
  const store = deliveryStore(openDatabase({ file: join(folder, "service.db") }), sha256)
  const service = new Service(store)
  const keys = Array.from({ length: count }, () => ed25519.generate((length) => provider.random(length)))
  const groups = keys.map((key) => ({ key, groupId: provider.random(32) }))
  for (const { key, groupId } of groups) {
    const idempotencyId = provider.random(16)
    await service.ask({ type: "createGroup", groupId, idempotencyId, accessKey: key.publicKey })
  }
  const signed = groups.map(({ key, groupId }): Cursor => {
    const open = { groupId, afterSeq: 0n, access: noAccess }
    const at = BigInt(Date.now())
    const signature = signWithLabel(key, ACCESS_LABEL, encode(AccessTBS, { at, content: encode(Cursor, open) }))
    return { ...open, access: { type: "proof", key: key.publicKey, at, signature } }
  })
  const { passes } = await service.subscribe(signed)
  if (passes.length !== count) throw new Error(`${passes.length} passes have come`)
  const passed = passes.map(({ groupId, key, until, tag }): Cursor => {
    const access: Access = { type: "pass", key, until, tag }
    return { groupId, afterSeq: 0n, access }
  })
  const by = (name: string, cursors: readonly Cursor[]): Contestant => ({
    name,
    once: async () => (await service.subscribe(cursors)).milliseconds,
  })
  const measured = await contest([by("passes", passed), by("signatures", signed)], rounds)
  console.log(`\n${count} cursors of one connection, nothing new in any group; medians of ${rounds} rounds`)
  const rows = [...measured].map(([name, { median }]) => [`by ${name}`, duration(median), duration(median / count)])
  console.log(table([["", "processor time", "for each"], ...rows]))
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
}

class Service {
  readonly #answers: ReturnType<typeof deliveryService>

  constructor(store: ReturnType<typeof deliveryStore>) {
    this.#answers = deliveryService({ store, crypto: provider, directory: async () => undefined, limits })
  }

  async ask(request: DeliveryRequest): Promise<void> {
    const context = { signal: new AbortController().signal, early: false }
    for await (const answer of this.#answers(deliveryRequests.encode(request), context)) {
      const { type } = decode(DeliveryResponse, answer)
      if (type !== "done") throw new Error(`the service said ${type}`)
    }
  }

  /** Until each cursor has its first answer. */
  async subscribe(cursors: readonly Cursor[]) {
    const request = deliveryRequests.encode({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined })
    const gone = new AbortController()
    const taken: Uint8Array[] = []
    let left = cursors.length
    const before = process.cpuUsage()
    for await (const answer of this.#answers(request, { signal: gone.signal, early: false })) {
      taken.push(answer)
      if (answer[0] === ENTRIES && --left === 0) break
    }
    const { user, system } = process.cpuUsage(before)
    gone.abort()
    const passes: Pass[] = []
    for (const bytes of taken) {
      const answer = decode(DeliveryResponse, bytes)
      if (answer.type === "passes") passes.push(...answer.passes)
      else if (answer.type !== "entries" && answer.type !== "subscribed") throw new Error(`it said ${answer.type}`)
    }
    return { milliseconds: (user + system) / 1000, passes }
  }
}

const ENTRIES = 7
