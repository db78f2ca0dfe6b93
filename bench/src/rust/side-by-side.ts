import { nodeProvider } from "@conclave/crypto/node"
import { conclave } from "@conclave/interop"
import { cipherSuite } from "@conclave/mls"
import { contest, duration, type Measured, ratio, table } from "../contest.js"
import { FullTree } from "../full-tree.js"
import { type Operation, operations, type Party, Scene } from "../scene.js"
import { buildRust, crateVersion } from "./build.js"
import { bulkAddition } from "./bulk.js"
import { RustLibrary, type RustLibraryName } from "./library.js"

const SUITE = 1
const OURS = "ours"
const REFERENCE = "mls-rs-aws-lc"

/** What ours may take at most, in multiples of mls-rs with aws-lc, by members of the group. */
const goals: Readonly<Record<Operation, Readonly<Record<number, number>>>> = {
  encrypt: { 2: 1.4, 100: 1.4, 1000: 1.4, 10000: 1.4 },
  decrypt: { 2: 1.1, 100: 1.1, 1000: 1.1, 10000: 1.1 },
  join: { 2: 1.3, 100: 1, 1000: 1, 10000: 1 },
  commit: { 2: 1.5, 100: 1, 1000: 0.2, 10000: 0.05 },
  process: { 2: 1.5, 100: 1, 1000: 0.4, 10000: 0.08 },
  add: { 2: 1.5, 100: 1, 1000: 0.6, 10000: 0.3 },
}
const BULK_GOAL = 1

interface Options {
  /** Members of the groups. */
  readonly sizes: readonly number[]
  /** Members that are added in one commit. */
  readonly bulk: readonly number[]
  readonly rounds: number
  /** Beside ours and the one that the goals are about. */
  readonly others: readonly RustLibraryName[]
}

/** Ours and what is written in Rust, in turns, with the goals that ours has beside mls-rs with aws-lc. */
export async function sideBySide({ sizes, bulk, rounds, others }: Options): Promise<void> {
  const built = buildRust()
  if ("reason" in built) {
    console.log(`NOT MEASURED: the implementations in Rust, for ${built.reason}`)
    return
  }
  console.log(
    `mls-rs ${crateVersion("mls-rs")}, OpenMLS ${crateVersion("openmls")}; suite ${SUITE}, medians of ${rounds}`,
  )
  const names: readonly RustLibraryName[] = [REFERENCE, ...others.filter((name) => name !== REFERENCE)]
  const head = ["", "members", OURS, ...names, `ours ÷ ${REFERENCE}`, "goal", ""]
  for (const size of sizes) {
    const measured = await inParties({ program: built.program, names }, (parties) => groups(parties, size, rounds))
    const rows = operations.map((operation) => row(operation, size, measured.get(operation)!, goals[operation][size]))
    console.log(`\n${table([head, ...rows])}`)
  }
  const rows: string[][] = []
  for (const count of bulk) {
    const measured = await inParties({ program: built.program, names }, (parties) => {
      const contestants = [...parties].map(([name, party]) => bulkAddition(name, party, { suite: SUITE, count }))
      return contest(contestants, rounds)
    })
    rows.push(row("add in one commit", count, measured, BULK_GOAL))
  }
  console.log(`\n${table([head, ...rows])}`)
}

/** Each size has processes of its own: what was measured before takes no memory. */
async function inParties<T>(
  { program, names }: { readonly program: string; readonly names: readonly RustLibraryName[] },
  work: (parties: ReadonlyMap<string, Party>) => Promise<T>,
): Promise<T> {
  const libraries = names.map((name) => [name, new RustLibrary(program, name)] as const)
  try {
    return await work(new Map<string, Party>([[OURS, conclave(nodeProvider())], ...libraries]))
  } finally {
    for (const [, library] of libraries) library.close()
  }
}

async function groups(parties: ReadonlyMap<string, Party>, size: number, rounds: number) {
  const suite = cipherSuite(SUITE, nodeProvider())
  const tree = size > 2 ? new FullTree(suite, size) : undefined
  const scenes: (readonly [string, Scene])[] = []
  for (const [name, party] of parties) scenes.push([name, await Scene.set(party, party, suite, tree)])
  const measured = new Map<Operation, Map<string, Measured>>()
  for (const operation of operations) {
    const contestants = scenes.map(([name, scene]) => ({ name, once: () => scene.run(operation) }))
    measured.set(operation, await contest(contestants, rounds))
  }
  return measured
}

function row(what: string, count: number, measured: ReadonlyMap<string, Measured>, goal: number | undefined): string[] {
  const medianOf = (name: string) => measured.get(name)!.median
  const found = medianOf(OURS) / medianOf(REFERENCE)
  return [
    what,
    String(count),
    ...Array.from(measured.values(), ({ median }) => duration(median)),
    ratio(found),
    goal === undefined ? "" : String(goal),
    goal === undefined || found <= goal ? "" : "missed",
  ]
}
