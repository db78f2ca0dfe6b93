import assert from "node:assert/strict"
import { test } from "node:test"
import { catalogue } from "../src/catalogue.js"
import { replaceOnce } from "../src/hostile.js"
import { faultOf } from "../src/undefended.js"

test("every attack has an id of its own", () => {
  const ids = catalogue.map(({ id }) => id)
  assert.deepEqual([...new Set(ids)], ids)
})

test("every defence is still in the code, once", () => {
  const faults = catalogue.flatMap(({ id, defence = [] }) =>
    defence.flatMap((mutation) => faultOf(mutation) ?? []).map((fault) => `${id}: ${fault}`),
  )
  assert.deepEqual(faults, [])
})

test("an attack that is closed has a defence that can be taken out", () => {
  const without = catalogue.filter(({ open, defence }) => open === undefined && (defence ?? []).length === 0)
  assert.deepEqual(
    without.map(({ id }) => id),
    [],
  )
})

test("a text that is missing, or there twice, is no defence", () => {
  const change = { file: "a.js", find: "b", replace: "c" }
  assert.throws(() => replaceOnce("a", change), /occurs 0 times/)
  assert.throws(() => replaceOnce("bb", change), /occurs 2 times/)
  assert.equal(replaceOnce("abd", change), "acd")
})
