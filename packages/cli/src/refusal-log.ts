import type { Refusal } from "@conclave/transport"

/** Of what is refused, one line for each kind in this time. */
const EVERY_MILLISECONDS = 10_000

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
}

const levels = { peer: "of one address", network: "of one network", all: "of all" } as const

/**
 * Tells what the listeners refuse, without addresses: one line for each kind in ten seconds, however many there are. A
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
    const name = `${refusal.kind} ${refusal.level}`
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

function inWords({ kind, level, limit }: Refusal, count: number): string {
  const whose = level === undefined ? "" : ` ${levels[level]}`
  const reached = limit === undefined ? "" : ` (limit ${limit})`
  return `refused ${count} ${things[kind]}${whose} in ${EVERY_MILLISECONDS / 1000} s${reached}`
}
