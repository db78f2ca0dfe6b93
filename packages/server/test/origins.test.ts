import assert from "node:assert/strict"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { WebSocket } from "ws"
import { type Listener, type ListenOptions, originOf, publicUrlOf, type TurnedAway } from "../src/index.js"
import { Origins } from "../src/listener/origins.js"
import { TurnedAwayOnce } from "../src/listener/turned-away.js"
import { application, composed, raw, upgradeTo } from "./composed-support.js"
import { echo, serve } from "./support.js"

const PUBLIC = "https://chat.example.org:8443/"
const APP = "https://app.example.org"

/** The head of a request, and what comes back: status, headers in lower case, body. */
async function ask(listener: Pick<Listener, "url">, line: string, headers: Record<string, string>, body = "") {
  const all = { connection: "close", ...(body !== "" && { "content-length": String(body.length) }), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const answer = await raw(listener.url, `${line} HTTP/1.1\r\n${lines.join("")}\r\n${body}`)
  const [head = "", content = ""] = answer.split("\r\n\r\n")
  const [first = "", ...rest] = head.split("\r\n")
  const received = new Map(rest.map((it) => [it.split(": ")[0]!.toLowerCase(), it.split(": ").slice(1).join(": ")]))
  return { status: Number(first.split(" ")[1]), headers: received, body: content }
}

/** What a WebSocket gets with these headers: `open`, or the status and the JSON of its refusal. */
async function handshake(url: URL, headers: Record<string, string>, path = "socket") {
  const socket = new WebSocket(new URL(path, url), "conclave.1", { headers })
  const refused = new Promise<{ status: number; answer: Record<string, unknown> }>((resolve) => {
    socket.on("unexpected-response", (_, response) => {
      let body = ""
      response.on("data", (part) => {
        body += part
      })
      response.on("end", () => resolve({ status: response.statusCode!, answer: JSON.parse(body) }))
    })
  })
  socket.on("error", () => {})
  const outcome = await Promise.race([once(socket, "open").then(() => "open" as const), refused])
  socket.terminate()
  return outcome
}

const socketOf = async (listener: Listener, headers: Record<string, string>, path?: string) => {
  const outcome = await handshake(listener.url, headers, path)
  return outcome === "open" ? "open" : outcome.answer.code
}

const echoing = (options: Partial<ListenOptions>) => serve({ echo }, { host: "127.0.0.1", ...options })

describe("a public URL", { timeout: 20_000 }, () => {
  it("lets its own page in, whatever a proxy makes of Host", async () => {
    await using listener = await echoing({ publicUrl: PUBLIC })
    const origin = "https://chat.example.org:8443"
    for (const host of ["chat.example.org:8443", "chat.example.org", "127.0.0.1:7080", "localhost"])
      assert.equal(await socketOf(listener, { origin, host }), "open", host)
    const headers = { origin, host: "CHAT.example.org", "content-type": "application/octet-stream" }
    assert.equal((await ask(listener, "POST /echo", headers, "hello")).status, 200)
  })

  it("lets no other page in: another port, scheme or name is another origin", async () => {
    await using listener = await echoing({ publicUrl: PUBLIC })
    for (const origin of [
      "https://chat.example.org",
      "http://chat.example.org:8443",
      "https://evil.chat.example.org:8443",
      "https://chat.example.org:8443.evil.example",
      "null",
      "file://",
      "https://",
    ])
      assert.equal(await socketOf(listener, { origin, host: "chat.example.org" }), "originRefused", origin)
  })

  it("takes a name with a dot at its end for the same name", async () => {
    await using listener = await echoing({ publicUrl: PUBLIC })
    const host = "chat.example.org."
    assert.equal(await socketOf(listener, { origin: "https://chat.example.org.:8443", host }), "open")
    assert.equal(await socketOf(listener, { origin: "https://chat.example.org.", host }), "originRefused")
    await using own = await echoing({})
    assert.equal(await socketOf(own, { origin: "http://localhost.:7080", host: "localhost.:7080" }), "open")
  })

  it("leaves alone what is opened at the service's own port, under the same name too", async () => {
    await using listener = await echoing({ publicUrl: "http://localhost:8080/" })
    assert.equal(await socketOf(listener, { origin: "http://localhost:7080", host: "localhost:7080" }), "open")
    assert.equal(await socketOf(listener, { origin: "http://127.0.0.1:7080", host: "127.0.0.1:7080" }), "open")
    assert.equal(await socketOf(listener, { origin: "http://localhost", host: "localhost" }), "originRefused")
  })

  it("is answered to without any Host, which no browser sends, and other names are not", async () => {
    await using listener = await echoing({ publicUrl: PUBLIC })
    assert.equal((await ask(listener, "GET /echo", {})).status, 405)
    assert.match(await raw(listener.url, upgradeTo("/socket").replace("host: localhost\r\n", "")), /^HTTP\/1\.1 101 /)
    assert.equal((await ask(listener, "GET /echo", { host: "rebound.example" })).status, 421)
    assert.equal(await socketOf(listener, { host: "rebound.example" }), "hostRefused")
    await using without = await echoing({})
    assert.equal((await ask(without, "GET /echo", {})).status, 400)
    assert.equal((await raw(without.url, "GET /echo HTTP/1.0\r\n\r\n")).slice(9, 12), "421")
  })

  it("may have a path, which a proxy has taken off or has not", async () => {
    await using listener = await echoing({ publicUrl: "https://example.org/a/chat" })
    for (const path of ["", "a/chat/"]) {
      const headers = { host: "example.org", "content-type": "application/octet-stream" }
      assert.equal((await ask(listener, `POST /${path}echo`, headers, "hello")).body, "hello")
      const origin = "https://example.org"
      assert.equal(await socketOf(listener, { host: "example.org", origin }, `${path}socket`), "open")
    }
    for (const path of ["/a/chats/echo", "/a/echo", "/chat/echo", "/a/chat/a/chat/echo", "/a/chat//echo"])
      assert.equal((await ask(listener, `GET ${path}`, { host: "example.org" })).status, 404, path)
  })

  it("with a path leads from there to the slash that the page's relative addresses need", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-page-"))
    test.after(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, "index.html"), "<!doctype html>")
    await using listener = await echoing({ publicUrl: "https://example.org/a/chat", static: folder })
    await using conclave = await composed({ mount: "/a/chat", page: folder })
    await using app = await application((request, response) => void conclave.handler(request, response))
    for (const { url } of [listener, app]) {
      const slashless = await fetch(new URL("a/chat?b", url), { redirect: "manual" })
      assert.deepEqual([slashless.status, slashless.headers.get("location")], [308, "chat/"])
      assert.equal(await (await fetch(new URL("a/chat/", url))).text(), "<!doctype html>")
    }
    assert.equal(await (await fetch(listener.url)).text(), "<!doctype html>")
  })

  it("is an address that a browser opens", () => {
    assert.equal(publicUrlOf("https://Chat.Example.org:443/x").href, "https://chat.example.org/x/")
    assert.equal(publicUrlOf("http://[::1]:7080").href, "http://[::1]:7080/")
    for (const none of [
      ...[
        "",
        "chat.example.org",
        "ftp://a/",
        "https:a",
        "https:///a",
        "https://u@a/",
        "https://:p@a/",
        "https://a/?",
        "https://a/#",
      ],
      ...["https://a/b c/", "https://a/%2e%2e/b//", "https://a:99999/", " https://a/", "https://a/b//c/"],
    ])
      assert.throws(() => publicUrlOf(none), { name: "TypeError", message: /^must be the address that browsers/ }, none)
    for (const own of ["https://example.org/delivery/", "https://example.org/socket", "https://example.org/auth/x"]) {
      assert.throws(() => publicUrlOf(own), { message: /, not with .*, which is the service's own path$/ }, own)
    }
  })
})

describe("pages of other origins", { timeout: 20_000 }, () => {
  const preflight = { "access-control-request-method": "POST", "access-control-request-headers": "content-type" }
  const host = "localhost"

  it("may use the service where they are named: preflight, request and WebSocket", async () => {
    await using listener = await echoing({ allowedOrigins: [APP, "http://localhost:5173"] })
    for (const origin of [APP, "http://localhost:5173"]) {
      const asked = await ask(listener, "OPTIONS /echo", { host, origin, ...preflight })
      assert.equal(asked.status, 204)
      assert.equal(asked.headers.get("access-control-allow-origin"), origin)
      assert.equal(asked.headers.get("access-control-allow-methods"), "POST")
      assert.equal(asked.headers.get("access-control-allow-headers"), "content-type")
      assert.equal(asked.headers.get("access-control-max-age"), "7200")
      assert.equal(asked.headers.get("access-control-allow-credentials"), undefined)
      assert.equal(asked.headers.get("vary"), "origin")
      const headers = { host, origin, "content-type": "application/octet-stream" }
      const answer = await ask(listener, "POST /echo", headers, "hello")
      assert.deepEqual([answer.status, answer.body], [200, "hello"])
      assert.equal(answer.headers.get("access-control-allow-origin"), origin)
      assert.equal(answer.headers.get("vary"), "origin")
      assert.equal(await socketOf(listener, { host, origin }), "open")
    }
  })

  it("ask first on the connection that they go on with", async () => {
    const told: TurnedAway[] = []
    await using listener = await echoing({ allowedOrigins: [APP], onTurnedAway: (it) => told.push(it) })
    const lines = Object.entries({ host, origin: APP, ...preflight }).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = createConnection(Number(listener.url.port), "127.0.0.1")
    let answers = ""
    socket.on("data", (part) => {
      answers += part
    })
    const closed = once(socket, "close")
    for (const connection of ["keep-alive", "close"])
      socket.write(`OPTIONS /echo HTTP/1.1\r\nconnection: ${connection}\r\n${lines.join("")}\r\n`)
    await closed
    assert.equal(answers.match(/HTTP\/1\.1 204 /g)?.length, 2)
    const { origin: _, ...anonymous } = { host, origin: APP, ...preflight }
    assert.equal((await ask(listener, "OPTIONS /echo", anonymous)).status, 405)
    assert.deepEqual(told, [])
  })

  it("may read why a request failed, too", async () => {
    await using listener = await echoing({ allowedOrigins: [APP], limits: { requestSizeMax: 2 } })
    const headers = { host, origin: APP, "content-type": "application/octet-stream" }
    const answer = await ask(listener, "POST /echo", headers, "hello")
    assert.deepEqual([answer.status, answer.headers.get("access-control-allow-origin")], [413, APP])
  })

  it("may not where they are not named, to the letter", async () => {
    await using listener = await echoing({ allowedOrigins: [APP] })
    for (const origin of [
      ...["https://app.example.org:8443", "http://app.example.org", "https://app.example.org.evil.example", "null"],
      ...["https://sub.app.example.org", "https://evil.example", `https://${"a".repeat(300)}.example`],
    ]) {
      const asked = await ask(listener, "OPTIONS /echo", { host, origin, ...preflight })
      assert.equal(asked.headers.get("access-control-allow-origin"), undefined, origin)
      assert.notEqual(asked.status, 204)
      assert.equal(await socketOf(listener, { host, origin }), "originRefused", origin)
    }
    await using without = await echoing({})
    const asked = await ask(without, "OPTIONS /echo", { host, origin: APP, ...preflight })
    assert.deepEqual([asked.status, asked.headers.get("access-control-allow-origin")], [405, undefined])
  })

  it("get nothing else than the services: neither files nor health", async () => {
    await using listener = await echoing({ allowedOrigins: [APP] })
    for (const path of ["/healthz", "/readyz", "/"]) {
      const answer = await ask(listener, `GET ${path}`, { host, origin: APP })
      assert.equal(answer.headers.get("access-control-allow-origin"), undefined, path)
    }
  })

  it("are named as browsers name them", () => {
    assert.equal(originOf("HTTPS://App.Example.org:443"), APP)
    const wrong: readonly [string, RegExp][] = [
      ["*", /is a pattern/],
      ["https://*.example.org", /is a pattern/],
      ["null", /must not be null/],
      ["https://app.example.org/", /without a path, like https:\/\/app\.example\.org, not/],
      ["https://app.example.org/x", /without a path/],
      ["https://app.example.org?", /without a path/],
      ["https://u@app.example.org", /without a path/],
      ["app.example.org", /must be an origin like/],
      ["app://localhost", /must be an origin like/],
      ["", /must be an origin like/],
    ]
    for (const [text, message] of wrong) assert.throws(() => originOf(text), { name: "TypeError", message }, text)
  })

  it("of the service's own host need not be named, with the scheme's port or without", () => {
    const origins = new Origins()
    assert.equal(origins.allows("https://a.example", "a.example"), true)
    assert.equal(origins.allows("https://a.example", "A.example:443"), true)
    assert.equal(origins.allows("http://a.example:8080", "a.example:8080"), true)
    assert.equal(origins.allows("https://a.example:8443", "a.example"), false)
    assert.equal(origins.allows("https://a.example", "a.example@evil"), false)
    assert.equal(origins.allows("https://a.example", undefined), false)
    assert.equal(origins.allows("https://undefined", undefined), false)
    assert.equal(origins.allows("null", "null"), false)
  })
})

describe("a WebSocket that is not had", { timeout: 20_000 }, () => {
  const host = "localhost"

  it("is explained to a plain request, which any page can read", async () => {
    await using listener = await echoing({ allowedOrigins: [APP] })
    const cases: readonly [query: string, headers: Record<string, string>, origin: string | null, allowed: boolean][] =
      [
        ["", {}, null, true],
        [`?origin=${encodeURIComponent(APP)}`, {}, APP, true],
        ["?origin=http%3A%2F%2Flocalhost", {}, "http://localhost", true],
        ["?origin=http%3A%2F%2Flocalhost%3A8080", {}, "http://localhost:8080", false],
        ["?origin=nonsense", {}, null, false],
        [`?origin=${encodeURIComponent(APP)}`, { origin: "https://evil.example" }, "https://evil.example", false],
        ["", { origin: "null" }, null, false],
      ]
    for (const [query, headers, origin, originAllowed] of cases) {
      const answer = await ask(listener, `GET /socket${query}`, { host, ...headers })
      assert.equal(answer.status, 426)
      assert.equal(answer.headers.get("content-type"), "application/json")
      assert.equal(answer.headers.get("access-control-allow-origin"), "*")
      assert.equal(answer.headers.get("cache-control"), "no-store")
      assert.equal(answer.headers.get("upgrade"), "websocket")
      const { reason, ...told } = JSON.parse(answer.body)
      assert.deepEqual(told, { code: "upgradeRequired", upgrade: "none", origin, originAllowed }, query)
      assert.match(reason, /WebSockets only/)
    }
  })

  it("is told from one whose Upgrade header was dropped on the way", async () => {
    const told: TurnedAway[] = []
    await using listener = await echoing({ onTurnedAway: (it) => told.push(it) })
    const headers = { host, "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-version": "13" }
    // One that passes Upgrade on, and not Connection.
    for (const more of [{}, { upgrade: "websocket" }]) {
      const answer = await ask(listener, "GET /socket", { ...headers, ...more, origin: APP })
      const { reason, ...rest } = JSON.parse(answer.body)
      assert.equal(answer.status, 426)
      assert.deepEqual(rest, { code: "upgradeDropped", upgrade: "dropped", origin: APP, originAllowed: false })
      assert.match(reason, /a proxy in between does not pass WebSockets on/)
    }
    await ask(listener, "GET /socket", { host })
    assert.deepEqual(told, [{ reason: "upgrade", origin: APP, host }])
  })

  it("says why to a client that reads the answer to its handshake", async () => {
    await using listener = await echoing({})
    const refused = await handshake(listener.url, { host, origin: "https://evil.example" })
    assert.notEqual(refused, "open")
    const { status, answer } = refused as Exclude<typeof refused, "open">
    const { reason, ...rest } = answer
    const expected = { upgrade: "present", origin: "https://evil.example", originAllowed: false }
    assert.deepEqual([status, rest], [403, { code: "originRefused", ...expected }])
    assert.match(String(reason), /--public-url and --allow-origin/)
    assert.equal(await socketOf(listener, { host }, "elsewhere"), "notFound")
  })

  it("is told for each reason, however often somebody is turned away for another", async () => {
    const told: TurnedAway[] = []
    const once = new TurnedAwayOnce((it) => told.push(it))
    for (let n = 0; n < 100; n++) {
      once.add("origin", { headers: { origin: `https://page-${n}.example`, host: "localhost" } })
      once.add("host", { headers: { host: `scanned-${n}.example` } })
    }
    once.add("upgrade", { headers: { host: "localhost" } })
    const of = (wanted: TurnedAway["reason"]) => told.filter(({ reason }) => reason === wanted).length
    assert.deepEqual([of("origin"), of("host"), of("upgrade")], [64, 64, 1])
  })

  it("is told to the operator once for each reason, origin and host, and 64 at once at most", async () => {
    const told: TurnedAway[] = []
    await using listener = await echoing({ onTurnedAway: (it) => told.push(it) })
    for (let i = 0; i < 3; i++) await socketOf(listener, { host, origin: APP })
    await ask(listener, "OPTIONS /echo", { host, origin: APP, "access-control-request-method": "POST" })
    await socketOf(listener, { host: "rebound.example" })
    assert.deepEqual(told, [
      { reason: "origin", origin: APP, host },
      { reason: "host", origin: undefined, host: "rebound.example" },
    ])
    let count = 0
    const once = new TurnedAwayOnce(() => count++)
    for (let i = 0; i < 1000; i++) once.add("host", { headers: { host: `${i}.example` } })
    assert.equal(count, 64)
  })

  it("is told though 64 made-up ones came first, at a bounded rate", () => {
    const told: (string | undefined)[] = []
    let now = 0
    const once = new TurnedAwayOnce(
      ({ origin }) => told.push(origin),
      () => now,
    )
    const add = (name: string) =>
      once.add("origin", { headers: { origin: `https://${name}.example`, host: "localhost" } })
    const flood = (count: number) => {
      for (let n = 0; n < count; n++) add(`made-up-${now}-${n}`)
    }
    flood(1_000)
    assert.equal(told.length, 64)
    add("own")
    assert.ok(!told.includes("https://own.example"), "the rate is bounded")
    // Its page tries again and again.
    for (now = 0; now < 70_000; now += 5_000) add("own")
    assert.equal(told.filter((it) => it === "https://own.example").length, 1)
    // It is not told again while it is seen, whatever comes beside it.
    for (const end = now + 7_200_000; now < end; now += 30_000) {
      add("own")
      flood(1)
    }
    assert.equal(told.filter((it) => it === "https://own.example").length, 1)
    // The oldest are forgotten: what is remembered is bounded.
    now += 600_000
    add("made-up-0-0")
    assert.equal(told.filter((it) => it === "https://made-up-0-0.example").length, 2)
    assert.ok(told.length > 64 + 100 && told.length <= 64 + 3 + 7_270 / 60, String(told.length))
  })

  it("has nothing in its words that a terminal obeys", () => {
    const told: TurnedAway[] = []
    const once = new TurnedAwayOnce((it) => told.push(it))
    once.add("origin", {
      headers: { origin: "https://a.example\u001b[2J", host: `a\u001b[2J\u009b${"x".repeat(500)}` },
    })
    assert.equal(told[0]!.origin, undefined)
    assert.match(told[0]!.host!, /^a\?\[2J\?x{250}$/)
  })
})

describe("inside an application's server", { timeout: 20_000 }, () => {
  it("the public URL and allowed origins mean the same", async () => {
    const told: TurnedAway[] = []
    await using conclave = await composed({
      mount: "/conclave",
      publicUrl: "https://example.org/conclave/",
      allowedOrigins: [APP],
      onTurnedAway: (it) => told.push(it),
    })
    await using app = await application(
      (request, response) => void conclave.handler(request, response),
      (request, socket, head) => void conclave.upgrade(request, socket, head),
    )
    for (const origin of ["https://example.org", APP])
      assert.equal(await handshake(app.url, { host: "upstream:1", origin }, "conclave/socket"), "open")
    const asked = { origin: APP, "access-control-request-method": "POST" }
    const answer = await ask(app, "OPTIONS /conclave/delivery", { host: "upstream:1", ...asked })
    assert.equal(answer.headers.get("access-control-allow-origin"), APP)
    assert.notEqual(await handshake(app.url, { origin: "https://evil.example" }, "conclave/socket"), "open")
    assert.deepEqual(
      told.map(({ reason, origin }) => [reason, origin]),
      [["origin", "https://evil.example"]],
    )
  })

  it("wrong ones are refused before anything starts", async () => {
    await assert.rejects(composed({ publicUrl: "example.org" }), { name: "TypeError", message: /must be the address/ })
    await assert.rejects(composed({ allowedOrigins: ["*"] }), { name: "TypeError", message: /is a pattern/ })
  })
})
