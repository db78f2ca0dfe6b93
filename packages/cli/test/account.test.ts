import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { type Client, openClient } from "@conclave/client/node"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

const why = ["--reason", "asked for"]
/** In processes: this one would keep the file open until it collects its garbage, and the restore would find it in use. */
const account = (folder: Folder, ...words: readonly string[]) => conclave(["account", ...words, "--data", folder.path])

function open(name: string, { address, folder }: Service, profile = name): Promise<Client> {
  const sealingKey = new Uint8Array(32).fill(1)
  return openClient({ name, service: address, profile: folder.file(`${profile}.own`), sealingKey, live: false })
}

describe("conclave account", { timeout: 120_000 }, () => {
  it("exports and erases a name while the service runs; a backup from before does not bring it back", async () => {
    using backups = new Folder()
    await using service = await Service.start()
    const { folder } = service
    const [alice, bob] = [await open("alice.to.erase", service), await open("bob", service)]
    const conversation = await bob.createConversation({ title: "team", members: ["alice.to.erase"] })
    await alice.setDisplayName("Alice A.")

    const exported = await account(folder, "export", "alice.to.erase")
    assert.equal(exported.code, 0, exported.errors)
    const document = JSON.parse(exported.output.toString())
    assert.equal(document.displayName.text, "Alice A.")
    const [device] = document.devices
    assert.deepEqual(
      device.inbox.map(({ kind, group }: { kind: string; group: string }) => [kind, group]),
      [["welcome", conversation.id]],
    )
    assert.ok(
      device.keyPackages.some(({ size }: { size: number | null }) => size === null),
      "one was handed out",
    )
    assert.match(document.notKnown[0], /conversations/)
    const backup = backups.file("before.backup")
    assert.equal((await runHere(["backup", backup, "--data", folder.path])).code, 0)

    assert.equal((await account(folder, "erase", "alice.to.erase")).code, 2, "a reason is needed")
    const erased = await account(folder, "erase", "alice.to.erase", ...why)
    assert.equal(erased.output.toString(), "alice.to.erase is erased: asked for\n")
    const again = await account(folder, "erase", "alice.to.erase", ...why)
    assert.equal(again.code, 1)
    assertReadable(again, /nobody has the name alice.to.erase/)
    assert.match((await account(folder, "export", "alice.to.erase")).errors, /nobody has the name/)

    // The running service goes by it.
    await assert.rejects(open("alice.to.erase", service, "another"), { code: "NAME_TAKEN" })
    await assert.rejects(bob.createConversation({ members: ["alice.to.erase"] }), { code: "UNKNOWN_NAME" })
    await assert.rejects(alice.sync())
    const log = await conclave(["admin", "log", "--data", folder.path])
    assert.match(log.output.toString(), /erase +[0-9a-f]{64} +asked for/)
    assert.ok(!log.output.toString().includes("alice"))
    await Promise.all([alice.close(), bob.close()])
    await service.stop()
    assert.ok(!readFileSync(folder.file("service.db")).includes("alice.to.erase"), "the name is in the file no more")

    const restored = await runHere(["restore", backup, "--replace", "--data", folder.path])
    assert.equal(restored.code, 0, restored.errors)
    assert.match((await account(folder, "export", "alice.to.erase")).errors, /nobody has the name/)
    assert.equal((await account(folder, "export", "bob")).code, 0)
  })

  it("does the same in PostgreSQL", { skip: noPostgres }, async () => {
    await using server: PostgresServer = await startPostgres()
    const environment = { DATABASE_URL: await server.url("account") }
    await using service = await Service.start(new Folder(), 0, { environment })
    const alice = await open("alice", service)
    const run = (...words: readonly string[]) => conclave(["account", ...words], { environment })
    const document = JSON.parse((await run("export", "alice")).output.toString())
    assert.ok(document.devices[0].keyPackages.length > 3)
    const erased = await run("erase", "alice", ...why)
    assert.equal(erased.code, 0, erased.errors)
    await assert.rejects(alice.exportAccount(), { code: "REFUSED" })
    await assert.rejects(open("alice", service, "another"), { code: "NAME_TAKEN" })
    await alice.close()
  })
})
