import assert from "node:assert/strict"
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { readProfile } from "../src/node.js"
import * as records from "../src/records/records.js"
import { SealedStore } from "../src/store/sealed.js"
import { sqliteReader, sqliteStore } from "../src/store/sqlite.js"
import { provider, settle, World } from "./support/world.js"

const sealingKey = new Uint8Array(32).fill(7)
const random = (length: number) => provider.random(length)

/** Two people who have written to each other, with something of every kind that lasts. */
async function talk(world: World) {
  const [alice, bob] = [await world.open("alice"), await world.open("bob")]
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await team.send("hello")
  await settle(alice, bob)
  return { alice, bob, file: join(world.folder, "alice.db") }
}

/** Everything in the folder, byte for byte. */
const contents = (folder: string) =>
  new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]))

describe("the records of a profile", () => {
  it("are listed with their sizes and read, and the folder stays as it is", async () => {
    await using world = new World()
    const { alice, bob, file } = await talk(world)
    await alice.close()
    await bob.close()
    const before = contents(world.folder)
    const stored: [string, Uint8Array][] = []
    {
      await using profile = await readProfile({ profile: file, sealingKey })
      for (const [key, size] of await profile.sizes()) {
        const record = (await profile.get(key))!
        assert.equal(record.length, size, key)
        stored.push([key, record])
      }
      assert.equal(await profile.get("conversation/none"), undefined)
    }
    assert.deepEqual(contents(world.folder), before)
    const keys = stored.map(([key]) => key)
    assert.deepEqual(keys, keys.slice().sort())
    assert.equal(decode(records.Profile, new Map(stored).get("profile")!).name, "alice")
    await using store = sqliteStore(file)
    const sealed = new SealedStore(store, { provider, sealingKey, random })
    assert.deepEqual(stored, await sealed.list(""))
  })

  it("are all of a kind that is known, and decode as it says", async () => {
    await using world = new World()
    const { alice, bob, file } = await talk(world)
    await alice.close()
    await bob.close()
    await using profile = await readProfile({ profile: file, sealingKey })
    const found = new Set<string>()
    for (const [key] of await profile.sizes()) {
      const kind = records.recordKindOf(key)
      assert.ok(kind !== undefined, key)
      found.add(kind.type ?? "group")
      if (kind.type === undefined) assert.ok(kind.groupKey, key)
      else decode((records as Record<string, any>)[kind.type], (await profile.get(key))!)
    }
    for (const type of ["Profile", "Pins", "StoredKeyPackage", "ConversationState", "StoredMessage", "group"]) {
      assert.ok(found.has(type), `${type} of ${[...found]}`)
    }
  })

  it("are refused while a client has the profile open, and the client goes on", async () => {
    await using world = new World()
    const { alice, file } = await talk(world)
    await assert.rejects(readProfile({ profile: file, sealingKey }), { code: "STORE_LOCKED" })
    await [...alice.conversations.values()][0]!.send("still there")
  })

  it("of a program that was killed are those of its last transaction, and no byte of them changes", async () => {
    await using world = new World()
    const { alice, file } = await talk(world)
    const copy = join(world.folder, "killed.db")
    for (const end of ["", "-wal"]) copyFileSync(`${file}${end}`, `${copy}${end}`)
    const bytes = () => ["", "-wal"].map((end) => readFileSync(`${copy}${end}`))
    const before = bytes()
    assert.ok(before[1]!.length > 0)
    {
      await using killed = await readProfile({ profile: copy, sealingKey })
      const keys = (await killed.sizes()).map(([key]) => key)
      await alice.close()
      await using closed = await readProfile({ profile: file, sealingKey })
      assert.deepEqual(
        (await closed.sizes()).map(([key]) => key),
        keys,
      )
    }
    assert.deepEqual(bytes(), before)
  })

  it("are not written by a reader", async () => {
    await using world = new World()
    const { alice, file } = await talk(world)
    await alice.close()
    await using reader = sqliteReader(file)
    const changes = { put: new Map([["profile", Uint8Array.of(1)]]), delete: new Set<string>() }
    await assert.rejects(reader.transaction(changes), { code: "STORE_FAILED", message: /readonly database/ })
  })

  it("need the sealing key, from the file beside them where none is given, and no such file is made", async () => {
    await using world = new World()
    const { alice, file } = await talk(world)
    await alice.close()
    await assert.rejects(readProfile({ profile: file }), {
      code: "STORE_FAILED",
      message: /alice\.db\.key cannot be read/,
    })
    assert.ok(!existsSync(`${file}.key`))
    writeFileSync(`${file}.key`, sealingKey)
    await (await readProfile({ profile: file }))[Symbol.asyncDispose]()
    const wrong = new Uint8Array(32).fill(8)
    await assert.rejects(readProfile({ profile: file, sealingKey: wrong }), { code: "WRONG_PROFILE" })
  })

  it("are those of a profile of this version: neither nothing, another database, nor an older one", async () => {
    await using world = new World()
    const { alice, file } = await talk(world)
    const nowhere = join(world.folder, "nowhere.db")
    await assert.rejects(readProfile({ profile: nowhere, sealingKey }), { code: "STORE_FAILED" })
    assert.ok(!existsSync(nowhere))
    const text = join(world.folder, "text.db")
    writeFileSync(text, "not a database ".repeat(100))
    await assert.rejects(readProfile({ profile: text, sealingKey }), { code: "STORE_FAILED" })
    await sqliteStore(nowhere)[Symbol.asyncDispose]()
    const empty = { code: "WRONG_PROFILE", message: /there is no profile in it yet/ }
    await assert.rejects(readProfile({ profile: nowhere, sealingKey }), empty)
    const empties = join(world.folder, "empty.db")
    writeFileSync(empties, "")
    await assert.rejects(readProfile({ profile: empties, sealingKey }), { message: /is not a profile/ })
    await alice.close()
    {
      await using store = sqliteStore(file)
      const sealed = new SealedStore(store, { provider, sealingKey, random })
      const profile = (await sealed.get("profile"))!
      profile[0]! -= 1
      await sealed.transaction({ put: new Map([["profile", profile]]), delete: new Set() })
    }
    const older = { code: "WRONG_PROFILE", message: /it is of version 4, not 5: a client that opens it/ }
    await assert.rejects(readProfile({ profile: file, sealingKey }), older)
  })
})

describe("the kind of a record", () => {
  it("is known of every key that a client makes, and of no other", () => {
    const id = "00ff"
    const made = Object.values(records.recordKeys).flatMap((key) => {
      const text = typeof key === "function" ? (key as (...parts: any[]) => string)(id, 3) : key
      // Of a prefix, what stands behind it.
      return text.endsWith("/") && text !== records.recordKeys.conversation(id) ? `${text}7` : text
    })
    for (const key of made.filter((key) => !key.endsWith("/"))) assert.ok(records.recordKindOf(key), key)
    const others = [
      "",
      "profile/",
      "profiles",
      "pin/",
      "pin/a/b",
      "state/",
      "state/a/b",
      "conversation/",
      "constructor",
    ]
    const inside = [
      "conversation/a",
      "conversation/a/outlines",
      "conversation/a/message/1/2",
      "conversation/a/toString",
    ]
    for (const key of [...others, ...inside]) assert.equal(records.recordKindOf(key), undefined, key)
  })
})
