import assert from "node:assert/strict"
import { PassThrough } from "node:stream"
import { describe, it } from "node:test"
import { conclave, Folder, runHere, Service } from "./support.js"

/** Runs the command here; `answer` gets each prompt, and what was written by then, and types a line. */
async function typing(words: readonly string[], answer: (prompt: string, written: string) => string | undefined) {
  const input = new PassThrough()
  const onTold = (line: string, written: string) => {
    if (!line.startsWith("Type ")) return
    const typed = answer(line, written)
    if (typed === undefined) input.end()
    else input.write(`${typed}\n`)
  }
  const { output, ...ran } = await runHere(words, { input, onTold })
  return { ...ran, output: output.toString() }
}

describe("conclave recovery", () => {
  it("makes a key that was written down, and returns with it where all devices are lost", {
    timeout: 120_000,
  }, async () => {
    using people = new Folder()
    using elsewhere = new Folder()
    using folder = new Folder()
    await using service = await Service.start(folder)
    const as = ["--as", "bob", "--server", service.address]
    const there = [...as, "--data", people.path]
    const wrong = await typing(["recovery", "make", ...there], () => "something else")
    assert.deepEqual(
      [wrong.code, /not what was shown: nothing was changed/.test(wrong.errors)],
      [1, true],
      wrong.errors,
    )
    const ended = await typing(["recovery", "make", ...there], () => undefined)
    assert.match(ended.errors, /nothing was changed/)
    const made = await typing(["recovery", "make", ...there], (_, written) =>
      written.trim().toLowerCase().replaceAll("-", " "),
    )
    assert.equal(made.code, 0, made.errors)
    const key = made.output.trim()
    assert.match(key, /^([0-9A-Z]{4}-){8}[0-9A-Z]{4}$/)
    const again = await typing(["recovery", "make", ...there], () => key)
    assert.match(again.errors, /bob has a recovery key: --replace takes it away/)
    // In the real command, the key comes by the input.
    const mistyped = await conclave(["recovery", "use", ...as, "--data", elsewhere.path], {
      input: `${key.slice(0, -1)}*\n`,
    })
    assert.notEqual(mistyped.code, 0)
    assert.match(mistyped.errors, /a recovery key has digits and letters alone/)
    assert.ok(!mistyped.errors.includes(key.slice(0, 20)))
    const use = ["recovery", "use", ...as, "--data", elsewhere.path]
    const used = await conclave([...use, "--revoke-others"], { input: `${key}\n` })
    assert.equal(used.code, 0, used.errors)
    const lines = used.output.toString().trimEnd().split("\n")
    assert.match(lines[0]!, /the first {2}revoked \S+Z by the recovery key$/)
    assert.match(lines[1]!, /endorsed by the recovery key {2}this device$/)
    assert.equal(lines.length, 2)
    const gone = await runHere(["devices", "list", ...there])
    assert.match(gone.output.toString() + gone.errors, /revoked/)
    const replaced = await typing(
      ["recovery", "make", "--replace", ...as, "--data", elsewhere.path],
      (prompt, written) => (prompt.includes("that you have") ? key : written.trim()),
    )
    assert.equal(replaced.code, 0, replaced.errors)
    const old = await runHere(use, { input: `${key}\n` })
    assert.equal(old.code, 0, "a profile that is there is opened")
    const refused = await runHere([...use, "--revoke", lines[0]!.slice(0, 16)], { input: `${key}\n` })
    assert.match(refused.errors, /not the recovery key of bob/)
  })
})
