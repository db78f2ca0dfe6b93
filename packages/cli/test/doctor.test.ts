import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { conclave, Folder } from "./support.js"

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
})
