import assert from "node:assert/strict"
import { isBuiltin } from "node:module"
import { join } from "node:path"
import { test } from "node:test"
import { build } from "esbuild"
import { anywhere, beneathLayers, beside, inTests, layers, packages } from "./import-table.js"
import { cycles, importsOf, packageOf, resolveRelative } from "./imports.js"
import { files, read, root, type Workspace, workspaces } from "./repository.js"

const scope = "@conclave/"
const all = workspaces()
const sources = new Map(
  all.map(({ name, folder }) => [
    name,
    files(folder).filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts")),
  ]),
)
const imports = new Map([...sources.values()].flat().map((file) => [file, importsOf(read(file))]))
const isTest = (file: string) => !/^packages\/[^/]+\/src\//.test(file)

test("every workspace has its place in the table", () => {
  const placed = [...Object.keys(packages), ...Object.keys(beside)].sort()
  assert.deepEqual(all.map(({ name }) => name).sort(), placed)
})

test("packages import only what lies below them", () => {
  const violations = all.flatMap(({ name, folder, manifest }) => {
    const allowed = packages[name] ?? beside[name]!
    return sources.get(name)!.flatMap((file) => {
      const mayImport = isTest(file) ? [...entriesOf(manifest), ...allowed, ...(inTests[name] ?? [])] : allowed
      return foreignImports(file, folder, mayImport).map((specifier) => `${file} → ${specifier}`)
    })
  })
  assert.deepEqual(violations, [])
})

test("the layers of mls import only what lies below them", () => {
  const violations = sources.get("mls")!.flatMap((file) =>
    imports
      .get(file)!
      .filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier }) => resolveRelative(file, specifier))
      .filter((target) => !isTest(file) && !mayLayerImport(layerOf(file), layerOf(target)))
      .map((target) => `${file} → ${target}`),
  )
  assert.deepEqual(violations, [])
})

test("no two modules load each other", () => {
  const edges = new Map(
    [...imports].map(([file, list]) => [
      file,
      list
        .filter(({ specifier, typeOnly }) => specifier.startsWith(".") && !typeOnly)
        .map(({ specifier }) => resolveRelative(file, specifier)),
    ]),
  )
  assert.deepEqual(cycles(edges), [])
})

for (const workspace of all) {
  test(`${workspace.name} depends on what it imports, and on nothing else`, () => {
    assert.deepEqual(dependencyFaults(workspace), [])
  })
}

test("a package is compiled after the packages that it imports", () => {
  const compiled = (JSON.parse(read("tsconfig.json")).references as { path: string }[]).map(({ path }) => path)
  const faults = all.flatMap(({ name, folder }) => {
    // Tests that need what is compiled after their package are a project of their own.
    const tests = `${folder}/test`
    const apart: string[] = compiled.includes(tests) ? JSON.parse(read(`${tests}/tsconfig.json`)).include : []
    const isApart = (file: string) => apart.some((it) => file.startsWith(`${join(tests, it).replace(/\/$/, "")}/`))
    return [folder, tests]
      .filter((project) => compiled.includes(project))
      .flatMap((project) => {
        const references: { path: string }[] = JSON.parse(read(`${project}/tsconfig.json`)).references ?? []
        const after = references.map(({ path }) => join(project, path).split("\\").join("/"))
        const own = sources.get(name)!.filter((file) => isApart(file) === (project === tests))
        const imported = new Set(importedPackages(own).filter((it) => it !== scope + name))
        return all
          .filter((it) => imported.has(it.manifest.name) && compiled.includes(it.folder) && !after.includes(it.folder))
          .map((it) => `${project}/tsconfig.json lacks ${it.folder}`)
      })
  })
  assert.deepEqual(faults, [])
})

for (const entry of anywhere) {
  test(`${scope}${entry} needs nothing of Node`, async () => {
    const { errors } = await bundle(`export * from ${JSON.stringify(scope + entry)}`)
    assert.deepEqual(errors, [])
  })
}

test("an entry that needs Node would be noticed", async () => {
  const { errors } = await bundle(`export * from "${scope}crypto/node"`)
  assert.match(errors.join("\n"), /node:crypto/)
})

test("a forbidden import would be noticed, however it is written", () => {
  const forms = [
    'import { a } from "@conclave/client"',
    'import type { A } from "@conclave/client"',
    'import {\n  a,\n  type B,\n} from "@conclave/client"',
    'export * from "@conclave/client"',
    'export * as client from "@conclave/client"',
    'import "@conclave/client"',
    'const client = await import("@conclave/client")',
    'const client = require("@conclave/client")',
  ]
  for (const form of forms)
    assert.deepEqual(
      importsOf(form).map((it) => it.specifier),
      ["@conclave/client"],
      form,
    )
  assert.deepEqual(importsOf('// import "a"\n/* import "b" */ const text = "/*"\nimport "c" // */').length, 1)
  assert(!mayLayerImport("tree", "framing") && !mayLayerImport("wire", "group") && mayLayerImport("tree", "wire"))
  const round = new Map([
    ["a", ["b"]],
    ["b", ["c", "d"]],
    ["c", ["a"]],
  ])
  assert.deepEqual(cycles(round), ["a → b → c → a"])
})

/** `mls` and `mls/wire` of a package that exports `.` and `./wire`. */
function entriesOf({ name, exports }: Workspace["manifest"]): string[] {
  return Object.keys(exports ?? {}).map((entry) => join(name.slice(scope.length), entry))
}

/** Imports from outside the package, or of a package, that are not allowed here. */
function foreignImports(file: string, folder: string, allowed: readonly string[]): string[] {
  return imports
    .get(file)!
    .map(({ specifier }) => specifier)
    .filter((specifier) => {
      if (specifier.startsWith(".")) return !resolveRelative(file, specifier).startsWith(`${folder}/`)
      return specifier.startsWith(scope) && !allowed.includes(specifier.slice(scope.length))
    })
}

const layerOf = (file: string) => file.replace("packages/mls/src/", "").split(/[/.]/)[0]!

function mayLayerImport(from: string, to: string): boolean {
  if (from === to || beneathLayers.includes(to)) return true
  return layers.includes(from) && layers.indexOf(to) >= 0 && layers.indexOf(to) < layers.indexOf(from)
}

function dependencyFaults({ name, folder, manifest }: Workspace): string[] {
  const own = sources.get(name)!
  const runtime = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies }
  const everywhere = { ...JSON.parse(read("package.json")).devDependencies, ...manifest.devDependencies, ...runtime }
  const missing = own.flatMap((file) =>
    importedPackages([file])
      .filter((dependency) => dependency !== manifest.name)
      .filter((dependency) => !(dependency in (isTest(file) ? everywhere : runtime)))
      .map((dependency) => `${file} imports ${dependency}, which is not in package.json`),
  )
  const text = files(folder)
    .filter((file) => /\.(tsx?|css|html|json)$/.test(file) && file !== `${folder}/package.json`)
    .map(read)
    .join("\n")
  const unused = Object.keys({ ...runtime, ...manifest.devDependencies })
    // A package may stand for its files: they are found by the name of the package.
    .filter((dependency) => !text.includes(`"${dependency}"`) && !text.includes(`"${dependency}/`))
    .filter((dependency) => !(`${name} ${dependency}` in neededUnnamed))
    .map((dependency) => `${folder} depends on ${dependency}, which nothing imports`)
  return [...missing, ...unused]
}

/** Dependencies that no source names, and why they are needed. */
const neededUnnamed: Readonly<Record<string, string>> = Object.fromEntries([
  ...[
    ...["@hpke/chacha20poly1305", "@hpke/dhkem-x448", "@hpke/hybridkem-x-wing", "@hpke/ml-kem"],
    ...["@noble/ciphers", "@noble/curves", "@noble/hashes", "@noble/post-quantum"],
  ].map((dependency) => [`interop ${dependency}`, "a peer of ts-mls, in the version that it asks for"]),
  ["examples @types/express", "the types of express"],
  ["examples @types/react", "the types of react"],
  ["examples @types/react-dom", "the types of react-dom"],
  ["postgres @types/pg", "the types of pg, which `Database.connect` returns"],
  ["client ws", "an optional peer of transport, passed on"],
  ["client sodium-native", "an optional peer of crypto, passed on"],
  ["client @conclave/native", "an optional peer of crypto, passed on"],
  ["cli libsql", "an optional peer of client, which the command line needs"],
  ["cli ws", "an optional peer of transport, which the command line needs"],
  ["cli @conclave/native", "an optional peer of crypto, which makes the command line faster where it has a binary"],
  ["cli sodium-native", "an optional peer of crypto, which makes the command line fast"],
])

function importedPackages(from: readonly string[]): string[] {
  return from
    .flatMap((file) => imports.get(file)!)
    .map(({ specifier }) => specifier)
    .filter((specifier) => !specifier.startsWith(".") && !isBuiltin(specifier) && !specifier.includes(":"))
    .map(packageOf)
}

/** What stands in the way of running `code` in a browser, as `a → b`. */
async function bundle(code: string): Promise<{ errors: string[] }> {
  const options = { bundle: true, write: false, platform: "browser", format: "esm", logLevel: "silent" } as const
  const stdin = { contents: code, resolveDir: join(root, "bench") }
  try {
    await build({ ...options, stdin, absWorkingDir: root })
    return { errors: [] }
  } catch (error) {
    const { errors } = error as { errors: { text: string; location: { file: string } | null }[] }
    return { errors: errors.map(({ text, location }) => `${location?.file ?? "entry"} → ${text}`) }
  }
}
