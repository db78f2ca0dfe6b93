/// <reference lib="esnext.disposable" preserve="true" />
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** How often a gateway is asked whether it is ready: it answers five times a second. */
const CHECK_MILLISECONDS = 200

interface Gateway {
  readonly port: number
  isReady: boolean
}

/**
 * What stands before gateways: connections go to those that are ready, one after the other, and to the next where one
 * cannot be reached. It knows TCP and `/readyz`, and repeats nothing.
 */
export class Balancer implements AsyncDisposable {
  readonly #gateways: readonly Gateway[]
  readonly #server = createServer({ noDelay: true }, (socket) => this.#pass(socket))
  readonly #sockets = new Set<Socket>()
  readonly #timer: NodeJS.Timeout
  #turn = 0

  private constructor(ports: readonly number[]) {
    this.#gateways = ports.map((port) => ({ port, isReady: true }))
    this.#timer = setInterval(() => this.#check(), CHECK_MILLISECONDS)
  }

  static async start(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports)
    balancer.#server.listen(0, "127.0.0.1")
    await once(balancer.#server, "listening")
    return balancer
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #check(): void {
    for (const gateway of this.#gateways) {
      fetch(`http://127.0.0.1:${gateway.port}/readyz`).then(
        async (answer) => {
          await answer.body?.cancel()
          gateway.isReady = answer.status === 200
        },
        () => {
          gateway.isReady = false
        },
      )
    }
  }

  #pass(client: Socket): void {
    this.#keep(client)
    const turn = this.#turn++
    const order = this.#gateways.map((_, at) => this.#gateways[(turn + at) % this.#gateways.length]!)
    this.#try(client, [...order.filter(({ isReady }) => isReady), ...order.filter(({ isReady }) => !isReady)])
  }

  #try(client: Socket, [gateway, ...others]: readonly Gateway[]): void {
    if (gateway === undefined) return void client.destroy()
    const server = connect({ port: gateway.port, host: "127.0.0.1", noDelay: true })
    const next = () => this.#try(client, others)
    server.once("error", next)
    server.once("connect", () => {
      server.off("error", next)
      this.#keep(server)
      client.pipe(server).pipe(client)
      client.once("close", () => server.destroy())
      server.once("close", () => client.destroy())
    })
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on("error", () => socket.destroy())
    socket.once("close", () => this.#sockets.delete(socket))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
