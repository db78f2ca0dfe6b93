import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { listenAs } from "../../lab/cookies.js"
import { connect, listen } from "../../src/sockets/index.js"

test("without koffi the same calls make ordinary connections, and say so once", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "fast-open-"))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(fileURLToPath(new URL("../../src/sockets", import.meta.url)), folder, { recursive: true })
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  writeFileSync(join(folder, "main.js"), echoTwice)

  const said = JSON.parse(
    execFileSync(process.execPath, [join(folder, "main.js")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }),
  )

  assert.deepEqual(said.replies, ["once", "twice"])
  assert.deepEqual(
    said.support.map((obstacle: { command?: string }) => obstacle.command),
    ["npm install koffi"],
  )
  assert.equal(said.warnings.length, 2, "one for the listener, one for the connections")
  assert.equal(said.info, null)
})

const echoTwice = `
  import { createServer } from "node:net"
  import { once } from "node:events"
  import { connect, fastOpenSupport, listen, tcpInfo } from "./index.js"
  const warnings = []
  process.on("warning", warning => warnings.push(warning.message))
  const server = createServer(socket => socket.pipe(socket))
  listen(server, { port: 0, host: "127.0.0.1" })
  await once(server, "listening")
  const replies = []
  let info
  for (const word of ["once", "twice"]) {
    const socket = connect({ port: server.address().port, host: "127.0.0.1" })
    socket.write(word)
    replies.push(String((await once(socket, "data"))[0]))
    info = tcpInfo(socket) ?? null
    socket.destroy()
  }
  server.close()
  await new Promise(resolve => setImmediate(resolve))
  console.log(JSON.stringify({ replies, warnings, info, support: fastOpenSupport().obstacles }))
`

test("importing the module does not load koffi", () => {
  const script = `
    await import(${JSON.stringify(new URL("../../src/sockets/index.js", import.meta.url).href)})
    const { readFileSync } = await import("node:fs")
    console.log(readFileSync("/proc/self/maps", "latin1").includes("koffi"))
  `
  if (process.platform !== "linux") return
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })
  assert.equal(output.trim(), "false")
})

test("an unknown policy and a queue larger than a quarter of the backlog are refused", () => {
  assert.throws(() => connect({ port: 1, policy: "public" as never }), TypeError)
  assert.throws(() => listen(createServer(), { port: 0, backlog: 100, fastOpenQueue: 26 }), RangeError)
  const cookieKeys = { primary: new Uint8Array(16) }
  assert.throws(() => listenAs(createServer(), { port: 0, cookieKeys }), TypeError)
})

test("the mode with a cookie is no policy of these sockets", () => {
  const policy = "cookie" as never
  assert.throws(() => connect({ port: 1, policy }), /need no cookie/)
  assert.throws(() => listen(createServer(), { port: 0, policy }), /need no cookie/)
})

test("on loopback, whatever the machine allows, what is written arrives and is answered", async (t) => {
  const server = createServer((socket) => socket.pipe(socket))
  t.after(() => server.close())
  listen(server, { port: 0, host: "127.0.0.1" })
  await once(server, "listening")
  const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" })
  const large = Buffer.alloc(300_000, "x")

  socket.end(large)
  const received: Buffer[] = []
  for await (const chunk of socket) received.push(chunk)

  assert.ok(Buffer.concat(received).equals(large))
})
