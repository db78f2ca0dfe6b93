import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import {
  accessSync,
  appendFileSync,
  chownSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"

/** A PostgreSQL server of a test's own, with its data in a temporary folder. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number
  readonly processId: number
  /** Of a database with this name; the first call for a name makes it. */
  url(database: string): Promise<string>
  /** A backup of a database with this name, by `pg_dump`: statements of SQL. */
  dump(database: string): Promise<string>
  /** Makes a database with this name out of such a backup, by `psql`; resolves with its URL. */
  restore(dump: string, database: string): Promise<string>
  /** Runs SQL as the server's superuser; rejects where the server does not take it. */
  execute(sql: string, database?: string): Promise<void>
  /** As a crash or an operator would (`kill -9`, `pg_ctl stop -m fast`); resolves when the process has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same data and port. */
  start(): Promise<void>
  /** A streaming replica of its own port, from now on; `pg_promote()` makes it a server that is written. */
  replica(): Promise<PostgresServer>
}

export interface PostgresOptions {
  /** Settings of `postgresql.conf`. Default: nothing waits for the disk. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A `nats-server` of a test's own. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string
  readonly processId: number
  /** Whether JetStream acknowledges only what is on the disk. */
  readonly isDurable: boolean
  stop(signal?: NodeJS.Signals): Promise<void>
  start(): Promise<void>
}

export interface NatsOptions {
  /**
   * With JetStream, in a temporary folder, every message on the disk before it is acknowledged where the server can do that
   * (since 2.10). Default: nothing on the disk.
   */
  readonly jetStream?: boolean
}

/** Why there is no PostgreSQL here, for `test.skip`; `undefined` where there is. */
export const noPostgres = missing("initdb", "PostgreSQL")
/** Why there is no `nats-server` here, for `test.skip`; `undefined` where there is. */
export const noNats = missing("nats-server", "nats-server")

function missing(program: string, name: string): string | undefined {
  if (find(program) !== undefined) return undefined
  if (process.env.CONCLAVE_SERVERS_REQUIRED === "1") throw new Error(`${name} is required here, and not installed`)
  return `${name} is not installed here`
}

/** Debian keeps the programs of PostgreSQL beside the path, by version, and those of services in `sbin`. */
function find(program: string): string | undefined {
  const folders = [...postgresFolders(), ...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
  for (const folder of folders) {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return join(folder, program)
    } catch {}
  }
  return undefined
}

function postgresFolders(): string[] {
  const root = "/usr/lib/postgresql"
  try {
    const newestFirst = readdirSync(root).sort((a, b) => Number(b) - Number(a))
    return newestFirst.map((version) => join(root, version, "bin"))
  } catch {
    return []
  }
}

const USER = "conclave"
const FAST = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }

export async function startPostgres({ settings = FAST }: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "conclave-postgres-"))
  const data = join(folder, "data")
  const owner = unprivileged()
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid!)
  initialize(data, owner)
  const port = await freePort()
  const written = { shared_buffers: "'32MB'", max_connections: "200", ...settings }
  configure(data, { ...written, listen_addresses: "'127.0.0.1'", unix_socket_directories: "''", port: `${port}` })
  return runPostgres(folder, port)
}

/**
 * Fills the folder `data`, which does not exist yet. `initdb` takes longer than a test: in a run of many tests the first
 * makes the folder that `CONCLAVE_POSTGRES_TEMPLATE` names, and all copy it.
 */
function initialize(data: string, owner: Owner): void {
  const template = process.env.CONCLAVE_POSTGRES_TEMPLATE
  if (template === undefined) {
    initdb(data, owner)
    return
  }
  const ready = join(template, "data")
  if (!existsSync(ready)) {
    if (owner.uid !== undefined) chownSync(template, owner.uid, owner.gid!)
    const made = `${ready}-${process.pid}`
    initdb(made, owner)
    try {
      renameSync(made, ready)
    } catch (error) {
      // Another process was faster.
      if (!existsSync(ready)) throw error
    }
  }
  execFileSync("cp", ["-R", ready, data], { ...owner, cwd: dirname(data) })
}

function initdb(data: string, owner: Owner): void {
  execFileSync(find("initdb")!, ["-D", data, "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"], {
    ...owner,
    stdio: ["ignore", "ignore", "inherit"],
    cwd: dirname(data),
  })
}

const configure = (data: string, settings: Readonly<Record<string, string>>) =>
  appendFileSync(
    join(data, "postgresql.auto.conf"),
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(""),
  )

/** On the data in the folder, which goes with it. */
async function runPostgres(folder: string, port: number): Promise<PostgresServer> {
  const owner = unprivileged()
  const data = join(folder, "data")
  const urlOf = (database: string) => `postgres://${USER}@127.0.0.1:${port}/${database}`
  const server = new Process(
    () => spawnServer([find("postgres")!, "-D", data], { owner, cwd: folder, end: "INT" }),
    () => answers(find("pg_isready")!, ["-q", "-h", "127.0.0.1", "-p", `${port}`]),
  )
  await server.start()
  const made = new Set<string>()
  const url = async (database: string) => {
    if (!made.has(database)) {
      made.add(database)
      await server.run(find("psql")!, ["-q", urlOf("postgres"), "-c", `CREATE DATABASE "${database}"`])
    }
    return urlOf(database)
  }
  return {
    port,
    get processId() {
      return server.processId
    },
    url,
    async dump(database) {
      return execFileSync(find("pg_dump")!, [urlOf(database)], { encoding: "utf8", maxBuffer: 1 << 28 })
    },
    async restore(dump, database) {
      const quietly = ["-q", "-v", "ON_ERROR_STOP=1", await url(database)]
      execFileSync(find("psql")!, quietly, { input: dump, stdio: ["pipe", "ignore", "inherit"] })
      return urlOf(database)
    },
    async execute(sql, database = "postgres") {
      const words = ["-q", "-v", "ON_ERROR_STOP=1", urlOf(database), "-c", sql]
      if (!(await answers(find("psql")!, words))) throw new Error("the server did not take the statement")
    },
    // SIGINT is PostgreSQL's fast shutdown; on SIGTERM it waits for its clients.
    stop: (signal = "SIGINT") => server.stop(signal),
    start: () => server.start(),
    async replica() {
      const copy = mkdtempSync(join(tmpdir(), "conclave-postgres-"))
      if (owner.uid !== undefined) chownSync(copy, owner.uid, owner.gid!)
      const words = ["-D", join(copy, "data"), "-d", urlOf(""), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
      execFileSync(find("pg_basebackup")!, words, { ...owner, stdio: ["ignore", "ignore", "inherit"], cwd: copy })
      const ownPort = await freePort()
      // The last line for a setting holds. Once it is written, it waits for no replica of its own.
      configure(join(copy, "data"), { port: `${ownPort}`, synchronous_standby_names: "''" })
      return runPostgres(copy, ownPort)
    },
    async [Symbol.asyncDispose]() {
      await server.stop("SIGINT")
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function startNats({ jetStream = false }: NatsOptions = {}): Promise<NatsServer> {
  const port = await freePort()
  const folder = jetStream ? mkdtempSync(join(tmpdir(), "conclave-nats-")) : undefined
  const parameters = ["-a", "127.0.0.1", "-p", `${port}`]
  let isDurable = false
  if (folder !== undefined) {
    const file = join(folder, "nats.conf")
    const write = (settings: string) =>
      writeFileSync(file, `jetstream { store_dir: ${JSON.stringify(folder)}${settings} }\n`)
    write(", sync_interval: always")
    isDurable = await answers(find("nats-server")!, ["-t", "-c", file])
    if (!isDurable) write("")
    parameters.push("-c", file)
  }
  const server = new Process(
    () => spawnServer([find("nats-server")!, ...parameters], { end: "KILL" }),
    () => isListening(port),
  )
  await server.start()
  return {
    url: `nats://127.0.0.1:${port}`,
    isDurable,
    get processId() {
      return server.processId
    },
    stop: (signal = "SIGTERM") => server.stop(signal),
    start: () => server.start(),
    async [Symbol.asyncDispose]() {
      await server.stop("SIGTERM")
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Owner {
  readonly uid?: number
  readonly gid?: number
}

interface Spawning {
  readonly owner?: Owner
  readonly cwd?: string
  /** What the system ends it with when this process is gone, however that came, where `setpriv` is (util-linux). */
  readonly end: "INT" | "KILL"
}

function spawnServer(command: readonly string[], { owner = {}, cwd, end }: Spawning): ChildProcess {
  const place = { stdio: "ignore", ...(cwd !== undefined && { cwd }) } as const
  const setpriv = process.platform === "linux" ? find("setpriv") : undefined
  if (setpriv === undefined) return spawn(command[0]!, command.slice(1), { ...place, ...owner })
  const { uid, gid } = owner
  const as = uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"]
  return spawn(setpriv, [...as, `--pdeathsig=${end}`, ...command], place)
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): Owner {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

/** One server process, which ends with the process that has started it. */
class Process {
  readonly #spawn: () => ChildProcess
  readonly #isReady: () => Promise<boolean>
  #child: ChildProcess | undefined
  readonly #kill = () => void this.#child?.kill("SIGKILL")

  constructor(spawn: () => ChildProcess, isReady: () => Promise<boolean>) {
    this.#spawn = spawn
    this.#isReady = isReady
  }

  get processId(): number {
    return this.#child!.pid!
  }

  async start(): Promise<void> {
    const child = this.#spawn()
    this.#child = child
    process.once("exit", this.#kill)
    const started = performance.now()
    while (!(await this.#isReady())) {
      if (child.exitCode !== null || performance.now() - started > START_MILLISECONDS) {
        throw new Error(`${child.spawnfile} did not start (exit code ${child.exitCode})`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    process.off("exit", this.#kill)
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await ended
  }

  async run(program: string, parameters: readonly string[]): Promise<void> {
    execFileSync(program, parameters, { stdio: ["ignore", "ignore", "inherit"] })
  }
}

const START_MILLISECONDS = 30_000

const answers = (program: string, parameters: readonly string[]) =>
  new Promise<boolean>((resolve) => {
    const env = { ...process.env, PGCONNECT_TIMEOUT: "5" }
    spawn(program, parameters, { stdio: "ignore", env }).once("exit", (code) => resolve(code === 0))
  })

async function isListening(port: number): Promise<boolean> {
  const { connect } = await import("node:net")
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    }).once("error", () => resolve(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })
}
