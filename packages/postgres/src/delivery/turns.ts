import { StoreUnavailable } from "@conclave/delivery/store"

const WAITING_MAX = 10_000

/**
 * Work on the same device or group waits here for its turn, in the order in which it came, and not in the database: there
 * it would hold a connection each, and be served in any order.
 */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()
  #waiting = 0

  async take<T>(id: Uint8Array, work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) throw new StoreUnavailable("too much waits for the database")
    const name = Buffer.from(id).toString("hex")
    const before = this.#last.get(name)
    const mine = before === undefined ? work() : before.then(work)
    const ended = mine.catch(() => {})
    this.#last.set(name, ended)
    this.#waiting++
    try {
      return await mine
    } finally {
      this.#waiting--
      if (this.#last.get(name) === ended) this.#last.delete(name)
    }
  }
}
