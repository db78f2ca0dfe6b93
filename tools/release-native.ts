/**
 * `npm run release:native -- FOLDER`: builds the packages of the native provider for every platform that this machine can
 * build for, and packs them into FOLDER, beside an `@conclave/native` that has them as optional dependencies. What cannot
 * be built here is named. `--from PACKAGES` takes packages that were built before, here or elsewhere, and builds nothing;
 * `--built` takes the binaries of `npm run build:native`, whatever glibc they need: it is for tests. `--whole` is a failure where a platform is missing: it is how a release is packed.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { binaryOf, writePackage } from "./native-package.js"
import { type NativeTarget, nativeTargets, withPlatforms } from "./native-platforms.js"
import { findZig } from "./native-toolchain.js"
import { root } from "./repository.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: "string" },
    built: { type: "boolean", default: false },
    whole: { type: "boolean", default: false },
  },
})
const [folder] = positionals
if (folder === undefined) fail("usage: release-native FOLDER [--from PACKAGES] [--built] [--whole]")
const packages = resolve(values.from ?? (values.built ? join(folder, "native") : join(root, "output/native-packages")))
if (values.built) {
  for (const target of nativeTargets) if (existsSync(binaryOf(target))) writePackage(target, binaryOf(target), packages)
} else if (values.from === undefined) for (const target of nativeTargets) build(target)

const found = nativeTargets.filter(({ platform }) => existsSync(join(packages, `native-${platform}`, "package.json")))
const missing = nativeTargets.filter((target) => !found.includes(target)).map(({ platform }) => platform)
if (found.length === 0) fail(`${packages} has no package of a platform`)
if (missing.length > 0) {
  console.log(`NOT BUILT HERE: ${missing.join(", ")}; .github/workflows/native.yml builds each on a machine of its own`)
  if (values.whole) fail("a release has the packages of all platforms")
}
mkdirSync(folder, { recursive: true })
const packed = [...found.map(({ platform }) => pack(join(packages, `native-${platform}`))), packNative(found)]
writeFileSync(join(folder, "packed.json"), JSON.stringify(packed, undefined, 2))
for (const { name, size } of packed) console.log(`${name} ${Math.ceil(size / 1000)} kB`)

function build(target: NativeTarget): void {
  const obstacle = obstacleTo(target)
  if (obstacle !== undefined) {
    console.log(`${target.platform}: ${obstacle}`)
    return
  }
  const options = [
    "--target",
    target.triple,
    "--package",
    packages,
    "--release",
    ...(target.os === "linux" ? ["--zig"] : []),
  ]
  const script = join(root, "tools/dist/build-native.js")
  const { status } = spawnSync(process.execPath, [script, ...options], {
    stdio: "inherit",
    env: { ...process.env, CONCLAVE_NATIVE_REQUIRED: "1" },
  })
  if (status !== 0) fail(`${target.platform} was not built`)
}

/** Why it cannot be built here. */
function obstacleTo(target: NativeTarget): string | undefined {
  const library = spawnSync("rustc", ["--print", "target-libdir", "--target", target.triple], { encoding: "utf8" })
  if (library.status !== 0) return "there is no rustc"
  if (!existsSync(library.stdout.trim())) return `Rust's standard library for ${target.triple} is not installed`
  if (target.os === "linux")
    return findZig() === undefined ? "there is no zig, and no Python package ziglang" : undefined
  return target.os === process.platform ? undefined : `it is built on ${target.os}`
}

/** `@conclave/native` as the registry gets it. In the repository it names no binaries: they are not published yet. */
function packNative(targets: readonly NativeTarget[]) {
  const place = mkdtempSync(join(tmpdir(), "conclave-native-"))
  try {
    const { filename } = pack(join(root, "packages/native"), place)
    execFileSync("tar", ["xzf", join(place, filename), "-C", place])
    const file = join(place, "package/package.json")
    writeFileSync(
      file,
      `${JSON.stringify(withPlatforms(JSON.parse(readFileSync(file, "utf8")), targets), undefined, 2)}\n`,
    )
    return pack(join(place, "package"))
  } finally {
    rmSync(place, { recursive: true })
  }
}

function pack(from: string, into = folder!): { name: string; filename: string; size: number } {
  const command = ["pack", "--json", "--ignore-scripts", "--pack-destination", resolve(into)]
  const [only] = Object.values<never>(JSON.parse(execFileSync("npm", command, { cwd: from, encoding: "utf8" })))
  return only!
}

function fail(reason: string): never {
  console.error(reason)
  process.exit(1)
}
