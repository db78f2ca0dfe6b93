import assert from "node:assert/strict"
import { userInfo } from "node:os"
import { describe, it } from "node:test"
import { deliveryStore, openDatabase } from "@conclave/postgres"
import { noPostgres } from "@conclave/testing/servers"
import { database, done, query, server } from "./database-support.js"
import { fillFile, sha256 } from "./moving-support.js"
import { Person, until } from "./people.js"
import { assertReadable, Folder, type Ran, runHere, Service } from "./support.js"

const admin = (url: string, ...words: readonly string[]): Promise<Ran> =>
  runHere(["admin", ...words], { environment: { DATABASE_URL: url, SUDO_USER: "olga" } })

async function administered(url: string, ...words: readonly string[]): Promise<string> {
  const ran = await admin(url, ...words)
  assert.equal(ran.code, 0, ran.errors)
  return ran.output.toString()
}

const gateway = (url: string, port = 0) => Service.start(new Folder(), port, { environment: { DATABASE_URL: url } })

describe("conclave admin on a database", { skip: noPostgres, timeout: 170_000 }, () => {
  it("suspends, resumes and closes beside gateways, which notice within seconds, and keeps what was done", async () => {
    const url = await database("operated")
    using people = new Folder()
    await using first = await gateway(url)
    await using second = await gateway(url)
    await using alice = await Person.open(people, "alice", first.address)
    await using bob = await Person.open(people, "bob_b", second.address)
    const conversation = await alice.client.createConversation({ title: "team", members: ["bob_b"] })
    await until("bob is in", () => bob.client.conversations.size === 1 && bob.client.online)
    for (let n = 0; n < 3; n++) await conversation.send(`message ${n}`)
    await until("bob has read", async () => (await bob.texts()).length === 3)

    const status = JSON.parse(await administered(url, "status", "--json"))
    assert.deepEqual([status.names, status.devices, status.groups, status.closed], [2, 2, 1, 0])
    assert.ok(status.gatewayConnections >= 2 && status.entries >= 4)
    assert.ok(status.bytes.messages > 300 && status.bytes.commits > 300 && status.bytes.keyPackages > 300)
    assert.ok(Date.now() - status.oldestAt < 60_000)
    assert.match(
      await administered(url, "status"),
      /^service +gateways have \d+ connections\nnames +2, with 2 devices\n/,
    )
    const [group] = JSON.parse(await administered(url, "groups", "--json"))
    assert.deepEqual([group.id, group.entries], [conversation.id, status.entries])
    assert.match(await administered(url, "names", "--like", "B_B"), /^NAME +DEVICES +REGISTERED\nbob_b +1 /)
    assert.equal((await administered(url, "names", "--like", "b_b_")).split("\n").length, 2)

    assert.equal(await administered(url, "suspend", "bob_b", "--reason", "spam"), "bob_b is suspended: spam\n")
    await until("bob is cut off", () => !bob.client.online)
    assert.match(`${bob.client.offlineReason}`, /the operator has suspended this name: spam/)
    await assert.rejects(alice.client.createConversation({ members: ["bob_b"] }), { code: "UNKNOWN_NAME" })
    assert.match(await administered(url, "status"), /\nsuspended +bob_b\n/)
    await administered(url, "resume", "bob_b", "--reason", "a mistake")
    await until("bob is back", () => bob.client.online)

    await administered(url, "close-group", conversation.id, "--reason", "order 12")
    await until("both are told", () => alice.count("missing") > 0 && bob.count("missing") > 0)
    for (const table of ["mls_group", "log", "message_body", "access_interval", "inbox", "blob"]) {
      assert.deepEqual(await query(url, `SELECT * FROM ${table}`), [], table)
    }
    const log = JSON.parse(await administered(url, "log", "--json")) as { at: number; user: string }[]
    const user = `olga as ${userInfo().username}`
    assert.deepEqual(
      log.map(({ at, ...rest }) => rest),
      [
        { user, did: "suspend", what: "bob_b", reason: "spam" },
        { user, did: "resume", what: "bob_b", reason: "a mistake" },
        { user, did: "close", what: conversation.id, reason: "order 12" },
      ],
    )
    for (const change of ["DELETE FROM action", "UPDATE action SET reason = ''", "TRUNCATE action"]) {
      await assert.rejects(query(url, change), /P0001/, change)
    }
  })

  it("answers every mistake with one sentence, and does nothing", async () => {
    const url = await database("mistakes")
    const why = ["--reason", "spam"]
    assertReadable(await admin(url, "status"), /mistakes: no service has been started on the database/)
    await using service = await gateway(url)
    await runHere(["receive", "--as", "alice", "--timeout", "0.01", ...service.place])
    const cases: readonly [readonly string[], RegExp][] = [
      [["suspend", "nobody", ...why], /nobody has the name nobody/],
      [["resume", "alice", ...why], /the name alice is not suspended/],
      [["close-group", "00".repeat(32), ...why], /there is no group with this id/],
      [["announce-restore"], /--reason TEXT is missing/],
      [
        ["announce-restore", ...why],
        /mistakes: gateways are connected to the database \(\d+ connections\): stop every/,
      ],
    ]
    for (const [words, says] of cases) assertReadable(await admin(url, ...words), says)
    assertReadable(await runHere(["admin", "announce-restore", ...why]), /for a service in PostgreSQL: give --database/)
    assertReadable(await admin("postgres://a:secret@127.0.0.1:1/b", "status"), /127\.0\.0\.1:1, b: .*nothing listens/)
    await service.stop()
    const low = await admin(url, "announce-restore", ...why, "--incarnation", "2")
    assert.equal(low.code, 0, low.errors)
    assertReadable(
      await admin(url, "announce-restore", ...why, "--incarnation", "2"),
      /mistakes: --incarnation 2: the incarnation 2 is not above 2/,
    )
    const [log, ...more] = JSON.parse(await administered(url, "log", "--json"))
    assert.deepEqual([log.did, log.what, log.reason, more], ["announce", "2", "spam", []])
    await query(url, "UPDATE schema_version SET version = 1 WHERE component = 'delivery'")
    assertReadable(await admin(url, "groups"), /mistakes: the database is of an older version of Conclave: start this/)
    await query(url, "UPDATE schema_version SET version = 90, oldest_reader = 90 WHERE component = 'delivery'")
    assertReadable(await admin(url, "suspend", "alice", ...why), /was migrated by a later version of Conclave/)
    const unused = await database("unused")
    await using other = await gateway(unused)
    await other.stop()
    assertReadable(await admin(unused, "announce-restore", ...why), /unused: nobody has ever used this service/)
  })
})

describe("conclave admin announce-restore", { skip: noPostgres, timeout: 170_000 }, () => {
  it("brings clients to give back the commits and removals that a restored dump lacks", async () => {
    const url = await database("original")
    using people = new Folder()
    await using first = await gateway(url)
    const { address, port } = first
    await using alice = await Person.open(people, "alice", address)
    await using bob = await Person.open(people, "bob", address)
    await using carol = await Person.open(people, "carol", address)
    const conversation = await alice.client.createConversation({ title: "team", members: ["bob", "carol"] })
    await until("all are in", () => bob.client.conversations.size === 1 && carol.client.conversations.size === 1)
    for (let n = 0; n < 5; n++) await Promise.all([conversation.send(`a${n}`), bob.only.send(`b${n}`)])
    await until("all is read", async () => (await carol.texts()).length === 10)

    // A dump of a database that is in use; then what it lacks.
    const dump = await (await server()).dump("original")
    await conversation.refresh()
    await until("bob follows", () => bob.only.epoch === conversation.epoch)
    await bob.only.remove("carol")
    await conversation.send("after the dump")
    await until("carol is out", () => carol.only.status === "left")
    await until("bob reads", async () => (await bob.texts()).at(-1) === "after the dump")
    const { epoch } = conversation
    const commits = () => "SELECT count(*)::integer AS count FROM log WHERE kind = 3"
    const [{ count }] = await query(url, commits())
    await first.stop()

    const restored = await (await server()).restore(dump, "restored")
    const [before] = await query(restored, commits())
    assert.ok(before.count < count)
    const said = await administered(restored, "announce-restore", "--reason", "the disk was lost")
    assert.match(said, /restored announces that it was restored, with incarnation \d{10}: gateways may start\.\n$/)
    await using second = await gateway(restored, port)
    assert.equal(second.address, address)
    const restores = ({ events }: Person) =>
      events.filter((it) => it.type === "service" && it.change === "restored").length
    await until("both notice", async () => {
      await Promise.all([alice, bob].map(({ client }) => client.sync().catch(() => {})))
      return restores(alice) === 1 && restores(bob) === 1
    })
    await until("the commits are given back", async () => {
      await Promise.all([alice, bob].map(({ client }) => client.sync().catch(() => {})))
      return (await query(restored, commits()))[0].count === count
    })
    await conversation.send("we are back")
    await until("bob reads again", async () => (await bob.texts()).at(-1) === "we are back")
    assert.deepEqual([conversation.epoch, bob.only.epoch], [epoch, epoch])
    assert.equal(carol.only.status, "left")
    for (const person of [alice, bob]) {
      for (const alarm of ["contradicted", "missing", "stopped", "lost", "stuck", "rejected"] as const) {
        assert.equal(person.count(alarm), 0, alarm)
      }
    }
  })

  it("is noticed by a gateway that had no connection meanwhile: it does nothing more", async (test) => {
    const url = await database("idle")
    using folder = new Folder()
    await fillFile(folder.file("service.db"))
    await done(["migrate", "--from", folder.path, "--to", url])
    const idle = openDatabase({ url })
    test.after(() => idle.close())
    const store = await deliveryStore(idle, sha256)
    const made = { seed: new Uint8Array(32), passSecret: new Uint8Array(32), incarnation: 1n, handovers: [] }
    assert.equal((await store.identity(made)).incarnation, 77n)
    const why = ["--reason", "a test"]
    assertReadable(await admin(url, "announce-restore", ...why), /idle: gateways are connected to the database \(\d/)
    const end =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'idle'"
    await query(url, end)
    await until("its connections are gone", () => idle.losses > 0)
    await administered(url, "announce-restore", ...why)
    const key = new Uint8Array(32)
    const shown = { groupId: key, key, permit: () => undefined }
    await assert.rejects(store.head(shown), /the operator has announced a restored database: start this process again/)
    await assert.rejects(store.identity(made), /the operator has announced a restored database/)
    const again = await deliveryStore(openDatabase({ url }), sha256)
    test.after(() => again[Symbol.asyncDispose]())
    assert.ok((await again.identity(made)).incarnation > 77n)
  })
})
