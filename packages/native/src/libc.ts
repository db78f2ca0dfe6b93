import { closeSync, openSync, readSync } from "node:fs"

export type Libc = "gnu" | "musl"

/** An executable names the loader that starts it near its beginning. */
const HEAD_SIZE = 4096

/**
 * Which C library a program for Linux uses, by the loader that its file names: a library for the other one would bring
 * that into the process as well. `undefined` for what cannot be read, is no program for Linux, or uses none.
 */
export function libcOf(program: string): Libc | undefined {
  const head = Buffer.alloc(HEAD_SIZE)
  try {
    const file = openSync(program, "r")
    try {
      readSync(file, head, 0, HEAD_SIZE, 0)
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
  if (head.toString("latin1", 1, 4) !== "ELF") return undefined
  if (head.includes("/ld-musl-")) return "musl"
  return head.includes("/ld-linux") ? "gnu" : undefined
}
