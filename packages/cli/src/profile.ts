import { type Client, ClientError, type NodeClientOptions, openClient, sealingKeyFile } from "@conclave/client/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { openDataFolder, profileFile } from "./data-folder.js"
import { explain, Failure } from "./failure.js"
import { obstaclesInWords } from "./fast-open/obstacles.js"
import { type AcceptedInviters, acceptWaiting, invitationPolicy } from "./invitations.js"
import { timeOf } from "./reader.js"
import { withProgress } from "./terminal/progress.js"
import type { Terminal } from "./terminal/terminal.js"

export interface ProfileChoice {
  readonly as: string
  readonly "display-name"?: string | undefined
  readonly server: URL
  readonly data: string | undefined
  /** Those that wait already, too, where it is given. Default: `known`. */
  readonly "accept-invitations"?: AcceptedInviters | undefined
  readonly "fast-open": boolean
  /** 32 bytes. */
  readonly "server-key": Uint8Array | undefined
}

export interface OpenProfile {
  readonly client: Client
  /** The profile's file; what a command keeps of its own is beside it. */
  readonly file: string
  /** 32 bytes. */
  readonly sealingKey: Uint8Array
}

export interface OpenOptions {
  readonly terminal: Terminal
  /** Follow the service's stream. */
  readonly live: boolean
  readonly signal?: AbortSignal
}

/** Opens the profile of a name at a service; makes and registers it at the first time. Throws {@link Failure}. */
export async function openProfile(choice: ProfileChoice, options: OpenOptions): Promise<OpenProfile> {
  const { as, server, data } = choice
  const { terminal, live, signal } = options
  const file = profileFile(openDataFolder(data), { name: as, server })
  const supplied = suppliedKey(terminal.environment)
  const accepted = choice["accept-invitations"]
  let opened: (client: Client) => void = () => {}
  const invitations = invitationPolicy(accepted ?? "known", new Promise((resolve) => (opened = resolve)))
  try {
    const client = await withProgress(terminal, `Opening the profile of ${as}`, () =>
      openClient({
        name: as,
        service: server,
        profile: file,
        live,
        policy: { invitations },
        ...(choice["display-name"] !== undefined && { displayName: choice["display-name"] }),
        ...fastOpen(choice, terminal),
        ...(supplied && { sealingKey: supplied }),
        ...(signal && { signal }),
      }),
    )
    opened(client)
    if (accepted !== undefined) await acceptWaiting(client, accepted)
    return { client, file, sealingKey: supplied ?? sealingKeyFile(`${file}.key`) }
  } catch (error) {
    throw readable(error, choice)
  }
}

/** How the service is asked; what stands in the way is told once. */
function fastOpen(choice: ProfileChoice, { tell, errorStyle }: Terminal): Partial<NodeClientOptions> {
  const serverKey = choice["server-key"]
  if (!choice["fast-open"] && serverKey === undefined) return {}
  const note = (text: string) => tell(`${errorStyle.yellow("note:")} ${text}`)
  const { client: isSupported, obstacles } = fastOpenSupport()
  if (!isSupported) note(`no data in the first packet: ${obstaclesInWords(obstacles, "client")}`)
  return {
    fastOpen: isSupported ? "private" : "sealed",
    ...(serverKey && { serverKey }),
    onFallback: (reason) =>
      note(
        `sealed requests do not get through, HTTP and WebSocket do their work: ${explain(reason.cause ?? reason).reason}`,
      ),
  }
}

/** Reads all that is there and sends all that waits. Throws {@link Failure} where no service answers. */
export async function synchronise(client: Client, choice: ProfileChoice, options: OpenOptions): Promise<void> {
  const { terminal, signal } = options
  try {
    await withProgress(terminal, "Reading what has arrived", () => client.sync(signal ? { signal } : {}))
  } catch (error) {
    throw readable(error, choice)
  }
}

/** What the client's errors mean to somebody at a terminal; any other error stays as it is. */
export function readable(error: unknown, choice: ProfileChoice): unknown {
  const { as, server } = choice
  if (!(error instanceof ClientError)) return error
  const failure = (message: string) => new Failure(message, { cause: error })
  switch (error.code) {
    case "UNAVAILABLE":
      return failure(whyUnavailable(error, choice))
    case "NAME_TAKEN":
      return failure(`the name ${as} is taken at ${server.origin}; choose another, or give its folder with --data`)
    case "STORE_LOCKED":
      return failure(`another conclave is running as ${as}; end it first`)
    case "WRONG_PROFILE":
      return failure(
        `the profile of ${as} cannot be opened: ${error.message}; is CONCLAVE_KEY or the key file another?`,
      )
    default:
      return failure(explain(error).reason)
  }
}

/** The codes of errors where nothing is, or nothing that takes a connection. */
const NOTHING_THERE = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]
const MISDIRECTED = 421

function whyUnavailable(error: ClientError, { server, "server-key": serverKey }: ProfileChoice): string {
  const at = server.origin
  if (error.retryAt !== undefined) return `the service at ${at} is busy until ${timeOf(error.retryAt)}; try again then`
  if (serverKey !== undefined) return `nobody who has the server key answers at ${at}`
  const causes = causesOf(error)
  if (causes.some(({ status }) => status === MISDIRECTED)) {
    return `the service at ${at} does not answer to the name ${server.hostname}: allow it there with --allow-host`
  }
  if (causes.some(({ code }) => NOTHING_THERE.includes(String(code)))) {
    return `no service answers at ${at}; conclave serve starts one`
  }
  // What the transport says, and what is behind that in the end.
  const reasons = [causes[1] ?? error, ...causes.slice(2).slice(-1)].map((it) => explain(it).reason)
  return `the service at ${at} cannot be used: ${[...new Set(reasons)].join(": ")}`
}

type Cause = Error & { readonly code?: unknown; readonly status?: unknown }

const CAUSES_MAX = 10

/** The error, its cause, the cause of that… */
function causesOf(error: Error): readonly Cause[] {
  const causes: Cause[] = []
  for (let it: unknown = error; it instanceof Error && causes.length < CAUSES_MAX; it = it.cause) {
    causes.push(it)
    // Several addresses of one name.
    if (it instanceof AggregateError) causes.push(...it.errors.filter((one) => one instanceof Error))
  }
  return causes
}

/** The 32 bytes of CONCLAVE_KEY, where it is set. Throws {@link Failure} for another form. */
export function suppliedKey(environment: NodeJS.ProcessEnv): Uint8Array | undefined {
  const text = environment.CONCLAVE_KEY
  if (text === undefined || text === "") return undefined
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Failure("CONCLAVE_KEY must be 64 hexadecimal digits (32 bytes)")
  return Uint8Array.from(Buffer.from(text, "hex"))
}
