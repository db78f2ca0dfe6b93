import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { openClient } from "@conclave/client/node"
import { conclave, Folder, runHere, Service } from "./support.js"

describe("conclave devices", () => {
  it("lists the devices of a name, and revokes those that came after", { timeout: 120_000 }, async () => {
    using people = new Folder()
    using folder = new Folder()
    await using service = await Service.start(folder)
    const there = ["--as", "bob", "--server", service.address, "--data", people.path]
    const list = async () => (await runHere(["devices", "list", ...there])).output.toString().trimEnd().split("\n")
    const [first] = await list()
    assert.match(first!, /^[0-9a-f]{16} {2}registered \S+Z {2}the first {2}this device$/)
    const [json] = JSON.parse((await conclave(["devices", "list", "--json", ...there])).output.toString())
    // Another device of the name, which this profile has endorsed: the command does not, an application does.
    const { profileFile } = await import("../src/data-folder.js")
    const file = profileFile(people.path, { name: "bob", server: new URL(service.address) })
    const own = await openClient({ name: "bob", service: service.address, profile: file, live: false })
    const phone = await openClient({
      name: "bob",
      service: service.address,
      profile: people.file("phone.db"),
      live: false,
      endorse: (registration) => own.endorseDevice(registration),
    })
    const id = (await phone.ownDevices()).find((it) => it.isThisDevice)!.id
    await own.close()
    const refused = await runHere(["devices", "revoke", "00000000", ...there])
    assert.equal(refused.code, 1)
    assert.match(refused.errors, /no device of bob begins with 00000000/)
    const revoked = await conclave(["devices", "revoke", id.slice(0, 16), ...there])
    assert.equal(revoked.code, 0, revoked.errors)
    const line = new RegExp(
      `^${id.slice(0, 16)} .*endorsed by ${json.id.slice(0, 16)} .*revoked \\S+Z by ${json.id.slice(0, 16)}$`,
    )
    assert.match(revoked.output.toString().trimEnd(), line)
    assert.match((await list())[1]!, line)
    await assert.rejects(phone.sync(), { code: "REVOKED" })
    await phone.close()
  })

  it("says what an id is", async () => {
    for (const id of ["abc", "ABCDEF01", "not an id"]) {
      const { code, errors } = await runHere(["devices", "revoke", id, "--as", "bob", "--server", "http://localhost:1"])
      assert.equal(code, 2, id)
      assert.match(errors, /a device has 8 or more of 0-9 and a-f/)
    }
  })
})
