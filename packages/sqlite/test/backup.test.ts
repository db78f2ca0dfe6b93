import assert from "node:assert/strict"
import { fork } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { fileURLToPath } from "node:url"
import { temporaryFolder } from "@conclave/testing/delivery"
import Libsql from "libsql"
import { settleFile, standAlone, unpackBackup, writeBackup } from "../src/backup.js"
import { openDatabase } from "../src/database.js"

const program = fileURLToPath(new URL("./appending-child.js", import.meta.url))
const attached = Uint8Array.of(1, 2, 3)

/** A backup of a small database, as bytes. */
async function smallBackup(test: TestContext): Promise<{ folder: string; bytes: Buffer }> {
  const folder = temporaryFolder(test)
  const file = join(folder, "service.db")
  await using database = openDatabase({ file })
  database.migrate("notes", ["CREATE TABLE note (text TEXT NOT NULL) STRICT"])
  await database.write((connection) => connection.run("INSERT INTO note VALUES ('kept')"))
  writeBackup({ file, to: join(folder, "backup"), at: 1_000, attached })
  return { folder, bytes: readFileSync(join(folder, "backup")) }
}

describe("a backup", { timeout: 60_000 }, () => {
  it("of a file that another process writes has all that was acknowledged before, and nothing in part", async (test) => {
    const folder = temporaryFolder(test)
    const file = join(folder, "service.db")
    const child = fork(program, [file, "aa".repeat(32)])
    test.after(() => child.kill("SIGKILL"))
    const acknowledged = new Map<bigint, string>()
    child.on("message", ({ seq, bodyHash }: { seq: string; bodyHash: string }) =>
      acknowledged.set(BigInt(seq), bodyHash),
    )
    const counts: number[] = []
    for (let round = 0; round < 5; round++) {
      const last = acknowledged.size + 20
      while (acknowledged.size < last) await once(child, "message")
      const before = Math.max(...[...acknowledged.keys()].map(Number))
      writeBackup({ file, to: join(folder, `backup-${round}`), at: round, attached: undefined })
      const copy = join(folder, `copy-${round}`)
      assert.deepEqual(unpackBackup(join(folder, `backup-${round}`), copy), { at: round, attached: undefined })
      const database = new Libsql(copy)
      const { count, last: newest } = database.prepare("SELECT count(*) AS count, max(seq) AS last FROM log").get() as {
        count: number
        last: number
      }
      // Entry 0 is the creation, which is not in the log.
      assert.equal(count, newest)
      assert.ok(newest >= before, `${newest} of ${before}`)
      const { next_seq } = database.prepare("SELECT next_seq FROM mls_group").get() as { next_seq: number }
      assert.equal(next_seq, newest + 1)
      counts.push(count)
    }
    assert.ok(
      counts.every((count, at) => at === 0 || count > counts[at - 1]!),
      counts.join(),
    )
    assert.equal(child.exitCode, null)
  })

  it("comes back as it was, with what was attached, and has no trace of being a backup", async (test) => {
    const { folder } = await smallBackup(test)
    const to = join(folder, "copy")
    assert.deepEqual(unpackBackup(join(folder, "backup"), to), { at: 1_000, attached })
    const names = ["backup", "copy"].map((name) => join(folder, name))
    if (process.platform !== "win32") {
      assert.deepEqual(
        names.map((name) => statSync(name).mode & 0o777),
        [0o600, 0o600],
      )
    }
    assert.equal(readFileSync(to).readUInt32BE(68), 0)
    await using database = openDatabase({ file: to })
    database.migrate("notes", ["never run again"])
    assert.deepEqual(
      database.read((connection) => connection.all("SELECT text FROM note")),
      [{ text: "kept" }],
    )
    assert.equal(
      database.read((connection) => connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'backup'")),
      undefined,
    )
  })

  it("that was cut, added to or changed anywhere is refused", async (test) => {
    const { folder, bytes } = await smallBackup(test)
    const broken = join(folder, "broken")
    const copy = join(folder, "copy")
    const refused = (changed: Uint8Array, says: RegExp) => {
      writeFileSync(broken, changed)
      const place = `copy-${Math.random()}`
      assert.throws(() => unpackBackup(broken, join(folder, place)), { code: "STORE_UNAVAILABLE", message: says })
    }
    for (const length of [0, 1, 71, 72, 100, 4096, bytes.length - 33, bytes.length - 32, bytes.length - 1]) {
      refused(bytes.subarray(0, length), length < 72 ? /no backup of a service/ : /is cut/)
    }
    refused(Buffer.concat([bytes, Buffer.of(0)]), /something after its end/)
    for (let at = 0; at < bytes.length; at += 509) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 0x40
      refused(changed, /no backup|is cut|after its end|damaged/)
    }
    refused(readFileSync(join(folder, "service.db")), /no backup of a service/)
    writeFileSync(broken, bytes)
    unpackBackup(broken, copy)
    assert.ok(existsSync(copy))
  })

  it("is not written over a file", async (test) => {
    const { folder, bytes } = await smallBackup(test)
    const to = join(folder, "backup")
    assert.throws(() => writeBackup({ file: join(folder, "service.db"), to, at: 1, attached }), { code: "EEXIST" })
    assert.ok(readFileSync(to).equals(bytes))
  })

  it("can be opened with SQLite itself", async (test) => {
    const { folder } = await smallBackup(test)
    const database = new Libsql(join(folder, "backup"), { readonly: true } as object)
    const { integrity_check } = database.prepare("PRAGMA integrity_check").get() as { integrity_check: string }
    const { text } = database.prepare("SELECT text FROM note").get() as { text: string }
    assert.deepEqual([integrity_check, text], ["ok", "kept"])
  })
})

describe("a file that is to be renamed", () => {
  it("has the write-ahead log of a process that was killed", async (test) => {
    const folder = temporaryFolder(test)
    const file = join(folder, "service.db")
    const child = fork(program, [file, "bb".repeat(32)])
    test.after(() => child.kill("SIGKILL"))
    await once(child, "message")
    child.kill("SIGKILL")
    await once(child, "exit")
    assert.ok(statSync(`${file}-wal`).size > 0)
    assert.equal(settleFile(file), 1n)
    assert.equal(existsSync(`${file}-wal`), false)
    const database = new Libsql(file)
    assert.ok((database.prepare("SELECT count(*) AS count FROM log").get() as { count: number }).count > 0)
  })

  it("is complete without the write-ahead log of an open database", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    await using database = openDatabase({ file })
    database.migrate("notes", ["CREATE TABLE note (text TEXT NOT NULL) STRICT"])
    await database.write((connection) => connection.run("INSERT INTO note VALUES ('kept')"))
    assert.ok(existsSync(`${file}-wal`))
    standAlone(database)
    assert.equal(existsSync(`${file}-wal`), false)
    assert.ok(readFileSync(file).includes("kept"))
  })

  it("is refused while it is open elsewhere, and has no incarnation where it is damaged", async (test) => {
    const folder = temporaryFolder(test)
    const file = join(folder, "service.db")
    writeFileSync(join(folder, "noise"), new Uint8Array(8192).fill(7))
    assert.equal(settleFile(join(folder, "noise")), undefined)
    await using database = openDatabase({ file })
    database.read((connection) => connection.get("SELECT 1 FROM sqlite_schema"))
    assert.throws(() => settleFile(file), { code: "STORE_UNAVAILABLE" })
  })
})
