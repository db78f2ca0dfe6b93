import { type FileStatus, type Holder, lockHolder } from "@conclave/sqlite"
import { command, flag, optional } from "../../arguments.js"
import { exitCodes } from "../../failure.js"
import { ageOf, timeOf } from "../../files.js"
import { nonEmpty } from "../../options.js"
import { align } from "../../terminal/table.js"
import type { Terminal } from "../../terminal/terminal.js"
import { adminOptions, withFile } from "./file.js"

const showing = { json: flag("print JSON"), ...adminOptions }

export const status = command({
  summary: "sizes, ages, and what is suspended or closed",
  description: [
    "It reads the whole file, in one transaction: beside a busy service, its write-ahead log grows meanwhile.",
  ],
  options: showing,
  async run({ json, data }, { terminal }) {
    const [found, holder] = withFile(
      data,
      { readonly: true },
      (file, path) => [file.status(), lockHolder(path)] as const,
    )
    const { pid, sizeMax } = holder ?? {}
    if (json) return print(terminal, { process: pid ?? null, quota: sizeMax ?? null, ...orNull(found) })
    await terminal.write(`${align(statusRows(found, holder)).join("\n")}\n`)
    return exitCodes.done
  },
})

const orNull = ({ oldestAt, ...rest }: FileStatus) => ({ ...rest, oldestAt: oldestAt ?? null })

function statusRows(found: FileStatus, holder: Holder | undefined): [string, string][] {
  const { bytes, oldestAt, suspended } = found
  const { all, ...kinds } = bytes
  const rest = all - Object.values(kinds).reduce((sum, size) => sum + size, 0)
  const used = holder?.sizeMax === undefined ? "" : ` (${Math.round((100 * all) / holder.sizeMax)} % in use)`
  const quota = holder?.sizeMax === undefined ? "none" : `${sizeOf(holder.sizeMax)}${used}`
  return [
    ["service", holder === undefined ? "is not running" : `runs as process ${holder.pid}`],
    ["names", `${found.names}, with ${found.devices} devices`],
    ["groups", `${found.groups}, with ${found.entries} entries`],
    ["oldest entry", oldestAt === undefined ? "none" : `${timeOf(oldestAt)}, ${ageOf(oldestAt)}`],
    ["in use", sizeOf(all)],
    ["  messages", sizeOf(kinds.messages)],
    ["  commits", sizeOf(kinds.commits)],
    ["  proposals", sizeOf(kinds.proposals)],
    ["  Welcomes", sizeOf(kinds.welcomes)],
    ["  key packages", sizeOf(kinds.keyPackages)],
    ["  knocks", sizeOf(kinds.knocks)],
    ["  the rest", sizeOf(rest)],
    ["quota", holder === undefined ? "as conclave serve --quota says" : quota],
    ["suspended", suspended.length === 0 ? "nobody" : suspended.join(", ")],
    ["closed", `${found.closed} groups`],
  ]
}

export const groups = command({
  summary: "ids, sizes and times of groups: no more is known",
  options: showing,
  async run({ json, data }, { terminal }) {
    const found = withFile(data, { readonly: true }, (file) => file.groups())
    if (json) return print(terminal, found)
    const rows = found.map(({ id, entries, bytes, lastAt }) => [id, `${entries}`, sizeOf(bytes), timeOf(lastAt)])
    return table(terminal, [["ID", "ENTRIES", "SIZE", "LAST"], ...rows])
  },
})

export const names = command({
  summary: "registered names, and how many devices each has",
  options: {
    like: optional({ placeholder: "TEXT", help: "only those that have TEXT in them", read: nonEmpty("a text") }),
    ...showing,
  },
  async run({ json, data, like }, { terminal }) {
    const found = withFile(data, { readonly: true }, (file) => file.names(like))
    if (json)
      return print(
        terminal,
        found.map(({ suspended, ...it }) => ({ ...it, suspended: suspended ?? null })),
      )
    const rows = found.map(({ name, devices, registeredAt, suspended }) => {
      return [name, `${devices}`, timeOf(registeredAt), suspended === undefined ? "" : `suspended: ${suspended}`]
    })
    return table(terminal, [["NAME", "DEVICES", "REGISTERED", ""], ...rows])
  },
})

export const actions = command({
  summary: "what was suspended and closed: when, by whom, why",
  description: [
    "Nothing is taken out of it. It is in backups, and a restore with --replace keeps what came after one.",
  ],
  options: showing,
  async run({ json, data }, { terminal }) {
    const found = withFile(data, { readonly: true }, (file) => file.actions())
    if (json) return print(terminal, found)
    const rows = found.map(({ at, user, did, what, reason }) => [timeOf(at), user, did, what, reason])
    return table(terminal, [["TIME", "USER", "DID", "WHAT", "REASON"], ...rows])
  },
})

async function table(terminal: Terminal, rows: readonly (readonly string[])[]): Promise<number> {
  await terminal.write(`${align(rows).join("\n")}\n`)
  return exitCodes.done
}

async function print(terminal: Terminal, value: unknown): Promise<number> {
  await terminal.write(`${JSON.stringify(value, null, 2)}\n`)
  return exitCodes.done
}

/** In powers of 1,024, as `--quota` takes them. */
function sizeOf(bytes: number): string {
  const unit = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  const number = bytes / 1024 ** unit
  return `${unit === 0 ? number : number.toFixed(1)} ${["bytes", "KiB", "MiB", "GiB", "TiB"][unit]}`
}
