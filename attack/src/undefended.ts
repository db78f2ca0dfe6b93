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
import { replaceOnce, root } from "./hostile-mls.js"
import { type Ran, runAttack } from "./run.js"

/** A copy of the compiled repository, in which one defence at a time is taken out. */
export class Undefended implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-undefended-"))

  constructor() {
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
      // The page is built into `dist` itself.
      const built = existsSync(join(root, workspace, "dist/src")) ? "dist/src" : "dist"
      if (existsSync(join(root, workspace, built))) {
        cpSync(join(root, workspace, built), join(copy, built), { recursive: true })
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
      return await runAttack(attack, this.folder)
    } catch (error) {
      return { broken: error instanceof Error ? error.message : String(error) }
    } finally {
      for (const [path, text] of before) writeFileSync(path, text)
    }
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
