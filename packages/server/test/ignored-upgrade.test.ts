import assert from "node:assert/strict"
import { execFile, spawnSync } from "node:child_process"
import { once } from "node:events"
import { createConnection } from "node:net"
import { describe, it } from "node:test"
import { promisify } from "node:util"
import type { Handler } from "@conclave/transport"
import { raw, upgradeTo } from "./composed-support.js"
import { echo, serve } from "./support.js"

const H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"

const post = (path: string, body: string, headers = H2C) =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n${headers}` +
  `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

const noCurl = String(spawnSync("curl", ["--version"]).stdout).includes("HTTP2") ? false : "needs curl with HTTP/2"

const answersIn = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status))

/** Answers when it is let. */
function slow(): { handler: Handler; asked: Promise<void>; answer: () => void } {
  let isAsked = () => {}
  let answer = () => {}
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve
  })
  const mayAnswer = new Promise<void>((resolve) => {
    answer = resolve
  })
  const handler: Handler = async function* (request) {
    isAsked()
    await mayAnswer
    yield request
  }
  return { handler, asked, answer }
}

describe("a request with Upgrade to another protocol than WebSocket (RFC 9110 section 7.8)", {
  timeout: 20_000,
}, () => {
  it("is answered as if it did not ask, whatever the path", async () => {
    await using listener = await serve({ echo })
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${H2C}\r\n`
    assert.match(await raw(listener.url, post("/echo", "hello")), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhello$/)
    assert.match(await raw(listener.url, get("/healthz")), /^HTTP\/1\.1 200 /)
    assert.match(await raw(listener.url, get("/nowhere")), /^HTTP\/1\.1 404 [\s\S]*there is nothing at this path/)
    assert.match(await raw(listener.url, get("/socket")), /^HTTP\/1\.1 426 [\s\S]*WebSockets only/)
    assert.match(await raw(listener.url, get("/healthz").replace("localhost", "evil.example")), /^HTTP\/1\.1 421 /)
    assert.match(await raw(listener.url, upgradeTo("/socket")), /^HTTP\/1\.1 101 /)
  })

  it("may have its body later, and one that is too long is refused", async () => {
    await using listener = await serve({ echo }, { limits: { requestSizeMax: 1_000 } })
    const socket = createConnection(Number(listener.url.port), listener.url.hostname)
    const [head, body] = post("/echo", "hello").split("\r\n\r\n")
    socket.write(`${head}\r\n\r\n`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.write(body!)
    const chunks: Buffer[] = []
    socket.on("data", (chunk) => chunks.push(chunk))
    await once(socket, "close")
    assert.match(String(Buffer.concat(chunks)), /^HTTP\/1\.1 200 [\s\S]*connection: close[\s\S]*hello$/i)
    assert.match(await raw(listener.url, post("/echo", "x".repeat(1_001))), /^HTTP\/1\.1 413 /)
  })

  it("after another on one connection waits for its answer, and is the last of the connection", async () => {
    const { handler, asked, answer } = slow()
    await using listener = await serve({ slow: handler, echo })
    const many = post("/echo", "third").repeat(1_000)
    const answers = raw(listener.url, post("/slow", "first", "") + post("/echo", "second") + many)
    await asked
    await new Promise((resolve) => setTimeout(resolve, 50))
    answer()
    const got = await answers
    assert.deepEqual(answersIn(got), [200, 200])
    assert.match(got, /first[\s\S]*second$/)
  })

  it("has its whole head however many headers that has: its body is no second request", async () => {
    for (const count of [10, 1_100, 3_900]) {
      const heard: string[] = []
      const handler: Handler = async function* (request) {
        heard.push(String(Buffer.from(request)))
        yield request
      }
      await using listener = await serve({ echo: handler })
      const inner = post("/echo", "smuggled", "")
      const answer = await raw(listener.url, post("/echo", inner, H2C + "a:\r\n".repeat(count)))
      assert.deepEqual(answersIn(answer.split("\r\n\r\n")[0]!), [200])
      assert.deepEqual(heard, [inner])
    }
  })

  it("is the last that is carried out on its connection (RFC 9112 section 9.6)", async () => {
    for (const headers of [H2C, H2C.replace("h2c", "websocket7, h2c")]) {
      const heard: string[] = []
      const handler: Handler = async function* (request) {
        heard.push(String(Buffer.from(request)))
        yield request
      }
      await using listener = await serve({ echo: handler })
      const behind = post("/echo", "behind", "").repeat(3)
      const answer = await raw(listener.url, post("/echo", "first", "") + post("/echo", "last", headers) + behind)
      assert.deepEqual(answersIn(answer), [200, 200])
      assert.deepEqual(heard, ["first", "last"])
    }
  })

  it("of a client that hangs up before its turn is nothing to the service", async () => {
    for (const first of [post("/slow", "first", ""), post("/slow", "first")]) {
      const { handler, asked, answer } = slow()
      await using listener = await serve({ slow: handler, echo })
      const socket = createConnection(Number(listener.url.port), listener.url.hostname)
      socket.write(first + post("/echo", "second"))
      await asked
      socket.resetAndDestroy()
      await new Promise((resolve) => setTimeout(resolve, 50))
      answer()
      assert.match(await raw(listener.url, post("/echo", "hello")), /^HTTP\/1\.1 200 /)
    }
  })

  it("of curl is answered", { skip: noCurl }, async () => {
    await using listener = await serve({ echo })
    const words = ["-sS", "--http2", "--max-time", "10", "-w", " %{http_code} %{http_version}"]
    const { stdout } = await promisify(execFile)("curl", [...words, new URL("healthz", listener.url).href])
    assert.match(stdout, / 200 1\.1$/)
  })
})
