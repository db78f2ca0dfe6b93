import { execFileSync } from "node:child_process"
import { setTimeout as delay } from "node:timers/promises"
import type { NatsServer, PostgresServer } from "@conclave/testing/servers"
import type { Gateway } from "./gateway.js"
import type { Network } from "./network.js"

export interface Victims {
  readonly gateways: readonly Gateway[]
  readonly postgres: PostgresServer
  readonly nats: NatsServer | undefined
  readonly network: Network | undefined
}

/** What can be done to which of them, for how long at most, and undone. Nothing is done to one thing twice at a time. */
interface Fault {
  readonly kind: string
  readonly victim: string
  /** In milliseconds. */
  readonly longest: number
  inject(): Promise<void> | void
  heal(): Promise<void> | void
}

function faultsOf({ gateways, postgres, nats, network }: Victims): Fault[] {
  let frozen: number[] = []
  const thaw = () => {
    for (const id of frozen.splice(0)) signal(id, "SIGCONT")
  }
  // None of its processes stays behind, stopped.
  process.once("exit", thaw)
  const ofPostgres: Omit<Fault, "kind" | "inject" | "heal"> = { victim: "postgres", longest: 4_000 }
  return [
    ...gateways.flatMap((gateway): Fault[] => {
      const common = { victim: `gateway ${gateway.index}`, longest: 5_000 }
      return [
        { ...common, kind: "kill -9 of a gateway", inject: () => gateway.kill(), heal: () => gateway.start() },
        {
          ...common,
          ...{ kind: "SIGSTOP of a gateway", longest: 12_000 },
          inject: () => gateway.signal("SIGSTOP"),
          heal: () => gateway.signal("SIGCONT"),
        },
        ...(network === undefined
          ? []
          : [
              {
                ...common,
                ...{ kind: "gateway cut off from the database", longest: 20_000 },
                inject: () => network.cut(gateway.index),
                heal: () => network.join(gateway.index),
              },
            ]),
      ]
    }),
    { ...ofPostgres, kind: "kill -9 of PostgreSQL", inject: () => killAll(postgres), heal: () => restart(postgres) },
    {
      ...ofPostgres,
      kind: "SIGSTOP of PostgreSQL",
      inject() {
        frozen = [postgres.processId, ...childrenOf(postgres.processId)]
        for (const id of frozen) signal(id, "SIGSTOP")
      },
      heal: thaw,
    },
    {
      ...ofPostgres,
      kind: "pg_terminate_backend of all",
      inject: () =>
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"),
      heal() {},
    },
    ...(nats === undefined
      ? []
      : [
          {
            ...{ kind: "kill -9 of nats-server", victim: "nats", longest: 5_000 },
            inject: () => nats.stop("SIGKILL"),
            heal: () => nats.start(),
          },
          {
            ...{ kind: "SIGSTOP of nats-server", victim: "nats", longest: 5_000 },
            inject: () => signal(nats.processId, "SIGSTOP"),
            heal: () => signal(nats.processId, "SIGCONT"),
          },
        ]),
  ]
}

/** At most so many at a time. */
const AT_ONCE = 2

/** Injects faults until `signal`, chosen by `random`, and heals them all. Resolves with how many there were of each kind. */
export async function injectFaults(
  victims: Victims,
  { random, signal, tell }: { readonly random: () => number; readonly signal: AbortSignal; tell(text: string): void },
): Promise<Map<string, number>> {
  const all = faultsOf(victims)
  const counts = new Map(all.map(({ kind }) => [kind, 0]))
  const under = new Map<string, Promise<void>>()
  const pause = (milliseconds: number) => delay(milliseconds, undefined, { signal }).catch(() => {})
  while (!signal.aborted) {
    await pause(200 + random() * 1_800)
    // A kind first: there are three gateways and one database.
    const kinds = [...counts.keys()]
    const kind = kinds[Math.floor(random() * kinds.length)]
    const free = all.filter((it) => it.kind === kind && !under.has(it.victim))
    const [fault, length] = [free[Math.floor(random() * free.length)], random() ** 2]
    if (fault === undefined || under.size >= AT_ONCE || signal.aborted) continue
    counts.set(fault.kind, counts.get(fault.kind)! + 1)
    const lasting = (async () => {
      tell(`${fault.kind} (${fault.victim}), ${Math.round(length * fault.longest)} ms`)
      await fault.inject()
      await pause(length * fault.longest)
      await fault.heal()
      under.delete(fault.victim)
    })()
    under.set(fault.victim, lasting)
  }
  await Promise.all(under.values())
  return counts
}

function signal(id: number, name: NodeJS.Signals): void {
  try {
    process.kill(id, name)
  } catch {
    // It has ended since.
  }
}

function childrenOf(parent: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
  return lines.map((line) => line.trim().split(/\s+/).map(Number)).flatMap(([id, of]) => (of === parent ? [id!] : []))
}

/** The server and its sessions, as if the machine had stopped. */
async function killAll(postgres: PostgresServer): Promise<void> {
  const children = childrenOf(postgres.processId)
  const ended = postgres.stop("SIGKILL")
  for (const id of children) signal(id, "SIGKILL")
  await ended
}

async function restart(postgres: PostgresServer): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      return await postgres.start()
    } catch (error) {
      // What is left of the one before is still going.
      if (tried === 10) throw error
      await delay(500)
    }
  }
}
