import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { ip, makeNamespace, removeNamespace, setSysctl } from "./namespaces.js"
import {
  CLIENT_ADDRESS,
  CLIENT_ADDRESS_6,
  clearPath,
  DEVICE,
  type Path,
  type RouterAnswer,
  type RouterCommand,
  SERVER_ADDRESS,
  SERVER_ADDRESS_6,
} from "./router-protocol.js"

export { missingPrivileges } from "./namespaces.js"
export {
  CLIENT_ADDRESS,
  CLIENT_ADDRESS_6,
  type Middlebox,
  SECOND_CLIENT_ADDRESS,
  SERVER_ADDRESS,
  SERVER_ADDRESS_6,
} from "./router-protocol.js"

/**
 * Hosts in network namespaces, a client and one server or several behind one address, and a path between them with a round trip, middleboxes and an observer.
 * {@link missingPrivileges} tells beforehand whether this machine can have one.
 */
export class Laboratory {
  readonly client: Host
  readonly server: Host
  /** All that are behind the server's address; {@link server} is the first. */
  readonly servers: readonly Host[]
  readonly #router: Router
  readonly #namespaces: readonly string[]
  readonly #removeAtExit: () => void
  #path: Path = clearPath

  private constructor(parts: {
    client: Host
    servers: readonly Host[]
    router: Router
    namespaces: string[]
    removeAtExit(): void
  }) {
    this.client = parts.client
    this.server = parts.servers[0]!
    this.servers = parts.servers
    this.#router = parts.router
    this.#namespaces = parts.namespaces
    this.#removeAtExit = parts.removeAtExit
  }

  /** `environment` is for the hosts' processes; `servers` are behind one address. */
  static async open(
    path: Partial<Path> = {},
    environment: NodeJS.ProcessEnv = {},
    { servers = 1 }: { readonly servers?: number } = {},
  ): Promise<Laboratory> {
    const behind = Array.from({ length: servers }, () => makeNamespace("server"))
    const namespaces = [makeNamespace("client"), ...behind]
    const removeAtExit = () => {
      for (const name of namespaces) removeNamespace(name)
    }
    // Before the listeners that remove files which the processes in them write.
    process.prependOnceListener("exit", removeAtExit)
    try {
      const router = await Router.start(namespaces)
      addAddresses(namespaces[0]!, CLIENT_ADDRESS, CLIENT_ADDRESS_6)
      for (const namespace of behind) addAddresses(namespace, SERVER_ADDRESS, SERVER_ADDRESS_6)
      const [client, ...hosts] = await Promise.all(namespaces.map((name) => Host.start(name, environment)))
      const laboratory = new Laboratory({ client: client!, servers: hosts, router, namespaces, removeAtExit })
      await laboratory.change(path)
      return laboratory
    } catch (error) {
      removeAtExit()
      throw error
    }
  }

  /** Changes some properties of the path, for packets that enter it from now on. */
  async change(path: Partial<Path>): Promise<void> {
    this.#path = { ...this.#path, ...path }
    await this.#router.obey({ kind: "path", path: this.#path })
  }

  async startCapture(file: string): Promise<void> {
    await this.#router.obey({ kind: "capture", file })
  }

  async endCapture(): Promise<void> {
    await this.#router.obey({ kind: "capture", file: null })
  }

  /** Raw IP packets that reach the server after half a round trip, from wherever they claim to come. */
  async inject(packets: readonly Uint8Array[]): Promise<void> {
    await this.#router.obey({
      kind: "inject",
      packets: packets.map((packet) => Buffer.from(packet).toString("base64")),
    })
  }

  /** Ends the server's process, as a crash would, and starts a new one. */
  async restartServer(): Promise<void> {
    await this.server.restart()
  }

  /** Gives the client another IPv4 address beside its own. */
  addClientAddress(address: string): void {
    ip("-n", this.#namespaces[0]!, "address", "add", `${address}/32`, "dev", DEVICE)
  }

  setSysctl(side: "client" | "server", name: string, value: string): void {
    setSysctl(this.#namespaces[side === "client" ? 0 : 1]!, name, value)
  }

  async close(): Promise<void> {
    await Promise.all([this.client.close(), ...this.servers.map((server) => server.close()), this.#router.close()])
    this.#removeAtExit()
    process.removeListener("exit", this.#removeAtExit)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function addAddresses(namespace: string, address: string, address6: string): void {
  setSysctl(namespace, "net.ipv4.tcp_fastopen", "3")
  setSysctl(namespace, "net.ipv4.tcp_fastopen_blackhole_timeout_sec", "0")
  ip("-n", namespace, "address", "add", `${address}/32`, "dev", DEVICE)
  ip("-n", namespace, "address", "add", `${address6}/128`, "dev", DEVICE, "nodad")
  ip("-n", namespace, "link", "set", DEVICE, "up")
  ip("-n", namespace, "route", "add", "default", "dev", DEVICE)
  ip("-n", namespace, "-6", "route", "add", "default", "dev", DEVICE)
}

/** A process in a namespace that runs functions of modules on request. */
export class Host {
  readonly #namespace: string
  readonly #environment: NodeJS.ProcessEnv
  #child: ChildProcess
  readonly #calls = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  #lastCall = 0

  private constructor(place: { namespace: string; environment: NodeJS.ProcessEnv }, child: ChildProcess) {
    this.#namespace = place.namespace
    this.#environment = place.environment
    this.#child = child
    this.#attach()
  }

  static async start(namespace: string, environment: NodeJS.ProcessEnv): Promise<Host> {
    return new Host({ namespace, environment }, await startHost(namespace, environment))
  }

  /** Calls `module`'s exported function `name`; words and result are copied as structured clones. */
  async call<Result>(module: URL, name: string, ...words: unknown[]): Promise<Result> {
    const id = ++this.#lastCall
    return new Promise<Result>((resolve, reject) => {
      this.#calls.set(id, { resolve: (result) => resolve(result as Result), reject })
      this.#child.send({ id, module: module.href, name, words })
    })
  }

  async restart(): Promise<void> {
    await this.close()
    this.#child = await startHost(this.#namespace, this.#environment)
    this.#attach()
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, "exit")
    this.#child.kill("SIGKILL")
    await ended
  }

  #attach(): void {
    const child = this.#child
    child.on("message", ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
      const call = this.#calls.get(id)
      this.#calls.delete(id)
      if (error === undefined) call?.resolve(result)
      else call?.reject(new Error(error))
    })
    child.once("exit", () => {
      for (const call of this.#calls.values()) call.reject(new Error("the host's process has ended"))
      this.#calls.clear()
    })
  }
}

async function startHost(namespace: string, environment: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("./host.js", import.meta.url))
  const child = spawn("ip", ["netns", "exec", namespace, process.execPath, script], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, ...environment },
    serialization: "advanced",
  })
  await once(child, "message")
  return child
}

class Router {
  readonly #child: ChildProcess
  readonly #answers: ((answer: RouterAnswer) => void)[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    createInterface(child.stdout!).on("line", (line) => this.#answers.shift()?.(JSON.parse(line) as RouterAnswer))
  }

  /** The client's namespace, then those of the servers. */
  static async start(namespaces: readonly string[]): Promise<Router> {
    const script = fileURLToPath(new URL("./router.js", import.meta.url))
    const child = spawn(process.execPath, [script, ...namespaces], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    const router = new Router(child)
    await router.#answer()
    return router
  }

  async obey(command: RouterCommand): Promise<void> {
    const answered = this.#answer()
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
    await answered
  }

  async close(): Promise<void> {
    const ended = once(this.#child, "exit")
    this.#child.stdin!.end()
    await ended
  }

  async #answer(): Promise<RouterAnswer> {
    return new Promise((resolve, reject) => {
      const failed = (code: number | null) => reject(new Error(`the router's process has ended (${code})`))
      this.#child.once("exit", failed)
      this.#answers.push((answer) => {
        this.#child.removeListener("exit", failed)
        resolve(answer)
      })
    })
  }
}
