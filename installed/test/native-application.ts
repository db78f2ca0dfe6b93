import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Ended, environment, npmCi, pack, root, run } from "./application.js"
import { type Lock, lockOf, type Packed } from "./lock.js"

const platform = `linux-${process.arch}-gnu`
/** The package with the binary, in an application. */
export const binaryPackage = `node_modules/@conclave/native-${platform}`

/** Why nothing can be tested; where `CONCLAVE_NATIVE_REQUIRED` is 1, that is an error. */
export function absentBinary(): string | undefined {
  if (process.platform !== "linux") return "the test takes the binary for Linux"
  if (existsSync(join(root, `packages/native/dist/binaries/conclave-native.${platform}.node`))) return undefined
  const reason = `no binary for ${platform} (npm run build:native)`
  if (process.env.CONCLAVE_NATIVE_REQUIRED === "1") throw new Error(reason)
  return reason
}

/** Without cargo, and without whatever else is beside what npm itself calls. */
const bare: NodeJS.ProcessEnv = { ...environment, PATH: [dirname(process.execPath), "/usr/bin", "/bin"].join(":") }

/**
 * Installs `@conclave/crypto` and `@conclave/native` as they are published: npm picks the binary among the optional
 * dependencies, of which those for other platforms are nowhere.
 *
 * @returns why it is not possible, as `install` does.
 */
export async function installNative(place: string, folder: string): Promise<string | undefined> {
  const tarballs = join(place, "tarballs")
  const packed = pack(tarballs)
  // It packs `@conclave/native` once more, with its optional dependencies.
  execFileSync(process.execPath, [join(root, "tools/dist/release-native.js"), tarballs, "--built"], {
    env: environment,
  })
  const released: Packed[] = JSON.parse(readFileSync(join(tarballs, "packed.json"), "utf8"))
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
  const wanted = {
    tarballs: "../tarballs",
    own: ["@conclave/crypto", "@conclave/native"],
    others: ["sodium-native", "@types/node"],
  }
  const { manifest, lock } = lockOf(packages, [...packed, ...released], wanted)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2))
  const whole = { ...lock, packages: { ...lock.packages, ...(await binaries(lock.packages, released)) } }
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(whole, undefined, 2))
  return npmCi(folder, bare)
}

/** Entries of the lock file as npm writes them once all are published: every platform's, whatever the machine. */
async function binaries(lock: Lock, released: readonly Packed[]): Promise<Lock> {
  const { nativeTargets, manifestOf } = await import(join(root, "tools/dist/native-platforms.js"))
  const native = lock["node_modules/@conclave/native"]!
  const entries = nativeTargets.map((target: object) => {
    const { name, version, os, cpu, libc } = manifestOf(target, native)
    const found = released.find((it) => it.name === name)
    const resolved = `file:../tarballs/${found?.filename ?? "absent.tgz"}`
    const integrity = found?.integrity ?? native.integrity
    return [name, { version, resolved, integrity, optional: true, os, cpu, ...(libc && { libc }) }]
  })
  const optionalDependencies = Object.fromEntries(entries.map(([name]: [string]) => [name, native.version]))
  return {
    ...Object.fromEntries(entries.map(([name, entry]: [string, object]) => [`node_modules/${name}`, entry])),
    "node_modules/@conclave/native": { ...native, optionalDependencies },
  }
}

/** Which binaries npm installed. */
export function installedBinaries(folder: string): string[] {
  return readdirSync(join(folder, "node_modules/@conclave")).filter((name) => name.startsWith("native-"))
}

export interface Answer {
  /** The provider, once it has signed, verified, sealed and opened. */
  readonly name: string
  /** Why it is not the first. */
  readonly fallback?: string
}

/** What `nodeProvider()` of an application is, in a process of its own. */
export async function provider(folder: string, node = process.execPath): Promise<Answer> {
  writeFileSync(
    join(folder, "provider.js"),
    `import { nodeProvider } from "@conclave/crypto/node"
const { name, fallback, random, signatures, aeads } = nodeProvider()
const message = random(100)
const key = signatures.Ed25519.generate(random)
if (!signatures.Ed25519.verify(key.publicKey, message, key.sign(message))) throw new Error("not verified")
const aead = aeads["AES-128-GCM"]
const [secret, nonce, none] = [random(16), random(12), new Uint8Array(0)]
const opened = aead.open(secret, nonce, aead.seal(secret, nonce, message, none), none)
if (Buffer.compare(opened, message) !== 0) throw new Error("not opened")
console.log(JSON.stringify({ name, fallback }))
`,
  )
  const { code, stdout, stderr }: Ended = await run(folder, [node, "provider.js"], bare)
  if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}
