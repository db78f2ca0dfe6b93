import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { type NodeClientOptions, openClient } from "../src/node.js"
import { World } from "./support/world.js"

/** A mistake, and the sentence that is said about it. */
type Mistake = readonly [what: string, options: unknown, said: RegExp]

describe("a mistake in a first program is named, and leaves nothing behind", () => {
  const folder = mkdtempSync(join(tmpdir(), "conclave-mistakes-"))
  const service = "http://127.0.0.1:9"
  const profile = join(folder, "profile.db")
  const good = { name: "alice", service, profile }
  mkdirSync(join(folder, "place"))
  after(() => rmSync(folder, { recursive: true }))
  const mistakes: readonly Mistake[] = [
    ["no options", undefined, /^openClient takes an object with name, service and profile$/],
    ["no name", { service, profile }, /^a name must be a string, not undefined$/],
    [
      "a name with a space",
      { ...good, name: "Alice B" },
      /^"Alice B" is not a name: it contains a space; a name has 1 to/,
    ],
    ["no profile", { name: "alice", service }, /^the option profile must be the path of the profile's file$/],
    [
      "no service",
      { name: "alice", profile },
      /^the option service must be an http:\/\/ or https:\/\/ address, not "undefined"$/,
    ],
    ["no scheme", { ...good, service: "localhost:7080" }, /^the option service must be .*, not "localhost:7080"$/],
    ["a folder as profile", { ...good, profile: join(folder, "place") }, /place is a folder: a profile is a file$/],
    [
      "a folder that is not there",
      { ...good, profile: join(folder, "no", "a.db") },
      /^there is no folder .*\/no for the profile$/,
    ],
  ]
  for (const [what, options, said] of mistakes) {
    it(what, async () => {
      await assert.rejects(openClient(options as NodeClientOptions), { message: said })
      assert.deepEqual(readdirSync(folder), ["place"])
    })
  }
})

describe("an address at which no service answers is told apart from", () => {
  const cases: readonly (readonly [what: string, status: number, said: string])[] = [
    ["one where something else answers", 404, "what answers at this address is no Conclave service, or an older one"],
    ["one that only takes other methods", 405, "what answers at this address is no Conclave service, or an older one"],
    ["a server of files", 501, "what answers at this address is no Conclave service, or an older one"],
    ["a proxy that finds no service behind it", 502, "the service is not available at the moment"],
    ["a service that has another name", 421, "the service does not answer to the name that it was asked for"],
  ]
  for (const [what, status, said] of cases) {
    it(what, async (test) => {
      const folder = mkdtempSync(join(tmpdir(), "conclave-mistakes-"))
      test.after(() => rmSync(folder, { recursive: true }))
      const server = createServer((_, response) => response.writeHead(status).end("<h1>hello</h1>"))
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      test.after(() => server.close())
      const { port } = server.address() as AddressInfo
      const options = { name: "alice", service: `http://127.0.0.1:${port}`, profile: join(folder, "profile.db") }
      await assert.rejects(openClient(options), { code: "UNAVAILABLE", message: said })
      await new Promise((resolve) => server.close(resolve))
      await assert.rejects(openClient(options), { code: "UNAVAILABLE", message: "the service does not answer" })
    })
  }
})

describe("a mistake in a call is named", () => {
  it("what is no message", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const notes = await alice.createConversation({ title: "notes" })
    const wrong: readonly (readonly [content: unknown, said: RegExp])[] = [
      [
        undefined,
        /^a message is a string, bytes \(a Uint8Array\), or an object with the fields of its kind, not undefined$/,
      ],
      [null, /not null$/],
      [5, /not a number$/],
      [{ txt: "hello" }, /^no message is an object with the fields txt: give a string, bytes, or \{ .*text.* \}/],
      [{}, /^no message is an object without fields/],
    ]
    for (const [content, said] of wrong) await assert.rejects(notes.send(content as string), { message: said })
    assert.deepEqual(notes.pending, [])
  })

  it("bytes are those at the time of the call, a Buffer's too", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const notes = await alice.createConversation({ title: "notes" })
    const bytes = Buffer.from("hello")
    const sent = notes.send(bytes)
    bytes.fill(0)
    await sent
    const [said] = await notes.history()
    assert.equal(new TextDecoder().decode(said!.bytes), "hello")
  })

  it("many names that nobody has are counted, and five of them shown", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const members = Array.from({ length: 200 }, (_, at) => `nobody-${at}`)
    await assert.rejects(alice.createConversation({ title: "many", members }), {
      code: "UNKNOWN_NAME",
      message: "nobody is called nobody-0, nobody-1, nobody-2, nobody-3, nobody-4, or any of 195 other names",
    })
    await assert.rejects(alice.createConversation({ title: "two", members: ["x", "y"] }), {
      message: "nobody is called x or y",
    })
  })
})
