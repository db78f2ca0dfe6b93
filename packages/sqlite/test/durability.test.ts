import assert from "node:assert/strict"
import { fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { StoreUnavailable } from "@conclave/delivery"
import {
  createGroup,
  createService,
  expectType,
  logOf,
  messageRequest,
  random,
  sha256,
  temporaryFolder,
} from "@conclave/testing/delivery"
import Libsql from "libsql"
import { type Connection, openDatabase } from "../src/database.js"
import { deliveryStore } from "../src/delivery/store.js"

describe("how full a database is", () => {
  it("is seen by each piece of work with what those before it in its transaction have written", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "usage.db") })
    test.after(() => database.close())
    database.migrate("test", ["CREATE TABLE filling (bytes BLOB)"])
    const before = database.usage().bytes
    const fill = (connection: Connection) => {
      const { bytes } = database.usage()
      connection.run("INSERT INTO filling VALUES (?)", [new Uint8Array(SIZE)])
      return bytes
    }
    const [first, second] = await Promise.all([database.write(fill), database.write(fill)])
    assert.equal(first, before)
    // A page that is there already has room for some of it.
    const grown = (from: number, to: number) => assert.ok(to > from + SIZE / 2, `${to} after ${from}`)
    grown(first, second)
    grown(second, database.usage().bytes)
  })
})

const SIZE = 100_000

describe("a database that cannot be written", () => {
  it("because another process holds its lock: the answer is unavailable, and a retry succeeds after it", async (test) => {
    const file = join(temporaryFolder(test), "locked.db")
    const database = openDatabase({ file, lockTimeoutMilliseconds: 50 })
    const service = createService(deliveryStore(database, sha256))
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
    const service = createService(deliveryStore(database, sha256))
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
    const service = createService(deliveryStore(database, sha256))
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
    assert.throws(() => deliveryStore(database, sha256), /later version of Conclave \(delivery 99, known up to \d+\)/)
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
      const [before, { retryAfterMilliseconds, ...answer }, after] = JSON.parse(told.stdout.toString())
      assert.deepEqual([before, answer, after], [3, { type: "unavailable", reason: "the disk is full" }, 3])
      assert.ok(retryAfterMilliseconds >= 30_000, "somebody has to make room first")
    })
  }

  it("after it was closed: unavailable, not a crash", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "closed.db") })
    const service = createService(deliveryStore(database, sha256))
    const groupId = await createGroup(service)
    await database.close()
    await database.close()
    for (const request of [messageRequest(groupId, 0n), { type: "head", groupId } as const]) {
      const answer = await service.ask(request)
      assert.ok(answer.type === "unavailable" && answer.reason === "the database is closed")
      assert.ok(answer.retryAfterMilliseconds >= 1_000)
    }
    for (const operation of [() => database.usage(), () => database.checkpoint()]) {
      assert.throws(operation, { code: "STORE_UNAVAILABLE", message: "the database is closed" })
    }
  })

  it("because it is a folder: opening says so", (test) => {
    const file = join(temporaryFolder(test), "folder.db")
    mkdirSync(file)
    const refused = { code: "STORE_UNAVAILABLE", message: "the database cannot be opened" }
    for (let i = 0; i < 2; i++) assert.throws(() => openDatabase({ file }), refused)
  })

  it("because it is damaged: the answer says so, and what is not damaged is read", async (test) => {
    const file = join(temporaryFolder(test), "damaged.db")
    const tables = ["CREATE TABLE sound (name TEXT); CREATE TABLE torn (body BLOB)"]
    {
      await using database = openDatabase({ file })
      database.migrate("test", tables)
      await database.write((connection) => {
        connection.run("INSERT INTO sound VALUES ('oak')")
        for (let i = 0; i < 50; i++) connection.run("INSERT INTO torn VALUES (randomblob(3000))")
      })
      database.checkpoint()
    }
    const bytes = readFileSync(file)
    writeFileSync(file, bytes.fill(0xff, bytes.length / 2))
    await using database = openDatabase({ file })
    database.migrate("test", tables)
    const damaged = { code: "STORE_UNAVAILABLE", message: "the database is damaged" }
    await assert.rejects(
      database.write((connection) => connection.all("SELECT sum(length(body)) FROM torn")),
      damaged,
    )
    assert.equal(database.read((connection) => connection.get("SELECT name FROM sound"))?.name, "oak")
  })

  it("for another reason than a lock: nobody waits for it to pass", { timeout: 10_000 }, async (test) => {
    const file = join(temporaryFolder(test), "misused.db")
    const database = openDatabase({ file, lockTimeoutMilliseconds: 60_000 })
    test.after(() => database.close())
    database.migrate("test", ["CREATE TABLE tree (name TEXT)"])
    // A transaction that somebody has begun and not ended.
    database.read((connection) => connection.run("BEGIN"))
    const insert = () => database.write((connection) => connection.run("INSERT INTO tree VALUES ('oak')"))
    await assert.rejects(insert(), /within a transaction/)
    assert.equal(await insert(), 1)
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

  it("is not repeated where one throws that has changed nothing", async (test) => {
    const database = openDatabase({ file: join(temporaryFolder(test), "refused.db") })
    test.after(() => database.close())
    database.migrate("test", ["CREATE TABLE fruit (name TEXT)"])
    const runs: string[] = []
    const insert = (name: string) =>
      database.write((connection) => {
        runs.push(name)
        if (name === "stone") throw new Error("no fruit")
        connection.run("INSERT INTO fruit VALUES (?)", [name])
      })
    const settled = await Promise.allSettled(["apple", "stone", "pear"].map(insert))
    assert.deepEqual(
      settled.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    )
    assert.deepEqual(runs, ["apple", "stone", "pear"])
  })
})

describe("work that waits", () => {
  const insert = (connection: Connection) => connection.run("INSERT INTO tree VALUES ('oak')")
  const refused = { code: "STORE_UNAVAILABLE", message: "too much waits to be written" }

  it("has a limit in number, and more is refused at once", async (test) => {
    await using database = openDatabase({ file: join(temporaryFolder(test), "many.db"), queueMax: 2 })
    database.migrate("test", ["CREATE TABLE tree (name TEXT)"])
    const [first, second, third] = [database.write(insert), database.write(insert), database.write(insert)]
    await assert.rejects(third, refused)
    assert.deepEqual(await Promise.all([first, second]), [1, 1])
    assert.equal(await database.write(insert), 1)
  })

  it("has a limit in bytes, which the first of it may exceed", async (test) => {
    await using database = openDatabase({ file: join(temporaryFolder(test), "large.db"), queueSizeMax: 100 })
    database.migrate("test", ["CREATE TABLE tree (name TEXT)"])
    const [first, second] = [database.write(insert, 60), database.write(insert, 41)]
    await assert.rejects(second, refused)
    assert.equal(await first, 1)
    const [large, small] = [database.write(insert, 1_000), database.write(insert, 1)]
    await assert.rejects(small, refused)
    assert.equal(await large, 1)
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

  it("because work has ended it: none of it is acknowledged, and the reason is that work's", async (test) => {
    await using database = openDatabase({ file: join(temporaryFolder(test), "ended.db") })
    database.migrate("test", ["CREATE TABLE tree (name TEXT PRIMARY KEY ON CONFLICT ROLLBACK)"])
    const insert = (name: string) =>
      database.write((connection) => connection.run("INSERT INTO tree VALUES (?)", [name]))
    await insert("oak")
    for (const { status, reason } of (await Promise.allSettled([insert("elm"), insert("oak")])) as any[]) {
      assert.equal(status, "rejected")
      assert.match(reason.message, /UNIQUE constraint failed: tree.name/)
    }
    const names = database.read((connection) => connection.all("SELECT name FROM tree")).map(({ name }) => name)
    assert.deepEqual(names, ["oak"])
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
      const store = deliveryStore(database, sha256)
      const log = new Map<string, string>()
      for (let after = 0n; ; ) {
        const page = await logOf(store, groupId, { after })
        for (const entry of page.entries) {
          assert.equal(entry.seq, after + 1n)
          after = entry.seq
          log.set(`${entry.seq}`, Buffer.from(sha256(entry.body)).toString("hex"))
        }
        if (after === page.headSeq) break
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
