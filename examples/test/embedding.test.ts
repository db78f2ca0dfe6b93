import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { fileURLToPath } from "node:url"
import { type Client, openClient } from "@conclave/client/node"
import { WebSocket } from "ws"

interface Program {
  readonly url: URL
  readonly child: ChildProcess
  readonly folder: string
  /** What it has said on stderr. */
  readonly complaints: () => string
}

/** A program of this folder in a process of its own, at any free port. */
async function start(test: TestContext, name: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), "conclave-embedding-"))
  const program = fileURLToPath(new URL(`../${name}.js`, import.meta.url))
  const env = { ...process.env, PORT: "0", CONCLAVE_FILE: join(folder, "service.db") }
  const child = spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "pipe"] })
  test.after(() => {
    child.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  })
  let [output, complaints] = ["", ""]
  child.stderr.on("data", (text) => {
    complaints += text
  })
  const port = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${complaints}`)))
    child.stdout.on("data", (text) => {
      output += text
      const found = /port: (\d+)/.exec(output)?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  return { url: new URL(`http://127.0.0.1:${port}/`), child, folder, complaints: () => complaints }
}

/** The text of the next message. */
async function nextText(client: Client): Promise<string | undefined> {
  for await (const event of client.events({ signal: AbortSignal.timeout(10_000) })) {
    await client.acknowledge(event.number)
    if (event.type === "message") return event.text
  }
  return undefined
}

describe("the programs with a server of their own", { timeout: 60_000 }, () => {
  for (const name of ["express", "fastify", "hono"]) {
    it(`${name}: two people talk over HTTP and WebSocket, beside the application, and it ends by itself`, async (test) => {
      const { url, child, folder, complaints } = await start(test, name)
      const service = new URL("conclave/", url)
      const open = (who: string) => openClient({ name: who, service, profile: join(folder, `${who}.db`) })
      const [alice, bob] = [await open("alice"), await open("bob")]
      const team = await alice.createConversation({ title: "team", members: ["bob"] })
      await team.send("hello, bob")
      assert.equal(await nextText(bob), "hello, bob")
      // What bob was sent came by a stream of his WebSocket.
      assert.equal(bob.online, true)

      const headers = { "content-type": "application/json" }
      const hello = await fetch(new URL("hello", url), { method: "POST", headers, body: '{"name":"carol"}' })
      assert.equal(await hello.text(), "hello, carol")
      assert.equal(hello.headers.get("content-security-policy"), null)
      for (const path of ["nowhere", "conclave/nowhere"]) assert.equal((await fetch(new URL(path, url))).status, 404)
      assert.equal((await fetch(new URL("conclave/readyz", url))).status, 200)
      if (name === "express") {
        const own = new WebSocket(new URL("own", url))
        assert.equal(`${(await once(own, "message"))[0]}`, "hello")
        own.close()
        await once(own, "close")
      }

      const ended = once(child, "exit")
      child.kill("SIGTERM")
      // It is the end of its handles that ends it: nothing else is told to.
      assert.deepEqual(await ended, [0, null], complaints())
      assert.equal(complaints(), "")
      await Promise.all([alice.close(), bob.close()])
    })
  }
})
