import assert from "node:assert/strict"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, createServer as createTcpServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { decode } from "@conclave/codec"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { SealedTransport, shareTransport } from "@conclave/fast-open"
import { openDatabase } from "@conclave/sqlite"
import { directTransport, Shares } from "@conclave/transport"
import { createServer, type Refusal, type Stores } from "../src/index.js"
import { askBothWays, composed, crypto, headOfNothing, memoryStores, post, registration } from "./composed-support.js"

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function folder(test: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "conclave-server-"))
  test.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

type Shown = Parameters<Stores["delivery"]["head"]>[0]

describe("a server of both services", { timeout: 20_000 }, () => {
  it("keeps a file until it is closed, however often that is asked for", async (test) => {
    const file = join(folder(test), "service.db")
    {
      await using conclave = await composed({ file })
      await using first = await conclave.listen()
      await using second = await conclave.listen({ host: "127.0.0.1" })
      for (const { url } of [first, second]) assert.deepEqual(await askBothWays(url), ["notFound", "notFound"])
      await assert.rejects(composed({ file }), { name: "StoreUnavailable" })
      const closing = conclave.close()
      assert.equal(conclave.close(), closing)
      await closing
      await assert.rejects(fetch(first.url))
      await assert.rejects(conclave.listen(), /closed/)
    }
    await using again = await composed({ file })
    assert.ok(again.services)
  })

  it("listens again after a listener of it was closed", async () => {
    await using conclave = await composed()
    const first = await conclave.listen()
    await first.close()
    await using again = await conclave.listen({ port: Number(first.url.port) })
    assert.equal(again.url.href, first.url.href)
    assert.deepEqual(await askBothWays(again.url), ["notFound", "notFound"])
  })

  it("stops listening by a signal, and stays", async () => {
    await using conclave = await composed()
    const stop = new AbortController()
    const listener = await conclave.listen({ signal: stop.signal })
    stop.abort()
    await listener.close()
    await assert.rejects(fetch(listener.url))
    await using _again = await conclave.listen()
    await assert.rejects(conclave.listen({ signal: stop.signal }), { name: "AbortError" })
    // While the address is being taken, too.
    const soon = new AbortController()
    const port = await freePort()
    const listening = conclave.listen({ port, host: "127.0.0.1", signal: soon.signal })
    const refused = assert.rejects(listening, { name: "AbortError" })
    soon.abort()
    await refused
    await using _free = await conclave.listen({ port, host: "127.0.0.1" })
  })

  it("that is closed while it takes an address does not keep it", async () => {
    const conclave = await composed()
    const port = await freePort()
    const listening = conclave.listen({ host: "127.0.0.1", port })
    const refused = assert.rejects(listening, /closed/)
    await conclave.close()
    await refused
    await using again = await composed()
    await using _listener = await again.listen({ host: "127.0.0.1", port })
  })

  it("is told of stores that cannot be closed, when everything else is", async () => {
    const fail = async () => {
      throw new Error("the disk is gone")
    }
    const conclave = await composed({ stores: { ...memoryStores(), [Symbol.asyncDispose]: fail } })
    const { url } = await conclave.listen()
    await assert.rejects(conclave.close(), /the disk is gone/)
    await assert.rejects(fetch(url))
  })

  it("does not start on a file of a later version, and leaves it to that version", async (test) => {
    const file = join(folder(test), "service.db")
    await (await composed({ file })).close()
    const database = openDatabase({ file })
    await database.write((connection) => connection.run("UPDATE schema_version SET version = 99"))
    await database.close()
    await assert.rejects(composed({ file }), { name: "StoreUnavailable", message: /later version/ })
    await openDatabase({ file }).close()
  })

  it("wants one place for its data, and lets go of it where it cannot start", async (test) => {
    const file = join(folder(test), "service.db")
    await assert.rejects(createServer({}), { name: "TypeError", message: /one of file, database and stores/ })
    await assert.rejects(createServer({ file, stores: memoryStores() }), { name: "TypeError" })
    await assert.rejects(composed({ mount: "nowhere" }), { name: "TypeError" })
    for (const wrong of [{ page: join(file, "none") }, { trustedProxies: ["here"] }, { fastOpen: { port: 1 << 20 } }]) {
      await assert.rejects(composed({ file, ...wrong }))
      await (await composed({ file })).close()
    }
  })

  it("disposes stores that it was given where they can be", async () => {
    let disposed = 0
    const stores = {
      ...memoryStores(),
      async [Symbol.asyncDispose]() {
        disposed++
      },
    }
    const conclave = await composed({ stores })
    await conclave.close()
    await conclave[Symbol.asyncDispose]()
    assert.equal(disposed, 1)
    await (await composed({ stores: memoryStores() })).close()
  })

  it("is asked without a network, and through what wraps it", async () => {
    const ways: string[] = []
    await using conclave = await composed({
      wrap: (services, way) => ({
        ...services,
        delivery: (request, context) => {
          ways.push(way)
          return services.delivery(request, context)
        },
      }),
      fastOpen: { host: "127.0.0.1", policy: "off", name: "127.0.0.1" },
    })
    await using direct = directTransport(conclave.services.delivery)
    assert.equal(decode(DeliveryResponse, await direct.request(headOfNothing)).type, "notFound")
    assert.deepEqual(ways, [])
    await using listener = await conclave.listen({ host: "127.0.0.1" })
    assert.equal(await post(new URL("delivery", listener.url), headOfNothing), 200)
    const service = async () => new Uint8Array(await (await fetch(new URL("fast-open", listener.url))).arrayBuffer())
    await using sealed = new SealedTransport({ provider: crypto, policy: "off", service })
    const { delivery, auth } = shareTransport(sealed, ["delivery", "auth"])
    assert.equal(decode(DeliveryResponse, await delivery.request(headOfNothing)).type, "notFound")
    const lookup = authRequests.encode({ type: "lookup", name: "nobody" })
    assert.equal(decode(AuthResponse, await auth.request(lookup)).type, "notFound")
    assert.deepEqual(ways, ["http", "sealed"])
  })

  it("counts sealed connections against what a requester has of all", async () => {
    const refused: string[] = []
    const shares = new Shares({
      limits: { connections: { peer: 0, network: 0, all: 0 } },
      onRefusal: ({ kind }) => refused.push(kind),
    })
    await using conclave = await composed({ shares, fastOpen: { host: "127.0.0.1", policy: "off" } })
    const service = async () => conclave.fastOpen!.server.offer({ host: "127.0.0.1", clientAddress: "127.0.0.1" })
    await using sealed = new SealedTransport({ provider: crypto, policy: "off", service })
    const { auth } = shareTransport(sealed, ["auth"])
    await assert.rejects(auth.request(authRequests.encode({ type: "lookup", name: "nobody" })))
    assert.ok(refused.includes("connections"))
  })

  it("has no sealed port, and offers none, where nobody asked for it", async () => {
    await using conclave = await composed()
    assert.equal(conclave.fastOpen, undefined)
    await using listener = await conclave.listen()
    assert.equal((await fetch(new URL("fast-open", listener.url))).status, 404)
  })

  it("goes by the clock that it is given", async () => {
    const now = 1_800_000_000_000
    await using conclave = await composed({ now: () => now })
    await using auth = directTransport(conclave.services.auth)
    const answer = decode(AuthResponse, await auth.request(authRequests.encode(registration("alice").register)))
    assert.equal(answer.type === "registered" && answer.device.registeredAt, BigInt(now))
  })
})

describe("the health of a server", { timeout: 20_000 }, () => {
  const ask = async (url: URL, path: string, method = "GET") => {
    const answer = await fetch(new URL(path, url), { method })
    return [answer.status, await answer.text()]
  }

  it("is that the process answers, and that its stores do, in a few bytes", async () => {
    const stores = memoryStores()
    let fails = false
    const conclave = await composed({
      stores: {
        auth: stores.auth,
        delivery: Object.assign(Object.create(stores.delivery), {
          head: async (shown: Shown) => {
            if (fails) throw new Error("the disk of srv-17 at 192.0.2.7 is full")
            return stores.delivery.head(shown)
          },
        }),
      },
    })
    await using listener = await conclave.listen()
    assert.deepEqual(await ask(listener.url, "healthz"), [200, "ok\n"])
    assert.deepEqual(await ask(listener.url, "readyz"), [200, "ready\n"])
    assert.deepEqual(await ask(listener.url, "readyz", "HEAD"), [200, ""])
    assert.equal((await ask(listener.url, "readyz", "POST"))[0], 405)
    fails = true
    // An answer is good for a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    assert.deepEqual(await ask(listener.url, "readyz"), [503, "not ready\n"])
    assert.deepEqual(await ask(listener.url, "healthz"), [200, "ok\n"])
    await conclave.close()
  })

  it("is asked of the store once a second, and by one requester not more often than it needs", async () => {
    const stores = memoryStores()
    const refusals: Refusal[] = []
    let asked = 0
    const head = (shown: Shown) => {
      asked++
      return stores.delivery.head(shown)
    }
    await using conclave = await composed({
      stores: { auth: stores.auth, delivery: Object.assign(Object.create(stores.delivery), { head }) },
      onRefusal: (refusal) => refusals.push(refusal),
    })
    await using listener = await conclave.listen()
    const statuses: unknown[] = []
    for (let i = 0; i < 60; i++) statuses.push((await ask(listener.url, "readyz"))[0])
    assert.equal(statuses[0], 200)
    assert.ok(statuses.includes(429))
    assert.ok(asked <= 3, `${asked} times`)
    assert.ok(refusals.length > 0 && refusals.every(({ kind }) => kind === "health"))
    // Others are served on.
    assert.equal(await post(new URL("delivery", listener.url), headOfNothing), 200)
  })
})
