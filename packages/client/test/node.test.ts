import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { verifyBatch } from "@conclave/crypto/node"
import { type NodeClientOptions, openClient, sealingKeyFile } from "../src/node.js"
import { verifyFrom } from "../src/service/leaves.js"
import { program } from "./support/first-program.js"
import { next, provider, World } from "./support/world.js"

/** The world's services at an address of their own. */
async function serving(world: World, port = 0) {
  const conclave = await world.server()
  const { url } = await conclave.listen({ port })
  return { url, close: () => conclave.close(), [Symbol.asyncDispose]: () => conclave.close() }
}

describe("a Node program", () => {
  it("holds a conversation over real sockets, and goes on where it was cut off", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    const profile = (name: string) => ({ name, service: server.url, profile: join(world.folder, `${name}-node.db`) })
    await using alice = await openClient(profile("alice"))
    let bob = await openClient(profile("bob"))
    try {
      const team = await alice.createConversation({ title: "team", members: ["bob"] })
      const { conversation } = await next(bob, "joined")
      await team.send("over the wire")
      assert.equal((await next(bob, "message")).text, "over the wire")
      await bob.close()
      bob = await openClient(profile("bob"))
      await bob.conversations.get(conversation.id)!.send("back again")
      assert.equal((await next(alice, "message")).text, "back again")
      await team.remove("bob")
      assert.equal((await next(bob, "left")).by, "alice")
    } finally {
      await bob.close()
    }
    assert.deepEqual(world.faults, [])
  })

  it("needs no more than 25 lines", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    const lines = readFileSync(new URL("../../test/support/first-program.ts", import.meta.url), "utf8")
      .trim()
      .split("\n")
    assert.ok(lines.length <= 25, `${lines.length} lines`)
    const printed: string[] = []
    await program(server.url, world.folder, (line) => printed.push(line))
    assert.deepEqual(printed, ["alice says: hello, bob", "12 groups of digits"])
  })

  it("is told which option is no address of a service, and has its profile free afterwards", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    const options = { name: "alice", profile: join(world.folder, "free.db") }
    for (const service of ["nonsense", "ftp://host/", ""]) {
      await assert.rejects(openClient({ ...options, service }), {
        name: "TypeError",
        message: `the option service must be an http:// or https:// address, not ${JSON.stringify(service)}`,
      })
    }
    await using alice = await openClient({ ...options, service: server.url })
    assert.equal(alice.name, "alice")
  })

  it("is told which option is missing", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    const profile = join(world.folder, "nameless.db")
    const nameless = { service: server.url, profile } as unknown as NodeClientOptions
    await assert.rejects(openClient(nameless), {
      name: "TypeError",
      message: "a name must be a string, not undefined",
    })
    for (const missing of [undefined, ""]) {
      const options = { name: "alice", service: server.url, profile: missing } as unknown as NodeClientOptions
      await assert.rejects(openClient(options), {
        name: "TypeError",
        message: "the option profile must be the path of the profile's file",
      })
    }
  })

  it("is refused a profile that another has, and leaves it as it is", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    const options = { name: "alice", service: server.url, profile: join(world.folder, "shared.db") }
    await using _alice = await openClient(options)
    await assert.rejects(openClient(options), { code: "STORE_LOCKED" })
  })

  it("is refused a key file that is none, or cannot be made, and keeps no lock on the profile", async () => {
    await using world = new World({ realClock: true })
    await using server = await serving(world)
    const options = { name: "alice", service: server.url, profile: join(world.folder, "keyless.db") }
    const keyFile = `${options.profile}.key`
    writeFileSync(keyFile, new Uint8Array(31))
    await assert.rejects(openClient(options), { code: "WRONG_PROFILE" })
    rmSync(keyFile)
    await (await openClient(options)).close()
    assert.throws(() => sealingKeyFile(join(world.folder, "not there", "alice.key")), { code: "STORE_FAILED" })
  })

  it("waits for a service that is not there yet, and opens a known profile without it", async () => {
    await using world = new World({ realClock: true })
    const server = await serving(world)
    const options = { name: "alice", service: server.url, profile: join(world.folder, "alice-node.db") }
    const first = await openClient(options)
    const notes = await first.createConversation({ title: "notes" })
    await first.close()
    await server.close()
    const unknown = { ...options, name: "bob", profile: join(world.folder, "bob-node.db") }
    await assert.rejects(openClient(unknown), { code: "UNAVAILABLE" })

    await using offline = await openClient(options)
    const same = offline.conversations.get(notes.id)!
    const sending = same.send("written on a train")
    sending.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(same.pending[0]?.text, "written on a train")
    assert.equal(offline.online, false)
    const port = Number(server.url.port)
    await using _again = await serving(world, port)
    await sending
    assert.deepEqual(same.pending, [])
  })
})

describe("the signatures of a tree's leaves", () => {
  it("are verified together where there are many, and all of them count; those of a small tree are not asked for", async () => {
    const ed25519 = provider.signatures.Ed25519!
    using key = ed25519.generate((length) => provider.random(length))
    const { publicKey } = key
    const message = Uint8Array.of(1, 2, 3)
    const signature = key.sign(message)
    const valid = [0, 1, 2].map(() => ({ publicKey, message, signature }))
    const invalid = [...valid.slice(1), { publicKey, message: Uint8Array.of(4), signature }]
    const verifyLeaves = verifyFrom(3, verifyBatch)
    assert.equal(await verifyLeaves("Ed25519", { leaves: 3, signatures: () => valid }), true)
    assert.equal(await verifyLeaves("Ed25519", { leaves: 3, signatures: () => invalid }), false)
    const signatures = () => assert.fail("they are asked for")
    assert.equal(await verifyLeaves("Ed25519", { leaves: 2, signatures }), false)
  })
})

describe("the default sealing key", () => {
  it("is made once, at random, for its owner alone", () => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-key-"))
    try {
      const file = join(folder, "alice.key")
      const key = sealingKeyFile(file)
      assert.equal(key.length, 32)
      assert.deepEqual(sealingKeyFile(file), key)
      assert.notDeepEqual(sealingKeyFile(join(folder, "bob.key")), key)
      assert.equal(statSync(file).mode & 0o777, 0o600)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
