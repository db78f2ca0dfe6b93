import assert from "node:assert/strict"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, createConnection, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { fileURLToPath } from "node:url"
import { connect, type Handler, Shares } from "@conclave/transport/node"
import type { Listener } from "../src/index.js"
import { sendText } from "../src/listener/text.js"
import { echo, serve, silent, text, utf8 } from "./support.js"

/** Sends bytes as they are over TCP and returns all that comes back until the server hangs up. */
async function exchange(listener: Listener, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = createConnection(Number(listener.url.port), listener.url.hostname)
  await once(socket, "connect")
  let answer = ""
  socket.on("data", (part) => {
    answer += part.toString("latin1")
  })
  // A reset after the answer is the server's way of not reading the rest.
  socket.on("error", () => {})
  const closed = once(socket, "close")
  for (const part of parts) socket.write(part)
  await closed
  return answer
}

const post = (path: string, headers: Record<string, string> = {}, body = "hello") =>
  `POST ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${Object.entries({
    "content-type": "application/octet-stream",
    "content-length": `${body.length}`,
    ...headers,
  })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n${body}`

describe("whatever arrives over HTTP gets a readable answer", { timeout: 20_000 }, () => {
  const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1])
  const cases: Readonly<Record<string, [string, number, RegExp]>> = {
    "a request to a service": [post("/echo"), 200, /\r\n\r\nhello$/],
    "a request to a service, with a query": [post("/echo?a=b"), 200, /\r\n\r\nhello$/],
    "a request of a type that the listener was told of": [
      post("/echo", { "content-type": "Message/Example; of=this" }),
      200,
      /hello$/,
    ],
    "a request of another type": [post("/echo", { "content-type": "message/other" }), 415, /octet-stream/],
    "a GET to a service": ["GET /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 405, /allow: POST/i],
    "a form": [post("/echo", { "content-type": "text/plain" }), 415, /octet-stream/],
    "a path that is not there": [post("/nowhere"), 404, /nothing at this path/],
    "a name that every object has": [post("/constructor"), 404, /nothing at this path/],
    "a GET to the path of sockets": [
      "GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
      426,
      /WebSockets only/,
    ],
    "a body longer than is allowed": [post("/echo", { "content-length": "999999999" }), 413, /at most 1000 bytes/],
    "an upgrade to something else": [
      "GET /elsewhere HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
      404,
      /no socket at this path/,
    ],
    "an upgrade without a key": [
      "GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
      400,
      /Sec-WebSocket-Key/i,
    ],
    noise: ["\u0000\u0001\u0002 what is this\r\n\r\n", 400, /this is not HTTP/],
    "another protocol": ["SSH-2.0-OpenSSH_9.6\r\n", 400, /this is not HTTP/],
    "a head without end": [`GET / HTTP/1.1\r\na: ${"a".repeat(20_000)}`, 431, /too long/],
    "a body that says two lengths": [post("/echo", { "transfer-encoding": "chunked" }), 400, /not HTTP/],
  }
  for (const [what, [request, status, content]] of Object.entries(cases)) {
    it(`${what}: ${status}`, async () => {
      const mediaTypes = ["message/example"]
      await using listener = await serve({ echo }, { limits: { requestSizeMax: 1000 }, mediaTypes })
      const answer = await exchange(listener, request)
      assert.equal(statusOf(answer), status, answer)
      assert.match(answer, content)
      await using transport = connect(new URL("echo", listener.url))
      assert.equal(text(await transport.request(utf8("still there"))), "still there")
    })
  }

  it("a type that a page of any origin may send is not taken for one of requests", async () => {
    for (const type of ["text/plain", "Multipart/Form-Data", "application/x-www-form-urlencoded"])
      await assert.rejects(serve({ echo }, { mediaTypes: [type] }), { name: "TypeError", message: /any origin/ })
  })

  it("a body in pieces that grows beyond the limit is cut off", async () => {
    await using listener = await serve({ echo }, { limits: { requestSizeMax: 1000 } })
    const head =
      "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    const piece = `1f4\r\n${"a".repeat(500)}\r\n`
    assert.equal(statusOf(await exchange(listener, head, piece, piece, piece)), 413)
  })

  it("a body that breaks off is no request: the service is not asked", async () => {
    const asked: number[] = []
    const shares = new Shares()
    const noting: Handler = async function* (request) {
      asked.push(request.length)
      yield request
    }
    await using listener = await serve({ noting }, { shares })
    const socket = createConnection(Number(listener.url.port), listener.url.hostname)
    socket.on("error", () => {})
    socket.write(post("/noting", { "content-length": "10" }))
    while (shares.held("received") === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    socket.destroy()
    while (shares.held("received") > 0) await new Promise((resolve) => setTimeout(resolve, 1))
    assert.equal(statusOf(await exchange(listener, post("/noting"))), 200)
    assert.deepEqual(asked, [5])
  })

  it("an answer, of a service or a file, that does not fit into its asker's share: 503", async (test) => {
    const share = { peer: 2_000, network: 2_000, all: 10_000 }
    const shares = new Shares({ limits: { unsent: share } })
    const folder = mkdtempSync(join(tmpdir(), "conclave-static-"))
    test.after(() => rmSync(folder, { recursive: true, force: true }))
    for (const size of [1_000, 2_000]) writeFileSync(join(folder, `${size}.txt`), "x".repeat(size))
    await using listener = await serve({ echo }, { shares, static: folder })
    for (const [size, status] of [
      [1_000, 200],
      [2_000, 503],
    ] as const) {
      assert.equal(statusOf(await exchange(listener, post("/echo", {}, "x".repeat(size)))), status)
      assert.equal((await fetch(new URL(`${size}.txt`, listener.url))).status, status)
    }
  })

  it("a head that never ends in time: 408", async () => {
    await using listener = await serve({ echo }, { limits: { headTimeoutMilliseconds: 100 } })
    const answer = await exchange(listener, "GET / HTTP/1.1\r\nhost: localhost\r\n")
    assert.equal(statusOf(answer), 408)
  })

  it("a service that takes too long: 503, and it is told to stop", async () => {
    const { handler, left } = silent()
    await using listener = await serve({ silent: handler }, { limits: { answerTimeoutMilliseconds: 50 } })
    const answer = await exchange(listener, post("/silent"))
    assert.equal(statusOf(answer), 503)
    assert.match(answer, /took too long/)
    await left
  })

  it("an asker that hangs up: the service is told to stop", async () => {
    const { handler, entered, left } = silent()
    await using listener = await serve({ silent: handler })
    const socket = createConnection(Number(listener.url.port), listener.url.hostname)
    socket.write(post("/silent"))
    entered.then(() => socket.destroy())
    await left
  })
})

describe("files beside the services", { timeout: 20_000 }, () => {
  function page(test: TestContext): string {
    const folder = mkdtempSync(join(tmpdir(), "conclave-static-"))
    test.after(() => rmSync(folder, { recursive: true, force: true }))
    const root = join(folder, "page")
    mkdirSync(join(root, "assets"), { recursive: true })
    writeFileSync(join(folder, "secret.txt"), "outside")
    writeFileSync(join(root, "index.html"), "<!doctype html><title>Conclave</title>")
    writeFileSync(join(root, "assets", "main-Bx81kd0Q.js"), "export {}")
    writeFileSync(join(root, "assets", "sodium.wasm"), "\0asm")
    writeFileSync(join(root, "empty.css"), "")
    writeFileSync(join(root, ".hidden"), "hidden")
    symlinkSync(join(folder, "secret.txt"), join(root, "link.txt"))
    return root
  }
  const get = (listener: Listener, path: string, headers = "") =>
    exchange(listener, `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${headers}\r\n`)

  it("have their types, and a policy that lets a page run nothing but what is served here", async (test) => {
    await using listener = await serve({ echo }, { static: page(test) })
    const answer = await fetch(listener.url)
    assert.equal(answer.status, 200)
    assert.match(await answer.text(), /Conclave/)
    assert.equal(answer.headers.get("content-type"), "text/html; charset=utf-8")
    const policy = answer.headers.get("content-security-policy")!.split("; ")
    for (const rule of [
      "default-src 'none'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
    ]) {
      assert.ok(policy.includes(rule), rule)
    }
    assert.doesNotMatch(policy.join(), /unsafe-inline|'unsafe-eval'|\*/)
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff")
    const wasm = await fetch(new URL("assets/sodium.wasm", listener.url))
    assert.equal(wasm.headers.get("content-type"), "application/wasm")
    assert.equal((await fetch(new URL("empty.css", listener.url))).headers.get("content-length"), "0")
  })

  it("are asked for again, except those whose name changes with their content", async (test) => {
    await using listener = await serve({ echo }, { static: page(test) })
    const hashed = await fetch(new URL("assets/main-Bx81kd0Q.js", listener.url))
    assert.match(hashed.headers.get("cache-control")!, /immutable/)
    const index = await fetch(listener.url)
    assert.equal(index.headers.get("cache-control"), "no-cache")
    const again = await fetch(listener.url, { headers: { "if-none-match": index.headers.get("etag")! } })
    assert.equal(again.status, 304)
    const other = await fetch(listener.url, { headers: { "if-none-match": '"something else"' } })
    assert.equal(other.status, 200)
  })

  it("are the folder's only: no path leads out of it", async (test) => {
    await using listener = await serve({ echo }, { static: page(test) })
    for (const path of [
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/assets/../../secret.txt",
      "/assets/..%5c..%5csecret.txt",
      "/link.txt",
      "/.hidden",
      "/assets",
      "/assets/",
      "/%00",
      "/%ff",
      "//etc/passwd",
      "http://elsewhere/secret.txt",
    ]) {
      const answer = await get(listener, path)
      assert.match(answer, /^HTTP\/1\.1 404 /, path)
      assert.doesNotMatch(answer, /outside|hidden$/, path)
    }
  })

  it("are only read", async (test) => {
    await using listener = await serve({ echo }, { static: page(test) })
    for (const method of ["POST", "PUT", "DELETE"]) {
      assert.equal((await fetch(listener.url, { method, body: "x" })).status, 405)
    }
    const head = await fetch(listener.url, { method: "HEAD" })
    assert.deepEqual([head.status, await head.text()], [200, ""])
  })

  it("need a folder that is there", async () => {
    await assert.rejects(serve({ echo }, { static: "/no/such/folder" }), /ENOENT/)
    const file = fileURLToPath(import.meta.url)
    await assert.rejects(serve({ echo }, { static: file }), { name: "TypeError", message: `${file} is not a folder` })
  })

  it("are files that can be opened: nothing is at the path of a socket", async (test) => {
    const root = page(test)
    const local = createServer().listen(join(root, "local"))
    test.after(() => local.close())
    await once(local, "listening")
    await using listener = await serve({ echo }, { static: root })
    assert.match(await get(listener, "/local"), /^HTTP\/1\.1 404 /)
  })
})

describe("a listener", { timeout: 20_000 }, () => {
  it("that closes lets a request finish, ends streams and takes no more", async () => {
    let finish = () => {}
    const started = new Promise<void>((resolve) => {
      const finished = new Promise<void>((done) => {
        finish = done
      })
      handlers.slow = async function* () {
        resolve()
        await finished
        yield utf8("done")
      }
    })
    const { handler } = silent()
    const listener = await serve({ slow: (request, context) => handlers.slow!(request, context), silent: handler })
    await using transport = connect(new URL("slow", listener.url))
    await using streaming = connect(new URL("silent", listener.url))
    const asking = transport.request(utf8(""))
    const stream = streaming.subscribe(utf8(""))[Symbol.asyncIterator]().next()
    const streamEnd = assert.rejects(stream, /socket is gone/)
    await started
    await new Promise((resolve) => setTimeout(resolve, 100))
    const closing = listener.close()
    await streamEnd
    finish()
    assert.equal(text(await asking), "done")
    await closing
    await assert.rejects(transport.request(utf8("")))
  })

  it("that closes does not wait for ever", async () => {
    const stubborn = async function* () {
      yield* []
      await new Promise(() => {})
    }
    const listener = await serve({ stubborn }, { limits: { closeTimeoutMilliseconds: 100 } })
    const asking = fetch(new URL("stubborn", listener.url), {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: "x",
    })
    const cut = assert.rejects(asking)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await listener.close()
    await cut
  })

  it("is closed by its signal", async () => {
    const stop = new AbortController()
    const listener = await serve({ echo }, { signal: stop.signal })
    stop.abort()
    await listener.close()
    await assert.rejects(fetch(listener.url))
  })

  it("takes no more connections than it has room for, and serves on", async () => {
    const shares = new Shares({ limits: { connections: { peer: 5, network: 5, all: 5 } } })
    await using listener = await serve({ echo }, { shares })
    const sockets = Array.from({ length: 20 }, () => createConnection(Number(listener.url.port), listener.url.hostname))
    const closed: Promise<unknown>[] = sockets.map((socket) =>
      once(
        // Those that are refused have an answer to read.
        socket.on("error", () => {}).resume(),
        "close",
      ),
    )
    await Promise.race(closed)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(sockets.filter((socket) => !socket.destroyed && socket.readable).length, 5)
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
    await using transport = connect(new URL("echo", listener.url))
    assert.equal(text(await transport.request(utf8("hi"))), "hi")
  })

  it("cuts an answer that has begun and cannot be finished", async (test) => {
    const server = createHttpServer((_, response) => {
      response.writeHead(200, { "content-length": 10 }).write("half")
      sendText(response, 500, "the server failed")
    }).listen(0, "127.0.0.1")
    test.after(() => server.close())
    await once(server, "listening")
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await assert.rejects(fetch(url).then((answer) => answer.text()))
  })

  it("on a port that is taken rejects and says which", async () => {
    await using listener = await serve({ echo })
    await assert.rejects(serve({ echo }, { port: Number(listener.url.port) }), /EADDRINUSE/)
  })
})

const handlers: { slow?: import("@conclave/transport").Handler } = {}
