import assert from "node:assert/strict"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { after, before, describe, test } from "node:test"
import { openClient, readProfile } from "@conclave/client/node"
import { Profile, recordKindOf } from "@conclave/client/records"
import { decode } from "@conclave/codec"
import { groupRecordType } from "@conclave/mls/inspect"
import { profilePlace } from "../src/data-folder.js"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

/** Everything below a folder, byte for byte. */
const contents = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, readFileSync(file).toString("base64")]),
  )

describe("inspect --profile", () => {
  let service: Service
  /** Alice's, after a conversation; nobody has it open. */
  let file: string

  before(async () => {
    service = await Service.start()
    await service.gather("team", "alice", "bob")
    await service.here(["send", "--as", "alice", "--to", "team"], { input: "the password is swordfish" })
    file = profilePlace(service.folder.path, { name: "alice", server: new URL(service.address) })
  })
  after(() => service[Symbol.asyncDispose]())

  const inspect = (...words: readonly string[]) => runHere(["inspect", "--profile", ...words])

  /** What the SDK reads. */
  async function stored(): Promise<ReadonlyMap<string, Uint8Array>> {
    await using profile = await readProfile({ profile: file })
    const keys = (await profile.sizes()).map(([key]) => key)
    return new Map(await Promise.all(keys.map(async (key) => [key, (await profile.get(key))!] as const)))
  }

  test("writes the same list as one JSON value", async () => {
    const { code, output, errors } = await inspect(file, "--json")
    assert.equal(code, 0, errors)
    const listed: { key: string; size: number; type: string; about?: string }[] = JSON.parse(output.toString())
    assert.deepEqual(
      listed.map(({ key, size }) => [key, size]),
      [...(await stored())].map(([key, record]) => [key, record.length]),
    )
    // Alice's own may be there, too, once her devices have been looked at.
    assert.ok(listed.some(({ type, about }) => type === "Pins" && about === "bob"))
    assert.equal((await inspect(file, "profile", "--json")).code, 2)
  })

  test("lists every record with its size and its type, under what it is, and changes nothing", async () => {
    const folder = dirname(file)
    const unchanged = contents(folder)
    const { code, output, errors } = await inspect(file)
    assert.equal(code, 0, errors)
    assert.deepEqual(contents(folder), unchanged)
    const records = await stored()
    const lines = output.toString().trimEnd().split("\n")
    const bytes = [...records.values()].reduce((sum, { length }) => sum + length, 0)
    assert.equal(lines[0], `// ${file}: ${records.size} records, ${bytes} bytes`)
    const rows = lines.filter((line) => line !== "" && !line.startsWith("//"))
    assert.equal(rows.length, records.size)
    for (const [key, record] of records) {
      const kind = recordKindOf(key)!
      const type = kind.type ?? groupRecordType(kind.groupKey!)?.type ?? "secret \\(.+\\)"
      const row = new RegExp(`^ *${record.length}  ${type} *  ${key}(  // .*)?$`)
      assert.equal(rows.filter((line) => row.test(line)).length, 1, key)
    }
    assert.ok(rows.some((line) => /Pins +pin\/[0-9a-f]{32} {2}\/\/ bob$/.test(line)))
    const heads = lines.filter((line) => line.startsWith("//"))
    for (const head of [/^\/\/ messages of "team": 1 record, /, /^\/\/ MLS group of "team": \d+ records, /]) {
      assert.ok(
        heads.some((line) => head.test(line)),
        String(head),
      )
    }
    assert.ok(!output.toString().includes("swordfish"))
  })

  test("prints a record as it prints the same bytes from a file", async () => {
    using folder = new Folder()
    for (const [key, record] of await stored()) {
      const kind = recordKindOf(key)!
      const type = kind.type ?? groupRecordType(kind.groupKey!)?.type
      if (type === undefined || /^(key-package|conversation\/.*\/tree\/)/.test(key)) continue
      const raw = folder.file("record")
      writeFileSync(raw, record)
      const [printed, fromFile] = await Promise.all([inspect(file, key), runHere(["inspect", raw, "--as", type])])
      assert.equal(printed.code, 0, printed.errors)
      const [head, ...value] = printed.output.toString().split("\n")
      assert.equal(head, `// ${key}: ${type}, ${record.length} bytes`)
      assert.deepEqual(value, fromFile.output.toString().split("\n").slice(1), key)
    }
  })

  test("shows no secret, in full neither", async () => {
    const records = await stored()
    const secret = decode(Profile, records.get("profile")!).signaturePrivateKey
    const hidden = [Buffer.from(secret).toString("hex")]
    const profile = await inspect(file, "profile", "--full")
    assert.match(profile.output.toString(), /^ {4}opaque signature_private_key \(32 bytes, not shown\)$/m)
    for (const [key, record] of records) {
      const kind = recordKindOf(key)!
      const inGroup = kind.groupKey === undefined ? undefined : groupRecordType(kind.groupKey)
      if (inGroup === undefined || inGroup.type !== undefined) continue
      hidden.push(Buffer.from(record).toString("hex"))
      const { output } = await inspect(file, key, "--full")
      assert.equal(output.toString(), `// ${key}: ${inGroup.words}, ${record.length} bytes, not shown\n`)
    }
    assert.ok(hidden.length > 5, `${hidden.length}`)
    const epoch = [...records.keys()].find((key) => key.endsWith("/group/epoch"))!
    const printed = [profile, await inspect(file, epoch, "--full")].map(({ output }) => output.toString()).join("")
    assert.match(printed, /^ {4}opaque init \(\d+ bytes, not shown\)$/m)
    assert.deepEqual(
      hidden.filter((it) => printed.replace(/\s/g, "").includes(it)),
      [],
    )
  })

  test("takes a folder with one profile, and of several says which there are", async () => {
    const [data, one] = [new Folder(), new Folder()]
    using _data = data
    using _one = one
    const profiles = join(data.path, "profiles", "localhost_1")
    mkdirSync(profiles, { recursive: true })
    assertReadable(await inspect(data.path), /there is no profile in it$/m)
    for (const ending of ["", ".key"]) cpSync(`${file}${ending}`, join(profiles, `alice.db${ending}`))
    const expected = (await inspect(file)).output.toString().split("\n").slice(1)
    for (const folder of [data.path, profiles]) {
      const { output, errors } = await inspect(folder)
      assert.equal(errors, "")
      assert.deepEqual(output.toString().split("\n").slice(1), expected)
    }
    cpSync(file, join(profiles, "bob.db"))
    assertReadable(await inspect(data.path), /2 profiles in it; choose one: .*alice\.db, .*bob\.db$/m)
  })

  test("a profile that a program has open is refused in plain words", async () => {
    const client = await openClient({ name: "alice", service: service.address, profile: file, live: false })
    try {
      const ran = await conclave(["inspect", "--profile", file])
      assertReadable(ran, /alice\.db: a running program has this profile open; end it first$/m)
    } finally {
      await client.close()
    }
  })

  test("needs the key, and says so where there is another one or none", async () => {
    using folder = new Folder()
    const copy = folder.file("copy.db")
    cpSync(file, copy)
    assertReadable(await inspect(copy), /the key file .*copy\.db\.key cannot be read/)
    assert.deepEqual(readdirSync(folder.path), [basename(copy)])
    const key = readFileSync(`${file}.key`).toString("hex")
    const words = ["inspect", "--profile", copy, "profile"]
    const given = await runHere(words, { environment: { CONCLAVE_KEY: key } })
    assert.match(given.output.toString(), /opaque name<5> = "alice";/)
    const wrong = await runHere(words, { environment: { CONCLAVE_KEY: key.replace(/./g, "0") } })
    assertReadable(wrong, /cannot be read: .*is CONCLAVE_KEY or the key file another\?$/m)
    rmSync(copy)
    assertReadable(await inspect(copy), /copy\.db: there is no such file or folder$/m)
    writeFileSync(copy, "text ".repeat(1000))
    assertReadable(
      await inspect(copy),
      /copy\.db: this is not a profile: it seems to be text; give the file of a profile$/m,
    )
  })

  test("a record that is not there is a failure, and --as is wrong usage", async () => {
    assertReadable(
      await inspect(file, "profiles"),
      /there is no record profiles; without a record's key, all are listed$/m,
    )
    const both = await inspect(file, "profile", "--as", "Profile")
    assert.equal(both.code, 2)
    assert.match(both.errors, /--as does not go with --profile/)
  })
})
