/// <reference lib="esnext.disposable" preserve="true" />
import { createRequire } from "node:module"
import type { NatsConnection } from "@nats-io/transport-node"
import { busWake, type WakeOptions, type WatchedWake } from "./bus.js"
import type { Line, LineEvents } from "./session.js"

export interface NatsWakeOptions extends WakeOptions {
  /** `nats://host:port` of each, without credentials. */
  readonly servers: string | readonly string[]
  /** What the subject begins with: `<prefix>.wake`. Gateways of one service share it. Default `conclave`. */
  readonly subjectPrefix?: string
  /** More of what `connect` of `@nats-io/transport-node` takes: credentials (`user`, `pass`, `token`), `tls`. */
  readonly connection?: Readonly<Record<string, unknown>>
}

const PACKAGE = "@nats-io/transport-node"

/**
 * Hints between gateways by NATS: core publish and subscribe, nothing is kept there. Needs the package
 * `@nats-io/transport-node`.
 *
 * @throws {RangeError} when a server's address or the prefix cannot be used. A server that does not answer is no error.
 * @throws {Error} when the package is not installed.
 */
export function natsWake(options: NatsWakeOptions): WatchedWake {
  const { subjectPrefix = "conclave" } = options
  if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subjectPrefix)) throw new RangeError("the prefix is not a subject of NATS")
  const servers = [options.servers].flat() as string[]
  if (servers.length === 0) throw new RangeError("there is no server of NATS")
  // The client would leave them out in silence.
  if (servers.some((it) => it.includes("@"))) throw new RangeError("credentials do not belong into a server's address")
  checkInstalled()
  const connection = { ...options.connection, servers }
  return busWake("NATS", (events) => new NatsLine(connection, `${subjectPrefix}.wake`, events), options)
}

function checkInstalled(): void {
  try {
    createRequire(import.meta.url).resolve(PACKAGE)
  } catch {
    throw new Error(`hints by NATS need a package that is not installed: npm install ${PACKAGE}@~3.3.1`)
  }
}

class NatsLine implements Line {
  readonly ready: Promise<void>
  readonly #subject: string
  #connection: NatsConnection | undefined
  #isClosed = false

  constructor(options: Readonly<Record<string, unknown>>, subject: string, events: LineEvents) {
    this.#subject = subject
    this.ready = this.#listen(options, events)
  }

  async #listen(
    options: Readonly<Record<string, unknown>>,
    { onFrame, onLost, milliseconds }: LineEvents,
  ): Promise<void> {
    const { connect } = await import("@nats-io/transport-node")
    // One policy for connecting again, whatever the server.
    const ours = { name: "conclave wake", noEcho: false, reconnect: false, timeout: milliseconds }
    const connection = await connect({ ...options, ...ours })
    this.#connection = connection
    connection.closed().then((error) => onLost(error ?? new Error("the connection was closed")))
    connection.subscribe(this.#subject, {
      callback: (error, message) => (error === null ? onFrame(message.data) : onLost(error)),
    })
    if (this.#isClosed) await connection.close()
  }

  async send(frame: Uint8Array): Promise<void> {
    this.#connection?.publish(this.#subject, frame)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#connection?.close()
  }
}
