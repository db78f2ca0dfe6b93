import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { build } from "esbuild"
import { closureOf, type Locked } from "./closure.js"
import { packageOf } from "./imports.js"
import { fromRoot, read, root, workspaces } from "./repository.js"

/**
 * What `npm install @conclave/client` brings, the package itself included: what a browser application runs and nothing
 * else. See docs/decisions/013-browser-closure.md before adding to it.
 */
const clientClosure: readonly string[] = JSON.parse(read("packages/client/closure.json"))
const closureSizeMax = 20

/** The lock file, with the workspaces as their own manifests are now. */
function lockFile(): Record<string, Locked> {
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, Locked> }
  return { ...packages, ...Object.fromEntries(workspaces().map(({ folder, manifest }) => [folder, manifest])) }
}

test("installing the client brings what is listed, and nothing optional", () => {
  const { required, optional } = closureOf(lockFile(), "packages/client", "@conclave/client")
  assert.deepEqual(required, clientClosure)
  assert.deepEqual(optional, [])
})

test(`at most ${closureSizeMax} packages are installed with the client`, () => {
  assert(clientClosure.length <= closureSizeMax)
})

test("the client for browsers runs with what is listed", async () => {
  const { metafile } = await build({
    stdin: { contents: 'export * from "@conclave/client/browser"', resolveDir: join(root, "bench") },
    ...{ bundle: true, write: false, platform: "browser", format: "esm", metafile: true, logLevel: "silent" },
    absWorkingDir: root,
  })
  const folders = new Map(workspaces().map(({ folder, manifest }) => [folder, manifest.name]))
  const bundled = Object.keys(metafile.inputs)
    // What a package leaves out for browsers is empty.
    .filter((file) => file !== "<stdin>" && !file.startsWith("(disabled):"))
    .map((file) => fromRoot(join(root, file)))
    .map((file) => {
      const installed = file.split("node_modules/").at(-1)!
      return installed === file ? folders.get(file.split("/").slice(0, 2).join("/"))! : packageOf(installed)
    })
  const names = [...new Set(bundled)].sort()
  assert(names.includes("libsodium-sumo") && names.includes("@conclave/client"), names.join(", "))
  assert.deepEqual(
    names.filter((name) => !clientClosure.includes(name)),
    [],
  )
})

test("a closure follows links, nested installs, optional dependencies and peers", () => {
  const lock: Record<string, Locked> = {
    "packages/app": { dependencies: { own: "1", a: "1" }, optionalDependencies: { fast: "1", absent: "1" } },
    "packages/own": {
      dependencies: { a: "2", fast: "1" },
      optionalDependencies: { fast: "1" },
      peerDependencies: { peer: "1", maybe: "1" },
      peerDependenciesMeta: { maybe: { optional: true } },
    },
    "packages/own/node_modules/a": { dependencies: { deep: "1" } },
    "node_modules/own": { link: true, resolved: "packages/own" },
    "node_modules/a": {},
    "node_modules/deep": { dependencies: { own: "1" } },
    "node_modules/peer": {},
    "node_modules/maybe": {},
    "node_modules/fast": { dependencies: { native: "1", a: "1" } },
    "node_modules/native": {},
  }
  const { required, optional } = closureOf(lock, "packages/app", "app")
  assert.deepEqual(required, ["a", "app", "deep", "own", "peer"])
  assert.deepEqual(optional, ["fast", "native"])
  assert.throws(() => closureOf({ "packages/app": { dependencies: { gone: "1" } } }, "packages/app", "app"), /no gone/)
})
