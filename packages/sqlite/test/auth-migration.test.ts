import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { createDevice, createService, registration } from "@conclave/testing/auth"
import { authStore } from "../src/auth/store.js"
import { openDatabase } from "../src/database.js"

/** The file of a service that was written by the first version of the tables: see `migration.test.ts`. */
const first = readFileSync(new URL("../../test/fixtures/service-1.sql", import.meta.url), "utf8")

describe("the directory in a file of the first version", () => {
  it("has its names and devices, and takes further ones", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-auth-"))
    const database = openDatabase({ file: join(folder, "service.db") })
    test.after(async () => {
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    })
    await database.write((connection) => {
      for (const statement of first.split(/;\n/)) if (statement.trim() !== "") connection.run(statement)
    })
    const { ask } = createService(authStore(database))
    const alice = await ask({ type: "lookup", name: "alice" })
    assert.ok(alice.type === "devices")
    const ids = alice.devices.map(({ deviceId }) => Buffer.from(deviceId).toString("hex").slice(0, 8))
    assert.deepEqual(ids, ["ceef02b1", "493fffc8"])
    assert.deepEqual(alice.devices[1]!.endorsement?.deviceId, alice.devices[0]!.deviceId)
    assert.equal((await ask(registration(createDevice(), "alice"))).type, "nameTaken")
    assert.equal((await ask(registration(createDevice(), "carol"))).type, "registered")
  })
})
