import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync, statSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { describe, it } from "node:test"
import { authRequests } from "@conclave/contracts/auth"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import { KeyRing } from "@conclave/fast-open"
import type { Handler } from "@conclave/transport"
import { type NodeClientOptions, openClient } from "../src/node.js"
import { connectFastOpen } from "../src/service/fast-open.js"
import { next, World } from "./support/world.js"

const provider = nodeProvider()

interface Asked {
  readonly kind: string
  readonly way: "http" | "early" | "inside"
}

/** The world's services at one address, over HTTP and by sealed requests; notes what was asked how. */
async function serving(world: World, { offering = true, keys = new KeyRing({ provider }), host = "" } = {}) {
  const asked: Asked[] = []
  const noting =
    (way: "http" | "sealed", handler: Handler, kindOf: (request: Uint8Array) => string): Handler =>
    (request, context) => {
      asked.push({ kind: kindOf(request), way: way === "http" ? "http" : context.early ? "early" : "inside" })
      return handler(request, context)
    }
  const conclave = await world.server({
    wrap: ({ delivery, auth }, way) => ({
      delivery: noting(way, delivery, (request) => deliveryRequests.decode(request).type),
      auth: noting(way, auth, (request) => authRequests.decode(request).type),
    }),
    ...(offering && { fastOpen: { host: "127.0.0.1", keys, name: host } }),
  })
  const { url } = await conclave.listen({ host: "127.0.0.1" })
  return {
    asked,
    port: conclave.fastOpen?.port,
    url,
    sealed: conclave.fastOpen?.server,
    [Symbol.asyncDispose]: () => conclave.close(),
  }
}

function profile(world: World, name: string, service: URL, options: Partial<NodeClientOptions> = {}) {
  return { name, service, profile: join(world.folder, `${name}-fast.db`), fastOpen: true, ...options }
}

describe("a Node program with fast open", () => {
  it("sends, reads and follows by sealed requests, and lets no claim run from a first packet", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    await using alice = await openClient(profile(world, "alice", server.url))
    await using bob = await openClient(profile(world, "bob", server.url, { fastOpen: "private" }))
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await team.send("in the first packet")
    assert.equal((await next(bob, "message")).text, "in the first packet")

    const ways = (kind: string) => [...new Set(server.asked.filter((it) => it.kind === kind).map(({ way }) => way))]
    assert.deepEqual(ways("append"), ["early"])
    assert.deepEqual(ways("subscribe"), ["early"])
    assert.deepEqual(ways("lookup"), ["early"])
    assert.deepEqual(ways("claimKeyPackage"), ["inside"])
    assert.deepEqual(ways("publishKeyPackages"), ["inside"])
    assert.deepEqual(ways("register"), ["inside"])
    assert.deepEqual(
      server.asked.filter(({ way }) => way === "http"),
      [],
    )
    assert.deepEqual(world.faults, [])
  })

  it("keeps the service's keys for its next process, where nobody else can write, and no token", async () => {
    await using world = new World({ realClock: true })
    const keys = new KeyRing({ provider })
    await using server = await serving(world, { keys })
    const options = profile(world, "alice", server.url)
    await (await openClient(options)).close()
    const file = `${options.profile}.fast-open`
    assert.equal(statSync(file).mode & 0o077, 0)
    assert.ok(readFileSync(file).includes(Buffer.from(keys.publicKeys()[0]!.publicKey)))
    await (await openClient(options)).close()
    assert.equal(server.asked.filter(({ way }) => way === "http").length, 0)
  })

  it("goes over HTTP where the service offers nothing else, and says so once", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world, { offering: false })
    const told: Error[] = []
    const onFallback = (reason: Error) => void told.push(reason)
    await using alice = await openClient(profile(world, "alice", server.url, { onFallback }))
    const notes = await alice.createConversation({ title: "notes" })
    await notes.send("as ever")
    assert.equal(told.length, 1)
    assert.match(`${told[0]!.cause}`, /offers no sealed requests \(404\)/)
    assert.ok(server.asked.every(({ way }) => way === "http"))
  })

  it("goes over HTTP where the way to the sealed port is gone, and loses nothing", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    await using alice = await openClient(profile(world, "alice", server.url))
    const notes = await alice.createConversation({ title: "notes" })
    await server.sealed![Symbol.asyncDispose]()
    await notes.send("by another way")
    assert.equal(server.asked.filter(({ kind, way }) => kind === "append" && way === "http").length, 1)
  })

  it("with the pinned key, speaks to nobody else and over no other way", async () => {
    await using world = new World({ realClock: true })
    const keys = new KeyRing({ provider })
    const serverKey = keys.pin(provider.random(32))
    await using server = await serving(world, { keys })
    await using alice = await openClient(profile(world, "alice", server.url, { fastOpen: false, serverKey }))
    await (await alice.createConversation({ title: "notes" })).send("to the one that I know")
    await alice.close()
    assert.ok(server.asked.every(({ way }) => way !== "http"))

    // What alice asked last may come to the service after she has gone.
    let before: number
    do {
      before = server.asked.length
      await new Promise((resolve) => setTimeout(resolve, 200))
    } while (server.asked.length !== before)
    // Somebody in between who answers with an offer of its own has another key.
    const other = provider.random(32)
    const misled = openClient(profile(world, "bob", server.url, { serverKey: other }))
    await assert.rejects(misled, { code: "UNAVAILABLE" })
    const short = openClient(profile(world, "bob", server.url, { serverKey: other.subarray(1) }))
    await assert.rejects(short, TypeError)
    assert.equal(server.asked.length, before)
  })

  it("is not sent to another host by an offer that it had over plain HTTP", async () => {
    await using world = new World({ realClock: true })
    const keys = new KeyRing({ provider })
    const serverKey = keys.pin(provider.random(32))
    let connections = 0
    const elsewhere = createServer((socket) => {
      connections++
      socket.destroy()
    })
    await using server = await serving(world, { keys, host: "127.0.0.2" })
    await new Promise<void>((resolve) => elsewhere.listen(server.port, "127.0.0.2", resolve))
    try {
      await assert.rejects(openClient(profile(world, "bob", server.url, { serverKey })), { code: "UNAVAILABLE" })
      await using alice = await openClient(profile(world, "alice", server.url))
      assert.equal(alice.name, "alice")
      assert.equal(connections, 0)
    } finally {
      elsewhere.close()
    }
  })

  it("is sent to another host by an offer that it had over TLS", async (context) => {
    await using world = new World({ realClock: true })
    await using server = await serving(world, { host: "127.0.0.1" })
    const service = new URL("https://conclave.test/")
    const { fetch } = globalThis
    // What stands before the service and has the certificate.
    context.mock.method(globalThis, "fetch", (url: URL | string, options?: RequestInit) =>
      fetch(new URL(new URL(url).pathname, server.url), options),
    )
    await using alice = await openClient(profile(world, "alice", service, { live: false }))
    await (await alice.createConversation({ title: "notes" })).send("as ever")
    assert.ok(server.asked.some(({ kind }) => kind === "append"))
    assert.ok(server.asked.every(({ way }) => way !== "http"))
  })

  it("takes the host of an offer that is the one it has asked", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world, { host: "127.0.0.1" })
    await using alice = await openClient(profile(world, "alice", server.url))
    await (await alice.createConversation({ title: "notes" })).send("as ever")
    assert.ok(server.asked.every(({ way }) => way !== "http"))
  })

  it("takes what is kept of one service for no other", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    await using other = await serving(world)
    const options = profile(world, "alice", server.url)
    await (await openClient(options)).close()
    await using alice = await openClient({ ...options, service: other.url })
    await (await alice.createConversation({ title: "notes" })).send("to the other one")
    assert.ok(server.asked.length > 0 && server.asked.every(({ kind }) => kind !== "append"))
    assert.ok(other.asked.some(({ kind }) => kind === "append"))
    assert.ok(other.asked.every(({ way }) => way !== "http"))
  })

  it("reads no offer to its end that has none", async () => {
    await using world = new World({ realClock: true })
    const endless = createHttpServer((_, response) => {
      const more = () => {
        while (response.writable && response.write(new Uint8Array(16_384)));
      }
      response.on("drain", more)
      more()
    })
    await new Promise<void>((resolve) => endless.listen(0, "127.0.0.1", resolve))
    const { port } = endless.address() as AddressInfo
    const told: Error[] = []
    try {
      const ways = connectFastOpen(`http://127.0.0.1:${port}/`, {
        provider,
        ordinary: { delivery: world.transport("delivery"), auth: world.transport("auth") },
        policy: "private",
        onFallback: (reason) => void told.push(reason),
      })
      await using alice = await world.open("alice", { ...ways, now: Date.now })
      assert.equal(alice.name, "alice")
    } finally {
      endless.closeAllConnections()
      endless.close()
    }
    assert.match(`${told[0]?.cause}`, /the service's offer is too long/)
  })

  it("says which package it needs where that is not installed, and what else keeps it from being loaded", async () => {
    const main = new URL("../src/node.js", import.meta.url).href
    const told = (thrown: string) => {
      const load = `export async function load(url, context, next) {
        if (url.endsWith("/service/fast-open.js")) throw Object.assign(new Error("cannot be loaded"), ${thrown})
        return next(url, context)
      }`
      const script = `import { register } from "node:module"
        register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(load)}`)})
        const { openClient } = await import(${JSON.stringify(main)})
        const options = { name: "alice", service: "http://127.0.0.1:9/", profile: ":memory:", fastOpen: true }
        await openClient({ ...options, sealingKey: new Uint8Array(32) }).catch((error) => console.log(error.message))`
      return spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }).stdout.trim()
    }
    assert.equal(
      told(`{ code: "ERR_MODULE_NOT_FOUND" }`),
      "sealed requests need a package: npm install @conclave/fast-open",
    )
    assert.equal(told("{}"), "cannot be loaded")
  })

  it("does without by default", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    for (const fastOpen of [undefined, false, "off"] as const) {
      const { fastOpen: _, ...options } = profile(world, `alice-${fastOpen}`, server.url)
      await (await openClient({ ...options, ...(fastOpen !== undefined && { fastOpen }) })).close()
    }
    assert.ok(server.asked.length > 0 && server.asked.every(({ way }) => way === "http"))
  })
})
