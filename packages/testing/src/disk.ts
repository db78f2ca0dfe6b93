import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"

/** What a program did to the files of one folder. Names are those within the folder. */
export type DiskStep =
  | { readonly type: "create" | "remove" | "sync"; readonly name: string }
  | { readonly type: "rename" | "link"; readonly name: string; readonly to: string }
  | { readonly type: "write"; readonly name: string; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: "truncate"; readonly name: string; readonly size: number }
  /** The names of the folder itself. */
  | { readonly type: "syncNames" }

/** Why nothing is recorded here, for `test.skip`; `undefined` where it is. */
export const noStrace = missing()

function missing(): string | undefined {
  if (spawnSync("strace", ["-V"]).status === 0) return undefined
  if (process.env.CONCLAVE_SERVERS_REQUIRED === "1") throw new Error("strace is required here, and not installed")
  return "strace is not installed here"
}

const CALLS =
  "openat,write,pwrite64,pwritev,lseek,ftruncate,truncate,fallocate,fsync,fdatasync,unlink,unlinkat,link,linkat,rename,renameat,renameat2"

/**
 * Runs a program and returns what it did to the files of `folder`, in its order, by `strace`. A file that is mapped into memory
 * is followed in nothing but its size. Throws where the program fails, or does what is not followed.
 */
export function recordSteps(folder: string, command: string, parameters: readonly string[]): DiskStep[] {
  const own = mkdtempSync(join(tmpdir(), "conclave-disk-"))
  try {
    const trace = join(own, "trace")
    const options = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", "1000000000", "-e", `trace=${CALLS}`, "-o", trace]
    execFileSync("strace", [...options, command, ...parameters], { stdio: ["ignore", "ignore", "inherit"] })
    return parseSteps(folder, readFileSync(trace, "latin1"))
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
}

function parseSteps(folder: string, trace: string): DiskStep[] {
  const steps: DiskStep[] = []
  /** Where a file that is written without an offset is written next, by its descriptor and name. */
  const positions = new Map<string, number>()
  const sizes = new Map<string, number>()
  const appended = new Set<string>()
  const started = new Map<string, string>()
  for (const line of trace.split("\n")) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (thread === undefined || rest === undefined) continue
    if (rest.endsWith("<unfinished ...>")) {
      started.set(thread, rest.slice(0, -"<unfinished ...>".length))
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const call = /^(\w+)\((.*)\) += (-?\d+)/.exec(resumed === null ? rest : `${started.get(thread) ?? ""}${resumed[1]}`)
    if (call === null) continue
    const [, name, text, result] = call
    if (result!.startsWith("-")) continue
    follow(name!, parameters(text!), Number(result))
  }
  return steps

  function follow(call: string, given: readonly string[], result: number): void {
    const file = nameOf(/^\d+<(.*)>$/.exec(given[0] ?? "")?.[1] ?? "")
    const key = given[0]!
    switch (call) {
      case "openat": {
        const name = nameOf(given[1]!)
        if (name === undefined || name === "") return
        if (!sizes.has(name) && given[2]!.includes("O_CREAT")) {
          steps.push({ type: "create", name })
          sizes.set(name, 0)
        }
        if (given[2]!.includes("O_TRUNC")) truncate(name, 0)
        // The descriptor is one that an earlier file may have had.
        for (const it of positions.keys()) if (it.startsWith(`${result}<`)) positions.delete(it)
        if (given[2]!.includes("O_APPEND")) appended.add(name)
        return
      }
      case "lseek":
        if (file !== undefined) positions.set(key, result)
        return
      case "write": {
        if (file === undefined) return
        const offset = appended.has(file) ? (sizes.get(file) ?? 0) : (positions.get(key) ?? 0)
        write(file, offset, bytesOf(given[1]!).subarray(0, result))
        positions.set(key, offset + result)
        return
      }
      case "pwrite64":
        if (file !== undefined) write(file, Number(given[3]), bytesOf(given[1]!).subarray(0, result))
        return
      case "ftruncate":
        if (file !== undefined) truncate(file, Number(given[1]))
        return
      case "fsync":
      case "fdatasync":
        if (file !== undefined) steps.push(file === "" ? { type: "syncNames" } : { type: "sync", name: file })
        return
      case "unlink":
      case "unlinkat": {
        const name = nameOf(given[call === "unlink" ? 0 : 1]!)
        if (name === undefined) return
        steps.push({ type: "remove", name })
        sizes.delete(name)
        return
      }
      case "link":
      case "rename": {
        const [name, to] = [nameOf(given[0]!), nameOf(given[1]!)]
        if (name === undefined && to === undefined) return
        if (name === undefined || to === undefined) throw new Error("a file was moved into the folder or out of it")
        steps.push({ type: call, name, to })
        sizes.set(to, sizes.get(name) ?? 0)
        if (call === "rename") sizes.delete(name)
        return
      }
      default:
        if (given.some((it) => nameOf(it) !== undefined) || file !== undefined)
          throw new Error(`${call} is not followed`)
    }
  }

  function nameOf(parameter: string): string | undefined {
    const path = Buffer.from(bytesOf(parameter)).toString()
    if (path === folder) return ""
    return dirname(path) === folder ? basename(path) : undefined
  }

  function write(name: string, offset: number, bytes: Uint8Array): void {
    steps.push({ type: "write", name, offset, bytes })
    sizes.set(name, Math.max(sizes.get(name) ?? 0, offset + bytes.length))
  }

  function truncate(name: string, size: number): void {
    steps.push({ type: "truncate", name, size })
    sizes.set(name, size)
  }
}

/** No string holds a comma, a bracket or a quotation mark: all its bytes are in hexadecimal digits. */
const parameters = (text: string) => text.split(", ")

const bytesOf = (text: string) => Buffer.from(text.replace(/[^0-9a-f]*\\x/g, "").replace(/".*$/, ""), "hex")

/** What a drive writes as a whole, in bytes. */
const SECTOR = 512

/** The bytes of a file. What is between its end and an offset beyond it is zero. */
class Content {
  #room = Buffer.alloc(SECTOR)
  #size = 0

  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length
    if (end > this.#room.length) {
      const room = Buffer.alloc(2 * end)
      this.#room.copy(room, 0, 0, this.#size)
      this.#room = room
    }
    this.#room.set(bytes, offset)
    this.#size = Math.max(this.#size, end)
  }

  truncate(size: number): void {
    if (size > this.#size) this.write(size, new Uint8Array())
    else this.#room.fill(0, size, this.#size)
    this.#size = size
  }

  copy(): Content {
    const other = new Content()
    other.write(0, this.bytes())
    return other
  }

  bytes(): Uint8Array {
    return this.#room.subarray(0, this.#size)
  }
}

type ContentStep = Extract<DiskStep, { type: "write" | "truncate" }>

interface StoredFile {
  /** What is there whatever happens. */
  readonly safe: Content
  /** Since the last sync. */
  readonly unsynced: ContentStep[]
}

/**
 * A folder on a disk that promises no more than POSIX: what was written since the last sync of its file may be there after a
 * loss of power, in part, in any order, by sectors of 512 bytes; and names that were made, removed or changed since the last
 * sync of the folder, up to any of them. `syncs`: whether it does what it is asked to then.
 */
export class Disk {
  readonly #syncs: boolean
  #safeNames = new Map<string, StoredFile>()
  #names = new Map<string, StoredFile>()
  /** The names after each change since the last sync of the folder. */
  #unsyncedNames: Map<string, StoredFile>[] = []

  constructor({ syncs = true }: { readonly syncs?: boolean } = {}) {
    this.#syncs = syncs
  }

  apply(step: DiskStep): void {
    switch (step.type) {
      case "create":
        this.#rename((names) => names.set(step.name, { safe: new Content(), unsynced: [] }))
        return
      case "remove":
        this.#rename((names) => names.delete(step.name))
        return
      case "link":
      case "rename": {
        const file = this.#named(step.name)
        this.#rename((names) => {
          names.set(step.to, file)
          if (step.type === "rename") names.delete(step.name)
        })
        return
      }
      case "write":
      case "truncate":
        this.#named(step.name).unsynced.push(step)
        return
      case "sync": {
        if (!this.#syncs) return
        const file = this.#named(step.name)
        for (const it of file.unsynced) change(file.safe, it)
        file.unsynced.length = 0
        return
      }
      case "syncNames":
        if (!this.#syncs) return
        this.#safeNames = this.#names
        this.#unsyncedNames = []
        return
    }
  }

  /** What may be found after the power has failed now, by name. `random` gives numbers of [0, 1). */
  afterLoss(random: () => number): Map<string, Uint8Array> {
    const states = [this.#safeNames, ...this.#unsyncedNames]
    const names = states[Math.floor(random() * states.length)]!
    return new Map([...names].map(([name, file]) => [name, left(file, random).bytes()]))
  }

  /** What a program finds while the power is there, by name. */
  now(): Map<string, Uint8Array> {
    return new Map([...this.#names].map(([name, { safe, unsynced }]) => [name, after(safe, unsynced).bytes()]))
  }

  #named(name: string): StoredFile {
    const file = this.#names.get(name)
    if (file === undefined) throw new Error(`${name} was there before anybody looked`)
    return file
  }

  #rename(change: (names: Map<string, StoredFile>) => void): void {
    const names = new Map(this.#names)
    change(names)
    this.#names = names
    this.#unsyncedNames.push(names)
  }
}

function change(content: Content, step: ContentStep): void {
  if (step.type === "write") content.write(step.offset, step.bytes)
  else content.truncate(step.size)
}

function after(safe: Content, steps: readonly ContentStep[]): Content {
  const content = safe.copy()
  for (const step of steps) change(content, step)
  return content
}

/** A part of what was not synced: none, all, up to somewhere, or here and there. */
function left({ safe, unsynced }: StoredFile, random: () => number): Content {
  const way = Math.floor(random() * 4)
  const share = random()
  const end = way === 0 ? 0 : way === 2 ? Math.floor(random() * (unsynced.length + 1)) : unsynced.length
  const kept = unsynced.slice(0, end).flatMap((step, at) => {
    const isTorn = way === 3 || (way === 2 && at === end - 1)
    return isTorn ? sectors(step).filter(() => random() < share) : [step]
  })
  return after(safe, kept)
}

/** A write as the drive sees it. */
function sectors(step: ContentStep): ContentStep[] {
  if (step.type === "truncate") return [step]
  const parts: ContentStep[] = []
  for (let from = 0; from < step.bytes.length; ) {
    const offset = step.offset + from
    const length = Math.min(SECTOR - (offset % SECTOR), step.bytes.length - from)
    parts.push({ ...step, offset, bytes: step.bytes.subarray(from, from + length) })
    from += length
  }
  return parts
}

/** The same numbers of [0, 1) for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
