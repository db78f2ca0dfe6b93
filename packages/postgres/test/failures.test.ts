import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { StoreUnavailable } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { nameOf } from "../src/connection.js"
import { WRITE_FREE } from "../src/delivery/append-free.js"
import { authStore, deliveryStore, openDatabase } from "../src/index.js"
import { cuttingProxy } from "./cutting-proxy.js"
import {
  admitted,
  bytes,
  commitParts,
  isUnavailable,
  KEY,
  logOf,
  message,
  newGroup,
  opened,
  operator,
  postgres,
} from "./support.js"

const device = (name: string, deviceId = bytes(name)) => ({
  ...{ name, deviceId, cipherSuite: 1, signatureKey: bytes("key"), at: 1n, endorsement: undefined, devicesMax: 3 },
})

describe("failures of PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  /** A store whose connections the proxy cuts, and a database of the same schema without it. */
  async function throughProxy(test: TestContext) {
    const proxy = await cuttingProxy(test, server.server)
    const direct = await opened(test, server)
    const url = direct.options.url.replace(/:\d+\//, `:${proxy.port}/`)
    const database = openDatabase({ ...direct.options, url })
    test.after(() => database.close())
    return { proxy, direct, store: await deliveryStore(database, sha256) }
  }

  it("an append whose COMMIT was not answered is unavailable, and the same again is the first answer", async (test) => {
    const { proxy, direct, store } = await throughProxy(test)
    await store.createGroup(newGroup("group"))
    await store.append(message("group", "1"))
    // Messages are written by a statement that commits itself, commits with locks.
    for (const [when, ending] of [
      ["after", nameOf(WRITE_FREE)],
      ["before", nameOf(WRITE_FREE)],
      ["after", "COMMIT"],
      ["before", "COMMIT"],
    ] as const) {
      let asked = 0
      const admit = () => {
        asked++
        return undefined
      }
      const { length } = await logOf(store, "group")
      const commit = { kind: "commit", commit: commitParts(), after: length > 3 ? BigInt(length) : 0n } as const
      const entry = message("group", `${when} ${ending}`, ending === "COMMIT" ? { ...commit, admit } : { admit })
      proxy.cut(ending, when)
      const written = (await logOf(await deliveryStore(direct, sha256), "group")).length
      await assert.rejects(store.append(entry), isUnavailable(/lost, and it may have written or not/))
      const log = await logOf(await deliveryStore(direct, sha256), "group")
      assert.equal(log.length, written + (when === "after" ? 1 : 0))
      const answer = await store.append(entry)
      assert.equal(answer.type, "accepted")
      assert.equal(asked, when === "after" ? 1 : 2)
      assert.deepEqual(await store.append(entry), answer)
    }
    assert.equal(proxy.cuts, 4)
    assert.equal((await logOf(store, "group")).length, 5)
  })

  it("a connection that is lost on the way undoes everything, and the next request has another", async (test) => {
    const { proxy, store } = await throughProxy(test)
    await store.createGroup(newGroup("group"))
    const commit = commitParts({ recipients: [bytes("device")] })
    const entry = message("group", "1", { kind: "commit", commit })
    // The statement that is prepared for it, and that puts the Welcome into the inbox.
    proxy.cut("INSERT INTO inbox", "after")
    await assert.rejects(store.append(entry), isUnavailable(/connection to the database was lost$/))
    assert.equal(proxy.cuts, 1)
    assert.deepEqual(await logOf(store, "group"), [])
    assert.equal(await store.inboxHead(bytes("device")), 0n)
    assert.equal((await store.append(entry)).type, "accepted")
    assert.equal(await store.inboxHead(bytes("device")), 1n)
  })

  it("connections that were ended while nobody used them are not noticed", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const asOperator = await operator(test, database.options)
    await store.createGroup(newGroup("group"))
    for (let round = 0; round < 5; round++) {
      const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'conclave'"
      assert.ok((await asOperator.query(end)).rows.length > 0)
      const answers = await Promise.all([
        store.append(message("group", `${round}`)),
        store.head({ groupId: bytes("group"), key: KEY, permit: admitted }),
        store.inbox({ deviceId: bytes("device"), after: 0n, limit: 1, sizeMax: 1 }),
        store.countKeyPackages({ deviceId: bytes("device"), cipherSuite: 1, at: 1n }),
      ])
      assert.equal(answers[0].type, "accepted")
    }
    assert.equal((await logOf(store, "group")).length, 5)
  })

  it("a database that is read-only is read, and written again when it can be", async (test) => {
    const database = await opened(test, server, { url: await server.server.url("changing") })
    const store = await deliveryStore(database, sha256)
    const names = await authStore(database)
    await store.createGroup(newGroup("group"))
    const asOperator = await operator(test, database.options)
    const setReadOnly = async (value: "on" | "off") => {
      await asOperator.query(`ALTER DATABASE changing SET default_transaction_read_only = ${value}`)
      // A new connection has it; those of a gateway that was refused are made again.
      if (value === "off") return
      await asOperator.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'conclave' AND datname = 'changing'",
      )
    }
    await setReadOnly("on")
    await assert.rejects(store.append(message("group", "1")), isUnavailable(/cannot be written: it is read-only/))
    await assert.rejects(names.register(device("alice")), isUnavailable(/read-only/))
    assert.deepEqual(await logOf(store, "group"), [])
    // A gateway starts on it, too.
    const other = openDatabase(database.options)
    test.after(() => other.close())
    assert.deepEqual(await logOf(await deliveryStore(other, sha256), "group"), [])
    await setReadOnly("off")
    // Its connections are replaced now and then, as they may lead to another server then.
    for (;;) {
      const answer = await store.append(message("group", "1")).catch(isUnavailable(/read-only/))
      if (typeof answer !== "boolean") {
        assert.equal(answer.type, "accepted")
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })

  it("who waits for a lock too long is told, alone, and others go on", async (test) => {
    const database = await opened(test, server, { lockTimeoutMilliseconds: 300, connections: 2 })
    const store = await deliveryStore(database, sha256)
    const holder = await operator(test, database.options)
    for (const name of ["locked", "free", "other"]) await store.createGroup(newGroup(name))
    await store.append(message("free", "0"))
    await holder.query("BEGIN")
    await holder.query("SELECT 1 FROM mls_group WHERE id = $1 FOR UPDATE", [bytes("locked")])
    // All of them in one transaction, at first: there is one lane.
    const appended = await Promise.allSettled([
      ...["1", "2"].map((id) => store.append(message("locked", id))),
      ...["1", "2"].map((id) => store.append(message("free", id))),
      store.append(message("other", "1")),
    ])
    assert.deepEqual(
      appended.map(({ status }) => status),
      ["rejected", "rejected", "fulfilled", "fulfilled", "fulfilled"],
    )
    isUnavailable(/the database is locked/)((appended[0] as PromiseRejectedResult).reason)
    await holder.query("COMMIT")
    assert.equal((await store.append(message("locked", "1"))).type, "accepted")
  })

  it("a commit that waits for a device too long fails alone", async (test) => {
    const database = await opened(test, server, { lockTimeoutMilliseconds: 300, connections: 2 })
    const store = await deliveryStore(database, sha256)
    const holder = await operator(test, database.options)
    await store.createGroup(newGroup("group"))
    await store.suspend(bytes("device"), "reason")
    await store.resume(bytes("device"))
    await holder.query("BEGIN; SELECT 1 FROM device FOR UPDATE")
    const commit = commitParts({ recipients: [bytes("device")] })
    const [first, second, third] = await Promise.allSettled([
      store.append(message("group", "1")),
      store.append(message("group", "2", { kind: "commit", commit })),
      store.append(message("group", "3")),
    ])
    assert.equal(first.status, "fulfilled")
    isUnavailable(/the database is locked/)((second as PromiseRejectedResult).reason)
    assert.equal(third.status, "fulfilled")
    await holder.query("COMMIT")
    assert.equal((await logOf(store, "group")).length, 2)
  })

  it("a statement that takes too long is told as such", async (test) => {
    const database = await opened(test, server, { statementTimeoutMilliseconds: 300 })
    const store = await deliveryStore(database, sha256)
    await store.createGroup(newGroup("group"))
    const asOperator = await operator(test, database.options)
    await asOperator.query(`
      CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END';
      CREATE TRIGGER dawdle BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION dawdle()`)
    await assert.rejects(store.append(message("group", "1")), isUnavailable(/the database took too long/))
    await asOperator.query("DROP TRIGGER dawdle ON log")
    assert.equal((await store.append(message("group", "1"))).type, "accepted")
  })

  for (const [state, reason] of [
    ["53100", /the disk of the database is full/],
    ["53200", /no memory/],
    ["XX001", /damaged/],
    ["57P01", /is shutting down/],
  ] as const) {
    it(`SQLSTATE ${state} is told as what it is, and nothing of it stays`, async (test) => {
      const database = await opened(test, server)
      const store = await deliveryStore(database, sha256)
      await store.createGroup(newGroup("group"))
      const asOperator = await operator(test, database.options)
      // The first partition is made with the first message.
      await store.append(message("group", "0"))
      await asOperator.query(`
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN RAISE EXCEPTION ''secret of %'', NEW.body USING ERRCODE = ''${state}''; END';
        CREATE TRIGGER fail BEFORE INSERT ON message_body_0 FOR EACH ROW EXECUTE FUNCTION fail()`)
      await assert.rejects(store.append(message("group", "1")), isUnavailable(reason))
      assert.equal((await logOf(store, "group")).length, 1)
      await asOperator.query("DROP TRIGGER fail ON message_body_0")
      assert.equal((await store.append(message("group", "1"))).type, "accepted")
    })
  }

  it("a server that has no connection left is told as such", async (test) => {
    const database = await opened(test, server)
    const asOperator = await operator(test, database.options)
    await asOperator.query(
      "CREATE ROLE few LOGIN SUPERUSER; ALTER ROLE few CONNECTION LIMIT 0; ALTER ROLE few NOSUPERUSER",
    )
    const few = openDatabase({ ...database.options, url: database.options.url.replace("conclave@", "few@") })
    test.after(() => few.close())
    await assert.rejects(deliveryStore(few, sha256), isUnavailable(/too many connections/))
    await asOperator.query("ALTER ROLE few CONNECTION LIMIT 10")
    await assert.rejects(deliveryStore(few, sha256), isUnavailable(/this user may not use/))
  })

  it("a server that is not there, or not the right one, is told without the password", async (test) => {
    const at = await server.server.url("test")
    const { port } = new URL(at)
    const urls: readonly (readonly [string, RegExp])[] = [
      [`postgres://conclave:p4ssw0rd@127.0.0.1:1/test`, /cannot be reached: nothing listens there/],
      [`postgres://conclave:p4ssw0rd@127.0.0.1:${port}/nowhere`, /there is no such database/],
      [`postgres://nobody:p4ssw0rd@127.0.0.1:${port}/test`, /refuses this user/],
    ]
    for (const [url, reason] of urls) {
      const database = openDatabase({ url })
      test.after(() => database.close())
      const error = await deliveryStore(database, sha256).catch((error) => error)
      isUnavailable(reason)(error)
      for (let it: unknown = error; it instanceof Error; it = it.cause) {
        assert.ok(!`${it.stack} ${JSON.stringify(it)}`.includes("p4ssw0rd"))
      }
    }
    for (const url of ["p4ssw0rd", "mysql://conclave:p4ssw0rd@host/test", "postgres://a:p4ssw0rd@:::/"]) {
      assert.throws(
        () => openDatabase({ url }),
        (error) => error instanceof RangeError && !`${error.stack}`.includes("p4ssw0rd"),
      )
    }
  })

  it("no parameter of a statement is in an error", async (test) => {
    const database = await opened(test, server)
    await deliveryStore(database, sha256)
    const insert = () =>
      database.write((connection) => connection.run("INSERT INTO former_group VALUES ($1)", [Buffer.from("secret")]))
    await insert()
    const error = await insert().catch((error) => error)
    assert.ok(error instanceof Error && !(error instanceof StoreUnavailable))
    assert.match(error.message, /23505, former_group_pkey/)
    for (let it: unknown = error; it instanceof Error; it = it.cause) {
      const text = `${it.stack} ${JSON.stringify(it)}`
      assert.ok(!text.includes("secret") && !text.includes(Buffer.from("secret").toString("hex")))
    }
  })

  it("refuses work once too much of it waits", async (test) => {
    const database = await opened(test, server, { connections: 2, queueMax: 3 })
    await deliveryStore(database, sha256)
    const reads = Array.from({ length: 6 }, () =>
      database.read((connection) => connection.all("SELECT pg_sleep(0.05)::text")),
    )
    const settled = await Promise.allSettled(reads)
    const refused = settled.filter(({ status }) => status === "rejected") as PromiseRejectedResult[]
    assert.equal(refused.length, 3)
    for (const { reason } of refused) isUnavailable(/too much waits/)(reason)
    await database.close()
    await assert.rejects(
      database.read((connection) => connection.all("SELECT 1")),
      isUnavailable(/is closed/),
    )
  })
})

describe("a PostgreSQL server that ends", { skip: noPostgres }, () => {
  // Durable, as it is out of the box.
  const server = postgres({ settings: {} })

  it("has every append that was acknowledged before it was killed, and gateways go on by themselves", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const groups = ["a", "b", "c", "d"]
    for (const name of groups) await store.createGroup(newGroup(name))
    const acknowledged = new Map<string, bigint>()
    let isKilled = false
    const writers = groups.flatMap((name) =>
      [0, 1, 2, 3].map(async (writer) => {
        for (let number = 0; ; number++) {
          const id = `${name} ${writer} ${number}`
          try {
            const answer = await store.append(message(name, id))
            assert.ok(answer.type === "accepted")
            acknowledged.set(id, answer.seq)
          } catch (error) {
            assert.ok(isKilled)
            isUnavailable(/lost|cannot be reached|restarting|shutting down/)(error)
            return
          }
        }
      }),
    )
    while (acknowledged.size < 300) await new Promise((resolve) => setTimeout(resolve, 5))
    isKilled = true
    await server.server.stop("SIGKILL")
    await Promise.all(writers)
    await assert.rejects(store.append(message("a", "while it is down")), isUnavailable(/cannot be reached/))
    await server.server.start()
    const logs = new Map(await Promise.all(groups.map(async (name) => [name, await logOf(store, name)] as const)))
    for (const [id, seq] of acknowledged) {
      const entry = logs.get(id[0]!)![Number(seq) - 1]
      assert.deepEqual(entry?.body, bytes(`body of ${id}`))
    }
    assert.equal((await store.append(message("a", "afterwards"))).type, "accepted")
  })

  it("is shut down and started while gateways wait", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    await store.createGroup(newGroup("group"))
    const losses = database.losses
    await server.server.stop()
    await assert.rejects(store.append(message("group", "1")), isUnavailable(/cannot be reached/))
    await server.server.start()
    assert.equal((await store.append(message("group", "1"))).type, "accepted")
    assert.ok(database.losses > losses)
  })
})
