import type { ServiceStatus } from "@conclave/delivery/store"
import { command, flag, optional } from "../../arguments.js"
import { exitCodes } from "../../failure.js"
import { ageOf, timeOf } from "../../files.js"
import { nonEmpty } from "../../options.js"
import { printableLine } from "../../terminal/printable.js"
import { align } from "../../terminal/table.js"
import type { Terminal } from "../../terminal/terminal.js"
import { words } from "../../words/words.js"
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
  const said = words().admin
  if (serving.type === "database") return said.gateways(serving.connections)
  const { holder, moved } = serving
  if (moved !== undefined) return said.wasMoved(moved.place, timeOf(moved.at))
  return holder === undefined ? said.notRunning : said.runs(holder.pid)
}

function quotaInWords(serving: Serving, all: number): string {
  const { quotaOfServe, noQuota, quota } = words().admin
  if (serving.type === "database" || serving.holder === undefined) return quotaOfServe
  const { sizeMax } = serving.holder
  return sizeMax === undefined ? noQuota : quota(sizeOf(sizeMax), Math.round((100 * all) / sizeMax))
}

function statusRows(found: ServiceStatus, serving: Serving): [string, string][] {
  const said = words().admin
  const { bytes, oldestAt, suspended } = found
  const { all, ...kinds } = bytes
  const rest = all - Object.values(kinds).reduce((sum, size) => sum + size, 0)
  return [
    [said.service, servedInWords(serving)],
    [said.names, said.namesWith(found.names, found.devices)],
    [said.groups, said.groupsWith(found.groups, found.entries)],
    [said.oldest, oldestAt === undefined ? said.noOldest : `${timeOf(oldestAt)}, ${ageOf(oldestAt)}`],
    [said.inUse, sizeOf(all)],
    [said.messages, sizeOf(kinds.messages)],
    [said.commits, sizeOf(kinds.commits)],
    [said.proposals, sizeOf(kinds.proposals)],
    [said.welcomes, sizeOf(kinds.welcomes)],
    [said.keyPackages, sizeOf(kinds.keyPackages)],
    [said.knocks, sizeOf(kinds.knocks)],
    [said.rest, sizeOf(rest)],
    [said.quotaRow, quotaInWords(serving, all)],
    [said.suspendedRow, suspended.length === 0 ? said.nobodyAtAll : suspended.join(", ")],
    [said.closedRow, said.closedGroups(found.closed)],
  ]
}

export const groups = command({
  options: showing,
  async run({ json, ...place }, { terminal }) {
    const found = await withOperator(place, { readonly: true }, (operator) => operator.groups())
    if (json) return print(terminal, found)
    const rows = found.map(({ id, entries, bytes, lastAt }) => [id, `${entries}`, sizeOf(bytes), timeOf(lastAt)])
    return table(terminal, [words().admin.groupsHead, ...rows])
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
      return [
        name,
        `${devices}`,
        timeOf(registeredAt),
        suspended === undefined ? "" : words().admin.suspendedFor(suspended),
      ]
    })
    return table(terminal, [words().admin.namesHead, ...rows])
  },
})

export const actions = command({
  options: showing,
  async run({ json, ...place }, { terminal }) {
    const found = await withOperator(place, { readonly: true }, (operator) => operator.actions())
    if (json) return print(terminal, found)
    const rows = found.map(({ at, user, did, what, reason }) => [
      ...[timeOf(at), user, words().admin.did(did), what, reason],
    ])
    return table(terminal, [words().admin.actionsHead, ...rows])
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
  const { units } = words()
  const shown = unit === 0 ? String(number) : units.number(number, 1)
  return `${shown} ${[units.bytes, "KiB", "MiB", "GiB", "TiB"][unit]}`
}
