import type { IncomingMessage } from "node:http"
import { serializedOrigin } from "./origins.js"

/** Something that the operator's settings, or a proxy's, keep from the services: for the operator to be told. */
export interface TurnedAway {
  /**
   * - `origin`: a page of an origin that is not let in wanted a WebSocket, or to send a request
   * - `upgrade`: a WebSocket came without its `Upgrade` header, which a proxy does not pass on
   * - `host`: a request under a name that is not answered to
   */
  readonly reason: "origin" | "upgrade" | "host"
  /** Of the page: `https://chat.example.org`. `undefined` where no page says so. */
  readonly origin: string | undefined
  /** As it arrived, after what proxies made of it; at most 256 characters that can be shown. */
  readonly host: string | undefined
}

/** So many of each reason are told, and no more: their words come from whoever asks. */
const TOLD_MAX = 64
const HOST_LENGTH_MAX = 256

/** Tells of each reason, with each origin and host, once. */
export class TurnedAwayOnce {
  readonly #tell: (turnedAway: TurnedAway) => void
  readonly #told = { origin: new Set<string>(), upgrade: new Set<string>(), host: new Set<string>() }

  constructor(tell: (turnedAway: TurnedAway) => void) {
    this.#tell = tell
  }

  readonly add = (reason: TurnedAway["reason"], { headers }: Pick<IncomingMessage, "headers">): void => {
    const told = this.#told[reason]
    if (told.size >= TOLD_MAX) return
    const origin = headers.origin === undefined ? undefined : serializedOrigin(headers.origin)
    const host = headers.host?.replace(/[^\x21-\x7e]/g, "?").slice(0, HOST_LENGTH_MAX)
    const key = JSON.stringify([origin, host])
    if (told.has(key)) return
    told.add(key)
    this.#tell({ reason, origin, host })
  }
}
