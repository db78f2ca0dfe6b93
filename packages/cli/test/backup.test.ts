import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { describe, it } from "node:test"
import { type Client, type ClientEvent, openClient } from "@conclave/client/node"
import Libsql from "libsql"
import { ageOf } from "../src/files.js"
import { NOBODY, noOtherUser } from "./machine.js"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history({ limit: 1_000 })).map(({ text }) => text)

/** A client in this process, which stays open while its service ends and comes back. */
class Person implements AsyncDisposable {
  readonly client: Client
  readonly #events: ClientEvent[] = []
  readonly #stop = new AbortController()

  private constructor(client: Client) {
    this.client = client
    void this.#listen()
  }

  static async open(name: string, service: Service): Promise<Person> {
    const profile = service.folder.file(`${name}.own`)
    const sealingKey = new Uint8Array(32).fill(1)
    const policy = { invitations: "accept" } as const
    return new Person(await openClient({ name, service: service.address, profile, sealingKey, policy }))
  }

  /** How often the service has said that it was restored. */
  get restores(): number {
    return this.#events.filter((it) => it.type === "service" && it.change === "restored").length
  }

  /** Events that would be an alarm. */
  get alarms(): readonly string[] {
    const alarms = ["contradicted", "missing", "stopped", "lost", "stuck", "rejected"]
    return this.#events
      .filter((it) => alarms.includes(it.type) || (it.type === "service" && it.change === "replaced"))
      .map(({ type }) => type)
  }

  async #listen(): Promise<void> {
    for await (const event of this.client.events({ signal: this.#stop.signal })) this.#events.push(event)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.client.close()
  }
}

/** Everybody looks again and again, until it holds. */
async function until(holds: () => boolean | Promise<boolean>, ...people: readonly Person[]): Promise<void> {
  for (const end = performance.now() + 90_000; !(await holds()); ) {
    assert.ok(performance.now() < end, "it never came to that")
    await Promise.all(people.map(({ client }) => client.sync().catch(() => {})))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** In the running service. */
async function commitsIn(folder: Folder): Promise<number> {
  const copy = folder.file("commits")
  await done(["backup", copy, "--force", "--data", folder.path])
  const row = new Libsql(copy).prepare("SELECT count(*) AS count FROM log WHERE kind = 3").get()
  return (row as { count: number }).count
}

const incarnationOf = (file: string): unknown => {
  const database = new Libsql(file, { readonly: true })
  const { incarnation } = database.prepare("SELECT incarnation FROM identity").get() as { incarnation: number }
  database.close()
  return incarnation
}

/** Names, sizes and contents of the files in a folder, but for empty lock files. */
const contentsOf = (folder: Folder) =>
  readdirSync(folder.path, { withFileTypes: true })
    .filter((it) => it.isFile() && !it.name.includes("-lock"))
    .map(({ name }) => name)
    .sort()
    .map((name) => [name, readFileSync(folder.file(name)).toString("base64")])

async function done(words: readonly string[], by: typeof conclave | typeof runHere = runHere): Promise<string> {
  const ran = await by(words)
  assert.equal(ran.code, 0, ran.errors)
  return ran.output.toString()
}

describe("conclave backup and conclave restore", { timeout: 170_000 }, () => {
  it("bring a service back, to which clients give the commits and removals that it lacks, twice", async () => {
    await using first = await Service.start()
    await using alice = await Person.open("alice", first)
    await using bob = await Person.open("bob", first)
    await using carol = await Person.open("carol", first)
    const all = [alice, bob, carol]
    const conversation = await alice.client.createConversation({ title: "team", members: ["bob", "carol"] })
    await until(() => bob.client.conversations.size === 1 && carol.client.conversations.size === 1, ...all)

    // A backup while they write.
    const file = first.folder.file("backup")
    const making = done(["backup", file, "--data", first.folder.path], conclave)
    for (let n = 0; n < 20; n++) await Promise.all([conversation.send(`a${n}`), only(bob.client).send(`b${n}`)])
    assert.match(await making, /holds the service as it was at [0-9-]{10} [0-9:]{8} UTC, with its signing key/)
    await until(async () => (await texts(carol.client)).length === 40, ...all)

    const copied = JSON.parse(await done(["backup", `${file}2`, "--json", "--data", first.folder.path]))
    assert.equal(copied.file, `${file}2`)
    assert.match(copied.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepEqual([copied.size > 0, copied.serverKey], [true, false])

    // What the backup lacks.
    await conversation.refresh()
    await until(() => only(bob.client).epoch === conversation.epoch, bob)
    await only(bob.client).remove("carol")
    await conversation.send("after the backup")
    await until(() => only(carol.client).status === "left", ...all)
    await until(async () => (await texts(bob.client)).length === 41, alice, bob)
    const { epoch } = conversation
    const { port } = first
    const commits = await commitsIn(first.folder)
    assert.ok(commits >= 3)
    assert.equal(await first.stop(), 0)

    // Into an empty folder.
    const folder = new Folder()
    const restored = await done(["restore", file, "--data", folder.path], conclave)
    assert.match(
      restored,
      /is the service as it was at .* UTC, (less than a|\d+) minutes? ago, with incarnation \d{10}\.\n$/,
    )
    await using second = await Service.start(folder, port)
    await until(() => alice.restores === 1 && bob.restores === 1, alice, bob)
    await until(async () => (await commitsIn(folder)) === commits, alice, bob)
    await conversation.send("we are back")
    await until(async () => (await texts(bob.client)).at(-1) === "we are back", alice, bob)
    assert.deepEqual([conversation.epoch, only(bob.client).epoch], [epoch, epoch])
    await until(() => only(carol.client).status === "left", carol)

    // From the same backup, over what clients have seen meanwhile.
    assert.equal(await second.stop(), 0)
    const announced = (said: string) => Number(/with incarnation (\d+)\./.exec(said)![1])
    const again = await done(["restore", file, "--data", folder.path, "--replace"])
    assert.match(again, /with incarnation \d{10}\.\nWhat was there is kept as .*service\.db\.\d{4}-.*Z\.\n$/)
    assert.equal(incarnationOf(/kept as (.*)\.\n/.exec(again)![1]!), announced(restored))
    assert.ok(announced(again) > announced(restored))
    await using third = await Service.start(folder, port)
    await until(() => alice.restores === 2 && bob.restores === 2, alice, bob)
    await until(async () => (await commitsIn(folder)) === commits, alice, bob)
    await only(bob.client).send("once more")
    await until(async () => (await texts(alice.client)).at(-1) === "once more", alice, bob)
    const expected = Array.from({ length: 20 }, (_, n) => [`a${n}`, `b${n}`]).flat()
    for (const { client } of [alice, bob]) {
      const said = await texts(client)
      assert.deepEqual(said.slice(0, 40).sort(), expected.sort())
      assert.deepEqual(said.slice(40), ["after the backup", "we are back", "once more"])
      assert.equal(only(client).epoch, epoch)
    }
    assert.deepEqual(only(alice.client).epochAuthenticator, only(bob.client).epochAuthenticator)
    assert.deepEqual([...alice.alarms, ...bob.alarms], [])
    assert.equal(await third.stop(), 0)
  })
})

describe("what came after a backup", { timeout: 120_000 }, () => {
  it("is no name and no conversation of the restored service, and no key package is handed out again", async () => {
    await using first = await Service.start()
    await using alice = await Person.open("alice", first)
    await using carol = await Person.open("carol", first)
    await alice.client.createConversation({ title: "one", members: ["carol"] })
    await until(() => carol.client.conversations.size === 1, alice, carol)
    const file = first.folder.file("backup")
    await done(["backup", file, "--data", first.folder.path])
    await using dave = await Person.open("dave", first)
    const two = await alice.client.createConversation({ title: "two", members: ["carol", "dave"] })
    await two.send("kept")
    await until(async () => (await textsIn(carol, "two")).length === 1, alice, carol, dave)
    await first.stop()
    const folder = new Folder()
    await done(["restore", file, "--data", folder.path])
    await using _second = await Service.start(folder, first.port)
    await until(() => alice.alarms.includes("missing") && alice.restores === 1, alice, carol)
    assert.equal(two.status, "active")
    await assert.rejects(dave.client.sync(), /the device is not registered/)
    const inviting = alice.client.createConversation({ title: "to dave", members: ["dave"] })
    await assert.rejects(inviting, { code: "UNKNOWN_NAME" })
    // Carol has used up the key package that the backup has.
    await alice.client.createConversation({ title: "three", members: ["carol"] })
    await until(() => [...carol.client.conversations.values()].some(({ title }) => title === "three"), alice, carol)
    assert.ok(!carol.alarms.includes("rejected"))
    assert.deepEqual(await textsIn(carol, "two"), ["kept"])
  })
})

const textsIn = async ({ client }: Person, title: string) => {
  const conversation = [...client.conversations.values()].find((it) => it.title === title)
  return ((await conversation?.history()) ?? []).map(({ text }) => text)
}

/** A service that has been used, ended, and its backup. */
async function backedUp(...words: readonly string[]): Promise<{ folder: Folder; file: string; serverKey: string }> {
  const service = await Service.start(new Folder(), 0, { words })
  await runHere(["receive", "--as", "alice", "--timeout", "0.01", ...service.place])
  const file = service.folder.file("backup")
  await done(["backup", file, "--data", service.folder.path])
  await service.stop()
  const serverKey = /server key +([0-9a-f]{64})/.exec(service.announcement)?.[1] ?? ""
  return { folder: service.folder, file, serverKey }
}

describe("conclave backup", { timeout: 120_000 }, () => {
  it("makes a file for its owner alone, and replaces none that it is not told to, nor the service's own", async () => {
    const { folder, file } = await backedUp()
    using _folder = folder
    if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600)
    const before = contentsOf(folder)
    assert.deepEqual(
      before.map(([name]) => name),
      ["backup", "service.db"],
    )
    const data = ["--data", folder.path]
    const cases: readonly [readonly string[], RegExp][] = [
      [["backup", file, ...data], /backup exists already; --force replaces it/],
      [
        ["backup", folder.file("service.db"), "--force", ...data],
        /service\.db is the service's own file: give another/,
      ],
      [["backup", folder.path, "--force", ...data], /is a folder; give a file in it: /],
      [["backup", folder.path, ...data], /is a folder; give a file in it: /],
      [["backup", folder.file("nowhere/backup"), ...data], /nowhere: there is no such folder; make it first/],
      [["backup", folder.file("service.db/backup"), ...data], /service\.db is not a folder; give a file in a folder/],
      [["backup", folder.file("other"), "--data", folder.file("nowhere")], /there is no service in .*nowhere/],
    ]
    for (const [words, says] of cases) {
      const ran = await runHere(words)
      assert.equal(ran.code, 1, words.join(" "))
      assertReadable(ran, says)
      assert.deepEqual(contentsOf(folder), before)
    }
    await done(["backup", file, "--force", ...data])
    assert.notDeepEqual(contentsOf(folder), before)
    assert.deepEqual(
      contentsOf(folder).map(([name]) => name),
      before.map(([name]) => name),
    )
  })

  it("says where it may not write, and leaves nothing there", { skip: noOtherUser }, async () => {
    const { folder, file } = await backedUp()
    using _folder = folder
    chmodSync(folder.path, 0o755)
    chmodSync(folder.file("service.db"), 0o644)
    const before = contentsOf(folder)
    for (const [words, says] of [
      [["backup", folder.file("other"), "--data", folder.path], /permission denied/],
      [["restore", file, "--data", folder.file("below")], /permission denied/],
    ] as const) {
      const ran = await conclave(words, { uid: NOBODY })
      assert.equal(ran.code, 1)
      assertReadable(ran, says)
      assert.deepEqual(contentsOf(folder), before)
    }
  })
})

describe("the file of a service that another program has locked", { timeout: 120_000 }, () => {
  it("is named with the process that has it, by backup, restore and admin", async () => {
    const { folder, file } = await backedUp()
    using _folder = folder
    const locking = `
      import Libsql from ${JSON.stringify(import.meta.resolve("libsql"))}
      const database = new Libsql(process.argv[1])
      database.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
      process.stdout.write("locked")
      setInterval(() => database.open, 1_000)
    `
    const words = ["--input-type=module", "-e", locking, folder.file("service.db")]
    const other = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] })
    try {
      await once(other.stdout, "data")
      const whose = process.platform === "linux" ? `process ${other.pid} \\(node\\)` : "another program"
      const says = new RegExp(`service\\.db: the file is in use by ${whose}; end it, or try again when it is done`)
      const at = ["--data", folder.path]
      for (const command of [
        ["backup", folder.file("other")],
        ["restore", file, "--replace"],
        ["admin", "status"],
      ]) {
        const ran = await runHere([...command, ...at])
        assert.equal(ran.code, 1)
        assertReadable(ran, says)
      }
    } finally {
      other.kill("SIGKILL")
    }
  })
})

describe("conclave restore", { timeout: 120_000 }, () => {
  it("by root gives the file to whom the folder belongs, who can serve it then", { skip: noOtherUser }, async () => {
    const { folder, file } = await backedUp()
    using _folder = folder
    using target = new Folder()
    chownSync(target.path, NOBODY, NOBODY)
    await done(["restore", file, "--data", target.path])
    for (const [name] of contentsOf(target)) assert.equal(statSync(target.file(name!)).uid, NOBODY, name)
    // Whoever may not use it is told that.
    chownSync(target.file("service.db"), 0, 0)
    const ran = await conclave(["serve", "--port", "0", "--data", target.path], { uid: NOBODY })
    assert.equal(ran.code, 1)
    assertReadable(ran, /service\.db: the database cannot be opened: this user may not read and write it/)
  })

  it("refuses what is no whole backup that it knows, and changes nothing", async () => {
    const { folder, file } = await backedUp()
    using _folder = folder
    using target = new Folder()
    const bytes = readFileSync(file)
    const changed = Buffer.from(bytes)
    changed[bytes.length >> 1]! ^= 1
    const later = folder.file("later")
    {
      const database = new Libsql(folder.file("service.db"))
      database.exec("UPDATE schema_version SET version = 99 WHERE component = 'delivery'")
      database.close()
      await done(["backup", later, "--data", folder.path])
    }
    const cases: readonly [Uint8Array, RegExp][] = [
      [bytes.subarray(0, bytes.length - 5_000), /: the backup is cut: its end is missing; copy it here again/],
      [Buffer.concat([bytes, Buffer.from("more")]), /: the backup has something after its end/],
      [changed, /: the backup is damaged/],
      [Buffer.from("a letter"), /: the file is no backup of a service; it seems to be text; give one/],
      [readFileSync(folder.file("service.db")), /: the file is no backup of a service/],
      [readFileSync(later), /: the file was written by a later version of Conclave \(delivery 99, known up to \d+\)/],
    ]
    mkdirSync(target.file("service.db-restoring"))
    writeFileSync(target.file("service.db-restoring/service.db"), "left from a restore that was killed")
    writeFileSync(target.file("service.db-wal"), "left from a file that was deleted")
    const before = contentsOf(target)
    for (const [content, says] of cases) {
      writeFileSync(folder.file("broken"), content)
      const ran = await runHere(["restore", folder.file("broken"), "--data", target.path])
      assert.equal(ran.code, 1)
      assertReadable(ran, says)
      assert.deepEqual(contentsOf(target), before)
      // No file of a lock either; and no folder, where there was none.
      assert.deepEqual(
        readdirSync(target.path).filter((name) => name.includes("-lock")),
        [],
      )
      const nowhere = await runHere(["restore", folder.file("broken"), "--data", target.file("new/folder")])
      assert.equal(nowhere.code, 1)
      assertReadable(nowhere, says)
      assert.ok(!existsSync(target.file("new")), String(says))
    }
    assertReadable(await runHere(["restore", folder.file("none"), "--data", target.path]), /there is no such file/)
    // What was left would have been replayed into the restored file.
    await done(["restore", file, "--data", target.path])
    const names = readdirSync(target.path)
    assert.ok(!names.includes("service.db-wal") && !names.includes("service.db-restoring"), names.join())
    await using _service = await Service.start(target)
  })

  it("refuses a folder where a service runs, and one where a service is, without --replace", async () => {
    await using service = await Service.start()
    const file = service.folder.file("backup")
    await done(["backup", file, "--data", service.folder.path])
    for (const words of [[], ["--replace"]]) {
      const ran = await runHere(["restore", file, "--data", service.folder.path, ...words])
      assert.equal(ran.code, 1)
      assertReadable(ran, new RegExp(`service\\.db: the file is in use by process ${service.pid}`))
    }
    assert.equal((await fetch(`${service.address}/readyz`)).status, 200)
    await service.stop()
    const before = contentsOf(service.folder)
    const ran = await runHere(["restore", file, "--data", service.folder.path])
    assert.equal(ran.code, 1)
    assertReadable(ran, /service\.db exists already; with --replace it is kept/)
    assert.deepEqual(contentsOf(service.folder), before)
  })

  it("announces no incarnation that clients may have seen", async () => {
    const { folder, file } = await backedUp()
    using _folder = folder
    using target = new Folder()
    const data = ["--data", target.path]
    // Far ahead of the clock.
    assert.match(await done(["restore", file, "--incarnation", "7000000000", ...data]), /with incarnation 7000000000\./)
    const before = contentsOf(target)
    for (const low of ["2", "7000000000"]) {
      const ran = await runHere(["restore", file, "--replace", "--incarnation", low, ...data])
      assert.equal(ran.code, 1)
      assertReadable(ran, new RegExp(`--incarnation ${low} is too low: clients may have seen 7000000000`))
      assert.deepEqual(contentsOf(target), before)
    }
    assert.match(await done(["restore", file, "--replace", ...data]), /with incarnation 7000000001\./)
    assert.equal((await runHere(["restore", file, "--incarnation", "1", ...data])).code, 2)
    // A file that was damaged does not say what clients have seen.
    writeFileSync(target.file("service.db"), new Uint8Array(8192).fill(7))
    const ran = await runHere(["restore", file, "--replace", ...data])
    assert.equal(ran.code, 1)
    assertReadable(ran, /service\.db is damaged and does not tell its incarnation: give --incarnation N/)
    assert.match(
      await done(["restore", file, "--replace", "--incarnation", "7000000002", ...data]),
      /with incarnation 7000000002\./,
    )
    assert.equal(incarnationOf(target.file("service.db")), 7_000_000_002)
    const kept = readdirSync(target.path).filter((name) => name.startsWith("service.db.2"))
    assert.equal(kept.length, 2)
  })

  it("brings the server key back, and no key of the day", { timeout: 60_000 }, async () => {
    const { folder, file, serverKey } = await backedUp("--fast-open")
    using _folder = folder
    const former = keysIn(folder.file("fast-open.keys"))
    const backup = readFileSync(file)
    assert.deepEqual(
      former.map(({ pinned, privateKey }) => [pinned, backup.includes(privateKey)]),
      [
        [false, false],
        [true, true],
      ],
    )
    await using restored = await restoredService(file)
    assert.match(restored.announcement, new RegExp(`server key +${serverKey}`))
    const database = readFileSync(restored.folder.file("service.db"))
    assert.ok(!database.includes(former[1]!.privateKey), "the key is in its own file alone")
    if (process.platform !== "win32") {
      assert.equal(statSync(restored.folder.file("fast-open.keys")).mode & 0o777, 0o600)
    }
    // Another service's key is kept, and the same one is left as it is.
    await restored.stop()
    const before = readFileSync(restored.folder.file("fast-open.keys"))
    const replace = ["restore", file, "--replace", "--data", restored.folder.path]
    await done(replace)
    assert.ok(readFileSync(restored.folder.file("fast-open.keys")).equals(before))
    rmSync(restored.folder.file("fast-open.keys"))
    await using other = await Service.start(restored.folder, 0, { words: ["--fast-open"] })
    await other.stop()
    const [, otherKey] = keysIn(restored.folder.file("fast-open.keys"))
    const said = await done(replace)
    const [, kept] = keysIn(/kept as (.*fast-open\.keys\..*)\.\n/.exec(said)![1]!)
    assert.deepEqual(kept, otherKey)
    assert.deepEqual(keysIn(restored.folder.file("fast-open.keys"))[1], former[1])
  })
})

async function restoredService(file: string): Promise<Service> {
  const folder = new Folder()
  await done(["restore", file, "--data", folder.path])
  return Service.start(folder, 0, { words: ["--fast-open"] })
}

interface StoredKey {
  readonly pinned: boolean
  readonly privateKey: Buffer
}

/** Of a file of keys for sealed requests: id (4 bytes), private key (32), pinned (1), made at (8), for each. */
function keysIn(file: string): StoredKey[] {
  const bytes = readFileSync(file)
  const size = 4 + 32 + 1 + 8
  const start = (bytes.length - 8) % size
  return Array.from({ length: Math.floor((bytes.length - 8) / size) }, (_, at) => {
    const key = bytes.subarray(start + at * size, start + (at + 1) * size)
    return { pinned: key[36] === 1, privateKey: key.subarray(4, 36) }
  })
}

describe("the age of a backup", () => {
  it("is told in the largest unit", () => {
    const ago = (milliseconds: number) => ageOf(1_000_000_000_000 - milliseconds, 1_000_000_000_000)
    assert.deepEqual([0, 59_999, 60_000, 7_200_000, 3 * 86_400_000, -120_000].map(ago), [
      ...["less than a minute ago", "less than a minute ago", "1 minute ago", "2 hours ago", "3 days ago"],
      "in the future, by this machine's clock",
    ])
  })
})
