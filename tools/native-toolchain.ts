import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { NativeTarget } from "./native-platforms.js"

/** What a binary for Linux may need of glibc: that of CentOS 7, and older than what any Node that we run on needs. */
export const glibcMax = "2.17"

/** How zig is called here: as itself, or as the Python package `ziglang`. */
export function findZig(): readonly [string, ...string[]] | undefined {
  const ways: readonly (readonly [string, ...string[]])[] = [["zig"], ["python3", "-m", "ziglang"]]
  return ways.find(([command, ...words]) => spawnSync(command, [...words, "version"]).status === 0)
}

/**
 * Variables by which cargo compiles C and links with zig, which brings the symbols of every glibc: the binary then needs no
 * newer one than `glibcMax`, whatever this machine has. The programs that stand for the compiler are written into `folder`.
 */
export function zigEnvironment(target: NativeTarget, zig: readonly string[], folder: string): Record<string, string> {
  const [architecture] = target.triple.split("-")
  const zigTarget = `${architecture}-linux-${target.libc === "musl" ? "musl" : `gnu.${glibcMax}`}`
  mkdirSync(folder, { recursive: true })
  const write = (name: string, words: string) => {
    const file = join(folder, `${target.platform}-${name}`)
    writeFileSync(file, words, { mode: 0o755 })
    return file
  }
  const command = zig.map((word) => `'${word}'`).join(" ")
  const compiler = write("cc", compilerScript(command, zigTarget))
  const variable = target.triple.replaceAll("-", "_")
  return {
    [`CC_${variable}`]: compiler,
    [`AR_${variable}`]: write("ar", `#!/bin/sh\nexec ${command} ar "$@"\n`),
    [`CARGO_TARGET_${variable.toUpperCase()}_LINKER`]: compiler,
  }
}

/** Rust asks for GCC's unwinder, of which zig has a copy by another name; the target is ours to say. */
function compilerScript(command: string, zigTarget: string): string {
  return `#!/bin/sh
for word do
  shift
  case $word in
    -lgcc_s) set -- "$@" -lunwind ;;
    --target=* | -m64) ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec ${command} cc -target ${zigTarget} "$@"
`
}

/** The newest glibc of which a binary names a symbol; `undefined` for one that names none. */
export function glibcNeeded(binary: Uint8Array): string | undefined {
  const text = Buffer.from(binary.buffer, binary.byteOffset, binary.length).toString("latin1")
  const found = [...text.matchAll(/\bGLIBC_(\d+(?:\.\d+)+)\0/g)].map(([, version]) => version!)
  return found.sort(compareVersions).at(-1)
}

export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number))
  for (let i = 0; i < Math.max(left!.length, right!.length); i++) {
    const difference = (left![i] ?? 0) - (right![i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
