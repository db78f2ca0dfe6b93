/** Writes `docs/rules.md` from the table of rules in `@conclave/mls`; with `--check`, says whether it is current. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "./repository.js"
import { type RuleTable, rulesDocument } from "./rules-document.js"

const path = join(root, "docs/rules.md")
const compiled = pathToFileURL(join(root, "packages/mls/dist/src/rules.js")).href
const { rules } = (await import(compiled)) as { rules: RuleTable }
const document = rulesDocument(rules)

if (process.argv.includes("--check")) {
  if (readFileSync(path, "utf8") !== document) {
    console.error("docs/rules.md is not what the table says: run `npm run docs:rules`.")
    process.exitCode = 1
  }
} else {
  writeFileSync(path, document)
  console.log(`docs/rules.md: ${Object.keys(rules).length} rules`)
}
