import assert from "node:assert/strict"
import { mkdirSync, truncateSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { Folder, runHere, Service } from "./support.js"

/** What would colour the terminal, set its title and overwrite the line. */
const NAME = "e\u001b[31m\u001b]0;title\u0007\rx"
const SHOWN = /[\u2400-\u2421]/

const assertPrintable = (text: string) => assert.doesNotMatch(text, /(?!\n)\p{Cc}/u)

describe("names of files and folders, where a command prints them", () => {
  for (const [number, words] of [
    ["restore", NAME, "--data", "restored"],
    ["backup", "to", "--data", NAME],
    ["backup", `${NAME}/to`, "--data", "served"],
    ["admin", "status", "--data", NAME],
    ["inspect", NAME],
    ["verify-evidence", NAME],
    ["trace", NAME],
    [NAME],
    ["send", `--${NAME}`],
  ].entries()) {
    it(`change nothing on the terminal where it fails: ${words[0] === NAME ? "no command" : words[0]} (${number})`, async () => {
      using folder = new Folder()
      // What a service has: the folder of this machine's own is looked at otherwise.
      mkdirSync(folder.file("served"))
      writeFileSync(folder.file("served/service.db"), "")
      const inFolder = words.map((it, at) =>
        (at > 0 && it.startsWith(NAME)) || it === "restored" || it === "served" ? folder.file(it) : it,
      )
      const ran = await runHere(inFolder)
      assert.notEqual(ran.code, 0)
      assertPrintable(ran.errors)
      assert.match(ran.errors, SHOWN)
    })
  }

  it("change nothing where a backup is made, cut, and restored", async () => {
    await using service = await Service.start()
    const { folder } = service
    const backup = folder.file(NAME)
    const made = await runHere(["backup", backup, "--data", folder.path])
    await service.stop()
    const restored = await runHere(["restore", backup, "--data", folder.file(`into-${NAME}`)])
    writeFileSync(backup, "SQLite format 3\0")
    const refused = await runHere(["restore", backup, "--data", folder.file("other")])
    assert.deepEqual([made.code, restored.code, refused.code], [0, 0, 1], made.errors + restored.errors)
    for (const ran of [made, restored, refused]) {
      assertPrintable(String(ran.output) + ran.errors)
      assert.match(String(ran.output) + ran.errors, SHOWN)
    }
  })
})

describe("conclave verify-evidence", () => {
  it("reads no more of a file than evidence has", { skip: process.platform === "win32" }, async () => {
    using folder = new Folder()
    const file = folder.file("huge")
    writeFileSync(file, "")
    // Longer than what one buffer takes.
    truncateSync(file, 5 * 2 ** 30)
    const ran = await runHere(["verify-evidence", file])
    assert.equal(ran.code, 1)
    assert.match(ran.errors, /proves nothing: this is no evidence/)
  })
})
