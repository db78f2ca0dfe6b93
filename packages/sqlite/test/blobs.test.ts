import assert from "node:assert/strict"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { BLOB_CHUNK_SIZE } from "@conclave/contracts/blobs"
import type { NewBlob } from "@conclave/delivery/blobs"
import { random, sha256, temporaryFolder } from "@conclave/testing/delivery"
import { blobStore, openDatabase } from "../src/index.js"

const MARKER = Buffer.from("a marker that is nowhere else in the file")
const id = random(32)
const blob: NewBlob = {
  ...{ id, groupId: random(32), size: BigInt(20 * BLOB_CHUNK_SIZE), deletion: sha256(id) },
  ...{ at: 1n, until: 100n, wholeBefore: 100n, admit: () => undefined },
}

/** The folder has what SQLite keeps beside the file as well. */
const isAnywhere = (folder: string) =>
  readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(MARKER))

describe("blobs in a SQLite file", () => {
  for (const [how, isByToken] of [
    ["expired", false],
    ["deleted by its token", true],
  ] as const) {
    it(`a blob that is ${how} is nowhere in the file or its write-ahead log after a sweep, nor is its size counted`, async (test) => {
      const folder = temporaryFolder(test)
      const database = openDatabase({ file: join(folder, "blobs.db") })
      await using store = blobStore(database)
      const before = store.usage().bytes
      await store.create(blob)
      for (let number = 0; number < 20; number++) {
        const bytes = random(BLOB_CHUNK_SIZE)
        bytes.set(MARKER, 1_000 * number)
        const isLast = number === 19
        const put = await store.put({
          ...{
            id,
            groupId: blob.groupId,
            offset: BigInt(number * BLOB_CHUNK_SIZE),
            bytes,
            hash: sha256(bytes),
            at: 2n,
            wholeBefore: 3n,
          },
          ...{ isRight: isLast ? () => true : undefined, admit: () => undefined },
        })
        assert.equal(put.type, "blob")
      }
      assert.equal(isAnywhere(folder), true)
      assert.ok(store.usage().bytes > 20 * BLOB_CHUNK_SIZE)
      if (isByToken) assert.equal((await store.delete({ id, deletion: sha256(id), at: 3n })).type, "deleted")
      const at = isByToken ? 4n : 100n
      let sweeps = 1
      while ((await store.sweep({ at, rowsMax: 200 })).more) sweeps++
      assert.ok(sweeps > 2, "in several transactions")
      assert.equal(isAnywhere(folder), false)
      assert.ok(store.usage().bytes < before + BLOB_CHUNK_SIZE)
      for (const table of ["blob_group", "stored_blob", "blob_chunk"]) {
        assert.equal(database.read((it) => it.get(`SELECT count(*) AS n FROM ${table}`))!.n, 0n, table)
      }
    })
  }

  it("is its owner's alone to read", async (test) => {
    const file = join(temporaryFolder(test), "blobs.db")
    await using _ = blobStore(openDatabase({ file }))
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })
})
