import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Attack, Outcome } from "./attack.js"
import { root } from "./hostile.js"

export type Ran = (Outcome & { readonly seconds: number }) | { readonly broken: string }

const SECONDS_MAX = 60

/** Runs one attack in a process of its own; `folder` is the repository or a copy of it. */
export function runAttack({ id, secondsMax = SECONDS_MAX }: Attack, folder = root): Promise<Ran> {
  return new Promise((resolve) => {
    const child = start([id], folder)
    let output = ""
    let errors = ""
    child.stdout!.on("data", (chunk: Buffer) => {
      output += chunk
    })
    child.stderr!.on("data", (chunk: Buffer) => {
      errors = (errors + chunk).slice(-4_000)
    })
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill("SIGKILL")
    }, secondsMax * 1000)
    child.on("close", (code) => {
      clearTimeout(timer)
      const last = output.trim().split("\n").at(-1) ?? ""
      if (code === 0 && last.startsWith("{")) resolve(JSON.parse(last))
      else resolve({ broken: late ? `no end within ${secondsMax} s` : firstLine(errors) })
    })
  })
}

/**
 * Runs attacks one after the other in one process, which spares each the start of its own. Each outcome, by the attack's id, is
 * there as soon as the attack is over; where the process ends before its time, the rest are broken.
 */
export function runTogether(attacks: readonly Attack[]): ReadonlyMap<string, Promise<Ran>> {
  const told = new Map<string, (ran: Ran) => void>()
  const outcomes = new Map(
    attacks.map(({ id }) => [id, new Promise<Ran>((resolve) => void told.set(id, resolve))] as const),
  )
  const child = start([...outcomes.keys()], root)
  let errors = ""
  child.stderr!.on("data", (chunk: Buffer) => {
    errors = (errors + chunk).slice(-4_000)
  })
  const secondsMax = attacks.reduce((sum, attack) => sum + (attack.secondsMax ?? SECONDS_MAX), 0)
  const timer = setTimeout(() => child.kill("SIGKILL"), secondsMax * 1000)
  createInterface({ input: child.stdout! }).on("line", (line) => {
    if (!line.startsWith("{")) return
    const { id, ...ran } = JSON.parse(line) as Ran & { readonly id: string }
    told.get(id)?.(ran)
  })
  child.on("close", () => {
    clearTimeout(timer)
    // What has been told already stays as it is.
    for (const tell of told.values()) tell({ broken: `it was not reached: ${firstLine(errors)}` })
  })
  return outcomes
}

function start(ids: readonly string[], folder: string): ChildProcess {
  const program = join(folder, "attack/dist/src/one.js")
  return spawn(process.execPath, ["--expose-gc", program, ...ids], { stdio: ["ignore", "pipe", "pipe"] })
}

const firstLine = (text: string) =>
  text
    .split("\n")
    .find((line) => /Error|error/.test(line))
    ?.trim() ?? `it ended with: ${text.trim().slice(0, 200)}`
