import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { openDatabase } from "@conclave/postgres"
import { noPostgres, startPostgres } from "@conclave/testing/servers"
import type { Logger } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import { createServer } from "../src/index.js"
import { registration } from "./composed-support.js"

const planted = {
  name: "sentinel-name",
  groupId: new TextEncoder().encode("sentinel-group-id"),
  words: new TextEncoder().encode("sentinel-message-bytes"),
  address: "203.0.113.77",
  database: "sentinel_database",
}

/** In every form that bytes take in a log. */
function forms(bytes: Uint8Array): readonly string[] {
  const buffer = Buffer.from(bytes)
  return [buffer.toString("latin1"), buffer.toString("hex"), buffer.toString("base64"), [...bytes].join(",")]
}

/** All that was logged, with the fields and whatever errors are among them. */
function recording() {
  const lines: { readonly level: string; readonly fields: Record<string, unknown>; readonly message: string }[] = []
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message })
  }
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }
  return { logger, lines }
}

describe("the log of a server on PostgreSQL", { skip: noPostgres, timeout: 60_000 }, () => {
  it("says nothing of who asks, for whom or what, also where the database fails and quotes it", async (test) => {
    await using postgres = await startPostgres()
    const url = (await postgres.url(planted.database)).replace("conclave@", "conclave:sentinel-password@")
    const { logger, lines } = recording()
    const faults: unknown[] = []
    const losses: Error[] = []
    await using conclave = await createServer({
      database: { url, onHintsLost: (error) => losses.push(error) },
      logger,
      slowMilliseconds: 0,
      trustedProxies: ["127.0.0.0/8"],
      onError: (error) => faults.push(error),
    })
    const { url: at } = await conclave.listen({ host: "127.0.0.1" })
    const { register, key, signature } = registration(planted.name)
    const ask = async (service: string, body: Uint8Array) => {
      const headers = { "content-type": "application/octet-stream", "x-forwarded-for": planted.address }
      const answer = await fetch(new URL(service, at), {
        ...{ method: "POST", headers },
        body: body as Uint8Array<ArrayBuffer>,
      })
      return new Uint8Array(await answer.arrayBuffer())
    }
    const deliver = async (request: DeliveryRequest) =>
      decode(DeliveryResponse, await ask("delivery", deliveryRequests.encode(request))).type
    const direct = async (request: Parameters<typeof authRequests.encode>[0]) =>
      decode(AuthResponse, await ask("auth", authRequests.encode(request))).type
    const { groupId, name } = planted
    const create = (id: Uint8Array): DeliveryRequest => ({
      ...{ type: "createGroup", groupId: id, idempotencyId: new Uint8Array(16), accessKey: key.publicKey },
    })
    const read = { type: "read", groupId, afterSeq: 0n, limit: 10, access: noAccess } as const

    // The database refuses rows, and shows them in its errors.
    const operator = openDatabase({ url })
    test.after(() => operator.close())
    const constrain = (sql: string) => operator.look((connection) => connection.script(sql))
    await constrain(`ALTER TABLE directory_device ADD CONSTRAINT none CHECK (false) NOT VALID;
      ALTER TABLE mls_group ADD CONSTRAINT none CHECK (false) NOT VALID`)
    assert.equal(await direct(register), "unavailable")
    assert.equal(await deliver(create(groupId)), "unavailable")
    assert.equal(faults.length, 2)
    // Of what the database says, the code alone is passed on: "Failing row contains (…)" has the row in it.
    assert.match(shown(faults), /23514/)
    assert.doesNotMatch(shown(faults), /sentinel/)
    await constrain(`ALTER TABLE directory_device DROP CONSTRAINT none; ALTER TABLE mls_group DROP CONSTRAINT none`)
    // What succeeds, is refused, and is noise.
    assert.equal(await direct(register), "registered")
    assert.equal(await direct({ type: "lookup", name }), "devices")
    assert.equal(await deliver(create(groupId)), "done")
    assert.equal(await deliver(read), "denied")
    await ask("delivery", planted.words)
    await using transport = connect(new URL("delivery", at))
    const cursors = [{ groupId, afterSeq: 0n, access: noAccess }]
    const subscribe = deliveryRequests.encode({ type: "subscribe", cursors, proof: undefined, inboxAfter: 0n })
    const stream = transport.subscribe(subscribe)[Symbol.asyncIterator]()
    for (let i = 0; i < 2; i++) await stream.next()
    await stream.return?.()
    // A table is missing, and then the whole server.
    await constrain("ALTER TABLE directory_device RENAME TO former")
    assert.equal(await direct({ type: "lookup", name }), "unavailable")
    await postgres.stop("SIGKILL")
    assert.equal(await direct({ type: "lookup", name }), "unavailable")
    assert.equal(await deliver(read), "unavailable")
    assert.equal(await deliver(create(planted.words)), "unavailable")
    while (losses.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    await conclave.drain(20)
    await conclave.close()

    const said = shown(lines)
    const errors = lines.filter(({ level }) => level === "error").map(({ fields }) => fields)
    assert.ok(errors.filter(({ service }) => service === "auth").length >= 3)
    assert.ok(errors.filter(({ service }) => service === "delivery").length >= 3)
    for (const message of ["composed", "listening", "draining", "drained", "closing", "closed"]) {
      assert.ok(
        lines.some((line) => line.message === message),
        message,
      )
    }
    const secrets = [
      ...[new TextEncoder().encode(name), groupId, planted.words, key.publicKey, signature].flatMap(forms),
      ...[planted.address, "cb00714d", "127.0.0.1", planted.database, "sentinel", `${postgres.port}`],
    ]
    for (const secret of secrets) assert.ok(!said.includes(secret), `the log says ${secret.slice(0, 60)}`)
  })
})

const shown = (all: unknown) => JSON.stringify(all, causes)

/** An error with what is in it, as a logger that serializes errors shows it. */
function causes(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return typeof value === "bigint" ? `${value}` : value
  const { message, stack, cause } = value
  return { ...value, message, stack, cause }
}
