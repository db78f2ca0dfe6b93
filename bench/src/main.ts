import { parseArgs } from "node:util"
import { nodeProvider } from "@conclave/crypto/node"
import { conclave, given, openMls, tsMls, tsMlsNext } from "@conclave/interop"
import { cipherSuite } from "@conclave/mls"
import { type Contestant, contest, duration, type Measured, ratio, table, timedSync } from "./contest.js"
import { cursors } from "./cursors.js"
import { floor } from "./floor.js"
import { FullTree } from "./full-tree.js"
import { garbage } from "./garbage.js"
import { hostile } from "./hostile.js"
import { intervalKeys } from "./interval-keys.js"
import { large } from "./large.js"
import { machine } from "./machine.js"
import { buildRust } from "./rust/build.js"
import { RustLibrary, type RustLibraryName, rustLibraries } from "./rust/library.js"
import { sideBySide } from "./rust/side-by-side.js"
import { type Operation, operations, type Party, Scene } from "./scene.js"
import { sdk } from "./sdk.js"
import { stalls } from "./stalls.js"

/*
 * npm run bench -- [--quick] [--rounds 7] [--groups 2,10,100,1000] [--only ours,native,sodium,node,floor,ts-mls,ts-mls-next,openmls-wasm,mls-rs-aws-lc,mls-rs-rustcrypto,openmls-rustcrypto,openmls-libcrux]
 * npm run bench -- --rust [--groups 2,100,1000,10000] [--sizes 99,999,4999] [--rounds 5] [--quick]
 * npm run bench -- --large [--sizes 1000,10000,100000]
 * npm run bench -- --hostile [--sizes 1000]
 * npm run bench -- --stalls [--sizes 1000,10000] [--rounds 3]
 * npm run bench -- --sdk [--quick]
 * npm run bench -- --cursors [--sizes 1000]
 * npm run bench -- --garbage [--quick]
 * npm run bench -- --intervals [--sizes 10000] [--quick]
 *
 * Every implementation does the same, in groups of the same tree, with its default provider, turn by turn in one
 * process; what is printed are medians and ratios. `floor` is the sum of the cryptographic calls that the operation
 * cannot avoid, on our provider. What is written in Rust runs in a process of its own (`bench/rust`, which cargo builds) and
 * is timed inside it. `native`, `sodium` and `node` are ours with those providers.
 */

const options = given(
  () =>
    parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        groups: { type: "string" },
        only: { type: "string" },
        rust: { type: "boolean", default: false },
        rounds: { type: "string" },
        large: { type: "boolean", default: false },
        hostile: { type: "boolean", default: false },
        stalls: { type: "boolean", default: false },
        sdk: { type: "boolean", default: false },
        cursors: { type: "boolean", default: false },
        garbage: { type: "boolean", default: false },
        intervals: { type: "boolean", default: false },
        sizes: { type: "string" },
        suite: { type: "string", default: "1" },
      },
    }).values,
  "bench -- --quick --rounds 7 --groups 2,10 --only ours,floor --suite 1, or bench -- --rust, bench -- --large --sizes 1000,10000, bench -- --hostile, bench -- --stalls, bench -- --sdk, bench -- --cursors, bench -- --garbage or bench -- --intervals",
)

/** How often a slow operation is run in all, whatever the number of rounds. */
const rounds = Number(options.rounds ?? (options.quick ? 3 : 7))
const only = (options.only ?? "ours,floor,ts-mls,ts-mls-next,openmls-wasm,mls-rs-aws-lc").split(",")
const provider = nodeProvider()
const ours = conclave(provider)
console.log(machine(provider.name))

if (options.rust) {
  await sideBySide({
    sizes: groupSizes(options.quick ? "2,100" : "2,100,1000,10000"),
    bulk: sizes(options.quick ? "99" : "99,999,4999"),
    rounds: Number(options.rounds ?? (options.quick ? 3 : 5)),
    others: rustLibraries.filter((name) => options.only === undefined || only.includes(name)),
  })
} else if (options.large) {
  await large(sizes("1000,10000"), rounds)
} else if (options.sdk) {
  await sdk(rounds, options.quick)
} else if (options.cursors) {
  for (const size of sizes("1000")) await cursors(size, rounds)
} else if (options.garbage) {
  await garbage(Number(options.rounds ?? (options.quick ? 1 : 5)), options.quick)
} else if (options.intervals) {
  for (const size of sizes(options.quick ? "100" : "10000"))
    await intervalKeys(size, options.quick ? [10, 100] : [10, 100, 1000])
} else if (options.stalls) {
  for (const size of sizes("1000,10000")) stalls(size, Number(options.rounds ?? 3))
} else if (options.hostile) {
  for (const size of sizes("1000")) await hostile(size, rounds)
} else {
  const rust = rustProgram()
  for (const size of groupSizes("2,10,100,1000")) await group(size, rust)
}

function sizes(unlessGiven: string): number[] {
  return (options.sizes ?? unlessGiven).split(",").map(Number)
}

function groupSizes(unlessGiven: string): number[] {
  return (options.groups ?? unlessGiven).split(",").map(Number)
}

/** Built where one of those in Rust is asked for. Where that is impossible, it says so. */
function rustProgram(): string | undefined {
  if (!rustLibraries.some((name) => only.includes(name))) return undefined
  const built = buildRust()
  if ("program" in built) return built.program
  console.log(`NOT MEASURED: the implementations in Rust, for ${built.reason}`)
  return undefined
}

async function group(size: number, rust: string | undefined): Promise<void> {
  const suites = new Map<number, FullTree | undefined>()
  const scenes: { readonly label: string; readonly run: (operation: Operation) => Promise<number> | number }[] = []
  const enter = async (label: string, party: Party, number: number, peer = party) => {
    progress(`${label}: a group of ${size}`)
    const suite = cipherSuite(number, provider)
    if (size > 2 && !suites.has(number)) suites.set(number, new FullTree(suite, size))
    const scene = await Scene.set(party, peer, suite, suites.get(number))
    scenes.push({ label, run: (operation) => scene.run(operation) })
  }
  const main = Number(options.suite)
  if (only.includes("ours")) await enter("ours", ours, main)
  // The same with the providers that stand behind the first one.
  for (const accelerate of ["native", "sodium"] as const) {
    if (only.includes(accelerate)) await enter(`ours, ${accelerate}`, conclave(nodeProvider({ accelerate })), main)
  }
  if (only.includes("node")) await enter("ours, node", conclave(nodeProvider({ accelerate: false })), main)
  if (only.includes("floor")) {
    const suite = cipherSuite(main, provider)
    const tree = suites.get(main) ?? new FullTree(suite, Math.max(size, 4))
    const calls = floor(suite, tree.leafSignatures().slice(0, size))
    scenes.push({ label: "floor", run: (operation) => timedSync(() => calls[operation]()) })
  }
  if (only.includes("ts-mls")) await enter("ts-mls", tsMls, main)
  if (only.includes("ts-mls-next")) await enter("ts-mls-next", tsMlsNext, main)
  if (only.includes("openmls-wasm")) {
    // It knows one cipher suite, and commits nothing but additions: its peer is ours, in that suite.
    await enter("ours, suite 3", ours, 3)
    await enter("openmls-wasm", openMls, 3, ours)
  }
  const started: RustLibrary[] = []
  const enterRust = async (program: string, name: RustLibraryName) => {
    // They know one cipher suite here.
    if (!only.includes(name) || main !== 1) return
    const library = new RustLibrary(program, name)
    started.push(library)
    await enter(name, library, main)
  }
  if (rust !== undefined) for (const name of rustLibraries) await enterRust(rust, name)
  const measured = new Map<Operation, Map<string, Measured>>()
  for (const operation of operations) {
    progress(`${operation} in a group of ${size}`)
    const able: Contestant[] = []
    for (const { label, run } of scenes) {
      if (await can(run, operation)) able.push({ name: label, once: () => run(operation) })
    }
    measured.set(operation, await contest(able, rounds))
  }
  for (const library of started) library.close()
  progress("")
  console.log(`\n${size} members, suite ${main}, medians of ${rounds} rounds`)
  console.log(
    report(
      measured,
      scenes.map(({ label }) => label),
    ),
  )
}

/** Runs it once: what an implementation cannot do, it says by throwing. */
async function can(run: (operation: Operation) => Promise<number> | number, operation: Operation): Promise<boolean> {
  try {
    await run(operation)
    return true
  } catch (error) {
    if ((error as Error).name === "Unable") return false
    throw error
  }
}

function report(measured: ReadonlyMap<Operation, ReadonlyMap<string, Measured>>, labels: readonly string[]): string {
  const head = ["", ...operations]
  const times = labels.map((label) => [
    label,
    ...operations.map((operation) => {
      const value = measured.get(operation)!.get(label)
      return value ? duration(value.median) : "cannot"
    }),
  ])
  const compared = (name: string, over: string, under: string) =>
    labels.includes(over) && labels.includes(under)
      ? [
          [
            name,
            ...operations.map((operation) => {
              const [a, b] = [measured.get(operation)!.get(over), measured.get(operation)!.get(under)]
              return a && b ? ratio(a.median / b.median) : ""
            }),
          ],
        ]
      : []
  return table([
    head,
    ...times,
    ...compared("ours ÷ floor", "ours", "floor"),
    ...compared("ts-mls ÷ ours", "ts-mls", "ours"),
    ...compared("ts-mls-next ÷ ours", "ts-mls-next", "ours"),
    ...compared("openmls-wasm ÷ ours", "openmls-wasm", "ours, suite 3"),
    ...rustLibraries.flatMap((name) => compared(`ours ÷ ${name}`, "ours", name)),
  ])
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
