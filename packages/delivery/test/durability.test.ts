import assert from "node:assert/strict"
import { fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import Libsql from "libsql"
import { openDatabase, StoreUnavailable, sqliteStore } from "../src/index.js"
import { createGroup, createService, expectType, messageRequest, random, sha256, temporaryFolder } from "./support.js"

describe("a database that cannot be written", () => {
  it("because another process holds its lock: the answer is unavailable, and a retry succeeds after it", async (test) => {
    const file = join(temporaryFolder(test), "locked.db")
    const database = openDatabase({ file, lockTimeoutMilliseconds: 50 })
    const service = createService(sqliteStore(database, sha256))
    const groupId = await createGroup(service)
    const request = messageRequest(groupId, 0n)

    const other = new Libsql(file)
    test.after(() => Promise.all([database.close(), other.close()]))
    const release = holdLock(other)
    const refused = expectType(await service.ask(request), "unavailable")
    assert.equal(refused.reason, "the database is locked")
    assert.equal(expectType(await service.ask({ type: "head", groupId }), "head").headSeq, 0n)
    release()
    assert.equal(expectType(await service.ask(request), "accepted").seq, 1n)
  })

  it("for a moment only: the answer waits, and the process goes on meanwhile", async (test) => {
    const file = join(temporaryFolder(test), "briefly-locked.db")
    const database = openDatabase({ file })
    const service = createService(sqliteStore(database, sha256))
    const groupId = await createGroup(service)
    const other = new Libsql(file)
    test.after(() => Promise.all([database.close(), other.close()]))
    const release = holdLock(other)
    let ticks = 0
    const ticking = setInterval(() => ticks++, 5)
    setTimeout(release, 200)
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    clearInterval(ticking)
    assert.ok(ticks > 10, `the process stood still: ${ticks} ticks`)
  })

  it("because the disk is full: what was acknowledged stays, what was not is not there, and there is room again later", async (test) => {
    const file = join(temporaryFolder(test), "full.db")
    const database = openDatabase({ file })
    const service = createService(sqliteStore(database, sha256))
    test.after(() => database.close())
    const groupId = await createGroup(service)
    const pages = database.read((connection) => connection.get("PRAGMA page_count")!.page_count)
    database.read((connection) => connection.get(`PRAGMA max_page_count = ${pages + 40n}`))

    const requests = Array.from({ length: 60 }, (_, index) =>
      messageRequest(groupId, 0n, { size: index % 2 === 0 ? 100 : 10_000 }),
    )
    const answers = await Promise.all(requests.map(service.ask))
    const accepted = requests.filter((_, index) => answers[index]!.type === "accepted")
    const refused = answers.filter((answer) => answer.type === "unavailable")
    assert.ok(accepted.length > 0 && refused.length > 0, `${accepted.length} accepted, ${refused.length} refused`)
    assert.equal(accepted.length + refused.length, 60)
    assert.equal(refused[0]?.type === "unavailable" && refused[0].reason, "the disk is full")
    const log = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 100 }), "entries")
    assert.deepEqual(
      log.entries.map(({ seq, body }) => ({ seq, body })),
      requests.flatMap(({ body }, index) => {
        const answer = answers[index]!
        return answer.type === "accepted" ? [{ seq: answer.seq, body }] : []
      }),
    )

    database.read((connection) => connection.get("PRAGMA max_page_count = 1000000"))
    const retried = await Promise.all(requests.map(service.ask))
    assert.ok(retried.every((answer) => answer.type === "accepted"))
    assert.equal(expectType(await service.ask({ type: "head", groupId }), "head").headSeq, 60n)
  })

  it("because it is no database, or of a later version: opening says so", async (test) => {
    const folder = temporaryFolder(test)
    writeFileSync(join(folder, "noise.db"), random(8192))
    assert.throws(() => openDatabase({ file: join(folder, "noise.db") }), /no database/)
    assert.throws(() => openDatabase({ file: join(folder, "missing", "a.db") }), StoreUnavailable)
    const database = openDatabase({ file: join(folder, "later.db") })
    test.after(() => database.close())
    database.migrate(
      "delivery",
      Array.from({ length: 99 }, (_, number) => `CREATE TABLE later_${number} (a)`),
    )
    assert.throws(() => sqliteStore(database, sha256), /later version of Conclave \(delivery 99, known up to \d+\)/)
  })

  const isolated = spawnSync("unshare", ["-rm", "true"]).status === 0
  const skip = isolated ? false : "this machine lets nobody mount a small disk in a namespace of its own"
  // What is killed leaves its write-ahead log and the memory that goes with it; what is closed leaves neither.
  for (const ending of ["killed", "closed"]) {
    it(`because the disk was full when the service started, after one that was ${ending}: it reads`, {
      skip,
    }, (test) => {
      const folder = temporaryFolder(test)
      const child = fileURLToPath(new URL("./full-disk-child.js", import.meta.url))
      const script = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" "$3" "$1" "$4"'
      const told = spawnSync("unshare", ["-rm", "sh", "-c", script, "sh", folder, process.execPath, child, ending])
      assert.equal(told.stderr.toString(), "")
      const unavailable = { type: "unavailable", reason: "the disk is full" }
      assert.deepEqual(JSON.parse(told.stdout.toString()), [3, unavailable, 3])
    })
  }

  it("after it was closed: unavailable, not a crash", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "closed.db") })
    const service = createService(sqliteStore(database, sha256))
    const groupId = await createGroup(service)
    await database.close()
    expectType(await service.ask(messageRequest(groupId, 0n)), "unavailable")
    expectType(await service.ask({ type: "head", groupId }), "unavailable")
  })
})

describe("work that shares a transaction", () => {
  it("is undone alone when it fails", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "shared.db") })
    test.after(() => database.close())
    database.migrate("test", ["CREATE TABLE fruit (name TEXT)"])
    const insert = (name: string, error?: Error) =>
      database.write((connection) => {
        connection.run("INSERT INTO fruit VALUES (?)", [name])
        if (error !== undefined) throw error
        return name
      })
    const settled = await Promise.allSettled([insert("apple"), insert("stone", new Error("no fruit")), insert("pear")])
    assert.deepEqual(
      settled.map((it) => (it.status === "fulfilled" ? it.value : it.reason.message)),
      ["apple", "no fruit", "pear"],
    )
    const names = database.read((connection) => connection.all("SELECT name FROM fruit")).map((row) => row.name)
    assert.deepEqual(names, ["apple", "pear"])
  })
})

describe("work whose transaction cannot be committed", () => {
  it("is not acknowledged, none of it, and nothing of it is there", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "commit.db") })
    test.after(() => database.close())
    const tables =
      "CREATE TABLE tree (name TEXT PRIMARY KEY); CREATE TABLE leaf (tree TEXT REFERENCES tree DEFERRABLE INITIALLY DEFERRED)"
    database.migrate("test", [tables])
    const settled = await Promise.allSettled([
      database.write((connection) => connection.run("INSERT INTO tree VALUES ('oak')")),
      // Found out only at the end of the transaction.
      database.write((connection) => connection.run("INSERT INTO leaf VALUES ('elm')")),
    ])
    assert.deepEqual(
      settled.map((it) => it.status),
      ["rejected", "rejected"],
    )
    assert.deepEqual(
      database.read((connection) => connection.all("SELECT name FROM tree")),
      [],
    )
    assert.equal(await database.write((connection) => connection.run("INSERT INTO tree VALUES ('ash')")), 1)
  })
})

describe("a service that is killed in the middle of its work", { timeout: 30_000 }, () => {
  for (const round of [1, 2, 3]) {
    it(`has every append that it acknowledged when it is opened again (${round})`, async (test) => {
      const file = join(temporaryFolder(test), "killed.db")
      const groupId = random(32)
      const child = fork(fileURLToPath(new URL("./appending-child.js", import.meta.url)), [
        file,
        Buffer.from(groupId).toString("hex"),
      ])
      test.after(() => child.kill("SIGKILL"))
      const acknowledged: { seq: string; bodyHash: string }[] = []
      child.on("message", (message) => acknowledged.push(message as { seq: string; bodyHash: string }))
      await once(child, "message")
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 300))
      child.kill("SIGKILL")
      await once(child, "exit")

      const database = openDatabase({ file })
      test.after(() => database.close())
      const store = sqliteStore(database, sha256)
      const log = new Map<string, string>()
      for (let after = 0n; ; ) {
        const page = await store.read({ groupId, after, limit: 500, sizeMax: 1e9 })
        for (const entry of page!.entries) {
          assert.equal(entry.seq, after + 1n)
          after = entry.seq
          log.set(`${entry.seq}`, Buffer.from(sha256(entry.body)).toString("hex"))
        }
        if (after === page!.headSeq) break
      }
      assert.ok(acknowledged.length > 10, `only ${acknowledged.length} were acknowledged before the end`)
      for (const { seq, bodyHash } of acknowledged) assert.equal(log.get(seq), bodyHash, `seq ${seq}`)
    })
  }
})

/** As a program of the operator's might, that makes a copy of the file. */
function holdLock(database: Libsql.Database): () => void {
  database.exec("BEGIN IMMEDIATE")
  return () => database.exec("ROLLBACK")
}
