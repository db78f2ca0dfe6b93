import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const binary = fileURLToPath(new URL("../../../../packages/cli/bin/conclave.js", import.meta.url))

/** `conclave serve` in a process of its own, on the loopback address. */
export class Service {
  readonly address: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, address: string) {
    this.#child = child
    this.address = address
  }

  static async start(folder: string, port: number): Promise<Service> {
    const child = spawn(process.execPath, [binary, "serve", "--port", `${port}`, "--data", folder])
    let said = ""
    child.stderr.on("data", (chunk) => {
      said += chunk
    })
    const address = await new Promise<string>((resolve, reject) => {
      child.once("close", () => reject(new Error(`the service ended: ${said}`)))
      let announced = ""
      child.stdout.on("data", (chunk) => {
        announced += chunk
        const [url] = /http:\/\/\S+?:\d+/.exec(announced) ?? []
        if (announced.includes("Ctrl-C")) resolve(url!)
      })
    })
    return new Service(child, address)
  }

  get port(): number {
    return Number(new URL(this.address).port)
  }

  /** Resolves when the process is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = once(this.#child, "close")
    this.#child.kill(signal)
    await closed
  }
}

/** Runs a command to its end, and resolves with what it wrote. Throws where it failed. */
export async function conclave(...words: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [binary, ...words])
  let [output, errors] = ["", ""]
  child.stdout.on("data", (chunk) => {
    output += chunk
  })
  child.stderr.on("data", (chunk) => {
    errors += chunk
  })
  const [code] = await once(child, "close")
  if (code !== 0) throw new Error(errors)
  return output.trim()
}
