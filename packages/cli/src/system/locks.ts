import { readFileSync, statSync } from "node:fs"
import { basename } from "node:path"

export interface Holder {
  readonly pid: number
  /** Its program and first words; empty where that is not to be seen. */
  readonly command: string
}

/** `4711 (conclave serve)` */
export const inWords = ({ pid, command }: Holder) => (command === "" ? String(pid) : `${pid} (${command})`)

/** The process that holds a lock on a file, as far as Linux shows it in /proc/locks: see proc_locks(5). */
export function holderOf(file: string, access?: "WRITE"): Holder | undefined {
  try {
    const { ino } = statSync(file)
    const pid = lockHolder(readFileSync("/proc/locks", "utf8"), ino, access)
    return pid === undefined || pid === process.pid ? undefined : { pid, command: commandOf(pid) }
  } catch {
    return undefined
  }
}

/** `1: POSIX  ADVISORY  WRITE 5433 08:01:7864448 128 128`. Devices of some file systems are not those of stat(2). */
export function lockHolder(locks: string, inode: number, access?: "WRITE"): number | undefined {
  for (const line of locks.split("\n")) {
    const [, kind, pid, found] = /^\d+: \S+ +\S+ +(\S+) +(\d+) [\da-f]+:[\da-f]+:(\d+) /.exec(line) ?? []
    if (access !== undefined && kind !== access) continue
    if (Number(found) === inode && Number(pid) > 0) return Number(pid)
  }
  return undefined
}

const WORDS_SHOWN = 4

function commandOf(pid: number): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean)
    const own = words.findIndex((word) => /^(conclave|conclave\.c?js|main\.js)$/.test(basename(word)))
    const shown = own < 0 ? [basename(words[0] ?? "")] : ["conclave", ...words.slice(own + 1, own + WORDS_SHOWN)]
    return shown.join(" ").replace(/\p{C}/gu, "?")
  } catch {
    return ""
  }
}
