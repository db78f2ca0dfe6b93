#!/usr/bin/env node
// Not compiled: npm links it at install, before anything is built. CommonJS, and in the words of old versions: it is what
// tells them that they are too old, before anything is loaded that they cannot read.
"use strict"

// biome-ignore lint/style/useNodejsImportProtocol: Node 12 knows no `node:`
const fs = require("fs")
// biome-ignore lint/style/useNodejsImportProtocol: the same
const path = require("path")
// biome-ignore lint/style/useNodejsImportProtocol: the same
const { pathToFileURL } = require("url")

const bundle = path.join(__dirname, "..", "dist", "bundle", "conclave.js")
const main = isCurrent(bundle) ? bundle : path.join(__dirname, "..", "dist", "src", "main.js")
const needed = require("../package.json").engines.node.replace(/^>=/, "")

const found = `Node ${process.versions.node}`
const isOld = !isEnough(process.versions.node, needed)

if (process.argv[2] === "doctor" && (isOld || !canLoad("libsql"))) {
  process.exitCode = 1
  diagnose()
} else if (isOld) {
  process.exitCode = 1
  console.error(`conclave: this is ${found}, and Node ${needed} or later is needed; conclave doctor tells more`)
} else if (fs.existsSync(main)) {
  // A stack leads to the TypeScript. Reading the maps takes longer than most commands.
  if (process.env.CONCLAVE_DEBUG) process.setSourceMapsEnabled(true)
  import(pathToFileURL(main).href)
} else {
  process.exitCode = 1
  console.error("conclave: it has not been built yet: run `npm run build`")
}

function isEnough(version, least) {
  const [major, minor] = version.split(".").map(Number)
  const [majorMin, minorMin] = least.split(".").map(Number)
  return major > majorMin || (major === majorMin && minor >= minorMin)
}

/** Whether the bundle holds what is compiled. In the repository a package may have been compiled again since it was made. */
function isCurrent(bundle) {
  const made = modifiedAt(bundle)
  if (made === 0 || !fs.existsSync(path.join(__dirname, "..", "tsconfig.json"))) return made > 0
  const packages = path.join(__dirname, "..", "..")
  return fs
    .readdirSync(packages)
    .every((name) => modifiedAt(path.join(packages, name, "dist", "tsconfig.tsbuildinfo")) <= made)
}

/** 0 where there is no such file. */
function modifiedAt(file) {
  try {
    return fs.statSync(file).mtimeMs
  } catch (_) {
    return 0
  }
}

/** As much of `conclave doctor` as runs on any version, and without the packages that the commands load. */
function diagnose() {
  const isPlain = process.env.TERM === "dumb" || process.env.TERM === "linux" || isWithoutUnicode(process.env)
  const [bad, note, good] = isPlain ? ["x", "-", "+"] : ["\u2717", "\u2013", "\u2713"]
  const what = `${found} on ${process.platform} ${process.arch}`
  if (isOld) {
    console.log(`${bad} ${what} is too old: ${needed} is needed.`)
    console.log("    https://nodejs.org/en/download")
  } else console.log(`${good} ${what}; ${needed} is needed.`)
  for (const [name, mark] of [
    ["libsql", bad],
    ["sodium-native", note],
  ]) {
    const isThere = canLoad(name)
    console.log(`${isThere ? good : mark} The package ${name} ${isThere ? "is installed" : "cannot be loaded"}.`)
    if (!isThere) console.log("    npm install")
  }
  console.log(`${note} The other checks need ${isOld ? `Node ${needed}` : "libsql"}.`)
}

function isWithoutUnicode(environment) {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ""
  return locale !== "" && !/utf-?8/i.test(locale)
}

function canLoad(name) {
  try {
    require(name)
    return true
  } catch (_) {
    return false
  }
}
