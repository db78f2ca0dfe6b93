import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../../", import.meta.url))
const folder = join(root, "output/bench-rust")

/** The program of `bench/rust`, where it was built. */
export const rustProgram = join(folder, "release", `conclave-bench-rust${process.platform === "win32" ? ".exe" : ""}`)

/**
 * Builds `bench/rust`, from crates that cargo has already where that is possible. It takes some minutes the first time.
 *
 * @returns the program, or in one line why there is none.
 */
export function buildRust(): { readonly program: string } | { readonly reason: string } {
  if (spawnSync("cargo", ["--version"]).status !== 0) return { reason: "there is no cargo" }
  const manifest = join(root, "bench/rust/Cargo.toml")
  const command = ["build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", folder]
  console.error("Building bench/rust")
  const isBuilt = [["--offline"], []].some(
    (more) => spawnSync("cargo", [...command, ...more], { stdio: ["ignore", "ignore", "inherit"] }).status === 0,
  )
  return isBuilt && existsSync(rustProgram) ? { program: rustProgram } : { reason: "cargo did not build bench/rust" }
}

/** Which release of a crate is measured. */
export function crateVersion(name: string): string {
  const lock = readFileSync(join(root, "bench/rust/Cargo.lock"), "utf8")
  return new RegExp(`name = "${name}"\nversion = "(.*)"`).exec(lock)?.[1] ?? "unknown"
}
