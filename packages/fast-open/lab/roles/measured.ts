/** Both ends of the latency measurement: each function runs in a host of the laboratory. */
import { once } from "node:events"
import { createServer, type Socket } from "node:net"
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls"
import { makeCertificate } from "../certificate.js"
import { connectAs, type LaboratoryPolicy, listenAs } from "../cookies.js"

export interface Sample {
  /** From the client's decision to send until the request is in the server's hands, and until the reply is back. */
  readonly requestMilliseconds: number
  readonly replyMilliseconds: number
}

const REQUEST_BYTES = 200

/** The clock that all processes of a machine share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export async function serve(options: { port: number; policy: LaboratoryPolicy; tls: boolean }): Promise<void> {
  const server = options.tls ? createTlsServer({ ...(await makeCertificate()), minVersion: "TLSv1.3" }) : createServer()
  server.on(options.tls ? "secureConnection" : "connection", (socket: Socket) => {
    // The reply is the time of the request's arrival: eight bytes.
    socket.on("data", () => socket.end(timestamp()))
    socket.on("error", () => socket.destroy())
  })
  listenAs(server, { port: options.port, policy: options.policy })
  await once(server, "listening")
}

export async function request(options: {
  host: string
  port: number
  policy: LaboratoryPolicy
  tls: boolean
}): Promise<Sample> {
  const start = now()
  const plain = connectAs(options)
  // The certificate is of this run: nobody could have vouched for it.
  const socket = options.tls ? tlsConnect({ socket: plain, rejectUnauthorized: false }) : plain
  socket.write(Buffer.alloc(REQUEST_BYTES))
  const [reply] = (await once(socket, "data")) as [Buffer]
  const sample = { requestMilliseconds: reply.readDoubleBE(0) - start, replyMilliseconds: now() - start }
  socket.destroy()
  return sample
}

/** Processor time of this host's process so far. */
export function processorMicroseconds(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** `count` requests, `together` at a time. */
export async function requests(target: Parameters<typeof request>[0], count: number, together: number): Promise<void> {
  let left = count
  const ask = async () => {
    while (left-- > 0) await request(target)
  }
  await Promise.all(Array.from({ length: together }, ask))
}

function timestamp(): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(now())
  return bytes
}
