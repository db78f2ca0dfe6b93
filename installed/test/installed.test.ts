import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { build } from "esbuild"
import { compile, install, installed, node, node16, pack, program, root, run, serve } from "./application.js"
import { fileFaults, mapFaults, pathsOfMachine, textFaults } from "./contents.js"

/*
 * The packages as their users get them: packed, installed into folders with nothing of this repository above them, type-checked
 * and run there.
 */

const place = realpathSync(mkdtempSync(join(tmpdir(), "conclave-installed-")))
after(() => rmSync(place, { recursive: true, force: true }))

const packed = pack(join(place, "tarballs"))
const own = packed.map(({ name }) => name)
const peers = ["@peculiar/x509", "libsql", "reflect-metadata", "sodium-native", "ws"]

/** Applications: of everything, for browsers, and for Node without what only speeds things up. */
const everything = join(place, "everything")
const browser = join(place, "browser")
const plain = join(place, "plain")
const reason =
  install({ folder: everything, packed, own, others: [...peers, "@types/node"] }) ??
  install({ folder: browser, packed, own: ["@conclave/client"], others: [] }) ??
  install({ folder: plain, packed, own: ["@conclave/client"], others: ["libsql", "ws", "@types/node"] })
const skip = reason ?? false
if (reason !== undefined) console.error(`NOT TESTED as installed: ${reason}`)

const resolutions = {
  node16,
  bundler: { module: "esnext", moduleResolution: "bundler" },
}

/** The modules of a package: `@conclave/mls/wire`. */
function entries(name: string): string[] {
  const { exports = {} } = JSON.parse(readFileSync(join(everything, "node_modules", name, "package.json"), "utf8"))
  return Object.keys(exports)
    .filter((entry) => !entry.endsWith(".json"))
    .map((entry) => join(name, entry))
}

for (const { name, files } of packed) {
  test(`${name} ships what it should, and nothing else`, () => {
    const paths = files.map(({ path }) => path)
    assert.deepEqual(fileFaults(name, paths), [])
  })

  test(`${name} says nothing that is true on one machine only`, { skip }, () => {
    assert.deepEqual(textFaults(join(everything, "node_modules", name)), [])
  })
}

test("nothing of the repository is installed by a link", { skip }, () => {
  for (const name of installed(everything)) {
    const folder = join(everything, "node_modules", name)
    if (existsSync(folder)) assert.equal(realpathSync(folder), folder)
  }
  assert(own.every((name) => installed(everything).includes(name)))
})

for (const [name, resolution] of Object.entries(resolutions)) {
  test(`a program that imports every entry has its types with the resolution ${name}`, { skip }, () => {
    const all = own.flatMap(entries)
    assert(all.length > own.length)
    const imports = all.map((specifier, index) => `import * as entry${index} from "${specifier}"`)
    const uses = all.map((_, index) => `Object.keys(entry${index}).length`)
    // Without types an import would be an error, and a wrong call none.
    const wrong = `import { decode } from "@conclave/codec"\n// @ts-expect-error\ndecode(1)`
    writeFileSync(join(everything, `${name}.ts`), `${imports.join("\n")}\n${wrong}\nexport const sizes = [${uses}]\n`)
    assert.equal(compile(everything, { ...node, ...resolution, noEmit: true }, [`${name}.ts`]), "")
  })

  test(`a page that imports the client has its types with the resolution ${name}, without those of Node`, {
    skip,
  }, () => {
    const program =
      'import { openClient } from "@conclave/client/browser"\nexport const client = openClient({ name: "a" })\n'
    writeFileSync(join(browser, `${name}.ts`), program)
    const lib = ["es2022", "dom"]
    assert.equal(compile(browser, { ...resolution, lib, types: [], noEmit: true }, [`${name}.ts`]), "")
  })
}

test("every entry loads, from the folder where it is installed", { skip }, async () => {
  const all = own.flatMap(entries)
  const load = "for (const entry of entries) console.log((await import(entry)) && import.meta.resolve(entry))"
  writeFileSync(join(everything, "entries.js"), `const entries = ${JSON.stringify(all)}\n${load}\n`)
  const { code, stdout, stderr } = await run(everything, [process.execPath, "entries.js"])
  assert.equal(code, 0, stderr)
  const modules = `file://${everything}/node_modules/@conclave/`
  const places = stdout.trimEnd().split("\n")
  assert.equal(places.length, all.length)
  for (const url of places) assert(url.startsWith(modules), url)
})

test("two people talk through an embedded service", { skip }, async () => {
  const { stdout, stderr } = await run(everything, [process.execPath, program("embedded", everything)])
  assert.equal(stdout, "alice: hello, bob\n", stderr)
})

test("two people talk through `conclave serve`, by sealed requests too", { skip }, async (t) => {
  const service = await serve(t, everything)
  const words = [process.execPath, program("connected", everything), "sealed"] as const
  const { stdout, stderr } = await run(everything, words, { CONCLAVE_SERVER: service })
  assert.equal(stdout, "alice: hello, bob\n", stderr)
  assert.match(await (await fetch(service)).text(), /<script/, "it serves no page")
})

test("libsql and ws are enough for Node; for sealed requests the client says what to install", { skip }, async (t) => {
  const environment = { CONCLAVE_SERVER: await serve(t, everything) }
  const command = [process.execPath, program("connected", plain)] as const
  for (const absent of ["sodium-native", "@conclave/fast-open"]) assert(!installed(plain).includes(absent))
  const { stdout, stderr } = await run(plain, command, environment)
  assert.equal(stdout, "alice: hello, bob\n", stderr)
  const refused = await run(plain, [...command, "sealed"], { CONCLAVE_SERVER: await serve(t, everything) })
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /sealed requests need a package: npm install @conclave\/fast-open/)
})

test("`npx conclave --version` works", { skip }, async () => {
  const { version } = packed.find(({ name }) => name === "@conclave/cli")!
  const { stdout, stderr } = await run(everything, ["npx", "--offline", "conclave", "--version"])
  // sodium-native is installed with it, and no binary of @conclave/native.
  const reason = `@conclave/native has no binary for ${process.platform} ${process.arch}`
  assert.equal(stdout, `${version}\ncryptography: node+sodium-native (${reason})\n`, stderr)
})

test("the installed command has every command, and its stacks lead to the TypeScript", { skip }, async () => {
  const command = join(everything, "node_modules/@conclave/cli/bin/conclave.js")
  const { stdout, stderr } = await run(everything, [process.execPath, command, "help"])
  const sources = readdirSync(join(root, "packages/cli/src/commands")).filter((file) => file.endsWith(".ts"))
  for (const file of sources) assert.match(stdout, new RegExp(`^  ${file.slice(0, -3)} `, "m"), stderr)
  const failing = [process.execPath, command, "inspect", "nowhere"] as const
  const failed = await run(everything, failing, { CONCLAVE_DEBUG: "1" })
  assert.match(failed.stderr, /@conclave\/cli\/src\/commands\/inspect\.ts:\d+/)
})

test("a stack trace leads to the TypeScript that is shipped", { skip }, async () => {
  const program = 'import { decode, uint16 } from "@conclave/codec"\ndecode(uint16, Uint8Array.of(1))\n'
  writeFileSync(join(everything, "fails.js"), program)
  const { stderr } = await run(everything, [process.execPath, "--enable-source-maps", "fails.js"])
  assert.match(stderr, /node_modules\/@conclave\/codec\/src\/codec\.ts:\d+/)
})

test("a browser application installs what is listed", { skip }, () => {
  const listed = JSON.parse(readFileSync(join(root, "packages/client/closure.json"), "utf8"))
  assert.deepEqual(installed(browser), listed)
})

test("a browser application is bundled from what it installs", { skip }, async () => {
  const { metafile } = await build({
    stdin: { contents: 'export * from "@conclave/client/browser"', resolveDir: browser },
    ...{ bundle: true, write: false, platform: "browser", format: "esm", metafile: true, logLevel: "silent" },
    absWorkingDir: browser,
  })
  for (const file of Object.keys(metafile.inputs)) assert.match(file, /^(node_modules\/|<stdin>|\(disabled\):)/)
})

test("without its optional peers, the client for Node says what to install", { skip }, async () => {
  writeFileSync(join(browser, "node.js"), 'await import("@conclave/client/node")\n')
  const { code, stderr } = await run(browser, [process.execPath, "node.js"])
  assert.equal(code, 1)
  assert.match(stderr, /Cannot find package '(libsql|ws)'/)
})

test("a file that does not belong into a package would be noticed", () => {
  const module = ["src/a.ts", "dist/src/a.js", "dist/src/a.js.map", "dist/src/a.d.ts", "dist/src/a.d.ts.map"]
  const good = ["package.json", "LICENSE", "README.md", ...module]
  assert.deepEqual(fileFaults("@conclave/a", good), [])
  const wrong = ["dist/test/a.test.js", "src/fixtures/a.ts", "dist/tsconfig.tsbuildinfo", "src/a.test.ts", "notes.md"]
  for (const file of wrong) assert(fileFaults("@conclave/a", [...good, file])[0]?.startsWith(file), file)
  for (const file of good.filter((it) => it !== "src/a.ts")) {
    assert.deepEqual(
      fileFaults(
        "@conclave/a",
        good.filter((it) => it !== file),
      ),
      [`${file} is missing`],
    )
  }
  assert.deepEqual(fileFaults("@conclave/a", [...good, "dist/src/stale.js"]), ["src/stale.ts is missing"])
  const bundled = ["package.json", "LICENSE", "README.md", "bin/conclave.js", "dist/bundle/conclave.js"]
  assert.deepEqual(fileFaults("@conclave/cli", bundled), [])
  assert.equal(
    fileFaults("@conclave/cli", [...bundled, "dist/src/main.js"])[0],
    "dist/src/main.js does not belong there",
  )
  const paths = [`"${root}packages"`, `at file:///a/b.js`, `"/${"home"}/somebody/x"`, `/${"Users"}/somebody/x`]
  for (const path of paths) assert.notDeepEqual(pathsOfMachine(`see ${path}`), [])
  assert.deepEqual(pathsOfMachine("/homes/a https://example.org/home/a"), [])
  const map = (sources: string[], sourcesContent?: string[]) => JSON.stringify({ sources, sourcesContent })
  assert.deepEqual(mapFaults("dist/src/a.js.map", map(["../../src/a.ts"]), good), [])
  assert.deepEqual(mapFaults("dist/src/a.js.map", map(["gone.ts"], ["code"]), good), [])
  assert.equal(mapFaults("dist/src/a.js.map", map(["../../../a.ts"]), good).length, 1)
})
