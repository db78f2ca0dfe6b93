/** What runs inside the hosts of the laboratory: servers of Node's protocols, and clients of them. */
import { once } from "node:events"
import { createServer as createHttpServer, get } from "node:http"
import { createServer as createHttp2Server, connect as http2Connect } from "node:http2"
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls"
import { makeCertificate } from "../../lab/certificate.js"
import {
  type CookieKeys,
  connectAs,
  flushCookies,
  type LaboratoryConnectOptions,
  type LaboratoryListenOptions,
  listenAs,
  rotateCookieKeys,
} from "../../lab/cookies.js"
import { type FastOpenSupport, fastOpenSupport, type TcpInfo, tcpInfo } from "../../src/sockets/index.js"

export interface Exchange {
  readonly reply: string
  readonly client: TcpInfo | undefined
  /** What the server's kernel said when the connection was accepted. */
  readonly server: TcpInfo | undefined
}

const warnings: string[] = []
process.on("warning", (warning) => warnings.push(warning.message))
const accepted: (TcpInfo | undefined)[] = []
const servers = new Map<number, Server>()

export function takeWarnings(): string[] {
  return warnings.splice(0)
}

export function takeAccepted(): (TcpInfo | undefined)[] {
  return accepted.splice(0)
}

export function support(): FastOpenSupport {
  return fastOpenSupport()
}

export type Protocol = "net" | "tls" | "http" | "http2" | "greeting"

export async function serve(protocol: Protocol, options: LaboratoryListenOptions): Promise<void> {
  const server = await serverOf(protocol)
  server.on("connection", (socket: Socket) => accepted.push(tcpInfo(socket)))
  listenAs(server, options)
  await once(server, "listening")
  servers.set(options.port!, server)
}

async function serverOf(protocol: Protocol): Promise<Server> {
  const echo = (socket: Socket) => socket.on("error", () => {}).pipe(socket)
  switch (protocol) {
    case "net":
      return createServer(echo)
    case "tls":
      return createTlsServer({ ...(await makeCertificate()), minVersion: "TLSv1.3" }, echo)
    case "http":
      return createHttpServer((_request, response) => response.end("over http"))
    case "http2":
      return createHttp2Server((_request, response) => response.end("over http2"))
    case "greeting":
      return createServer((socket) => socket.on("error", () => {}).end("the server speaks first"))
  }
}

export function rotate(port: number, keys: CookieKeys): void {
  rotateCookieKeys(servers.get(port)!, keys)
}

export async function flush(): Promise<boolean> {
  return flushCookies()
}

export async function talk(protocol: Protocol, options: LaboratoryConnectOptions): Promise<Omit<Exchange, "server">> {
  const socket = connectAs(options)
  try {
    const reply = await replies[protocol](socket)
    return { reply, client: tcpInfo(socket) }
  } finally {
    socket.destroy()
  }
}

export async function failure(options: LaboratoryConnectOptions): Promise<string> {
  const socket = connectAs(options)
  socket.write("into the void")
  const [error] = (await once(socket, "error")) as unknown as [NodeJS.ErrnoException]
  return error.code ?? error.message
}

const replies: Record<Protocol, (socket: Socket) => Promise<string>> = {
  async net(socket) {
    socket.write("over net")
    return text(await once(socket, "data"))
  },
  async tls(socket) {
    const secured = tlsConnect({ socket, rejectUnauthorized: false })
    secured.write("over tls")
    return text(await once(secured, "data"))
  },
  async http(socket) {
    const [response] = await once(get({ createConnection: () => socket, host: "server" }), "response")
    return text(await once(response, "data"))
  },
  async http2(socket) {
    const session = http2Connect("http://server", { createConnection: () => socket })
    return text(await once(session.request({ ":path": "/" }), "data"))
  },
  async greeting(socket) {
    return text(await once(socket, "data"))
  },
}

function text([chunk]: unknown[]): string {
  return (chunk as Buffer).toString()
}
