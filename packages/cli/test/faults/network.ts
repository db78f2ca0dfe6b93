import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Folder } from "../support.js"
import { type Relay, relay } from "./relay.js"

const PREFIX = "conclave-faults-"
/** Inside the namespaces of gateways. */
const PORT = 4180
const POSTGRES_PORT = 5432
const NATS_PORT = 4222

/** Why gateways have no network namespaces of their own here; `undefined` where they can. */
export function noNamespaces(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need Linux and root"
  const name = `${PREFIX}${process.pid}-probe`
  const made = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" })
  if (made.status !== 0) return `ip(8) makes no network namespace here: ${made.stderr ?? made.error?.message}`.trim()
  spawnSync("ip", ["netns", "del", name])
  return undefined
}

/**
 * Namespaces for gateways, each with a link to one for the databases. Nothing of them touches the network of the machine:
 * Unix sockets lead in and out.
 *
 * ```
 *   clients -> port of the machine -> socket -> [gateway k: its port] -> link k -> [databases] -> socket -> PostgreSQL, NATS
 * ```
 */
export class Network implements Disposable {
  readonly #count: number
  readonly #folder: Folder
  readonly #children: ChildProcess[] = []
  readonly #relays: Relay[] = []
  /** Of the machine, for clients. */
  readonly ports: number[] = []

  private constructor(count: number, folder: Folder) {
    this.#count = count
    this.#folder = folder
    process.once("exit", this.#end)
  }

  readonly #end = () => this[Symbol.dispose]()

  static async make(
    count: number,
    folder: Folder,
    servers: { readonly postgres: number; readonly nats: number | undefined },
  ): Promise<Network> {
    const network = new Network(count, folder)
    try {
      await network.#make(servers)
      return network
    } catch (error) {
      network[Symbol.dispose]()
      throw error
    }
  }

  async #make({ postgres, nats }: { readonly postgres: number; readonly nats: number | undefined }): Promise<void> {
    removeLeftovers()
    const databases = nameOf("databases")
    ip("netns", "add", databases)
    ip("-n", databases, "link", "set", "lo", "up")
    for (let index = 0; index < this.#count; index++) {
      const name = this.nameOf(index)
      ip("netns", "add", name)
      ip("-n", name, "link", "set", "lo", "up")
      ip("-n", name, "link", "add", "up0", "type", "veth", "peer", "name", `down${index}`, "netns", databases)
      ip("-n", name, "addr", "add", `10.77.${index}.1/24`, "dev", "up0")
      ip("-n", databases, "addr", "add", `10.77.${index}.2/24`, "dev", `down${index}`)
      ip("-n", name, "link", "set", "up0", "up")
      this.join(index)
    }
    const socket = (name: string) => this.#folder.file(`${name}.sock`)
    const ways = [`0.0.0.0:${POSTGRES_PORT}`, socket("postgres")]
    this.#relays.push(await relay(socket("postgres"), `127.0.0.1:${postgres}`))
    if (nats !== undefined) {
      this.#relays.push(await relay(socket("nats"), `127.0.0.1:${nats}`))
      ways.push(`0.0.0.0:${NATS_PORT}`, socket("nats"))
    }
    await this.#relayIn(databases, ways)
    for (let index = 0; index < this.#count; index++) {
      await this.#relayIn(this.nameOf(index), [socket(`gateway-${index}`), `127.0.0.1:${PORT}`])
      const outer = await relay("127.0.0.1:0", socket(`gateway-${index}`))
      this.#relays.push(outer)
      this.ports.push(outer.port)
    }
  }

  async #relayIn(namespace: string, ways: readonly string[]): Promise<void> {
    const script = fileURLToPath(new URL("relay-child.js", import.meta.url))
    const child = spawn("ip", ["netns", "exec", namespace, process.execPath, script, ...ways], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    this.#children.push(child)
    await Promise.race([
      once(child.stdout!, "data"),
      once(child, "exit").then(() => Promise.reject(new Error(`no relay in ${namespace}`))),
    ])
  }

  nameOf(index: number): string {
    return nameOf(`gateway-${index}`)
  }

  /** What gateway `index` is started with. */
  placeOf(index: number, database: string): { readonly port: number; readonly url: string; readonly nats: string } {
    const host = `10.77.${index}.2`
    const url = new URL(database)
    url.host = `${host}:${POSTGRES_PORT}`
    return { port: PORT, url: url.href, nats: `nats://${host}:${NATS_PORT}` }
  }

  /** What a gateway sends to the databases, and they to it, is lost without a word. */
  cut(index: number): void {
    ip("-n", nameOf("databases"), "link", "set", `down${index}`, "down")
  }

  join(index: number): void {
    ip("-n", nameOf("databases"), "link", "set", `down${index}`, "up")
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#end)
    for (const child of this.#children) child.kill("SIGKILL")
    for (const it of this.#relays) it[Symbol.dispose]()
    for (const name of namespaces().filter((it) => it.startsWith(`${PREFIX}${process.pid}-`))) remove(name)
  }
}

const nameOf = (role: string) => `${PREFIX}${process.pid}-${role}`

function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] })
}

const namespaces = () => (existsSync("/run/netns") ? readdirSync("/run/netns") : [])

/** With what runs in it. */
function remove(name: string): void {
  const { stdout } = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" })
  for (const id of stdout.split("\n").filter(Boolean)) {
    try {
      process.kill(Number(id), "SIGKILL")
    } catch {
      // It has just ended.
    }
  }
  spawnSync("ip", ["netns", "del", name])
}

/** Of runs that were killed themselves. */
function removeLeftovers(): void {
  for (const name of namespaces()) {
    const id = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (id !== undefined && !existsSync(`/proc/${id}`)) remove(name)
  }
}
