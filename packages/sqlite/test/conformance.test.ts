import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { storeConformance as authConformance } from "@conclave/testing/auth"
import { storeConformance as deliveryConformance, sha256, temporaryFolder } from "@conclave/testing/delivery"
import { authStore, deliveryStore, openDatabase } from "../src/index.js"

const bytes = (text: string, size = 32) => sha256(new TextEncoder().encode(text)).subarray(0, size)
const admitted = () => undefined

const open = (test: TestContext) => {
  const database = openDatabase({ file: join(temporaryFolder(test), "store.db") })
  test.after(() => database.close())
  return database
}

deliveryConformance("SQLite", (test) => deliveryStore(open(test), sha256))
authConformance("SQLite", (test) => authStore(open(test)))

describe("a store of SQLite", () => {
  it("keeps no body that nothing points to", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "blobs.db") })
    const store = deliveryStore(database, sha256)
    test.after(() => database.close())
    const [group, device] = [bytes("group"), bytes("device")]
    const common = { groupId: group, at: 1n, requestHash: bytes("hash"), admit: admitted }
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
          inboxEntriesPerGroupMax: 10,
          sender: new Uint8Array(8),
          unserved: [],
          mayDeliver: () => true,
        },
      })
    }
    const bodies = () => Number(database.read((connection) => connection.get("SELECT count(*) AS n FROM blob")!).n)
    // Five welcomes, five trees in the inbox (the last one is the group's too), and the GroupInfo.
    assert.equal(bodies(), 11)
    await store.acknowledgeInbox(device, 2n)
    assert.equal(bodies(), 7)
    const horizons = { at: 1n, messages: 0n, log: 0n, groups: 0n, rowsMax: 10 }
    await store.sweep({ ...horizons, inbox: 2n })
    assert.equal(bodies(), 2)
    await store.sweep({ ...horizons, inbox: 2n, groups: 2n })
    assert.equal(bodies(), 0)
  })
})
