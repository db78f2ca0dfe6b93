import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import type { Attack } from "./attack.js"
import { STORED_MAX } from "./attacks/resources.js"
import { catalogue } from "./catalogue.js"
import { type FloodLine, floodTable } from "./flood-table.js"
import { root } from "./hostile.js"
import { type Ran, runAttack } from "./run.js"
import { Undefended } from "./undefended.js"

/*
 * npm run attack -- [id…] [--quick] [--undefended] [--evidence] [--record COMMIT [--into after.json]]
 * npm run attack -- floods [--record COMMIT [--into after.json]]
 *
 * Carries out each attack on the real service and SDK, and prints one table: what it did before anything was defended
 * (`attack/before.json`; `attack/after.json` is the table since), what it does now, and, with `--undefended`, what it does in a copy of the code from which its
 * one defence was taken out. An id stands for all that begin with it: `C3` for C3a to C3e.
 *
 * It fails if an attack succeeds that is not listed as open, or fails although it is; if one fails without its defence;
 * and if one could not be carried out.
 */

const { values: options, positionals: ids } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    undefended: { type: "boolean", default: false },
    evidence: { type: "boolean", default: false },
    record: { type: "string" },
    into: { type: "string", default: "before.json" },
  },
})

interface Seen {
  readonly succeeded: boolean
  readonly evidence: string
  /** Whether it succeeded in the copy without its defence, where that was tried. */
  readonly undefended?: boolean
}

interface Recorded {
  readonly commit: string
  readonly attacks: Readonly<Record<string, Seen>>
  readonly floods?: Readonly<Record<string, FloodLine>>
}

const before = readRecord("before.json")
if (ids[0] === "floods") {
  const { lines, allHold } = await floodTable(before.floods ?? {}, STORED_MAX)
  if (options.record !== undefined) write({ ...readRecord(options.into), commit: options.record, floods: lines })
  process.exit(allHold ? 0 : 1)
}
const wanted = catalogue.filter(isWanted)
if (wanted.length === 0) {
  console.error(`There is no such attack; there are ${catalogue.map(({ id }) => id).join(" ")}.`)
  process.exit(1)
}
const widths = [7, 88, 14, 9, 9, 10] as const
print("id", "attack", "who", "before", "now", options.undefended ? "undefended" : "")
const started = performance.now()
using copy = options.undefended ? new Undefended() : undefined
const counts = { carriedOut: 0, succeeded: 0, open: 0, undefended: 0, defended: 0, faults: 0 }
const seen: Record<string, Seen> = {}
for (const attack of wanted) await carryOut(attack)
summarise()
process.exitCode = counts.faults === 0 ? 0 : 1

async function carryOut(attack: Attack): Promise<void> {
  const now = await runAttack(attack)
  const without = attack.defence && copy ? await copy.run(attack) : undefined
  const { id, also, title, who, open } = attack
  const known = before.attacks[id]
  print(
    also ? `${id} ${also}` : id,
    title,
    who,
    known ? word(known) : "-",
    inTable(now, open),
    without ? word(without) : "",
  )
  if (options.evidence || "broken" in now) console.log(`      ${"broken" in now ? now.broken : now.evidence}`)
  if (without && ("broken" in without || !without.succeeded)) {
    console.log(`      undefended: ${"broken" in without ? without.broken : without.evidence}`)
  }
  count(attack, now, without)
  // At once: what was seen is kept where the rest is not waited for.
  if (options.record !== undefined) record(options.record)
}

function count({ id, open, defence }: Attack, now: Ran, without: Ran | undefined): void {
  if ("broken" in now) counts.faults++
  else {
    const { succeeded } = now
    const evidence = now.evidence.replaceAll(pathToFileURL(root).href, "file:///…/").replaceAll(root, "…/")
    seen[id] = { succeeded, evidence, ...(without && "succeeded" in without && { undefended: without.succeeded }) }
    counts.carriedOut++
    if (now.succeeded) counts.succeeded++
    if (now.succeeded && open !== undefined) counts.open++
    if (now.succeeded !== (open !== undefined)) counts.faults++
  }
  if (defence !== undefined) counts.defended++
  if (without === undefined) return
  if ("broken" in without || !without.succeeded) counts.faults++
  else counts.undefended++
}

function summarise(): void {
  const seconds = Math.round((performance.now() - started) / 1000)
  const { succeeded, undefended, carriedOut, open, defended } = counts
  const without = options.undefended ? ` / ${undefended} of ${defended} undefended` : ""
  console.log(`\n${succeeded} succeed now (${open} listed as open)${without} / ${carriedOut} in all; ${seconds} s`)
}

function isWanted({ id, quick }: Attack): boolean {
  if (options.quick && quick !== true) return false
  // H1 is not H11; H is every one of them.
  const begins = (it: string) => id.startsWith(it) && !(/\d$/.test(it) && /\d/.test(id[it.length] ?? ""))
  return ids.length === 0 || ids.some(begins)
}

function print(...columns: readonly string[]): void {
  console.log(
    columns
      .map((text, n) => text.padEnd(widths[n]!))
      .join(" ")
      .trimEnd(),
  )
}

function word(ran: Ran | { succeeded: boolean }): string {
  return "broken" in ran ? "BROKEN" : ran.succeeded ? "succeeds" : "fails"
}

function inTable(ran: Ran, open: string | undefined): string {
  return open !== undefined && "succeeded" in ran && ran.succeeded ? "open" : word(ran)
}

function readRecord(file: string): Recorded {
  try {
    return JSON.parse(readFileSync(join(root, "attack", file), "utf8"))
  } catch {
    return { commit: "", attacks: {} }
  }
}

/** Keeps what was seen at `commit`, beside what was seen there before. */
function record(commit: string): void {
  const known = readRecord(options.into)
  const kept = known.commit === commit ? known.attacks : {}
  const all = { ...kept, ...seen }
  const attacks = Object.fromEntries(catalogue.flatMap(({ id }) => (all[id] ? [[id, all[id]]] : [])))
  write({ ...known, commit, attacks })
}

function write(content: Recorded): void {
  writeFileSync(join(root, "attack", options.into), `${JSON.stringify(content, undefined, 2)}\n`)
}
