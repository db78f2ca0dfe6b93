import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { listen } from "@conclave/server"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  type BareRequest,
  commitRequest,
  createDevice,
  createGroup,
  createGroupRequest,
  createService,
  expectType,
  keyPackage,
  messageRequest,
  proved,
  random,
  sha256,
  type TestService,
  withAccess,
} from "@conclave/testing/delivery"
import { connect } from "@conclave/transport/node"
import { memoryBlobStore } from "../src/index.js"

/** mulberry32: the same bytes in every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const below = (next: () => number, max: number) => Math.floor(next() * max)

function* badInputs(valid: readonly Uint8Array[], count: number): Generator<Uint8Array> {
  const next = generator(20_261_121)
  for (let i = 0; i < count; i++) {
    const request = valid[below(next, valid.length)]!
    const bad = worsen(request, i % 4, next)
    // Two flips of one bit are none.
    if (Buffer.compare(bad, request) !== 0) yield bad
  }
}

function worsen(request: Uint8Array, how: number, next: () => number): Uint8Array {
  const noise = Uint8Array.from({ length: 1 + below(next, 300) }, () => below(next, 256))
  if (how === 0) return noise
  if (how === 1) return request.subarray(0, below(next, request.length))
  if (how === 2) return Buffer.concat([request, noise.subarray(0, 5)])
  const mutated = request.slice()
  for (let flips = 1 + below(next, 3); flips > 0; flips--) mutated[below(next, mutated.length)]! ^= 1 << below(next, 8)
  return mutated
}

/**
 * Requests of every kind that would change something, and can't be turned into another valid one by a few flipped bits
 * outside of what the service does not look at (the encrypted part of a body): those are refused beforehand.
 */
function validRequests(service: TestService, groupId: Uint8Array): Uint8Array[] {
  const bob = service.register(createDevice())
  const requests: BareRequest[] = [
    proved(bob, {
      type: "publishKeyPackages",
      cipherSuite: 1,
      keyPackages: [keyPackage(bob), keyPackage(bob)],
      lastResort: keyPackage(bob),
      replaces: true,
    }),
    proved(bob, { type: "acknowledgeInbox", upTo: 3n }),
    proved(bob, { type: "inbox", after: 0n, limit: 10 }),
    proved(bob, { type: "countKeyPackages", cipherSuite: 1 }),
    { type: "claimKeyPackage", deviceId: bob.deviceId, cipherSuite: 1 },
    // After a commit that is far from any, and a group that exists: valid in form, without effect.
    messageRequest(groupId, 9n, { after: FAR }),
    commitRequest(groupId, 9n, { recipients: [bob], interval: 1, after: FAR }),
    { ...createGroupRequest(groupId) },
    { type: "read", groupId, afterSeq: 0n, limit: 10 },
    { type: "head", groupId },
    { type: "knock", groupId, id: random(16), sealed: random(100) },
    { type: "knocks", groupId },
    { type: "answer", groupId, id: random(16) },
    { type: "extend", subscription: random(16), cursor: { groupId, afterSeq: 0n } },
    // For a group that is not there, and of blobs that are not.
    { type: "createBlob", groupId: random(32), id: random(32), size: 9n, lifetimeSeconds: 9, deletion: random(32) },
    { type: "putBlob", groupId, id: random(32), offset: 0n, bytes: random(9), hash: random(32) },
    { type: "readBlob", id: random(32), offset: 0n, length: 9 },
    { type: "deleteBlob", id: random(32), token: random(32) },
    { type: "signal", groupId: random(32), body: random(9) },
    { type: "removePush", groupId, id: random(16), token: random(32) },
    { type: "hear", subscription: random(16) },
    { type: "service" },
  ]
  return requests.map((request) => deliveryRequests.encode(withAccess(request)))
}

const FAR = 0x5555_5555_5555_5555n

async function openServiceWithLog() {
  const database = openDatabase({ file: ":memory:" })
  const failures: unknown[] = []
  const blobs = memoryBlobStore()
  const service = createService(deliveryStore(database, sha256), { blobs, onError: (error) => failures.push(error) })
  const groupId = await createGroup(service)
  await service.ask(messageRequest(groupId, 0n))
  const tables = ["mls_group", "log", "inbox", "key_package"]
  const state = () =>
    database.read((connection) => tables.map((table) => connection.all(`SELECT * FROM ${table} WHERE true`)))
  return { database, service, groupId, failures, state }
}

describe("any bytes at all", { timeout: 60_000 }, () => {
  it("get a typed answer from the service and change nothing", async () => {
    const { database, service, groupId, failures, state } = await openServiceWithLog()
    const before = state()
    const answered = new Map<string, number>()
    const done = new Set<string>()
    for (const bytes of badInputs(validRequests(service, groupId), 8_000)) {
      if (isSubscription(bytes)) continue
      const { type } = decode(DeliveryResponse, await service.askBytes(bytes))
      answered.set(type, (answered.get(type) ?? 0) + 1)
      if (type === "done") done.add(Buffer.from(bytes).toString("hex"))
    }
    // A mutated id makes a new group or asks for one that is not there: only those may differ from nothing at all. The same
    // bytes once more are a repetition.
    const created = done.size
    const after = state()
    assert.equal(after[0]!.length, before[0]!.length + created)
    assert.deepEqual(after.slice(3), before.slice(3))
    assert.deepEqual(after[1], before[1])
    assert.deepEqual(failures, [])
    assert.ok(answered.get("invalid")! > 4_000, JSON.stringify([...answered]))
    await database.close()
  })

  it("get an answer over HTTP and over a socket, and the service still serves", async () => {
    const { database, service, groupId, failures } = await openServiceWithLog()
    const crashes: unknown[] = []
    await using listener = await listen({
      services: { delivery: service.handler },
      onError: (error) => crashes.push(error),
    })
    await using transport = connect(new URL("delivery", listener.url))
    const inputs = [...badInputs(validRequests(service, groupId), 600)].filter((bytes) => !isSubscription(bytes))
    for (const bytes of inputs) decode(DeliveryResponse, await transport.request(bytes))
    const gone = new AbortController()
    for (const bytes of inputs) {
      for await (const answer of transport.subscribe(bytes, { signal: gone.signal })) decode(DeliveryResponse, answer)
    }
    gone.abort()
    const head = decode(
      DeliveryResponse,
      await transport.request(deliveryRequests.encode(withAccess({ type: "head", groupId }))),
    )
    assert.equal(expectType(head, "head").headSeq, 1n)
    assert.deepEqual([failures, crashes], [[], []])
    await listener.close()
    await database.close()
  })

  it("over the size limit are told the limit", async () => {
    const { database, service } = await openServiceWithLog()
    const answer = decode(DeliveryResponse, await service.askBytes(new Uint8Array(4 * 1024 * 1024 + 1)))
    assert.deepEqual(answer, { type: "tooLarge", max: 4 * 1024 * 1024 })
    await database.close()
  })
})

function isSubscription(bytes: Uint8Array): boolean {
  try {
    return deliveryRequests.decode(bytes).type === "subscribe"
  } catch {
    return false
  }
}
