import type { IncomingMessage } from "node:http"
import type { Handler, Refusal, Shares } from "@conclave/transport"
import type { Health } from "./health.js"
import type { Hosts } from "./hosts.js"
import type { OriginOptions, Origins } from "./origins.js"
import type { TrustedProxies } from "./peer.js"
import type { StaticFiles } from "./static-files.js"
import type { TurnedAway } from "./turned-away.js"

/** How requests are answered, whichever HTTP server they come through. */
export interface ServingOptions extends OriginOptions {
  /** By name: `delivery` is asked by POST to `/delivery` and by streams over `/socket` that name it. */
  readonly services: Readonly<Record<string, Handler>>
  /**
   * Media types of requests that are taken beside `application/octet-stream`. None that a page of another origin may
   * send without asking first.
   */
  readonly mediaTypes?: readonly string[]
  /**
   * What a client needs to reach the services by sealed requests, at `/fast-open`; see `SealedServer.offer`. It gets the
   * address of whoever asks, and none where others stand in between.
   */
  readonly offer?: (clientAddress: string | undefined) => Uint8Array
  /** A folder whose files are served at every other path. */
  readonly static?: string
  readonly limits?: Partial<ListenLimits>
  /**
   * Proxies whose `X-Forwarded-For` is believed: addresses (`192.0.2.1`) and networks (`2001:db8::/32`). Without any, a
   * request comes from the address of its connection.
   */
  readonly trustedProxies?: readonly string[]
  /** Is told once that requests come through a proxy that is not among these: all its clients are one requester. */
  readonly onUntrustedProxy?: () => void
  /** Is told of what settings turn away: once for each reason, origin and host; of each reason 64 at once, and one a minute. */
  readonly onTurnedAway?: (turnedAway: TurnedAway) => void
  /** What a requester, and all, may hold. Give one object to listeners that are to share. Default: its own. */
  readonly shares?: Shares
  /** Is told of each refusal where `shares` is not given; see there. */
  readonly onRefusal?: (refusal: Refusal) => void
  /** Is told of errors that are nobody's answer: a service that threw, a file that could not be read. */
  readonly onError?: (error: unknown) => void
  /** Whether the services can do their work now: the answer at `/readyz`. A rejection means no. Default: they can. */
  readonly ready?: () => Promise<boolean>
}

/** Where a server of its own listens, and under which names. */
export interface Place {
  /** Default `localhost`, which no other machine reaches. */
  readonly host?: string
  /** Default 0: any that is free. */
  readonly port?: number
  /**
   * Names that the listener is served under, beside `host` and those of this machine; or `any`. Requests under others
   * get 421. Default: no others where only this machine reaches `host`, any elsewhere.
   */
  readonly hosts?: readonly string[] | "any"
  /** Closes the listener when it is aborted. */
  readonly signal?: AbortSignal
}

export interface ListenOptions extends ServingOptions, Place {}

export interface ListenLimits {
  /** The longest request body, in bytes; default 4 MiB. A commit of a big group carries its tree. */
  readonly requestSizeMax: number
  /** Connections of all, where `shares` is not given; default 10,000. One network gets a quarter, one address an eighth. */
  readonly connectionsMax: number
  /** Default 64. */
  readonly streamsPerSocketMax: number
  /** For the head of a request; default 10,000. Its body has three times as long. */
  readonly headTimeoutMilliseconds: number
  /** How long the answer to one request may take; default 30,000. */
  readonly answerTimeoutMilliseconds: number
  /** Between two pings on a socket; one that does not answer the first by the second is cut; default 30,000. */
  readonly pingMilliseconds: number
  /** How long a message on a socket may take to arrive; default 30,000. */
  readonly messageTimeoutMilliseconds: number
  /** A socket on which no stream is opened is cut after so long; default 30,000. */
  readonly firstStreamTimeoutMilliseconds: number
  /** And one on which there was one, when it has carried none for so long; default 120,000. */
  readonly idleTimeoutMilliseconds: number
  /** Bytes that may wait on a socket before its streams wait too; default 1 MiB. */
  readonly unsentPerSocketMax: number
  /** How long a client may take nothing of an answer; and 1 s more for each 16 KiB of it. Default 30,000. */
  readonly unreadTimeoutMilliseconds: number
  /** Refused streams of one socket, and pings, each of which counts as five; default 100. */
  readonly controlFramesPerSecondMax: number
  /** How long requests that are under way at the end may go on; default 5,000. */
  readonly closeTimeoutMilliseconds: number
}

/** What all endpoints of a process have in common. */
export interface Common {
  readonly services: Readonly<Record<string, Handler>>
  /** Of requests that are taken, in lower case. */
  readonly mediaTypes: ReadonlySet<string>
  readonly offer: ServingOptions["offer"]
  readonly files: StaticFiles | undefined
  readonly limits: ListenLimits
  readonly onError: (error: unknown) => void
  readonly proxies: TrustedProxies
  readonly origins: Origins
  readonly shares: Shares
  /** A proxy that nobody named has passed on a request. */
  readonly hint: () => void
  /** The operator's settings, or a proxy's, keep a request from being answered. */
  readonly turnedAway: (reason: TurnedAway["reason"], request: Pick<IncomingMessage, "headers">) => void
  readonly health: Health
}

/** What the parts of an endpoint know in common. */
export interface Serving extends Common {
  readonly hosts: Hosts
  /** Aborted when the endpoint begins to hand its clients over to others. */
  readonly draining: AbortSignal
  /** Aborted when the endpoint begins to close. */
  readonly closing: AbortSignal
}
