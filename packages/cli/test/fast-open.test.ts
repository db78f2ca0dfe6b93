import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, it } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { SealedServer } from "@conclave/fast-open"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { KeyFile } from "../src/fast-open/key-file.js"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

const provider = nodeProvider()
const serverKeyOf = ({ announcement }: Service) => /server key\s+([0-9a-f]{64})\n/.exec(announcement)![1]!
const startFast = (folder?: Folder, port?: number, within?: string) =>
  Service.start(folder, port, { words: ["--fast-open", "--fast-open-port", "0"], ...(within && { within }) })

describe("conclave serve --fast-open", () => {
  it("answers sealed requests beside HTTP: a conversation goes through with --fast-open and with --server-key", async () => {
    await using service = await startFast()
    await service.gather("team", "alice", "bob")
    await service.ok(["send", "--as", "alice", "--to", "team", "--fast-open"], { input: "sealed, " })
    await service.ok(["send", "--as", "alice", "--to", "team", "--server-key", serverKeyOf(service)], {
      input: "known",
    })
    const { output, errors } = await service.ok(["receive", "--as", "bob", "--count", "2", "--fast-open"])
    assert.equal(output.toString(), "sealed, known")
    assert.doesNotMatch(errors, /do not get through/)
  })

  it("lets nobody else answer whoever has the server key", async () => {
    await using service = await startFast()
    const other = Buffer.from(provider.random(32)).toString("hex")
    const ran = await runHere(["receive", "--as", "bob", "--timeout", "1", "--server-key", other, ...service.place])
    assert.equal(ran.code, 1)
    assert.match(ran.errors, /nobody who has the server key answers at/)
  })

  it("is asked no other way by a client that has the server key, where that would be in the clear", async () => {
    using folder = new Folder()
    const asked: string[] = []
    const gone = new SealedServer({ provider, handler: async function* () {} })
    await gone.listen({ port: 0, host: "127.0.0.1", policy: "off" })
    const offer = gone.offer({ host: "127.0.0.1" })
    await gone.close()
    const impostor = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      response.end(request.url === "/fast-open" ? offer : undefined)
    }).listen(0, "127.0.0.1")
    impostor.on("upgrade", (request, socket) => {
      asked.push(`upgrade ${request.url}`)
      socket.destroy()
    })
    await once(impostor, "listening")
    try {
      const url = `http://127.0.0.1:${(impostor.address() as AddressInfo).port}`
      const place = ["--server", url, "--data", folder.path]
      const key = Buffer.from(provider.random(32)).toString("hex")
      const pinned = await runHere(["receive", "--as", "bob", "--timeout", "1", "--server-key", key, ...place])
      assert.equal(pinned.code, 1)
      assert.ok(asked.length > 0)
      assert.deepEqual([...new Set(asked)], ["GET /fast-open"])
      asked.length = 0
      await runHere(["receive", "--as", "bob", "--timeout", "1", "--fast-open", ...place])
      assert.ok(asked.includes("POST /auth"), "without the key it is")
    } finally {
      impostor.closeAllConnections()
      impostor.close()
    }
  })

  it("says once what this machine lacks for it, with the command that would help, and serves", async () => {
    await using service = await startFast()
    const { server, obstacles } = fastOpenSupport()
    const notes = service.errors.split("\n").filter((line) => line.includes("no data in the first packet"))
    assert.equal(notes.length, server ? 0 : 1, service.errors)
    for (const { side, command = "" } of obstacles) if (side === "server") assert.ok(notes[0]!.includes(command))
    assert.doesNotMatch(service.errors, /Warning/)
    assert.match(service.announcement, server ? /sealed requests in the first packet/ : /over ordinary connections/)
  })

  it("keeps its keys for its owner alone, and the server key over restarts", async () => {
    await using service = await startFast()
    const file = service.folder.file("fast-open.keys")
    assert.equal(statSync(file).mode & 0o777, 0o600)
    chmodSync(file, 0o644)
    await service.stop("SIGKILL")
    await using again = await startFast(service.folder, service.port)
    assert.equal(serverKeyOf(again), serverKeyOf(service))
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  it("makes no offer without the option", async () => {
    await using service = await Service.start()
    assert.equal((await fetch(`${service.address}/fast-open`)).status, 404)
    await service.gather("team", "alice", "bob")
    const sent = await service.here(["send", "--as", "alice", "--to", "team", "--fast-open"], { input: "as ever" })
    assert.equal(sent.errors.match(/do not get through/g)?.length, 1, sent.errors)
    const { output } = await service.ok(["receive", "--as", "bob", "--count", "1"])
    assert.equal(output.toString(), "as ever")
  })

  it("says what is wrong with a policy, a key, a port or a file", async () => {
    using folder = new Folder()
    const serve = ["serve", "--port", "0", "--data", folder.path, "--fast-open"]
    const cases: readonly [readonly string[], RegExp][] = [
      [[...serve, "--fast-open-policy", "cookie"], /need no cookie, and by one every client could be tracked/],
      [[...serve, "--fast-open-policy", "quick"], /must be private or off/],
      [["chat", "--as", "alice", "--server-key", "abc"], /must be 64 hexadecimal digits/],
    ]
    for (const [words, says] of cases) assertReadable(await runHere(words), says)
    await using other = await Service.start()
    const taken = await runHere([...serve, "--fast-open-port", String(other.port)])
    assert.match(taken.errors, /port \d+ of 127\.0\.0\.1 is in use; give another with --fast-open-port/)
    writeFileSync(folder.file("fast-open.keys"), "no keys")
    assert.match((await runHere(serve)).errors, /fast-open\.keys: the keys are damaged; delete the file/)
    assert.equal(readFileSync(folder.file("fast-open.keys"), "utf8"), "no keys")
  })
})

describe("the file of keys", () => {
  const DAY = 86_400_000
  it("has a new key of the day each day, and after two days nothing of the first", () => {
    using folder = new Folder()
    const file = folder.file("keys")
    let clock = 1_800_000_000_000
    const now = () => clock
    using keys = new KeyFile(file, { provider, now })
    const first = keys.ring.find(keys.ring.publicKeys()[0]!.id)!.privateKey.slice()
    const holdsFirst = () => readFileSync(file).includes(Buffer.from(first))
    assert.ok(holdsFirst())
    clock += DAY
    keys.save()
    assert.equal(keys.ring.publicKeys().length, 2)
    assert.ok(holdsFirst(), "for clients that have not heard of the next")
    clock += DAY + 60_000
    keys.save()
    assert.ok(!holdsFirst())
  })

  it("gives the next process the same keys, and tells it that it has inherited them", () => {
    using folder = new Folder()
    const file = folder.file("keys")
    const before = new KeyFile(file, { provider })
    const [key] = before.ring.publicKeys()
    const publicKey = before.publicKey
    before[Symbol.dispose]()
    using after = new KeyFile(file, { provider })
    assert.deepEqual(after.ring.publicKeys(), [key])
    assert.deepEqual(after.publicKey, publicKey)
    assert.equal(after.ring.find(key!.id)!.inherited, true)
  })
})

describe("conclave demo --fast-open", () => {
  it("plays the same steps by sealed requests, and ends with 0", async () => {
    const { code, output, errors } = await conclave(["demo", "--fast-open"])
    assert.equal(code, 0, errors)
    assert.match(output.toString(), /All members agreed at every step\./)
    const [, connections] = /(\d+) connections for sealed requests/.exec(output.toString())!
    assert.ok(Number(connections) > 50, connections)
  })
})

/** Why this machine cannot make a network of its own, in which fast open is on. */
function missingPrivileges(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need Linux and root"
  const name = `conclave-cli-${process.pid}-probe`
  const made = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" })
  if (made.status !== 0) return `network namespaces cannot be made here: ${made.stderr ?? made.error}`
  spawnSync("ip", ["netns", "del", name])
  return undefined
}

describe("in a network where data in the first packet is allowed", { skip: missingPrivileges() ?? false }, () => {
  it("the command line's requests travel in it", async () => {
    const namespace = `conclave-cli-${process.pid}`
    execFileSync("ip", ["netns", "add", namespace])
    try {
      execFileSync("ip", ["-n", namespace, "link", "set", "lo", "up"])
      inside(namespace, "echo 3 > /proc/sys/net/ipv4/tcp_fastopen")
      await using service = await startFast(undefined, undefined, namespace)
      assert.match(service.announcement, /sealed requests in the first packet/)
      await service.gather("team", "alice", "bob")
      const before = accepted(namespace)
      await service.ok(["send", "--as", "alice", "--to", "team", "--fast-open"], { input: "at once" })
      const { output } = await service.ok(["receive", "--as", "bob", "--count", "1", "--fast-open"])
      assert.equal(output.toString(), "at once")
      assert.equal(before, 0, "without --fast-open, none")
      assert.ok(accepted(namespace) >= 4, `${accepted(namespace)} connections`)
    } finally {
      execFileSync("ip", ["netns", "del", namespace])
    }
  })
})

const inside = (namespace: string, script: string) =>
  execFileSync("ip", ["netns", "exec", namespace, "sh", "-c", script], { encoding: "utf8" })

/** Connections whose first packet brought data that this network's listeners took (RFC 7413). */
function accepted(namespace: string): number {
  const [names, values] = inside(namespace, "grep ^TcpExt: /proc/net/netstat").trim().split("\n")
  return Number(values!.split(" ")[names!.split(" ").indexOf("TCPFastOpenPassive")])
}
