import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { absentBinary, binaryPackage, installedBinaries, installNative, provider } from "./native-application.js"

/* The native provider as it is installed from its packages, without cargo, and where its binary is none. */

const place = realpathSync(mkdtempSync(join(tmpdir(), "conclave-native-installed-")))
after(() => rmSync(place, { recursive: true, force: true }))
const folder = join(place, "application")
const reason = absentBinary() ?? (await installNative(place, folder))
const skip = reason ?? false
if (reason !== undefined) console.error(`NOT TESTED as installed: the native provider, for ${reason}`)

const binary = join(folder, binaryPackage, "conclave-native.node")
const library = join(folder, "node_modules/@conclave/native/dist/src/index.js")

test("npm installs the binary of this platform and no other, and it is taken", { skip }, async () => {
  assert.deepEqual(installedBinaries(folder), [`native-linux-${process.arch}-gnu`])
  assert.deepEqual(await provider(folder), { name: "node+native" })
})

test("without the binary's package the next provider is taken, and says why in one line", { skip }, async () => {
  const aside = join(folder, "aside")
  renameSync(join(folder, binaryPackage), aside)
  try {
    const fallback = `@conclave/native has no binary for linux ${process.arch}`
    assert.deepEqual(await provider(folder), { name: "node+sodium-native", fallback })
  } finally {
    renameSync(aside, join(folder, binaryPackage))
  }
})

/** Binaries that do not belong here, made of the one that does, and what is said of them. */
const strangers: Readonly<Record<string, readonly [(binary: Buffer) => Buffer, RegExp]>> = {
  "for another processor": [(it) => patched(it, 18, Buffer.from([0xf3, 0x00])), /does not load: .*(ELF|shared object)/],
  "for another C library": [(it) => replaced(it, "libc.so.6\0", "libmusl.1\0"), /does not load: libmusl\.1/],
  "for a newer C library": [(it) => replaced(it, "GLIBC_2.2.5\0", "GLIBC_9.9.9\0"), /does not load: .*GLIBC_9\.9\.9/],
  "for macOS": [() => Buffer.from("cffaedfe0c000001000000000600000010000000", "hex"), /does not load: /],
  "for Windows": [() => Buffer.from(`MZ${"\0".repeat(58)}\x40\0\0\0PE\0\0\x64\x86`, "latin1"), /does not load: /],
  "that was cut off": [(it) => it.subarray(0, it.length / 2), /does not load: .* is cut off/],
  "that is empty": [() => Buffer.alloc(0), /does not load: .*file too short/],
}

for (const [what, [make, said]] of Object.entries(strangers)) {
  test(`a binary ${what} is passed over, and the next provider says why in one line`, { skip }, async () => {
    const aside = join(folder, "aside.node")
    copyFileSync(binary, aside)
    try {
      writeFileSync(binary, make(readFileSync(aside)))
      await assertPassedOver(said)
    } finally {
      renameSync(aside, binary)
    }
  })
}

test("a binary of another version of the package is passed over", { skip }, async () => {
  const text = readFileSync(library, "utf8")
  const newer = text.replace('VERSION = "0.1.0"', 'VERSION = "0.1.1"')
  assert.notEqual(newer, text)
  writeFileSync(library, newer)
  try {
    await assertPassedOver(/ is of version 0\.1\.0, not 0\.1\.1$/)
  } finally {
    writeFileSync(library, text)
  }
})

test("nothing of it is built or downloaded: the path has no cargo, and the packages have no scripts", { skip }, () => {
  const { PATH: _, ...environment } = process.env
  assert.notEqual(spawnSync("cargo", [], { env: { ...environment, PATH: "/usr/bin:/bin" } }).status, 0)
  for (const name of ["node_modules/@conclave/native", binaryPackage]) {
    assert.equal(JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")).scripts, undefined)
  }
})

async function assertPassedOver(said: RegExp): Promise<void> {
  const { name, fallback } = await provider(folder)
  assert.equal(name, "node+sodium-native")
  assert.match(fallback!, said)
  assert.match(fallback!, /^@conclave\/native-linux-[^\n]{1,300}$/)
}

function patched(binary: Buffer, at: number, bytes: Buffer): Buffer {
  const copy = Buffer.from(binary)
  copy.set(bytes, at)
  return copy
}

function replaced(binary: Buffer, from: string, to: string): Buffer {
  const at = binary.indexOf(from, 0, "latin1")
  assert(at >= 0, `the binary does not name ${from}`)
  return patched(binary, at, Buffer.from(to, "latin1"))
}
