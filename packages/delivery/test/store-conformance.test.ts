import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it } from "node:test"
import fc from "fast-check"
import { memoryStore, openDatabase, type Store, sqliteStore } from "../src/index.js"
import { sha256, temporaryFolder } from "./support.js"

/**
 * The model and the real store are given the same random operations, from few names so that they meet, and must give
 * the same answers.
 */
const bytes = (text: string, size = 32) => sha256(new TextEncoder().encode(text)).subarray(0, size)
const groupId = fc.constantFrom(..."abc").map((name) => bytes(`group ${name}`))
const deviceId = fc.constantFrom(..."xyz").map((name) => bytes(`device ${name}`))
const id = fc.integer({ min: 0, max: 25 }).map((number) => bytes(`id ${number}`, 16))
const body = fc.uint8Array({ minLength: 1, maxLength: 30 })
const epoch = fc.bigInt({ min: 0n, max: 6n })
/** What an author had read: mostly the beginning, where commits are taken at first. */
const seq = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 20n }))
const page = fc.record({
  after: fc.bigInt({ min: 0n, max: 12n }),
  limit: fc.integer({ min: 0, max: 5 }),
  sizeMax: fc.integer({ min: 1, max: 60 }),
})
const keyPackage = fc.integer({ min: 0, max: 30 }).map((number) => ({
  ref: bytes(`key package ${number}`),
  keyPackage: bytes(`key package body ${number}`),
  notAfter: BigInt(1000 + number * 40),
}))

const commit = fc.record({
  recipients: fc.uniqueArray(deviceId, { maxLength: 3, comparator: (a, b) => Buffer.compare(a, b) === 0 }),
  welcome: fc.constant(bytes("welcome")),
  ratchetTree: fc.option(fc.constant(bytes("tree")), { nil: undefined }),
  groupInfo: fc.constantFrom(bytes("info 1"), bytes("info 2")),
  inboxEntriesMax: fc.constant(4),
})
const newEntry = fc
  .record({
    groupId,
    idempotencyId: id,
    epoch,
    after: seq,
    body,
    isCommit: fc.boolean(),
    isProposal: fc.boolean(),
    commit,
  })
  .map(({ isCommit, isProposal, commit, ...entry }) => ({
    ...entry,
    kind: isCommit ? ("commit" as const) : isProposal ? ("proposal" as const) : ("application" as const),
    requestHash: sha256(entry.body, entry.groupId, new Uint8Array([isCommit ? 1 : 0])),
    commit: isCommit ? commit : undefined,
    pastCommitsMax: 2,
  }))

const publication = fc.record({
  deviceId,
  cipherSuite: fc.constantFrom(1, 2),
  keyPackages: fc.array(keyPackage, { maxLength: 4 }),
  lastResort: fc.option(keyPackage, { nil: undefined }),
  signatureKey: fc.constant(bytes("key")),
  stockMax: fc.constant(3),
})
const claim = fc.record({
  deviceId,
  cipherSuite: fc.constantFrom(1, 2),
  lastResortOnly: fc.boolean(),
  lowStock: fc.constant(2),
})
const newGroup = fc.record({
  groupId,
  idempotencyId: id,
  ratchetTree: fc.option(fc.constant(bytes("tree")), { nil: undefined }),
  requestHash: fc.constantFrom(bytes("request 1"), bytes("request 2")),
  groupInfo: fc.constant(bytes("info 0")),
})

const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary })
const operation = fc.oneof(
  weighted(1, fc.record({ do: fc.constant("createGroup" as const), with: newGroup })),
  weighted(4, fc.record({ do: fc.constant("append" as const), with: newEntry })),
  weighted(1, fc.record({ do: fc.constant("read" as const), with: fc.tuple(groupId, page) })),
  weighted(1, fc.record({ do: fc.constant("head" as const), with: groupId })),
  weighted(2, fc.record({ do: fc.constant("publish" as const), with: publication })),
  weighted(2, fc.record({ do: fc.constant("claim" as const), with: claim })),
  weighted(1, fc.record({ do: fc.constant("inbox" as const), with: fc.tuple(deviceId, page) })),
  weighted(
    1,
    fc.record({ do: fc.constant("acknowledge" as const), with: fc.tuple(deviceId, fc.bigInt({ min: 0n, max: 6n })) }),
  ),
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** `at`: the clock of a service does not go back. */
async function perform(store: Store, operation: Operation, at: bigint): Promise<unknown> {
  switch (operation.do) {
    case "createGroup":
      return store.createGroup({ ...operation.with, at })
    case "append":
      return store.append({ ...operation.with, at })
    case "read":
      return store.read({ groupId: operation.with[0], ...operation.with[1] })
    case "head":
      return [await store.head(operation.with), await store.groupInfo(operation.with)]
    case "publish":
      return store.publishKeyPackages({ ...operation.with, at })
    case "claim":
      return [
        await store.claimKeyPackage({ ...operation.with, at }),
        await store.countKeyPackages({ ...operation.with, at }),
      ]
    case "inbox":
      return [
        await store.inbox({ deviceId: operation.with[0], ...operation.with[1] }),
        await store.inboxHead(operation.with[0]),
      ]
    case "acknowledge":
      return store.acknowledgeInbox(...operation.with)
  }
}

describe("a store of SQLite and the model of it", () => {
  it("answer every sequence of operations alike", async (test) => {
    const folder = temporaryFolder(test)
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 80 }), async (operations) => {
        await using real = sqliteStore(openDatabase({ file: join(folder, `${run++}.db`) }), sha256)
        const model = memoryStore(sha256)
        for (const [index, operation] of operations.entries()) {
          const at = BigInt(1000 + index * 10)
          assert.deepEqual(await perform(real, operation, at), await perform(model, operation, at))
        }
      }),
      { numRuns: 100, includeErrorInReport: true },
    )
  })

  it("answer operations that come together as if they had come one after the other", async (test) => {
    const folder = temporaryFolder(test)
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(newEntry, { minLength: 5, maxLength: 40 }), async (entries) => {
        await using real = sqliteStore(openDatabase({ file: join(folder, `${run++}.db`) }), sha256)
        const model = memoryStore(sha256)
        const createAll = (store: Store) =>
          Promise.all(
            [..."abc"].map((name) =>
              store.createGroup({
                groupId: bytes(`group ${name}`),
                idempotencyId: bytes("id", 16),
                requestHash: bytes("hash"),
                groupInfo: bytes("info 0"),
                ratchetTree: undefined,
                at: 1n,
              }),
            ),
          )
        await createAll(real)
        await createAll(model)
        const appendAll = (store: Store) => Promise.all(entries.map((entry) => store.append({ ...entry, at: 2n })))
        assert.deepEqual(await appendAll(real), await appendAll(model))
      }),
      { numRuns: 50, includeErrorInReport: true },
    )
  })

  it("keeps no body that nothing points to", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "blobs.db") })
    const store = sqliteStore(database, sha256)
    test.after(() => database.close())
    const [group, device] = [bytes("group"), bytes("device")]
    const common = { groupId: group, at: 1n, requestHash: bytes("hash") }
    const first = { ...common, idempotencyId: bytes("0", 16), groupInfo: bytes("info 0"), ratchetTree: bytes("tree 0") }
    await store.createGroup(first)
    for (let epoch = 0n; epoch < 5n; epoch++) {
      await store.append({
        ...common,
        idempotencyId: bytes(`${epoch + 1n}`, 16),
        kind: "commit",
        epoch,
        body: bytes(`commit ${epoch}`),
        after: epoch,
        pastCommitsMax: 3,
        commit: {
          welcome: bytes(`welcome ${epoch}`),
          recipients: [device],
          ratchetTree: bytes(`tree ${epoch + 1n}`),
          groupInfo: bytes(`info ${epoch + 1n}`),
          inboxEntriesMax: 10,
        },
      })
    }
    const bodies = () => Number(database.read((connection) => connection.get("SELECT count(*) AS n FROM blob")!).n)
    // Five welcomes, five trees in the inbox (the last one is the group's too), and the GroupInfo.
    assert.equal(bodies(), 11)
    await store.acknowledgeInbox(device, 5n)
    assert.equal(bodies(), 2)
  })
})
