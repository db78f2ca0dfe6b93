import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { promisify } from "node:util"
import { read, root } from "./repository.js"

const run = promisify(execFile)
const blocks = [...read("README.md").matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!)

for (const name of ["conversation", "protocol", "express"]) {
  test(`the README shows examples/${name}.ts as it is, in at most 25 lines`, () => {
    const program = read(`examples/${name}.ts`)
    assert(blocks.includes(program), "the README's program is another")
    assert(program.trimEnd().split("\n").length <= 25)
  })
}

test("the README has no other program", () => assert.equal(blocks.length, 3))

test("the program with the protocol alone says hello", async () => {
  const { stdout } = await run(process.execPath, [join(root, "examples/dist/protocol.js")])
  assert.equal(stdout, "hello, bob\n")
})

test("the program with the SDK says hello through a real service", async () => {
  const data = mkdtempSync(join(tmpdir(), "conclave-readme-"))
  after(() => rmSync(data, { recursive: true, force: true }))
  const serve = [join(root, "packages/cli/dist/src/main.js"), "serve", "--port", "0", "--data", data]
  const child = execFile(process.execPath, serve)
  after(() => child.kill())
  const address = await new Promise<string>((resolve, reject) => {
    let output = ""
    child.stdout!.on("data", (text: string) => {
      output += text
      const found = /http:\/\/[\w.]+:\d+/.exec(output)
      if (found) resolve(found[0])
    })
    child.once("exit", () => reject(new Error(`the service ended: ${output}`)))
  })
  const env = { ...process.env, CONCLAVE_SERVER: address }
  const { stdout } = await run(process.execPath, [join(root, "examples/dist/conversation.js")], { env })
  assert.match(stdout, /^alice-\d+: hello, bob\nsafety code: (\d{5} ?){12}\n$/)
})

test("what the README tells people to type exists", () => {
  const { scripts } = JSON.parse(read("package.json"))
  for (const [, name] of read("README.md").matchAll(/npm run ([\w:-]+)/g)) assert(name! in scripts, `npm run ${name}`)
})
