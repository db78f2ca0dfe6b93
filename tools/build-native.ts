/**
 * Builds the native provider for this machine: `npm run build:native`. The binary goes into `packages/native/dist/binaries`,
 * where `@conclave/native` looks first. Without a Rust that is new enough it says so and builds nothing; with
 * `CONCLAVE_NATIVE_REQUIRED=1` that is a failure. `--check` runs clippy, the Rust tests and cargo deny after it,
 * `--sanitize` the Rust tests under AddressSanitizer, which takes a nightly Rust.
 *
 * `npm run build:native -- --package FOLDER` writes the package of this platform into FOLDER as well, as it is published.
 * `--target TRIPLE` builds for another platform, where Rust and a C compiler for it are installed. `--zig` compiles C and
 * links with zig, for the oldest glibc; with `--release`, a binary that needs a newer one is a failure.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, renameSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { binaryOf, writePackage } from "./native-package.js"
import { missingRust, nativeTarget } from "./native-platforms.js"
import { compareVersions, findZig, glibcMax, glibcNeeded, zigEnvironment } from "./native-toolchain.js"
import { read, root } from "./repository.js"

const folder = join(root, "packages/native")
const { values } = parseArgs({
  options: {
    package: { type: "string" },
    target: { type: "string" },
    zig: { type: "boolean", default: false },
    release: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    sanitize: { type: "boolean", default: false },
  },
})
const cargoManifest = read("packages/native/rust/Cargo.toml")
const missing = missingRust(spawnSync("rustc", ["-vV"], { encoding: "utf8" }).stdout ?? "", cargoManifest)
if (missing !== undefined) {
  console.error(`NOT BUILT: the native provider, for ${missing}. The next provider is used.`)
  process.exit(process.env.CONCLAVE_NATIVE_REQUIRED === "1" ? 1 : 0)
}
const host = /^host: (.*)$/m.exec(spawnSync("rustc", ["-vV"], { encoding: "utf8" }).stdout)![1]!
const target = nativeTarget(values.target ?? host)
if (target === undefined) fail(`${values.target ?? host} is no platform of the native provider`)

const zig = values.zig ? (findZig() ?? fail("there is no zig, and no Python package ziglang")) : undefined

// What one compiler has built is nothing that the other one takes up.
const targetFolder = process.env.CARGO_TARGET_DIR ?? join(root, zig ? "output/native-zig" : "output/native")
const cargoHome = process.env.CARGO_HOME ?? join(homedir(), ".cargo")
// The paths of the machine would be in the messages of panics, and in the library's errors.
const prefixes = [
  [cargoHome, "cargo"],
  [targetFolder, "target"],
  [root.replace(/\/$/, ""), "conclave"],
]
const flags = (option: string) => prefixes.map(([from, to]) => `${option}=${from}=${to}`).join(" ")
const environment = {
  ...process.env,
  CARGO_TARGET_DIR: targetFolder,
  ...(zig && zigEnvironment(target, zig, join(targetFolder, "compilers"))),
  RUSTFLAGS: [process.env.RUSTFLAGS ?? "", flags("--remap-path-prefix"), ...target.rustFlags].join(" ").trim(),
  ...(target.platform.startsWith("win32")
    ? {}
    : { CFLAGS: `${process.env.CFLAGS ?? ""} ${flags("-ffile-prefix-map")}`.trim() }),
}
const crate = ["--locked", "--manifest-path", join(folder, "rust/Cargo.toml")]
cargo(["build", "--release", ...crate, "--target", target.triple], "cargo did not build it")
const built = join(targetFolder, target.triple, "release", target.file)
const glibc = target.libc === "glibc" ? glibcNeeded(readFileSync(built)) : undefined
if (values.release && glibc !== undefined && compareVersions(glibc, glibcMax) > 0) {
  fail(`the binary needs glibc ${glibc}; of a release, ${glibcMax} has to be enough: build it with --zig`)
}
const binary = binaryOf(target)
mkdirSync(dirname(binary), { recursive: true })
// Renamed into its place: a program that runs has the former one in its memory.
copyFileSync(built, `${binary}.new`)
renameSync(`${binary}.new`, binary)
console.log(
  `${binary.slice(root.length)}: ${Math.ceil(readFileSync(binary).length / 1000)} kB${glibc ? `, glibc ${glibc}` : ""}`,
)

if (values.package !== undefined) console.log(writePackage(target, built, values.package))

if (values.check) {
  // With the same settings, so that the C is not compiled again.
  const same = ["--release", ...crate, "--target", target.triple]
  const has = (command: string) => {
    const isThere = spawnSync("cargo", [command, "--version"]).status === 0
    if (!isThere) console.log(`NOT CHECKED: cargo ${command} is not installed`)
    return isThere
  }
  if (has("clippy")) cargo(["clippy", ...same, "--all-targets", "--", "-D", "warnings"], "clippy has found something")
  cargo(["test", ...same], "the Rust tests have failed")
  // Of the advisories there is no copy here.
  if (has("deny"))
    cargo(["deny", ...crate.slice(1), "check", "bans", "licenses", "sources"], "cargo deny has found something")
}

if (values.sanitize) {
  if (spawnSync("cargo", ["+nightly", "--version"]).status !== 0) fail("AddressSanitizer takes a nightly Rust")
  const sanitized = {
    ...process.env,
    CARGO_TARGET_DIR: join(root, "output/native-sanitized"),
    RUSTFLAGS: "-Zsanitizer=address",
  }
  cargo(
    ["+nightly", "test", ...crate, "--target", target.triple],
    "a test has failed under AddressSanitizer",
    sanitized,
  )
}

function cargo(words: readonly string[], failure: string, env: NodeJS.ProcessEnv = environment): void {
  const { status } = spawnSync("cargo", words, { stdio: "inherit", env })
  if (status !== 0) fail(failure)
}

function fail(reason: string): never {
  console.error(reason)
  process.exit(1)
}
