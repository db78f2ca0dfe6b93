import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { type Keep, MemoryRecords, memoryChannel, memoryKeep, NewerRecordsError } from "../src/index.js"
import { Kept, type KeptOptions } from "../src/kept.js"
import { FORMAT_VERSION, migration } from "../src/migrations.js"
import { fromText, hexOf, toText } from "../src/records.js"
import { HeldTimers } from "./support/clock.js"

/** What a page of Conclave had kept before there was this package. */
const version1 = readFileSync(new URL("../../test/fixtures/page-version-1.json", import.meta.url), "utf8")
/** Properties of every object, and what looks like a part of a key. */
const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "a/b", "/", "alice"]

async function open(records: MemoryRecords, options: Partial<KeptOptions & { keep: Keep }> = {}): Promise<Kept> {
  const { keep = memoryKeep(records), ...rest } = options
  const defaults = {
    channel: undefined,
    timers: new HeldTimers(),
    onChange: () => {},
    onFault: () => {},
    onStored: () => {},
  }
  return Kept.open(keep, { ...defaults, ...rest })
}

describe("what is kept", () => {
  it("knows nothing of a name that is a property of every object", async () => {
    const kept = await open(new MemoryRecords())
    for (const name of names) {
      assert.equal(kept.get("compared", name), undefined)
      assert.equal(kept.get("setting", name), undefined)
    }
    assert.equal(kept.all("blocked").size, 0)
  })

  it("is the same after it has been stored, under any name", async () => {
    const records = new MemoryRecords()
    const kept = await open(records)
    for (const name of names) {
      kept.put("compared", name, [`code of ${name}`])
      kept.put("draft", name, { text: `draft in ${name}` })
      kept.put("setting", name, 7)
    }
    await kept.flush()
    const again = await open(records)
    assert.deepEqual([...again.all("compared").keys()], names)
    for (const name of names) {
      assert.deepEqual(again.get("compared", name), [`code of ${name}`])
      assert.deepEqual(again.get("draft", name), { text: `draft in ${name}` })
      assert.equal(again.get("setting", name), 7)
    }
    assert.equal(Object.getPrototypeOf({}), Object.prototype)
    assert.equal(({} as Record<string, unknown>).polluted, undefined)
  })

  it("keeps dates and bytes, and text that looks like them", () => {
    const value = { at: new Date(60_000), key: Uint8Array.of(0, 255), title: '{"milliseconds":1}', list: [new Date(0)] }
    assert.deepEqual(fromText(toText(value)), value)
  })

  it("is written in one transaction for one turn, and deletions with it", async () => {
    const records = new MemoryRecords()
    const written: string[][] = []
    const whole = memoryKeep(records)
    const keep: Keep = {
      ...whole,
      write(changes) {
        written.push([...changes.keys()])
        return whole.write(changes)
      },
    }
    const kept = await open(records, { keep })
    kept.put("lastEvent", "", 1)
    kept.put("draft", "ab", { text: "x" })
    await kept.flush()
    kept.put("draft", "ab", undefined)
    await kept.flush()
    await kept.flush()
    assert.deepEqual(written, [["format"], ["lastEvent/", "draft/ab"], ["draft/ab"]])
    assert.deepEqual([...records.records.keys()], ["format", "lastEvent/"])
  })

  it("that could not be stored is said, and is stored with what comes next", async () => {
    const records = new MemoryRecords()
    const whole = memoryKeep(records)
    let isFull = false
    const write: Keep["write"] = (changes) => (isFull ? Promise.reject(new Error("full")) : whole.write(changes))
    const faults: unknown[] = []
    const kept = await open(records, { keep: { ...whole, write }, onFault: (error) => faults.push(error) })
    isFull = true
    kept.put("draft", "ab", { text: "x" })
    await assert.rejects(kept.flush(), /full/)
    assert.ok(faults.length > 0)
    assert.deepEqual(kept.get("draft", "ab"), { text: "x" }, "it is there all the same")
    isFull = false
    kept.put("draft", "cd", { text: "y" })
    await kept.flush()
    assert.equal((await open(records)).all("draft").size, 2)
  })

  it("that could not be stored is stored after a while, though nothing else comes, and that is said", async () => {
    const records = new MemoryRecords()
    const whole = memoryKeep(records)
    let isFull = true
    const write: Keep["write"] = (changes) => (isFull ? Promise.reject(new Error("full")) : whole.write(changes))
    const said: string[] = []
    const timers = new HeldTimers()
    const told = { onFault: () => said.push("fault"), onStored: () => said.push("stored") }
    await whole.write(new Map([["format", `${FORMAT_VERSION}`]]))
    const kept = await open(records, { keep: { ...whole, write }, timers, ...told })
    kept.put("draft", "ab", { text: "x" })
    await assert.rejects(kept.flush(), /full/)
    timers.fire()
    await assert.rejects(kept.flush(), /full/)
    assert.equal(timers.waiting, 1, "one try at a time")
    isFull = false
    timers.fire()
    await kept.flush()
    assert.deepEqual([said.includes("fault"), said.at(-1), timers.waiting], [true, "stored", 0])
    assert.equal((await open(records)).all("draft").size, 1)
    isFull = true
    kept.put("draft", "ab", { text: "y" })
    await assert.rejects(kept.close(), /full/)
    assert.equal(timers.waiting, 0, "what is closed tries no more")
  })

  it("waits a moment where it is put for later, and goes with what is not", async () => {
    const records = new MemoryRecords()
    const timers = new HeldTimers()
    const kept = await open(records, { timers })
    kept.put("draft", "ab", { text: "a" }, 100)
    kept.put("draft", "ab", { text: "ab" }, 100)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(records.records.has("draft/ab"), false)
    assert.equal(timers.waiting, 1)
    timers.fire()
    await kept.flush()
    assert.deepEqual((await open(records)).get("draft", "ab"), { text: "ab" })
  })

  it("that is damaged is left out, and nothing else", async () => {
    const records = new MemoryRecords()
    const kept = await open(records)
    kept.put("draft", "ab", { text: "a" })
    kept.put("draft", "cd", { text: "b" })
    await kept.flush()
    records.records.set("draft/ab", '{"text":')
    records.records.set("of another kind/x", "1")
    const again = await open(records)
    assert.deepEqual([...again.all("draft").keys()], ["cd"])
  })
})

describe("two windows", () => {
  async function windows() {
    const records = new MemoryRecords()
    let changes = 0
    const options = { onChange: () => void changes++ }
    const one = await open(records, { channel: memoryChannel(records), ...options })
    const two = await open(records, { channel: memoryChannel(records), ...options })
    const settled = async () => {
      await Promise.all([one.flush(), two.flush()])
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { records, one, two, settled, changes: () => changes }
  }

  it("tell each other what they have written", async () => {
    const { one, two, settled, changes } = await windows()
    one.put("draft", "ab", { text: "from one" })
    await settled()
    assert.deepEqual(two.get("draft", "ab"), { text: "from one" })
    two.put("draft", "ab", undefined)
    await settled()
    assert.equal(one.get("draft", "ab"), undefined)
    assert.equal(changes(), 2, "each was told once, and nobody of what they did themselves")
  })

  it("do not take back what one of them has marked as read", async () => {
    const { records, one, two, settled } = await windows()
    one.put("read", "ab", { count: 5, upTo: 50 })
    two.put("read", "ab", { count: 3, upTo: 70 })
    await settled()
    await settled()
    const furthest = { count: 5, upTo: 70 }
    assert.deepEqual([one.get("read", "ab"), two.get("read", "ab")], [furthest, furthest])
    assert.deepEqual((await open(records)).get("read", "ab"), furthest, "also on disk")
  })

  it("each close by themselves: the other goes on", async () => {
    const { one, two, settled } = await windows()
    await one.close()
    two.put("setting", "theme", "dark")
    await settled()
    assert.equal(two.get("setting", "theme"), "dark")
    assert.equal(one.get("setting", "theme"), undefined)
  })
})

describe("versions", () => {
  it("begin with the present one", async () => {
    const records = new MemoryRecords()
    await open(records)
    assert.deepEqual([...records.records], [["format", String(FORMAT_VERSION)]])
  })

  it("that are later are refused, and nothing is written", async () => {
    const records = new MemoryRecords()
    records.records.set("format", String(FORMAT_VERSION + 1))
    records.records.set("draft/ab", "something else")
    const before = [...records.records]
    await assert.rejects(open(records), NewerRecordsError)
    assert.deepEqual([...records.records], before)
  })

  it("before this one are brought to it once: what the page kept in one record", async () => {
    const records = new MemoryRecords()
    records.records.set("memory", version1)
    const kept = await open(records)
    const [first, second] = ["aa".repeat(32), "bb".repeat(32)]
    assert.equal(kept.get("lastEvent", ""), 41)
    assert.deepEqual(kept.get("draft", first), { text: "half a thought" })
    assert.deepEqual(kept.get("arrived", first), { count: 2, lastSeq: 17, changedAt: 1_800_000_002_000 })
    assert.equal(kept.get("read", first), undefined, "two are unread, as before")
    assert.deepEqual(
      kept.get("notices", first)?.map(({ event }) => event),
      [
        { type: "joined", members: ["alice", "constructor"] },
        {
          type: "keyChanged",
          name: "constructor",
          signatureKey: Uint8Array.of(0, 255),
          endorsed: false,
          accepted: false,
        },
      ],
      "one of the first version, and one of the second",
    )
    assert.deepEqual(kept.get("failed", first), [
      {
        messageId: "01",
        content: { text: "Too late" },
        at: 1_800_000_001_000,
        why: { code: "told", message: "Not sent: you are no longer a member." },
      },
    ])
    assert.deepEqual(kept.get("renewal", first), { epoch: "3", nodes: [0, 1], added: [2] })
    assert.equal(kept.get("draft", second), undefined)
    assert.deepEqual(kept.get("compared", "__proto__"), ["code of __proto__"])
    assert.deepEqual(kept.get("compared", "constructor"), ["code of constructor"])
    const [keyAlert] = [...kept.all("keyAlert").values()]
    assert.equal(keyAlert?.signatureKey, hexOf(Uint8Array.of(0, 255)))
    const alerts = [...kept.all("alert")]
    assert.deepEqual(
      alerts.map(([id, { count, evidence }]) => [id, count, evidence]),
      [
        [`CONTRADICTED ${first}`, 1, Uint8Array.of(1, 2, 3)],
        ["TOO_MANY_INVITATIONS ", 12, undefined],
      ],
    )
    assert.equal(records.records.has("memory"), false, "it is gone, in the same transaction")
    const stored = [...records.records]
    await open(records)
    assert.deepEqual([...records.records], stored, "and nothing is done a second time")
  })

  it("of all, that kept objects, are read as well; what cannot be read is begun again", () => {
    const first =
      '{"lastEvent":3,"conversations":{"ab":{"unread":1,"lastMessageId":"x","draft":"","notices":[],"failed":[],"removals":["bob"]}},"compared":{"bob":["1"],"__proto__":["2"],"constructor":["3"]},"keyAlerts":[]}'
    const changes = migration(new Map([["memory", first]]))
    assert.deepEqual(
      [...changes],
      [
        ["format", "2"],
        ["memory", undefined],
        ["lastEvent/", "3"],
        ["compared/bob", '["1"]'],
        ["compared/__proto__", '["2"]'],
        ["compared/constructor", '["3"]'],
        ["arrived/ab", '{"count":1}'],
      ],
    )
    assert.deepEqual(
      [...migration(new Map([["memory", "{"]]))],
      [
        ["format", "2"],
        ["memory", undefined],
      ],
    )
  })
})
