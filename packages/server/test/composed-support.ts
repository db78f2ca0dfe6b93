import assert from "node:assert/strict"
import { once } from "node:events"
import {
  createServer as createHttpServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http"
import { type AddressInfo, createConnection } from "node:net"
import type { Duplex } from "node:stream"
import { memoryStore as authMemory } from "@conclave/auth"
import { decode, encode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { RegistrationTBS } from "@conclave/contracts/auth"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import { memoryStore as deliveryMemory } from "@conclave/delivery"
import { cipherSuite, signWithLabel } from "@conclave/mls"
import { connect } from "@conclave/transport/node"
import { type Conclave, createServer, type ServerOptions, type Stores } from "../src/index.js"

export const crypto = nodeProvider()

export function memoryStores(): Stores {
  const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
  return { delivery: deliveryMemory(sha256), auth: authMemory() }
}

export const composed = (options: ServerOptions = {}): Promise<Conclave> =>
  createServer({
    ...(options.file === undefined && { stores: memoryStores() }),
    limits: { listener: { closeTimeoutMilliseconds: 200 } },
    ...options,
  })

/** A request to register a new device of `name`, and its keys. */
export function registration(name: string) {
  const suite = cipherSuite(1, crypto)
  const key = suite.signature.generate((length) => crypto.random(length))
  const device = { name, cipherSuite: 1, signatureKey: key.publicKey }
  const signature = signWithLabel(key, "ConclaveRegistration", encode(RegistrationTBS, device))
  const register = { type: "register", ...device, signature, endorsement: undefined } as const
  return { register, key, signature }
}

export const headOfNothing = deliveryRequests.encode({ type: "head", groupId: new Uint8Array(32), access: noAccess })

/** The kinds of the answers to one request over HTTP, and one over a WebSocket, to a service at `base`. */
export async function askBothWays(base: URL): Promise<readonly string[]> {
  await using transport = connect(new URL("delivery", base))
  const overHttp = decode(DeliveryResponse, await transport.request(headOfNothing))
  const stop = new AbortController()
  const cursors = [{ groupId: new Uint8Array(32), afterSeq: 0n, access: noAccess }]
  const subscribe = { type: "subscribe", cursors, proof: undefined, inboxAfter: 0n } as const
  const stream = transport
    .subscribe(deliveryRequests.encode(subscribe), { signal: stop.signal })
    [Symbol.asyncIterator]()
  assert.equal(decode(DeliveryResponse, (await stream.next()).value!).type, "subscribed")
  const overSocket = decode(DeliveryResponse, (await stream.next()).value!)
  await stream.return?.()
  return [overHttp.type, overSocket.type]
}

export interface Application extends AsyncDisposable {
  readonly server: Server
  readonly url: URL
}

/** An HTTP server of somebody else's, at a port of its own. */
export async function application(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void = (_, socket) => socket.destroy(),
): Promise<Application> {
  const server = createHttpServer(onRequest)
  server.on("upgrade", onUpgrade)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    server,
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Bytes as they are over TCP, and all that comes back until the connection ends. */
export async function raw(url: URL, bytes: string): Promise<string> {
  const socket = createConnection(Number(url.port), url.hostname)
  let answer = ""
  socket.on("data", (part) => {
    answer += part.toString("latin1")
  })
  socket.on("error", () => {})
  socket.end(bytes)
  await once(socket, "close")
  return answer
}

export const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1])

export const upgradeTo = (path: string, headers = "") =>
  `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
  `sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: conclave.1\r\n${headers}\r\n`

export function post(url: URL, body: Uint8Array, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const all = { "content-type": "application/octet-stream", ...headers }
    const asking = request(url, { method: "POST", headers: all }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode!))
    })
    asking.on("error", reject).end(body)
  })
}
