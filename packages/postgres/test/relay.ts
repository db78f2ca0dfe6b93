import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import type { TestContext } from "node:test"

/** A way to a server that a test cuts and restores, while others reach the server directly. */
export interface Relay {
  readonly url: string
  /** `open`: as a cable. `silent`: takes what comes and passes nothing on. `closed`: ends all connections and takes none. */
  mode: "open" | "silent" | "closed"
  /** What clients send is passed on so many milliseconds later. */
  delayMilliseconds: number
  /** Where the next connections lead: an address of the server that takes over. */
  target: string
}

export async function relayTo(url: string, test: TestContext): Promise<Relay> {
  let target = url
  let delayMilliseconds = 0
  const sockets = new Set<Socket>()
  let mode: Relay["mode"] = "open"
  const server = createServer((near) => {
    if (mode === "closed") {
      near.destroy()
      return
    }
    const { hostname, port } = new URL(target)
    const far = connect(Number(port), hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      let passed = Promise.resolve()
      from.on("data", (bytes) => {
        if (mode !== "open") return
        if (delayMilliseconds === 0 || from === far) {
          passed = passed.then(() => void to.write(bytes))
          return
        }
        const late = new Promise((resolve) => setTimeout(resolve, delayMilliseconds))
        passed = passed.then(() => late).then(() => void to.write(bytes))
      })
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
    get delayMilliseconds() {
      return delayMilliseconds
    },
    set delayMilliseconds(next) {
      delayMilliseconds = next
    },
    get target() {
      return target
    },
    set target(next) {
      target = next
    },
    get mode() {
      return mode
    },
    set mode(next) {
      mode = next
      if (next === "closed") end()
    },
  }
}
