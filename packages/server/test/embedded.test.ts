import assert from "node:assert/strict"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2"
import { type AddressInfo, createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { connect } from "@conclave/transport/node"
import { WebSocket, WebSocketServer } from "ws"
import type { Conclave } from "../src/index.js"
import {
  type Application,
  application,
  askBothWays,
  composed,
  headOfNothing,
  post,
  raw,
  statusOf,
  upgradeTo,
} from "./composed-support.js"

/** An application with a route and a WebSocket of its own, and Conclave at `/conclave`. */
async function beside(conclave: Conclave): Promise<Application> {
  const own = new WebSocketServer({ noServer: true })
  return application(
    (request, response) => {
      if (conclave.handler(request, response)) return
      response.writeHead(request.url === "/hello" ? 200 : 404).end("of the application")
    },
    (request, socket, head) => {
      if (conclave.upgrade(request, socket, head)) return
      if (request.url !== "/own") return void socket.end("HTTP/1.1 404 Not Found\r\nx-of: application\r\n\r\n")
      own.handleUpgrade(request, socket, head, (webSocket) => webSocket.send("of the application"))
    },
  )
}

describe("inside an application's server", { timeout: 20_000 }, () => {
  it("answers at its path over HTTP and WebSocket, and leaves the rest to the application", async () => {
    await using conclave = await composed({ mount: "/conclave" })
    await using app = await beside(conclave)
    assert.deepEqual(await askBothWays(new URL("conclave/", app.url)), ["notFound", "notFound"])
    assert.equal(await (await fetch(new URL("hello", app.url))).text(), "of the application")
    const own = new WebSocket(new URL("own", app.url))
    assert.equal(`${(await once(own, "message"))[0]}`, "of the application")
    own.close()
  })

  it("says nothing to paths that only look like its own", async () => {
    await using conclave = await composed({ mount: "/conclave" })
    await using app = await beside(conclave)
    for (const path of [
      "/delivery",
      "//conclave/delivery",
      "/conclave%2Fdelivery",
      "/%63onclave/delivery",
      "/conclave/%64elivery",
      "/conclave/x/../delivery",
      "/conclave/delivery/",
      "/conclave//delivery",
      "/conclave/constructor",
      "/conclave/nothing",
      "/conclaves/delivery",
      "http://localhost/conclave/delivery",
      "http://elsewhere/conclave/delivery",
    ]) {
      const answer = await raw(app.url, `POST ${path} HTTP/1.1\r\nhost: localhost:80\r\nconnection: close\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 404 [\s\S]*of the application/, path)
      assert.doesNotMatch(answer, /content-security-policy/, path)
    }
    for (const path of [
      "/socket",
      "//conclave/socket",
      "/conclave/socket/",
      "/conclave/%73ocket",
      "/conclave/delivery",
    ])
      assert.match(await raw(app.url, upgradeTo(path)), /^HTTP\/1\.1 404 [\s\S]*x-of: application/, path)
  })

  it("calls next in place of answering, and answers at what a framework has left of a path", async () => {
    await using conclave = await composed()
    const passed: string[] = []
    await using app = await application((request, response) => {
      const whole = request.url!
      const stripped = Object.assign(request, { originalUrl: whole, url: whole.replace(/^\/api/, "") })
      const next = () => {
        passed.push(whole)
        response.writeHead(404).end()
      }
      conclave.handler(stripped, response, next)
    })
    assert.equal(await post(new URL("api/delivery", app.url), headOfNothing), 200)
    assert.equal(await post(new URL("api/other", app.url), headOfNothing), 404)
    assert.deepEqual(passed, ["/api/other"])
  })

  it("with a page, leaves to the application what is no file of it", async (test) => {
    const page = mkdtempSync(join(tmpdir(), "conclave-page-"))
    test.after(() => rmSync(page, { recursive: true, force: true }))
    writeFileSync(join(page, "index.html"), "the page")
    await using conclave = await composed({ page, mount: "/conclave" })
    await using app = await application((request, response) => {
      conclave.handler(request, response, () => response.writeHead(404).end("of the application"))
    })
    const get = async (path: string, method = "GET") => {
      const answer = await fetch(new URL(path, app.url), { method })
      return [answer.status, await answer.text(), answer.headers.has("content-security-policy")]
    }
    assert.deepEqual(await get("conclave/"), [200, "the page", true])
    assert.deepEqual(await get("conclave/missing"), [404, "of the application", false])
    assert.deepEqual(await get("conclave/index.html", "DELETE"), [404, "of the application", false])
    assert.deepEqual(await get("index.html"), [404, "of the application", false])
  })

  it("answers under any name, unless it is told its names", async () => {
    for (const [hosts, expected] of [
      [undefined, 200],
      [["chat.example"], 421],
    ] as const) {
      await using conclave = await composed({ ...(hosts && { hosts }) })
      await using app = await beside(conclave)
      assert.equal(await post(new URL("delivery", app.url), headOfNothing, { host: "other.example:80" }), expected)
      assert.equal(await post(new URL("delivery", app.url), headOfNothing, { host: "chat.example:8443" }), 200)
      // What is not Conclave's is not judged by it.
      assert.equal((await fetch(new URL("hello", app.url))).status, 200)
    }
  })

  it("tells the developer of a body that was read before, and takes one that was kept as it was", async () => {
    const faults: unknown[] = []
    const limits = { listener: { requestSizeMax: 1_000 } }
    await using conclave = await composed({ limits, onError: (error) => faults.push(error) })
    let keeps = false
    await using app = await application(async (request, response) => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      if (keeps) Object.assign(request, { body: Buffer.concat(parts) })
      conclave.handler(request, response)
    })
    const url = new URL("delivery", app.url)
    const headers = { "content-type": "application/octet-stream" }
    const refused = await fetch(url, { method: "POST", headers, body: headOfNothing })
    assert.equal(refused.status, 500)
    assert.match(await refused.text(), /mount Conclave before express\.json\(\)/)
    assert.match(`${faults}`, /mount Conclave before express\.json\(\)/)
    keeps = true
    assert.equal(await post(url, headOfNothing), 200)
    const chunked = { "transfer-encoding": "chunked" }
    assert.equal(await post(url, new Uint8Array(1_000), chunked), 200)
    assert.equal(await post(url, new Uint8Array(1_001), chunked), 413)
    assert.equal(faults.length, 1)
  })

  it("leaves requests of HTTP/2 to the application, and tells its developer why", async () => {
    const faults: unknown[] = []
    await using conclave = await composed({ onError: (error) => faults.push(error) })
    const server = createHttp2Server((request, response) => {
      const passedOn = conclave.handler(request as never, response as never)
      response.writeHead(passedOn ? 200 : 404).end()
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    try {
      const asking = session.request({ ":path": "/delivery", ":method": "POST" }).end()
      assert.equal((await once(asking, "response"))[0][":status"], 404)
      assert.match(`${faults}`, /HTTP\/1\.1 alone/)
    } finally {
      session.destroy()
      server.close()
    }
  })

  it("answers once where it is registered twice", async () => {
    const faults: unknown[] = []
    await using conclave = await composed({ onError: (error) => faults.push(error) })
    await using app = await application(
      (request, response) => {
        assert.equal(conclave.handler(request, response), true)
        assert.equal(conclave.handler(request, response), true)
      },
      (request, socket, head) => {
        assert.equal(conclave.upgrade(request, socket, head), true)
        assert.equal(conclave.upgrade(request, socket, head), true)
      },
    )
    assert.deepEqual(await askBothWays(app.url), ["notFound", "notFound"])
    assert.deepEqual(faults, [])
  })

  it("is there twice at two paths, each with its own data", async () => {
    await using one = await composed({ mount: "/one" })
    await using two = await composed({ mount: "/two" })
    await using app = await application(
      (request, response) => {
        if (!one.handler(request, response) && !two.handler(request, response)) response.writeHead(404).end()
      },
      (request, socket, head) => {
        if (!one.upgrade(request, socket, head) && !two.upgrade(request, socket, head)) socket.destroy()
      },
    )
    for (const mount of ["one/", "two/"])
      assert.deepEqual(await askBothWays(new URL(mount, app.url)), ["notFound", "notFound"])
  })
})

describe("closing inside an application's server", { timeout: 20_000 }, () => {
  it("finishes a request, ends streams, and refuses what comes after; the application goes on", async () => {
    let entered = () => {}
    let release = () => {}
    const begun = new Promise<void>((resolve) => {
      entered = resolve
    })
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const conclave = await composed({
      mount: "/conclave",
      limits: { listener: { closeTimeoutMilliseconds: 5_000 } },
      wrap: (services) => ({
        ...services,
        async *auth(request, context) {
          entered()
          await released
          yield* services.auth(request, context)
        },
      }),
    })
    await using app = await beside(conclave)
    const base = new URL("conclave/", app.url)
    const asking = post(new URL("auth", base), Uint8Array.of(1))
    const socket = new WebSocket(new URL("socket", base), "conclave.1")
    await Promise.all([begun, once(socket, "open")])
    const gone = once(socket, "close")
    let isClosed = false
    const closing = conclave.close().then(() => {
      isClosed = true
    })
    assert.equal((await gone)[0], 1001)
    assert.equal(await post(new URL("delivery", base), headOfNothing), 503)
    assert.equal(statusOf(await raw(app.url, upgradeTo("/conclave/socket"))), 503)
    assert.equal((await fetch(new URL("healthz", base))).status, 200)
    assert.equal((await fetch(new URL("readyz", base))).status, 503)
    assert.equal(isClosed, false)
    release()
    assert.equal(await asking, 200)
    await closing
    assert.equal((await fetch(new URL("hello", app.url))).status, 200)
    assert.equal(await post(new URL("delivery", base), headOfNothing), 503)
  })

  it("waits for no answer of the application's", async (test) => {
    const page = mkdtempSync(join(tmpdir(), "conclave-page-"))
    test.after(() => rmSync(page, { recursive: true, force: true }))
    const conclave = await composed({ page, limits: { listener: { closeTimeoutMilliseconds: 60_000 } } })
    let passedOn = () => {}
    const isPassedOn = new Promise<void>((resolve) => {
      passedOn = resolve
    })
    await using app = await application((request, response) => void conclave.handler(request, response, passedOn))
    const asking = fetch(new URL("missing", app.url)).catch(() => {})
    await isPassedOn
    await conclave.close()
    app.server.closeAllConnections()
    await asking
  })

  it("during an upgrade leaves no socket behind, however far it has come", async () => {
    for (const when of ["before", "after"] as const) {
      const conclave = await composed()
      let closing: Promise<void> | undefined
      await using app = await application(
        (_, response) => response.end(),
        (request, socket, head) => {
          if (when === "before") closing = conclave.close()
          assert.equal(conclave.upgrade(request, socket, head), true)
          if (when === "after") closing = conclave.close()
        },
      )
      const socket = createConnection(Number(app.url.port), app.url.hostname)
      let answer = ""
      socket.on("data", (part) => {
        answer += part.toString("latin1")
      })
      socket.on("error", () => {})
      socket.write(upgradeTo("/socket"))
      await once(socket, "close")
      assert.equal(statusOf(answer), when === "before" ? 503 : 101)
      await closing
    }
  })

  it("cuts a client that holds its request back, when its time is over", async () => {
    const conclave = await composed()
    await using app = await beside(conclave)
    const socket = createConnection(Number(app.url.port), app.url.hostname)
    socket.on("error", () => {})
    const head = "host: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: 10\r\n\r\n"
    socket.write(`POST /delivery HTTP/1.1\r\n${head}half`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await Promise.all([conclave.close(), once(socket, "close")])
  })

  it("leaves connections of clients without a further word", async () => {
    const conclave = await composed()
    await using app = await beside(conclave)
    await using transport = connect(new URL("delivery", app.url))
    await transport.request(headOfNothing)
    await conclave.close()
    await assert.rejects(transport.request(headOfNothing), { status: 503, retryable: true })
  })
})
