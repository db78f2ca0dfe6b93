import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

/** The repository, or the copy of it that this program is part of. */
export const root = fileURLToPath(new URL("../../../", import.meta.url))

export type Mls = typeof import("@conclave/mls")

export interface Hostility {
  /** Rules that the attacker's library does not keep, by id. */
  readonly withoutRules?: readonly string[]
  /** Further changes of its compiled code, from `dist/src`; each text has to be there once. */
  readonly patches?: readonly Patch[]
}

export interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/**
 * A copy of `@conclave/mls` that breaks rules. An attacker's library keeps none of them, and what the real one refuses
 * to make says nothing about what the real one takes.
 */
export function hostileMls({ withoutRules = [], patches = [] }: Hostility): Promise<Mls> {
  const broken = JSON.stringify(withoutRules)
  const lenient = {
    file: "errors.js",
    find: "if (!condition)",
    replace: `if (!condition && !${broken}.includes(id))`,
  }
  return importPatched("mls", "index.js", [lenient, ...patches])
}

/** A module of a package, from a copy of its compiled code in which texts have been replaced. */
export async function importPatched(name: string, module: string, patches: readonly Patch[]) {
  const folder = mkdtempSync(join(tmpdir(), "conclave-hostile-"))
  process.on("exit", () => removeQuietly(folder))
  const original = join(root, "packages", name)
  mkdirSync(join(folder, "dist"))
  cpSync(join(original, "package.json"), join(folder, "package.json"))
  cpSync(join(original, "dist/src"), join(folder, "dist/src"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  for (const { file, find, replace } of patches) {
    const path = join(folder, "dist/src", file)
    writeFileSync(path, replaceOnce(readFileSync(path, "utf8"), { file, find, replace }))
  }
  return import(pathToFileURL(join(folder, "dist/src", module)).href)
}

/** Throws unless `find` occurs exactly once. */
export function replaceOnce(text: string, change: { file: string; find: string; replace: string }): string {
  const parts = text.split(change.find)
  if (parts.length !== 2) throw new Error(`${change.file}: "${change.find}" occurs ${parts.length - 1} times`)
  return parts.join(change.replace)
}

function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // A temporary folder that stays is no reason to fail.
  }
}
