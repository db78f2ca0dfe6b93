import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { type Store, StoreUnavailable } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres, startPostgres } from "@conclave/testing/servers"
import { type DatabaseOptions, deliveryStore, openDatabase } from "../src/index.js"
import { relayTo } from "./relay.js"
import { admitted, bytes, isUnavailable, KEY, logOf, message, newGroup, opened, operator, postgres } from "./support.js"

/** A store that is opened once and stays open, whatever becomes of the database. */
async function openStore(test: TestContext, options: DatabaseOptions): Promise<Store> {
  const database = openDatabase(options)
  test.after(() => database.close())
  return deliveryStore(database, sha256)
}

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Tries until it is done. What it fails with until then must be typed. */
async function eventually<T>(act: () => Promise<T>): Promise<T> {
  for (const begin = performance.now(); ; await delay(100)) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || performance.now() - begin > 30_000) throw error
    }
  }
}

describe("a slow database", { skip: noPostgres }, () => {
  const server = postgres()

  it("is used as it is, and told of where it is slower than may be waited for", async (test) => {
    const relay = await relayTo(await server.server.url("slow"), test)
    const store = await openStore(test, { url: relay.url, statementTimeoutMilliseconds: 500, connections: 4 })
    await store.createGroup(newGroup("group"))
    relay.delayMilliseconds = 100
    const ids = Array.from({ length: 60 }, (_, number) => `${number}`)
    const answers = await Promise.all(ids.map((id) => store.append(message("group", id))))
    assert.deepEqual(new Set(answers.map(({ type }) => type)), new Set(["accepted"]))
    assert.equal((await logOf(store, "group")).length, 60)

    // Slower than the statements' own limit and what the answer may take after that.
    relay.delayMilliseconds = 6_000
    await assert.rejects(
      store.append(message("group", "late")),
      isUnavailable(/the database does not answer|connection to the database was lost/),
    )
    relay.delayMilliseconds = 0
    assert.equal((await eventually(() => store.append(message("group", "late")))).type, "accepted")
    // Statements that were on their way arrive as well: it is there once.
    await delay(6_500)
    const log = await logOf(store, "group")
    assert.equal(log.length, 61)
  })
})

const noMounts = (() => {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "mounting a small file system needs Linux and root"
  const folder = mkdtempSync(join(tmpdir(), "conclave-mount-"))
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0
  if (isMounted) spawnSync("umount", [folder])
  rmSync(folder, { recursive: true })
  return isMounted ? undefined : "file systems cannot be mounted here"
})()

describe("a database on a full disk", { skip: noPostgres ?? noMounts }, () => {
  const server = postgres()

  it("is read, refuses to be written, and is written again once there is room", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-full-"))
    assert.equal(spawnSync("mount", ["-t", "tmpfs", "-o", "size=48m,mode=777", "tmpfs", folder]).status, 0)
    test.after(() => {
      spawnSync("umount", ["-l", folder])
      rmSync(folder, { recursive: true })
    })
    const space = join(folder, "space")
    spawnSync("install", ["-d", "-o", "postgres", space])
    await server.server.execute(`CREATE TABLESPACE small LOCATION '${space}'`)
    await server.server.execute("CREATE DATABASE small TABLESPACE small")
    const url = (await server.server.url("test")).replace(/test$/, "small")
    const database = openDatabase({ url })
    const store = await deliveryStore(database, sha256)
    // Before the file system goes.
    test.after(async () => {
      await database.close()
      await server.server.execute("DROP DATABASE small WITH (FORCE)")
    })
    await store.createGroup(newGroup("group"))
    await store.append(message("group", "0"))
    const filler = join(folder, "filler")
    fill(filler)
    const large = (id: string) => message("group", id, { body: Buffer.concat(Array(4_000).fill(bytes(id))) })
    let taken = 0
    const writing = async () => {
      for (; taken < 1_000; taken++) assert.equal((await store.append(large(`${taken + 1}`))).type, "accepted")
    }
    await assert.rejects(writing(), isUnavailable(/the disk of the database is full/))
    assert.ok(taken < 1_000)
    assert.equal((await logOf(store, "group")).length, taken + 1)
    await assert.rejects(store.append(large(`${taken + 1}`)), isUnavailable(/full/))
    rmSync(filler)
    assert.equal((await store.append(large(`${taken + 1}`))).type, "accepted")
    assert.equal((await logOf(store, "group")).length, taken + 2)
  })
})

/** Takes all the room that is left. */
function fill(file: string): void {
  const descriptor = openSync(file, "w")
  try {
    for (const chunk of [1 << 20, 4_096]) {
      try {
        for (;;) if (writeSync(descriptor, Buffer.alloc(chunk, 1)) < chunk) break
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC")
      }
    }
  } finally {
    closeSync(descriptor)
  }
}

describe("a database that fails over to its replica", { skip: noPostgres }, () => {
  async function failingOver(test: TestContext, { isSynchronous }: { readonly isSynchronous: boolean }) {
    // Durable, as it is out of the box.
    const primary = await startPostgres({ settings: {} })
    test.after(() => primary[Symbol.asyncDispose]())
    const url = await primary.url("service")
    const replica = await primary.replica()
    test.after(() => replica[Symbol.asyncDispose]())
    if (isSynchronous) {
      await primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
      await primary.execute("SELECT pg_reload_conf()")
    }
    const relay = await relayTo(url, test)
    const store = await openStore(test, { url: relay.url })
    await store.createGroup(newGroup("group"))
    return {
      ...{ primary, url, relay, store },
      /** The replica hears no more of the primary. */
      async lag() {
        await delay(500)
        await replica.execute("ALTER SYSTEM SET primary_conninfo = ''")
        await replica.execute("SELECT pg_reload_conf()")
        await delay(500)
      },
      async failOver() {
        await primary.stop("SIGKILL")
        await replica.execute("SELECT pg_promote()")
        relay.target = url.replace(/:\d+\//, `:${replica.port}/`)
        relay.mode = "closed"
        relay.mode = "open"
      },
    }
  }

  it("has all that was acknowledged, where it is synchronous, and undoes what was in the middle", async (test) => {
    const { primary, lag, failOver, store, url, relay } = await failingOver(test, { isSynchronous: true })
    await store.createGroup(newGroup("held"))
    // Of a gateway of its own: it holds up its lane.
    const patient = { lockTimeoutMilliseconds: 60_000, statementTimeoutMilliseconds: 60_000 }
    const holding = await openStore(test, { url: relay.url, ...patient })
    // This append is in the middle of its transaction when its server dies.
    const holder = await operator(test, { url, schema: "conclave" })
    await holder.query("BEGIN")
    await holder.query("SELECT 1 FROM mls_group WHERE id = $1 FOR UPDATE", [bytes("held")])
    const acknowledged = new Map<string, bigint>()
    let isOver = false
    const writers = ["a", "b", "c", "d"].map(async (writer) => {
      for (let number = 0; !isOver; number++) {
        const id = `${writer} ${number}`
        const answer = await eventually(() => store.append(message("group", id)))
        assert.ok(answer.type === "accepted")
        acknowledged.set(id, answer.seq)
      }
    })
    while (acknowledged.size < 100) await delay(10)
    const held = assert.rejects(
      holding.append(message("held", "1")),
      isUnavailable(/lost|cannot be reached|restarting/),
    )
    await lag()
    const sizeThen = acknowledged.size
    await delay(300)
    assert.equal(acknowledged.size, sizeThen, "acknowledged without the replica")
    // Whoever is made to stop waiting for the replica has committed, and is not told that it is safe.
    await primary.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    await delay(300)
    // Nor is whoever asks again.
    assert.equal(acknowledged.size, sizeThen, "acknowledged after the wait was cancelled")
    await failOver()
    await held
    const before = acknowledged.size
    while (acknowledged.size < before + 50) await delay(10)
    isOver = true
    await Promise.all(writers)
    const log = await logOf(store, "group")
    assert.equal(log.length, acknowledged.size)
    for (const [id, seq] of acknowledged) assert.deepEqual(log[Number(seq) - 1]!.body, bytes(`body of ${id}`))
    assert.deepEqual(await logOf(store, "held"), [])
    assert.equal((await store.append(message("held", "1"))).type, "accepted")
  })

  it("lacks what had not come to the replica, where it is asynchronous, until the operator announces it", async (test) => {
    const { lag, failOver, store } = await failingOver(test, { isSynchronous: false })
    const made = { seed: bytes("seed"), passSecret: bytes("secret"), incarnation: 1n, handovers: [] }
    await store.identity(made)
    const shown = { groupId: bytes("group"), key: KEY, permit: admitted }
    const headNow = async () => {
      const head = await eventually(() => store.head(shown))
      return head.type === "head" ? head.headSeq : assert.fail(head.type)
    }
    await store.append(message("group", "kept"))
    await lag()
    const lost = await store.append(message("group", "lost"))
    assert.ok(lost.type === "accepted" && lost.seq === 2n)
    await failOver()
    assert.equal(await headNow(), 1n)
    // Nothing tells this from a service that forks the log: another entry gets the same seq, under the same incarnation.
    const other = await store.append(message("group", "other"))
    assert.ok(other.type === "accepted" && other.seq === 2n)
    assert.notDeepEqual(other.chainHash, lost.chainHash)
    assert.deepEqual(await store.identity(made), made)
    const signature = bytes("signature", 20)
    await store.raiseIncarnation({ by: bytes("key"), key: bytes("key"), incarnation: 2n, signature })
    assert.equal((await store.identity(made)).incarnation, 2n)
    assert.equal((await logOf(store, "group")).length, 2)
  })
})

describe("a database that has an earlier state of the tables", { skip: noPostgres }, () => {
  const server = postgres()

  for (const [what, sql] of [
    ["of an earlier version", "UPDATE schema_version SET version = version - 1; DROP TABLE log CASCADE"],
    ["none", "DROP SCHEMA conclave_earlier CASCADE"],
  ] as const) {
    it(`says so while the tables are ${what}, and goes on once a process has brought them up to date`, async (test) => {
      const schema = "conclave_earlier"
      const { options } = await opened(test, server, { schema })
      const asOperator = await operator(test, options)
      await asOperator.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
      const store = await openStore(test, options)
      await store.createGroup(newGroup("group"))
      await store.append(message("group", "1"))
      await asOperator.query(sql)
      for (let round = 0; round < 3; round++) {
        await assert.rejects(store.append(message("group", "2")), isUnavailable(/the tables of an earlier version/))
        await assert.rejects(logOf(store, "group"), isUnavailable(/the tables of an earlier version/))
      }
      // The operator puts things right, and starts another process.
      await asOperator.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
      await openStore(test, options)
      assert.equal(await eventually(() => store.createGroup(newGroup("group"))), "created")
      assert.equal((await store.append(message("group", "2"))).type, "accepted")
      assert.equal((await logOf(store, "group")).length, 1)
    })
  }
})
