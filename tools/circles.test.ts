import assert from "node:assert/strict"
import { test } from "node:test"
import { circles, importGraph, wayRound } from "./circles.js"
import { knownCircles } from "./known-circles.js"
import { files, read, workspaces } from "./repository.js"

const packages = workspaces().filter(({ folder }) => folder.startsWith("packages/"))

for (const { name, folder } of packages) {
  test(`no import circle inside ${name}, types included, but those that are known`, () => {
    const known = (knownCircles[name] ?? []).map((circle) => circle.map((file) => `${folder}/src/${file}`))
    const sources = files(`${folder}/src`).filter((file) => /\.tsx?$/.test(file))
    assert(sources.length > 0)
    assert.deepEqual(faults(new Map(sources.map((file) => [file, read(file)])), known), [])
  })
}

test("circles are known only of packages, and only while some are left", () => {
  const names = packages.map(({ name }) => name)
  assert.deepEqual(
    Object.entries(knownCircles).filter(([name, list]) => !names.includes(name) || list.length === 0),
    [],
  )
})

const planted = new Map([
  ["a/one.ts", 'import { two } from "./two.js"\nexport const one = two'],
  ["a/two.ts", 'import { three } from "./deeper/three.js"\nexport const two = three'],
  ["a/deeper/three.ts", 'import type { One } from "../one.js"\nexport const three: One = 1'],
  ["a/page.tsx", 'export { one } from "./one.js"\nexport const self = () => import("./page.jsx")'],
  ["a/four.ts", 'import { one } from "./one.js"\nimport "./elsewhere.js"\nexport const four = one'],
])

test("a planted circle is found, through a type too, and printed as a way round", () => {
  assert.deepEqual(faults(planted, []), [
    "a/deeper/three.ts → a/one.ts → a/two.ts → a/deeper/three.ts",
    "a/page.tsx → a/page.tsx",
  ])
})

test("a circle that is known is no fault, one that has grown or is gone is", () => {
  const triangle = ["a/deeper/three.ts", "a/one.ts", "a/two.ts"]
  assert.deepEqual(faults(planted, [triangle, ["a/page.tsx"]]), [])
  assert.deepEqual(faults(planted, [triangle, ["a/page.tsx"], ["a/four.ts", "a/one.ts"]]), [
    "gone, so it has to leave tools/known-circles.ts: a/four.ts, a/one.ts",
  ])
  const grown = new Map([...planted, ["a/one.ts", 'import "./two.js"\nimport type { Four } from "./four.js"']])
  assert.deepEqual(faults(grown, [triangle, ["a/page.tsx"]]), [
    "a/deeper/three.ts → a/one.ts → a/two.ts → a/deeper/three.ts (in a circle with a/four.ts)",
    "gone, so it has to leave tools/known-circles.ts: a/deeper/three.ts, a/one.ts, a/two.ts",
  ])
})

/** Circles that are not among the known ones, as ways round, and known ones that are gone. */
function faults(sources: ReadonlyMap<string, string>, known: readonly (readonly string[])[]): string[] {
  const graph = importGraph(sources)
  const found = circles(graph)
  const isAmong = (list: readonly (readonly string[])[], circle: readonly string[]) =>
    list.some((one) => one.join() === circle.join())
  return [
    ...found
      .filter((circle) => !isAmong(known, circle))
      .map((circle) => {
        const way = wayRound(circle, graph)
        const others = circle.filter((file) => !way.split(" → ").includes(file))
        return others.length === 0 ? way : `${way} (in a circle with ${others.join(", ")})`
      }),
    ...known
      .filter((circle) => !isAmong(found, circle))
      .map((circle) => `gone, so it has to leave tools/known-circles.ts: ${circle.join(", ")}`),
  ]
}
