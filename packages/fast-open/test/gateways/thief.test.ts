import assert from "node:assert/strict"
import { after, before, describe, it, type TestContext } from "node:test"
import { type Database, dayKeyStore, openDatabase } from "@conclave/postgres"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { KeyRing, OtherSecretError, SharedKeyRing } from "../../src/sealed/index.js"
import { HEADER_SIZE, KEY_ID_SIZE, TOKEN_SIZE } from "../../src/sealed/wire.js"
import { flight, provider, send, suite } from "../sealed/support.js"
import { gateway, hex, Runs } from "./support.js"

/** Who has the database alone: all rows of all tables, and flights that were recorded on the way. */

const KEM_OUTPUT_SIZE = HEADER_SIZE - TOKEN_SIZE - KEY_ID_SIZE

async function everyByte(database: Database): Promise<Buffer> {
  const tables = await database.look((connection) =>
    connection.all("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"),
  )
  assert.ok(tables.length >= 3)
  const parts: Buffer[] = []
  for (const { table_name } of tables) {
    const rows = await database.look((connection) => connection.all(`SELECT * FROM ${table_name}`))
    for (const value of rows.flatMap((row) => Object.values(row))) {
      parts.push(value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(`${value}`))
    }
  }
  return Buffer.concat(parts)
}

/** The content of the flight's first frame, for one who tries `privateKey`. */
function opened(bytes: Uint8Array, privateKey: Uint8Array): Uint8Array | undefined {
  const [at, size] = [TOKEN_SIZE + KEY_ID_SIZE, KEM_OUTPUT_SIZE]
  const publicKey = suite.hpke.publicKey(privateKey)
  using receiver = suite.openFlight({ privateKey, publicKey }, bytes.slice(at, at + size))
  const length = new DataView(bytes.buffer, bytes.byteOffset + HEADER_SIZE).getUint16(0)
  const ciphertext = bytes.slice(HEADER_SIZE + 2, HEADER_SIZE + 2 + length)
  return receiver?.open({ ciphertext, authenticatedData: bytes.slice(0, at) })
}

const windows = (stolen: Buffer, size: number) =>
  Array.from({ length: Math.max(0, stolen.length - size + 1) }, (_, at) =>
    Uint8Array.from(stolen.subarray(at, at + size)),
  )

describe("a thief of the database", { skip: noPostgres, timeout: 120_000 }, () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server[Symbol.asyncDispose]())
  const databaseOf = (test: TestContext, url: string) => {
    const database = openDatabase({ url })
    test.after(() => database.close())
    return database
  }

  it("opens no recorded flight, and learns no request id; with the gateways' secret it would", async (t) => {
    const url = await server.url("thief")
    const [secret, runs] = [provider.random(32), new Runs()]
    const attacked = await gateway(t, { url, secret, runs, server: { registerTimeoutMilliseconds: 60_000 } })
    const [key] = attacked.supply().keys
    const [body, requestId] = [provider.random(24), provider.random(16)]
    const recorded = flight(key!, body, { requestId })
    await send(attacked.port, recorded)
    assert.equal(runs.of(body), 1)

    const database = databaseOf(t, url)
    const stolen = await everyByte(database)
    assert.equal(stolen.includes(Buffer.from(attacked.ring.find(key!.id)!.privateKey)), false)
    assert.equal(stolen.includes(Buffer.from(requestId)), false)
    const tried = windows(stolen, 32)
    assert.ok(tried.length > 100)
    for (const window of tried) assert.equal(opened(recorded, window), undefined)
    const store = await dayKeyStore(database)
    for (const window of tried) {
      await assert.rejects(SharedKeyRing.open({ provider, secret: window, store }), OtherSecretError)
    }

    // The same attempts succeed for one who has more than the database: they are what would open it.
    using ring = await SharedKeyRing.open({ provider, secret, store })
    const content = opened(recorded, ring.find(key!.id)!.privateKey)
    assert.ok(content !== undefined && Buffer.from(content).includes(Buffer.from(body)))
    const own = new KeyRing({ provider })
    t.after(() => own.destroy())
    const [other] = own.publicKeys()
    const unprotected = flight(other!, body)
    const plain = Buffer.concat([stolen, own.find(other!.id)!.privateKey])
    assert.ok(windows(plain, 32).some((window) => opened(unprotected, window) !== undefined))
  })

  it("cannot lengthen a key's time, or give it another's", async (t) => {
    const url = await server.url("forger")
    const secret = provider.random(32)
    const first = await gateway(t, { url, secret, runs: new Runs() })
    const database = databaseOf(t, url)
    const store = await dayKeyStore(database)
    for (const forged of [
      "destroy_at = destroy_at + 1",
      "announce_at = announce_at - 1",
      "id = (id + 1) % 4294967296",
    ]) {
      await database.write((connection) => connection.run("CREATE TABLE kept AS SELECT * FROM day_key"))
      await database.write((connection) => connection.run(`UPDATE day_key SET ${forged}`))
      await assert.rejects(SharedKeyRing.open({ provider, secret, store }), /another secret/, forged)
      await database.write((connection) => connection.run("DELETE FROM day_key"))
      await database.write((connection) => connection.run("INSERT INTO day_key SELECT * FROM kept"))
      await database.write((connection) => connection.run("DROP TABLE kept"))
    }
    using again = await SharedKeyRing.open({ provider, secret, store })
    assert.deepEqual(again.publicKeys().map(hexOf), first.supply().keys.map(hexOf))
  })
})

const hexOf = ({ publicKey }: { readonly publicKey: Uint8Array }) => hex(publicKey)
