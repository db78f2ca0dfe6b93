import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import type { Binding } from "../src/binding.js"
import { isCutOff, libcOf } from "../src/elf.js"
import { load, loadNative, platforms, VERSION } from "../src/index.js"
import { binaryFile, skip } from "./support.js"

const absent = Object.assign(new Error("absent"), { code: "MODULE_NOT_FOUND" })
const other = (fields: Partial<Binding>) => ({ version: VERSION, interfaceVersion: 2, ...fields }) as Binding

function loadFrom(modules: Readonly<Record<string, Binding | Error>>) {
  return load(Object.keys(modules), (name) => {
    const module = modules[name]!
    if (module instanceof Error) throw module
    return module
  })
}

test("loading answers the same each time, and never throws", () => {
  assert.equal(loadNative(), loadNative())
})

test("the first binary that belongs to this version is taken", () => {
  assert("library" in loadFrom({ a: absent, b: other({ version: "0.0.1" }), c: other({}) }))
})

test("why none is taken is said in one line", () => {
  const reason = (modules: Readonly<Record<string, Binding | Error>>) => {
    const loaded = loadFrom(modules)
    assert("reason" in loaded)
    assert.doesNotMatch(loaded.reason, /\n/)
    return loaded.reason
  }
  assert.match(reason({ a: absent }), new RegExp(`no binary for ${process.platform} ${process.arch}`))
  assert.equal(reason({ a: other({ version: "0.0.1" }) }), `a is of version 0.0.1, not ${VERSION}`)
  assert.match(reason({ a: other({ interfaceVersion: 1 }) }), /^a has interface 1, not \d+: build it again$/)
  assert.equal(
    reason({ a: new Error("invalid ELF header\nand more"), b: absent }),
    "a does not load: invalid ELF header",
  )
})

test("a file that is no binary, or of another platform, is passed over", () => {
  const folder = mkdtempSync(join(tmpdir(), "conclave-native-"))
  try {
    const require = createRequire(join(folder, "x.js"))
    const files = { empty: "", text: "not a library", windows: "MZ\0\0PE\0\0", apple: "\xcf\xfa\xed\xfe" }
    for (const [name, content] of Object.entries(files)) {
      const file = join(folder, `${name}.node`)
      writeFileSync(file, content, "latin1")
      const loaded = load([file], require)
      assert("reason" in loaded && loaded.reason.startsWith(`${file} does not load: `), JSON.stringify(loaded))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("the binary that was built is of this version", { skip }, () => {
  const { version, interfaceVersion } = createRequire(import.meta.url)(binaryFile()) as Binding
  assert.deepEqual([version, interfaceVersion], [VERSION, 2])
})

test("platforms are named as npm names them", () => {
  assert.deepEqual(platforms("linux", "x64"), ["linux-x64-gnu", "linux-x64-musl"])
  assert.deepEqual(platforms("linux", "x64", "gnu"), ["linux-x64-gnu"])
  assert.deepEqual(platforms("linux", "arm64", "musl"), ["linux-arm64-musl"])
  assert.deepEqual(platforms("darwin", "arm64"), ["darwin-arm64"])
  assert.deepEqual(platforms("win32", "x64"), ["win32-x64-msvc"])
})

test("the C library of a program is that of the loader that it names", () => {
  const folder = mkdtempSync(join(tmpdir(), "conclave-libc-"))
  try {
    const libc = (content: string) => {
      const file = join(folder, "program")
      writeFileSync(file, content, "latin1")
      return libcOf(file)
    }
    const elf = `\x7fELF${"\0".repeat(600)}`
    assert.equal(libc(`${elf}/lib64/ld-linux-x86-64.so.2\0`), "gnu")
    assert.equal(libc(`${elf}/lib/ld-linux-aarch64.so.1\0`), "gnu")
    assert.equal(libc(`${elf}/lib/ld-musl-x86_64.so.1\0`), "musl")
    assert.equal(libc(elf), undefined)
    assert.equal(libc("#!/lib64/ld-linux-x86-64.so.2\0"), undefined)
    assert.equal(libc(""), undefined)
    assert.equal(libcOf(join(folder, "absent")), undefined)
    const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
    const isGnu = report.header.glibcVersionRuntime !== undefined
    if (process.platform === "linux") assert.equal(libcOf(process.execPath), isGnu ? "gnu" : "musl")
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("a library that was cut off is told from a whole one, wherever it ends", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "conclave-cut-"))
  try {
    const whole = readFileSync(binaryFile())
    const file = join(folder, "library.node")
    const isCutAt = (size: number) => {
      writeFileSync(file, whole.subarray(0, size))
      return isCutOff(file)
    }
    assert.equal(isCutAt(whole.length), false)
    if (process.platform === "linux") {
      // What follows the last segment, the names of sections, is not loaded.
      for (const size of [5, 63, 64, 300, 4096, 100_000, Math.floor(whole.length * 0.9)]) {
        assert.equal(isCutAt(size), true, `${size} bytes`)
      }
    }
    writeFileSync(file, "not a library")
    assert.equal(isCutOff(file), false)
    assert.equal(isCutOff(join(folder, "absent")), false)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
