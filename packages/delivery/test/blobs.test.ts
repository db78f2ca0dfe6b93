import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import type { Access } from "@conclave/contracts/access"
import { BLOB_CHUNK_SIZE, blobHash } from "@conclave/contracts/blobs"
import { type DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { SigningKey } from "@conclave/crypto"
import {
  accessKeyOf,
  commitRequest,
  createGroup,
  createService,
  expectType,
  macOver,
  random,
  sha256,
  type TestService,
} from "@conclave/testing/delivery"
import { type DeliveryLimits, memoryBlobStore, memoryStore, type RefusalKind, sweepOnce } from "../src/index.js"
import { blobStores, pushStores, stores } from "./stores.js"

const DAY_SECONDS = 86_400
const HOUR = 3_600_000
const [alice, mallory] = ["4c0000201", "4c6336401"]

interface Upload {
  readonly groupId: Uint8Array
  readonly content: Uint8Array
  readonly id: Uint8Array
  readonly token: Uint8Array
}

const uploadOf = (groupId: Uint8Array, size: number): Upload => ({
  ...{ groupId, content: random(size) },
  ...{ id: random(32), token: random(32) },
})
const chunksOf = ({ content }: Upload) =>
  Array.from({ length: Math.ceil(content.length / BLOB_CHUNK_SIZE) }, (_, number) =>
    content.subarray(number * BLOB_CHUNK_SIZE, (number + 1) * BLOB_CHUNK_SIZE),
  )
const hashOf = (upload: Upload) =>
  blobHash(
    sha256,
    BigInt(upload.content.length),
    chunksOf(upload).map((chunk) => sha256(chunk)),
  )
const createRequest = ({ groupId, content, id, token }: Upload, lifetimeSeconds = DAY_SECONDS) =>
  ({
    type: "createBlob",
    ...{ groupId, id, size: BigInt(content.length) },
    ...{ lifetimeSeconds, deletion: sha256(token) },
  }) as const
const putRequest = (upload: Upload, number: number) => {
  const chunks = chunksOf(upload)
  const { groupId, id } = upload
  const offset = BigInt(number * BLOB_CHUNK_SIZE)
  const hash = number === chunks.length - 1 ? hashOf(upload) : undefined
  return { type: "putBlob", groupId, id, offset, bytes: chunks[number]!, hash } as const
}
const readRequest = ({ id }: Pick<Upload, "id">, offset = 0n, length = BLOB_CHUNK_SIZE) =>
  ({ type: "readBlob", id, offset, length }) as const
const deleteRequest = ({ id, token }: Upload) => ({ type: "deleteBlob", id, token }) as const
const storedOf = (answer: DeliveryResponse) => Number(expectType(answer, "blob").stored)

async function upload(service: TestService, it: Upload): Promise<void> {
  expectType(await service.ask(createRequest(it)), "blob")
  for (const number of chunksOf(it).keys()) expectType(await service.ask(putRequest(it, number)), "blob")
}

async function download(service: TestService, it: Pick<Upload, "id">): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for (let [offset, size] = [0n, 1n]; offset < size; ) {
    const part = expectType(await service.ask(readRequest(it, offset)), "blobBytes")
    parts.push(part.bytes)
    offset += BigInt(part.bytes.length)
    size = part.size
  }
  return Buffer.concat(parts)
}

for (const name of Object.keys(blobStores)) {
  const serviceOf = (test: TestContext, limits: Partial<DeliveryLimits> = {}, refusals: RefusalKind[] = []) => {
    const blobs = blobStores[name]!(test)
    const onRefusal = (kind: RefusalKind) => refusals.push(kind)
    return { ...createService(stores[name]!(test), { blobs, limits, onRefusal }), blobs }
  }

  describe(`blobs (${name})`, { timeout: 120_000 }, () => {
    it("a member uploads one, whoever knows its id reads it in any range, and its token deletes it for good", async (test) => {
      const service = serviceOf(test)
      const it = uploadOf(await createGroup(service), 2 * BLOB_CHUNK_SIZE + 1_000)
      await upload(service, it)
      assert.deepEqual(await download(service, it), Buffer.from(it.content))
      const across = expectType(await service.ask(readRequest(it, BigInt(BLOB_CHUNK_SIZE) - 10n, 100)), "blobBytes")
      assert.deepEqual(across.bytes, it.content.slice(BLOB_CHUNK_SIZE - 10, BLOB_CHUNK_SIZE), "up to the chunk's end")
      for (const offset of [BigInt(it.content.length), 2n ** 64n - 1n]) {
        const beyond = expectType(await service.ask(readRequest(it, offset)), "blobBytes")
        assert.deepEqual([beyond.bytes.length, Number(beyond.size)], [0, it.content.length])
      }
      expectType(await service.ask(readRequest({ id: random(32) })), "notFound")
      expectType(await service.ask(deleteRequest({ ...it, token: random(32) })), "denied")
      assert.equal((await download(service, it)).length, it.content.length)
      expectType(await service.ask(deleteRequest(it)), "done")
      expectType(await service.ask(deleteRequest(it)), "notFound")
      expectType(await service.ask(readRequest(it)), "notFound")
      expectType(await service.ask(putRequest(it, 0)), "notFound")
    })

    it("an upload that is cut at any chunk goes on from what is stored, and is read only when it is whole", async (test) => {
      const service = serviceOf(test)
      const groupId = await createGroup(service)
      for (let cut = 0; cut <= 3; cut++) {
        const it = uploadOf(groupId, 3 * BLOB_CHUNK_SIZE)
        expectType(await service.ask(createRequest(it)), "blob")
        for (let number = 0; number < cut; number++) await service.ask(putRequest(it, number))
        const isWhole = cut === 3
        assert.equal((await service.ask(readRequest(it))).type, isWhole ? "blobBytes" : "notFound")
        // The client that comes back asks with the request that it began with, or sends some chunk again.
        const stored = storedOf(await service.ask(createRequest(it)))
        assert.equal(stored, cut * BLOB_CHUNK_SIZE)
        for (const number of [0, 1, 2]) {
          if (number !== cut) assert.equal(storedOf(await service.ask(putRequest(it, number))), stored)
        }
        for (let number = cut; number < 3; number++) await service.ask(putRequest(it, number))
        assert.deepEqual(await download(service, it), Buffer.from(it.content))
      }
    })

    it("chunks of another size, without a hash at the end or with one before it are refused, and a wrong hash ends the blob", async (test) => {
      const service = serviceOf(test)
      const it = uploadOf(await createGroup(service), BLOB_CHUNK_SIZE + 5)
      expectType(await service.ask(createRequest(it)), "blob")
      const [first, last] = [putRequest(it, 0), putRequest(it, 1)]
      for (const bytes of [new Uint8Array(), random(1), first.bytes.subarray(1)]) {
        expectType(await service.ask({ ...first, bytes }), "invalid")
      }
      expectType(await service.ask({ ...first, bytes: random(BLOB_CHUNK_SIZE + 1) }), "tooLarge")
      expectType(await service.ask({ ...first, hash: hashOf(it) }), "invalid")
      expectType(await service.ask({ ...first, offset: 1n }), "invalid")
      expectType(await service.ask({ ...first, offset: 2n ** 64n - 1n }), "invalid")
      assert.equal(storedOf(await service.ask(first)), BLOB_CHUNK_SIZE)
      expectType(await service.ask({ ...last, hash: undefined }), "invalid")
      expectType(await service.ask({ ...last, bytes: random(6) }), "invalid")
      assert.equal(storedOf(await service.ask(createRequest(it))), BLOB_CHUNK_SIZE)
      expectType(await service.ask({ ...last, hash: random(32) }), "invalid")
      expectType(await service.ask(last), "notFound")
      expectType(await service.ask(readRequest(it)), "notFound")
      // A byte that was changed on the way is found in whatever chunk it is.
      const damaged = uploadOf(it.groupId, BLOB_CHUNK_SIZE + 5)
      expectType(await service.ask(createRequest(damaged)), "blob")
      const spoilt = damaged.content.slice(0, BLOB_CHUNK_SIZE)
      spoilt[77]! ^= 1
      expectType(await service.ask({ ...putRequest(damaged, 0), bytes: spoilt }), "blob")
      expectType(await service.ask(putRequest(damaged, 1)), "invalid")
      expectType(await service.ask(readRequest(damaged)), "notFound")
    })

    it("are gone when their time is over, for the operator's longest at most, and uploads that do not go on, after an hour", async (test) => {
      const service = serviceOf(test, { blobLifetimeSecondsMax: 3 * DAY_SECONDS })
      const groupId = await createGroup(service)
      const [short, long, half] = [1, 2, 3].map(() => uploadOf(groupId, BLOB_CHUNK_SIZE + 1)) as [
        Upload,
        Upload,
        Upload,
      ]
      const begun = service.clock.now
      await upload(service, short)
      const until = expectType(await service.ask(createRequest(long, 0xffff_ffff)), "blob").until
      assert.equal(Number(until) - begun, 3 * DAY_SECONDS * 1000)
      for (const number of [0, 1]) await service.ask(putRequest(long, number))
      expectType(await service.ask(createRequest(half, 2 * DAY_SECONDS)), "blob")
      expectType(await service.ask(putRequest(half, 0)), "blob")
      const slow = uploadOf(groupId, 2 * BLOB_CHUNK_SIZE + 1)
      expectType(await service.ask(createRequest(slow, 2 * DAY_SECONDS)), "blob")
      service.clock.now = begun + HOUR - 1
      expectType(await service.ask(putRequest(half, 0)), "blob")
      expectType(await service.ask(putRequest(slow, 0)), "blob")
      service.clock.now = begun + HOUR
      expectType(await service.ask(putRequest(half, 1)), "notFound")
      // What goes on within an hour of its last chunk is kept for an hour more.
      service.clock.now = begun + 2 * HOUR - 2
      expectType(await service.ask(putRequest(slow, 1)), "blob")
      service.clock.now = begun + 3 * HOUR - 2
      expectType(await service.ask(putRequest(slow, 2)), "notFound")
      service.clock.now = begun + DAY_SECONDS * 1000
      expectType(await service.ask(readRequest(short)), "notFound")
      assert.deepEqual(await download(service, long), Buffer.from(long.content))
      await sweepOnce({ store: service.store, blobs: service.blobs, now: () => service.clock.now })
      assert.deepEqual(await download(service, long), Buffer.from(long.content))
      service.clock.now = begun + 3 * DAY_SECONDS * 1000
      expectType(await service.ask(readRequest(long)), "notFound")
    })

    it("strangers, removed members and holders of an old key upload nothing, and not to another group's blob", async (test) => {
      const service = serviceOf(test)
      const groupId = await createGroup(service)
      const [first, second, third] = [0, 1, 2].map((interval) => accessKeyOf(groupId, interval)) as [
        SigningKey,
        SigningKey,
        SigningKey,
      ]
      const it = uploadOf(groupId, 3 * BLOB_CHUNK_SIZE)
      expectType(await service.ask(createRequest(it)), "blob")
      const stranger = accessKeyOf(random(32))
      for (const request of [createRequest(uploadOf(groupId, 1)), putRequest(it, 0)]) {
        expectType(await service.askWith(stranger, request), "denied")
        expectType(await service.ask({ ...request, access: { type: "none" } }), "denied")
        const pass: Access = { type: "pass", key: first.publicKey, until: 2n ** 60n, tag: random(32) }
        expectType(await service.ask({ ...request, access: pass }), "denied")
      }
      // Nobody is removed: the former key goes on for a minute.
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1 })), "accepted")
      expectType(await service.askWith(first, putRequest(it, 0)), "blob")
      service.clock.now += 60_000
      expectType(await service.askWith(first, putRequest(it, 1)), "denied")
      expectType(await service.askWith(second, putRequest(it, 1)), "blob")
      // Mallory is removed, in the middle of an upload: at once nothing more of it.
      const removal = commitRequest(groupId, 1n, { interval: 2, removes: true })
      expectType(await service.askWith(second, removal), "accepted")
      expectType(await service.askWith(second, putRequest(it, 2)), "denied")
      expectType(await service.askWith(second, createRequest(uploadOf(groupId, 1))), "denied")
      // In a group of one's own, the id of another group's blob leads to nothing.
      const own = await createGroup(service)
      expectType(await service.askWith(accessKeyOf(own), { ...putRequest(it, 2), groupId: own }), "notFound")
      expectType(await service.askWith(accessKeyOf(own), { ...createRequest(it), groupId: own }), "invalid")
      expectType(await service.askWith(third, putRequest(it, 2)), "blob")
      assert.deepEqual(await download(service, it), Buffer.from(it.content))
    })

    it("go with their group, and so do push registrations, whether it was closed or retired", async (test) => {
      const [store, blobs, pushes] = [stores[name]!(test), blobStores[name]!(test), pushStores[name]!(test)]
      const pushSender = { send: async () => "sent" as const }
      const service = createService(store, { blobs, pushes, pushSender })
      const groups = [await createGroup(service), await createGroup(service), await createGroup(service)]
      const uploads: Upload[] = []
      for (const groupId of groups) {
        for (const size of [BLOB_CHUNK_SIZE + 1, 9]) {
          const it = uploadOf(groupId, size)
          uploads.push(it)
          expectType(await service.ask(createRequest(it, 20 * DAY_SECONDS)), "blob")
          for (const number of chunksOf(it).keys()) expectType(await service.ask(putRequest(it, number)), "blob")
        }
        const endpoint = "https://push.example.org/"
        const parts = { id: random(16), kind: "webhook", endpoint, parameters: random(1), removal: random(32) } as const
        const lifetimeSeconds = 20 * DAY_SECONDS
        expectType(await service.ask({ type: "registerPush", groupId, lifetimeSeconds, ...parts }), "done")
      }
      const sweep = () => sweepOnce({ store, blobs, pushes, rowsMax: 2, now: () => service.clock.now })
      const readable = async () => {
        const answers = await Promise.all(uploads.map((it) => service.ask(readRequest(it, 0n, 1))))
        return answers.map(({ type }) => type === "blobBytes")
      }
      const namesOf = (ids: readonly Uint8Array[]) => ids.map((id) => Buffer.from(id).toString("hex")).sort()
      const left = async () => {
        const all = { after: new Uint8Array(), limit: 9 }
        assert.deepEqual(namesOf(await pushes.groups(all)), namesOf(await blobs.groups(all)))
        return namesOf(await blobs.groups(all))
      }
      await sweep()
      assert.deepEqual(await left(), namesOf(groups))
      assert.equal(await store.closeGroup(groups[0]!), true)
      await sweep()
      assert.deepEqual(await left(), namesOf(groups.slice(1)))
      assert.deepEqual(await readable(), [false, false, true, true, true, true])
      expectType(await service.ask({ type: "retire", groupId: groups[1]!, headSeq: 0n }), "policy")
      service.clock.now += 8 * DAY_SECONDS * 1000
      await sweep()
      assert.deepEqual(await left(), namesOf(groups.slice(2)))
      assert.deepEqual(await readable(), [false, false, false, false, true, true])
    })

    it("take a group's quota from their beginning on, give it back, and one group's leaves the other's alone", async (test) => {
      const refusals: RefusalKind[] = []
      const limits = { blobsPerGroupMax: 3, blobBytesPerGroupMax: 10_000 }
      const service = serviceOf(test, limits, refusals)
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const [whole, begun, small] = [uploadOf(groupId, 4_000), uploadOf(groupId, 5_000), uploadOf(groupId, 1)]
      await upload(service, whole)
      expectType(await service.ask(createRequest(begun)), "blob")
      expectType(await service.ask(createRequest(uploadOf(groupId, 1_001))), "quotaExceeded")
      expectType(await service.ask(createRequest(small)), "blob")
      const answer = await service.ask(createRequest(uploadOf(groupId, 1)))
      assert.equal(expectType(answer, "quotaExceeded").of, "group")
      assert.equal(refusals.filter((kind) => kind === "groupQuota").length, 2)
      // What was begun goes on, a repetition takes nothing, and another group has its own.
      expectType(await service.ask(createRequest(begun)), "blob")
      expectType(await service.ask(putRequest(begun, 0)), "blob")
      await upload(service, uploadOf(other, 10_000))
      expectType(await service.ask(deleteRequest(whole)), "done")
      expectType(await service.ask(createRequest(uploadOf(groupId, 4_999))), "blob")
    })
  })
}

describe("what a requester may do with blobs", () => {
  const serviceOf = (limits: Partial<DeliveryLimits>, refusals: RefusalKind[] = []) =>
    createService(memoryStore(sha256), {
      ...{ blobs: memoryBlobStore(), limits, onRefusal: (kind: RefusalKind) => refusals.push(kind) },
    })

  it("promises count as if they were kept: with its share of bytes promised, a requester waits and others do not", async () => {
    const service = serviceOf({ bytesByRequester: { perSecond: 1, burst: 10_000 } })
    const groupId = await createGroup(service)
    for (let i = 0; i < 2; i++) {
      expectType(await service.askAs(mallory, createRequest(uploadOf(groupId, 5_000))), "blob")
    }
    expectType(await service.askAs(mallory, createRequest(uploadOf(groupId, 5_000))), "throttled")
    expectType(await service.askAs(alice, createRequest(uploadOf(groupId, 5_000))), "blob")
  })

  it("the fuller the place of the blobs, the less of a share is used", async () => {
    const blobs = Object.assign(memoryBlobStore(), { usage: () => ({ bytes: 500_000, sizeMax: 1_000_000 }) })
    const limits = { bytesByRequester: { perSecond: 1, burst: 10_000 } }
    const service = createService(memoryStore(sha256), { blobs, limits })
    const groupId = await createGroup(service)
    expectType(await service.askAs(mallory, createRequest(uploadOf(groupId, 5_000))), "blob")
    expectType(await service.askAs(mallory, createRequest(uploadOf(groupId, 1))), "throttled")
    expectType(await service.askAs(alice, createRequest(uploadOf(groupId, 5_000))), "blob")
  })

  it("floods of beginnings, chunks, reads and deletions are throttled, each for itself", async () => {
    const refusals: RefusalKind[] = []
    const slow = { perSecond: 0.01, burst: 3 }
    const limits = {
      blobsByRequester: slow,
      chunksByRequester: slow,
      blobBytesReadByRequester: { perSecond: 1, burst: 300_000 },
    }
    const service = serviceOf(limits, refusals)
    const it = uploadOf(await createGroup(service), BLOB_CHUNK_SIZE)
    const times = async (count: number, request: Parameters<TestService["ask"]>[0]) => {
      const types: string[] = []
      for (let i = 0; i < count; i++) types.push((await service.askAs(mallory, request)).type)
      return types
    }
    assert.deepEqual(await times(4, createRequest(it)), ["blob", "blob", "blob", "throttled"])
    assert.deepEqual(await times(1, deleteRequest(it)), ["throttled"])
    assert.deepEqual(await times(4, putRequest(it, 0)), ["blob", "blob", "blob", "throttled"])
    assert.deepEqual(await times(2, readRequest(it)), ["blobBytes", "throttled"])
    // Looks that find nothing cost something as well.
    const looks = await times(20, readRequest({ id: random(32) }, 0n, 0))
    assert.deepEqual([looks[0], looks.at(-1)], ["notFound", "throttled"])
    assert.deepEqual([...new Set(refusals)].sort(), ["blobReads", "blobs"])
    expectType(await service.askAs(alice, readRequest(it)), "blobBytes")
  })

  it("nothing is kept beyond the service's room, which leaves a quarter to messages", async () => {
    const blobs = Object.assign(memoryBlobStore(), { usage: () => ({ bytes: 700, sizeMax: 1_000 }) })
    const service = createService(memoryStore(sha256), { blobs })
    const groupId = await createGroup(service)
    const answer = await service.ask(createRequest(uploadOf(groupId, 51)))
    assert.equal(expectType(answer, "quotaExceeded").of, "service")
    const it = uploadOf(groupId, 50)
    expectType(await service.ask(createRequest(it)), "blob")
    Object.assign(blobs, { usage: () => ({ bytes: 701, sizeMax: 1_000 }) })
    expectType(await service.ask(putRequest(it, 0)), "quotaExceeded")
  })

  it("wrong tokens count as denials, of one too large or of no size nothing is promised, and without a store nothing is", async () => {
    const service = serviceOf({ blobSizeMax: 1_000, denialsByRequester: { perSecond: 0.01, burst: 2 } })
    const it = uploadOf(await createGroup(service), 1_000)
    expectType(await service.ask(createRequest(uploadOf(it.groupId, 1_001))), "tooLarge")
    expectType(await service.ask({ ...createRequest(it), size: 2n ** 64n - 1n }), "tooLarge")
    expectType(await service.ask({ ...createRequest(it), size: 0n }), "invalid")
    expectType(await service.ask(createRequest(it, 0)), "invalid")
    expectType(await service.ask(createRequest(it)), "blob")
    for (const type of ["denied", "denied", "throttled"] as const) {
      expectType(await service.askAs(mallory, deleteRequest({ ...it, token: random(32) })), type)
    }
    const without = createService(memoryStore(sha256))
    expectType(await without.ask(createRequest(uploadOf(await createGroup(without), 1))), "forbidden")
    expectType(await without.ask(readRequest(it)), "forbidden")
  })

  it("a MAC with the pass of the key stands for a signature", async () => {
    const service = serviceOf({})
    const it = uploadOf(await createGroup(service), 10)
    const gone = new AbortController()
    const cursors = [{ groupId: it.groupId, afterSeq: 0n }]
    const subscribe = { type: "subscribe", cursors, inboxAfter: 0n, proof: undefined } as const
    for await (const answer of service.stream(subscribe, gone.signal)) {
      if (answer.type !== "passes") continue
      const bare = { ...createRequest(it), access: { type: "none" } } as const
      const access = macOver(answer.passes[0]!, deliveryRequests.encode(bare))
      expectType(await service.ask({ ...bare, access }), "blob")
      expectType(await service.ask({ ...bare, size: 11n, access }), "denied")
      // What reads for a day does not write.
      const { key, until, tag } = answer.passes[0]!
      const reading = { type: "pass", key, until, tag } as const
      expectType(
        await service.ask({ type: "read", groupId: it.groupId, afterSeq: 0n, limit: 1, access: reading }),
        "entries",
      )
      expectType(await service.ask({ ...createRequest(uploadOf(it.groupId, 10)), access: reading }), "denied")
      break
    }
    gone.abort()
  })
})
