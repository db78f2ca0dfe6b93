import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import type { TestContext } from "node:test"

/** A way to a server that a test cuts and restores, while others reach the server directly. */
export interface Relay {
  readonly url: string
  /** `open`: as a cable. `silent`: takes what comes and passes nothing on. `closed`: ends all connections and takes none. */
  mode: "open" | "silent" | "closed"
}

export async function relayTo(url: string, test: TestContext): Promise<Relay> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let mode: Relay["mode"] = "open"
  const server = createServer((near) => {
    if (mode === "closed") {
      near.destroy()
      return
    }
    const far = connect(Number(port), hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on("data", (bytes) => mode === "open" && to.write(bytes))
      from.on("error", () => {})
      from.on("close", () => to.destroy())
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const end = () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  test.after(() => {
    end()
    server.close()
  })
  const relayed = new URL(url)
  relayed.port = `${(server.address() as AddressInfo).port}`
  return {
    url: relayed.href,
    get mode() {
      return mode
    },
    set mode(next) {
      mode = next
      if (next === "closed") end()
    },
  }
}
