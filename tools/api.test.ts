import assert from "node:assert/strict"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { Api, type Entry, entriesOf } from "./api.js"
import { unusedOnPurpose } from "./api-exceptions.js"
import { apiReports, reportFolder } from "./api-reports.js"
import { type Source, unusedExports, usedNames } from "./api-use.js"
import { files, publicPackages, read, root, workspaces } from "./repository.js"

const entries = entriesOf(publicPackages())

test("the reports of what the packages export are those of the code: npm run docs:api", () => {
  const reports = apiReports(entries)
  const folder = join(root, reportFolder)
  const committed = existsSync(folder) ? readdirSync(folder).sort() : []
  assert.deepEqual(committed, [...reports.keys()].sort(), "there is another list of reports: npm run docs:api")
  const differing = committed.filter((file) => read(join(reportFolder, file)) !== reports.get(file))
  assert.deepEqual(differing, [], "the code exports something else: npm run docs:api")
})

test("nothing is public that no example, package, tool, bench, attack or test uses", () => {
  const all = [
    ...workspaces().map(({ folder, manifest }) => ({ folder, of: manifest.name })),
    { folder: "tools", of: "" },
  ]
  const sources = all.flatMap(({ folder, of }) =>
    files(folder)
      .filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"))
      .map((file): Source => ({ of, file, text: read(file) })),
  )
  const unused = unusedExports(entries, new Api(entries), usedNames(sources, entries))
  const excepted = unusedOnPurpose.flatMap(({ entry, names }) => names.map((name) => `${entry} ${name}`))
  assert.deepEqual(
    unused.filter((name) => !excepted.includes(name)),
    [],
    "exported, and used by nothing",
  )
  assert.deepEqual(
    excepted.filter((name) => !unused.includes(name)),
    [],
    "used, or gone: they have to leave tools/api-exceptions.ts",
  )
  assert.deepEqual(
    unusedOnPurpose.filter(({ reason, names }) => reason.length < 20 || names.length === 0),
    [],
  )
})

const declarations: Readonly<Record<string, string>> = {
  "packages/one/dist/src/index.d.ts": [
    'export * from "./extra.js"',
    "/** A comment. */",
    'export { type Options, make as create } from "./make.js"',
    "export type { Both } from './both.js'",
  ].join("\n"),
  "packages/one/dist/src/extra.d.ts": "export declare const extra = 1, more: number",
  "packages/one/dist/src/make.d.ts": [
    'import type { Depth } from "./depth.js"',
    'import { Outer } from "two"',
    "interface Hidden { readonly depth: Depth }",
    "export interface Options extends Hidden { /** Why. */ readonly outer?: Outer }",
    "export declare function make(options: Options): void",
    "export declare function make(): import('./both.js').Both",
  ].join("\n"),
  "packages/one/dist/src/both.d.ts": "export declare const Both: number\nexport type Both = typeof Both",
  "packages/one/dist/src/depth.d.ts": "export type Depth = 1",
  "packages/two/dist/src/index.d.ts":
    "export declare class Outer { #private }\nexport declare class Unused extends Outer {}",
}

const planted: readonly Entry[] = [
  { specifier: "one", slug: "one", file: "packages/one/dist/src/index.d.ts" },
  { specifier: "one/extra", slug: "one-extra", file: "packages/one/dist/src/extra.d.ts" },
  { specifier: "two", slug: "two", file: "packages/two/dist/src/index.d.ts" },
]
const api = () => new Api(planted, (file) => declarations[file]!)

test("a report has every exported name, sorted, without comments, and what they mention beside them", () => {
  const text = apiReports(planted, api()).get("one.md")!
  const order = [
    "type Both = typeof Both",
    "// create is\nfunction make(options: Options): void\nfunction make(): import",
  ]
  const places = ["5 names", "interface Options extends Hidden {", ...order, "const extra = 1, more: number"]
  for (const place of places) assert(text.includes(place), `${place} in\n${text}`)
  assert(text.indexOf("interface Options") < text.indexOf("// create is"))
  assert(text.indexOf("no name here") < text.indexOf("type Depth = 1"))
  assert(text.includes("interface Hidden") && !text.includes("Why") && !text.includes("const Both"))
})

test("a name is used by any form of import, and by being mentioned in what is used", () => {
  const forms = [
    'import { create } from "one"',
    'import type { create as other } from "one"',
    'export { create } from "one"',
    'import * as one from "one"\none.create()',
    'const { create } = await import("one")',
    'const made = (await import("one")).create()',
    'type Create = typeof import("one").create',
  ]
  for (const text of forms) {
    const used = usedNames([{ of: "elsewhere", file: "a.ts", text }], planted)
    assert.deepEqual([...used.get("one")!], ["create"], text)
    // Options, Both and Outer are mentioned; extra and more are not asked for twice.
    assert.deepEqual(unusedExports(planted, api(), used), ["one/extra extra", "one/extra more", "two Unused"], text)
  }
  const whole = usedNames([{ of: "elsewhere", file: "a.ts", text: 'import * as one from "one"\nlist(one)' }], planted)
  assert.deepEqual(unusedExports(planted, api(), whole), ["two Unused"])
})

test("a package's own sources are no use of it, its tests are", () => {
  const text = 'import { create } from "one"'
  assert.equal(usedNames([{ of: "one", file: "packages/one/src/a.ts", text }], planted).size, 0)
  for (const from of ["one", "../src/index.js"]) {
    const test = { of: "one", file: "packages/one/test/a.ts", text: text.replace("one", from) }
    assert.deepEqual([...usedNames([test], planted)], [["one", new Set(["create"])]])
  }
  const inside = { of: "one", file: "packages/one/src/a.ts", text: 'import { create } from "./index.js"' }
  assert.equal(usedNames([inside], planted).size, 0)
  assert.deepEqual(unusedExports(planted, api(), new Map()), [
    ...["one Both", "one Options", "one create", "one/extra extra", "one/extra more", "two Outer", "two Unused"],
  ])
})
