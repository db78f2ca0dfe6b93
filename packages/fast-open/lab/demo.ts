import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { makeCertificate } from "./certificate.js"
import { TemporaryFolder } from "./interruption.js"
import { Laboratory, SERVER_ADDRESS } from "./laboratory.js"
import { median } from "./latency.js"
import { program } from "./roles/program.js"

const role = new URL("./roles/program.js", import.meta.url)
const PORT = 7500
/** Behind the one for sealed requests. */
const TLS_PORT = PORT + 2
const TITLE = "team"
const QUIET_MILLISECONDS = 1000

export interface DemoRow {
  readonly way: string
  /** From the start of `conclave send` to the other member's screen. */
  readonly sendMilliseconds: number
  /** From the end of a line in a chat that is open, to the same. */
  readonly chatMilliseconds: number
}

export interface DemoReport {
  readonly roundTripMilliseconds: number
  readonly samples: number
  readonly rows: readonly DemoRow[]
}

interface Way {
  readonly name: string
  readonly words: readonly string[]
}

/** What the demonstration needs beside the laboratory; `undefined` when it is there. */
export function missingProgram(): string | undefined {
  return existsSync(program.replace(/bin.conclave\.js$/, join("dist", "src", "main.js")))
    ? undefined
    : "the command line has not been built: npm run build:code"
}

/** One conversation by the command line, asked by sealed requests and over HTTPS, in turns. */
export async function measureDemo(options: { roundTripMilliseconds: number; samples: number }): Promise<DemoReport> {
  using folder = new TemporaryFolder("conclave-lab-")
  const certificate = await makeCertificate(SERVER_ADDRESS)
  const authority = join(folder.path, "certificate.pem")
  writeFileSync(authority, certificate.cert)
  // Whoever runs the laboratory has made the certificate, and may trust it.
  await using laboratory = await Laboratory.open({}, { NODE_EXTRA_CA_CERTS: authority })
  const data = join(folder.path, "service")
  const listening = ["--host", "0.0.0.0", "--port", `${PORT}`, "--fast-open", "--data", data]
  await laboratory.server.call(role, "start", "serve", ["serve", ...listening], "Ctrl-C")
  await laboratory.server.call(role, "serveTls", certificate, { from: TLS_PORT, to: PORT })
  const service = `https://${SERVER_ADDRESS}:${TLS_PORT}`
  const ways: readonly Way[] = [
    { name: "HTTPS and WebSocket", words: ["--server", service] },
    { name: "sealed requests", words: ["--server", service, "--fast-open"] },
  ]
  const people = ways.map((way, n) => new People(laboratory, { way, data: join(folder.path, `people-${n}`) }))
  for (const pair of people) await pair.meet()
  await laboratory.change({ roundTripMilliseconds: options.roundTripMilliseconds })
  const taken: Omit<DemoRow, "way">[][] = people.map(() => [])
  // In turns, so that a busy moment of the machine meets both.
  for (let n = 0; n < options.samples; n++) {
    for (const [at, pair] of people.entries()) taken[at]!.push(await pair.measure(n))
  }
  for (const pair of people) await pair.leave()
  await laboratory.server.call(role, "end", "serve")
  const rows = ways.map(({ name }, at) => ({ way: name, ...medianOf(taken[at]!) }))
  return { ...options, rows }
}

/** Alice writes, bob reads; both ask in one way. */
class People {
  readonly #laboratory: Laboratory
  readonly #way: Way
  readonly #data: string

  constructor(laboratory: Laboratory, { way, data }: { way: Way; data: string }) {
    this.#laboratory = laboratory
    this.#way = way
    this.#data = data
  }

  async meet(): Promise<void> {
    await this.#run(["receive", "--as", this.#name("bob"), "--timeout", "0.01"])
    await this.#run(["chat", "--as", this.#name("alice")], `/new ${TITLE} ${this.#name("bob")}\nhello\n`)
    const following = ["receive", "--as", this.#name("bob"), "--follow", "--lines"]
    await this.#call("start", this.#name("bob"), [...following, ...this.#words], "hello")
  }

  async measure(n: number): Promise<Omit<DemoRow, "way">> {
    const alice = this.#name("alice")
    const sent = `sent ${n}.`
    const sendAt = await this.#run(["send", "--as", alice, "--to", TITLE], sent)
    const sendMilliseconds = (await this.#seen(sent)) - sendAt

    await this.#call("start", alice, ["chat", "--as", alice, ...this.#words])
    await this.#typed(`opened ${n}.`)
    await this.#seen(`opened ${n}.`)
    await new Promise((resolve) => setTimeout(resolve, QUIET_MILLISECONDS))
    const typed = `typed ${n}.`
    const typedAt = await this.#typed(typed)
    const chatMilliseconds = (await this.#seen(typed)) - typedAt
    await this.#call("end", alice)
    return { sendMilliseconds, chatMilliseconds }
  }

  async leave(): Promise<void> {
    await this.#call("end", this.#name("bob"))
  }

  get #words(): readonly string[] {
    return [...this.#way.words, "--data", this.#data]
  }

  #name(person: string): string {
    return `${person}-${this.#way.words.length}`
  }

  #run(words: readonly string[], input?: string): Promise<number> {
    return this.#call("run", [...words, ...this.#words], input)
  }

  #typed(line: string): Promise<number> {
    return this.#call("type", this.#name("alice"), line)
  }

  #seen(text: string): Promise<number> {
    return this.#call("seen", this.#name("bob"), text)
  }

  #call<Result>(name: string, ...words: unknown[]): Promise<Result> {
    return this.#laboratory.client.call<Result>(role, name, ...words)
  }
}

function medianOf(taken: readonly Omit<DemoRow, "way">[]): Omit<DemoRow, "way"> {
  return {
    sendMilliseconds: median(taken.map(({ sendMilliseconds }) => sendMilliseconds)),
    chatMilliseconds: median(taken.map(({ chatMilliseconds }) => chatMilliseconds)),
  }
}

export function demoTable({ roundTripMilliseconds, samples, rows }: DemoReport): string {
  const width = Math.max(...rows.map(({ way }) => way.length))
  const line = (...cells: readonly [string, string, string]) =>
    `${cells[0].padEnd(width)}${cells[1].padStart(20)}${cells[2].padStart(20)}`
  return [
    `Milliseconds until a message is on the other member's screen; round trip ${roundTripMilliseconds} ms, medians of ${samples}`,
    line("", "conclave send", "in an open chat"),
    ...rows.map(({ way, sendMilliseconds, chatMilliseconds }) =>
      line(way, sendMilliseconds.toFixed(0), chatMilliseconds.toFixed(0)),
    ),
    "conclave send: from the start of the program, which has to be loaded first and opens its profile at the service",
  ].join("\n")
}
