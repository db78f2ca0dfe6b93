import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { openDatabase } from "@conclave/sqlite"
import { errorFields, type Logger } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import { createServer } from "../src/index.js"
import { composed, memoryStores, raw, registration } from "./composed-support.js"

interface Line {
  readonly level: string
  readonly fields: Record<string, unknown>
  readonly message: string
}

function recording() {
  const lines: Line[] = []
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message })
  }
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }
  return {
    logger,
    lines,
    messages: (level: string) => lines.filter((it) => it.level === level).map((it) => it.message),
  }
}

const planted = {
  name: "sentinel-name",
  groupId: new TextEncoder().encode("sentinel-group-id"),
  words: new TextEncoder().encode("sentinel-message-bytes"),
  address: "203.0.113.77",
  host: "sentinel-host.example",
}

/** In every form that bytes take in a log. */
function forms(bytes: Uint8Array): readonly string[] {
  const buffer = Buffer.from(bytes)
  return [buffer.toString("latin1"), buffer.toString("hex"), buffer.toString("base64"), [...bytes].join(",")]
}

describe("the log", { timeout: 20_000 }, () => {
  it("says what happens and to what kind of request, and nothing of who asks, for whom or what", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-log-"))
    test.after(() => rmSync(folder, { recursive: true, force: true }))
    const { logger, lines, messages } = recording()
    const { register, key, signature } = registration(planted.name)
    const conclave = await createServer({
      file: join(folder, `${planted.name}.db`),
      logger,
      slowMilliseconds: 0,
      trustedProxies: ["127.0.0.0/8"],
      limits: { delivery: { creationsByRequester: { perSecond: 0.001, burst: 1 } } },
    })
    const { url } = await conclave.listen({ host: "127.0.0.1" })
    const ask = async (service: string, body: Uint8Array) => {
      const headers = { "content-type": "application/octet-stream", "x-forwarded-for": planted.address }
      const answer = await fetch(new URL(service, url), {
        method: "POST",
        headers,
        body: body as Uint8Array<ArrayBuffer>,
      })
      return new Uint8Array(await answer.arrayBuffer())
    }
    const deliver = async (request: DeliveryRequest) =>
      decode(DeliveryResponse, await ask("delivery", deliveryRequests.encode(request))).type
    const { groupId, name } = planted

    // What succeeds.
    assert.equal(decode(AuthResponse, await ask("auth", authRequests.encode(register))).type, "registered")
    const other = authRequests.encode({ ...register, signature: planted.words })
    // What is refused: by what it says, by a limit, for its version, under another name, and as noise.
    assert.equal(decode(AuthResponse, await ask("auth", other)).type, "invalid")
    const idempotencyId = new Uint8Array(16)
    const create = {
      type: "createGroup",
      groupId,
      idempotencyId,
      accessKey: key.publicKey,
    } as const
    const created: string[] = []
    for (let i = 0; i < 12; i++) created.push(await deliver(create))
    assert.ok(created.includes("throttled"), [...new Set(created)].join())
    assert.equal(await deliver({ type: "read", groupId, afterSeq: 0n, limit: 10, access: noAccess }), "denied")
    await ask("delivery", Uint8Array.of(0x7f, ...planted.words))
    await ask("delivery", planted.words)
    await raw(
      url,
      `GET /${name} HTTP/1.1\r\nhost: ${planted.host}\r\nx-forwarded-for: ${planted.address}\r\nconnection: close\r\n\r\n`,
    )
    // What is streamed.
    await using transport = connect(new URL("delivery", url))
    const cursors = [{ groupId, afterSeq: 0n, access: noAccess }]
    const subscribe = deliveryRequests.encode({ type: "subscribe", cursors, proof: undefined, inboxAfter: 0n })
    const stream = transport.subscribe(subscribe)[Symbol.asyncIterator]()
    for (let i = 0; i < 2; i++) await stream.next()
    await stream.return?.()
    await conclave.close()

    const said = JSON.stringify(lines)
    for (const message of ["tables made", "composed", "listening", "closing", "closed"])
      assert.ok(messages("info").includes(message), message)
    const refused = lines.filter(({ message }) => message === "refused").map(({ fields }) => fields)
    const counted = (kind: string) => Number(refused.find((fields) => fields.kind === kind)?.count ?? 0)
    assert.equal(counted("creations"), created.filter((type) => type === "throttled").length)
    assert.equal(counted("denied"), 2)
    assert.equal(counted("host"), 1)
    assert.equal(counted("version"), 2)
    const slow = lines.filter(({ message }) => message === "slow request").map(({ fields }) => fields.kind)
    for (const kind of ["register", "createGroup", "read", "unreadable"]) assert.ok(slow.includes(kind), kind)
    assert.ok(!slow.includes("subscribe"))
    const secrets = [
      ...[
        new TextEncoder().encode(name),
        groupId,
        planted.words,
        key.publicKey,
        signature,
        key.exportPrivateKey(),
      ].flatMap(forms),
      ...[planted.address, "cb00714d", "127.0.0.1", "7f000001", planted.host, folder],
    ]
    for (const secret of secrets) assert.ok(!said.includes(secret), `the log says ${secret.slice(0, 60)}`)
  })

  it("says which store failed by classes and codes, not by its message", async () => {
    const { logger, lines } = recording()
    const stores = memoryStores()
    const secret = "sentinel-group-id at 203.0.113.77"
    const failure = Object.assign(
      new TypeError(secret, { cause: Object.assign(new Error(secret), { code: "SQLITE_FULL" }) }),
      {
        code: "STORE_UNAVAILABLE",
      },
    )
    const fail = async () => {
      throw failure
    }
    const faults: unknown[] = []
    await using conclave = await composed({
      logger,
      onError: (error) => faults.push(error),
      stores: {
        delivery: Object.assign(Object.create(stores.delivery), {
          head: fail,
          sweep: fail,
          identity: stores.delivery.identity.bind(stores.delivery),
        }),
        auth: { ...stores.auth, lookup: fail },
      },
    })
    await using listener = await conclave.listen()
    const ask = (service: string, body: Uint8Array) =>
      fetch(new URL(service, listener.url), {
        method: "POST",
        headers: { "content-type": "application/octet-stream" },
        body: body as Uint8Array<ArrayBuffer>,
      })
    await ask("delivery", deliveryRequests.encode({ type: "head", groupId: planted.groupId, access: noAccess }))
    await ask("auth", authRequests.encode({ type: "lookup", name: planted.name }))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const errors = lines.filter(({ level }) => level === "error").map(({ fields }) => fields)
    assert.deepEqual(
      new Set(errors.map(({ service, part }) => service ?? part)),
      new Set(["delivery", "auth", "sweep"]),
    )
    for (const { error, code, cause, at } of errors) {
      assert.deepEqual([error, code, cause], ["TypeError", "STORE_UNAVAILABLE", "SQLITE_FULL"])
      assert.match(`${at}`, /^test\/log\.test\.js:\d+:\d+$/)
    }
    assert.doesNotMatch(JSON.stringify(lines), /sentinel|203\.0/)
    assert.equal(faults.length, 3)
  })

  it("takes what was thrown for what it is", () => {
    assert.deepEqual(errorFields("sentinel"), { error: "string" })
    assert.deepEqual(errorFields(undefined), { error: "undefined" })
    // Codes are words of the code: nothing else that an error carries under that name is logged.
    const strange = Object.assign(new Error("sentinel", { cause: { code: "sentinel text" } }), { code: "sentinel" })
    assert.deepEqual(Object.keys(errorFields(strange)), ["error", "at"])
  })

  it("says which tables a file was brought up to date with", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-log-"))
    test.after(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, "service.db")
    const told = async () => {
      const { logger, lines } = recording()
      await (await createServer({ file, logger })).close()
      return lines
        .filter(({ message }) => message.startsWith("tables"))
        .map(({ fields, message }) => ({ ...fields, message }))
    }
    const made = await told()
    assert.deepEqual(
      made.map(({ message }) => message),
      ["tables made", "tables made", "tables made"],
    )
    assert.deepEqual(await told(), [])
    const database = openDatabase({ file })
    // As the last version left it.
    await database.write((connection) => {
      connection.run("DROP TABLE recovery_key")
      connection.run("UPDATE schema_version SET version = version - 1 WHERE component = 'auth'")
    })
    await database.close()
    assert.deepEqual(await told(), [{ component: "auth", from: 6, to: 7, message: "tables migrated" }])
  })

  it("is silent unless somebody listens", async (test) => {
    const writes = ["stdout", "stderr"].map((name) => test.mock.method(process[name as "stdout"], "write", () => true))
    await (await composed()).close()
    assert.deepEqual(
      writes.map((write) => write.mock.callCount()),
      [0, 0],
    )
  })
})
