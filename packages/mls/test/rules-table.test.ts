import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { rules } from "@conclave/mls"

/** The package's folder, seen from the compiled tests. */
const folder = fileURLToPath(new URL("../../", import.meta.url))
const ids = Object.keys(rules)

function sources(path: string): string[] {
  return readdirSync(folder + path, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(`${folder}${path}/${file}`, "utf8"))
}

test("every rule has a test that breaks it, named after it", () => {
  const names = sources("test").flatMap((source) =>
    [...source.matchAll(/\btest\(\s*["'`]([a-z0-9-]+): /g)].map(([, id]) => id!),
  )
  const tables = sources("test").flatMap((source) =>
    [...source.matchAll(/^ {2,4}\[?"([a-z-]+)",/gm)].map(([, id]) => id!),
  )
  const tested = new Set([...names, ...tables])
  const missing = ids.filter((id) => !tested.has(id))
  assert.deepEqual(missing, [])
})

test("every rule is thrown somewhere, and whatever is thrown is in the table", () => {
  const source = sources("src").filter((it) => !it.includes("export const rules = define("))
  const thrown = new Set(
    source.flatMap((it) => [...it.matchAll(/\brule\([\s\S]*?,\s*"([a-z-]+)"\s*[,)]/g)].map(([, id]) => id!)),
  )
  assert.deepEqual(
    [...thrown].filter((id) => !ids.includes(id)),
    [],
  )
  assert.deepEqual(
    ids.filter((id) => !thrown.has(id)),
    [],
  )
})

test("every rule names a section of RFC 9420 and says what has to hold", () => {
  for (const [id, { section, text }] of Object.entries(rules)) {
    assert.match(id, /^[a-z]+(-[a-z]+)+$/)
    assert.match(section, /^\d+(\.\d+)*$/, id)
    assert.match(text, /^[A-Z].{10,90}[^.]$/, id)
  }
})
