import assert from "node:assert/strict"
import { test } from "node:test"
import { hasSideEffects, manifestFaults, modulesWithSideEffects } from "./manifests.js"
import { publicPackages, read, type Workspace, workspaces } from "./repository.js"

for (const workspace of publicPackages()) {
  const { name, manifest } = workspace

  test(`${name} says what a package that is published has to say`, () => {
    assert.deepEqual(manifestFaults(workspace, workspaces()), [])
  })

  test(`${name} lists its modules with side effects`, () => {
    const { sideEffects } = manifest as { sideEffects?: false | readonly string[] }
    const listed = sideEffects || []
    assert.deepEqual([...listed].filter((path) => /\.[jt]sx?$/.test(path)).sort(), modulesWithSideEffects(workspace))
  })
}

test("stack traces and editors lead to the TypeScript, which is shipped", () => {
  const { compilerOptions } = JSON.parse(read("tsconfig.base.json"))
  assert.equal(compilerOptions.sourceMap, true)
  assert.equal(compilerOptions.declarationMap, true)
})

test("a manifest that lacks something would be noticed", () => {
  const good = publicPackages().find(({ name }) => name === "mls")!
  const broken: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ keywords: [] }, /keywords are missing/],
    [{ sideEffects: undefined, description: undefined }, /description/],
    [{ version: "9.9.9" }, /version is "9.9.9"/],
    [{ engines: { node: ">=4" } }, /engines/],
    [{ repository: { type: "git", url: "https://example.org", directory: "packages/x" } }, /directory[\s\S]*url/],
    [{ homepage: "https://example.org" }, /homepage leads elsewhere/],
    [{ files: ["dist"] }, /files is \["dist"\]/],
    [{ exports: { "./testing": "./dist/testing/support.js" } }, /\.\/testing exports no shipped module/],
    [{ exports: { ".": "./dist/src/gone.js" } }, /\. exports no shipped module/],
    [{ dependencies: { "@conclave/testing": "0.1.0" } }, /@conclave\/testing is private/],
    [{ peerDependencies: { "@conclave/codec": "^9.0.0" } }, /@conclave\/codec is "\^9.0.0"/],
  ]
  for (const [change, expected] of broken) {
    const { sideEffects: _, description: __, ...bare } = good.manifest as unknown as Record<string, unknown>
    const manifest = "description" in change ? bare : { ...good.manifest, ...change }
    const faults = manifestFaults({ ...good, manifest: manifest as unknown as Workspace["manifest"] }, workspaces())
    assert.match(faults.join("\n"), expected)
  }
})

test("a side effect is an import for effect, or a statement at the top that declares nothing", () => {
  const effects = ['import "x"', "start()", "if (a) b()", "for (const a of b) c()", "await start()", "a.b = 1"]
  for (const code of effects) assert(hasSideEffects(code, "js"), code)
  const declarations = [
    ...['import { a } from "x"', "export const a = f()", "export { a } from 'x'", "class A { static b = 1 }"],
    ...["export default function a() {}", "export * from 'x'", "function a() { start() }"],
  ]
  for (const code of declarations) assert(!hasSideEffects(code, "js"), code)
  for (const code of [
    "export interface A {}",
    "export type A = 1",
    "declare const a: 1",
    "function a(): 1\nfunction a() {}",
  ]) {
    assert(!hasSideEffects(code, "ts"), code)
  }
})
