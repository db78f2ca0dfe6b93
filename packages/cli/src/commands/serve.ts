import { nodeProvider } from "@conclave/crypto/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import type { FastOpenServer, TurnedAway } from "@conclave/server"
import { command, flag, optional, withDefault } from "../arguments.js"
import { keyFile, openDataFolder, serviceFile } from "../data-folder.js"
import { databaseName, databaseOption } from "../database.js"
import { exitCodes, explain, Failure, UsageError } from "../failure.js"
import { KeyFile } from "../fast-open/key-file.js"
import { obstaclesInWords } from "../fast-open/obstacles.js"
import { keysOption, secretOption, sharedSecret, sharing } from "../fast-open/sharing.js"
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
import { type Terminal, tellNote } from "../terminal/terminal.js"
import { english, words } from "../words/words.js"

export const serve = command({
  options: {
    port: withDefault(DEFAULT_PORT, { placeholder: "PORT", read: port }),
    host: withDefault(DEFAULT_HOST, {
      placeholder: "HOST",
      read: nonEmpty("host"),
    }),
    data: dataOption,
    database: databaseOption,
    nats: optional({
      placeholder: "URL,…",
      read: natsUrls,
      variable: "NATS_URL",
    }),
    connections: withDefault(10_000, {
      placeholder: "N",
      read: connections,
    }),
    "trust-proxy": optional({
      placeholder: "ADDRESS,…",
      read: proxies,
    }),
    "public-url": optional({
      placeholder: "URL",
      read: publicUrl,
    }),
    "allow-origin": optional({
      placeholder: "ORIGIN,…",
      read: origins,
    }),
    "allow-host": optional({
      placeholder: "NAME,…",
      read: hosts,
    }),
    quota: optional({
      placeholder: "SIZE",
      read: size,
    }),
    "no-blobs": flag(),
    retention: withDefault(30, {
      placeholder: "DAYS",
      read: days,
    }),
    metrics: optional({
      placeholder: "PORT",
      read: metricsPlace,
    }),
    drain: optional({
      placeholder: "SECONDS",
      read: drainTime,
    }),
    "fast-open": flag(),
    "fast-open-port": optional({
      placeholder: "PORT",
      read: port,
    }),
    "fast-open-policy": withDefault<"private" | "off">("private", {
      placeholder: "POLICY",
      read: policy,
    }),
    "fast-open-keys": keysOption,
    "fast-open-secret": secretOption,
  },
  async run({ port, host, data, metrics, ...given }, { terminal }) {
    // Who wrote when and how much is in the file: nobody else on this machine is to read it.
    process.umask(0o077)
    if (given.nats !== undefined && given.database === undefined) {
      throw new UsageError(words().serve.natsWithoutDatabase)
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
    const onUntrustedProxy = () => terminal.tell(`${terminal.errorStyle.yellow(NOTE)} ${UNTRUSTED_PROXY}`)
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
    // Heard before the first line is told: a script that waits for it may send the signal at once.
    const interrupted = interruption()
    const serverKey = service.fastOpen?.publicKey ?? keys?.publicKey
    await announce(service, { terminal, place, host, publicUrl, page, serverKey, policy: fastOpen?.policy })
    const signal = await interrupted
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

/** In English, as all that is told while it runs. */
const NOTE = "note:"
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
function warnOfFiles(connections: number, terminal: Terminal): void {
  const limits = (process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }).userLimits
  const files = Number(limits?.open_files?.soft)
  if (!(files < connections + FILES_BESIDE)) return
  tellNote(terminal, words().serve.fewFiles(files, connections, connections + FILES_BESIDE))
}

/** One browser opens a handful of connections at a time: that many have to be in an address's share. */
const CONNECTIONS_BY_ADDRESS_MIN = 8
const CONNECTIONS_MIN = 8 * CONNECTIONS_BY_ADDRESS_MIN

function connections(text: string): number {
  const number = count(text)
  if (number >= CONNECTIONS_MIN) return number
  throw new UsageError(words().values.connections(CONNECTIONS_MIN, CONNECTIONS_BY_ADDRESS_MIN))
}

function policy(text: string): "private" | "off" {
  if (text === "private" || text === "off") return text
  const { policy, policyWithoutCookie } = words().values
  throw new UsageError(text === "cookie" ? policyWithoutCookie : policy)
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
function sealedListening(choice: FastOpenChoice, terminal: Terminal): FastOpenService {
  const { server: isSupported, obstacles } = fastOpenSupport()
  const wanted = choice["fast-open-policy"]
  if (wanted === "private" && !isSupported) {
    tellNote(terminal, words().service.notInFirstPacket(obstaclesInWords(obstacles, "server")))
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
      const isTaken = explain(error, english).reason.includes("is in use by")
      throw new Failure(words().serve.unusable(nameOf(place), reason, isTaken), { cause: error })
    }
    if (name === "OtherSecretError") {
      throw new Failure(words().serve.otherSecret(nameOf(place)), { cause: error })
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
      throw new Failure(words().serve.portInUse(taken, host, option), { cause: error })
    }
    if (getSystemErrorMessage(error as Error) === undefined) throw error
    throw new Failure(words().serve.cannotListen(host, port, reason), { cause: error })
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
  const said = words().serve
  const isLocal = LOOPBACK_NAMES.includes(host)
  const { address: local, everywhere } = addressToOpen(url)
  const address = publicUrl ?? local
  const rows = [
    page !== undefined ? said.page : said.noPage,
    said.services(address.pathname),
    ...(publicUrl === undefined ? [] : [said.listens(local.href)]),
    ...placeRows(place),
    ...(everywhere ? [said.network(url.port)] : []),
    ...(metricsUrl === undefined ? [] : [said.metrics(metricsUrl.href)]),
    ...(fastOpen && serverKey ? fastOpenRows(fastOpen, { serverKey, policy }) : []),
    said.terminal(
      `conclave chat --as NAME --server ${publicUrl === undefined ? address.origin : address.href}${fastOpen ? " --fast-open" : ""}`,
    ),
  ]
  await terminal.write(
    [said.at(style.bold(style.cyan(address.href))), ...align(rows), style.dim(said.ends), ""].join("\n"),
  )
  const isPlain = publicUrl?.protocol === "http:" && !LOOPBACK_NAMES.includes(publicUrl.hostname)
  if (isPlain) tellNote(terminal, said.withoutTls)
  if (!isLocal && publicUrl === undefined) tellNote(terminal, said.reachable)
}

/** Without its user and password. */
function nameOf(place: ServiceOptions["place"]): string {
  if ("file" in place) return place.file
  return databaseName(place.database.url)
}

function placeRows(place: ServiceOptions["place"]): readonly (readonly string[])[] {
  if ("file" in place) return [words().serve.file(place.file)]
  const { nats } = place.database
  const { database, hints } = words().serve
  return [database(nameOf(place)), hints(nats && [nats].flat().join(", "))]
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
  const said = words().serve
  return [
    said.fastOpen(policy === "private", port, publicKey !== undefined),
    said.serverKey(Buffer.from(serverKey).toString("hex")),
  ]
}

/** Lines of the log, which are in English everywhere: operators search for them. Tells of each fault once in ten seconds: a full disk meets every request. */
function faultLog(terminal: Terminal): (error: unknown) => void {
  const last = new Map<string, number>()
  return (error) => {
    const { reason } = explain(error, english)
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
