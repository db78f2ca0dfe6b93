import assert from "node:assert/strict"
import { chmodSync, readFileSync } from "node:fs"
import { userInfo } from "node:os"
import { describe, it } from "node:test"
import { type Client, type ClientEvent, openClient } from "@conclave/client/node"
import Libsql from "libsql"
import { NOBODY, noOtherUser } from "./machine.js"
import { assertReadable, conclave, Folder, type Ran, runHere, Service } from "./support.js"

const options = { environment: { SUDO_USER: "olga" } }
const admin = (folder: Folder, ...words: readonly string[]): Promise<Ran> =>
  runHere(["admin", ...words, "--data", folder.path], options)

const done = async (folder: Folder, ...words: readonly string[]) => outputOf(await admin(folder, ...words))

function outputOf(ran: Ran): string {
  assert.equal(ran.code, 0, ran.errors)
  return ran.output.toString()
}

/** A client that stays open, and what it has told. */
class Person implements AsyncDisposable {
  readonly events: ClientEvent[] = []
  readonly client: Client
  readonly #stop = new AbortController()

  constructor(client: Client) {
    this.client = client
    void this.#listen()
  }

  get lines(): readonly string[] {
    return this.events.flatMap((it) => (it.type === "unavailable" ? [it.reason] : []))
  }

  get only() {
    return [...this.client.conversations.values()][0]!
  }

  async #listen(): Promise<void> {
    for await (const event of this.client.events({ signal: this.#stop.signal })) this.events.push(event)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.client.close()
  }
}

async function open(name: string, service: Service): Promise<Person> {
  const profile = service.folder.file(`${name}.own`)
  const sealingKey = new Uint8Array(32).fill(1)
  const policy = { invitations: "accept" } as const
  return new Person(await openClient({ name, service: service.address, profile, sealingKey, policy }))
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 30_000; !(await holds()); ) {
    assert.ok(performance.now() < end, `it never came to that: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const SUSPENDED = "the operator has suspended this name: spam"

describe("conclave admin suspend and resume", { timeout: 120_000 }, () => {
  it("cut a connected client off, which says why once and asks rarely, until its name is resumed", async () => {
    await using service = await Service.start()
    await using alice = await open("alice", service)
    await using bob = await open("bob", service)
    await alice.client.createConversation({ title: "team", members: ["bob"] })
    await until(() => bob.client.conversations.size === 1 && bob.client.online, "bob is in")
    assert.equal(await done(service.folder, "suspend", "bob", "--reason", "spam"), "bob is suspended: spam\n")
    await until(() => !bob.client.online, "bob is offline")
    assert.equal(bob.client.offlineReason, `the service said forbidden: ${SUSPENDED}`)
    // What is asked of a group names no account: who is in a conversation reads and writes there.
    await bob.only.send("still here")
    await until(async () => (await textsOf(alice)).includes("still here"), "alice reads bob")
    await alice.only.send("we see")
    await bob.only.send("me too")
    assert.ok((await textsOf(bob)).includes("we see"))
    // To others it is a name that nobody has.
    for (const name of ["bob", "nobody"]) {
      await assert.rejects(alice.client.createConversation({ members: [name] }), { code: "UNKNOWN_NAME" })
      assert.deepEqual(await alice.client.devices(name), [])
    }
    await assert.rejects(bob.client.sync(), { code: "REFUSED", message: `the service said forbidden: ${SUSPENDED}` })
    assert.deepEqual(bob.lines, [`the service does not let this device listen: forbidden: ${SUSPENDED}`])
    const tries = (await bob.client.debugReport()).match(/subscription-broke/g)?.length ?? 0
    assert.ok(tries > 0 && tries < 12, `${tries} tries`)
    await done(service.folder, "resume", "bob", "--reason", "a mistake")
    await until(() => bob.client.online, "bob is online again")
    const other = await alice.client.createConversation({ title: "other", members: ["bob"] })
    await until(() => bob.client.conversations.has(other.id), "bob is invited again")
  })

  it("refuse a client that comes back in one line, and its Welcomes wait for it", async () => {
    await using service = await Service.start()
    await using alice = await open("alice", service)
    {
      await using _bob = await open("bob", service)
    }
    const conversation = await alice.client.createConversation({ title: "team", members: ["bob"] })
    await done(service.folder, "suspend", "bob", "--reason", "spam")
    {
      await using bob = await open("bob", service)
      await until(() => bob.lines.length > 0, "bob is told")
      await assert.rejects(bob.client.sync(), { code: "REFUSED" })
      assert.equal(bob.client.conversations.size, 0)
      // A person whom others do not find in the directory is not let past those who never met that person.
      await using carol = await open("carol", service)
      await conversation.invite("carol")
      await until(() => carol.events.some(({ type }) => type === "rejected"), "carol is told that bob is not known")
      assert.equal(carol.client.conversations.size, 0)
    }
    for (const words of [["receive", "--timeout", "1"], ["send", "--to", "team"], ["chat"]] as const) {
      const place = ["--server", service.address, "--data", service.folder.file("cli")]
      const [name] = words
      await runHere(["receive", "--as", name, "--timeout", "0.01", ...place])
      await done(service.folder, "suspend", name, "--reason", "spam")
      const ran = await runHere([...words, "--as", name, ...place], { input: "hello\n" })
      assert.equal(ran.code, 1)
      assertReadable(ran, new RegExp(SUSPENDED))
    }
    await done(service.folder, "resume", "bob", "--reason", "a mistake")
    await using bob = await open("bob", service)
    await until(() => bob.client.conversations.has(conversation.id), "bob gets the Welcome from before")
  })
})

describe("conclave admin close-group", { timeout: 120_000 }, () => {
  it("deletes what there is of a group; its members are told, and go on in a new one", async () => {
    await using service = await Service.start()
    const { folder } = service
    await using alice = await open("alice", service)
    await using bob = await open("bob", service)
    {
      await using _carol = await open("carol", service)
    }
    await alice.client.createConversation({ title: "team", members: ["bob", "carol"] })
    await until(() => bob.client.conversations.size === 1, "bob is in")
    for (let n = 0; n < 600; n++) await alice.only.send(`message ${n}`)
    await until(async () => (await textsOf(bob)).length === 600, "bob has read all")
    const { id } = alice.only
    const bodies = query(folder, "SELECT body FROM log ORDER BY seq LIMIT 3").map(({ body }) =>
      Buffer.from(body as Uint8Array),
    )
    const files = () => ["service.db", "service.db-wal"].map((name) => readFileSync(folder.file(name)))
    const isThere = (bytes: Buffer) => files().some((file) => file.includes(bytes))
    // Its first hundred bytes are in one piece, whatever lies on the page.
    for (const body of bodies) assert.ok(isThere(body.subarray(0, 100)))
    assert.equal(query(folder, "SELECT * FROM inbox").length, 1)
    assert.match(await done(folder, "close-group", id, "--reason", "order 12"), /^[0-9a-f]+ is closed: order 12\n$/)
    for (const body of bodies) assert.ok(!isThere(body.subarray(0, 100)))
    for (const table of ["mls_group", "log", "access_interval", "inbox", "knock", "answer", "blob"]) {
      assert.deepEqual(query(folder, `SELECT * FROM ${table}`), [], table)
    }
    const isMissing = ({ events }: Person) => events.some(({ type }) => type === "missing")
    await until(() => isMissing(alice) && isMissing(bob), "both are told, without asking")
    assert.equal((await textsOf(bob)).length, 600)
    await alice.only.restart()
    const asked = () => [...bob.client.conversations.values()].find((it) => it.id !== id)
    await until(() => asked() !== undefined, "bob is asked")
    await asked()!.accept()
    await until(() => bob.only.id !== id && bob.only.continues?.id === id, "bob goes on there")
    assert.equal((await textsOf(bob)).length, 600)
    assertReadable(await admin(folder, "close-group", id, "--reason", "again"), /there is no group with this id/)
  })
})

describe("conclave admin log", { timeout: 60_000 }, () => {
  it("keeps what was done, in backups too; a restore in the place of the file does it again", async () => {
    // This process would keep the file open until it collects its garbage, and the restore would find it in use.
    const done = async (folder: Folder, ...words: readonly string[]) =>
      outputOf(await conclave(["admin", ...words, "--data", folder.path], options))
    await using service = await Service.start()
    const { folder } = service
    {
      await using alice = await open("alice", service)
      await using _bob = await open("bob", service)
      await alice.client.createConversation({ title: "team" })
    }
    await done(folder, "suspend", "bob", "--reason", "one")
    const file = folder.file("backup")
    assert.equal((await runHere(["backup", file, "--data", folder.path])).code, 0)
    const [{ id }] = JSON.parse(await done(folder, "groups", "--json")) as [{ id: string }]
    await done(folder, "resume", "bob", "--reason", "two")
    await done(folder, "suspend", "alice", "--reason", "three")
    await done(folder, "close-group", id, "--reason", "four")
    const all = JSON.parse(await done(folder, "log", "--json"))
    const user = `olga as ${userInfo().username}`
    assert.deepEqual(
      all.map(({ at, ...rest }: { at: number }) => rest),
      [
        { user, did: "suspend", what: "bob", reason: "one" },
        { user, did: "resume", what: "bob", reason: "two" },
        { user, did: "suspend", what: "alice", reason: "three" },
        { user, did: "close", what: id, reason: "four" },
      ],
    )
    assert.match(await done(folder, "log"), /UTC {2}olga as \S+ +suspend {2}bob +one\n/)
    const writable = new Libsql(folder.file("service.db"))
    assert.throws(() => writable.exec("DELETE FROM action"), /actions stay/)
    assert.throws(() => writable.exec("UPDATE action SET reason = ''"), /actions stay/)
    writable.close()
    await service.stop()

    const restored = await conclave(["restore", file, "--replace", "--data", folder.path])
    assert.equal(restored.code, 0, restored.errors)
    assert.match(restored.output.toString(), /did after the backup holds on: 3 actions, see conclave admin log\.\n$/)
    assert.deepEqual(JSON.parse(await done(folder, "log", "--json")), all)
    assert.deepEqual(JSON.parse(await done(folder, "groups", "--json")), [])
    const names = JSON.parse(await done(folder, "names", "--json")) as { name: string; suspended: string | null }[]
    assert.deepEqual(
      names.map(({ name, suspended }) => [name, suspended]),
      [
        ["alice", "three"],
        ["bob", null],
      ],
    )
    // Elsewhere, nobody knows what came after the backup.
    using other = new Folder()
    assert.equal((await runHere(["restore", file, "--data", other.path])).code, 0)
    assert.equal(JSON.parse(await done(other, "log", "--json")).length, 1)
  })
})

describe("conclave admin", { timeout: 60_000 }, () => {
  it("shows names, groups and sizes, of a service that runs and one that does not", async () => {
    await using service = await Service.start(new Folder(), 0, { words: ["--quota", "64M"] })
    const { folder } = service
    {
      await (await open("bob_b", service))[Symbol.asyncDispose]()
      await using alice = await open("alice", service)
      await alice.client.createConversation({ title: "team", members: ["bob_b"] })
      for (let n = 0; n < 3; n++) await alice.only.send("hello")
    }
    const entries = query(folder, "SELECT * FROM log").length
    assert.ok(entries >= 4)
    const ran = await conclave(["admin", "status", "--json", "--data", folder.path])
    const status = JSON.parse(ran.output.toString())
    assert.deepEqual([status.process, status.quota], [service.pid, 64 * 1024 ** 2])
    assert.deepEqual([status.names, status.devices, status.groups, status.entries], [2, 2, 1, entries])
    assert.ok(status.bytes.messages > 300 && status.bytes.commits > 300 && status.bytes.welcomes > 300)
    const { all, ...kinds } = status.bytes
    assert.ok(Object.values(kinds as Record<string, number>).reduce((sum, size) => sum + size, 0) < all)
    const [group] = JSON.parse(await done(folder, "groups", "--json"))
    assert.deepEqual(Object.keys(group), ["id", "entries", "bytes", "lastAt"])
    assert.equal(group.entries, entries)
    assert.match(
      await done(folder, "names", "--like", "B_B"),
      /^NAME +DEVICES +REGISTERED\nbob_b +1 +\d{4}-[^\n]*UTC\n$/,
    )
    assert.equal((await done(folder, "names", "--like", "b_b_")).split("\n").length, 2)
    await service.stop()
    const later = JSON.parse(await done(folder, "status", "--json"))
    assert.deepEqual([later.process, later.quota, later.entries], [null, null, entries])
    assert.match(await done(folder, "status"), /^service +is not running\nnames +2, with 2 devices\n/)
    await done(folder, "suspend", "bob_b", "--reason", "spam")
    assert.match(await done(folder, "status"), /\nsuspended +bob_b\n/)
  })

  it("answers every mistake with one sentence, and does nothing", async () => {
    await using service = await Service.start()
    const { folder } = service
    await runHere(["receive", "--as", "alice", "--timeout", "0.01", ...service.place])
    const why = ["--reason", "spam"]
    const cases: readonly [readonly string[], number, RegExp][] = [
      [["suspend", "nobody", ...why], 1, /: nobody has the name nobody/],
      [["suspend", "al ice", ...why], 2, /NAME must be a name, not "al ice"/],
      [["suspend", "alice"], 2, /--reason TEXT is missing/],
      [["suspend", "alice", "--reason", "two\nlines"], 2, /--reason must be a reason: one line of 1 to 200 characters/],
      [["suspend", "alice", "--reason", "x".repeat(201)], 2, /--reason must be a reason/],
      [["suspend", ...why], 2, /NAME is missing/],
      [["resume", "alice", ...why], 1, /the name alice is not suspended/],
      [["close-group", "team", ...why], 2, /ID must be the id of a group in hexadecimal digits/],
      [["close-group", "00".repeat(32), ...why], 1, /there is no group with this id/],
      [["clsoe-group"], 2, /it has no command clsoe-group; did you mean close-group\?/],
      [[], 2, /one of its commands is missing: status, groups/],
    ]
    for (const [words, code, says] of cases) {
      const ran = words.length < 2 ? await runHere(["admin", ...words]) : await admin(folder, ...words)
      assert.equal(ran.code, code, words.join(" "))
      assertReadable(ran, says)
    }
    assertReadable(await runHere(["admin", "status", "--data", folder.file("none")]), /there is no service in .*none/)
    assert.deepEqual(JSON.parse(await done(folder, "log", "--json")), [])
    await service.stop()
    const versions = (sql: string) => {
      const database = new Libsql(folder.file("service.db"))
      database.exec(sql)
      database.close()
    }
    versions("UPDATE schema_version SET version = version + 1 WHERE component = 'delivery'")
    assertReadable(await admin(folder, "status"), /service\.db: the file was written by a later version of Conclave/)
    versions("UPDATE schema_version SET version = 5 WHERE component = 'delivery'")
    assertReadable(await admin(folder, "suspend", "alice", ...why), /is of an older version of Conclave: start this/)
    versions("DROP TABLE schema_version")
    assertReadable(await admin(folder, "groups"), /service\.db: the file is none of a service/)
  })

  it("is for the owner of the file", { skip: noOtherUser }, async () => {
    await using service = await Service.start()
    chmodSync(service.folder.path, 0o777)
    for (const mode of [0o600, 0o666]) {
      chmodSync(service.folder.file("service.db"), mode)
      const ran = await conclave(["admin", "status", "--data", service.folder.path], { uid: NOBODY })
      assert.equal(ran.code, 1)
      assertReadable(ran, /service\.db belongs to another user of this system: run this as its owner/)
    }
  })
})

async function textsOf(person: Person): Promise<readonly string[]> {
  return (await person.only.history({ limit: 2_000 })).flatMap(({ text }) => text ?? [])
}

function query(folder: Folder, sql: string): Record<string, unknown>[] {
  const database = new Libsql(folder.file("service.db"), { readonly: true })
  try {
    return database.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    database.close()
  }
}
