import { type ChildProcess, fork } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { ServiceChoice } from "./service-process.js"

const program = fileURLToPath(new URL("service-process.js", import.meta.url))

/** The real service in a process of its own. */
export class Service {
  readonly url: URL
  readonly sealedPort: number | undefined
  readonly file: string
  /** How the process ended, if it has. */
  ended: string | undefined
  /** What the service said of its own faults. */
  readonly faults: string[] = []
  readonly #child: ChildProcess
  readonly #done: Promise<void>

  private constructor(child: ChildProcess, file: string, told: { url: string; sealedPort?: number }) {
    this.#child = child
    this.file = file
    this.url = new URL(told.url)
    this.sealedPort = told.sealedPort
    this.#done = new Promise((resolve) => {
      child.on("exit", (code, signal) => {
        this.ended = signal ?? `exit ${code}`
        resolve()
      })
    })
    child.on("message", (message: { fault?: string }) => {
      if (message.fault !== undefined) this.faults.push(message.fault)
    })
  }

  /** Rejects with what the process said where it does not start. */
  static start(choice: ServiceChoice, execArgv: readonly string[] = []): Promise<Service> {
    const child = fork(program, [JSON.stringify(choice)], {
      execArgv: [...execArgv],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    })
    let said = ""
    child.stderr!.on("data", (chunk: Buffer) => {
      said = (said + chunk).slice(-2_000)
    })
    return new Promise((resolve, reject) => {
      child.once("message", (told: { url: string; sealedPort?: number }) =>
        resolve(new Service(child, choice.file, told)),
      )
      child.once("exit", (code) => reject(new Error(`the service ended with ${code}: ${said.trim()}`)))
      child.once("error", reject)
    })
  }

  /** Bytes of memory that the process occupies now; 0 where it has ended. */
  get rss(): number {
    try {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8")
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
    } catch {
      return 0
    }
  }

  /** Milliseconds of CPU since the start. */
  get cpu(): number {
    try {
      const fields = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")
      return (Number(fields[11]) + Number(fields[12])) * 10
    } catch {
      return 0
    }
  }

  /** Bytes of the database with its journal. */
  get stored(): number {
    return [this.file, `${this.file}-wal`].reduce((sum, it) => sum + (existsSync(it) ? statSync(it).size : 0), 0)
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.ended === undefined) this.#child.kill(signal)
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3_000)
    await this.#done
    clearTimeout(timer)
  }
}

/** The highest `rss` that a service reaches while something goes on. */
export function watchMemory(service: Service): { readonly before: number; end(): number } {
  const before = service.rss
  let highest = before
  const timer = setInterval(() => {
    highest = Math.max(highest, service.rss)
  }, 50)
  return {
    before,
    end() {
      clearInterval(timer)
      return highest
    },
  }
}

export const megabytes = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`
