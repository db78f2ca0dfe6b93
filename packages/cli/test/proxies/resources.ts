import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

/** Where Debian puts them; `PATH` of people who are not root lacks the second. */
const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/bin"]
export const programs = ["nginx", "haproxy", "caddy"] as const
export type Program = (typeof programs)[number]

export function programPath(program: Program): string | undefined {
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
}

/** A folder that is gone afterwards. */
export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "conclave-proxies-"))

  write(name: string, content: string): string {
    const file = join(this.path, name)
    writeFileSync(file, content, { mode: 0o600 })
    return file
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** A port that was free a moment ago: proxies do not tell which they have taken. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** A process of somebody else's program, ended when it goes out of scope. */
export class Running implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #words: readonly string[]
  output = ""

  constructor(words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#words = words
    this.#child = spawn(words[0]!, words.slice(1), {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.on("data", (part) => {
        this.output += part
      })
    }
    this.#child.on("error", (error) => {
      this.output += String(error)
    })
  }

  /** Until `done`; rejects when the process ends, or after 20 s. */
  async until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 20_000
    while (!(await done())) {
      const ended = this.#child.exitCode !== null || this.#child.signalCode !== null
      if (ended || performance.now() > deadline)
        throw new Error(`${this.#words[0]}: no ${what}\n${this.output.slice(0, 2_000)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, "close")
    this.#child.kill("SIGTERM")
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3_000)
    await ended
    clearTimeout(timer)
  }
}

/** Several of them, ended together. */
export class Several implements AsyncDisposable {
  readonly running: readonly Running[]

  constructor(running: readonly Running[]) {
    this.running = running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.running.map((it) => it[Symbol.asyncDispose]()))
  }
}

export interface Certificate {
  /** Of the authority, to be trusted. */
  readonly authority: string
  readonly certificate: string
  readonly key: string
  /** Certificate and key in one, as HAProxy has them. */
  readonly both: string
}

/** A certificate for `localhost`, of an authority of its own, for a day. */
export async function makeCertificate(folder: TemporaryFolder): Promise<Certificate> {
  const file = (name: string) => join(folder.path, name)
  const openssl = (...words: readonly string[]) => promisify(execFile)("openssl", words)
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
  const authority = ["-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", "/CN=Conclave test authority"]
  await openssl("req", "-x509", ...key, ...authority)
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
  const own = ["-keyout", file("key.pem"), "-out", file("request.pem"), "-subj", "/CN=localhost", "-addext", names]
  await openssl("req", ...key.slice(0, -2), ...own)
  const signing = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-copy_extensions", "copy"]
  await openssl("x509", "-req", "-in", file("request.pem"), "-days", "1", ...signing, "-out", file("certificate.pem"))
  const read = (name: string) => readFileSync(file(name), "utf8")
  const both = folder.write("both.pem", read("certificate.pem") + read("key.pem"))
  return { authority: file("ca.pem"), certificate: file("certificate.pem"), key: file("key.pem"), both }
}

interface Asking {
  readonly authority?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** The address to ask from. */
  readonly from?: string
}

/** The status of an answer; `undefined` where none comes. */
export function statusOf(url: URL, { authority, headers = {}, from }: Asking = {}): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = url.protocol === "https:" ? requestHttps : requestHttp
    // Proxies that stand at IPv4 alone are asked there.
    const options = {
      headers: { ...headers },
      family: 4,
      ...(from !== undefined && { localAddress: from }),
      ...(authority !== undefined && { ca: readFileSync(authority) }),
    }
    request(url, options, (response) => response.resume().on("end", () => resolve(response.statusCode)))
      .on("error", () => resolve(undefined))
      .end()
  })
}

/** What one requester may ask for at once, and how long until it may again: see `listener/health.ts` of the server. */
const BURST = { questions: 30, milliseconds: 8_000, perSecond: 5 }
const ATTEMPTS = 5
const SECOND = 10

/**
 * Whether the service takes two clients for one, which come from two addresses: what the first has asked too often, the
 * second may not ask either. Each of the first's requests claims to be of another address, which must not help it. What
 * took so long that the second might have been let in by then is asked again.
 */
export async function areOneRequester(service: URL, authority: string | undefined): Promise<boolean | "forged"> {
  const url = new URL("healthz", service)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const begin = performance.now()
    const claims = Array.from({ length: BURST.questions + 20 }, (_, i) => ({ "x-forwarded-for": `192.0.2.${i}` }))
    const first = await Promise.all(claims.map((headers) => statusOf(url, { authority, from: "127.0.5.1", headers })))
    const others = Array.from({ length: SECOND }, () => statusOf(url, { authority, from: "127.0.6.1" }))
    const second = await Promise.all(others)
    const seconds = (performance.now() - begin) / 1000
    const isTooLate = seconds * BURST.perSecond >= SECOND - 1
    if (!isTooLate) return first.includes(429) ? second.includes(429) : "forged"
    await new Promise((resolve) => setTimeout(resolve, BURST.milliseconds))
  }
  throw new Error(`the service's health could not be asked for quickly enough in ${ATTEMPTS} attempts`)
}
