/**
 * Compares the definitions that the tests hold the wire format against with those of the RFC's Markdown source:
 * `npm run compare-rfc -- rfc9420.md`; with `--write`, takes them from there.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { read, root } from "./repository.js"
import { rfcSyntax } from "./rfc-syntax.js"

const stored = "packages/mls/test/rfc9420-structs.txt"
const source = process.argv.slice(2).find((argument) => !argument.startsWith("--"))
if (source === undefined) {
  console.error("usage: npm run compare-rfc -- PATH/TO/rfc9420.md [--write]")
  process.exit(2)
}
// npm runs scripts at the root; the path is meant from where npm was called.
const expected = rfcSyntax(readFileSync(resolve(process.env.INIT_CWD ?? ".", source), "utf8"))
if (process.argv.includes("--write")) {
  writeFileSync(join(root, stored), `${expected.join("\n")}\n`)
  console.log(`${expected.length} definitions written to ${stored}`)
} else {
  const actual = read(stored).trimEnd().split("\n")
  const missing = expected.filter((definition) => !actual.includes(definition))
  const foreign = actual.filter((definition) => !expected.includes(definition))
  for (const definition of missing) console.log(`only in the RFC: ${definition}`)
  for (const definition of foreign) console.log(`only in ${stored}: ${definition}`)
  const identical = expected.length - missing.length
  console.log(`${identical} of ${expected.length} definitions of the RFC are in ${stored}, ${foreign.length} others`)
  if (missing.length + foreign.length > 0) process.exitCode = 1
}
