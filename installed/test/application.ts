import { execFile, execFileSync, spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { TestContext } from "node:test"
import { fileURLToPath } from "node:url"
import { lockOf, type Packed } from "./lock.js"

/** The repository's root, seen from the compiled tests. */
export const root = fileURLToPath(new URL("../../../", import.meta.url))

/** Packs every published package into `folder`. */
export function pack(folder: string): Packed[] {
  execFileSync(process.execPath, [join(root, "tools/dist/pack.js"), folder], { env: environment })
  return JSON.parse(readFileSync(join(folder, "packed.json"), "utf8"))
}

/** What npm and Node take from this process: its own settings, and nothing of the test or script that is running. */
const kept = /^npm_config_(cache|registry|userconfig|globalconfig|proxy|https_proxy|noproxy|cafile)$/i
export const environment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => kept.test(name) || !/^(npm_|NODE_|INIT_CWD)/.test(name)),
)

export interface Install {
  readonly folder: string
  readonly packed: readonly Packed[]
  /** Packages of this repository that the application names; the others come along as dependencies. */
  readonly own: readonly string[]
  /** From a registry: optional peers, types. */
  readonly others: readonly string[]
}

/**
 * Installs packed packages into an empty folder, from npm's cache, or else over the network.
 *
 * @returns why it is not possible: the cache lacks something, and the registry is out of reach.
 * @throws {Error} for whatever else npm says.
 */
export function install({ folder, packed, own, others }: Install): string | undefined {
  mkdirSync(folder, { recursive: true })
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
  const { manifest, lock } = lockOf(packages, packed, { tarballs: "../tarballs", own, others })
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2))
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock, undefined, 2))
  return npmCi(folder)
}

/** Installs what a lock file lists. The result is that of `install`. */
export function npmCi(folder: string, env = environment): string | undefined {
  // Scripts are ignored: nothing may need one to work.
  const command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
  const offline = spawnSync("npm", [...command, "--offline"], { cwd: folder, env, encoding: "utf8" })
  if (offline.status === 0) return undefined
  if (!/ENOTCACHED/.test(offline.stderr)) throw new Error(offline.stderr)
  const options = ["--prefer-offline", "--fetch-retries=1", "--fetch-timeout=20000"]
  const online = spawnSync("npm", [...command, ...options], { cwd: folder, env, encoding: "utf8" })
  if (online.status === 0) return undefined
  if (!/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNRESET|ENETUNREACH/.test(online.stderr)) {
    throw new Error(online.stderr)
  }
  return "npm's cache lacks a package, and the registry is out of reach: run `npm ci` with the network first"
}

/** The names of what is installed, in order, those inside of others included. */
export function installed(folder: string): string[] {
  const names: string[] = []
  const list = (modules: string) => {
    for (const name of readdirSync(modules)) {
      if (name.startsWith(".")) continue
      const found = name.startsWith("@") ? readdirSync(join(modules, name)).map((it) => `${name}/${it}`) : [name]
      for (const it of found) {
        names.push(it)
        if (readdirSync(join(modules, it)).includes("node_modules")) list(join(modules, it, "node_modules"))
      }
    }
  }
  list(join(folder, "node_modules"))
  return [...new Set(names)].sort()
}

/** Compiles with this repository's compiler; what the programs import is found in the folder alone. */
export function compile(folder: string, options: object, include: readonly string[]): string {
  const base = { target: "es2022", strict: true, rootDir: ".", outDir: "compiled", listFiles: true }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { ...base, ...options }, include }))
  const compiler = createRequire(import.meta.url).resolve("typescript/package.json")
  const script = join(dirname(compiler), "bin/tsc")
  const { stdout } = spawnSync(process.execPath, [script, "-p", folder, "--pretty", "false"], {
    ...{ cwd: folder, env: environment, encoding: "utf8", maxBuffer: 2 ** 26 },
  })
  return faultsIn(stdout, { folder: realpathSync(folder), libraries: realpathSync(dirname(dirname(compiler))) })
}

/**
 * Errors in the programs and in our packages, and files from elsewhere, of what the compiler printed. Errors within
 * other packages are theirs: a program sees them without `skipLibCheck` as soon as it uses them itself.
 */
function faultsIn(output: string, { folder, libraries }: { folder: string; libraries: string }): string {
  const isLanguage = new RegExp(`^${libraries}/(@typescript/[^/]+|typescript)/lib/lib\\.`)
  const kept: string[] = []
  let isOther = false
  for (const line of output.split("\n").filter((it) => it !== "")) {
    // What an error is about in detail is indented below it.
    if (!line.startsWith(" ")) isOther = /^node_modules\/(?!@conclave\/)/.test(line)
    if (!isOther && !line.startsWith(`${folder}/`) && !isLanguage.test(line)) kept.push(line)
  }
  return kept.join("\n")
}

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export function run(folder: string, words: readonly [string, ...string[]], more: NodeJS.ProcessEnv = {}) {
  const [command, ...rest] = words
  return new Promise<Ended>((resolve) => {
    const options = { cwd: folder, env: { ...environment, ...more }, timeout: 60_000 }
    execFile(command, rest, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
  })
}

/** What a program for Node is compiled with. */
export const node = { lib: ["es2022"], types: ["node"] }
export const node16 = { module: "node16", moduleResolution: "node16" }

/** Compiles one of our programs in the folder of an application. Returns where it is, seen from that folder. */
export function program(name: string, folder: string): string {
  writeFileSync(join(folder, `${name}.ts`), readFileSync(join(root, "installed/programs", `${name}.ts`)))
  const faults = compile(folder, { ...node, ...node16 }, [`${name}.ts`])
  if (faults !== "") throw new Error(faults)
  return `compiled/${name}.js`
}

/** Runs `conclave serve` of an application until the test is over. Returns its address. */
export function serve(
  test: TestContext,
  folder: string,
  command: readonly [string, ...string[]] = [process.execPath],
): Promise<string> {
  const script = join(folder, "node_modules/@conclave/cli/bin/conclave.js")
  const data = mkdtempSync(join(folder, "service-"))
  const words = ["serve", "--port", "0", "--data", data, "--fast-open", "--fast-open-port", "0"]
  const [file, ...rest] = command
  const child = spawn(file, [...rest, script, ...words], { cwd: folder, env: environment })
  test.after(() => child.kill())
  return new Promise((resolve, reject) => {
    let output = ""
    const read = (text: Buffer) => {
      output += text
      const found = /http:\/\/[\w.]+:\d+/.exec(output)
      if (found) resolve(found[0])
    }
    child.stdout.on("data", read)
    child.stderr.on("data", read)
    child.once("exit", () => reject(new Error(`the service ended: ${output}`)))
  })
}
