import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { storeConformance as authConformance } from "@conclave/testing/auth"
import {
  blobStoreConformance,
  storeConformance as deliveryConformance,
  pushStoreConformance,
  sha256,
  temporaryFolder,
} from "@conclave/testing/delivery"
import { authStore, blobStore, deliveryStore, openDatabase, pushStore } from "../src/index.js"

const bytes = (text: string, size = 32) => sha256(new TextEncoder().encode(text)).subarray(0, size)
const admitted = () => undefined

const open = (test: TestContext) => {
  const database = openDatabase({ file: join(temporaryFolder(test), "store.db") })
  test.after(() => database.close())
  return database
}

deliveryConformance("SQLite", (test) => deliveryStore(open(test), sha256))
authConformance("SQLite", (test) => authStore(open(test)))
blobStoreConformance("SQLite", (test) => blobStore(open(test)))
pushStoreConformance("SQLite", (test) => pushStore(open(test)))

describe("a store of SQLite", () => {
  it("keeps no body that nothing points to", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "blobs.db") })
    const store = deliveryStore(database, sha256)
    test.after(() => database.close())
    const [group, device] = [bytes("group"), bytes("device")]
    const shown = { groupId: group, key: bytes("access key"), permit: admitted }
    const common = { ...shown, at: 1n, requestHash: bytes("hash"), admit: admitted }
    await store.createGroup({ ...common, idempotencyId: bytes("0", 16), accessKey: bytes("access key") })
    for (const name of ["a", "b"]) {
      const knock = { id: bytes(name, 16), sealed: bytes(name), at: 1n, since: 0n, sender: new Uint8Array(8) }
      assert.deepEqual(await store.knock({ ...shown, ...knock, ofKeyMax: 10, admit: admitted }), { type: "left" })
    }
    const to = ["a", "b", "c"].map((name) => ({ knock: bytes(name, 16), key: bytes(`key of ${name}`) }))
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
          begins: undefined,
          answers: { welcome: bytes(`answer ${epoch}`), to },
          knocksSince: 0n,
          inboxEntriesMax: 10,
          inboxEntriesPerGroupMax: 10,
          sender: new Uint8Array(8),
          unserved: [],
          mayDeliver: () => true,
        },
      })
    }
    const bodies = () => Number(database.read((connection) => connection.get("SELECT count(*) AS n FROM blob")!).n)
    // Five Welcomes in the inbox, and the answer to both knocks, which the first commit found.
    assert.equal(bodies(), 6)
    await store.acknowledgeInbox(device, 2n)
    assert.equal(bodies(), 4)
    const horizons = { at: 1n, messages: 0n, log: 0n, groups: 0n, knocks: 0n, rowsMax: 10 }
    await store.sweep({ ...horizons, inbox: 2n })
    assert.equal(bodies(), 1)
    await store.sweep({ ...horizons, inbox: 2n, groups: 2n })
    assert.equal(bodies(), 0)
    for (const table of ["mls_group", "log", "access_interval", "knock", "answer"]) {
      const rows = database.read((connection) => connection.get(`SELECT count(*) AS n FROM ${table}`)!).n
      assert.equal(rows, 0n, table)
    }
  })
})
