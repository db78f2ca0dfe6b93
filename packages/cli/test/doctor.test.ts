import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { assertReadable, conclave, Folder, Service } from "./support.js"

describe("conclave doctor", () => {
  it("tells in sentences what this machine has, and changes nothing", async () => {
    using folder = new Folder()
    const { code, output, errors } = await conclave(["doctor", "--data", folder.file("not/made")])
    assert.equal(code, 0, `${output}${errors}`)
    const text = output.toString()
    for (const says of [
      new RegExp(`^✓ Node ${process.versions.node.replaceAll(".", "\\.")} on `, "m"),
      /^[✓–] Cryptography comes from node(\+sodium-native)?; it verifies a signature in \d+ µs/m,
      /^✓ SQLite \d+\.\d+\.\d+ comes with libsql; a durable write takes \d+\.\d ms/m,
      /^✓ Data is kept in .*not\/made; \d+\.\d GiB are free there\.$/m,
      /^[✓–] The browser page has (not )?been built/m,
      /^[✓–] TCP Fast Open .* for a client/m,
      /^[✓–] TCP Fast Open .* for a server/m,
    ]) {
      assert.match(text, says)
    }
    for (const line of text.trimEnd().split("\n")) assert.match(line, /^([✓–✗] .+\.| {4}\S.*)$/u)
    const { existsSync } = await import("node:fs")
    assert.equal(existsSync(folder.file("not")), false)
  })

  it("prints a report on a profile that names nobody, with and without the service", async () => {
    await using service = await Service.start()
    await service.gather("planning-the-move", "alice-liddell", "bob-dodgson")
    await service.ok(["send", "--as", "alice-liddell", "--to", "planning-the-move"], { input: "down the hole" })
    const { output, errors } = await service.ok(["doctor", "--as", "bob-dodgson"])
    assert.equal(errors, "")
    const text = output.toString()
    assert.match(text, /^Conclave client report, version 1\./)
    assert.match(text, /^c1: status=active .*\bmembers=2\b/m)
    assert.match(text, / debug event event=message conversation=c1$/m)
    assert.doesNotMatch(text, /alice|bob|liddell|dodgson|planning|move|hole|127\.0\.0\.1/)
    const place = service.place
    await service.stop()
    const alone = await conclave(["doctor", "--as", "bob-dodgson", ...place])
    assert.equal(alone.code, 0)
    assert.match(alone.errors, /^note: nothing listens at /)
    assert.match(alone.output.toString(), /ClientError UNAVAILABLE \(the service does not answer\) < TransportError/)
  })

  it("makes no profile in order to report on it", async () => {
    using folder = new Folder()
    const ran = await conclave(["doctor", "--as", "carol", "--data", folder.file("not/made")])
    assert.equal(ran.code, 1)
    assertReadable(ran, /there is no profile of carol for http:\/\/127\.0\.0\.1:7080 in /)
    const { existsSync } = await import("node:fs")
    assert.equal(existsSync(folder.file("not")), false)
  })
})
