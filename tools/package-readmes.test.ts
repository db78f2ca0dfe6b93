import assert from "node:assert/strict"
import { execFile, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { promisify } from "node:util"
import { importsOf, packageOf } from "./imports.js"
import { entriesListed, examplesIn } from "./package-readme.js"
import { publicPackages, read, root } from "./repository.js"

interface Servers {
  readonly noPostgres: string | undefined
  startPostgres(): Promise<{ url(database: string): Promise<string> } & AsyncDisposable>
}
const { noPostgres, startPostgres }: Servers = await import(join(root, "packages/testing/dist/src/servers.js"))

const packages = publicPackages().map((workspace) => {
  const markdown = read(`${workspace.folder}/README.md`)
  const examples = examplesIn(markdown).map((example, index) => ({
    ...example,
    file: `${workspace.name}-${index + 1}`,
  }))
  return { ...workspace, markdown, examples }
})
const examples = packages.flatMap((it) => it.examples)

// Inside the repository, whose packages the programs import.
mkdirSync(join(root, "output"), { recursive: true })
const folder = mkdtempSync(join(root, "output/readmes-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const options = {
  ...{ target: "es2022", module: "nodenext", strict: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
  ...{ lib: ["es2024", "dom", "esnext.disposable"], types: ["node"], rootDir: ".", outDir: "compiled" },
}

let compiler: { status: number | null; stdout: string }

before(() => {
  for (const { file, code } of examples) writeFileSync(join(folder, `${file}.ts`), `${code}\nexport {}\n`)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*.ts"] }))
  compiler = compile()
})

function compile() {
  const script = join(root, "node_modules/typescript/bin/tsc")
  return spawnSync(process.execPath, [script, "-p", folder, "--pretty", "false"], { encoding: "utf8" })
}

test("the programs of the packages' READMEs compile against the packages", () => {
  assert.equal(compiler.stdout, "")
  assert.equal(compiler.status, 0)
})

for (const { name, folder: place, manifest, markdown, examples } of packages) {
  test(`the README of ${name} has a program, an install line, its entries and where to read on`, () => {
    assert(examples.some(({ isRun }) => isRun))
    assert.match(markdown, /```sh\nnpm install .*@conclave\//)
    const entries = Object.keys(manifest.exports ?? {}).map((entry) => join(manifest.name, entry))
    assert.deepEqual(entriesListed(markdown).sort(), entries.sort(), `${place}/README.md lists other entries`)
    for (const [, link] of markdown.matchAll(/blob\/main\/([^)#]+)/g)) assert(existsSync(join(root, link!)), link)
    for (const document of ["ARCHITECTURE.md", "SECURITY.md"]) assert(markdown.includes(`/${document})`), document)
    const installed = [...markdown.matchAll(/npm install (.*)/g)].flatMap((match) => match[1]!.split(/[\s`.]+/))
    const imported = examples.flatMap(({ code }) => importsOf(code)).map(({ specifier }) => specifier)
    for (const specifier of imported.filter((it) => !isBuiltin(it))) {
      assert(installed.includes(packageOf(specifier)), `no install line has ${specifier}`)
    }
    for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
      assert(markdown.includes(peer), `it does not say what ${peer} is for`)
    }
  })
}

for (const { file, code, prints } of examples.filter(({ isRun }) => isRun)) {
  const skip = code.includes("DATABASE_URL") && noPostgres
  test(`the program ${file} runs, and prints what its README says`, { skip }, async () => {
    assert(prints.length > 0, "it prints nothing, so nothing would be checked")
    const place = mkdtempSync(join(folder, "run-"))
    const run = async (environment: NodeJS.ProcessEnv) => {
      const program = join(folder, "compiled", `${file}.js`)
      const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: place, env: environment })
      return stdout
    }
    const output = code.includes("CONCLAVE_SERVER")
      ? await withService(place, run)
      : code.includes("DATABASE_URL")
        ? await withPostgres(run)
        : await run(process.env)
    assert.deepEqual(output.trimEnd().split("\n"), [...prints])
  })
}

type Run = (environment: NodeJS.ProcessEnv) => Promise<string>

async function withPostgres(run: Run): Promise<string> {
  await using server = await startPostgres()
  return await run({ ...process.env, DATABASE_URL: await server.url("conclave") })
}

async function withService(data: string, run: Run): Promise<string> {
  const serve = [join(root, "packages/cli/bin/conclave.js"), "serve", "--port", "0", "--data", join(data, "service")]
  const child = execFile(process.execPath, serve)
  try {
    const address = await new Promise<string>((resolve, reject) => {
      let output = ""
      child.stdout!.on("data", (text: string) => {
        output += text
        const found = /http:\/\/[\w.]+:\d+/.exec(output)
        if (found) resolve(found[0])
      })
      child.once("exit", () => reject(new Error(`the service ended: ${output}`)))
    })
    return await run({ ...process.env, CONCLAVE_SERVER: address })
  } finally {
    child.kill()
  }
}

test("a program is found, with what it prints", () => {
  const fence = "```"
  const markdown = `text\n${fence}ts run\nconsole.log(1) // prints 1\n${fence}\n${fence}ts\nf()\n${fence}\n${fence}sh\nx\n${fence}\n`
  assert.deepEqual(examplesIn(markdown), [
    { code: "console.log(1) // prints 1\n", isRun: true, prints: ["1"] },
    { code: "f()\n", isRun: false, prints: [] },
  ])
  assert.deepEqual(entriesListed("| `@conclave/x` | y |\n\n## Entries\n\n| `@conclave/a/b` | c |\n| `libsql` | d |"), [
    "@conclave/a/b",
  ])
})
