import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import type { Folder } from "./support.js"

/*
 * What some tests need of the machine: `false` where it is there, as an option `skip` takes it.
 */

/** Without rights to anybody else's files. */
export const NOBODY = 65_534

const isRoot = process.platform === "linux" && process.getuid?.() === 0

export const noOtherUser = isRoot ? false : "another user's process needs Linux and root"

export const noMounts =
  isRoot && spawnSync("unshare", ["--mount", "true"]).status === 0 ? false : "needs root, to mount file systems"

export const noCompiler =
  process.platform === "linux" && spawnSync("cc", ["--version"]).status === 0
    ? false
    : "needs cc, for locks that do not hold"

/** A library for `LD_PRELOAD`, made in the folder, in which fcntl(2) answers requests for locks by `statement`, in C. */
export function locksThat(folder: Folder, statement: string): string {
  const library = folder.file("locks.so")
  writeFileSync(
    folder.file("locks.c"),
    `
#include <errno.h>
#include <fcntl.h>
int fcntl(int fd, int command, ...) {
  ${statement}
  __builtin_va_list rest;
  __builtin_va_start(rest, command);
  void *argument = __builtin_va_arg(rest, void *);
  __builtin_va_end(rest);
  extern int __fcntl(int, int, ...);
  return __fcntl(fd, command, argument);
}
int fcntl64(int, int, ...) __attribute__((alias("fcntl")));
`,
  )
  const { status, stderr } = spawnSync("cc", ["-shared", "-fPIC", "-o", library, folder.file("locks.c")])
  assert.equal(status, 0, String(stderr))
  return library
}
