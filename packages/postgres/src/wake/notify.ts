/// <reference lib="esnext.disposable" preserve="true" />
import pg from "pg"
import { busWake, type WakeOptions, type WatchedWake } from "./bus.js"
import { FRAME_SIZE_MAX } from "./frame.js"
import type { Line, LineEvents } from "./session.js"

export interface NotifyWakeOptions extends WakeOptions {
  /**
   * `postgres://user:password@host:port/database`. NOTIFY reaches one database, and LISTEN needs a session of its own: a
   * pooler in between must not share sessions.
   */
  readonly url: string
  /** The name that gateways of one service share, of 1 to 63 bytes. Default `conclave_wake`. */
  readonly channel?: string
}

/**
 * Hints between gateways by PostgreSQL's NOTIFY, over one connection of its own and never inside the transaction that they
 * are about: NOTIFY takes a lock of the whole server until its transaction is durable.
 *
 * @throws {RangeError} when the URL or the name of the channel cannot be used. A server that does not answer is no error.
 */
export function notifyWake(options: NotifyWakeOptions): WatchedWake {
  const { url, channel = "conclave_wake" } = options
  const size = Buffer.byteLength(channel)
  if (size < 1 || size > 63 || channel.includes("\0")) throw new RangeError("a channel has a name of 1 to 63 bytes")
  checkUrl(url)
  return busWake("PostgreSQL", (events) => new PostgresLine(url, channel, events), options)
}

/** The error of the parser would show the URL, with its password. */
function checkUrl(url: string): void {
  try {
    new pg.Client({ connectionString: url })
  } catch {
    throw new RangeError("the URL of PostgreSQL cannot be read: it is like postgres://user:password@host:port/database")
  }
}

class PostgresLine implements Line {
  readonly ready: Promise<void>
  readonly #client: pg.Client
  readonly #channel: string

  constructor(url: string, channel: string, { onFrame, onLost, milliseconds }: LineEvents) {
    this.#channel = channel
    this.#client = new pg.Client({
      connectionString: url,
      application_name: "conclave wake",
      connectionTimeoutMillis: milliseconds,
      keepAlive: true,
    })
    this.#client.on("error", onLost)
    this.#client.on("end", () => onLost(new Error("the connection was closed")))
    this.#client.on("notification", ({ payload = "" }) => {
      const frame = frameIn(payload)
      if (frame !== undefined) onFrame(frame)
    })
    this.ready = this.#listen(milliseconds)
  }

  async #listen(milliseconds: number): Promise<void> {
    await this.#client.connect()
    // A gateway that hangs and takes nothing more would keep its place in the server's queue, which then only grows.
    await this.#client.query(`SET tcp_user_timeout = ${Math.ceil(milliseconds)}`)
    await this.#client.query("SET synchronous_commit = off")
    await this.#client.query(`LISTEN ${this.#client.escapeIdentifier(this.#channel)}`)
  }

  async send(frame: Uint8Array): Promise<void> {
    const payload = Buffer.from(frame).toString("base64url")
    await this.#client.query({ name: "wake", text: "SELECT pg_notify($1, $2)", values: [this.#channel, payload] })
  }

  async close(): Promise<void> {
    const { stream } = this.#client.connection
    const timer = setTimeout(() => stream.destroy(), CLOSING_MILLISECONDS)
    try {
      await this.#client.end()
    } finally {
      clearTimeout(timer)
      stream.destroy()
    }
  }
}

/** A server that does not answer does not take leave either. */
const CLOSING_MILLISECONDS = 250

const PAYLOAD_SIZE_MAX = Math.ceil((FRAME_SIZE_MAX * 4) / 3)

/** Strictly base64url: what decodes to a frame encodes to the same text. */
function frameIn(payload: string): Uint8Array | undefined {
  if (payload.length > PAYLOAD_SIZE_MAX) return undefined
  const frame = Buffer.from(payload, "base64url")
  return frame.toString("base64url") === payload ? frame : undefined
}
