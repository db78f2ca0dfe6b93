import type { RefusalKind as AuthRefusalKind } from "@conclave/auth"
import type { RefusalKind as DeliveryRefusalKind } from "@conclave/delivery"
import type { Refusal as TransportRefusal } from "@conclave/transport"

/** Of what is refused, one line for each kind in this time. */
const EVERY_MILLISECONDS = 10_000

/** By a listener, or by a service. */
export type Refusal = TransportRefusal | { readonly kind: AuthRefusalKind | DeliveryRefusalKind }

interface Count {
  readonly refusal: Refusal
  count: number
}

const things: Readonly<Record<Refusal["kind"], string>> = {
  connections: "connections",
  sockets: "WebSockets",
  streams: "streams",
  received: "requests with too many bytes",
  unsent: "answers with too many bytes unread",
  slow: "connections that took too long over a request",
  unread: "connections that did not read their answers",
  idle: "WebSockets without a stream",
  control: "WebSockets with too many pings",
  arrivals: "connections that came too fast",
  flights: "sealed requests",
  host: "requests under a name that is not allowed (--allow-host)",
  origin: "WebSockets of pages of another origin",
  appends: "appends beyond a group's or a requester's rate",
  bytes: "requests from clients that stored too much lately",
  claims: "claims of key packages",
  commits: "commits that have to wait for their turn",
  creations: "new groups",
  cursors: "subscriptions with too many cursors",
  displayNames: "changes of display names",
  groupQuota: "appends to groups that are full",
  proposals: "proposals",
  registrations: "registrations",
  serviceQuota: "requests for which there is no room (--quota)",
  subscriptions: "subscriptions",
  version: "requests of another version",
  welcomes: "invitations of one device by one requester",
  wrongTime: "proofs with a wrong time",
}

const levels = { peer: "of one address", network: "of one network", all: "of all" } as const

/**
 * Tells what the listeners and the services refuse, without addresses: one line for each kind in ten seconds, however many there are. A
 * refusal is counted in constant time.
 */
export class RefusalLog implements Disposable {
  readonly #tell: (line: string) => void
  readonly #counts = new Map<string, Count>()
  #timer: NodeJS.Timeout | undefined

  constructor(tell: (line: string) => void) {
    this.#tell = tell
  }

  readonly add = (refusal: Refusal): void => {
    const name = `${refusal.kind} ${"level" in refusal ? refusal.level : ""}`
    const known = this.#counts.get(name)
    if (known === undefined) this.#counts.set(name, { refusal, count: 1 })
    else known.count++
    this.#timer ??= setTimeout(() => this.#flush(), EVERY_MILLISECONDS).unref()
  };

  /** Tells what has not been told yet. */
  [Symbol.dispose](): void {
    this.#flush()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const { refusal, count } of this.#counts.values()) this.#tell(inWords(refusal, count))
    this.#counts.clear()
  }
}

function inWords(refusal: Refusal, count: number): string {
  const { level, limit } = { level: undefined, limit: undefined, ...refusal }
  const whose = level === undefined ? "" : ` ${levels[level]}`
  const reached = limit === undefined ? "" : ` (limit ${limit})`
  return `refused ${count} ${things[refusal.kind]}${whose} in ${EVERY_MILLISECONDS / 1000} s${reached}`
}
