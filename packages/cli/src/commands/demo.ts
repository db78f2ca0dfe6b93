import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Client, openClient } from "@conclave/client/node"
import type { SealedServer } from "@conclave/fast-open"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { command, flag } from "../arguments.js"
import { type Relay, startRelay } from "../demo/relay.js"
import { names, Stage, type Step, script } from "../demo/script.js"
import { exitCodes, explain } from "../failure.js"
import { obstaclesInWords } from "../fast-open/obstacles.js"
import { startService } from "../service.js"
import { withProgress } from "../terminal/progress.js"
import { type Column, tableHead, tableRow } from "../terminal/table.js"
import { type Terminal, tellNote } from "../terminal/terminal.js"
import { words } from "../words/words.js"

const AGREEMENT_MILLISECONDS = 10_000
const AUTHENTICATOR_BYTES_SHOWN = 6

function columns(): readonly Column[] {
  const { step, epoch, authenticator, bytes, time } = words().demo.head
  return [
    { title: step, width: 38 },
    { title: epoch, width: Math.max(5, epoch.length), align: "right" },
    { title: authenticator, width: 2 * AUTHENTICATOR_BYTES_SHOWN + 1 },
    { title: bytes, width: 7, align: "right" },
    { title: time, width: 6, align: "right" },
    { title: "", width: 1 },
  ]
}

export const demo = command({
  options: { "fast-open": flag() },
  async run(given, { terminal }) {
    const folder = mkdtempSync(join(tmpdir(), "conclave-demo-"))
    const clean = () => rmSync(folder, { recursive: true, force: true })
    const interrupted = () => {
      clean()
      process.exit(exitCodes.failed)
    }
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, interrupted)
    try {
      const faults = await perform(folder, { terminal, isFast: given["fast-open"] })
      for (const fault of faults) terminal.tell(`${terminal.glyphs.bad} ${terminal.errorStyle.red(fault)}`)
      return faults.length === 0 ? exitCodes.done : exitCodes.failed
    } finally {
      for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, interrupted)
      clean()
    }
  },
})

interface Performance {
  readonly terminal: Terminal
  readonly isFast: boolean
}

async function perform(folder: string, { terminal, isFast }: Performance): Promise<readonly string[]> {
  const begin = performance.now()
  const faults: string[] = []
  await using service = await startService({
    place: { file: join(folder, "service.db") },
    host: "127.0.0.1",
    port: 0,
    fastOpen: isFast ? { port: 0, policy: supportedPolicy(terminal) } : undefined,
    onError: (error) => faults.push(words().demo.serviceFailed(explain(error).reason)),
  })
  await using relay = await startRelay(service.url)
  const sealed = service.fastOpen
  const said = words().demo
  await terminal.write(`${said.serviceAt(service.url.href, sealed?.port)}\n${said.relayAt(relay.url.href)}\n\n`)
  await terminal.write(`${tableHead(columns(), terminal.glyphs).join("\n")}\n`)
  const bytes = () => relay.bytes + (sealed?.server.bytes ?? 0)
  const fastOpen = isFast && (fastOpenSupport().client ? "private" : "sealed")
  const table: Table = { terminal, relay, bytes, fastOpen, faults }
  const clients: Client[] = []
  try {
    await openAll(clients, { ...table, folder })
    if (faults.length === 0) await play(new Stage(clients), { ...table, folder })
  } finally {
    await Promise.all(clients.map((client) => client.close()))
  }
  const verdict = faults.length === 0 ? said.agreed : said.disagreed
  if (sealed) await terminal.write(`\n${admissionsInWords(sealed.server.admissions)}\n`)
  await terminal.write(`\n${said.end(verdict, names.length, (performance.now() - begin) / 1000)}\n`)
  return faults
}

/** What the machine cannot do is told, and done without. */
function supportedPolicy(terminal: Terminal): "private" | "off" {
  const { client, server, obstacles } = fastOpenSupport()
  if (client && server) return "private"
  const side = server ? "client" : "server"
  tellNote(terminal, words().service.notInFirstPacket(obstaclesInWords(obstacles, side)))
  return server ? "private" : "off"
}

function admissionsInWords({ byToken, established, proven, synData }: SealedServer["admissions"]): string {
  return words().demo.admissions(byToken + established + proven, synData)
}

interface Table {
  readonly terminal: Terminal
  readonly relay: Relay
  /** That have passed so far. */
  readonly bytes: () => number
  readonly fastOpen: "private" | "sealed" | false
  readonly faults: string[]
}

/** Puts the clients into `clients` one by one, so that those that were opened are closed whatever happens. */
async function openAll(clients: Client[], table: Table & { readonly folder: string }): Promise<void> {
  const register = async () => {
    for (const name of names) {
      const profile = join(table.folder, `${name}.db`)
      clients.push(await openClient({ name, service: table.relay.url, profile, fastOpen: table.fastOpen }))
    }
    return nothingToShow
  }
  await row(table, words().demo.register, { measured: register })
}

async function play(stage: Stage, table: Table & { readonly folder: string }): Promise<void> {
  let before = ""
  for (const step of script) {
    const { authenticator } = await row(table, step.name(), {
      measured: () => playStep(stage, { step, before }),
      check: () => readOn(stage),
    })
    if (authenticator === "") return
    before = authenticator
  }
  const search = async () => ({ ...nothingToShow, faults: leaks(table.folder, stage.texts) })
  await row(table, words().demo.nothingInFile, { measured: search })
}

interface Outcome {
  readonly epoch: string
  readonly authenticator: string
  readonly faults: readonly string[]
}

const nothingToShow: Outcome = { epoch: "", authenticator: "", faults: [] }

async function playStep(
  stage: Stage,
  { step, before }: { readonly step: Step; readonly before: string },
): Promise<Outcome> {
  await step.run(stage)
  const faults = [...(await untilAgreed(stage))]
  const [view] = (await stage.views()).filter(({ name }) => stage.members.some((member) => member === name))
  const { epoch = 0n, authenticator = "" } = view ?? {}
  if (step.isCommit && authenticator === before) faults.push(words().demo.sameAuthenticator)
  return { epoch: String(epoch), authenticator, faults }
}

/** Members read at their own pace; what is still wrong after ten seconds is wrong. */
async function untilAgreed(stage: Stage): Promise<readonly string[]> {
  const deadline = performance.now() + AGREEMENT_MILLISECONDS
  for (;;) {
    const found = await stage.disagreements()
    if (found.length === 0 || performance.now() > deadline) return found
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Whoever is out gets every chance to read on. */
async function readOn(stage: Stage): Promise<readonly string[]> {
  for (const client of stage.clients.values()) await client.sync()
  return stage.disagreements()
}

interface Phases {
  /** Its time and its bytes are shown. */
  readonly measured: () => Promise<Outcome>
  /** Looks for more faults behind the clock's back. */
  readonly check?: () => Promise<readonly string[]>
}

async function row(table: Table, name: string, { measured, check }: Phases): Promise<Outcome> {
  const { terminal } = table
  const { style, glyphs } = terminal
  const [begin, bytes] = [performance.now(), table.bytes()]
  const outcome = await withProgress(terminal, name, () => failing(measured))
  const [milliseconds, passed] = [performance.now() - begin, table.bytes() - bytes]
  const faults = [...outcome.faults]
  if (check !== undefined && faults.length === 0) faults.push(...(await check()))
  const cells = [
    name,
    outcome.epoch,
    outcome.authenticator === ""
      ? ""
      : `${outcome.authenticator.slice(0, 2 * AUTHENTICATOR_BYTES_SHOWN)}${glyphs.isAscii ? "." : glyphs.ellipsis}`,
    String(passed),
    words().units.number(milliseconds, 1),
    faults.length === 0 ? style.green(glyphs.good) : style.red(glyphs.bad),
  ]
  await terminal.write(`${tableRow(columns(), cells)}\n`)
  table.faults.push(...faults.map((fault) => words().demo.fault(name, fault)))
  return outcome
}

async function failing(work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work()
  } catch (error) {
    return { epoch: "", authenticator: "", faults: [explain(error).reason] }
  }
}

function leaks(folder: string, texts: readonly string[]): readonly string[] {
  const files = readdirSync(folder).filter((file) => file.startsWith("service.db"))
  const contents = files.map((file) => readFileSync(join(folder, file)))
  return texts
    .filter((text) => contents.some((content) => content.includes(text)))
    .map((text) => words().demo.holds(text))
}
