import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { libraries, libraryNamed } from "../libraries.js"
import type { Neighbour } from "../neighbours/neighbour.js"
import { given } from "../options.js"
import { RemoteClient } from "../service/grpc.js"
import { deepScript } from "./deep.js"
import { type Outcome, report } from "./report.js"
import { runScript, ScriptFailure } from "./runner.js"
import { actorsOf, type Step, scripts } from "./scripts.js"

/*
 * npm run interop:scripts -- [--suites 1,2] [--script part-of-a-name] [--only conclave,ts-mls] [--client host:port]…
 *                            [--write docs/interop.md]
 *
 * Plays the scripts of the working group's runner: Conclave by itself, over its own gRPC server, in all cipher suites
 * and with both kinds of handshakes; then every neighbour by itself, and beside Conclave, once as those who join and
 * once as those who create. With `--client`, servers that run already take the place of the libraries.
 */

const options = given(
  () =>
    parseArgs({
      options: {
        suites: { type: "string" },
        script: { type: "string", default: "" },
        only: { type: "string" },
        client: { type: "string", multiple: true, default: [] },
        write: { type: "string" },
      },
    }).values,
  "interop:scripts -- --suites 1,2 --script part-of-a-name --only conclave,ts-mls --client host:port --write file",
)

const played: Readonly<Record<string, readonly Step[]>> = Object.fromEntries(
  Object.entries({ ...scripts, "a long life, at random": deepScript(9420) }).filter(([name]) =>
    name.includes(options.script),
  ),
)
const wanted = options.only?.split(",").flatMap((name) => libraryNamed(name) ?? []) ?? libraries
const [ours, ...neighbours] = libraries as [Neighbour, ...Neighbour[]]

interface Player {
  readonly name: string
  readonly suites: readonly number[]
  client: RemoteClient
  close(): void
  /** Ends it, and starts another in its place. */
  restart?(): Promise<void>
}

/** A server in a process of its own: some neighbours can be made to run in circles. */
async function start(library: Neighbour): Promise<Player> {
  let running = await spawned(library)
  const player: Player = {
    name: library.name,
    suites: library.suites,
    client: running.client,
    close: () => running.close(),
    async restart() {
      running.close()
      running = await spawned(library)
      player.client = running.client
    },
  }
  return player
}

async function spawned(library: Neighbour) {
  const program = fileURLToPath(new URL("../main.js", import.meta.url))
  const child = spawn(process.execPath, [program, "--port", "0", "--library", library.name], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const address = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the server of ${library.name} ended with ${code}`)))
    createInterface(child.stdout).once("line", (line) => resolve(line.split(" ").at(-1)!))
  })
  const client = new RemoteClient(address)
  const close = () => {
    client.close()
    child.kill("SIGKILL")
  }
  return { client, close }
}

async function connect(address: string): Promise<Player> {
  const client = new RemoteClient(address)
  const { name } = await client.call("Name", {})
  const { ciphersuites } = await client.call("SupportedCiphersuites", {})
  return { name, suites: ciphersuites, client, close: () => client.close() }
}

/** All scripts in the given suites, both kinds of handshakes, with `first` as whoever creates and `others` as the rest. */
async function play(first: Player, others: Player, suites: readonly number[]): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>()
  for (const [name, script] of Object.entries(played)) {
    const outcome: Outcome = { runs: 0, passed: 0, unable: new Set(), failed: new Set() }
    const creator = actorsOf(script)[0]
    for (const suite of suites) {
      for (const encryptHandshake of [true, false]) {
        progress(`${first.name} with ${others.name}: ${name}, suite ${suite}`)
        const otherSuite = first.suites.find((it) => it !== suite && others.suites.includes(it))
        const of = (actor: string) => (actor === creator ? first.client : others.client)
        outcome.runs++
        try {
          await runScript(script, { of, suite, otherSuite, encryptHandshake })
          outcome.passed++
        } catch (error) {
          if (!(error instanceof ScriptFailure)) throw error
          ;(error.unable ? outcome.unable : outcome.failed).add(error.message)
          if (error.silent) for (const player of new Set([first, others])) await player.restart?.()
        }
      }
    }
    outcomes.set(name, outcome)
  }
  return outcomes
}

const columns: { readonly title: string; readonly outcomes: ReadonlyMap<string, Outcome> }[] = []
const suitesOf = (all: readonly number[]) => {
  const chosen = options.suites?.split(",").map(Number)
  return chosen ? all.filter((suite) => chosen.includes(suite)) : all
}
if (options.client.length > 0) {
  const players = await Promise.all(options.client.map(connect))
  for (const first of players) {
    for (const others of players) {
      const suites = suitesOf(first.suites.filter((suite) => others.suites.includes(suite)))
      const title = first === others ? first.name : `${first.name} creates, ${others.name} joins`
      columns.push({ title, outcomes: await play(first, others, suites) })
    }
  }
  for (const player of players) player.close()
} else {
  const own = await start(ours)
  if (wanted.includes(ours)) {
    columns.push({ title: own.name, outcomes: await play(own, own, suitesOf(own.suites)) })
  }
  for (const neighbour of neighbours.filter((it) => wanted.includes(it))) {
    const player = await start(neighbour)
    // One suite shows what an implementation can do; that the suites agree, the live tests show.
    const suites = suitesOf(neighbour.suites).slice(0, 1)
    columns.push({ title: player.name, outcomes: await play(player, player, suites) })
    columns.push({ title: `we create, ${player.name} joins`, outcomes: await play(own, player, suites) })
    columns.push({ title: `${player.name} creates, we join`, outcomes: await play(player, own, suites) })
    player.close()
  }
  own.close()
}
progress("")
const text = report(columns, libraries)
console.log(text)
if (options.write) writeFileSync(options.write, text)
const own = columns.find(({ title }) => title === ours.name)
if (own && [...own.outcomes.values()].some(({ runs, passed }) => passed < runs)) process.exitCode = 1

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
}
