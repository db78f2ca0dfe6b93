import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { fileURLToPath } from "node:url"
import { listenAs } from "../../lab/cookies.js"
import { connect, listen } from "../../src/sockets/index.js"

const notLinux = process.platform !== "linux" && "socket options of Linux are what koffi is for"

/** Runs `program` beside a copy of the compiled package that finds the workspace's packages, and no koffi. */
function withoutKoffi(t: TestContext, program: string) {
  const folder = mkdtempSync(join(tmpdir(), "fast-open-"))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(fileURLToPath(new URL("../../src", import.meta.url)), folder, { recursive: true })
  mkdirSync(join(folder, "node_modules"))
  const scope = fileURLToPath(new URL("../../../../../node_modules/@conclave", import.meta.url))
  symlinkSync(scope, join(folder, "node_modules/@conclave"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  writeFileSync(join(folder, "main.js"), program)
  const output = execFileSync(process.execPath, [join(folder, "main.js")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  })
  return JSON.parse(output)
}

test("without koffi the same calls make ordinary connections, and say so once", (t) => {
  const said = withoutKoffi(t, echoTwice)
  assert.deepEqual(said.replies, ["once", "twice"])
  assert.equal(said.warnings.length, 2, "one for the listener, one for the connections")
  assert.equal(said.info, null)
})

test("without koffi the support that there is says so, and what would change it", { skip: notLinux }, (t) => {
  const reason = "the optional package koffi cannot be loaded"
  const { support, warnings } = withoutKoffi(t, echoTwice)
  const obstacles = [{ side: "both", reason, command: "npm install koffi" }]
  assert.deepEqual(support, { client: false, server: false, obstacles })
  for (const warning of warnings) assert.match(warning, /not used: the optional package koffi cannot be loaded/)
})

test("without koffi a sealed request is answered, and a stream too", (t) => {
  assert.deepEqual(withoutKoffi(t, sealedRequests), { answer: [1, 2, 3], stream: [[4], [4]] })
})

const sealedRequests = `
  import { nodeProvider } from "@conclave/crypto/node"
  import { SealedServer, SealedTransport } from "./sealed/index.js"
  const provider = nodeProvider()
  async function* handler(request) {
    yield request
    if (request.length === 1) yield request
  }
  const server = new SealedServer({ provider, handler })
  await server.listen({ port: 0, host: "127.0.0.1" })
  const service = async () => server.offer({ host: "127.0.0.1", clientAddress: "127.0.0.1" })
  const transport = new SealedTransport({ provider, service })
  const answer = [...await transport.request(Uint8Array.of(1, 2, 3), { replaySafe: true })]
  const stream = []
  for await (const part of transport.subscribe(Uint8Array.of(4), {})) stream.push([...part])
  await transport[Symbol.asyncDispose]()
  await server.close()
  console.log(JSON.stringify({ answer, stream }))
`

const echoTwice = `
  import { createServer } from "node:net"
  import { once } from "node:events"
  import { connect, fastOpenSupport, listen, tcpInfo } from "./sockets/index.js"
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
  console.log(JSON.stringify({ replies, warnings, info, support: fastOpenSupport() }))
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
