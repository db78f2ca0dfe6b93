import { readFileSync, writeFileSync } from "node:fs"
import { catalogue } from "./catalogue.js"
import { attacksPage } from "./document.js"

const read = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8")

writeFileSync(
  new URL("../../../docs/attacks.md", import.meta.url),
  attacksPage(catalogue, JSON.parse(read("attack/before.json")).attacks),
)
