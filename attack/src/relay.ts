import { connect, createServer, type Server, type Socket } from "node:net"

export interface RelayOptions {
  readonly to: { readonly host: string; readonly port: number }
  /** How long bytes take in each direction; default 0. */
  readonly delayMilliseconds?: number
}

/** A TCP relay on loopback: a longer way to the service, or somebody on the way who writes along. */
export class Relay implements AsyncDisposable {
  readonly port: number
  /** What the clients have sent on each connection. */
  readonly recorded: Buffer[][] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static start({ to, delayMilliseconds = 0 }: RelayOptions): Promise<Relay> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
        relay.#carry(socket, to, delayMilliseconds),
      )
      let relay: Relay
      server.once("error", reject)
      server.listen(0, "127.0.0.1", () => {
        relay = new Relay(server, (server.address() as { port: number }).port)
        resolve(relay)
      })
    })
  }

  #carry(client: Socket, to: RelayOptions["to"], delay: number): void {
    const service = connect({ ...to, noDelay: true, allowHalfOpen: true })
    const written: Buffer[] = []
    this.recorded.push(written)
    client.on("data", (bytes) => written.push(bytes))
    pass(client, service, delay)
    pass(service, client, delay)
    for (const socket of [client, service]) {
      this.#sockets.add(socket)
      socket.on("close", () => this.#sockets.delete(socket))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

function pass(from: Socket, to: Socket, delay: number): void {
  const later = (action: () => void) => (delay === 0 ? action() : void setTimeout(action, delay))
  from.on("data", (bytes) => later(() => to.writable && to.write(bytes)))
  from.on("end", () => later(() => to.end()))
  from.on("error", () => to.destroy())
  from.on("close", () => later(() => to.destroy()))
}
