import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { BLOB_CHUNK_SIZE, blobHash } from "@conclave/contracts/blobs"
import { memoryBlobStore } from "@conclave/delivery"
import type { BlobStore, NewBlob, NewChunk } from "@conclave/delivery/blobs"
import fc from "fast-check"
import { bytes, sha256 } from "./delivery-operations.js"

/** Sizes at the edges of chunks. */
const sizes = [1, BLOB_CHUNK_SIZE - 1, BLOB_CHUNK_SIZE, BLOB_CHUNK_SIZE + 1, 2 * BLOB_CHUNK_SIZE] as const
const DAY = 86_400_000n

const blobName = fc.constantFrom(..."abcde")
const groupName = fc.constantFrom("one", "other")
const operation = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      blobName,
      groupName,
      days: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ do: fc.constant("put" as const), blobName, groupName },
      chunk: fc.constantFrom(0, 1),
      fault: fc.constantFrom("none", "none", "none", "short", "hash", "offset"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("upload" as const), blobName, groupName }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant("read" as const), blobName },
      offset: fc.constantFrom(0n, 1n, BigInt(BLOB_CHUNK_SIZE) - 1n, BigInt(BLOB_CHUNK_SIZE), 2n ** 63n - 1n),
      length: fc.constantFrom(0, 1, 100, BLOB_CHUNK_SIZE),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), blobName, isRight: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("later" as const), hours: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("sweep" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("deleteOfGroup" as const), groupName }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("groups" as const), after: fc.constantFrom("", "one") }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** Content and size follow from the name: a wrong byte shows. */
const contentOf = (name: string) => {
  const content = new Uint8Array(sizes[(name.charCodeAt(0) - 97 + 2) % sizes.length]!)
  for (let at = 0; at < content.length; at++) content[at] = (at * 31 + name.charCodeAt(0)) % 251
  return content
}
const chunksOf = (content: Uint8Array) =>
  Array.from({ length: Math.ceil(content.length / BLOB_CHUNK_SIZE) }, (_, number) =>
    content.subarray(number * BLOB_CHUNK_SIZE, (number + 1) * BLOB_CHUNK_SIZE),
  )

const sortedHex = (ids: readonly Uint8Array[]) => ids.map((id) => Buffer.from(id).toString("hex")).sort()

function newBlob(name: string, group: string, at: bigint, days = 1): NewBlob {
  return {
    id: bytes(`id of ${name}`),
    groupId: bytes(group),
    size: BigInt(contentOf(name).length),
    deletion: sha256(bytes(`token of ${name}`)),
    at,
    until: at + BigInt(days) * DAY,
    wholeBefore: at + DAY / 2n,
    admit: ({ bytes, blobs }) => (blobs >= 2 || bytes > 600_000n ? { type: "quotaExceeded", of: "group" } : undefined),
  }
}

function newChunk(name: string, group: string, number: number, at: bigint): NewChunk {
  const content = contentOf(name)
  const chunk = chunksOf(content)[number] ?? new Uint8Array(1)
  const offset = BigInt(number * BLOB_CHUNK_SIZE)
  const isLast = offset + BigInt(chunk.length) >= BigInt(content.length)
  const whole = blobHash(
    sha256,
    BigInt(content.length),
    chunksOf(content).map((it) => sha256(it)),
  )
  return {
    ...{ id: bytes(`id of ${name}`), groupId: bytes(group), offset, bytes: chunk, hash: sha256(chunk), at },
    wholeBefore: at + DAY / 3n,
    isRight: isLast ? (size, hashes) => Buffer.compare(whole, blobHash(sha256, size, hashes)) === 0 : undefined,
    admit: () => undefined,
  }
}

function faulty(chunk: NewChunk, fault: string): NewChunk {
  if (fault === "short") return { ...chunk, bytes: chunk.bytes.subarray(1) }
  if (fault === "offset") return { ...chunk, offset: chunk.offset + 1n }
  return fault === "hash" && chunk.isRight !== undefined ? { ...chunk, isRight: () => false } : chunk
}

async function perform(store: BlobStore, operation: Operation, at: bigint): Promise<unknown> {
  switch (operation.do) {
    case "create":
      return store.create(newBlob(operation.blobName, operation.groupName, at, operation.days))
    case "put":
      return store.put(faulty(newChunk(operation.blobName, operation.groupName, operation.chunk, at), operation.fault))
    case "upload": {
      const { blobName, groupName } = operation
      const told: unknown[] = [await store.create(newBlob(blobName, groupName, at))]
      for (const number of chunksOf(contentOf(blobName)).keys()) {
        told.push(await store.put(newChunk(blobName, groupName, number, at)))
      }
      return told
    }
    case "read": {
      const { offset, length } = operation
      const read = await store.read({ id: bytes(`id of ${operation.blobName}`), at, offset, length })
      return read.type === "part" ? { ...read, bytes: Buffer.from(read.bytes).toString("hex") } : read
    }
    case "delete": {
      const token = bytes(`token of ${operation.isRight ? operation.blobName : "nobody"}`)
      return store.delete({ id: bytes(`id of ${operation.blobName}`), deletion: sha256(token), at })
    }
    case "deleteOfGroup":
      while ((await store.deleteOfGroup(bytes(operation.groupName), 2)).more);
      return undefined
    case "groups":
      return sortedHex(
        await store.groups({ after: operation.after === "" ? new Uint8Array() : bytes("one"), limit: 2 }),
      )
    case "sweep":
      while ((await store.sweep({ at, rowsMax: 2 })).more);
      return undefined
    default:
      return undefined
  }
}

/**
 * What every store of blobs has to do, as tests of `node:test`: it answers as `memoryBlobStore`, the model, does. `open` is
 * called for each sequence of operations anew, and makes an empty store.
 */
export function blobStoreConformance(
  name: string,
  open: (test: TestContext) => BlobStore | Promise<BlobStore>,
  { numRuns = 60 } = {},
): void {
  describe(`a store of blobs of ${name} and the model of it`, () => {
    it("answer every sequence of operations alike", async (test) => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
          await using real = await open(test)
          await using model = memoryBlobStore()
          let at = 1_800_000_000_000n
          for (const operation of operations) {
            at += operation.do === "later" ? BigInt(operation.hours) * 3_600_000n : 1n
            // What has expired is swept in both: whether its room is free before that is the store's affair.
            if (operation.do === "create" || operation.do === "upload") {
              for (const store of [real, model]) await perform(store, { do: "sweep" }, at)
            }
            assert.deepEqual(await perform(real, operation, at), await perform(model, operation, at), operation.do)
          }
        }),
        { numRuns, includeErrorInReport: true },
      )
    })

    it("gives the last place of a group to one of many who ask at once, and stores a chunk once", async (test) => {
      const store = await open(test)
      test.after(() => store[Symbol.asyncDispose]())
      const admit: NewBlob["admit"] = ({ blobs }) => (blobs >= 3 ? { type: "quotaExceeded", of: "group" } : undefined)
      const asked = Array.from({ length: 12 }, (_, i) => ({ ...newBlob("a", "one", 1n), id: bytes(`${i}`), admit }))
      const told = await Promise.all(asked.map((blob) => store.create(blob)))
      assert.equal(told.filter(({ type }) => type === "blob").length, 3)
      const { id } = asked[told.findIndex(({ type }) => type === "blob")]!
      const chunk = { ...newChunk("a", "one", 0, 2n), id }
      const puts = await Promise.all(Array.from({ length: 8 }, () => store.put(chunk)))
      const whole = {
        type: "blob",
        stored: BigInt(chunk.bytes.length),
        size: BigInt(chunk.bytes.length),
        until: 1n + DAY,
      }
      assert.deepEqual(
        puts,
        puts.map(() => whole),
      )
      const read = await store.read({ id, at: 3n, offset: 7n, length: 5 })
      assert.deepEqual(read, { type: "part", size: whole.size, bytes: chunk.bytes.slice(7, 12) })
    })

    it("has a blob until its time is over, and one that is not whole for less", async (test) => {
      const store = await open(test)
      test.after(() => store[Symbol.asyncDispose]())
      const [whole, half] = [newBlob("a", "one", 1n), newBlob("c", "one", 1n)]
      for (const blob of [whole, half]) await store.create(blob)
      await store.put(newChunk("a", "one", 0, 2n))
      await store.put(newChunk("c", "one", 0, 2n))
      const typeAt = async (at: bigint) => (await store.read({ id: whole.id, at, offset: 0n, length: 1 })).type
      const putAt = async (at: bigint) => (await store.put({ ...newChunk("c", "one", 0, at), offset: 0n })).type
      assert.deepEqual([await putAt(half.wholeBefore - 1n), await putAt(half.wholeBefore)], ["blob", "none"])
      // Each chunk that comes has it kept for longer, and not beyond its time.
      const late = { ...newBlob("b", "other", 1n), until: DAY }
      await store.create(late)
      await store.put(newChunk("b", "other", 0, late.wholeBefore - 1n))
      const stateAt = async (at: bigint) => (await store.put(newChunk("b", "other", 0, at))).type
      assert.deepEqual([await stateAt(late.wholeBefore + DAY / 3n - 2n), await stateAt(DAY)], ["blob", "none"])
      assert.deepEqual([await typeAt(whole.until - 1n), await typeAt(whole.until)], ["part", "none"])
    })
  })
}
