import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { BLOB_CHUNK_SIZE } from "@conclave/contracts/blobs"
import type { DeliveryRequest } from "@conclave/contracts/delivery"
import { type Transport, TransportError } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import { PIECE_SIZE } from "../src/blobs/chunks.js"
import type { BlobReference, Client } from "../src/index.js"
import { answered, tampered } from "./support/tampered.js"
import { provider, settle, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const random = (size: number) => provider.random(size)
const content = (bytes: Uint8Array, step = bytes.length || 1) => ({
  size: bytes.length,
  bytes: Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => bytes.subarray(i * step, (i + 1) * step)),
})

async function all(client: Client, blob: BlobReference, offset = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of client.blobs.get(blob, { offset })) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Alice and Bob in a conversation; `delivery` is Alice's way to the service. */
async function two(world: World, delivery?: (transport: Transport) => Transport) {
  const line = world.transport("delivery")
  const alice = await world.open("alice", { delivery: delivery?.(line) ?? line })
  const bob = await world.open("bob")
  await alice.createConversation({ members: ["bob"] })
  await settle(alice, bob)
  return { alice, bob }
}

describe("blobs of a client", { timeout: 60_000 }, () => {
  it("over real sockets: whatever the size, a reader with the reference has the content, from any offset on", async () => {
    await using world = new World({ inMemory: true, realClock: true })
    await using conclave = await world.server()
    const listener = await conclave.listen({ port: 0 })
    const lines = () => ({
      now: Date.now,
      delivery: connect(new URL("delivery", listener.url)),
      auth: connect(new URL("auth", listener.url)),
    })
    const alice = await world.open("alice", lines())
    const bob = await world.open("bob", lines())
    await alice.createConversation({ members: ["bob"] })
    for (const size of [0, 1, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 3 * PIECE_SIZE + 7]) {
      const bytes = random(size)
      const progress: number[] = []
      const onProgress = (done: number) => progress.push(done)
      const blob = await alice.blobs.put(only(alice), content(bytes, 100_001), { onProgress })
      assert.equal(progress.at(-1), size)
      assert.deepEqual(await all(bob, blob), Buffer.from(bytes))
      for (const offset of [1, PIECE_SIZE, size - 1, size, size + 1]) {
        if (offset >= 0) assert.deepEqual(await all(bob, blob, offset), Buffer.from(bytes.subarray(offset)))
      }
      await alice.blobs.delete(blob)
      await alice.blobs.delete(blob)
      await assert.rejects(all(bob, blob), { code: "REFUSED" })
    }
  })

  it("leave nothing plain, no key and no token with the service, and two of one content look different", async () => {
    await using world = new World({ inMemory: true })
    const sent: Extract<DeliveryRequest, { type: "createBlob" | "putBlob" }>[] = []
    const { alice } = await two(world, (line) =>
      tampered(line, (request, pass) => {
        if (request.type === "createBlob" || request.type === "putBlob") sent.push(request)
        return pass()
      }),
    )
    const bytes = new Uint8Array(PIECE_SIZE + 9).fill(65)
    const blobs = [
      await alice.blobs.put(only(alice), content(bytes)),
      await alice.blobs.put(only(alice), content(bytes)),
    ]
    const seen = Buffer.concat(sent.flatMap((it) => Object.values(it).filter((value) => value instanceof Uint8Array)))
    for (const { key, deletionToken } of blobs) {
      assert.equal(seen.includes(Buffer.from(key)) || seen.includes(Buffer.from(deletionToken)), false)
    }
    assert.equal(seen.includes("A".repeat(8)), false)
    const chunks = sent.flatMap((it) => (it.type === "putBlob" ? [Buffer.from(it.bytes).toString("hex")] : []))
    assert.equal(new Set(chunks).size, 4)
    // With the id alone nobody reads the content.
    await assert.rejects(all(alice, { ...blobs[0]!, key: blobs[1]!.key }), { code: "REFUSED" })
  })

  it("go on where the line was cut, before or after the service had the chunk, at each chunk", async () => {
    const cutAt = async (cut: number, isLate: boolean) => {
      await using world = new World({ inMemory: true })
      let asked = 0
      const { alice, bob } = await two(world, (line) =>
        tampered(line, async (request, pass) => {
          const isOfBlobs = request.type === "createBlob" || request.type === "putBlob"
          if (!isOfBlobs || asked++ !== cut) return pass()
          if (isLate) await pass()
          throw new TransportError("cut", { retryable: true })
        }),
      )
      const bytes = random(2 * PIECE_SIZE + 1)
      const blob = await alice.blobs.put(only(alice), content(bytes))
      assert.equal(asked, 5)
      assert.deepEqual(await all(bob, blob), Buffer.from(bytes))
    }
    // A second each, which the client waits.
    await Promise.all([0, 1, 2, 3].flatMap((cut) => [cutAt(cut, false), cutAt(cut, true)]))
  })

  it("of no size are refused, and not read as empty", async () => {
    await using world = new World({ inMemory: true })
    const { alice } = await two(world)
    const blob = await alice.blobs.put(only(alice), content(random(9)))
    for (const size of [Number.NaN, -1, 8.5, Number.POSITIVE_INFINITY, 2 ** 53, "9" as unknown as number]) {
      await assert.rejects(all(alice, { ...blob, size }), { code: "REFUSED", message: /no number of bytes/ })
    }
  })

  it("that fail while they are put give the group its room back", async () => {
    await using world = new World({ inMemory: true, limits: { blobBytesPerGroupMax: 3 * PIECE_SIZE } })
    const deleted: Uint8Array[] = []
    const { alice } = await two(world, (line) =>
      tampered(line, (request, pass) => {
        if (request.type === "deleteBlob") deleted.push(request.id)
        return pass()
      }),
    )
    const size = 2 * PIECE_SIZE
    const stop = new AbortController()
    const short = { size, bytes: [random(PIECE_SIZE + 1)] }
    await assert.rejects(alice.blobs.put(only(alice), short), RangeError)
    const onProgress = () => stop.abort()
    await assert.rejects(alice.blobs.put(only(alice), content(random(size)), { signal: stop.signal, onProgress }))
    for (let i = 0; i < 500 && deleted.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(deleted.length, 2)
    await alice.blobs.put(only(alice), content(random(size)))
  })

  it("ask for the next piece when the service has the one before, and fetch one when it is asked for", async () => {
    await using world = new World({ inMemory: true })
    const told = { given: 0, put: 0, read: 0 }
    const { alice } = await two(world, (line) =>
      tampered(line, async (request, pass) => {
        if (request.type === "putBlob") {
          // One is under way, and a part of the next one is in memory.
          assert.ok(told.given <= told.put + 2, `${told.given} given, ${told.put} put`)
          told.put++
        }
        if (request.type === "readBlob") told.read++
        return pass()
      }),
    )
    const pieces = 6
    async function* source() {
      for (; told.given < pieces; told.given++) yield random(PIECE_SIZE)
    }
    const blob = await alice.blobs.put(only(alice), { size: pieces * PIECE_SIZE, bytes: source() })
    assert.equal(told.put, pieces)
    for await (const _ of alice.blobs.get(blob)) if (told.read === 2) break
    assert.equal(told.read, 2)
  })

  it("that the service has changed, cut short, mixed up or made longer are refused before any of it is given", async () => {
    await using world = new World({ inMemory: true })
    let lie: (answer: { size: bigint; bytes: Uint8Array }, asked: bigint) => { size: bigint; bytes: Uint8Array } = (
      it,
    ) => it
    const { alice } = await two(world, (line) =>
      answered(line, (request, answer) =>
        answer.type === "blobBytes" && request.type === "readBlob"
          ? { ...answer, ...lie(answer, request.offset) }
          : answer,
      ),
    )
    const bytes = random(3 * PIECE_SIZE)
    const blob = await alice.blobs.put(only(alice), content(bytes))
    const chunks = new Map<bigint, Uint8Array>()
    lie = (it, offset) => {
      chunks.set(offset, it.bytes.slice())
      return it
    }
    assert.deepEqual(await all(alice, blob), Buffer.from(bytes))
    const flipped = (chunk: Uint8Array) => chunk.map((byte, at) => (at === 100 ? byte ^ 1 : byte))
    const first = chunks.get(0n)!
    const lies: readonly (typeof lie)[] = [
      (it) => ({ ...it, bytes: flipped(it.bytes) }),
      (it, offset) => ({ ...it, bytes: chunks.get(offset === 0n ? BigInt(BLOB_CHUNK_SIZE) : 0n)! }),
      (it) => ({ ...it, bytes: new Uint8Array() }),
      (it) => ({ ...it, bytes: new Uint8Array(BLOB_CHUNK_SIZE + 1) }),
      (it) => ({ ...it, size: it.size + 1n }),
      (it) => ({ size: BigInt(BLOB_CHUNK_SIZE), bytes: it.bytes }),
    ]
    for (const [number, told] of lies.entries()) {
      lie = told
      await assert.rejects(all(alice, blob), { code: "REFUSED" }, `${number}`)
    }
    // A reference to its beginning alone, as if that were all: the first piece is not a last one.
    lie = () => ({ size: BigInt(BLOB_CHUNK_SIZE), bytes: first })
    await assert.rejects(all(alice, { ...blob, size: PIECE_SIZE }), { code: "REFUSED" })
    // A part of a chunk at a time is no lie.
    lie = (it) => ({ ...it, bytes: it.bytes.subarray(0, 100_000) })
    assert.deepEqual(await all(alice, blob), Buffer.from(bytes))
  })

  it("end with the error of what is wrong: another length, no membership, no room, a signal, a lost part", async () => {
    await using world = new World({ inMemory: true, limits: { blobBytesPerGroupMax: 2 * BLOB_CHUNK_SIZE } })
    let forgets = false
    const { alice, bob } = await two(world, (line) =>
      answered(line, (request, answer) =>
        forgets && request.type === "putBlob" && answer.type === "blob" ? { ...answer, stored: 0n } : answer,
      ),
    )
    const bytes = random(1_000)
    const room = only(alice)
    await assert.rejects(alice.blobs.put(room, { size: 999, bytes: [bytes] }), RangeError)
    await assert.rejects(alice.blobs.put(room, { size: 1_001, bytes: [bytes] }), RangeError)
    await assert.rejects(alice.blobs.put(room, { size: 0, bytes: [bytes] }), RangeError)
    await assert.rejects(alice.blobs.put(room, { size: -1, bytes: [] }), RangeError)
    await assert.rejects(alice.blobs.put(room, content(random(3 * PIECE_SIZE))), { code: "REFUSED" })
    await assert.rejects(alice.blobs.put(room, content(bytes), { signal: AbortSignal.abort(new Error("stop")) }), {
      message: "stop",
    })
    forgets = true
    await assert.rejects(alice.blobs.put(room, content(bytes)), { code: "REFUSED", message: /lost/ })
    forgets = false
    const blob = await alice.blobs.put(room, content(bytes))
    await assert.rejects(alice.blobs.delete({ ...blob, deletionToken: random(32) }), { code: "REFUSED" })
    // Bob does not know yet that he has been removed: the service does.
    const bobs = only(bob)
    await room.remove("bob")
    await assert.rejects(bob.blobs.put(bobs, content(bytes)), { code: "NOT_A_MEMBER" })
    await bob.sync()
    await assert.rejects(bob.blobs.put(bobs, content(bytes)), { code: "NOT_A_MEMBER" })
    // What he was told before he can read.
    assert.deepEqual(await all(bob, blob), Buffer.from(bytes))
  })
})
