import { createRequire } from "node:module"
import type { Binding } from "../src/binding.js"
import { loadNative, type NativeLibrary } from "../src/index.js"

const loaded = loadNative()

/** Why nothing of the library is tested; it has to be there where `CONCLAVE_NATIVE_REQUIRED` is 1. */
export const noNative: string | undefined =
  "library" in loaded ? undefined : `no binary (npm run build:native): ${loaded.reason}`
if (noNative !== undefined) {
  if (process.env.CONCLAVE_NATIVE_REQUIRED === "1") throw new Error(noNative)
  console.error(`NOT TESTED: ${noNative}`)
}

export const skip = noNative ?? false

export function library(): NativeLibrary {
  if (!("library" in loaded)) throw new Error(loaded.reason)
  return loaded.library
}

/** The file that was loaded. */
export function binaryFile(): string {
  const require = createRequire(import.meta.url)
  library()
  return Object.keys(require.cache).find((file) => /conclave-native.*\.node$/.test(file))!
}

/** The library's own functions, without what `NativeLibrary` puts before them. */
export function binding(): Binding {
  return createRequire(import.meta.url)(binaryFile()) as Binding
}

export const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex")
export const bytes = (text: string) => new Uint8Array(Buffer.from(text, "hex"))
export const filled = (length: number, value: number) => new Uint8Array(length).fill(value)
