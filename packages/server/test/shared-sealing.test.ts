import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import { SealedTransport, shareTransport } from "@conclave/fast-open"
import { noPostgres, startPostgres } from "@conclave/testing/servers"
import { createServer } from "../src/index.js"
import { composed, crypto } from "./composed-support.js"

const listening = { host: "127.0.0.1", policy: "off" } as const
const secret = crypto.random(32)

describe("servers that share sealed requests", { timeout: 60_000 }, () => {
  it("need a database, keys from nowhere else, and a secret of 32 bytes", async () => {
    const nowhere = { file: join("/nonexistent", "service.db") }
    await assert.rejects(composed({ fastOpen: { ...listening, shared: { secret } } }), {
      name: "TypeError",
      message: /need a database/,
    })
    await assert.rejects(createServer({ ...nowhere, fastOpen: { ...listening, shared: { secret } } }), {
      name: "StoreUnavailable",
    })
  })

  it("answer under the same keys, and let go of the database when they are closed", { skip: noPostgres }, async () => {
    await using postgres = await startPostgres()
    const database = { url: await postgres.url("shared") }
    const start = (shared = { secret }) => createServer({ database, fastOpen: { ...listening, shared } })
    await assert.rejects(start({ secret: secret.slice(1) }), { name: "RangeError" })
    await assert.rejects(
      createServer({
        database,
        fastOpen: { ...listening, shared: { secret }, keys: { find: () => undefined, publicKeys: () => [] } },
      }),
      { name: "TypeError", message: /one of keys and shared/ },
    )
    const servers = [await start(), await start()]
    const [first, second] = servers.map(({ fastOpen }) => fastOpen!)
    assert.equal(first!.publicKey!.length, 32)
    assert.deepEqual(second!.publicKey, first!.publicKey)
    await assert.rejects(start({ secret: crypto.random(32) }), { name: "OtherSecretError" })
    // Who knows one of them by its key knows the other.
    for (const { port } of [first!, second!]) {
      const service = { host: "127.0.0.1", port, publicKey: first!.publicKey! }
      await using sealed = new SealedTransport({ provider: crypto, policy: "off", service })
      const { auth } = shareTransport(sealed, ["auth"])
      const lookup = authRequests.encode({ type: "lookup", name: "nobody" })
      assert.equal(decode(AuthResponse, await auth.request(lookup, { replaySafe: true })).type, "notFound")
    }
    await Promise.all(servers.map((server) => server.close()))
    // PostgreSQL's smart shutdown waits for every connection.
    await postgres.stop("SIGTERM")
  })
})
