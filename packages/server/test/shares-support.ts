import { once } from "node:events"
import { createConnection, type Socket } from "node:net"
import { type Refusal, type Resource, type ShareLimits, Shares } from "@conclave/transport"
import { SUBPROTOCOL } from "@conclave/transport/parts"
import { WebSocket } from "ws"
import type { Listener, ListenLimits } from "../src/index.js"
import { echo, serve, silent } from "./support.js"

export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !holds(); i++) await pause(10)
}

export interface Setting {
  readonly shares?: Partial<Record<Resource, ShareLimits>>
  readonly limits?: Partial<ListenLimits>
  readonly services?: Parameters<typeof serve>[0]
  readonly hosts?: readonly string[]
}

/** A listener at 127.0.0.1, its shares, and what it refused by kind and level. */
export async function start({
  shares: limits,
  services = { echo, silent: silent().handler },
  ...options
}: Setting = {}) {
  const refusals: Refusal[] = []
  const shares = new Shares({ ...(limits && { limits }), onRefusal: (refusal) => refusals.push(refusal) })
  const listener = await serve(services, { host: "127.0.0.1", shares, ...options })
  const refused = (kind: string, level?: string) =>
    refusals.filter((refusal) => refusal.kind === kind && (level === undefined || refusal.level === level)).length
  return { listener, shares, refusals, refused }
}

export function line(listener: Listener, localAddress: string, sent = ""): { socket: Socket; closed: Promise<string> } {
  const socket = createConnection({ port: Number(listener.url.port), host: "127.0.0.1", localAddress })
  let answer = ""
  socket.on("data", (part) => {
    answer += part
  })
  socket.on("error", () => {})
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(answer)))
  if (sent !== "") socket.write(sent)
  return { socket, closed }
}

export async function openSocket(
  listener: Listener,
  options: WebSocket.ClientOptions & { localAddress?: string } = {},
) {
  const socket = new WebSocket(`ws://127.0.0.1:${listener.url.port}/socket`, SUBPROTOCOL, options)
  socket.on("error", () => {})
  await once(socket, "open")
  return socket
}
