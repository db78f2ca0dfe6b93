import type { ServiceStatus } from "@conclave/delivery/store"
import { command, flag, optional } from "../../arguments.js"
import { exitCodes } from "../../failure.js"
import { ageOf, timeOf } from "../../files.js"
import { nonEmpty } from "../../options.js"
import { printableLine } from "../../terminal/printable.js"
import { align } from "../../terminal/table.js"
import type { Terminal } from "../../terminal/terminal.js"
import { adminOptions, type Serving, withOperator } from "./operator.js"

const showing = { json: flag(), ...adminOptions }

export const status = command({
  options: showing,
  async run({ json, ...place }, { terminal }) {
    const [found, serving] = await withOperator(
      place,
      { readonly: true },
      async (operator, serving) => [await operator.status(), await serving()] as const,
    )
    if (json) return print(terminal, { ...servingInJson(serving), ...orNull(found) })
    await terminal.write(`${align(statusRows(found, serving)).map(printableLine).join("\n")}\n`)
    return exitCodes.done
  },
})

function servingInJson(serving: Serving): object {
  if (serving.type === "database") return { process: null, quota: null, gatewayConnections: serving.connections }
  const { holder, moved } = serving
  return { process: holder?.pid ?? null, quota: holder?.sizeMax ?? null, ...(moved && { movedTo: moved.place }) }
}

const orNull = ({ oldestAt, ...rest }: ServiceStatus) => ({ ...rest, oldestAt: oldestAt ?? null })

function servedInWords(serving: Serving): string {
  if (serving.type === "database") return `gateways have ${serving.connections} connections`
  const { holder, moved } = serving
  if (moved !== undefined) return `was moved to ${moved.place}, ${timeOf(moved.at)}`
  return holder === undefined ? "is not running" : `runs as process ${holder.pid}`
}

function quotaInWords(serving: Serving, all: number): string {
  if (serving.type === "database" || serving.holder === undefined) return "as conclave serve --quota says"
  const { sizeMax } = serving.holder
  return sizeMax === undefined ? "none" : `${sizeOf(sizeMax)} (${Math.round((100 * all) / sizeMax)} % in use)`
}

function statusRows(found: ServiceStatus, serving: Serving): [string, string][] {
  const { bytes, oldestAt, suspended } = found
  const { all, ...kinds } = bytes
  const rest = all - Object.values(kinds).reduce((sum, size) => sum + size, 0)
  return [
    ["service", servedInWords(serving)],
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
    ["quota", quotaInWords(serving, all)],
    ["suspended", suspended.length === 0 ? "nobody" : suspended.join(", ")],
    ["closed", `${found.closed} groups`],
  ]
}

export const groups = command({
  options: showing,
  async run({ json, ...place }, { terminal }) {
    const found = await withOperator(place, { readonly: true }, (operator) => operator.groups())
    if (json) return print(terminal, found)
    const rows = found.map(({ id, entries, bytes, lastAt }) => [id, `${entries}`, sizeOf(bytes), timeOf(lastAt)])
    return table(terminal, [["ID", "ENTRIES", "SIZE", "LAST"], ...rows])
  },
})

export const names = command({
  options: {
    like: optional({ placeholder: "TEXT", read: nonEmpty("text") }),
    ...showing,
  },
  async run({ json, like, ...place }, { terminal }) {
    const found = await withOperator(place, { readonly: true }, (operator) => operator.names(like))
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
  options: showing,
  async run({ json, ...place }, { terminal }) {
    const found = await withOperator(place, { readonly: true }, (operator) => operator.actions())
    if (json) return print(terminal, found)
    const rows = found.map(({ at, user, did, what, reason }) => [timeOf(at), user, did, what, reason])
    return table(terminal, [["TIME", "USER", "DID", "WHAT", "REASON"], ...rows])
  },
})

async function table(terminal: Terminal, rows: readonly (readonly string[])[]): Promise<number> {
  await terminal.write(`${align(rows).map(printableLine).join("\n")}\n`)
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
