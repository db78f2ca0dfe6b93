/** The service that is flooded: in a process of its own, which tells its port and, when asked, what it holds. */
import { nodeProvider } from "@conclave/crypto/node"
import { listen } from "@conclave/server"
import { type Handler, Shares } from "@conclave/transport"
import { SealedServer } from "../../src/sealed/index.js"

export interface Ports {
  readonly http: number
  readonly sealed: number
}

export interface ServiceState {
  readonly memoryBytes: number
  readonly cpuMicroseconds: number
  readonly refused: Readonly<Record<string, number>>
}

const echo: Handler = async function* (request) {
  yield request
}
const silent: Handler = async function* (_, { signal }) {
  yield* []
  await new Promise((resolve) => signal.addEventListener("abort", resolve))
}
const large: Handler = async function* () {
  yield new Uint8Array(4 * 1024 * 1024)
}

const refused: Record<string, number> = {}
const shares = new Shares({
  onRefusal: ({ kind }) => {
    refused[kind] = (refused[kind] ?? 0) + 1
  },
})
const listener = await listen({ services: { echo, silent, large }, host: "127.0.0.1", shares })
const sealed = new SealedServer({ provider: nodeProvider(), handler: echo, shares })
const ports: Ports = {
  http: Number(listener.url.port),
  sealed: await sealed.listen({ port: 0, host: "127.0.0.1", policy: "off" }),
}
process.on("message", () => {
  const { user, system } = process.cpuUsage()
  const state: ServiceState = { memoryBytes: process.memoryUsage.rss(), cpuMicroseconds: user + system, refused }
  process.send!(state)
})
process.on("disconnect", () => process.exit())
process.send!(ports)
