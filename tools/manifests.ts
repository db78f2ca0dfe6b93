import { existsSync } from "node:fs"
import { join } from "node:path"
import { files, read, root, type Workspace } from "./repository.js"
import { field, list, type Node, parse } from "./syntax.js"

/** What may be in a package that is published: never tests, fixtures, fuzzers or laboratories. */
const shippedFolders = ["dist/src", "src"]

/** A command is bundled as well, with everything that it imports. */
const shippedOfCommands = ["bin", "dist/bundle"]

/** The page is bundled: its sources are not what runs. */
const bundled = ["dist"]

const required = ["description", "keywords", "homepage", "bugs", "license", "repository", "engines", "sideEffects"]

/** What is wrong with the manifest of a package that is published, each as a sentence. */
export function manifestFaults({ folder, manifest }: Workspace, all: readonly Workspace[]): string[] {
  const top = JSON.parse(read("package.json"))
  const it = manifest as unknown as Record<string, any>
  const isBundled = existsSync(join(root, folder, "index.html"))
  const faults = required.filter((key) => !(key in it)).map((key) => `${key} is missing`)
  const expect = (key: string, actual: unknown, expected: unknown) => {
    if (JSON.stringify(actual) === JSON.stringify(expected)) return
    faults.push(`${key} is ${JSON.stringify(actual)} and not ${JSON.stringify(expected)}`)
  }
  for (const key of ["version", "license", "type", "engines"]) expect(key, it[key], top[key])
  expect("repository.directory", it.repository?.directory, folder)
  if (!/^git\+https:\/\/\S+\.git$/.test(it.repository?.url ?? "")) faults.push("repository.url is no address of git")
  if (!(it.keywords?.length > 0)) faults.push("keywords are missing")
  if (!it.homepage?.includes(`/${folder}`)) faults.push("homepage leads elsewhere")
  const shipped = shippedFolders.filter((path) => existsSync(join(root, folder, path)))
  const allowed = isBundled ? bundled : "bin" in it ? shippedOfCommands : shipped
  expect("files", it.files, allowed)
  for (const [entry, target] of Object.entries<string>(it.exports ?? {})) {
    if (entry === "./package.json") continue
    const source = target.replace(/^\.\/dist\/(src\/.*)\.js$/, "$1.ts")
    if (source === target || !existsSync(join(root, folder, source))) faults.push(`${entry} exports no shipped module`)
  }
  for (const key of ["dependencies", "optionalDependencies", "peerDependencies"]) {
    for (const [name, range] of Object.entries<string>(it[key] ?? {})) {
      const own = all.find((other) => other.manifest.name === name)
      if (own?.manifest.private) faults.push(`${key}: ${name} is private`)
      if (own) expect(`${key}: ${name}`, range, own.manifest.version)
    }
  }
  for (const name of ["LICENSE", "README.md"]) {
    if (!existsSync(join(root, folder, name))) faults.push(`${name} is missing`)
  }
  if (existsSync(join(root, folder, "LICENSE")) && read(`${folder}/LICENSE`) !== read("LICENSE")) {
    faults.push("LICENSE is another one")
  }
  return faults
}

/**
 * Whether loading a module does something besides declaring: it imports for effect, or has a statement at the top that is
 * no declaration. What initialises a constant counts as a declaration.
 */
export function hasSideEffects(code: string, language: "js" | "ts" | "tsx"): boolean {
  return list(parse(code, language), "body").some((statement) => !isDeclaration(statement))
}

function isDeclaration(statement: Node): boolean {
  if (statement.type === "ImportDeclaration") return list(statement, "specifiers").length > 0
  if (statement.type === "ExportDefaultDeclaration") return true
  if (statement.type === "ExportNamedDeclaration") {
    const declaration = field(statement, "declaration")
    return declaration === undefined || isDeclaration(declaration)
  }
  return /^((ExportAll|Function|Class|Variable|TS\w+)Declaration|TSDeclareFunction)$/.test(statement.type)
}

/** The modules with side effects, as a manifest lists them: compiled, or as sources where they are bundled. */
export function modulesWithSideEffects({ folder }: Workspace): string[] {
  const sources = files(`${folder}/src`).filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"))
  const scripts = existsSync(join(root, folder, "bin"))
    ? files(`${folder}/bin`).filter((file) => file.endsWith(".js"))
    : []
  return [...scripts, ...sources]
    .filter((file) => hasSideEffects(read(file), file.endsWith(".js") ? "js" : file.endsWith(".tsx") ? "tsx" : "ts"))
    .map((file) => file.slice(folder.length + 1))
    .map((file) => {
      const compiled = file.replace(/^src\/(.*)\.ts$/, "dist/src/$1.js")
      return `./${existsSync(join(root, folder, compiled)) ? compiled : file}`
    })
}
