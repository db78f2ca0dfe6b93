import { spawn } from "node:child_process"
import { join } from "node:path"
import type { Attack, Outcome } from "./attack.js"
import { root } from "./hostile.js"

export type Ran = (Outcome & { readonly seconds: number }) | { readonly broken: string }

const SECONDS_MAX = 60

/** Runs one attack in a process of its own; `folder` is the repository or a copy of it. */
export function runAttack({ id, secondsMax = SECONDS_MAX }: Attack, folder = root): Promise<Ran> {
  return new Promise((resolve) => {
    const program = join(folder, "attack/dist/src/one.js")
    const child = spawn(process.execPath, ["--expose-gc", program, id], { stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk
    })
    child.stderr.on("data", (chunk: Buffer) => {
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

const firstLine = (text: string) =>
  text
    .split("\n")
    .find((line) => /Error|error/.test(line))
    ?.trim() ?? `it ended with: ${text.trim().slice(0, 200)}`
