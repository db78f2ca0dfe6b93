import assert from "node:assert/strict"
import { createConnection } from "node:net"
import { describe, it } from "node:test"
import { connect, type Handler } from "@conclave/transport/node"
import { requesterAt } from "@conclave/transport/parts"
import type { Listener } from "../src/index.js"
import { seemsForwarded, TrustedProxies } from "../src/listener/peer.js"
import { serve, text, utf8 } from "./support.js"

/** Answers with what it is told of who asks. */
const whoAsks: Handler = async function* (_, { peer, network }) {
  yield utf8(`${peer} in ${network}`)
}

const nameOf = (address: string) => `${requesterAt(address)?.peer} in ${requesterAt(address)?.network}`

/** The answer to a POST of `headers`, from `localAddress`. */
function ask(listener: Listener, localAddress: string, headers: Record<string, string> = {}): Promise<string> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return new Promise((resolve, reject) => {
    let answer = ""
    createConnection({ port: Number(listener.url.port), host: "127.0.0.1", localAddress })
      .on("data", (part) => {
        answer += part
      })
      .on("error", reject)
      .on("close", () => resolve(answer.split("\r\n\r\n")[1]!))
      .end(
        "POST /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n" +
          `content-length: 1\r\n${lines.join("")}\r\n?`,
      )
  })
}

describe("who asks", { timeout: 10_000 }, () => {
  it("is told to a service by requests and by streams: the address, on this machine too, and its network", async () => {
    await using listener = await serve({ who: whoAsks }, { host: "127.0.0.1" })
    await using transport = connect(new URL("/who", listener.url))
    assert.equal(text(await transport.request(utf8("?"))), nameOf("127.0.0.1"))
    for await (const answer of transport.subscribe(utf8("?"))) assert.equal(text(answer), nameOf("127.0.0.1"))
    assert.equal(await ask(listener, "127.0.9.8"), nameOf("127.0.9.8"))
  })

  it("is the last hop that no trusted proxy stands at", async () => {
    const trustedProxies = ["127.0.2.0/24", "10.0.0.1", "2001:db8::/32"]
    await using listener = await serve({ who: whoAsks }, { host: "127.0.0.1", trustedProxies })
    const forwarded: readonly [string, string][] = [
      ["192.0.2.7", "192.0.2.7"],
      ["198.51.100.1, 192.0.2.7", "192.0.2.7"],
      ["198.51.100.1, 192.0.2.7, 10.0.0.1", "192.0.2.7"],
      ["192.0.2.7, 2001:db8::5, 10.0.0.1", "192.0.2.7"],
      ["192.0.2.7:1234", "192.0.2.7"],
      ["[2001:db9::7]:443", "2001:db9::7"],
      ["2001:db9::7", "2001:db9::7"],
      ["10.0.0.1", "10.0.0.1"],
      ["192.0.2.7, unknown", "127.0.2.1"],
      ["192.0.2.7, nonsense, 10.0.0.1", "10.0.0.1"],
      ["", "127.0.2.1"],
    ]
    for (const [header, client] of forwarded) {
      assert.equal(await ask(listener, "127.0.2.1", { "x-forwarded-for": header }), nameOf(client), header)
    }
    assert.equal(await ask(listener, "127.0.2.1"), nameOf("127.0.2.1"))
  })

  it("is not what a hop that nobody trusts says of it", async () => {
    await using listener = await serve({ who: whoAsks }, { host: "127.0.0.1", trustedProxies: ["127.0.2.1"] })
    const forged = { "x-forwarded-for": "192.0.2.7, 127.0.2.1", forwarded: "for=192.0.2.7", "x-real-ip": "192.0.2.7" }
    assert.equal(await ask(listener, "127.0.3.1", forged), nameOf("127.0.3.1"))
    await using other = await serve({ who: whoAsks }, { host: "127.0.0.1" })
    assert.equal(await ask(other, "127.0.0.1", forged), nameOf("127.0.0.1"))
  })

  it("is nobody where the connection is gone", () => {
    const gone = { socket: { remoteAddress: undefined }, headers: { "x-forwarded-for": "192.0.2.7" } }
    assert.equal(new TrustedProxies(["127.0.0.1"]).clientAddress(gone as never), undefined)
    assert.equal(seemsForwarded(gone as never), false)
    assert.equal(new TrustedProxies(["0.0.0.0/0", "::/0"]).has("unknown"), false)
  })

  it("seems to stand behind a proxy where one of this machine or a private network says so", () => {
    const seems = (remoteAddress: string, headers: object) =>
      seemsForwarded({ socket: { remoteAddress }, headers } as never)
    const headers = { "x-forwarded-for": "192.0.2.7" }
    for (const own of ["127.0.0.1", "::1", "10.1.2.3", "::ffff:192.168.0.1", "fe80::1%eth0"]) {
      assert.deepEqual([seems(own, headers), seems(own, {})], [true, false], own)
    }
    for (const other of ["203.0.113.9", "2001:db8::1", "172.32.0.1"]) assert.equal(seems(other, headers), false, other)
  })

  it("is named by addresses and networks, and by nothing else", () => {
    for (const network of ["localhost", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/8/8", "", "1.2.3.4/-1"]) {
      assert.throws(() => new TrustedProxies([network]), TypeError, network)
    }
    const every = new TrustedProxies(["0.0.0.0/0"])
    assert.deepEqual([every.has("203.0.113.9"), every.has("::ffff:203.0.113.9"), every.has("::1")], [true, true, false])
  })
})
