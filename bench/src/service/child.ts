/// <reference lib="esnext.disposable" preserve="true" />
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Usage } from "./usage.js"

/** What a child serves. */
export type Served =
  /** The services on a file, or in a database that others share. */
  | { readonly kind: "conclave"; readonly file: string }
  | { readonly kind: "conclave"; readonly database: string; readonly nats?: string | undefined }
  /** Every message to every socket but the one that it came by. */
  | { readonly kind: "broadcast" }

export interface Wanted {
  readonly served: Served
}

export type Question = "usage" | "memory" | "end"

/** A server in a process of its own, which is measured apart from the load. */
export class Child implements AsyncDisposable {
  readonly url: URL
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, url: string) {
    this.#process = process
    this.url = new URL(url)
  }

  /** Resolves when it listens. Profiles its CPU into the folder that the environment's BENCH_CPU_PROFILES names, if any. */
  static async start(served: Served): Promise<Child> {
    const profile = process.env.BENCH_CPU_PROFILES
    const child = fork(fileURLToPath(new URL("./child-main.js", import.meta.url)), [], {
      execArgv: ["--expose-gc", ...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`])],
    })
    const kill = () => child.kill("SIGKILL")
    process.once("exit", kill)
    child.once("exit", () => process.off("exit", kill))
    child.send({ served } satisfies Wanted)
    const [url] = await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => {
        throw new Error(`the server of kind ${served.kind} did not start`)
      }),
    ])
    return new Child(child, url)
  }

  /** What it has used since it began. `collect`: after its garbage was collected. */
  async usage({ collect = false }: { readonly collect?: boolean } = {}): Promise<Usage> {
    const answer = once(this.#process, "message")
    this.#process.send(collect ? "memory" : "usage")
    return (await answer)[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, "exit")
    this.#process.send("end")
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), END_MILLISECONDS)
    await ended
    clearTimeout(timer)
  }
}

const END_MILLISECONDS = 15_000
