import type { TestContext } from "node:test"
import type { Wake } from "@conclave/delivery"
import {
  type NatsServer,
  noNats,
  noPostgres,
  type PostgresServer,
  startNats,
  startPostgres,
} from "@conclave/testing/servers"
import { connect } from "@nats-io/transport-node"
import pg from "pg"
import { natsWake, notifyWake, type WakeOptions } from "../src/index.js"

/** By name: why it is not here, a server, and what a test does with it. */
export const buses = {
  PostgreSQL: {
    reason: noPostgres,
    async start() {
      const server = await startPostgres()
      return { server, busOf: (test: TestContext): Promise<Bus> => postgresBus(server, test) }
    },
  },
  NATS: {
    reason: noNats,
    async start() {
      const server = await startNats()
      return { server, busOf: async (test: TestContext): Promise<Bus> => natsBus(server, test) }
    },
  },
}
export type BusName = keyof typeof buses

/** A real server, and whatever else is connected to it. */
export interface Bus {
  readonly url: string
  stop(signal?: NodeJS.Signals): Promise<void>
  start(): Promise<void>
  /** Stops all processes of the server from running, without their knowing. */
  freeze(): Promise<void>
  thaw(): void
  wake(options?: WakeOptions): Wake & AsyncDisposable
  /** As any other client that the server lets in. */
  publish(frames: readonly Uint8Array[]): Promise<void>
  /** All frames from now on, as another client hears them. */
  listen(): Promise<Uint8Array[]>
}

export interface PostgresBus extends Bus {
  connect(): Promise<pg.Client>
}

export const openWake = (name: BusName, url: string, options: WakeOptions = {}) =>
  name === "NATS" ? natsWake({ servers: url, ...options }) : notifyWake({ url, ...options })

export async function postgresBus(server: PostgresServer, test: TestContext): Promise<PostgresBus> {
  let frozen: number[] = []
  const thaw = () => {
    for (const id of frozen.splice(0)) process.kill(id, "SIGCONT")
  }
  const url = await server.url("wake")
  const connectClient = async () => {
    const client = new pg.Client({ connectionString: url })
    client.on("error", () => {})
    await client.connect()
    return client
  }
  const closing = closings(test, thaw)
  const client = async () => {
    const made = await connectClient()
    closing.push(() => made.end())
    return made
  }
  return {
    ...controls(server),
    url,
    thaw,
    connect: client,
    async freeze() {
      const asking = await connectClient()
      const { rows } = await asking.query("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
      await asking.end()
      frozen = [server.processId, ...rows.map((row: { readonly pid: number }) => row.pid)]
      for (const id of frozen) process.kill(id, "SIGSTOP")
    },
    wake: (options = {}) => opened(closing, notifyWake({ url, ...options })),
    async publish(frames) {
      const publishing = await client()
      for (const frame of frames) {
        await publishing.query("SELECT pg_notify('conclave_wake', $1)", [Buffer.from(frame).toString("base64url")])
      }
    },
    async listen() {
      const heard: Uint8Array[] = []
      const listening = await client()
      listening.on("notification", ({ payload }) => heard.push(Buffer.from(payload!, "base64url")))
      await listening.query("LISTEN conclave_wake")
      return heard
    },
  }
}

function natsBus(server: NatsServer, test: TestContext): Bus {
  let isFrozen = false
  const thaw = () => {
    if (isFrozen) process.kill(server.processId, "SIGCONT")
    isFrozen = false
  }
  const closing = closings(test, thaw)
  const { url } = server
  const client = async () => {
    const made = await connect({ servers: url })
    closing.push(() => made.close())
    return made
  }
  return {
    ...controls(server),
    url,
    thaw,
    async freeze() {
      isFrozen = true
      process.kill(server.processId, "SIGSTOP")
    },
    wake: (options = {}) => opened(closing, natsWake({ servers: url, ...options })),
    async publish(frames) {
      const publishing = await client()
      for (const frame of frames) publishing.publish("conclave.wake", frame)
      await publishing.flush()
    },
    async listen() {
      const heard: Uint8Array[] = []
      const listening = await client()
      listening.subscribe("conclave.wake", { callback: (_, { data }) => void heard.push(data) })
      await listening.flush()
      return heard
    },
  }
}

const controls = (server: PostgresServer | NatsServer): Pick<Bus, "stop" | "start"> => ({
  stop: (signal) => server.stop(signal),
  start: () => server.start(),
})

/** What is to be closed after the test, the newest first. */
function closings(test: TestContext, thaw: () => void): (() => Promise<void>)[] {
  const closing: (() => Promise<void>)[] = []
  test.after(async () => {
    thaw()
    for (const close of closing.reverse()) await close()
  })
  return closing
}

function opened<T extends AsyncDisposable>(closing: (() => Promise<void>)[], wake: T): T {
  closing.push(async () => wake[Symbol.asyncDispose]())
  return wake
}
