import { createRequire } from "node:module"
import type { Binding } from "./binding.js"
import { isCutOff, type Libc, libcOf } from "./elf.js"
import { NativeLibrary } from "./library.js"

export type { NativeAead, NativeGroup, NativeHash, NativeScheme } from "./algorithms.js"
export type { NativeHpke, NativeHpkeSuite } from "./hpke.js"
export { type NativeKey, NativeLibrary, type NativeSpans, type NativeVerification } from "./library.js"

/** Of this package and of the binaries that belong to it. */
export const VERSION = "0.1.0"

/** Of the functions and their arguments, as the binary states it. */
const INTERFACE = 2

/** The library, or in one line why it is not there. */
export type LoadedNative = { readonly library: NativeLibrary } | { readonly reason: string }

/**
 * Loads the binary of this platform: from this package's own folder where it was built there, or from the package of the
 * platform, `@conclave/native-linux-x64-gnu` and the like. Never throws; later calls answer what the first one did.
 */
export function loadNative(): LoadedNative {
  loaded ??= load(candidates(process.platform, process.arch, libcOf(process.execPath)), open)
  return loaded
}

let loaded: LoadedNative | undefined

const require = createRequire(import.meta.url)

function open(name: string): unknown {
  const file = require.resolve(name)
  if (isCutOff(file)) throw new Error(`${file} is cut off`)
  return require(file)
}

/** The names of the platforms whose binary may run here: one, unless the C library is unknown. */
export function platforms(platform: string, arch: string, libc?: Libc): string[] {
  if (platform === "linux") return (libc === undefined ? ["gnu", "musl"] : [libc]).map((it) => `linux-${arch}-${it}`)
  return [platform === "win32" ? `win32-${arch}-msvc` : `${platform}-${arch}`]
}

function candidates(platform: string, arch: string, libc: Libc | undefined): string[] {
  const names = platforms(platform, arch, libc)
  return [
    ...names.map((name) => `../binaries/conclave-native.${name}.node`),
    ...names.map((name) => `@conclave/native-${name}`),
  ]
}

/** The first candidate that loads and belongs to this version. `require` throws for what is not there, or does not run. */
export function load(candidates: readonly string[], require: (name: string) => unknown): LoadedNative {
  const reasons: string[] = []
  for (const candidate of candidates) {
    const name = candidate.replace("../", "@conclave/native/")
    try {
      const binding = require(candidate) as Binding
      if (binding.version === VERSION && binding.interfaceVersion === INTERFACE) {
        return { library: new NativeLibrary(binding) }
      }
      reasons.push(
        binding.version === VERSION
          ? `${name} has interface ${binding.interfaceVersion}, not ${INTERFACE}: build it again`
          : `${name} is of version ${binding.version}, not ${VERSION}`,
      )
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown }
      if (code !== "MODULE_NOT_FOUND") reasons.push(`${name} does not load: ${String(message).split("\n")[0]}`)
    }
  }
  return { reason: reasons[0] ?? `@conclave/native has no binary for ${process.platform} ${process.arch}` }
}
