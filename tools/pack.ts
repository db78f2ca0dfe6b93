/**
 * Packs every published package into a folder: `node tools/dist/pack.js FOLDER`, after `npm run build`. What was compiled
 * from sources that are gone is removed first: the compiler leaves it behind, and npm would ship it. `packed.json` in
 * the folder says what npm packed: names, files, sizes, integrity.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { bundleCommand, isBundleCurrent } from "./command-bundle.js"
import { publicPackages, root, type Workspace } from "./repository.js"

const folder = process.argv[2]
if (folder === undefined) fail("usage: node tools/dist/pack.js FOLDER")
mkdirSync(folder, { recursive: true })
const packages = publicPackages()
for (const it of packages) {
  removeOrphans(it)
  const built = existsSync(join(root, it.folder, "index.html")) ? "dist/index.html" : "dist/src"
  if (!existsSync(join(root, it.folder, built))) fail(`${it.folder} has not been built yet: npm run build`)
}
if (!isBundleCurrent()) await bundleCommand()
const options = packages.flatMap((it) => ["--workspace", it.folder])
const command = ["pack", "--json", "--ignore-scripts", "--pack-destination", resolve(folder), ...options]
const packed = execFileSync("npm", command, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 })
// Newer versions of npm answer with an object by name.
const list: { name: string; size: number }[] = Object.values(JSON.parse(packed))
writeFileSync(join(folder, "packed.json"), JSON.stringify(list, undefined, 2))
for (const { name, size } of list) console.log(`${name} ${Math.ceil(size / 1000)} kB`)

function removeOrphans(it: Workspace): void {
  const compiled = join(root, it.folder, "dist/src")
  if (!existsSync(compiled)) return
  for (const file of readdirSync(compiled, { recursive: true, encoding: "utf8" })) {
    const source = /^(.*)\.(?:d\.ts|js)(?:\.map)?$/.exec(file)?.[1]
    if (source === undefined) continue
    if (["ts", "tsx"].some((kind) => existsSync(join(root, it.folder, "src", `${source}.${kind}`)))) continue
    rmSync(join(compiled, file))
  }
}

function fail(reason: string): never {
  console.error(reason)
  process.exit(2)
}
