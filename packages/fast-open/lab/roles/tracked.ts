/** Both ends of the measurement of tracking: each function runs in a host of the laboratory. */
import { once } from "node:events"
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls"
import { makeCertificate } from "../certificate.js"
import {
  type CookieKeys,
  connectAs,
  flushCookies,
  type LaboratoryConnectOptions,
  type LaboratoryListenOptions,
  listenAs,
  rotateCookieKeys,
} from "../cookies.js"
import { now, type Sample } from "./measured.js"

let server: Server | undefined

/** Answers each connection's first data with the time of its arrival, 8 bytes, filled up to `replyBytes`. */
export async function serve(options: LaboratoryListenOptions, { tls = false, replyBytes = 8 } = {}): Promise<void> {
  const answer = (socket: Socket) => {
    socket.on("error", () => socket.destroy())
    socket.once("data", () => socket.end(Buffer.concat([time()], replyBytes)))
  }
  server = tls ? createTlsServer({ ...(await makeCertificate()), minVersion: "TLSv1.3" }, answer) : createServer(answer)
  listenAs(server, options)
  await once(server, "listening")
}

export function rotate(keys: CookieKeys): void {
  rotateCookieKeys(server!, keys)
}

/** What an operator or application can do today: forget the cookies, here when the network changes. */
export async function flush(): Promise<boolean> {
  return flushCookies()
}

const REQUEST_BYTES = 200

/** One request over a connection of its own, which is closed by both sides before this resolves. */
export async function request(options: LaboratoryConnectOptions): Promise<Sample> {
  const start = now()
  const socket = connectAs(options)
  socket.write(Buffer.alloc(REQUEST_BYTES))
  const [reply] = (await once(socket, "data")) as [Buffer]
  const sample = { requestMilliseconds: reply.readDoubleBE(0) - start, replyMilliseconds: now() - start }
  socket.resume().end()
  await once(socket, "close")
  return sample
}

let session: Buffer | undefined

/** One request over TLS 1.3; a session that the server gave before is offered again. */
export async function requestTls(target: { host: string; port: number }): Promise<void> {
  const offered = session === undefined ? {} : { session }
  // The certificate is of this run: nobody could have vouched for it.
  const socket = tlsConnect({ ...target, rejectUnauthorized: false, ...offered })
  socket.on("session", (given: Buffer) => {
    session ??= given
  })
  socket.write("hello")
  socket.resume()
  await once(socket, "close")
}

function time(): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(now())
  return bytes
}
