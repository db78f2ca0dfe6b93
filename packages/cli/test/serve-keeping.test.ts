import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { DeliveryResponseKind, deliveryRequests } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import { connect } from "@conclave/transport/node"
import { assertReadable, Folder, runHere, Service } from "./support.js"

const sha256 = (...parts: readonly Uint8Array[]) => nodeProvider().hashes["SHA-256"]!.digest(...parts)
const groupId = new Uint8Array(32).fill(1)
const id = (number: number) => new Uint8Array(16).fill(number)
const admit = () => undefined

const accessKey = nodeProvider().signatures.Ed25519!.generate((length) => nodeProvider().random(length)).publicKey

const shown = { groupId, key: accessKey, permit: () => undefined }

/** A request to make another group. */
const newGroup = deliveryRequests.encode({
  type: "createGroup",
  groupId: new Uint8Array(32).fill(2),
  idempotencyId: id(0x30),
  accessKey,
})

/** The file of a service with one group, and messages of the given times. */
async function writeFile(file: string, times: readonly number[]): Promise<void> {
  await using database = openDatabase({ file })
  const store = deliveryStore(database, sha256)
  const group = { groupId, accessKey, requestHash: id(1), admit }
  await store.createGroup({ ...group, idempotencyId: id(0), at: BigInt(Date.now()) })
  for (const [index, time] of times.entries()) {
    const entry = { ...shown, kind: "application", epoch: 0n, after: 0n, pastCommitsMax: 6, commit: undefined } as const
    const body = new Uint8Array(4_000).fill(7)
    await store.append({ ...entry, body, idempotencyId: id(index + 1), requestHash: id(1), at: BigInt(time), admit })
  }
}

async function kindsIn(file: string): Promise<string[]> {
  await using database = openDatabase({ file })
  const page = await deliveryStore(database, sha256).read({ ...shown, after: 0n, limit: 10, sizeMax: 1e9 })
  assert.ok(page.type === "page")
  return page.entries.map(({ kind }) => kind)
}

/** The first byte of an answer is its kind. */
const kindOf = (answer: Uint8Array) =>
  Object.entries(DeliveryResponseKind.values).find(([, number]) => number === answer[0])![0]

describe("what conclave serve keeps", { timeout: 60_000 }, () => {
  it("are messages of the last --retention days", async () => {
    using folder = new Folder()
    const file = folder.file("service.db")
    const day = 86_400_000
    await writeFile(file, [Date.now() - 11 * day, Date.now() - 9 * day])
    await using service = await Service.start(folder, 0, { words: ["--retention", "10"] })
    await new Promise((resolve) => setTimeout(resolve, 300))
    await service.stop("SIGTERM")
    assert.deepEqual(await kindsIn(file), ["expired", "application"])
  })

  it("is no more than --quota: a service that is full takes no new group, one that is not does", async () => {
    using folder = new Folder()
    const file = folder.file("service.db")
    await writeFile(file, new Array(200).fill(Date.now()))
    const kinds: string[] = []
    for (const quota of ["1M", "1G"]) {
      await using service = await Service.start(folder, 0, { words: ["--quota", quota] })
      await using transport = connect(new URL("delivery", service.address))
      kinds.push(kindOf(await transport.request(newGroup)))
      await service.stop("SIGTERM")
    }
    assert.deepEqual(kinds, ["quotaExceeded", "done"])
  })

  it("is given in sizes and days that make sense", async () => {
    using folder = new Folder()
    const cases: readonly [readonly string[], RegExp][] = [
      [["--quota", "10"], /--quota must be a size of at least 1M, like 20G, not "10"/],
      [["--quota", "1.5G"], /not "1\.5G"/],
      [["--quota", "20GB"], /not "20GB"/],
      [["--retention", "0"], /--retention must be a number of days from 1 to 10000/],
      [["--retention", "a month"], /not "a month"/],
    ]
    for (const [words, reason] of cases) {
      const ran = await runHere(["serve", "--data", folder.path, ...words])
      assert.equal(ran.code, 2)
      assertReadable(ran, reason)
    }
  })
})
