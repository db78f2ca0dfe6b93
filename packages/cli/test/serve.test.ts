import assert from "node:assert/strict"
import { statSync, writeFileSync } from "node:fs"
import { createConnection, createServer } from "node:net"
import { describe, it } from "node:test"
import { openDatabase } from "@conclave/sqlite"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

/** Sends the head of a request as it is, which `fetch` does not, and waits for the end of the answer. */
function raw({ port }: Service, line: string, headers: Record<string, string>): Promise<void> {
  const lines = Object.entries({ connection: "close", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, "127.0.0.1").on("error", reject)
    socket.on("close", () => resolve()).resume()
    socket.write(`${line} HTTP/1.1\r\n${lines.join("")}\r\n`)
  })
}

describe("conclave serve", () => {
  it("tells its address, answers there, and ends with 0 on SIGTERM and on SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using service = await Service.start()
      assert.match(service.announcement, /^Conclave is at http:\/\/127\.0\.0\.1:\d+\/\n/)
      // Half a second on a quiet machine; tests share theirs.
      assert.ok(service.startMilliseconds < 10_000, `${service.startMilliseconds} ms`)
      const headers = { "content-type": "message/mls" }
      for (const name of ["delivery", "auth"]) {
        const answer = await fetch(`${service.address}/${name}`, { method: "POST", body: "no request", headers })
        assert.equal(answer.status, 200)
        assert.ok((await answer.arrayBuffer()).byteLength > 0)
      }
      assert.equal(await service.stop(signal), 0)
      await assert.rejects(fetch(service.address))
    }
  })

  it("ends with 0 on a signal that comes with its first line", async () => {
    using folder = new Folder()
    const { code, errors } = await conclave(["serve", "--port", "0", "--host", "0.0.0.0", "--data", folder.path], {
      started: (child) => child.stdout!.once("data", () => child.kill("SIGTERM")),
    })
    assert.equal(code, 0)
    assert.match(errors, /^SIGTERM: answering what is under way, then closing$/m)
  })

  it("tells an address that can be opened where it listens at all addresses", async () => {
    await using service = await Service.start(new Folder(), 0, { words: ["--host", "0.0.0.0"] })
    assert.match(service.announcement, /^Conclave is at http:\/\/127\.0\.0\.1:\d+\/\n/)
    assert.match(service.announcement, /^ {2}network {3}port \d+ of every address of this machine$/m)
    assert.match(service.announcement, /--server http:\/\/127\.0\.0\.1:\d+$/m)
    assert.equal((await fetch(`${service.address}/healthz`)).status, 200)
  })

  it("tells the public URL, and where the proxy finds it", async () => {
    const words = ["--public-url", "https://chat.example.org/conclave"]
    await using service = await Service.start(new Folder(), 0, { words })
    assert.match(service.announcement, /^Conclave is at https:\/\/chat\.example\.org\/conclave\/\n/)
    assert.match(service.announcement, /^ {2}listens {3}at http:\/\/127\.0\.0\.1:\d+\/, for the proxy$/m)
    assert.match(service.announcement, /services {2}\/conclave\/delivery and \/conclave\/auth/)
    assert.match(service.announcement, /--server https:\/\/chat\.example\.org\/conclave\/$/m)
    assert.doesNotMatch(service.errors, /note:/)
    const named = await fetch(`${service.address}/conclave/healthz`)
    assert.equal(named.status, 200)
    await using plain = await Service.start(new Folder(), 0, { words: ["--public-url", "http://chat.example.org/"] })
    // Told after the announcement, on another pipe.
    while (plain.errors === "") await new Promise((resolve) => setTimeout(resolve, 10))
    assert.match(plain.errors, /note: the public URL is without TLS: browsers refuse cryptography to its page/)
  })

  it("says once whom its settings, or a proxy's, turn away, and what to do", async () => {
    await using service = await Service.start(new Folder(), 0, { words: ["--public-url", "https://chat.example.org/"] })
    const socket = { "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-version": "13" }
    const preflight = { origin: "https://app.example.org", "access-control-request-method": "POST" }
    for (let i = 0; i < 2; i++) {
      await raw(service, "OPTIONS /delivery", { host: "chat.example.org", ...preflight })
      await raw(service, "GET /socket", { host: "chat.example.org", ...socket })
      await raw(service, "GET /", { host: "other.example" })
    }
    await service.stop()
    const lines = service.errors.split("\n").filter((line) => /refused \(|was refused|came without/.test(line))
    assert.equal(lines.length, 3, service.errors)
    assert.match(
      lines[0]!,
      /Z a page at https:\/\/app\.example\.org was refused: start with --public-url .* --allow-origin/,
    )
    assert.match(lines[1]!, /a WebSocket for chat\.example\.org came without its Upgrade header: the proxy in front/)
    assert.match(lines[2]!, /a request for other\.example was refused.*--public-url https:\/\/other\.example\/$/)
  })

  it("keeps its file from other people on the machine", { skip: process.platform === "win32" }, async () => {
    await using service = await Service.start()
    assert.equal(statSync(service.folder.file("service.db")).mode & 0o077, 0)
  })

  it("goes on with the same file after kill -9", async () => {
    await using service = await Service.start()
    await service.gather("team", "alice", "bob")
    await service.ok(["send", "--as", "alice", "--to", "team"], { input: "before" })
    await service.stop("SIGKILL")
    await using again = await Service.start(service.folder, service.port)
    await again.ok(["send", "--as", "alice", "--to", "team"], { input: " and after" })
    const { output } = await again.ok(["receive", "--as", "bob", "--count", "2"])
    assert.equal(output.toString(), "before and after")
  })

  it("says what is wrong with a port, a host, a folder, or a file", async () => {
    using folder = new Folder()
    const other = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => other.once("listening", resolve))
    const { port } = other.address() as { port: number }
    writeFileSync(folder.file("occupied"), "a file where a folder should be")
    const data = ["--data", folder.path]
    const cases: readonly [readonly string[], RegExp][] = [
      [["--port", String(port), ...data], /port \d+ of 127\.0\.0\.1 is in use; give another with --port/],
      [["--host", "192.0.2.1", "--port", "0", ...data], /cannot listen at 192\.0\.2\.1 .* no such address/],
      [["--data", folder.file("occupied")], /occupied is not a folder/],
      [["--data", folder.file("occupied/below")], /a part of the path is not a folder/],
      [["--data", folder.file("x".repeat(300))], /the path is too long/],
    ]
    try {
      for (const [words, says] of cases) {
        const ran = await runHere(["serve", ...words])
        assert.equal(ran.code, 1)
        assertReadable(ran, says)
      }
    } finally {
      other.close()
    }
  })

  it("refuses a file that is no database and leaves it as it is", async () => {
    using folder = new Folder()
    const content = "these are somebody's notes, and no database\n".repeat(100)
    writeFileSync(folder.file("service.db"), content)
    const ran = await conclave(["serve", "--port", "0", "--data", folder.path])
    assert.equal(ran.code, 1)
    assertReadable(ran, /service\.db: the file is no database/)
    assert.equal(statSync(folder.file("service.db")).size, content.length)
  })

  it("says which process has the data folder already", async () => {
    using folder = new Folder()
    await using _file = openDatabase({ file: folder.file("service.db") })
    const ran = await conclave(["serve", "--port", "0", "--data", folder.path])
    assert.equal(ran.code, 1)
    assertReadable(ran, new RegExp(`service\\.db: the file is in use by process ${process.pid}`))
  })
})
