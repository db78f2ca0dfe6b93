import assert from "node:assert/strict"
import type { ChildProcess } from "node:child_process"
import { writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import * as postgres from "@conclave/postgres"
import { authStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { noPostgres } from "@conclave/testing/servers"
import Libsql from "libsql"
import { database, done, query } from "./database-support.js"
import { answersOf, fillBeside, fillFile, fillWithEntries, type GroupKeys, sha256 } from "./moving-support.js"
import { Person, until } from "./people.js"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

/** With as many entries, and kills, as `npm run test:whole` takes. */
const isWhole = process.env.CONCLAVE_WHOLE === "1"

/** In this process; with `started`, in one that can be killed. */
const migrate = (from: string, to: string, started?: (child: ChildProcess) => void) => {
  const [words, environment] = [["migrate", "--from", from], { DATABASE_URL: to }]
  return started === undefined ? runHere(words, { environment }) : conclave(words, { environment, started })
}

function inFile(file: string, sql: string): any[] {
  const source = new Libsql(file, { readonly: true })
  try {
    return source.prepare(sql).all()
  } finally {
    source.close()
  }
}

function changeFile(file: string, sql: string): void {
  const database = new Libsql(file)
  database.exec(sql)
  database.close()
}

/** What is in its write-ahead log as well. */
const copyOf = (file: string, to: string) => changeFile(file, `VACUUM INTO '${to}'`)

/** By everything that a request can show of it. */
function groupsIn(file: string): GroupKeys[] {
  const of = (sql: string) => inFile(file, sql).map(({ it }) => new Uint8Array(it))
  return of("SELECT id AS it FROM mls_group WHERE last_at >= 0").map((groupId) => {
    const hex = Buffer.from(groupId).toString("hex")
    const keys =
      of(`SELECT DISTINCT access_interval.access_key AS it FROM access_interval JOIN mls_group ON number = group_number
      WHERE id = x'${hex}'`)
    return { groupId, keys }
  })
}

/** What both services answer from a copy of the file, and from the database. */
async function assertSame(file: string, url: string): Promise<void> {
  const groups = groupsIn(file)
  const devices = inFile(file, "SELECT id FROM device UNION SELECT id FROM suspended_device").map(
    ({ id }) => new Uint8Array(id),
  )
  const names = inFile(file, "SELECT DISTINCT name FROM directory_device").map(({ name }) => name as string)
  await using there = openDatabase({ file })
  const [auth, delivery] = [authStore(there), deliveryStore(there, sha256)]
  const here = postgres.openDatabase({ url })
  try {
    const [movedAuth, movedDelivery] = [await postgres.authStore(here), await postgres.deliveryStore(here, sha256)]
    const expected = await answersOf(delivery, groups, devices)
    assert.ok(expected.some((it) => (it as { type?: string }).type === "page"))
    assert.deepEqual(await answersOf(movedDelivery, groups, devices), expected)
    for (const name of names) {
      assert.deepEqual(await movedAuth.lookup(name), await auth.lookup(name))
      assert.deepEqual(await movedAuth.displayName(name), await auth.displayName(name))
    }
    for (const { hash } of inFile(file, "SELECT hash FROM erased")) {
      const id = new Uint8Array(hash)
      assert.deepEqual([await auth.isErased(id), await movedAuth.isErased(id)], [true, true])
    }
  } finally {
    await here.close()
  }
  const sums =
    "SELECT count(*) AS groups, sum(bytes) AS bytes, sum(appends_full_at) AS appends, sum(knocks_full_at) AS knocks"
  const [inDatabase] = await query(
    url,
    `${sums}, sum(last_at)::bigint AS last, max(oldest_seq) AS oldest FROM mls_group`,
  )
  const [before] = inFile(
    file,
    `${sums}, sum(last_at) AS last, max(oldest_seq) AS oldest FROM mls_group WHERE last_at >= 0`,
  )
  const numbers = (row: object) => Object.values(row).map(Number)
  assert.deepEqual(numbers(inDatabase), numbers(before))
  const uses = "SELECT uses, count(*) AS n FROM blob GROUP BY uses ORDER BY uses"
  assert.deepEqual((await query(url, uses)).map(numbers), inFile(file, uses).map(numbers))
}

describe("conclave migrate", { skip: noPostgres, timeout: 400_000 }, () => {
  it("moves a service with all that it has, and clients that were there go on without noticing anything", async () => {
    const url = await database("moved")
    using people = new Folder()
    const folder = new Folder()
    const file = folder.file("service.db")
    await fillFile(file)
    await using before = await Service.start(folder)
    const { port, address } = before
    await using alice = await Person.open(people, "alice", address)
    await using bob = await Person.open(people, "bob", address)
    await using carol = await Person.open(people, "carol", address)
    const conversation = await alice.client.createConversation({ title: "team", members: ["bob", "carol"] })
    await until("all are in", () => bob.client.conversations.size === 1 && carol.client.conversations.size === 1)
    await alice.client.setDisplayName("Alice A.")
    for (let n = 0; n < 5; n++) await Promise.all([conversation.send(`a${n}`), bob.only.send(`b${n}`)])
    await until("carol has read", async () => (await carol.texts()).length === 10)
    const other = await bob.client.createConversation({ title: "closed" })
    await other.send("not for long")
    const why = ["--reason", "a test", "--data", folder.path]
    await runHere(["receive", "--as", "mallory", "--timeout", "0.01", "--server", address, "--data", people.path])
    await done(["admin", "suspend", "mallory", ...why])
    await done(["admin", "close-group", other.id, ...why])
    await before.stop()

    const copy = people.file("copy.db")
    copyOf(file, copy)
    const moved = await conclave(["migrate", "--from", folder.path, "--to", url])
    assert.equal(moved.code, 0, moved.errors)
    assert.match(
      moved.output.toString(),
      /service\.db was moved to PostgreSQL at 127\.0\.0\.1:\d+, moved, in [\d.]+ s: 2 groups with \d+ entries, 7 /,
    )
    assert.match(moved.output.toString(), /marked: no service is started on it/)
    await assertSame(copy, url)
    assert.deepEqual(
      JSON.parse(await done(["admin", "log", "--json"], { DATABASE_URL: url })),
      JSON.parse(await done(["admin", "log", "--json", "--data", folder.path])),
    )

    await using gateway = await Service.start(new Folder(), port, { environment: { DATABASE_URL: url } })
    assert.equal(gateway.address, address)
    await conversation.send("after the move")
    await until("bob reads", async () => (await bob.texts()).at(-1) === "after the move")
    await bob.only.remove("carol")
    await until("carol is out", () => carol.only.status === "left")
    await bob.only.send("and on")
    await until("alice reads", async () => (await alice.texts()).at(-1) === "and on")
    await using dora = await Person.open(people, "dora", address)
    await conversation.invite("dora")
    await until("dora is in", () => dora.client.conversations.size === 1)
    const noticed = ["service", "contradicted", "missing", "stopped", "lost", "stuck", "rejected", "copied"]
    for (const { events } of [alice, bob, carol]) {
      const known = events.filter((event) => noticed.includes(event.type))
      // Bob's own conversation was closed by the operator, before.
      const others = known.filter((event) => !("conversation" in event && event.conversation?.id === other.id))
      assert.deepEqual(
        others.map(({ type }) => type),
        [],
      )
    }
  })

  it("leaves a file on which nothing is served any more, and which a backup and a restore bring back", async () => {
    const url = await database("marked")
    using folder = new Folder()
    await fillFile(folder.file("service.db"))
    await done(["migrate", "--from", folder.file("service.db"), "--to", url])
    const moved = /service\.db: the service was moved to PostgreSQL at [^ ]+, marked on \d{4}-\d\d-\d\d: serve it there/
    assertReadable(await runHere(["serve", "--port", "0", "--data", folder.path]), moved)
    const why = ["--reason", "a test", "--data", folder.path]
    assertReadable(await runHere(["admin", "suspend", "alice", ...why]), moved)
    assert.match(
      await done(["admin", "status", "--data", folder.path]),
      /^service +was moved to PostgreSQL at .*, marked, /,
    )
    // Again, it is done already; elsewhere, it is not done.
    assert.match(await done(["migrate", "--from", folder.path, "--to", url]), /was moved to PostgreSQL at .* already/)
    const elsewhere = await migrate(folder.path, await database("elsewhere"))
    assertReadable(elsewhere, /elsewhere: nothing of the service is here, and it was moved elsewhere: see its file/)

    using restored = new Folder()
    await done(["backup", folder.file("backup"), "--data", folder.path])
    assert.match(await done(["restore", folder.file("backup"), "--data", restored.path]), /with incarnation \d{10}/)
    await using service = await Service.start(restored)
    assert.equal((await fetch(`${service.address}/readyz`)).status, 200)
  })

  it("brings neither blobs nor push registrations, which it says, and which nothing asks for there", async () => {
    const url = await database("without blobs")
    using folder = new Folder()
    const file = folder.file("service.db")
    await fillFile(file)
    await fillBeside(file)
    const said = await done(["migrate", "--from", file, "--to", url])
    assert.match(said, /Blobs and push registrations were not moved: what refers to a blob leads nowhere/)
    const there = postgres.openDatabase({ url })
    try {
      const all = { after: new Uint8Array(), limit: 9 }
      assert.deepEqual(await (await postgres.blobStore(there)).groups(all), [])
      assert.deepEqual(await (await postgres.pushStore(there)).groups(all), [])
    } finally {
      await there.close()
    }
  })

  it("can be cut at any time: what was not finished is not served, and is begun again", async () => {
    const url = await database("cut")
    using folder = new Folder()
    const file = folder.file("service.db")
    await fillWithEntries(file, isWhole ? 20_000 : 5_000)
    const copy = folder.file("copy.db")
    copyOf(file, copy)
    const isMarked = () => inFile(file, "SELECT 1 FROM sqlite_schema WHERE name = 'moved'").length > 0
    let [kills, began] = [0, 0]
    for (let milliseconds = 200; ; milliseconds += (isWhole ? 40 : 20) + Math.random() * (isWhole ? 200 : 80)) {
      let killed = false
      const ran = await migrate(folder.path, url, (child) => {
        const timer = setTimeout(() => {
          killed = child.kill("SIGKILL")
        }, milliseconds)
        child.once("exit", () => clearTimeout(timer))
      })
      if (!killed) {
        assert.equal(ran.code, 0, ran.errors)
        break
      }
      kills++
      const state = await stateOf(url)
      if (state === "begun") {
        began++
        await assert.rejects(openAsGateway(url), /a service is being moved into the database/)
      }
      assert.ok(isMarked() || state !== "ready", "both could be served")
    }
    assert.ok(began >= 2, `${kills} kills, ${began} of them in the middle`)
    assert.ok(isMarked())
    assert.equal(await stateOf(url), "ready")
    await assertSame(copy, url)
  })

  it("goes on where it was cut between the mark and the end", async () => {
    const url = await database("between")
    using folder = new Folder()
    await fillFile(folder.file("service.db"))
    copyOf(folder.file("service.db"), folder.file("copy.db"))
    await done(["migrate", "--from", folder.path, "--to", url])
    await query(url, "UPDATE intake SET ready_at = NULL; UPDATE schema_version SET oldest_reader = 2147483647")
    await assert.rejects(openAsGateway(url), /a service is being moved/)
    for (const words of [
      ["serve", "--port", "0", "--data", folder.path],
      ["admin", "status"],
    ]) {
      const ran = await runHere(words, { environment: { DATABASE_URL: url } })
      assertReadable(
        ran,
        /between: a service is being moved into the database: conclave migrate has to come to its end/,
      )
    }
    const ran = await migrate(folder.path, url)
    assert.equal(ran.code, 0, ran.errors)
    assert.match(ran.errors, /an earlier move was cut: it begins again/)
    await assertSame(folder.file("copy.db"), url)
  })

  it("says in one sentence what is in its way, and changes nothing", async () => {
    const url = await database("wrong")
    using folder = new Folder()
    const file = folder.file("service.db")
    await fillFile(file)
    const cases: (readonly [readonly string[], RegExp])[] = [
      [["--from", folder.file("none"), "--to", url], /none does not exist/],
      [["--to", url], /--from FILE is missing/],
      [["--from", file], /--to URL is missing, and DATABASE_URL is not set/],
      [["--from", file, "--to", "mysql://a:secret@b/c"], /--to must be like postgres:\/\/user/],
      [
        ["--from", file, "--to", "postgres://a:secret@127.0.0.1:1/b"],
        /PostgreSQL at 127\.0\.0\.1:1, b: .*nothing listens/,
      ],
      [["--from", file, "--to", `${url}_absent`], /wrong_absent: there is no such database/],
    ]
    writeFileSync(folder.file("text.db"), "no database, but a text that is longer than a header")
    cases.push([["--from", folder.file("text.db"), "--to", url], /text\.db: the file is no database/])
    using bare = new Folder()
    cases.push([["--from", bare.path, "--to", url], /there is no service in .*service\.db does not exist/])
    changeFile(bare.file("bare.db"), "CREATE TABLE other (it)")
    cases.push([["--from", bare.file("bare.db"), "--to", url], /bare\.db: the file is none of a service/])
    {
      await using database = openDatabase({ file: bare.file("unused.db") })
      authStore(database)
      deliveryStore(database, sha256)
    }
    cases.push([["--from", bare.file("unused.db"), "--to", url], /unused\.db: nobody has ever used this service/])
    copyOf(file, bare.file("older.db"))
    changeFile(bare.file("older.db"), "UPDATE schema_version SET version = 5 WHERE component = 'delivery'")
    cases.push([
      ["--from", bare.file("older.db"), "--to", url],
      /older\.db: the file is of an older version of Conclave/,
    ])
    copyOf(file, bare.file("keyless.db"))
    changeFile(bare.file("keyless.db"), "DELETE FROM access_interval WHERE seq = 0")
    cases.push([
      ["--from", bare.file("keyless.db"), "--to", url],
      /keyless\.db: 1 groups are from before groups had keys/,
    ])
    for (const [words, says] of cases) {
      const ran = await runHere(["migrate", ...words])
      assert.notEqual(ran.code, 0, words.join(" "))
      assertReadable(ran, says)
      assert.doesNotMatch(ran.errors, /secret/)
    }
    {
      await using service = await Service.start()
      assertReadable(await migrate(service.folder.path, url), /service\.db: the file is in use by process \d+/)
    }
    {
      await using gateway = await Service.start(new Folder(), 0, { environment: { DATABASE_URL: url } })
      assertReadable(await migrate(file, url), /wrong: gateways are connected to the database \(\d+ connections\)/)
      await gateway.stop()
    }
    // It has made the tables, but nothing is in them.
    await done(["migrate", "--from", file, "--to", url])
    using other = new Folder()
    await fillFile(other.file("service.db"))
    assertReadable(await migrate(other.path, url), /wrong: another service is in the database: give an empty one/)
    const used = await database("used")
    await using service = await Service.start(new Folder(), 0, { environment: { DATABASE_URL: used } })
    await runHere(["receive", "--as", "alice", "--timeout", "0.01", ...service.place])
    await service.stop()
    assertReadable(await migrate(other.path, used), /used: the database is not empty/)
  })

  it("marks nothing where the operator has changed the file meanwhile, or the database has lost something", async () => {
    using folder = new Folder()
    const file = folder.file("service.db")
    await fillWithEntries(file, 3_000)
    const url = await database("changed")
    const { openMovingFile } = await import("@conclave/sqlite")
    const { compare, moveAll } = await import("../src/moving.js")
    using source = openMovingFile(file, sha256)
    await using intake = await postgres.openIntake({ url, service: source.service, sha256 })
    await moveAll(source, intake, () => {})
    await intake.settle()
    assert.equal((await compare(source, intake)).entry, 3_000)
    for (const [change, says] of [
      [
        "UPDATE log SET chain_hash = body_hash WHERE seq = 300 AND group_number = 4",
        /another log of the group [0-9a-f]{64}/,
      ],
      ["UPDATE log SET group_number = 4, seq = 900 WHERE group_number = 3 AND seq = 12", /another log of the group/],
      [
        "DELETE FROM log WHERE seq = 12 AND group_number = 5",
        /the database has 2999 records of the type entry, the file has 3000/,
      ],
    ] as const) {
      await query(url, change)
      await assert.rejects(compare(source, intake), says)
    }
    changeFile(file, "INSERT INTO former_group VALUES (x'00')")
    assert.throws(() => source.mark({ at: 1, place: "there" }), /the file was changed while it was read: do it again/)
    assert.deepEqual(inFile(file, "SELECT 1 FROM sqlite_schema WHERE name = 'moved'"), [])
  })

  it("tells how many entries it moves in a second", async (test) => {
    using folder = new Folder()
    const entries = isWhole ? 30_000 : 5_000
    await fillWithEntries(folder.file("service.db"), entries)
    const said = await done(["migrate", "--from", folder.path, "--to", await database("throughput")])
    const [, seconds] = /in ([\d.]+) s:/.exec(said)!
    test.diagnostic(
      `${entries} entries of 300 bytes in ${seconds} s: ${Math.round(entries / Number(seconds))} a second`,
    )
  })
})

async function stateOf(url: string): Promise<"nothing" | "begun" | "ready"> {
  try {
    const [intake] = await query(url, "SELECT ready_at FROM intake")
    return intake === undefined ? "nothing" : intake.ready_at === null ? "begun" : "ready"
  } catch {
    return "nothing"
  }
}

/** As a gateway opens it. */
async function openAsGateway(url: string): Promise<void> {
  const database = postgres.openDatabase({ url })
  try {
    await postgres.deliveryStore(database, sha256)
  } finally {
    await database.close()
  }
}
