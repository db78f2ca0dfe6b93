import { setTimeout as delay } from "node:timers/promises"
import { Folder, Service } from "../support.js"
import type { Network } from "./network.js"

export interface GatewayPlace {
  readonly url: string
  readonly nats: string | undefined
  readonly network: Network | undefined
}

/** A process `conclave serve` that a supervisor starts again whenever it has ended. */
export class Gateway implements AsyncDisposable {
  readonly index: number
  readonly #place: GatewayPlace
  #service: Service | undefined
  #port = 0
  #isClosed = false
  /** What its processes have said on standard error. */
  said = ""

  constructor(index: number, place: GatewayPlace) {
    this.index = index
    this.#place = place
    process.once("exit", this.#end)
  }

  readonly #end = () => {
    if (this.#service?.pid !== undefined) process.kill(this.#service.pid, "SIGKILL")
  }

  /** For clients: the same however often it is started. */
  get address(): string {
    return `http://127.0.0.1:${this.#place.network?.ports[this.index] ?? this.#port}`
  }

  async start(): Promise<void> {
    const { network, url, nats } = this.#place
    const inside = network?.placeOf(this.index, url)
    const from = { port: inside?.port ?? this.#port, url: inside?.url ?? url, nats: nats && (inside?.nats ?? nats) }
    while (!this.#isClosed) {
      try {
        this.#service = await Service.start(new Folder(), from.port, {
          words: from.nats === undefined ? [] : ["--nats", from.nats],
          environment: { DATABASE_URL: from.url },
          ...(network && { within: network.nameOf(this.index) }),
        })
        this.#port = this.#service.port
        return
      } catch (error) {
        // Without its database it does not start.
        this.said += `${(error as Error).message}\n`
        await delay(300)
      }
    }
  }

  /** Kills the process; nothing starts it again by itself. */
  async kill(): Promise<void> {
    const service = this.#service
    this.#service = undefined
    this.said += service?.errors ?? ""
    await service?.[Symbol.asyncDispose]()
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    if (this.#service?.pid !== undefined) process.kill(this.#service.pid, signal)
  }

  async isReady(): Promise<boolean> {
    const signal = AbortSignal.timeout(5_000)
    return fetch(`${this.address}/readyz`, { signal }).then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    process.off("exit", this.#end)
    await this.kill()
  }
}
