import assert from "node:assert/strict"
import { describe, it } from "node:test"
import Libsql from "libsql"
import { fillBeside, fillFile } from "./moving-support.js"
import { assertReadable, conclave, Folder, runHere } from "./support.js"

describe("conclave backup of a service with blobs", { timeout: 120_000 }, () => {
  it("says that blobs are not in it, keeps push registrations, and replaces no file of blobs", async () => {
    using folder = new Folder()
    const [file, to] = [folder.file("service.db"), folder.file("backup")]
    await fillFile(file)
    await fillBeside(file)
    const ran = await conclave(["backup", to, "--data", folder.path])
    assert.match(ran.errors.toString(), /blobs are not in it: they are in .*service\.db\.blobs/)
    const tables = new Libsql(to).prepare("SELECT name FROM sqlite_schema WHERE name LIKE '%blob_chunk%'").all()
    assert.deepEqual(tables, [])
    const registered = new Libsql(to).prepare("SELECT count(*) AS n FROM push_registration").get() as { n: number }
    assert.equal(registered.n, 1)
    const replacing = await runHere(["backup", `${file}.blobs`, "--force", "--data", folder.path])
    assertReadable(replacing, /service\.db\.blobs is the service's own file: give another/)
  })
})
