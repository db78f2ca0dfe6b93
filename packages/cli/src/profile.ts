import { existsSync } from "node:fs"
import { type Client, ClientError, type NodeClientOptions, openClient, sealingKeyFile } from "@conclave/client/node"
import { fastOpenSupport } from "@conclave/fast-open/sockets"
import { whyFailed, whyLocked } from "./causes/profile.js"
import { whyUnavailable } from "./causes/service.js"
import { dataFolder, openDataFolder, profileFile, profilePlace } from "./data-folder.js"
import { explain, Failure } from "./failure.js"
import { obstaclesInWords } from "./fast-open/obstacles.js"
import { type AcceptedInviters, acceptWaiting, invitationPolicy } from "./invitations.js"
import { withProgress } from "./terminal/progress.js"
import { type Terminal, tellNote } from "./terminal/terminal.js"
import { words } from "./words/words.js"

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
  /** Of the name, where the profile may be a new device of it. */
  readonly recovery?: string
}

/** Opens the profile of a name at a service; makes and registers it at the first time. Throws {@link Failure}. */
export async function openProfile(choice: ProfileChoice, options: OpenOptions): Promise<OpenProfile> {
  const { as, server, data } = choice
  const { terminal, live, signal, recovery } = options
  const file = profileFile(openDataFolder(data), { name: as, server })
  const isNew = !existsSync(file)
  const supplied = suppliedKey(terminal.environment)
  const accepted = choice["accept-invitations"]
  let opened: (client: Client) => void = () => {}
  const invitations = invitationPolicy(accepted ?? "known", new Promise((resolve) => (opened = resolve)))
  try {
    const client = await withProgress(terminal, words().profile.opening(as), () =>
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
        ...(recovery !== undefined && { recovery }),
      }),
    )
    opened(client)
    // Or a mistyped name would be taken without a word.
    if (isNew && recovery === undefined) tellNote(terminal, words().service.registered(as, server.origin))
    if (accepted !== undefined) await acceptWaiting(client, accepted)
    return { client, file, sealingKey: supplied ?? sealingKeyFile(`${file}.key`) }
  } catch (error) {
    throw await readable(error, choice)
  }
}

/** How the service is asked; what stands in the way is told once. */
function fastOpen(choice: ProfileChoice, terminal: Terminal): Partial<NodeClientOptions> {
  const serverKey = choice["server-key"]
  if (!choice["fast-open"] && serverKey === undefined) return {}
  const note = (text: string) => tellNote(terminal, text)
  const { client: isSupported, obstacles } = fastOpenSupport()
  if (!isSupported) note(words().service.notInFirstPacket(obstaclesInWords(obstacles, "client")))
  return {
    fastOpen: isSupported ? "private" : "sealed",
    ...(serverKey && { serverKey }),
    onFallback: (reason) => note(words().service.noSealedWay(explain(reason.cause ?? reason).reason)),
  }
}

/** Reads all that is there and sends all that waits. Throws {@link Failure} where no service answers. */
export async function synchronise(client: Client, choice: ProfileChoice, options: OpenOptions): Promise<void> {
  const { terminal, signal } = options
  try {
    await withProgress(terminal, words().profile.reading, () => client.sync(signal ? { signal } : {}))
  } catch (error) {
    throw await readable(error, choice)
  }
}

/** {@link synchronise}; resolves with the reason where the service does not answer, which the client outlives. */
export async function unanswered(
  client: Client,
  choice: ProfileChoice,
  { isQuiet = false, ...options }: OpenOptions & { readonly isQuiet?: boolean },
): Promise<string | undefined> {
  try {
    if (isQuiet) await client.sync()
    else await synchronise(client, choice, options)
    return undefined
  } catch (error) {
    const cause = error instanceof Failure ? error.cause : error
    if (!(cause instanceof ClientError)) throw error
    if (cause.code === "CLOSED") return undefined
    if (cause.code !== "UNAVAILABLE") throw await readable(error, choice)
    return whyUnavailable(cause, choice)
  }
}

/** What the client's errors mean to a person at a terminal; any other error stays as it is. */
export async function readable(error: unknown, choice: ProfileChoice): Promise<unknown> {
  const { as, server } = choice
  if (!(error instanceof ClientError)) return error
  const failure = (message: string) => new Failure(message, { cause: error })
  const kept = { as, file: profilePlace(dataFolder(choice.data), { name: as, server }) }
  switch (error.code) {
    case "UNAVAILABLE":
      return failure(await whyUnavailable(error, choice))
    case "NAME_TAKEN":
      return failure(words().service.nameTaken(as, server.origin))
    case "STORE_LOCKED":
      return failure(whyLocked(kept))
    case "STORE_FAILED":
      return failure(whyFailed(error, kept))
    case "WRONG_PROFILE":
      return failure(words().profile.otherKey(as, explain(error).reason))
    default:
      return failure(explain(error).reason)
  }
}

/** The 32 bytes of CONCLAVE_KEY, where it is set. Throws {@link Failure} for another form. */
export function suppliedKey(environment: NodeJS.ProcessEnv): Uint8Array | undefined {
  const text = environment.CONCLAVE_KEY
  if (text === undefined || text === "") return undefined
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Failure(words().causes.key)
  return Uint8Array.from(Buffer.from(text, "hex"))
}
