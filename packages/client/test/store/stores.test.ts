import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import Database from "libsql"
import { MemoryProfile, memoryStore } from "../../src/store/memory.js"
import { SealedStore } from "../../src/store/sealed.js"
import { sqliteReader, sqliteStore } from "../../src/store/sqlite.js"
import { conformance } from "./conformance.js"

const folder = mkdtempSync(join(tmpdir(), "conclave-store-"))
after(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `${++files}.db`)

describe("the memory store", () => {
  for (const { rule, check } of conformance) {
    it(rule, () => {
      const profile = new MemoryProfile()
      return check({ open: async () => memoryStore(profile) })
    })
  }
})

describe("the SQLite store", () => {
  for (const { rule, check } of conformance) {
    it(rule, () => {
      const file = newFile()
      return check({ open: async () => sqliteStore(file) })
    })
  }

  it("is locked against another process too", async () => {
    const file = newFile()
    await using store = sqliteStore(file)
    await store.transaction({ put: new Map([["a", Uint8Array.of(1)]]), delete: new Set() })
    const module = new URL("../../src/store/sqlite.js", import.meta.url).href
    const script = `import(${JSON.stringify(module)}).then(({ sqliteStore }) => {
      try { sqliteStore(${JSON.stringify(file)}) } catch (error) { process.stdout.write(error.code) }
    })`
    const second = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })
    assert.equal(second.stdout, "STORE_LOCKED", second.stderr)
  })

  it("is given back by the kernel when its process dies", async () => {
    const file = newFile()
    const module = new URL("../../src/store/sqlite.js", import.meta.url).href
    const script = `import(${JSON.stringify(module)}).then(async ({ sqliteStore }) => {
      const store = sqliteStore(${JSON.stringify(file)})
      await store.transaction({ put: new Map([["a", Uint8Array.of(7)]]), delete: new Set() })
      process.kill(process.pid, "SIGKILL")
    })`
    const first = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })
    assert.equal(first.signal, "SIGKILL", first.stderr)
    await using store = sqliteStore(file)
    assert.deepEqual(await store.get("a"), Uint8Array.of(7))
  })

  it("is opened neither to be written nor to be read, and stays free, where a later version of this program wrote it", async () => {
    const file = newFile()
    await sqliteStore(file)[Symbol.asyncDispose]()
    const database = new Database(file)
    database.exec("PRAGMA user_version = 2")
    database.close()
    const later = { code: "WRONG_PROFILE", message: /was written by a later version/ }
    for (const open of [sqliteStore, sqliteReader, sqliteStore]) assert.throws(() => open(file), later)
  })

  it("is no other file", () => {
    const file = newFile()
    writeFileSync(file, "not a database ".repeat(100))
    assert.throws(() => sqliteStore(file), { code: "STORE_FAILED", message: /not a database/ })
  })

  it("makes its file readable by its owner alone", async () => {
    const file = newFile()
    await using _store = sqliteStore(file)
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })
})

describe("a sealed store", () => {
  const sealed = (options: { profile: MemoryProfile; key?: number }) =>
    new SealedStore(memoryStore(options.profile), {
      provider: nodeProvider(),
      sealingKey: new Uint8Array(32).fill(options.key ?? 1),
      random: (length) => nodeProvider().random(length),
    })
  const changes = (key: string, text: string) => ({
    put: new Map([[key, new TextEncoder().encode(text)]]),
    delete: new Set<string>(),
  })

  it("writes nothing in the clear, and never the same bytes twice", async () => {
    const file = newFile()
    const store = new SealedStore(sqliteStore(file), {
      provider: nodeProvider(),
      sealingKey: new Uint8Array(32).fill(1),
      random: (length) => nodeProvider().random(length),
    })
    await store.transaction(changes("note", "attack at dawn"))
    await store.close()
    assert.equal(readFileSync(file).includes("attack at dawn"), false)
    const profile = new MemoryProfile()
    const twice = sealed({ profile })
    await twice.transaction(changes("note", "x"))
    const first = profile.records.get("note")
    await twice.transaction(changes("note", "x"))
    assert.notDeepEqual(profile.records.get("note"), first)
  })

  it("seals and writes many records in turns of their own, and few in the turn in which they were made", async () => {
    const profile = new MemoryProfile()
    let turns = 0
    const store = new SealedStore(memoryStore(profile), {
      provider: nodeProvider(),
      sealingKey: new Uint8Array(32).fill(1),
      random: (length) => nodeProvider().random(length),
      slicing: { membersMin: 1, begin: () => () => true, turn: async () => void turns++ },
    })
    const many = (count: number) => ({
      put: new Map(Array.from({ length: count }, (_, at) => [`${count}/${at}`, Uint8Array.of(at & 0xff)])),
      delete: new Set<string>(),
    })
    await store.transaction(many(10))
    assert.equal(turns, 0)
    await store.transaction(many(1_000))
    // One for each record, and before and after all of them.
    assert.equal(turns, 1_002)
    assert.deepEqual(await store.get("1000/999"), Uint8Array.of(999 & 0xff))
    assert.equal(profile.records.size, 1_010)
  })

  it("opens with its own key only", async () => {
    const profile = new MemoryProfile()
    const store = sealed({ profile })
    await store.transaction(changes("note", "hello"))
    await store.close()
    const other = sealed({ profile, key: 2 })
    await assert.rejects(other.get("note"), { code: "WRONG_PROFILE" })
  })

  it("refuses a record that was changed, or moved to another key", async () => {
    const profile = new MemoryProfile()
    const store = sealed({ profile })
    await store.transaction(changes("note", "hello"))
    const record = profile.records.get("note")!
    profile.records.set("moved", record)
    await assert.rejects(store.get("moved"), { code: "WRONG_PROFILE" })
    for (let at = 0; at < record.length; at++) {
      profile.records.set("note", record.with(at, record[at]! ^ 1))
      await assert.rejects(store.get("note"), { code: "WRONG_PROFILE" }, `byte ${at}`)
    }
    profile.records.set("note", record.subarray(0, 5))
    await assert.rejects(store.get("note"), { code: "WRONG_PROFILE" })
  })

  it("is not made with a key of another size, or a provider that cannot seal", () => {
    const provider = nodeProvider()
    const options = { provider, sealingKey: new Uint8Array(32), random: (length: number) => provider.random(length) }
    for (const size of [0, 16, 31, 33]) {
      const sealingKey = new Uint8Array(size)
      assert.throws(() => new SealedStore(memoryStore(), { ...options, sealingKey }), /a sealing key has 32 bytes/)
    }
    for (const lacking of [{ aeads: {} }, { hashes: {} }]) {
      const poor = { ...options, provider: { ...provider, ...lacking } }
      assert.throws(() => new SealedStore(memoryStore(), poor), /the provider lacks AES-256-GCM or SHA-256/)
    }
  })

  it("says that nothing was deleted where the store has failed at that, and that it was where it has not", async () => {
    for (const happens of [false, true]) {
      const memory = memoryStore()
      let fails = false
      const store = new SealedStore(
        {
          ...memory,
          get: (key) => memory.get(key),
          async transaction(stored) {
            const isFailing = fails
            fails = false
            if (!isFailing || happens) await memory.transaction(stored)
            if (isFailing) throw new Error("the disk is full")
          },
        },
        { provider: nodeProvider(), sealingKey: new Uint8Array(32), random: (length) => nodeProvider().random(length) },
      )
      await store.transaction(changes("note", "hello"))
      fails = true
      const deleting = store.transaction({ put: new Map(), delete: new Set(["note"]) })
      if (happens) await deleting
      else await assert.rejects(deleting, /the disk is full/)
      assert.equal((await store.get("note")) === undefined, happens)
    }
  })

  it("hides names in a way that only the key can repeat", () => {
    const a = sealed({ profile: new MemoryProfile() }).hiddenName("alice")
    assert.match(a, /^[0-9a-f]{32}$/)
    assert.equal(a, sealed({ profile: new MemoryProfile() }).hiddenName("alice"))
    assert.notEqual(a, sealed({ profile: new MemoryProfile() }).hiddenName("bob"))
    assert.notEqual(a, sealed({ profile: new MemoryProfile(), key: 2 }).hiddenName("alice"))
  })
})
