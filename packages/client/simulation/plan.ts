import type { StoreKind } from "./gateways/model.js"
import { type Dice, diceFor } from "./random.js"

/** What a person, or their program, does. */
export type WishKind =
  | "create"
  | "send"
  | "invite"
  | "remove"
  | "refresh"
  | "title"
  | "leave"
  | "accept"
  | "decline"
  | "approve"
  | "sync"
  | "look"
  | "restart"
  | "stranger"
  | "impostor"
  | "lockout"
  | "continue"

/** What goes wrong, for a while or once. */
export type FaultKind =
  | "loss"
  | "partition"
  | "delay"
  | "duplication"
  | "stream"
  | "crash"
  | "disk"
  | "clock"
  | "hints"
  | "outage"
  | GatewayFaultKind

/** What goes wrong with gateways, and with the database behind them. */
export type GatewayFaultKind = "gateway" | "drain" | "cut" | "slow" | "full" | "unknown" | "exhausted" | "failover"

/** One thing that happens in a run. Each can be left out without changing the others: a failing plan is made small so. */
export interface Item {
  /** Milliseconds from the beginning. */
  readonly at: number
  readonly kind: WishKind | FaultKind
  /** The device that it happens to. */
  readonly who: number
  /** Another device, as the one that is invited. */
  readonly whom: number
  /** How long it lasts, in milliseconds; for `crash`, after so many points; for `clock`, the correction. */
  readonly amount: number
  /** Seeds whatever else has to be chosen. */
  readonly seed: number
}

/** What serves the devices. */
export interface ServicePlan {
  readonly store: StoreKind
  readonly gateways: number
}

export interface Plan {
  readonly seed: number
  readonly devices: number
  /** Without: one gateway over a store in memory. */
  readonly service?: ServicePlan
  /** In the order of their times. */
  readonly items: readonly Item[]
}

export const DURATION = 8_000
/** With a failover: logs are longer than what it loses, most often. */
const DURATION_WITH_FAILOVER = 28_000
const FAILOVER_PERCENT = 8
export const DEVICES = { min: 3, max: 20 } as const
const FIRST_FAULT = 1_500
const BURST = 1_200
const RUSH_PERCENT = 15
const STUMBLE = 6_000
const STUMBLE_PERCENT = 8

const wishes: readonly (readonly [WishKind, number])[] = [
  ["send", 34],
  ["invite", 13],
  ["remove", 9],
  ["refresh", 8],
  ["title", 8],
  ["leave", 7],
  ["accept", 8],
  ["decline", 2],
  ["approve", 3],
  ["sync", 8],
  ["look", 6],
  ["restart", 3],
  ["stranger", 3],
  ["impostor", 2],
]

const faults: readonly (readonly [FaultKind, number])[] = [
  ["loss", 18],
  ["partition", 8],
  ["delay", 14],
  ["duplication", 12],
  ["stream", 14],
  ["crash", 22],
  ["disk", 10],
  ["clock", 10],
  ["hints", 6],
  ["outage", 14],
]

export interface PlanOptions {
  readonly seed: number
  /** Without: 3 to 20, as the seed decides, and more often few. */
  readonly devices?: number | undefined
  /** A failover in each plan, in three of four soon, so that it loses the first entries of a group. */
  readonly failovers?: boolean
}

export function planOf({ seed, devices: wanted, failovers = false }: PlanOptions): Plan {
  const dice = diceFor(seed, "plan")
  const fails = failovers || diceFor(seed, "failover").chance(FAILOVER_PERCENT)
  const isSoon = failovers && seed % 4 !== 0
  const duration = fails && !isSoon ? DURATION_WITH_FAILOVER : DURATION
  const devices = wanted ?? Math.min(...Array.from({ length: 20 }, () => dice.between(DEVICES.min, DEVICES.max)))
  const items: Item[] = []
  const add = (kind: Item["kind"], at: number, amount = 0, who = dice.below(devices)) => {
    items.push({ at, kind, who, whom: dice.below(devices), amount, seed: dice.below(2 ** 31) })
  }
  add("create", 1_000, 0, 0)
  if (dice.chance(25)) add("create", dice.between(3_000, duration))
  const count = fails ? dice.between(10, 24) : dice.between(3, 9)
  // Half of it comes in bursts: races are won and lost there.
  const bursts = Array.from({ length: dice.between(1, 3) }, () => dice.between(2_000, duration - BURST))
  const time = () => (dice.chance(50) ? dice.between(1_200, duration) : dice.pick(bursts) + dice.below(BURST))
  for (let n = 0; n < count; n++) add(weighted(dice.below(100_000), wishes), time())
  // Several commits that come to a gateway, or to several, while a transaction with something else waits.
  const rushAt = dice.chance(RUSH_PERCENT) ? dice.between(2_500, duration - BURST) : undefined
  if (rushAt !== undefined) {
    const length = dice.pick([30, 1_000])
    const commits = dice.between(5, 14)
    for (let n = 0; n < 2; n++) add("send", rushAt - dice.below(50))
    for (let n = 0; n < commits; n++) add("refresh", rushAt + dice.below(length), 0, n % devices)
  }
  const troubles = dice.chance(10) ? 0 : dice.between(1, 6)
  for (let n = 0; n < troubles; n++) {
    const kind = weighted(dice.below(100_000), faults)
    const amount =
      kind === "crash"
        ? dice.below(14)
        : kind === "clock"
          ? dice.pick([-1, -1, 1]) * 10 ** dice.between(4, 7) * dice.between(1, 9)
          : dice.between(500, 6_000)
    add(kind, Math.max(FIRST_FAULT, time() - dice.below(1_000)), amount)
  }
  // Drawn last: whatever else a seed means stays as it is.
  if (dice.chance(25)) {
    const at = dice.between(2_500, duration - 4_000)
    add("lockout", at)
    const persons = dice.between(0, 3)
    for (let n = 0; n < persons; n++) add("continue", at + dice.between(500, 5_000))
  }
  const service = serviceOf(diceFor(seed, "gateways"), add, { duration, rushAt, fails, isSoon })
  items.sort((a, b) => a.at - b.at)
  return { seed, devices, service, items }
}

interface Circumstances {
  readonly duration: number
  /** When several members commit at once. */
  readonly rushAt: number | undefined
  /** A replica takes over, once: in the groups that lose entries, less can be required. */
  readonly fails: boolean
  readonly isSoon: boolean
}

/** How many gateways there are over which store, and what goes wrong with them. */
function serviceOf(
  dice: Dice,
  add: (kind: GatewayFaultKind | "create" | "invite" | "send" | "stream", at: number, amount?: number) => void,
  { duration, rushAt, fails, isSoon }: Circumstances,
): ServicePlan {
  const store = fails ? "postgres" : weighted(dice.below(100_000), stores)
  const gateways = store === "sqlite" ? 1 : dice.between(1, 4)
  const kinds = gatewayFaults.filter(([, , of]) => of.includes(store))
  const troubles = dice.chance(15) ? 0 : dice.between(1, 4)
  for (let n = 0; n < troubles; n++) {
    const kind = weighted(
      dice.below(100_000),
      kinds.map(([it, weight]) => [it, weight] as const),
    )
    const at = dice.between(FIRST_FAULT, duration)
    add(kind, at, dice.between(500, 5_000))
    // What a commit brings besides its entry is lost most easily there.
    if (kind !== "full") continue
    add("create", at - dice.below(300))
    for (let more = 0; more < 2; more++) add("invite", at + dice.below(1_000))
  }
  if (rushAt !== undefined && store !== "memory" && dice.chance(60)) add("slow", rushAt - 100, 3_000)
  // Streams are made again one after the other, and some of them lag, while people go on talking.
  if (dice.chance(STUMBLE_PERCENT)) {
    const at = dice.between(2_500, duration - 3_000)
    add(dice.pick(["gateway", "drain"] as const), at)
    for (let n = 0; n < 2; n++) add("stream", at + dice.below(500), STUMBLE)
    for (let n = dice.between(4, 8); n > 0; n--) add("send", at + dice.below(STUMBLE))
  }
  if (fails) add("failover", dice.between(isSoon ? 2_500 : 10_000, duration), dice.below(10))
  return { store, gateways }
}

const stores: readonly (readonly [StoreKind, number])[] = [
  ["memory", 20],
  ["sqlite", 25],
  ["postgres", 55],
]

const all: readonly StoreKind[] = ["memory", "sqlite", "postgres"]
const gatewayFaults: readonly (readonly [GatewayFaultKind, number, readonly StoreKind[]])[] = [
  ["gateway", 16, all],
  ["drain", 12, all],
  ["cut", 10, ["postgres"]],
  ["slow", 10, ["sqlite", "postgres"]],
  ["full", 16, ["sqlite"]],
  ["unknown", 12, ["postgres"]],
  ["exhausted", 6, ["postgres"]],
]

function weighted<T>(draw: number, among: readonly (readonly [T, number])[]): T {
  const total = among.reduce((sum, [, weight]) => sum + weight, 0)
  let left = draw % total
  for (const [it, weight] of among) {
    if (left < weight) return it
    left -= weight
  }
  throw new RangeError("the weights do not add up")
}

const names =
  "alice bob carol dave erin frank grace heidi ivan judy karl laura mike nina oscar peggy quinn rupert sybil trent"
export const NAMES: readonly string[] = names.split(" ")

/** An item in words. */
export function inWords({ kind, who, whom, amount, at }: Item): string {
  const name = NAMES[who]!
  const other = NAMES[whom]!
  const seconds = `${(amount / 1000).toFixed(1)} s`
  const words: Readonly<Record<Item["kind"], string>> = {
    create: `${name} creates a conversation`,
    send: `${name} sends a message`,
    invite: `${name} invites ${other}`,
    remove: `${name} removes ${other}`,
    refresh: `${name} renews keys`,
    title: `${name} sets a title`,
    leave: `${name} leaves`,
    accept: `${name} accepts what they are invited to`,
    decline: `${name} declines what they are invited to`,
    approve: `${name} approves the keys that wait for it`,
    sync: `${name} synchronizes`,
    look: `${name} reads the events`,
    restart: `${name} closes the client and opens it again`,
    stranger: "a stranger who knows the group's id tries something",
    impostor: `somebody registers a device under the name of ${other}`,
    lockout: "a member registers a key that nobody else has",
    continue: `${name} goes on in a new group where that is needed`,
    loss: `${name}'s line loses requests and answers for ${seconds}`,
    partition: `${name} is cut off for ${seconds}`,
    delay: `${name}'s line delays and reorders for ${seconds}`,
    duplication: `${name}'s line duplicates requests for ${seconds}`,
    stream: `${name}'s stream breaks, lags or repeats for ${seconds}`,
    crash: `${name}'s device crashes after ${amount} more transactions and requests`,
    disk: `${name}'s disk fails at the next transaction`,
    clock: `${name}'s clock is set wrong by ${(amount / 1000).toFixed(0)} s`,
    outage: `one of the services is out of order for ${seconds}`,
    hints: `the service loses its wake-ups for ${seconds}`,
    gateway: "a gateway crashes",
    drain: "a gateway hands its clients over and ends",
    cut: `a gateway is cut off from the database for ${seconds}`,
    slow: `the database is slow for ${seconds}`,
    full: `the disk of the service is full for ${seconds}`,
    unknown: `transactions fail, and answers of commits are lost, for ${seconds}`,
    exhausted: `connections with the database are rare for ${seconds}`,
    failover: `a replica takes over, ${amount} changes behind`,
  }
  return `${(at / 1000).toFixed(1)} s: ${words[kind]}`
}
