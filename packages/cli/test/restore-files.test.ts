import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, symlinkSync } from "node:fs"
import { it } from "node:test"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

async function refused(says: RegExp, ...words: readonly string[]): Promise<void> {
  const ran = await conclave(["restore", ...words])
  assert.equal(ran.code, 1)
  assertReadable(ran, says)
}

it("restore waits for no pipe and reads no device", async () => {
  using folder = new Folder()
  const pipe = folder.file("pipe")
  execFileSync("mkfifo", [pipe])
  const says = /is no regular file: give one that conclave backup has written/
  for (const file of [pipe, "/dev/zero"]) await refused(says, file, "--data", folder.file("data"))
  assert.ok(!existsSync(folder.file("data")), "nothing is made")
})

it("restore does not begin with the backup as the service's own file", async () => {
  await using service = await Service.start()
  const { folder } = service
  const backup = folder.file("backup")
  assert.equal((await runHere(["backup", backup, "--data", folder.path])).code, 0)
  assert.equal(await service.stop(), 0)
  using other = new Folder()
  symlinkSync(backup, other.file("service.db"))
  const before = readFileSync(backup)
  await refused(/backup itself, by a link: restore a copy of it/, backup, "--data", other.path, "--replace")
  assert.deepEqual(readFileSync(backup), before)
})
