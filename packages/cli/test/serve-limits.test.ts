import assert from "node:assert/strict"
import { createConnection } from "node:net"
import { describe, it } from "node:test"
import { RefusalLog } from "../src/refusal-log.js"
import { assertReadable, Folder, runHere, Service } from "./support.js"

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe("conclave serve, flooded", { timeout: 60_000 }, () => {
  it("gives one address its share of --connections, serves the others, and tells that without addresses", async () => {
    await using service = await Service.start(new Folder(), 0, { words: ["--connections", "64"] })
    const lines = Array.from({ length: 30 }, () =>
      createConnection({ port: service.port, host: "127.0.0.1", localAddress: "127.0.2.1" })
        .on("error", () => {})
        .resume(),
    )
    await pause(500)
    assert.equal((await fetch(`${service.address}/delivery`)).status, 405)
    await service.stop("SIGTERM")
    assert.match(service.errors, /^\S+ refused 22 connections of one address in 10 s \(limit 8\)$/m)
    assert.doesNotMatch(service.errors, /127\.0\.2|7f0002/)
    for (const line of lines) line.destroy()
  })

  it("hints once at a proxy that was not named, and believes one that was", async () => {
    const forwarded = { headers: { "x-forwarded-for": "192.0.2.7" } }
    await using service = await Service.start()
    for (let i = 0; i < 3; i++) await fetch(service.address, forwarded)
    await using named = await Service.start(new Folder(), 0, { words: ["--trust-proxy", "10.0.0.0/8,127.0.0.1"] })
    await fetch(named.address, forwarded)
    await pause(100)
    assert.equal(service.errors.match(/a proxy seems to stand in front: give --trust-proxy/g)?.length, 1)
    assert.doesNotMatch(named.errors, /proxy/)
  })

  it("answers to the names of this machine and to those of --allow-host, and to no other", async () => {
    await using service = await Service.start(new Folder(), 0, { words: ["--allow-host", "chat.example"] })
    const ask = (host: string) =>
      new Promise<string>((resolve) => {
        createConnection(service.port, "127.0.0.1")
          .once("data", (answer) => resolve(answer.toString().slice(9, 12)))
          .write(`GET /delivery HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
      })
    assert.equal(await ask("chat.example"), "405")
    assert.equal(await ask(`localhost:${service.port}`), "405")
    assert.equal(await ask("rebound.example"), "421")
  })

  it("warns where the system allows fewer files than connections", async () => {
    await using service = await Service.start(new Folder(), 0, { words: ["--connections", "90000000"] })
    assert.match(service.errors, /the system allows \d+ open files, too few for 90000000 connections/)
    await using usual = await Service.start(new Folder(), 0, { words: ["--connections", "100"] })
    assert.doesNotMatch(usual.errors, /open files/)
  })

  it("says what is wrong with a proxy, a name or a number", async () => {
    const cases: readonly [readonly string[], RegExp][] = [
      [["--trust-proxy", "localhost"], /must be addresses or networks/],
      [["--trust-proxy", "10.0.0.0/33"], /not "10\.0\.0\.0\/33"/],
      [["--allow-host", "http://chat.example"], /names of hosts without ports/],
      [["--public-url", "chat.example"], /--public-url must be the address that browsers open, like https:/],
      [["--public-url", "https://chat.example/?a"], /without a query or fragment, like https:\/\/chat\.example\//],
      [["--public-url", "https://chat.example/a b/"], /with a path of letters, digits and/],
      [["--allow-origin", "*"], /--allow-origin must name each origin/],
      [["--allow-origin", "null"], /--allow-origin must not be null/],
      [["--allow-origin", "https://a.example,https://b.example/x"], /without a path, like https:\/\/b\.example, not/],
      [["--connections", "0"], /from 1 on/],
      [["--connections", "63"], /must be at least 64: an address gets an eighth of them/],
    ]
    for (const [words, says] of cases) {
      const ran = await runHere(["serve", ...words])
      assert.equal(ran.code, 2)
      assertReadable(ran, says)
    }
  })
})

describe("the log of refusals", () => {
  it("has one line for each kind in ten seconds, and none where nothing was refused", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] })
    const lines: string[] = []
    const log = new RefusalLog((line) => lines.push(line))
    for (let i = 0; i < 1000; i++) log.add({ kind: "streams", level: "network", limit: 64 })
    log.add({ kind: "control", requester: { peer: "47f000001", network: "47f0000" } })
    t.mock.timers.tick(9_999)
    assert.deepEqual(lines, [])
    t.mock.timers.tick(1)
    assert.deepEqual(lines, [
      "refused 1000 streams of one network in 10 s (limit 64)",
      "refused 1 WebSockets with too many pings in 10 s",
    ])
    t.mock.timers.tick(60_000)
    log[Symbol.dispose]()
    assert.equal(lines.length, 2)
  })
})
