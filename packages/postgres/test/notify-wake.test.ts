import assert from "node:assert/strict"
import { fork } from "node:child_process"
import { once } from "node:events"
import { after, before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import type { Watch } from "@conclave/delivery"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { notifyWake } from "../src/index.js"
import { encodeFrame, FRAME_HINTS_MAX, hintOf } from "../src/wake/frame.js"
import { postgresBus } from "./buses.js"

const next = (watch: Watch) => watch.changed({ signal: new AbortController().signal })

describe("hints by NOTIFY", { skip: noPostgres ?? false, timeout: 60_000 }, () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server[Symbol.asyncDispose]())

  it("leave the server's queue empty: who listens sits in no transaction", async (test) => {
    const bus = await postgresBus(server, test)
    const watch = bus.wake().watch(["g"])
    await next(watch)
    const frames = Array(200).fill(frameOf(Array(FRAME_HINTS_MAX).fill(hintOf("nobody's"))))
    await bus.publish([...frames, frameOf([hintOf("g")])])
    await next(watch)
    const asking = await bus.connect()
    const usage = async () => (await asking.query("SELECT pg_notification_queue_usage() AS used")).rows[0].used
    const sessions = "SELECT state, xact_start FROM pg_stat_activity WHERE application_name = 'conclave wake'"
    assert.deepEqual((await asking.query(sessions)).rows, [{ state: "idle", xact_start: null }])
    const before = await usage()
    // The control: another session that listens and sits in a transaction.
    const sitting = await bus.connect()
    await sitting.query("LISTEN conclave_wake")
    await sitting.query("BEGIN")
    await sitting.query("SELECT 1")
    await bus.publish(frames)
    assert.ok((await usage()) > 10 * before, `${before} was used, and ${await usage()} with the control`)
  })

  it("come again when an operator has ended the session", async (test) => {
    const bus = await postgresBus(server, test)
    const told: string[] = []
    const wake = bus.wake({
      onLost: ({ message }) => void told.push(message),
      onRegained: () => void told.push("regained"),
    })
    const watch = wake.watch(["g"])
    await next(watch)
    const asking = await bus.connect()
    await asking.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'conclave wake'",
    )
    assert.deepEqual(await next(watch), new Set(["g"]))
    await until(() => told.length === 2)
    assert.deepEqual(told, [
      "no hints from other gateways by PostgreSQL: terminating connection due to administrator command",
      "regained",
    ])
  })

  it("are told to be lost by a heartbeat when the session hangs while nothing happens", async (test) => {
    const bus = await postgresBus(server, test)
    const told: string[] = []
    const limits = { answerMilliseconds: 500, heartbeatMilliseconds: 20 }
    const wake = bus.wake({ limits, onLost: ({ message }) => void told.push(message) })
    await next(wake.watch(["g"]))
    const asking = await bus.connect()
    const { rows } = await asking.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'conclave wake'")
    test.after(() => process.kill(rows[0].pid, "SIGCONT"))
    process.kill(rows[0].pid, "SIGSTOP")
    await until(() => told.length > 0)
    assert.deepEqual(told, ["no hints from other gateways by PostgreSQL: the server has not answered for 500 ms"])
  })

  it("let no gateway that hangs keep the server's queue: its session is ended", async (test) => {
    const bus = await postgresBus(server, test)
    const child = fork(fileURLToPath(new URL("wake-child.js", import.meta.url)), ["PostgreSQL", bus.url, "1000", "g"])
    test.after(() => child.kill("SIGKILL"))
    // The second message: it is connected.
    for (let i = 0; i < 2; i++) await once(child, "message")
    child.kill("SIGSTOP")
    const asking = await bus.connect()
    const sessions = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'conclave wake'"
    const used = async () => (await asking.query("SELECT pg_notification_queue_usage() AS used")).rows[0].used
    const fill = () => asking.query("SELECT pg_notify('conclave_wake', repeat('x', 7900))")
    let most = 0
    while ((await asking.query(sessions)).rows[0].count > 0) {
      // More than the system holds for a process that does not read, and not a full disk where this fails.
      for (let i = 0; i < 100 && most < 0.005; i++) await fill()
      most = Math.max(most, await used())
    }
    await fill()
    assert.ok((await used()) < most / 10, `${await used()} is used, of ${most}`)
  })

  it("do not mix with those of another channel", async (test) => {
    const bus = await postgresBus(server, test)
    const open = (channel: string) => {
      const wake = notifyWake({ url: bus.url, channel })
      test.after(() => wake[Symbol.asyncDispose]())
      return wake
    }
    const [one, two, three] = [open('Other "name"'), open('Other "name"'), bus.wake()] as const
    const [watch, apart] = [two.watch(["g"]), three.watch(["g"])]
    await Promise.all([next(watch), next(apart)])
    const elsewhere = next(apart)
    const noting = setInterval(() => one.notify("g"), 10)
    await next(watch)
    clearInterval(noting)
    const settled = await Promise.race([elsewhere.then(() => true), pause(50).then(() => false)])
    assert.equal(settled, false)
  })

  it("tell of a wrong password or database, and show no password", async (test) => {
    const bus = await postgresBus(server, test)
    const told: string[] = []
    const url = new URL(bus.url)
    Object.assign(url, { pathname: "/nowhere", password: "swordfish" })
    await using _wake = notifyWake({ url: url.href, onLost: (error) => void told.push(shown(error)) })
    await until(() => told.length > 0)
    assert.match(told[0]!, /database "nowhere" does not exist/)
    assert.doesNotMatch(told[0]!, /swordfish/)
  })
})

describe("what notifyWake is given", () => {
  it("is looked at first, and a password is in no error", () => {
    for (const url of ["postgres://u:swordfish@host:port/db", "postgres://u:swordfish@[/db"]) {
      assert.throws(
        () => notifyWake({ url }),
        (error: Error) => error instanceof RangeError && !shown(error).includes("swordfish"),
      )
    }
    for (const channel of ["", "c".repeat(64), "a\0b"]) {
      assert.throws(() => notifyWake({ url: "postgres://host/db", channel }), RangeError)
    }
  })
})

const frameOf = (hints: readonly string[]) =>
  encodeFrame({ sender: new Uint8Array(8), sequence: 7, everything: false, hints })

const shown = (error: Error) => `${error.stack} ${JSON.stringify(error, Object.getOwnPropertyNames(error))}`

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5)
}
