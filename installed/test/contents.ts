import { readdirSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join, normalize } from "node:path"
import { root } from "./application.js"

/** What a package may consist of. */
const shipped: readonly RegExp[] = [
  /^(package\.json|LICENSE|README\.md)$/,
  /^src\/[\w/-]+(\.d)?\.ts$/,
  /^dist\/src\/[\w/-]+\.(js|d\.ts)(\.map)?$/,
]

/** The command line is bundled, with what others wrote. */
const command: readonly RegExp[] = [
  /^(package\.json|LICENSE|README\.md)$/,
  // The manifest says that what is beside it is CommonJS.
  /^bin\/(conclave\.js|package\.json)$/,
  /^dist\/bundle\/([\w-]+\.js(\.map)?|LICENSES\.txt)$/,
]

/** The page is bundled and compressed, and has no modules to import. */
const page: readonly RegExp[] = [
  /^(package\.json|LICENSE|README\.md)$/,
  /^dist\/(favicon\.svg|icon-(180|192|512|maskable-512)\.png)$/,
  /^dist\/(index\.html|manifest\.webmanifest|(theme|worker)\.js|assets\/[a-z-]+-[\w-]{8}\.(js|css|wasm))(\.br|\.gz)?$/,
]

const never =
  /(^|\/)(tests?|testing|fixtures?|fuzz|lab|simulation|node_modules)(\/|$)|\.test\.|tsbuildinfo|\.(db|key|env)$/

/** Files of a package that should not be there, and files that should. */
export function fileFaults(name: string, files: readonly string[]): string[] {
  const allowed = name === "@conclave/web" ? page : name === "@conclave/cli" ? command : shipped
  const wrong = files.filter((file) => never.test(file) || !allowed.some((pattern) => pattern.test(file)))
  const isCommand = files.includes("bin/conclave.js")
  const own = isCommand ? ["dist/bundle/conclave.js"] : files.flatMap(companions)
  const wanted = ["package.json", "LICENSE", "README.md", ...own]
  return [
    ...wrong.map((file) => `${file} does not belong there`),
    ...wanted.filter((file) => !files.includes(file)).map((file) => `${file} is missing`),
  ]
}

/** What has to be there beside a file. */
function companions(file: string): string[] {
  const [, module] = /^src\/([^.]*)\.ts$/.exec(file) ?? []
  if (module !== undefined) {
    return [".js", ".js.map", ".d.ts", ".d.ts.map"].map((kind) => `dist/src/${module}${kind}`)
  }
  const [, compiled] = /^dist\/src\/(.*)\.js$/.exec(file) ?? []
  return compiled === undefined ? [] : [`src/${compiled}.ts`]
}

/** What an installed package says in its manifest, its maps and anywhere else that cannot be true elsewhere. */
export function textFaults(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name).slice(folder.length + 1))
  const read = (file: string) => readFileSync(join(folder, file), "utf8")
  return [
    ...files.flatMap((file) => pathsOfMachine(read(file)).map((path) => `${file} names ${path}`)),
    ...files.filter((file) => file.endsWith(".map")).flatMap((file) => mapFaults(file, read(file), files)),
    ...manifestFaults(JSON.parse(read("package.json")), files),
  ]
}

/** Absolute paths of the machine on which something was built. */
export function pathsOfMachine(text: string): string[] {
  const places = [root.replace(/\/$/, ""), `${homedir()}/`, "file:///"]
  const homes = text.match(/(?<![\w.])\/(?:home|Users)\/\w+\/[\w./-]*/g) ?? []
  return [...places.filter((place) => text.includes(place)), ...homes]
}

/** Sources that a map names and that are neither shipped nor inside of it. */
export function mapFaults(file: string, text: string, files: readonly string[]): string[] {
  const {
    sources,
    sourcesContent,
    sourceRoot = "",
  } = JSON.parse(text) as {
    sources: string[]
    sourcesContent?: (string | null)[]
    sourceRoot?: string
  }
  return sources
    .filter((_, index) => typeof sourcesContent?.[index] !== "string")
    .filter((source) => !files.includes(normalize(join(dirname(file), sourceRoot, source))))
    .map((source) => `${file} maps to ${source}, which is not shipped`)
}

function manifestFaults(manifest: Readonly<Record<string, any>>, files: readonly string[]): string[] {
  const targets = [...Object.values<string>(manifest.exports ?? {}), ...Object.values<string>(manifest.bin ?? {})]
  const wanted = targets
    .map((target) => target.replace(/^\.\//, ""))
    .flatMap((target) => (target.startsWith("dist/src/") ? [target, target.replace(/\.js$/, ".d.ts")] : [target]))
  return wanted.filter((target) => !files.includes(target)).map((target) => `package.json names ${target}`)
}
