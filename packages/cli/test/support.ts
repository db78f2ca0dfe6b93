import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough, Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { run } from "../src/run.js"
import { glyphsFor, styleFor } from "../src/terminal/style.js"

const binary = fileURLToPath(new URL("../../bin/conclave.js", import.meta.url))

export interface Ran {
  /** `null` where a signal ended it. */
  readonly code: number | null
  readonly output: Buffer
  readonly errors: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly environment?: NodeJS.ProcessEnv
  /** Gets the process as soon as it runs. */
  readonly started?: (child: ChildProcess) => void
  /** The network namespace to run in. */
  readonly within?: string | undefined
  /** The user to run as: needs root. */
  readonly uid?: number
  /** The command, of another version for one; default: that of this repository. */
  readonly program?: string | undefined
}

/** Runs the real command in a process of its own, to its end. */
export async function conclave(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(words, options)
  const output: Buffer[] = []
  let errors = ""
  child.stdout!.on("data", (chunk: Buffer) => output.push(chunk))
  child.stderr!.on("data", (chunk: Buffer) => {
    errors += chunk
  })
  // Whoever ends without reading the input breaks the pipe.
  child.stdin!.on("error", () => {})
  child.stdin!.end(options.input ?? "")
  options.started?.(child)
  const code = await ended(child)
  return { code, output: Buffer.concat(output), errors }
}

interface Here {
  readonly input?: Readable | string | Uint8Array
  readonly environment?: NodeJS.ProcessEnv
  /** Each line that the command tells, and what it has written by then. */
  readonly onTold?: (line: string, written: string) => void
}

/**
 * The same in this process, which takes a tenth of the time: where the process is not what is tested. What a process
 * alone has (pipes, signals, its end, a user of its own, options of Node) needs {@link conclave}.
 */
export async function runHere(
  words: readonly string[],
  { input = "", environment = {}, onTold }: Here = {},
): Promise<Ran> {
  const written: Buffer[] = []
  let errors = ""
  const plain = styleFor(false, {})
  // Some commands set it for the rest of their process.
  const mask = process.umask(0o022)
  process.umask(mask)
  const code = await run(words, {
    input: input instanceof Readable ? input : new PassThrough().end(input),
    output: collecting((bytes) => written.push(bytes)),
    errors: collecting((bytes) => {
      errors += bytes
    }),
    environment,
    style: plain,
    errorStyle: plain,
    glyphs: glyphsFor({}, "linux"),
    write: async (text) => void written.push(Buffer.from(text as string)),
    tell: (line) => {
      errors += `${line}\n`
      onTold?.(line, Buffer.concat(written).toString())
    },
  }).finally(() => process.umask(mask))
  return { code, output: Buffer.concat(written), errors }
}

const collecting = (collect: (bytes: Buffer) => void) =>
  new Writable({
    write(bytes, _, done) {
      collect(bytes)
      done()
    },
  })

// Commands that run here wait for signals until they end, several at a time.
process.setMaxListeners(100)

function start(
  words: readonly string[],
  { environment = {}, within, uid, program: script = binary }: RunOptions = {},
): ChildProcess {
  const unset = Object.fromEntries(
    [
      ...["NO_COLOR", "CONCLAVE_DEBUG", "CONCLAVE_KEY", "CONCLAVE_AS", "CONCLAVE_SERVER"],
      ...["DATABASE_URL", "NATS_URL", "CONCLAVE_FAST_OPEN_SECRET"],
      // Tests are of the English words, wherever they run, but for those that ask for German.
      ...["LC_ALL", "LC_MESSAGES", "LANG"],
    ].map((name) => [name, undefined]),
  )
  const env = { ...process.env, ...unset, ...environment }
  const command = [process.execPath, script, ...words]
  const [program, ...rest] = within === undefined ? command : ["ip", "netns", "exec", within, ...command]
  return spawn(program!, rest, { env, ...(uid !== undefined && { uid }) })
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => resolve(code))
  })
}

/** A folder that is gone after the test. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "conclave-cli-"))

  file(name: string): string {
    return join(this.path, name)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

interface StartOptions {
  /** Behind `conclave serve`. */
  readonly words?: readonly string[]
  /** The network namespace to run in. */
  readonly within?: string | undefined
  readonly environment?: NodeJS.ProcessEnv
  readonly program?: string | undefined
}

interface Started {
  readonly folder: Folder
  readonly announcement: string
  readonly said: () => string
  readonly within: string | undefined
  readonly milliseconds: number
}

/** The real service, in a process of its own, with a data folder for it and for everybody who talks through it. */
export class Service implements AsyncDisposable {
  readonly folder: Folder
  readonly address: string
  readonly announcement: string
  readonly startMilliseconds: number
  readonly #said: () => string
  readonly #within: string | undefined
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, started: Started) {
    this.#child = child
    this.folder = started.folder
    this.announcement = started.announcement
    this.#said = started.said
    this.#within = started.within
    this.startMilliseconds = started.milliseconds
    this.address = /http:\/\/\S+?:\d+/.exec(started.announcement)![0]
  }

  static async start(folder = new Folder(), port = 0, options: StartOptions = {}): Promise<Service> {
    const { words = [], within, environment, program } = options
    const begin = performance.now()
    const child = start(["serve", "--port", String(port), "--data", folder.path, ...words], {
      within,
      program,
      ...(environment && { environment }),
    })
    let announcement = ""
    let errors = ""
    child.stderr!.on("data", (chunk) => {
      errors += chunk
    })
    await new Promise<void>((resolve, reject) => {
      child.once("close", () => reject(new Error(`the service ended: ${errors}`)))
      child.stdout!.on("data", (chunk) => {
        announcement += chunk
        if (announcement.includes("Ctrl-C")) resolve()
      })
    }).catch((error: unknown) => {
      folder[Symbol.dispose]()
      throw error
    })
    return new Service(child, {
      folder,
      announcement,
      said: () => errors,
      within,
      milliseconds: performance.now() - begin,
    })
  }

  /** What it has said on standard error. */
  get errors(): string {
    return this.#said()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get port(): number {
    return Number(new URL(this.address).port)
  }

  /** Where conversations of this service are: the last words of each command. */
  get place(): readonly string[] {
    return ["--server", this.address, "--data", this.folder.path]
  }

  /** Runs a command of a member, which has to succeed. */
  async ok(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await conclave([...words, ...this.place], { within: this.#within, ...options })
    assert.equal(ran.code, 0, ran.errors)
    return ran
  }

  /** The same in this process, see {@link runHere}. */
  async here(words: readonly string[], options: Here = {}): Promise<Ran> {
    const ran = await runHere([...words, ...this.place], options)
    assert.equal(ran.code, 0, ran.errors)
    return ran
  }

  /** Registers them all and puts them into one conversation. */
  async gather(title: string, first: string, ...others: readonly string[]): Promise<void> {
    await Promise.all(others.map((name) => this.#register(name)))
    const ran = await this.#run(["chat", "--as", first], `/new ${title} ${others.join(" ")}\n`)
    assert.equal(ran.code, 0, ran.errors)
    await Promise.all(others.map((name) => this.accept(name, first)))
  }

  /** Enters the conversations into which `by` has invited. */
  async accept(name: string, by: string): Promise<void> {
    const ran = await this.#run(["receive", "--as", name, "--accept-invitations", by, "--timeout", "0.01"])
    assert.equal(ran.code, 3, ran.errors)
  }

  #register(name: string): Promise<Ran> {
    return this.#run(["receive", "--as", name, "--timeout", "0.01"])
  }

  /** Here, where the service can be reached from here. */
  #run(words: readonly string[], input = ""): Promise<Ran> {
    const [all, within] = [[...words, ...this.place], this.#within]
    return within === undefined ? runHere(all, { input }) : conclave(all, { input, within })
  }

  /** The exit code after SIGTERM. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode
    const code = ended(this.#child)
    this.#child.kill(signal)
    return code
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL")
    this.folder[Symbol.dispose]()
  }
}

/** A failure as a person may see it: one line that begins with the command, and no stack. */
export function assertReadable({ errors, output }: Ran, says: RegExp): void {
  assert.match(errors, says)
  assert.equal(errors.trimEnd().split("\n").length, 1, errors)
  assert.match(errors, /^conclave/)
  assert.doesNotMatch(errors, /\bat .*\.js|node:internal|\[object|undefined/)
  assert.equal(output.length, 0)
}
