import assert from "node:assert/strict"
import { test } from "node:test"
import { files, read } from "./repository.js"
import { lengthMax, longFiles, offences, tidyRules } from "./tidy-rules.js"

const paths = files().filter(
  (path) => path !== "package-lock.json" && !/\.(png|ico|svg|woff2?|db|pcap|wasm)$/.test(path),
)
const sources = new Map(paths.map((path) => [path, read(path)]))

for (const rule of tidyRules) {
  test(`no file has ${rule.name}`, () => {
    const found = [...sources].flatMap(([path, source]) => offences(rule, path, source))
    assert.deepEqual(found, [])
  })
}

test(`no source is longer than ${lengthMax} lines, but for those that are one thing`, () => {
  const long = [...sources].filter(([path, source]) => /\.(tsx?|css|html)$/.test(path) && lineCount(source) > lengthMax)
  assert.deepEqual(
    long.filter(([path]) => !(path in longFiles)).map(([path, source]) => `${path}: ${lineCount(source)} lines`),
    [],
  )
})

test("the lock file names no host: packages come from wherever npm is told to get them", () => {
  const hosts = read("package-lock.json").match(/https?:\/\/[^/"]+\/[^"]*\.tgz/g) ?? []
  assert.deepEqual(hosts, [])
})

test("every rule finds what it looks for, and nothing beside it", () => {
  const library = "packages/mls/src/example.ts"
  const testFile = "packages/mls/test/example.test.ts"
  // Written in two parts, so that this file does not break the rules itself.
  const broken: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
    "a path of one machine": [
      ["README.md", `see /${"home"}/somebody/file`],
      [library, `"/${"tmp"}/x"`],
    ],
    "the host of a package registry": [["README.md", `https://registry.${"npmjs"}.org/ws`]],
    "work that is left undone": [
      [library, `// ${"TO"}DO: later`],
      [library, `throw new Error("not imple${"mented"}")`],
    ],
    "a comment about something that only holds a place": [[library, `// a place${"holder"} for now`]],
    "a test that is singled out": [
      [testFile, `test.${"only"}("x", () => {})`],
      [testFile, `test("x", { ${"only"}: true }, () => {})`],
    ],
    "a test that is skipped without a reason": [
      [testFile, `test.${"skip"}("x", () => {})`],
      [testFile, `t.${"skip"}()`],
      [testFile, `test("x", { ${"skip"}: true }, () => {})`],
    ],
    "a library that writes to the console": [[library, 'console.log("x")']],
    "time or randomness that is not passed in": [
      [library, "const now = Date.now()"],
      [library, "const now = new Date()"],
      [library, "Math.random()"],
    ],
    "the core waiting, or reaching for the network, timers or globals of a platform": [
      [library, "setTimeout(() => {}, 5)"],
      [library, "await fetch(url)"],
    ],
  }
  for (const rule of tidyRules) {
    assert(broken[rule.name], rule.name)
    for (const [path, source] of broken[rule.name]!) {
      assert.deepEqual(offences(rule, path, `ok\n${source}`), [`${path}:2: ${source}`])
    }
  }
  const fine = ['<input placeholder="Name">', 'test("x", { skip: reason }, run)', "// console.log(x)", "new Date(0)"]
  for (const rule of tidyRules) {
    for (const source of fine) {
      for (const path of [library, testFile]) assert.deepEqual(offences(rule, path, source), [], rule.name)
    }
  }
})

function lineCount(source: string): number {
  return source.split("\n").length - 1
}
