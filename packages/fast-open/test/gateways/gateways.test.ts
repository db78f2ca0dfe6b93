import assert from "node:assert/strict"
import { randomInt } from "node:crypto"
import { after, before, describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import type { ReplaySafe, Transport } from "@conclave/transport"
import { Offer, OtherSecretError, SealedServer, SealedTransport } from "../../src/sealed/index.js"
import { balancer, flight, offerAt, pause, provider, send } from "../sealed/support.js"
import { gateway, hex, Runs } from "./support.js"

/** Several gateways behind one address, on a real database. */

const body = () => provider.random(16) as Uint8Array as ReplaySafe
const secret = provider.random(32)
const refusing: Transport = {
  request: async () => {
    throw new Error("by the fallback")
  },
  async *subscribe() {},
  async [Symbol.asyncDispose]() {},
}

describe("gateways behind one address", { skip: noPostgres, timeout: 120_000 }, () => {
  let server: PostgresServer
  let databases = 0
  before(async () => {
    server = await startPostgres()
  })
  after(() => server[Symbol.asyncDispose]())
  const database = () => server.url(`gateways_${++databases}`)

  it("run a request once, whichever of them it and its replays reach, all at the same time", async (t) => {
    const shared = { url: await database(), secret, runs: new Runs() }
    // Whether it runs once is asked here, and not how soon.
    const patient = { ...shared, server: { registerTimeoutMilliseconds: 60_000 } }
    const gateways = [await gateway(t, patient), await gateway(t, patient)]
    const [key] = gateways[0]!.supply().keys
    const requests = Array.from({ length: 100 }, body)
    const flights = requests.map((request) => flight(key!, request))
    await Promise.all(
      flights.flatMap((bytes) => [
        send(gateways[randomInt(2)]!.port, bytes),
        ...gateways.map(({ port }) => send(port, bytes)),
      ]),
    )
    assert.deepEqual(
      requests.map((request) => shared.runs.of(request)),
      requests.map(() => 1),
    )
    assert.equal(shared.runs.early, 100)
    // And once more when all is over.
    await Promise.all(flights.flatMap((bytes) => gateways.map(({ port }) => send(port, bytes))))
    assert.equal(shared.runs.early, 100)
  })

  it("judge a request by the database's clock, and tell clients of it, whatever their own clocks say", async (t) => {
    const shared = { url: await database(), secret, runs: new Runs() }
    const hour = 3_600_000
    const late = await gateway(t, {
      ...shared,
      server: { now: () => Date.now() - hour, registerTimeoutMilliseconds: 60_000 },
    })
    const early = await gateway(t, {
      ...shared,
      server: { now: () => Date.now() + hour, registerTimeoutMilliseconds: 60_000 },
    })
    for (const { supply } of [late, early]) {
      assert.ok(Math.abs(Number(supply().time) - Date.now()) < 5_000, `${supply().time}`)
    }
    const [key] = late.supply().keys
    const [now, past, future] = [body(), body(), body()]
    for (const { port } of [early, late]) {
      await send(port, flight(key!, past, { time: Date.now() - 15_000 }))
      await send(port, flight(key!, future, { time: Date.now() + 15_000 }))
    }
    const bytes = flight(key!, now)
    for (const { port } of [late, early, late, early]) await send(port, bytes)
    assert.deepEqual(
      [now, past, future].map((request) => shared.runs.of(request)),
      [1, 0, 0],
    )
  })

  it("answer inside the connection while the database is down, and early again when it is back", async (t) => {
    const told: string[] = []
    const shared = { url: await database(), secret, runs: new Runs() }
    const register = { onLost: () => told.push("lost"), onRegained: () => told.push("regained") }
    const only = await gateway(t, { ...shared, register })
    const options = { provider, policy: "off", fallback: refusing } as const
    const client = new SealedTransport({ ...options, service: async () => only.offer() })
    t.after(() => client[Symbol.asyncDispose]())
    const ask = (request: ReplaySafe) => client.request(request, { replaySafe: true })
    await ask(body())
    const [key] = only.supply().keys

    await server.stop("SIGKILL")
    const ran = shared.runs.early
    const [asked, recorded] = [body(), body()]
    const bytes = flight(key!, recorded)
    for (let n = 0; n < 3; n++) await send(only.port, bytes)
    await ask(asked)
    assert.deepEqual(
      [asked, recorded].map((request) => shared.runs.of(request)),
      [1, 0],
    )
    assert.equal(shared.runs.early, ran)
    assert.deepEqual(told, ["lost"])

    await server.start()
    while (told.length < 2) await pause(50)
    // The machine may be busy just now: a flight that is not decided in time is answered inside.
    for (let n = 0; n < 100 && shared.runs.early === ran; n++) await ask(body())
    assert.ok(shared.runs.early > ran)
  })

  it("answer inside the connection while another session holds the register's table, and early again afterwards", async (t) => {
    const told: string[] = []
    const shared = { url: await database(), secret, runs: new Runs() }
    const register = { onLost: () => told.push("lost"), onRegained: () => told.push("regained") }
    const short = { statementTimeoutMilliseconds: 500, lockTimeoutMilliseconds: 500 }
    const [only, other] = [await gateway(t, { ...shared, register, database: short }), await gateway(t, shared)]
    const holding = await other.database.connect()
    t.after(() => holding.end())
    await holding.query("BEGIN; LOCK TABLE strike IN EXCLUSIVE MODE")
    const options = { provider, policy: "off", fallback: refusing } as const
    const client = new SealedTransport({ ...options, service: async () => only.offer() })
    t.after(() => client[Symbol.asyncDispose]())
    const requests = Array.from({ length: 20 }, body)
    await Promise.all(requests.map((request) => client.request(request, { replaySafe: true })))
    assert.deepEqual(
      requests.map((request) => shared.runs.of(request)),
      requests.map(() => 1),
    )
    assert.equal(shared.runs.early, 0)
    assert.deepEqual(told, ["lost"])

    await holding.query("COMMIT")
    while (told.length < 2) await pause(50)
    for (let n = 0; n < 100 && shared.runs.early === 0; n++) await client.request(body(), { replaySafe: true })
    assert.ok(shared.runs.early > 0)
    // What ran inside meanwhile has been made up for: each request has its row.
    const rows = await other.database.look((connection) => connection.get("SELECT count(*) AS count FROM strike"))
    assert.ok(Number(rows!.count) >= requests.length, `${rows!.count} rows`)
  })

  it("rotate the keys of the day under load: nobody meets a gateway that does not have its key", async (t) => {
    const shared = { url: await database(), secret, runs: new Runs() }
    const periodMilliseconds = 3_000
    const ring = { periodMilliseconds, overlapMilliseconds: 1_500, leadMilliseconds: 2_500, lookMilliseconds: 100 }
    const gateways = [await gateway(t, { ...shared, ring }), await gateway(t, { ...shared, ring })]
    const anyone = () => gateways[randomInt(2)]!
    const port = await balancer(
      t,
      gateways.map(({ port }) => port),
      () => randomInt(2),
    )
    const first = gateways[0]!.supply().keys[0]!.id
    const announced = new Set<number>()
    let failures = 0
    let asked = 0
    const begin = performance.now()
    const clients = Array.from({ length: 4 }, async () => {
      // What a client cannot ask by sealed requests would fail here.
      const options = { provider, policy: "off", fallback: refusing } as const
      const client = new SealedTransport({ ...options, service: async () => offerAt(port, anyone().offer()) })
      t.after(() => client[Symbol.asyncDispose]())
      while (announced.size < 4 && performance.now() - begin < 60_000) {
        for (const { supply } of gateways) {
          for (const { id } of supply().keys) {
            announced.add(id)
            for (const { ring } of gateways) if (ring.find(id) === undefined) failures++
          }
        }
        await client.request(body(), { replaySafe: true })
        asked++
        await pause(20)
      }
    })
    await Promise.all(clients)
    assert.equal(failures, 0)
    assert.ok(announced.size >= 4, `${announced.size} keys in ${asked} requests`)
    // The first of four has been destroyed in memory and in the database, and is announced nowhere.
    while (gateways.some(({ ring }) => ring.find(first) !== undefined)) await pause(50)
    await Promise.all(gateways.map(({ ring }) => ring.look()))
    const rows = await gateways[0]!.database.look((connection) =>
      connection.all("SELECT id FROM day_key WHERE id = $1::bigint", [BigInt(first)]),
    )
    assert.deepEqual(rows, [])
  })

  it("make one key between them when they start at the same time, and take each other's tokens once each", async (t) => {
    const shared = { url: await database(), secret, runs: new Runs() }
    const gateways = await Promise.all([1, 2, 3].map(() => gateway(t, shared)))
    const ids = gateways.map(({ supply }) => supply().keys.map(({ id }) => id))
    assert.equal(ids[0]!.length, 1)
    assert.deepEqual(ids, [ids[0], ids[0], ids[0]])
    assert.equal(new Set(gateways.map(({ ring }) => hex(ring.publicKey))).size, 1)
    const token = gateways[0]!.tokens.issue("192.0.2.1")
    assert.equal(gateways[1]!.tokens.spend(token, "198.51.100.1"), false)
    assert.equal(gateways[1]!.tokens.spend(token, "192.0.2.1"), true)
    assert.equal(gateways[1]!.tokens.spend(token, "192.0.2.1"), false)
  })

  it("refuse to start with another secret, and change nothing then", async (t) => {
    const shared = { url: await database(), runs: new Runs() }
    const first = await gateway(t, { ...shared, secret })
    const before = first.supply().keys
    const ring = { periodMilliseconds: 1, leadMilliseconds: 1 }
    await assert.rejects(gateway(t, { ...shared, secret: provider.random(32), ring }), OtherSecretError)
    await first.ring.look()
    assert.deepEqual(first.supply().keys, before)
    const rows = await first.database.look((connection) => connection.all("SELECT id FROM day_key"))
    assert.deepEqual(
      rows.map(({ id }) => Number(id)),
      before.map(({ id }) => id),
    )
  })

  it("with keys of their own tell a client whose key is another's, and it is answered all the same", async (t) => {
    const runs = [new Runs(), new Runs()]
    const servers = runs.map(({ handler }) => new SealedServer({ provider, handler }))
    const ports: number[] = []
    for (const server of servers) {
      t.after(() => server[Symbol.asyncDispose]())
      ports.push(await server.listen({ port: 0, host: "127.0.0.1", policy: "off" }))
    }
    let [to, connections] = [0, 0]
    const port = await balancer(t, ports, () => {
      connections++
      return to
    })
    const service = async () => offerAt(port, servers[to]!.offer({ host: "127.0.0.1" }))
    const client = new SealedTransport({ provider, policy: "off", service, fallback: refusing })
    t.after(() => client[Symbol.asyncDispose]())
    const ask = async (request: ReplaySafe) => {
      const before = connections
      assert.deepEqual(await client.request(request, { replaySafe: true }), new Uint8Array(request))
      return connections - before
    }
    const requests = Array.from({ length: 6 }, body)
    assert.equal(await ask(requests[0]!), 1)
    for (const [number, request] of requests.slice(1, 4).entries()) {
      to = (number + 1) % 2
      assert.equal(await ask(request), 2, "one connection to hear of it, one to ask")
    }
    for (const request of requests.slice(4)) assert.equal(await ask(request), 1)
    assert.deepEqual(
      requests.map((request) => runs[0]!.of(request) + runs[1]!.of(request)),
      [1, 1, 1, 1, 1, 1],
    )

    // What was recorded on the way to one runs nowhere else.
    const [key] = decode(Offer, await service()).supply.keys
    const recorded = body()
    const bytes = flight(key!, recorded)
    const heard = await send(ports[1 - to]!, bytes)
    assert.deepEqual([...heard], [1], "the key id is not known, and nothing follows")
    await Promise.all(ports.flatMap((each) => [send(each, bytes), send(each, bytes)]))
    assert.equal(runs[0]!.of(recorded) + runs[1]!.of(recorded), 1)
  })
})
