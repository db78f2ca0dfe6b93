import { Agent, request } from "node:http"
import type { Transport } from "@conclave/transport"
import { socketTransport } from "@conclave/transport"
import { WebSocket } from "ws"
import { type Ask, type DeliveryRequest, type DeliveryResponse, encodeDelivery, readAnswer } from "./contract.js"

const SUBPROTOCOL = "conclave.1"

/** Asks the services at `url` by HTTP, from an address of one's own: every 127.x.y.z is one. */
export function asking(url: URL, localAddress?: string, headers: Readonly<Record<string, string>> = {}): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 64, ...(localAddress && { localAddress }) })
  return async (service, body) => {
    const answer = await post(new URL(service, url), body, { agent, headers })
    if (answer.status !== 200) throw new HttpError(answer.status, answer.body)
    return answer.body
  }
}

export class HttpError extends Error {
  readonly status: number

  constructor(status: number, body: Uint8Array) {
    super(`HTTP ${status}: ${Buffer.from(body).toString("utf8").slice(0, 100).trim()}`)
    this.status = status
  }
}

interface Sending {
  readonly agent: Agent
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMilliseconds?: number
}

export function post(
  url: URL,
  body: Uint8Array,
  { agent, headers = {}, timeoutMilliseconds = 30_000 }: Sending,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: "POST",
      agent,
      timeout: timeoutMilliseconds,
      headers: { "content-type": "application/octet-stream", "content-length": body.length, ...headers },
    })
    sent.on("timeout", () => sent.destroy(new Error("no answer in time")))
    sent.on("error", reject)
    sent.on("response", (response) => {
      const parts: Buffer[] = []
      response.on("data", (part: Buffer) => parts.push(part))
      response.on("error", reject)
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Uint8Array.from(Buffer.concat(parts)) }),
      )
    })
    sent.end(body)
  })
}

/** An SDK's way to one service from an address of one's own: requests by HTTP, streams by WebSocket. */
export function transportFrom(url: URL, service: "delivery" | "auth", localAddress: string): Transport {
  const ask = asking(url, localAddress)
  const socket = socketTransport({ url: socketUrl(url), service, createSocket: (at) => openSocket(at, localAddress) })
  return {
    request: (body) => ask(service, body),
    subscribe: (body, options) => socket.subscribe(body, options as { signal?: AbortSignal }),
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  }
}

/** What a subscription brings within so many milliseconds. */
export async function listenFor(
  url: URL,
  request: DeliveryRequest,
  milliseconds: number,
): Promise<readonly DeliveryResponse[]> {
  const transport = socketTransport({ url: socketUrl(url), service: "delivery", createSocket: (at) => openSocket(at) })
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), milliseconds)
  const answers: DeliveryResponse[] = []
  try {
    const stream = transport.subscribe(encodeDelivery(request), { signal: stop.signal })
    for await (const bytes of stream) answers.push(readAnswer(bytes))
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
    await transport[Symbol.asyncDispose]()
  }
  return answers
}

export function socketUrl(url: URL): URL {
  const socket = new URL("socket", url)
  socket.protocol = "ws:"
  return socket
}

export function openSocket(url: URL, localAddress?: string, headers?: Readonly<Record<string, string>>): WebSocket {
  return new WebSocket(url, SUBPROTOCOL, {
    perMessageDeflate: false,
    maxPayload: 16 * 1024 * 1024,
    ...(localAddress && { localAddress }),
    ...(headers && { headers }),
  } as object)
}
