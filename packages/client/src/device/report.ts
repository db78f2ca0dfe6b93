import { authRequests } from "@conclave/contracts/auth"
import { deliveryRequests } from "@conclave/contracts/delivery"
import type { ClientOptions, ClientPolicy } from "../client.js"
import { STATE_VERSION } from "../conversation/state.js"
import { faultOf } from "../diagnostics/faults.js"
import { powerOfTwo } from "../diagnostics/log.js"
import { runtime, SDK_VERSION } from "../diagnostics/versions.js"
import type { Stock } from "../identity/stock.js"
import { PROFILE_VERSION } from "../records/migrations.js"
import type { Waiting } from "../service/patience.js"
import type { SealedStore } from "../store/sealed.js"
import type { Timers } from "../timers.js"
import type { Means } from "./driver.js"
import type { ConversationHandle } from "./handle.js"
import type { Runner } from "./runner.js"
import type { Stream } from "./stream.js"

/** What a report is about. */
export interface Reported {
  readonly means: Omit<Means, "onFault">
  readonly policy: ClientPolicy
  /** Of the options, whether they were given; `provider` is its name. */
  readonly given: Pick<ClientOptions, "live" | "now" | "endorse" | "verifyLeaves" | "logger"> & {
    readonly provider: string
  }
  readonly conversations: readonly ConversationHandle[]
  readonly stock: Stock
  readonly runners: Readonly<Record<string, Runner>>
  readonly stream: Stream | undefined
  readonly waiting: Waiting | undefined
  /** `performance.now()` of the opening. */
  readonly begun: number
  readonly isClosing: boolean
}

const REPORT_SIZE_MAX = 64 * 1024
const CONVERSATIONS_SIZE_MAX = 24 * 1024
/** Shortened to this, where a conversation has more to say. */
const LINE_LENGTH_MAX = 1_000
const READING_MILLISECONDS_MAX = 5_000

/** See `Client.debugReport`. */
export async function debugReport(reported: Reported): Promise<string> {
  const { means, stock } = reported
  const lines = [
    "Conclave client report, version 1. It holds no names, titles, messages, keys or ids.",
    ...versions(reported),
    ...now(reported),
    ...conversations(reported),
    `key packages: ${await readable(means.timers, async () => pairs({ ...(await stock.census()) }))}`,
    `store: ${await readable(means.timers, () => storeSizes(means.store))}`,
  ]
  const log = means.log.tail(REPORT_SIZE_MAX - sizeOf(lines) - 100)
  return `${[...lines, `log: last ${log.length} lines, with seconds before now`, ...log].join("\n")}\n`
}

function versions({ given, means, policy }: Reported): readonly string[] {
  const { invitations, invitationLimits, ...others } = policy
  const flags = [...(["now", "endorse", "verifyLeaves", "logger"] as const).filter((name) => given[name] !== undefined)]
  return [
    `sdk ${SDK_VERSION}; ${runtime()}; provider ${providerName(given.provider)}; cipher suite ${means.cipherSuite}`,
    `MLS 1.0; delivery contract ${deliveryRequests.version}; auth contract ${authRequests.version}; ` +
      `profile ${PROFILE_VERSION}; state ${STATE_VERSION}`,
    `options: live=${given.live !== false} given=${flags.join(",") || "none"}`,
    `policy: ${pairs({
      invitations: typeof invitations === "function" ? "function" : invitations,
      ...invitationLimits,
      ...others,
    })}`,
  ]
}

const providers = ["node", "node+sodium-native", "node+native", "web", "portable"]

/** An application's own provider may be called anything. */
function providerName(name: string): string {
  return providers.includes(name) ? name : "other"
}

function now({ means, runners, stream, waiting, begun, isClosing }: Reported): readonly string[] {
  const { transactions, groupOptions } = means
  const at = means.now()
  const skew = Number(groupOptions.now()) - Math.floor(at / 1000)
  const online = stream === undefined ? "no stream" : stream.line.state.replace("connected", "online")
  const { profile } = transactions
  return [
    `${isClosing ? "closed" : "open"}; opened ${duration(means.log.elapsed() - begun)} ago; ${online}; ` +
      `clock corrected by ${skew} s` +
      `${waiting === undefined ? "" : `; a service is busy for ${duration(waiting.until.getTime() - at)}`}`,
    `registered=${profile.registered} inbox cursor=${profile.inboxCursor} next event=${profile.nextEvent}`,
    ...(stream?.parts ?? []).map(({ online, cursors, isIdle, broke }, part) => {
      const state = online ? "online" : isIdle ? "idle" : "offline"
      return `subscription ${part + 1}: ${state} conversations=${cursors}${broke === undefined ? "" : `; ${broke}`}`
    }),
    ...Object.entries(runners).map(([name, runner]) => `runner ${name}: ${runnerState(runner, at)}`),
  ]
}

// --- Conversations ---------------------------------------------------------------------------------------------------

function conversations({ means, conversations: all }: Reported): readonly string[] {
  const counts: Record<string, number> = {}
  for (const { status } of all) counts[status] = (counts[status] ?? 0) + 1
  // Those with trouble first: not all may have room.
  const shown = [...all].sort((a, b) => trouble(b) - trouble(a))
  const lines: string[] = []
  let size = 0
  for (const conversation of shown) {
    const line = drawn(conversation, means).slice(0, LINE_LENGTH_MAX)
    size += line.length + 1
    if (size > CONVERSATIONS_SIZE_MAX) break
    lines.push(line)
  }
  const left = all.length - lines.length
  return [
    `conversations: ${all.length} ${pairs(counts)}`,
    ...lines,
    ...(left === 0 ? [] : [`and ${left} more conversations`]),
  ]
}

function trouble({ status, driver: { state, runner } }: ConversationHandle): number {
  const isOrdinary = status === "active" || status === "left"
  return (
    (isOrdinary ? 0 : 4) +
    (state.recovery.type === "following" ? 0 : 4) +
    (state.obstacle.type === "none" ? 0 : 2) +
    (runner.state.failures > 0 ? 2 : 0) +
    (state.wishes.size > 0 ? 1 : 0)
  )
}

function drawn(
  { status, driver }: ConversationHandle,
  { log, now, invitations }: Pick<Means, "log" | "now" | "invitations">,
) {
  const { state, runner, log: history } = driver
  const { position, recovery, obstacle, facts } = state
  const at = now()
  const wishes: Record<string, number> = {}
  for (const [, { type }] of state.wishes) wishes[type] = (wishes[type] ?? 0) + 1
  const retry = obstacle.type === "none" ? "" : ` (again in ${duration(obstacle.pause.retryAt - at)})`
  const fields = {
    status,
    stored: facts.status,
    epoch: state.epoch,
    members: range(state.names.length),
    cursor: position.cursor,
    head: position.head ?? "unknown",
    brought: position.waiting,
    "last-commit": position.lastCommit ?? "unknown",
    recovery: recovery.type,
    intervals: state.intervals.size,
    knock: state.knock === undefined ? "none" : state.knocking.left ? "left" : "made",
    entering: state.entering !== undefined,
    knocks: state.visitors.size,
    obstacle: `${obstacle.type}${obstacle.type === "deferred" ? `-${obstacle.of}` : ""}${retry}`,
    asking: state.asking?.type ?? "nothing",
    staged: state.staged?.type ?? "nothing",
    commit: state.commit === undefined ? "none" : "under way",
    unapproved: state.unapproved.length,
    departures: facts.departures.length,
    group: state.isGroupMissing ? "stored" : state.group === undefined ? "none" : "in-memory",
    invitation: invitations.get(state.key)?.answer ?? "none",
    continues: state.continuation.before !== undefined,
    continued: state.continuation.after !== undefined,
  }
  const since = log.elapsed()
  const changes = history.transitions.map((it) => `${duration(since - it.at)} ago ${it.of} ${it.from}>${it.to}`)
  return (
    `${log.conversation(state.key)}: ${pairs(fields)} wishes={${pairs(wishes)}}; runner ${runnerState(runner, at)}` +
    `${changes.length === 0 ? "" : `; ${changes.join(", ")}`}`
  )
}

function runnerState({ state: { running, failures, nextAt } }: Runner, now: number): string {
  const next = nextAt === undefined ? "" : ` next in ${duration(nextAt - now)}`
  return `${running ? "running" : "idle"} failures=${failures}${next}`
}

// --- The store -------------------------------------------------------------------------------------------------------

const PAGE = 1_000
/** What is in a profile that is larger is not all counted. */
const PAGES_MAX = 100

const kinds = [
  ...["profile", "service", "event", "key-package", "key-packages-due", "key-packages-replaced"],
  ...["pin", "strange-devices", "invitation", "person", "state"],
]
const kindsWithin = [
  ...["group", "interval", "chain", "kept", "rejoin", "outline", "unapproved", "commit", "given-up", "knock"],
  ...["continuation", "wish", "message"],
]

/** Records of each kind, and the bytes of all of them. */
async function storeSizes(store: SealedStore): Promise<string> {
  const counts: Record<string, number> = {}
  let size = 0
  let before: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const records = await store.sizes(PAGE, before)
    for (const [key, recordSize] of records) {
      const kind = kindOf(key)
      counts[kind] = (counts[kind] ?? 0) + 1
      size += recordSize
    }
    before = records.at(-1)?.[0]
    if (records.length < PAGE) return `${pairs(counts)}; ${upTo(size)} in all`
  }
  return `${pairs(counts)}; more than ${upTo(size)}, and not all counted`
}

function kindOf(key: string): string {
  const [first = "", , within = ""] = key.split("/")
  if (kinds.includes(first)) return first
  return first === "conversation" && kindsWithin.includes(within) ? within : "other"
}

/** What is read from the store, or why it cannot be. */
async function readable(timers: Timers, read: () => Promise<string>): Promise<string> {
  let cancel = () => {}
  const late = new Promise<string>((resolve) => {
    cancel = timers.after(READING_MILLISECONDS_MAX, () => resolve("the store does not answer"))
  })
  try {
    return await Promise.race([read(), late])
  } catch (error) {
    return `cannot be read: ${faultOf(error)}`
  } finally {
    cancel()
  }
}

// --- Words -----------------------------------------------------------------------------------------------------------

function pairs(fields: Readonly<Record<string, string | number | bigint | boolean>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")
}

function sizeOf(lines: readonly string[]): number {
  return lines.reduce((size, line) => size + line.length + 1, 0)
}

/** How many there are, roughly: who counts the members knows the conversation. */
function range(count: number): string {
  const most = powerOfTwo(count)
  return most <= 2 ? String(most) : `${most / 2 + 1}-${most}`
}

function upTo(size: number): string {
  const bytes = powerOfTwo(size)
  if (bytes < 1024) return `up to ${bytes} B`
  return bytes < 1024 ** 2 ? `up to ${bytes / 1024} KiB` : `up to ${bytes / 1024 ** 2} MiB`
}

const units = [
  { name: "ms", milliseconds: 1 },
  { name: "s", milliseconds: 1_000 },
  { name: "min", milliseconds: 60_000 },
  { name: "h", milliseconds: 3_600_000 },
  { name: "d", milliseconds: 86_400_000 },
]

function duration(milliseconds: number): string {
  const unit = units.findLast((it) => Math.abs(milliseconds) >= it.milliseconds) ?? units[0]!
  return `${Math.round((10 * milliseconds) / unit.milliseconds) / 10} ${unit.name}`
}
