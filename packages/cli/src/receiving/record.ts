import type { Client, ClientEvent } from "@conclave/client/node"
import { Sidecar } from "../sidecar.js"

/**
 * How far the events of each conversation have been dealt with. The client acknowledges all events up to a number; who
 * reads one conversation and leaves the others for later needs to remember more.
 */
export class ReceivingRecord {
  readonly #client: Client
  readonly #sidecar: Sidecar<Record<string, number>>
  readonly #last: Map<string, number>
  /** Every event so far has been dealt with. */
  #isUnbroken = true

  constructor(profile: string, client: Client) {
    this.#client = client
    this.#sidecar = new Sidecar(`${profile}.received`, readNumbers)
    this.#last = new Map(Object.entries(this.#sidecar.read() ?? {}))
  }

  has(event: ClientEvent): boolean {
    return event.number <= (this.#last.get(keyOf(event)) ?? 0)
  }

  /** Call it for each event in its order, once it has been dealt with. */
  async add(event: ClientEvent): Promise<void> {
    if (this.#isUnbroken) return this.#client.acknowledge(event.number)
    if (this.has(event)) return
    this.#last.set(keyOf(event), event.number)
    this.#sidecar.write(Object.fromEntries(this.#last))
  }

  /** Call it for an event that is left for later. */
  leave(): void {
    this.#isUnbroken = false
  }
}

const keyOf = ({ conversation }: ClientEvent) => conversation?.id ?? ""

function readNumbers(value: unknown): Record<string, number> | undefined {
  if (typeof value !== "object" || value === null) return undefined
  return Object.values(value).every((number) => typeof number === "number")
    ? (value as Record<string, number>)
    : undefined
}
