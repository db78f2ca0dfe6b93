import type { Server } from "node:http"
import type { Socket } from "node:net"
import { type Rate, RateLimiter, type Requester, type Shares, takeAll } from "@conclave/transport"
import { requesterAt } from "@conclave/transport/parts"
import type { TrustedProxies } from "./peer.js"
import { refusalText } from "./text.js"

/** Refused connections that are told why, at a time; the others are closed without a word. */
const TOLD_MAX = 64
const TOLD_MILLISECONDS = 1000

/** Arrivals of one requester: half its share at once, and a fifth of it each second; never fewer than these. */
const ARRIVALS_MIN: Rate = { perSecond: 50, burst: 200 }

interface Door {
  readonly shares: Shares
  readonly proxies: TrustedProxies
}

/** Lets a connection into `server` where its requester's share has room for it. */
export function admitConnections(server: Server, { shares, proxies }: Door): void {
  const serveHttp = server.listeners("connection") as ((socket: Socket) => void)[]
  server.removeAllListeners("connection")
  const { peer, network } = shares.limits.connections
  const arrivals = { peer: new RateLimiter(arrivalRate(peer)), network: new RateLimiter(arrivalRate(network)) }
  let told = 0
  server.on("connection", (socket: Socket) => {
    const requester = connectionRequester(socket, proxies)
    const levels = [
      { limiter: arrivals.peer, key: requester?.peer },
      { limiter: arrivals.network, key: requester?.network },
    ]
    // One that opens connections as fast as they are closed would keep the process busy with nothing else.
    if (takeAll(levels, performance.now()) !== undefined) {
      shares.refused("arrivals", requester)
      socket.resetAndDestroy()
    } else if (shares.take("connections", requester)) {
      socket.once("close", () => shares.give("connections", requester))
      for (const serve of serveHttp) serve.call(server, socket)
    } else if (told < TOLD_MAX) {
      told++
      turnAway(socket, () => told--)
    } else {
      socket.resetAndDestroy()
    }
  })
  // Node's own limit is behind ours: it stands in while more are told than there is room for.
  server.maxConnections = shares.limits.connections.all + 2 * TOLD_MAX
}

function arrivalRate(share: number): Rate {
  const { perSecond, burst } = ARRIVALS_MIN
  return { perSecond: Math.max(perSecond, share / 5), burst: Math.max(burst, share / 2) }
}

/** A proxy speaks for many: only the limit for all is about its connections. */
function connectionRequester({ remoteAddress }: Socket, proxies: TrustedProxies): Requester | undefined {
  return remoteAddress !== undefined && proxies.has(remoteAddress) ? undefined : requesterAt(remoteAddress)
}

function turnAway(socket: Socket, done: () => void): void {
  socket.on("error", () => socket.destroy())
  const timer = setTimeout(() => socket.destroy(), TOLD_MILLISECONDS)
  socket.once("close", () => {
    clearTimeout(timer)
    done()
  })
  // What the client has said meanwhile must be read, or the system resets the connection before it has read this.
  socket.resume()
  const reason = "too many connections of one network, or of all"
  socket.end(refusalText({ status: "503 Service Unavailable", reason }))
}
