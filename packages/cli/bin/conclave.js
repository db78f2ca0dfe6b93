#!/usr/bin/env node
// Not compiled: npm links it at install, before anything is built.
import { existsSync } from "node:fs"

const main = new URL("../dist/src/main.js", import.meta.url)
if (existsSync(main)) await import(main.href)
else {
  console.error("conclave: it has not been built yet: run `npm run build`")
  process.exitCode = 1
}
