import assert from "node:assert/strict"
import { once } from "node:events"
import { createConnection } from "node:net"
import { describe, it } from "node:test"
import type { Listener } from "../src/index.js"
import { isLoopback } from "../src/listener/hosts.js"
import { line, openSocket, start, until } from "./shares-support.js"
import { echo, serve } from "./support.js"

describe("a listener that only this machine reaches", { timeout: 10_000 }, () => {
  const ask = async (listener: Listener, host: string) =>
    (await line(listener, "127.0.0.1", `GET /x HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`).closed).slice(
      9,
      12,
    )

  it("answers to the names of this machine, and to none that a page made mean it", async () => {
    const { listener, refused } = await start({ hosts: ["chat.example"] })
    await using _ = listener
    for (const host of ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:1", "chat.example", "chat.example.:9"]) {
      assert.equal(await ask(listener, host), "404", host)
    }
    const others = ["rebound.example", "localhost.rebound.example", "127.0.0.1.nip.io", "0.0.0.0", "", "a@localhost"]
    for (const host of others) assert.equal(await ask(listener, host), "421", host)
    assert.equal(refused("host"), others.length)
  })

  it("gives no socket to a page of such a name, although its origin is the same", async () => {
    const { listener, refused } = await start()
    await using _ = listener
    const headers = { host: "rebound.example" }
    await assert.rejects(openSocket(listener, { headers, origin: "http://rebound.example" }), /421/)
    await assert.rejects(openSocket(listener, { origin: "http://rebound.example" }), /403/)
    assert.deepEqual([refused("host"), refused("origin")], [1, 1])
    ;(await openSocket(listener, { origin: listener.url.origin })).terminate()
  })

  it("hangs up on a socket that it refused, whether the client does or not", async () => {
    const { listener, shares } = await start()
    await using _ = listener
    const socket = createConnection({ port: Number(listener.url.port), host: "127.0.0.1", allowHalfOpen: true })
    socket.on("error", () => {})
    socket.write("GET /elsewhere HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    await once(socket.resume(), "end")
    assert.equal(shares.held("connections"), 1)
    await until(() => shares.held("connections") === 0)
    assert.equal(shares.held("connections"), 0)
    socket.destroy()
  })

  it("is not one that other machines reach, unless names are given", async () => {
    await using every = await serve({ echo }, { host: "0.0.0.0" })
    assert.equal(await ask(every, "anything.example"), "404")
    await using named = await serve({ echo }, { host: "0.0.0.0", hosts: ["chat.example"] })
    assert.deepEqual([await ask(named, "anything.example"), await ask(named, "chat.example")], ["421", "404"])
    await using open = await serve({ echo }, { host: "127.0.0.1", hosts: "any" })
    assert.equal(await ask(open, "anything.example"), "404")
    const loopback = ["localhost", "LOCALHOST", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
    for (const host of loopback) assert.equal(isLoopback(host), true, host)
    for (const host of ["example.org", "0.0.0.0", "::", "::2", ""]) assert.equal(isLoopback(host), false, host)
  })
})

describe("a proxy that nobody named", { timeout: 10_000 }, () => {
  it("is told once, where it is on this machine or a private network", async () => {
    let told = 0
    const onUntrustedProxy = () => void told++
    await using listener = await serve({ echo }, { host: "127.0.0.1", onUntrustedProxy })
    const ask = (headers: Record<string, string>) => fetch(listener.url, { headers })
    await ask({})
    assert.equal(told, 0)
    await ask({ "x-forwarded-for": "192.0.2.1" })
    await ask({ "x-forwarded-for": "192.0.2.2" })
    assert.equal(told, 1)
    await using named = await serve({ echo }, { host: "127.0.0.1", onUntrustedProxy, trustedProxies: ["127.0.0.1"] })
    await fetch(named.url, { headers: { "x-forwarded-for": "192.0.2.1" } })
    assert.equal(told, 1)
  })
})
