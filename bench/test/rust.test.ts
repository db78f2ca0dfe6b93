import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { describe, it, type TestContext } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { conclave } from "@conclave/interop"
import { cipherSuite } from "@conclave/mls"
import { FullTree } from "../src/full-tree.js"
import { rustProgram } from "../src/rust/build.js"
import { RustLibrary, rustLibraries } from "../src/rust/library.js"
import { Pipe } from "../src/rust/pipe.js"
import { type Member, operations, type Party, Scene } from "../src/scene.js"

const bytes = (text: string) => new TextEncoder().encode(text)

describe("a program behind a pipe", () => {
  /** One that answers each request with the next of `answers`, in hexadecimal, and then ends. */
  function answering(test: TestContext, ...answers: string[]): Pipe {
    const program = `const answers = ${JSON.stringify(answers)}
      process.stdin.on("data", () => {
        const next = answers.shift()
        if (next === undefined) process.exit(3)
        process.stdout.write(Buffer.from(next, "hex"))
      })`
    const pipe = new Pipe(process.execPath, ["--eval", program])
    test.after(() => pipe.close())
    return pipe
  }

  it("tells how long its library took, and what it found", async (test) => {
    const pipe = answering(test, "00000012 00 00000000001e8480 00000001 aa 00000000".replaceAll(" ", ""))
    const { milliseconds, fields } = await pipe.ask("operation", bytes("a"))
    assert.equal(milliseconds, 2)
    assert.deepEqual(fields, [Uint8Array.of(0xaa), new Uint8Array(0)])
  })

  it("refuses with the reason of its library, and goes on", async (test) => {
    const pipe = answering(test, "0000000701000000026e6f", "00000009000000000000000000")
    await assert.rejects(pipe.ask("operation"), /^Error: no$/)
    assert.deepEqual((await pipe.ask("operation")).fields, [])
  })

  it("fails what was asked when it ends, and when its answer is malformed", async (test) => {
    await assert.rejects(answering(test).ask("operation"), /ended with 3/)
    await assert.rejects(answering(test, "ffffffff").ask("operation"), /too long/)
    const cut = answering(test, "0000000d00000000000000000000000005")
    await assert.rejects(cut.ask("operation"), /cut off/)
    await assert.rejects(cut.ask("operation"), /cut off/)
    await assert.rejects(new Pipe(`${rustProgram}-that-is-absent`, []).ask("operation"), /ENOENT/)
  })
})

const skip = existsSync(rustProgram) ? false : "bench/rust has not been built: npm run bench -- --rust"
if (skip) console.error(`NOT TESTED beside Rust: ${skip}`)

for (const name of rustLibraries) {
  describe(name, { skip }, () => {
    it("does every operation that is measured, in groups of two and of eight", async (test) => {
      const library = started(test)
      const suite = cipherSuite(1, nodeProvider())
      for (const tree of [undefined, new FullTree(suite, 8)]) {
        const scene = await Scene.set(library, library, suite, tree)
        for (const operation of operations) assert((await scene.run(operation)) > 0, operation)
      }
    })

    it("is in one group with ours, of either one's making", async (test) => {
      const library = started(test)
      const ours: Party = conclave(nodeProvider())
      for (const [first, second] of [
        [ours, library],
        [library, ours],
      ] as const) {
        const [alice, bob] = [await first.client("alice", 1), await second.client("bob", 1)]
        const group = await alice.create(bytes("a group"))
        const { welcome } = await group.commit([{ type: "add", keyPackage: await bob.keyPackage() }])
        await group.applyPending()
        await talk(group, await bob.join(welcome!))
      }
    })

    function started(test: TestContext): RustLibrary {
      const library = new RustLibrary(rustProgram, name)
      test.after(() => library.close())
      return library
    }
  })
}

async function talk(...members: readonly [Member, Member]): Promise<void> {
  for (const [from, to] of [members, members.toReversed() as [Member, Member]]) {
    const { commit } = await from.commit([])
    await from.applyPending()
    assert.equal((await to.receive(commit)).type, "commit")
    assert.equal((await to.receive(await from.encrypt(bytes("hello")))).type, "application")
  }
}
