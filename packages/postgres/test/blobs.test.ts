import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { BLOB_CHUNK_SIZE } from "@conclave/contracts/blobs"
import type { BlobStore } from "@conclave/delivery/blobs"
import { random, sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { blobStore, openDatabase } from "../src/index.js"
import { opened, operator, postgres } from "./support.js"

const DAY = 86_400_000n
const HOUR = 3_600_000n
const TODAY = 20_000n * DAY

async function stored(store: BlobStore, { until, isWhole = true }: { until: bigint; isWhole?: boolean }) {
  const [id, groupId, bytes] = [random(32), random(32), random(BLOB_CHUNK_SIZE)]
  const size = BigInt(isWhole ? bytes.length : 2 * bytes.length)
  const times = { at: TODAY, until, wholeBefore: TODAY + HOUR }
  await store.create({ id, groupId, size, deletion: sha256(id), ...times, admit: () => undefined })
  const parts = {
    id,
    groupId,
    offset: 0n,
    bytes,
    hash: sha256(bytes),
    at: TODAY,
    wholeBefore: TODAY + HOUR,
    admit: () => undefined,
  }
  const put = await store.put({ ...parts, isRight: isWhole ? () => true : undefined })
  assert.equal(put.type, "blob")
  return { id, bytes }
}

async function swept(store: BlobStore, at: bigint): Promise<void> {
  while ((await store.sweep({ at, rowsMax: 200 })).more);
}

describe("blobs in PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  it("lie in a partition for each day on which they expire, which is dropped as a whole an hour after it is over", async (test) => {
    const database = await opened(test, server)
    const store = await blobStore(database)
    const client = await operator(test, database.options)
    const partitions = async () => {
      const { rows } = await client.query(
        "SELECT relname AS name FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'blob_chunk'::regclass AND relkind = 'r' ORDER BY 1",
      )
      return rows.map(({ name }) => name)
    }
    const [soon, later] = [await stored(store, { until: TODAY + HOUR }), await stored(store, { until: TODAY + DAY })]
    await stored(store, { until: TODAY + DAY, isWhole: false })
    assert.deepEqual(await partitions(), ["blob_chunk_20000", "blob_chunk_20001"])
    const rowsOf = async (table: string) => Number((await client.query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n)
    await swept(store, TODAY + 2n * HOUR)
    // What expires today stays until its partition goes; what was never whole does not wait for that.
    assert.deepEqual([await rowsOf("stored_blob"), await rowsOf("blob_chunk_20000")], [1, 1])
    assert.equal(await rowsOf("blob_chunk_20001"), 1)
    const read = (id: Uint8Array, at: bigint) => store.read({ id, at, offset: 0n, length: 10 })
    assert.equal((await read(soon.id, TODAY + 2n * HOUR)).type, "none")
    await swept(store, TODAY + DAY)
    assert.equal((await partitions()).length, 2, "clocks of gateways differ")
    await swept(store, TODAY + DAY + HOUR)
    assert.deepEqual(await partitions(), ["blob_chunk_20001"])
    // While somebody holds one of its blobs, a day stays.
    await stored(store, { until: TODAY + DAY + HOUR })
    await client.query("BEGIN")
    await client.query("SELECT 1 FROM stored_blob FOR UPDATE")
    await swept(store, TODAY + 2n * DAY + HOUR)
    await client.query("COMMIT")
    assert.deepEqual(await partitions(), ["blob_chunk_20001"])
    await swept(store, TODAY + 2n * DAY + HOUR)
    assert.deepEqual(await partitions(), [])
    assert.deepEqual([await rowsOf("stored_blob"), await rowsOf("blob_group"), await rowsOf("blob_day")], [0, 0, 0])
    assert.equal((await read(later.id, TODAY)).type, "none")
    // Whatever the clocks say: a day that was dropped is made again for who asks.
    const again = await stored(store, { until: TODAY + DAY })
    assert.equal((await read(again.id, TODAY)).type, "part")
  })

  it("of two gateways, the chunk of one is the other's, and a quota is theirs together", async (test) => {
    const database = await opened(test, server)
    const other = openDatabase(database.options)
    test.after(() => other.close())
    const gateways = [await blobStore(database), await blobStore(other)] as const
    const { id, bytes } = await stored(gateways[0], { until: TODAY + DAY })
    const read = await gateways[1].read({ id, at: TODAY, offset: 5n, length: 7 })
    assert.deepEqual(read, { type: "part", size: BigInt(bytes.length), bytes: bytes.slice(5, 12) })
    const groupId = random(32)
    const times = { at: TODAY, until: TODAY + DAY, wholeBefore: TODAY + DAY }
    const admit = ({ blobs }: { readonly blobs: number }) =>
      blobs >= 5 ? ({ type: "quotaExceeded", of: "group" } as const) : undefined
    const told = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        gateways[i % 2]!.create({ id: random(32), groupId, size: 1n, deletion: random(32), ...times, admit }),
      ),
    )
    assert.equal(told.filter(({ type }) => type === "blob").length, 5)
    // The same id at both, for different groups, at the same moment: one of them has it.
    for (let round = 0; round < 10; round++) {
      const blob = { id: random(32), size: 1n, deletion: random(32), ...times, admit: () => undefined }
      const both = await Promise.all(gateways.map((it) => it.create({ ...blob, groupId: random(32) })))
      assert.deepEqual(both.map(({ type }) => type).sort(), ["blob", "idReused"])
    }
  })
})
