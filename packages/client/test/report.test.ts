import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex } from "../src/bytes.js"
import { framesOf } from "../src/diagnostics/faults.js"
import { Log } from "../src/diagnostics/log.js"
import { SDK_VERSION } from "../src/diagnostics/versions.js"
import type { Client, Logger } from "../src/index.js"
import { memoryStore } from "../src/store/memory.js"
import { until } from "./support/counting.js"
import { expected, Mallory } from "./support/mallory.js"
import { Secrets } from "./support/secrets.js"
import { tampered } from "./support/tampered.js"
import { noise, Recorder, type Session, said, sealingKey, troubledSession } from "./support/troubled-session.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const REPORT_SIZE_MAX = 64 * 1024

describe("where an error was made", () => {
  it("is said of errors alone, and of those that know it", () => {
    const frame = "    at made (/srv/app/made.js:1:2)"
    const made = Object.assign(new Error("why"), { stack: `Error: why\n${frame}` })
    assert.equal(framesOf(made), "made made.js:1:2")
    const lines = { message: "why", stack: made.stack }
    for (const other of ["why", undefined, lines, Object.assign(new Error("why"), { stack: undefined })]) {
      assert.equal(framesOf(other), undefined)
    }
  })
})

describe("a report", () => {
  it("says whether a conversation's group is in memory, stored, or gone", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    await (await alice.createConversation({})).leave()
    await alice.createConversation({})
    const groups = async (client: Client) =>
      [...(await client.debugReport()).matchAll(/ group=([a-z][a-z-]+)/g)].map(([, group]) => group).sort()
    assert.deepEqual(await groups(alice), ["in-memory", "none"])
    await alice.close()
    assert.deepEqual(await groups(await world.open("alice")), ["none", "stored"])
  })
})

describe("what a client logs and reports", () => {
  let made: Promise<Session> | undefined
  const once = () => (made ??= troubledSession())

  it("contains nothing that identifies people, no key and no content, whatever goes wrong", async () => {
    const { secrets, recorders, reports } = await once()
    const texts = [...Object.values(recorders).flatMap(({ lines }) => lines), ...reports]
    assert.ok(secrets.count > 300 && texts.length > 500, `${secrets.count} secrets, ${texts.length} texts`)
    assert.deepEqual(secrets.found(texts), [])
    // No key, digest or id of another kind either.
    for (const text of texts) assert.doesNotMatch(text.replaceAll(/\S+\.js:\d+:\d+/g, ""), /[0-9a-f]{16}|[\w+/]{40}/i)
  })

  it("is searched by something that finds each secret, in each form", () => {
    const secrets = new Secrets()
    secrets.text("Zoë ✂ long enough")
    secrets.bytes("a key", sealingKey)
    const form = (bytes: Uint8Array, encoding: BufferEncoding) => Buffer.from(bytes).toString(encoding)
    const shifted = Uint8Array.of(1, ...sealingKey, 2)
    for (const text of [
      ...["a Zoë ✂ long enough b", JSON.stringify("Zoë ✂ long enough"), encodeURIComponent("Zoë ✂ long enough")],
      ...[form(sealingKey, "hex").toUpperCase(), form(shifted, "base64"), form(shifted, "base64url")],
      ...[
        form(sealingKey, "latin1"),
        [...sealingKey].join(","),
        form(new TextEncoder().encode("Zoë ✂ long enough"), "hex"),
      ],
    ]) {
      assert.equal(secrets.found([`before ${text} after`]).length, 1, text)
    }
    assert.deepEqual(secrets.found(["nothing"]), [])
  })

  it("tells the story: who was asked what, what changed, what was refused, and by which rule", async () => {
    const { recorders, reports } = await once()
    const { alice, bob, carol } = recorders as Record<"alice" | "bob" | "carol", Recorder>
    const [opened] = alice.of("the client is open")
    assert.equal(opened?.level, "info")
    assert.equal(opened?.suite, 1)
    const kinds = new Set(bob.of("a question was answered").map(({ question, sent }) => `${question} ${sent ?? ""}`))
    for (const kind of ["read ", "send message", "judge ", "send knock", "answer "]) assert.ok(kinds.has(kind), kind)
    assert.deepEqual(
      bob
        .of("a conversation's status changed")
        .filter(({ conversation }) => conversation === "c1")
        .map(({ level, from, to }) => `${level} ${from}>${to}`),
      ["warn active>recovering", "info recovering>active", "info active>leaving", "info leaving>left"],
    )
    assert.ok(
      bob.of("a conversation's recovery changed").some(({ to, level }) => to === "doubting" && level === "warn"),
    )
    const rejected = alice.of("an event was stored").filter(({ event }) => event === "rejected")
    const refusals = rejected.map(({ level, code, rule = "" }) => `${level} ${code} ${rule}`.trim())
    assert.deepEqual(refusals, ["info NOT_AUTHENTIC", "info RULE_VIOLATED profile-proposal"])
    assert.ok(carol.of("an event was stored").some(({ event, person }) => event === "keyChanged" && person === "p1"))
    const unanswered = bob.of("a question was not answered").map(({ error }) => String(error))
    const silence = "ClientError UNAVAILABLE (the service does not answer) < TransportError TRANSPORT_FAILED"
    assert.ok(unanswered.includes(`${silence} < Error ECONNREFUSED`), unanswered.join("\n"))
    assert.ok(unanswered.includes("ClientError UNAVAILABLE (the Delivery Service is busy)"))
    const failures = alice.of("a transaction failed")
    assert.ok(failures.some(({ level, error, frames }) => level === "error" && error === "Error other" && frames))
    assert.ok(
      failures.some(({ error, frames }) => error === "other" && /transaction [\w.-]+\.js:\d+:\d+/.test(String(frames))),
    )
    assert.match(reports.at(-2)!, /^closed; opened /m)
  })

  it("names a conversation by the same pseudonym in every line and in the report", async () => {
    const { recorders, reports } = await once()
    const lines = recorders.bob!.lines.map((line) => JSON.parse(line))
    const pseudonyms = new Set(lines.flatMap(({ conversation }) => conversation ?? []))
    assert.deepEqual(pseudonyms, new Set(["c1", "c2"]))
    assert.match(reports[1]!, /^c1: status=active .* recovery=following /m)
    assert.match(reports[1]!, /^conversations: \d /m)
  })

  it("describes conversations in words of its own, and keeps how they changed", async () => {
    const { reports } = await once()
    const lines = reports.flatMap((report) => report.match(/^c\d+: .*$/gm) ?? [])
    assert.ok(lines.length > 15)
    const field = String.raw`[a-z-]+=[\w-]+(?: \(again in [\d.-]+ \w+\))?`
    const runner = String.raw`runner (?:idle|running) failures=\d+(?: next in [\d.-]+ \w+)?`
    const change = String.raw`[\d.]+ \w+ ago \w+ \w+>\w+`
    const form = new RegExp(
      `^c\\d+: (?:${field} )+wishes=\\{(?:${field} ?)*\\}; ${runner}(?:; ${change}(?:, ${change})*)?$`,
    )
    for (const line of lines) assert.match(line, form)
    assert.ok(lines.some((line) => line.includes("ago status active>recovering, ")))
  })

  it("has no exact size of what is said", async () => {
    const { recorders } = await once()
    const sizes = Object.values(recorders).flatMap(({ lines }) => lines.map((line) => JSON.parse(line).size))
    const known = sizes.filter((size) => size !== undefined)
    assert.ok(known.length > 50)
    for (const size of known) assert.ok(size === 0 || Number.isInteger(Math.log2(size)), String(size))
  })
})

describe("a logger", () => {
  const broken: Logger = {
    debug: () => {
      throw new Error("the disk of the log is full")
    },
    info: (() => Promise.reject(new Error("so is the other"))) as () => void,
    warn: undefined as never,
    error: () => {
      throw undefined
    },
  }

  it("that throws, rejects or lacks a method breaks nothing", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { logger: broken })
    const bob = await world.open("bob", { logger: broken })
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("hello")
    await settle(alice, bob)
    const body = noise(fromHex(team.id), team.epoch)
    const { mallory } = await Mallory.inside(world, bob)
    expected(await mallory.append(fromHex(team.id), { kind: "application", epoch: team.epoch, body }), "accepted")
    await settle(alice, bob)
    assert.equal((await only(bob).history()).at(-1)?.text, "hello")
    assert.deepEqual((await taken(alice)).filter(({ type }) => type === "rejected").length, 1)
    assert.match(await alice.debugReport(), /event=rejected/)
  })

  it("is not asked for, and no line is formatted, before somebody wants to read it", () => {
    let read = 0
    const traps = {
      get conversation() {
        read++
        return "00"
      },
      get event() {
        read++
        return "message" as const
      },
    }
    const rest = { person: undefined, code: undefined, rule: undefined, wish: undefined }
    const fields = Object.defineProperties(rest, Object.getOwnPropertyDescriptors(traps)) as typeof traps & typeof rest
    const log = new Log()
    log.write("event", fields)
    const forTheLevel = read
    assert.equal(forTheLevel, 1, "the event's type alone, for the level")
    for (let line = 0; line < 99; line++) log.write("event", fields)
    assert.equal(read, 100)
    assert.equal(log.tail(10_000).length, 100)
    assert.ok(read >= 300)
    const before = read
    new Log(new Recorder().logger).write("event", fields)
    assert.ok(read >= before + 3)
  })
})

describe("what is kept in memory", () => {
  it("is 128 KiB, in which details do not push out what was worth more", () => {
    const log = new Log()
    log.write("closing", { conversations: 7, because: undefined })
    for (let line = 0; line < 5_000; line++) log.write("inbox entry", { entry: "welcome", number: BigInt(line) })
    const lines = log.tail(Number.POSITIVE_INFINITY)
    assert.ok(lines.length > 200 && lines.length <= (128 * 1024) / 320, String(lines.length))
    assert.match(lines[0]!, /info closing conversations=7$/)
    assert.match(lines.at(-1)!, /number=4999$/)
    const few = log.tail(500)
    assert.ok(few.length > 3 && few.join("\n").length < 500)
    assert.equal(few.at(-1)?.replace(/^\S+/, ""), lines.at(-1)?.replace(/^\S+/, ""))
  })
})

describe("a report", () => {
  it("is bounded with many conversations and a full log, and shows trouble first", async () => {
    await using world = new World({ inMemory: true })
    let isSilent = false
    const delivery = tampered(world.transport("delivery"), async (_, pass) => {
      if (isSilent) throw new TransportError("silence", { retryable: true })
      return pass()
    })
    const alice = await world.open("alice", { delivery })
    for (let made = 0; made < 150; made++) await alice.createConversation({ title: `number ${made}` })
    for (let round = 0; round < 3; round++) await alice.sync()
    isSilent = true
    const last = [...alice.conversations.values()].at(-1)!
    last.send("nobody hears it").catch(() => {})
    await until(() => last.pending.length === 1, "a message that waits")
    const report = await alice.debugReport()
    assert.ok(report.length <= REPORT_SIZE_MAX && report.length > REPORT_SIZE_MAX / 2, String(report.length))
    assert.match(report, /^[\x20-\x7e\n]*$/)
    assert.match(report, /^and \d+ more conversations$/m)
    assert.match(report, /^store:.*\bstate=150\b/m)
    assert.match(report, /^conversations: 150 active=150\nc\d+: .* wishes=\{message=1\}/m)
  })

  it("comes also while the store or the service hangs", async () => {
    await using world = new World({ inMemory: true })
    let hangs = false
    const store = memoryStore()
    const alice = await world.open("alice", {
      store: {
        ...store,
        lost: store.lost,
        get: (key) => store.get(key),
        transaction: (it) => store.transaction(it),
        list: (prefix, options) => (hangs ? new Promise(() => {}) : store.list(prefix, options)),
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      },
    })
    hangs = true
    assert.match(await alice.debugReport(), /^store: the store does not answer$/m)
    hangs = false
  })

  it("says which versions these are", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    assert.equal(SDK_VERSION, version)
    await using world = new World({ inMemory: true })
    const report = await (await world.open("alice")).debugReport()
    const own = await world.open("bob", { provider: { ...provider, name: "Zoe's own" } })
    assert.match(await own.debugReport(), /; provider other; /)
    assert.match(
      report,
      /^sdk \d+\.\d+\.\d+; Node \d+\.\d+\.\d+ \w+ \w+; provider node(\+sodium-native|\+native)?; cipher suite 1$/m,
    )
    assert.match(report, /^key packages: published=4 unpublished=0 lastResorts=1 replaced=0$/m)
  })

  it("says of a client that is online that it is, and why not when it is not", async () => {
    await using world = new World({ inMemory: true })
    const recorder = new Recorder()
    let isSilent = false
    const transport = world.transport("delivery")
    const cut: Transport = {
      request: (body, options) => transport.request(body, options),
      async *subscribe(body, options) {
        if (isSilent) throw new TransportError(said.address, { retryable: true, status: 503 })
        const stop = new AbortController()
        const timer = setInterval(() => isSilent && stop.abort(), 10)
        try {
          yield* transport.subscribe(body, { ...options, signal: AbortSignal.any([stop.signal, options!.signal!]) })
        } finally {
          clearInterval(timer)
        }
      },
      [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    }
    const alice = await world.open("alice", { live: true, delivery: cut, logger: recorder.logger })
    await until(() => alice.online, "online")
    assert.match(await alice.debugReport(), /; online; /)
    isSilent = true
    await until(() => !alice.online, "offline")
    await until(() => recorder.of("a subscription broke").length > 1, "two broken subscriptions")
    const report = await alice.debugReport()
    assert.match(report, /^subscription 1: offline conversations=0; ClientError UNAVAILABLE .*TRANSPORT_FAILED 503$/m)
    assert.match(report, /^runner key packages: idle failures=0 next in \d/m)
    assert.equal(recorder.of("everything is followed").length, 1)
    assert.ok(!report.includes("nordwind"))
  })
})
