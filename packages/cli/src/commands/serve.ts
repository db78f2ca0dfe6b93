import { nodeProvider } from "@conclave/crypto/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import type { FastOpenServer, TurnedAway } from "@conclave/server"
import { command, flag, optional, withDefault } from "../arguments.js"
import { keyFile, openDataFolder, serviceFile } from "../data-folder.js"
import { databaseName, databaseOption } from "../database.js"
import { exitCodes, explain, Failure, UsageError } from "../failure.js"
import { KeyFile } from "../fast-open/key-file.js"
import { obstaclesInWords } from "../fast-open/obstacles.js"
import { keysOption, SECRET_VARIABLE, secretOption, sharedSecret, sharing } from "../fast-open/sharing.js"
import {
  count,
  DEFAULT_HOST,
  DEFAULT_PORT,
  dataOption,
  days,
  hosts,
  place as metricsPlace,
  natsUrls,
  nonEmpty,
  origins,
  port,
  proxies,
  publicUrl,
  seconds,
  size,
} from "../options.js"
import { RefusalLog, turnedAwayInWords } from "../refusal-log.js"
import { builtPage, type FastOpenService, type RunningService, type ServiceOptions, startService } from "../service.js"
import { getSystemErrorMessage } from "../system-errors.js"
import { align } from "../terminal/table.js"
import type { Terminal } from "../terminal/terminal.js"

export const serve = command({
  summary: "run the service and the page, in one process on one file",
  description: [
    "The service orders and keeps messages that it cannot read. Ctrl-C or SIGTERM ends it after it has answered the " +
      "requests under way.",
    "It speaks HTTP. For other machines, put a proxy with TLS in front, say with --public-url what browsers open, and " +
      "name the proxy with --trust-proxy: docs/deploying.md has files for Caddy, nginx and HAProxy.",
    "For a supervisor, /healthz answers while it runs, and /readyz while its file can be read. With a database, SIGTERM " +
      "hands the clients over to other such processes first: /readyz says 503 at once, and WebSockets are closed one after the " +
      "other (--drain).",
    "With DATABASE_URL it keeps everything in PostgreSQL instead of a file, and any number of such processes serve the same " +
      "groups: docs/operating.md. They tell each other what is new through the database, or by NATS with NATS_URL; without " +
      "either, what others write is seen within seconds.",
    "With --fast-open it answers sealed requests too, at a port of their own, which no proxy may be in front of: half a round " +
      "trip to the service where both systems allow data in the first packet, and nothing that could be tracked. It " +
      "offers them over HTTP, at /fast-open. Over plain HTTP that first contact is not authenticated: a man in " +
      "the middle could offer another key. HTTPS prevents that, and so does the server key, which is shown at the " +
      "start and which clients may be given as --server-key.",
    "The keys for that are in fast-open.keys, for the owner alone. Those of the day are replaced daily and destroyed after " +
      "two days; the server key stays. A data folder is for one service at a time.",
    "Several such processes behind one address share these keys with --fast-open-keys shared: they are then in the database, " +
      "sealed under a secret that each process is given, by --fast-open-secret or as " +
      `${SECRET_VARIABLE} (64 hexadecimal digits, as openssl rand -hex 32 makes them). With keys of their own, a client ` +
      "that meets another process than before loses a round trip, and the server key is another at each.",
  ],
  options: {
    port: withDefault(DEFAULT_PORT, { placeholder: "PORT", help: "where to listen; 0: any that is free", read: port }),
    host: withDefault(DEFAULT_HOST, {
      placeholder: "HOST",
      help: "the address to listen at",
      read: nonEmpty("host"),
    }),
    data: dataOption,
    database: databaseOption,
    nats: optional({
      placeholder: "URL,…",
      help: "servers of NATS that carry the hints between such processes",
      read: natsUrls,
      variable: "NATS_URL",
    }),
    connections: withDefault(10_000, {
      placeholder: "N",
      help: "connections at a time: 1/8 for an address, 1/4 for a network",
      read: connections,
    }),
    "trust-proxy": optional({
      placeholder: "ADDRESS,…",
      help: "proxies in front (or networks of them) whose X-Forwarded-For is believed",
      read: proxies,
    }),
    "public-url": optional({
      placeholder: "URL",
      help: "what browsers open, as https://chat.example.org/ (a path may follow)",
      read: publicUrl,
    }),
    "allow-origin": optional({
      placeholder: "ORIGIN,…",
      help: "other origins whose pages may use it, as https://app.example.org",
      read: origins,
    }),
    "allow-host": optional({
      placeholder: "NAME,…",
      help: "names to answer to beside this machine's own and the public one",
      read: hosts,
    }),
    quota: optional({
      placeholder: "SIZE",
      help: "the most that it may take on the disk; then it is only read (file: 10G)",
      read: size,
    }),
    "no-blobs": flag("keep no blobs: attachments are refused"),
    retention: withDefault(30, {
      placeholder: "DAYS",
      help: "how long messages are kept; commits six times as long",
      read: days,
    }),
    metrics: optional({
      placeholder: "PORT",
      help: "metrics for Prometheus, at http://127.0.0.1:PORT/metrics (or HOST:PORT)",
      read: metricsPlace,
    }),
    drain: optional({
      placeholder: "SECONDS",
      help: "at the end, hand clients over for so long (database: 10; file: 0)",
      read: drainTime,
    }),
    "fast-open": flag("answer sealed requests too"),
    "fast-open-port": optional({
      placeholder: "PORT",
      help: "where to listen for them (default: the next port; 0: any that is free)",
      read: port,
    }),
    "fast-open-policy": withDefault<"private" | "off">("private", {
      placeholder: "POLICY",
      help: "private: data in the first packet, no cookie; off: none there",
      read: policy,
    }),
    "fast-open-keys": keysOption,
    "fast-open-secret": secretOption,
  },
  async run({ port, host, data, metrics, ...given }, { terminal }) {
    // Who wrote when and how much is in the file: nobody else on this machine is to read it.
    process.umask(0o077)
    if (given.nats !== undefined && given.database === undefined) {
      throw new UsageError("--nats is for several processes on one database: give --database, or DATABASE_URL, too")
    }
    const secret = sharedSecret(given, terminal.environment)
    const hasKeyFile = given["fast-open"] && secret === undefined
    // Who keeps everything in a database needs no folder, but for keys of its own.
    const folder = given.database === undefined || hasKeyFile ? openDataFolder(data) : undefined
    const place = placeOf(given, { folder, terminal })
    const page = builtPage()
    using keys = hasKeyFile ? openKeys(folder!) : undefined
    const listening = given["fast-open"] ? sealedListening({ port, ...given }, terminal) : undefined
    const fastOpen = listening && {
      ...listening,
      ...(secret === undefined ? { keys: keys!.ring } : { shared: sharing(secret, terminal) }),
    }
    using refusals = new RefusalLog((line) => terminal.tell(`${now()} ${line}`))
    warnOfFiles(given.connections, terminal)
    const {
      connections,
      quota = given.database === undefined ? QUOTA : undefined,
      retention: retentionDays,
      "trust-proxy": trustedProxies,
      "allow-host": allowed,
      "public-url": publicUrl,
      "allow-origin": allowedOrigins,
    } = given
    const keepsBlobs = !given["no-blobs"]
    const named = { publicUrl, allowedOrigins, ...(allowed && { hosts: allowed }) }
    const proxied = { ...(trustedProxies && { trustedProxies }), ...named }
    const onUntrustedProxy = () => terminal.tell(`${terminal.errorStyle.yellow("note:")} ${UNTRUSTED_PROXY}`)
    const onTurnedAway = (it: TurnedAway) => terminal.tell(`${now()} ${turnedAwayInWords(it)}`)
    const told = { onRefusal: refusals.add, onUntrustedProxy, onTurnedAway, onError: faultLog(terminal) }
    const shared = {
      connections,
      retentionDays,
      keepsBlobs,
      ...(quota !== undefined && { quota }),
      ...proxied,
      ...told,
    }
    await using service = await start({ place, host, port, page, fastOpen, metrics, ...shared })
    const serverKey = service.fastOpen?.publicKey ?? keys?.publicKey
    await announce(service, { terminal, place, host, publicUrl, page, serverKey, policy: fastOpen?.policy })
    const signal = await interruption()
    const drain = given.drain ?? (given.database === undefined ? 0 : DRAIN_MILLISECONDS)
    if (drain > 0) {
      terminal.tell(`${signal}: handing clients over to other processes, for ${drain / 1000} s at most`)
      await service.drain(drain)
    }
    terminal.tell(`${signal}: answering what is under way, then closing`)
    return exitCodes.done
  },
})

interface PlaceChoice {
  readonly database: string | undefined
  readonly nats: readonly string[] | undefined
}

function placeOf(
  { database: url, nats }: PlaceChoice,
  { folder, terminal }: { readonly folder: string | undefined; readonly terminal: Terminal },
): ServiceOptions["place"] {
  if (url === undefined) return { file: serviceFile(folder!) }
  const by = nats === undefined ? "the database" : "NATS"
  const onHintsLost = ({ message }: Error) =>
    terminal.tell(`${now()} no hints by ${by}: what other processes write is seen within seconds (${message})`)
  const onHintsRegained = () => terminal.tell(`${now()} hints by ${by} come again`)
  return { database: { url, nats, onHintsLost, onHintsRegained } }
}

const now = () => new Date().toISOString()

const UNTRUSTED_PROXY =
  "a proxy seems to stand in front: give --trust-proxy with its address, or all its clients are one requester"

/** Time for a proxy to notice and for clients to move, below what supervisors wait before they kill. */
const DRAIN_MILLISECONDS = 10_000

/** In milliseconds; 0: no time. */
function drainTime(text: string): number {
  return text === "0" ? 0 : seconds(text)
}

/** 10 GiB. */
const QUOTA = 10 * 1024 ** 3

/** Files that the process has open beside its connections: the database, the page, the system's own. */
const FILES_BESIDE = 256

/** Each connection takes a file descriptor, and the system has a limit for them. */
function warnOfFiles(connections: number, { tell, errorStyle }: Terminal): void {
  const limits = (process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }).userLimits
  const files = Number(limits?.open_files?.soft)
  if (!(files < connections + FILES_BESIDE)) return
  tell(
    `${errorStyle.yellow("note:")} the system allows ${files} open files, too few for ${connections} connections: ` +
      `raise the limit (ulimit -n ${connections + FILES_BESIDE}) or give fewer --connections`,
  )
}

/** One browser opens a handful of connections at a time: that many have to be in an address's share. */
const CONNECTIONS_BY_ADDRESS_MIN = 8
const CONNECTIONS_MIN = 8 * CONNECTIONS_BY_ADDRESS_MIN

function connections(text: string): number {
  const number = count(text)
  if (number >= CONNECTIONS_MIN) return number
  throw new UsageError(
    `must be at least ${CONNECTIONS_MIN}: an address gets an eighth of them, and a browser alone needs ${CONNECTIONS_BY_ADDRESS_MIN}`,
  )
}

function policy(text: string): "private" | "off" {
  if (text === "private" || text === "off") return text
  if (text === "cookie") {
    throw new UsageError(
      "must be private or off: sealed requests need no cookie, and by one every client could be tracked",
    )
  }
  throw new UsageError("must be private or off")
}

function openKeys(folder: string): KeyFile {
  const file = keyFile(folder)
  try {
    return new KeyFile(file, { provider: nodeProvider() })
  } catch (error) {
    if (error instanceof Failure || getSystemErrorMessage(error as Error) === undefined) throw error
    throw new Failure(`${file}: ${explain(error).reason}`, { cause: error })
  }
}

interface FastOpenChoice {
  readonly port: number
  readonly "fast-open-port": number | undefined
  readonly "fast-open-policy": "private" | "off"
}

/** What this machine cannot do is told once; the same requests then come over ordinary connections. */
function sealedListening(choice: FastOpenChoice, { tell, errorStyle }: Terminal): FastOpenService {
  const { server: isSupported, obstacles } = fastOpenSupport()
  const wanted = choice["fast-open-policy"]
  if (wanted === "private" && !isSupported) {
    tell(`${errorStyle.yellow("note:")} no data in the first packet: ${obstaclesInWords(obstacles, "server")}`)
  }
  const port = choice["fast-open-port"] ?? (choice.port === 0 ? 0 : choice.port + 1)
  return { port, policy: isSupported ? wanted : "off" }
}

async function start(options: ServiceOptions): Promise<RunningService> {
  const { host, port, place } = options
  try {
    return await startService(options)
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    const reason = explain(error).reason
    if (name === "StoreUnavailable") {
      const isTaken = reason.includes("is in use by")
      const remedy = isTaken ? "; if a service runs there, stop it, or name another folder with --data" : ""
      throw new Failure(`${nameOf(place)}: ${reason}${remedy}`, { cause: error })
    }
    if (name === "OtherSecretError") {
      const remedy = "give every process on it the same --fast-open-secret"
      throw new Failure(`${nameOf(place)}: its keys for sealed requests are sealed under another secret; ${remedy}`, {
        cause: error,
      })
    }
    if (code === "EADDRINUSE") {
      const isSealed = options.fastOpen !== undefined && (error as { port?: number }).port === options.fastOpen.port
      const { metrics } = options
      const isOfMetrics = metrics !== undefined && (error as { port?: number }).port === metrics.port
      const [taken, option] = isSealed
        ? [options.fastOpen.port, "--fast-open-port"]
        : isOfMetrics
          ? [metrics.port, "--metrics"]
          : [port, "--port"]
      throw new Failure(`port ${taken} of ${host} is in use; give another with ${option}, or ${option} 0 for any`, {
        cause: error,
      })
    }
    if (getSystemErrorMessage(error as Error) === undefined) throw error
    throw new Failure(`cannot listen at ${host} port ${port}: ${reason}`, { cause: error })
  }
}

/** Browsers take pages of these for safe without TLS. */
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "::1", "[::1]"]

interface Announcement {
  readonly terminal: Terminal
  readonly place: ServiceOptions["place"]
  readonly host: string
  readonly publicUrl: URL | undefined
  readonly page: string | undefined
  /** 32 bytes, with `fastOpen`. */
  readonly serverKey: Uint8Array | undefined
  readonly policy: FastOpenService["policy"] | undefined
}

async function announce({ url, fastOpen, metricsUrl }: RunningService, announcement: Announcement): Promise<void> {
  const { terminal, place, host, publicUrl, page, serverKey, policy } = announcement
  const { style } = terminal
  const isLocal = LOOPBACK_NAMES.includes(host)
  const { address: local, everywhere } = addressToOpen(url)
  const address = publicUrl ?? local
  const rows = [
    ["  page", page !== undefined ? "at this address, in a browser" : "not built: npm run build"],
    ["  services", `${address.pathname}delivery and ${address.pathname}auth, over HTTP and WebSocket`],
    ...(publicUrl === undefined ? [] : [["  listens", `at ${local.href}, for the proxy`]]),
    ...placeRows(place),
    ...(everywhere ? [["  network", `port ${url.port} of every address of this machine`]] : []),
    ...(metricsUrl === undefined ? [] : [["  metrics", metricsUrl.href]]),
    ...(fastOpen && serverKey ? fastOpenRows(fastOpen, { serverKey, policy }) : []),
    [
      "  terminal",
      `conclave chat --as NAME --server ${publicUrl === undefined ? address.origin : address.href}${fastOpen ? " --fast-open" : ""}`,
    ],
  ]
  await terminal.write(
    [`Conclave is at ${style.bold(style.cyan(address.href))}`, ...align(rows), style.dim("  Ctrl-C ends it."), ""].join(
      "\n",
    ),
  )
  const isPlain = publicUrl?.protocol === "http:" && !LOOPBACK_NAMES.includes(publicUrl.hostname)
  if (isPlain) {
    terminal.tell(
      `${terminal.errorStyle.yellow("note:")} the public URL is without TLS: browsers refuse cryptography to its page`,
    )
  }
  if (!isLocal && publicUrl === undefined) {
    terminal.tell(
      `${terminal.errorStyle.yellow("note:")} other machines can reach this port, over HTTP without TLS; messages ` +
        "stay encrypted, but names, sizes and times are in the clear, and browsers refuse cryptography to the page",
    )
  }
}

/** Without its user and password. */
function nameOf(place: ServiceOptions["place"]): string {
  if ("file" in place) return place.file
  return databaseName(place.database.url)
}

function placeRows(place: ServiceOptions["place"]): readonly (readonly string[])[] {
  if ("file" in place) return [["  file", place.file]]
  const { nats } = place.database
  return [
    ["  database", nameOf(place)],
    ["  hints", nats === undefined ? "by the database" : `by NATS, ${[nats].flat().join(", ")}`],
  ]
}

/** A service that listens at every address (`0.0.0.0`, `::`) is opened here at the loopback address. */
function addressToOpen(url: URL): { readonly address: URL; readonly everywhere: boolean } {
  const loopback = { "0.0.0.0": "127.0.0.1", "[::]": "[::1]" }[url.hostname]
  if (loopback === undefined) return { address: url, everywhere: false }
  const address = new URL(url)
  address.hostname = loopback
  return { address, everywhere: true }
}

function fastOpenRows(
  { port, publicKey }: FastOpenServer,
  { serverKey, policy }: Pick<Announcement, "policy"> & { readonly serverKey: Uint8Array },
) {
  const how = policy === "private" ? "in the first packet" : "over ordinary connections"
  const whose = publicKey === undefined ? "" : ", with keys that all on the database share"
  return [
    ["  fast open", `sealed requests ${how}, at port ${port}${whose}`],
    ["  server key", Buffer.from(serverKey).toString("hex")],
  ]
}

/** Tells of each fault once in ten seconds: a full disk meets every request. */
function faultLog(terminal: Terminal): (error: unknown) => void {
  const last = new Map<string, number>()
  return (error) => {
    const { reason } = explain(error)
    const now = performance.now()
    if (now - (last.get(reason) ?? Number.NEGATIVE_INFINITY) < 10_000) return
    if (last.size > 100) last.clear()
    last.set(reason, now)
    terminal.tell(`${new Date().toISOString()} ${reason}`)
    if (terminal.environment.CONCLAVE_DEBUG && error instanceof Error) terminal.tell(error.stack ?? "")
  }
}

/** A second signal, for those who cannot wait, has its usual effect. */
function interruption(): Promise<string> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve)
    process.once("SIGTERM", resolve)
  })
}
