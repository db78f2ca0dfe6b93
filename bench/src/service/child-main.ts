import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer } from "@conclave/server"
import { type ShareLimits, Shares, shareLimits } from "@conclave/transport"
import { WebSocketServer } from "ws"
import type { Question, Served, Wanted } from "./child.js"
import { raised } from "./requests.js"
import { usage } from "./usage.js"

/** All connections come from one address, which has the share of all. */
const CONNECTIONS_MAX = 60_000

const [{ served }] = (await once(process, "message")) as [Wanted]
const { url, end } = await serve(served)
process.on("message", async (question: Question) => {
  if (question === "usage") process.send!(usage())
  else if (question === "memory") process.send!(usage({ collect: true }))
  else {
    await end()
    // In order, so that a profile is written.
    process.exit()
  }
})
process.once("disconnect", () => process.exit())
process.send!(url)

async function serve(served: Served): Promise<{ readonly url: string; readonly end: () => Promise<unknown> }> {
  if (served.kind === "broadcast") return broadcast()
  const place =
    "file" in served
      ? { file: served.file }
      : { database: { url: served.database, nats: served.nats, connections: 10 } }
  const server = await createServer({
    ...place,
    shares: new Shares({ limits: allForOne() }),
    limits: { delivery: raised, listener: { closeTimeoutMilliseconds: 100, streamsPerSocketMax: 10_000 } },
    onError: (error) => console.error(error),
  })
  const listener = await server.listen({ host: "127.0.0.1" })
  return { url: `${listener.url}`, end: () => server.close() }
}

function allForOne() {
  const limits = Object.entries(shareLimits(CONNECTIONS_MAX)).map(([resource, { all }]): [string, ShareLimits] => [
    resource,
    { peer: all, network: all, all },
  ])
  return Object.fromEntries(limits)
}

/** What a server of `ws` alone would do. */
async function broadcast() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false })
  server.on("connection", (sender) => {
    sender.on("error", () => {})
    sender.on("message", (message) => {
      for (const socket of server.clients) if (socket !== sender) socket.send(message)
    })
  })
  await once(server, "listening")
  const end = async () => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, end }
}
