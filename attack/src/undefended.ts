import { spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Attack, Mutation } from "./attack.js"
import { replaceOnce, root } from "./hostile.js"
import { type Ran, runAttack } from "./run.js"

/** What a page is not built from. */
const NOT_OF_PAGE = ["node_modules", "test", "tsconfig.json", "README.md", "LICENSE"]

/** A copy of the compiled repository, in which one defence at a time is taken out. */
export class Undefended implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-undefended-"))

  constructor() {
    // Builders of the page read it, too.
    cpSync(join(root, "tsconfig.base.json"), join(this.folder, "tsconfig.base.json"))
    const modules = join(this.folder, "node_modules")
    mkdirSync(join(modules, "@conclave"), { recursive: true })
    for (const name of readdirSync(join(root, "node_modules"))) {
      if (!name.startsWith(".") && name !== "@conclave") {
        symlinkSync(join(root, "node_modules", name), join(modules, name))
      }
    }
    const workspaces = [...readdirSync(join(root, "packages")).map((name) => `packages/${name}`), "attack"]
    for (const workspace of workspaces) {
      const copy = join(this.folder, workspace)
      mkdirSync(copy, { recursive: true })
      cpSync(join(root, workspace, "package.json"), join(copy, "package.json"))
      // The page is built into `dist` itself, and from its sources.
      const isPage = !existsSync(join(root, workspace, "dist/src"))
      const parts = isPage ? readdirSync(join(root, workspace)).filter((it) => !NOT_OF_PAGE.includes(it)) : ["dist/src"]
      for (const part of parts) {
        if (existsSync(join(root, workspace, part))) {
          cpSync(join(root, workspace, part), join(copy, part), { recursive: true })
        }
      }
      symlinkSync(copy, join(modules, "@conclave", workspace.split("/").at(-1)!))
    }
  }

  /** Runs an attack without its defence, which stands again afterwards. */
  async run(attack: Attack): Promise<Ran> {
    const before = new Map<string, string>()
    try {
      for (const mutation of attack.defence ?? []) {
        const path = join(this.folder, mutation.file)
        const text = readFileSync(path, "utf8")
        if (!before.has(path)) before.set(path, text)
        writeFileSync(path, replaceOnce(text, mutation))
      }
      if (attack.page) this.#buildPage()
      return await runAttack(attack, this.folder)
    } catch (error) {
      return { broken: error instanceof Error ? error.message : String(error) }
    } finally {
      for (const [path, text] of before) writeFileSync(path, text)
    }
  }

  #buildPage(): void {
    const vite = join(root, "node_modules/vite/bin/vite.js")
    const options = { cwd: join(this.folder, "packages/web"), encoding: "utf8" } as const
    const built = spawnSync(process.execPath, [vite, "build"], options)
    if (built.status !== 0) throw new Error(`the page cannot be built: ${built.stderr}`)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What is wrong with the text of a defence as the code is now, or `undefined`. */
export function faultOf(mutation: Mutation): string | undefined {
  try {
    replaceOnce(readFileSync(join(root, mutation.file), "utf8"), mutation)
    return mutation.find === mutation.replace ? `${mutation.file}: it is replaced by itself` : undefined
  } catch (error) {
    return (error as Error).message
  }
}
