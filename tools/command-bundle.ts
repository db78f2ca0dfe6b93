import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { build, type Plugin } from "esbuild"
import { root, workspaces } from "./repository.js"

/** What a bundle cannot hold: packages with a binary, and those that `ws` and `pg` try in vain unless they are installed. */
const outside = ["libsql", "sodium-native", "koffi", "@conclave/native", "bufferutil", "utf-8-validate", "pg-native"]

const folder = join(root, "packages/cli/dist/bundle")
const compiled = join(root, "packages")

/**
 * Bundles the command line with everything that it imports, out of the compiled packages, as `dist/bundle/conclave.js` and a few
 * parts beside it. There are the two programs that it starts, source maps down to the TypeScript, and the licenses of what others wrote.
 * Why: docs/decisions/038-one-file.md.
 */
export async function bundleCommand(): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  const { metafile } = await build({
    entryPoints: {
      conclave: join(compiled, "cli/dist/src/main.js"),
      // `new URL("./verify-thread.js", import.meta.url)` and its like find them beside it.
      "second-opener": join(compiled, "cli/dist/src/doctor/second-opener.js"),
      "verify-thread": join(compiled, "crypto/dist/src/node/verify-thread.js"),
    },
    // In parts: a command reads what it needs. In one file, all 3 MB would be read for each.
    ...{ splitting: true, chunkNames: "[name]-[hash]" },
    ...{ bundle: true, format: "esm", platform: "node", target: "node20", outdir: folder, metafile: true },
    ...{ sourcemap: "linked", sourcesContent: true, legalComments: "none", logLevel: "warning", absWorkingDir: root },
    external: outside,
    // Packages in CommonJS call it.
    banner: {
      js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
    },
    plugins: [commandTable, ownModules, foreignMaps],
  })
  writeFileSync(join(folder, "LICENSES.txt"), licenses(Object.keys(metafile.inputs)))
}

/** Whether nothing was compiled since the bundle was made: what `bin/conclave.js` asks, too. */
export function isBundleCurrent(): boolean {
  const made = modifiedAt(join(folder, "conclave.js"))
  return (
    made > 0 &&
    readdirSync(compiled).every((name) => modifiedAt(join(compiled, name, "dist/tsconfig.tsbuildinfo")) <= made)
  )
}

const modifiedAt = (file: string) => (existsSync(file) ? statSync(file).mtimeMs : 0)

/** `commands.js` reads a folder; the bundle has none, so the names are read when it is made. */
const commandTable: Plugin = {
  name: "command-table",
  setup(building) {
    building.onLoad({ filter: /[/\\]cli[/\\]dist[/\\]src[/\\]commands\.js$/ }, async ({ path }) => {
      const { commandNames }: { readonly commandNames: readonly string[] } = await import(pathToFileURL(path).href)
      const camelCase = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
      const rows = commandNames.map(
        (name) =>
          `  ${JSON.stringify(name)}: async () => (await import("./commands/${name}.js"))[${JSON.stringify(camelCase(name))}],`,
      )
      return {
        contents: [
          ...["const commands = {", ...rows, "}", "export const commandNames = Object.keys(commands)"],
          "export const loadCommand = (name) => commands[name]()",
        ].join("\n"),
        resolveDir: dirname(path),
      }
    })
  },
}

/** Packages in CommonJS that are imported when they are needed: a part of the bundle has them as its default alone. */
const importedLate = /await import\("(prom-client|@nats-io\/transport-node)"\)/g

/** A package of this repository looks for what only it depends on from where it is installed, not from the bundle. */
const ownModules: Plugin = {
  name: "own-modules",
  setup(building) {
    const owners = workspaces().filter(({ name }) => ["fast-open", "postgres", "server"].includes(name))
    for (const { name, folder, manifest } of owners) {
      const filter = new RegExp(`[/\\\\]${basename(folder)}[/\\\\]dist[/\\\\]src[/\\\\].*\\.js$`)
      building.onLoad({ filter }, ({ path }) => {
        const code = readFileSync(path, "utf8")
        const own = `createRequire(createRequire(import.meta.url).resolve(${JSON.stringify(manifest.name)}))`
        const found = code.replaceAll("createRequire(import.meta.url)", own)
        return { contents: found.replace(importedLate, (late) => `(${late}).default`) }
      })
      if (manifest.exports?.["."] === undefined) throw new Error(`${name} has no main module to look from`)
    }
  },
}

/** Maps of packages whose sources are not published lead nowhere. */
const foreignMaps: Plugin = {
  name: "foreign-maps",
  setup(building) {
    building.onLoad({ filter: /node_modules[/\\]@nats-io[/\\].*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""),
    }))
  },
}

/** The license of every package in the bundle that is not ours. */
function licenses(inputs: readonly string[]): string {
  const found = inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? [])
  const texts = [...new Set(found)].sort().map((place) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, place, "package.json"), "utf8"))
    const file = readdirSync(join(root, place)).find((it) => /^(licen[cs]e|copying)(\.\w+)?$/i.test(it))
    const text = file === undefined ? "The package has no file with it." : readFileSync(join(root, place, file), "utf8")
    return `${name} ${version} (${license})\n\n${text.trim()}\n`
  })
  return texts.join(`\n${"-".repeat(80)}\n\n`)
}
