/** The command line, as people start it: each function runs in a host of the laboratory. */
import { type ChildProcess, spawn } from "node:child_process"
import { connect, type Socket } from "node:net"
import { createInterface } from "node:readline"
import { createServer } from "node:tls"
import { fileURLToPath } from "node:url"
import type { ServerCertificate } from "../certificate.js"
import { now } from "./measured.js"

/** The program of this very workspace. */
export const program = fileURLToPath(new URL("../../../../cli/bin/conclave.js", import.meta.url))

/** Lines that each program has printed so far, and when. */
interface Running {
  readonly child: ChildProcess
  readonly lines: { readonly text: string; readonly at: number }[]
  errors: string
}

const running = new Map<string, Running>()

/** Starts `conclave` with these words under a name, and resolves when it has printed a line that contains `until`. */
export async function start(name: string, words: readonly string[], until?: string): Promise<number> {
  const child = spawn(process.execPath, [program, ...words], { stdio: ["pipe", "pipe", "pipe"] })
  const started: Running = { child, lines: [], errors: "" }
  running.set(name, started)
  createInterface(child.stdout).on("line", (text) => started.lines.push({ text, at: now() }))
  child.stderr.on("data", (chunk) => {
    started.errors += chunk
  })
  return until === undefined ? now() : seen(name, until)
}

/** When the program printed a line that contains `text`. */
export async function seen(name: string, text: string): Promise<number> {
  const { child, lines, errors } = running.get(name)!
  for (const deadline = now() + 20_000; now() < deadline; ) {
    const line = lines.find((line) => line.text.includes(text))
    if (line) return line.at
    if (child.exitCode) break
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error(`conclave ${name} did not print "${text}": ${running.get(name)?.errors ?? errors}`)
}

/** A line on its standard input; resolves with the moment. */
export function type(name: string, line: string): number {
  const at = now()
  running.get(name)!.child.stdin!.write(`${line}\n`)
  return at
}

/** A program from its start to its end, which has to be good. Resolves with the moment of the start. */
export async function run(words: readonly string[], input = ""): Promise<number> {
  const at = now()
  const child = spawn(process.execPath, [program, ...words], { stdio: ["pipe", "ignore", "pipe"] })
  let errors = ""
  child.stderr.on("data", (chunk) => {
    errors += chunk
  })
  child.stdin.end(input)
  const code = await new Promise((resolve) => child.once("close", resolve))
  // Nothing arrived in time: for whoever only registers, that is as it should be.
  if (code !== 0 && code !== 3) throw new Error(`conclave ${words.join(" ")} ended with ${code}: ${errors}`)
  return at
}

export async function end(name: string): Promise<void> {
  const { child } = running.get(name)!
  const ended = new Promise((resolve) => child.once("close", resolve))
  child.kill("SIGTERM")
  await ended
}

/** TLS in front of a port of this host, as a proxy does it. */
export async function serveTls(
  certificate: ServerCertificate,
  ports: { readonly from: number; readonly to: number },
): Promise<void> {
  const server = createServer({ ...certificate, minVersion: "TLSv1.3", noDelay: true }, (socket) => {
    const upstream = connect({ port: ports.to, host: "127.0.0.1", noDelay: true })
    pass(socket, upstream)
    pass(upstream, socket)
  })
  await new Promise<void>((resolve) => server.listen(ports.from, resolve))
}

function pass(from: Socket, to: Socket): void {
  from.pipe(to)
  from.on("error", () => to.destroy())
  from.on("close", () => to.destroy())
}
