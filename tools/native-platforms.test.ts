import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { manifestOf, missingRust, nativeTarget, nativeTargets, withPlatforms } from "./native-platforms.js"
import { compareVersions, glibcNeeded } from "./native-toolchain.js"
import { read, root } from "./repository.js"

const cargo = read("packages/native/rust/Cargo.toml")
const manifest = JSON.parse(read("packages/native/package.json"))
const native: { VERSION: string; platforms(platform: string, arch: string): string[] } = await import(
  join(root, "packages/native/dist/src/index.js")
)

test("the crate, its lock file, the package and its code have one version", () => {
  assert.equal(/^version = "(.*)"$/m.exec(cargo)![1], manifest.version)
  assert.match(
    read("packages/native/rust/Cargo.lock"),
    new RegExp(`name = "conclave-native"\nversion = "${manifest.version}"`),
  )
  assert.equal(native.VERSION, manifest.version)
})

for (const folder of ["packages/native/rust", "bench/rust"]) {
  test(`the crates of ${folder} come from Cargo's own registry alone`, () => {
    const sources = [...read(`${folder}/Cargo.lock`).matchAll(/^source = "(.*)"$/gm)].map(([, it]) => it)
    assert(sources.length > 5)
    assert.deepEqual([...new Set(sources)], ["registry+https://github.com/rust-lang/crates.io-index"])
  })
}

test("the native provider has each crate in one version", () => {
  const names = [...read("packages/native/rust/Cargo.lock").matchAll(/^name = "(.*)"$/gm)].map(([, it]) => it)
  assert.deepEqual(names, [...new Set(names)])
})

test("each platform's package has the name by which it is loaded there", () => {
  for (const target of nativeTargets) {
    const { name, os, cpu } = manifestOf(target, manifest)
    assert(native.platforms(os[0]!, cpu[0]!).includes(name.replace("@conclave/native-", "")), name)
    assert.equal(withPlatforms(manifest, nativeTargets).optionalDependencies[name], manifest.version)
  }
  assert.equal(nativeTarget("wasm32-unknown-unknown"), undefined)
})

test("the workflow builds for each platform, and for no other", () => {
  const rows = read(".github/workflows/native.yml").matchAll(/platform: (\S+), triple: (\S+), machine: .* \}/g)
  const expected = nativeTargets.map(({ platform, triple }) => [platform, triple])
  assert.deepEqual(
    [...rows].map(([, ...words]) => words),
    expected,
  )
})

test("a binary's glibc is the newest of which it names a symbol", () => {
  const binary = (...versions: string[]) => Buffer.from(versions.map((it) => `x\0GLIBC_${it}\0`).join(""), "latin1")
  assert.equal(glibcNeeded(binary("2.2.5", "2.17", "2.4")), "2.17")
  assert.equal(glibcNeeded(binary("2.34", "2.3.4", "2.9")), "2.34")
  assert.equal(glibcNeeded(binary()), undefined)
  assert.equal(glibcNeeded(Buffer.from("GLIBC_PRIVATE\0GLIBC_2.99 is said in a message")), undefined)
  assert(
    compareVersions("2.17", "2.17") === 0 && compareVersions("2.3.4", "2.3") > 0 && compareVersions("2.9", "2.17") < 0,
  )
})

test("a Rust that is missing or too old is named", () => {
  const printed = (release: string) => `rustc ${release}\nhost: x86_64-unknown-linux-gnu\nrelease: ${release}\n`
  const wanted = /rust-version = "(.*)"/.exec(cargo)![1]!
  assert.equal(missingRust("", cargo), "there is no rustc")
  assert.equal(missingRust(printed("1.63.0"), cargo), `rustc is 1.63 and not ${wanted} or newer`)
  for (const release of [`${wanted}.0`, "1.200.0", "2.0.0"])
    assert.equal(missingRust(printed(release), cargo), undefined)
})
