import { setMaxListeners } from "node:events"
import { connect, type Socket } from "node:net"
import { socketTransport } from "@conclave/transport"
import { type Ask, createGroupOf, encodeDelivery, noAccess } from "./contract.js"
import { asking, openSocket, socketUrl } from "./http.js"
import { Mallory } from "./mallory.js"
import { pause, within } from "./timing.js"

/** Everything that one address does to the service; each ends by itself or when it is told to. */
export interface Flood {
  readonly name: string
  /** Whether it is about the port for sealed requests. */
  readonly sealed?: boolean
  /** Begins; what it returns ends it. */
  start(url: URL, localAddress: string, sealedPort?: number): Promise<() => Promise<void>>
}

/** What everything else is held against. */
export const nothing: Flood = { name: "nothing", start: async () => async () => {} }

export function rawConnection(url: URL, localAddress: string): Socket {
  const socket = connect({ host: url.hostname, port: Number(url.port), localAddress })
  socket.on("error", () => {})
  return socket
}

const connectedOrClosed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.once("connect", resolve)
    socket.once("close", () => resolve())
  })

/** A socket whose owner speaks WebSocket by hand, after the opening handshake. */
export function rawSocket(url: URL, localAddress: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = rawConnection(url, localAddress)
    socket.once("close", () => reject(new Error("the connection was closed")))
    socket.write(
      `GET /socket HTTP/1.1\r\nhost: ${url.host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
        `sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n` +
        `sec-websocket-protocol: conclave.1\r\n\r\n`,
    )
    socket.once("data", (head) => {
      if (head.toString("latin1").includes(" 101 ")) resolve(socket)
      else reject(new Error(`no WebSocket: ${head.toString("latin1").split("\r\n")[0]}`))
    })
  })
}

/** A masked frame of RFC 6455 (its mask is zero), or only its head and the beginning of what it promises. */
export function frame(payload: Uint8Array, opcode = 2, promised = payload.length): Buffer {
  const head = [0x80 | opcode]
  if (promised < 126) head.push(0x80 | promised)
  else if (promised < 65_536) head.push(0x80 | 126, promised >> 8, promised & 255)
  else head.push(0x80 | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (promised >>> shift) & 255))
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}

/** With a reset: what is closed in the ordinary way keeps its port for a minute. */
const ended = async (sockets: readonly Socket[]) => {
  for (const socket of sockets) socket.resetAndDestroy()
}

export const idleSockets = (count: number): Flood => ({
  name: "idle WebSockets, more than there is room for",
  async start(url, localAddress) {
    const sockets = await inBatches(count, () => rawSocket(url, localAddress).catch(() => undefined))
    return () => ended(sockets.filter((it) => it !== undefined))
  },
})

/** What one listener's queue has room for is opened at a time: the others would be lost on the way. */
async function inBatches<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  const opened: T[] = []
  while (opened.length < count) {
    const size = Math.min(BATCH, count - opened.length)
    opened.push(...(await Promise.all(Array.from({ length: size }, open))))
  }
  return opened
}

export const slowHeads = (count: number): Flood => ({
  name: "connections with half a head, more than there is room for",
  async start(url, localAddress) {
    const sockets = await inBatches(count, async () => {
      const socket = rawConnection(url, localAddress)
      socket.write(`POST /auth HTTP/1.1\r\nhost: ${url.host}\r\n`)
      await within(2_000, connectedOrClosed(socket))
      return socket
    })
    return () => ended(sockets)
  },
})

/** No more at once than a listener's queue has room for. */
const BATCH = 400

/** First flights of sealed requests that stop half way. */
export const halfFlights = (count: number): Flood => ({
  name: `${count} sealed flights that stop half way`,
  sealed: true,
  async start(url, localAddress, sealedPort) {
    const sealed = new URL(url)
    sealed.port = String(sealedPort)
    const sockets: Socket[] = []
    // One address has too few ports for many: a network has as many addresses as it needs.
    const network = localAddress.slice(0, localAddress.lastIndexOf("."))
    const open = (n: number) => {
      const socket = rawConnection(sealed, count > BATCH ? `${network}.${1 + Math.floor(n / BATCH)}` : localAddress)
      socket.write(crypto.getRandomValues(new Uint8Array(60)))
      return socket
    }
    while (sockets.length < count) {
      const size = Math.min(BATCH, count - sockets.length)
      const batch = Array.from({ length: size }, () => open(sockets.length))
      sockets.push(...batch)
      await within(2_000, Promise.all(batch.map(connectedOrClosed)))
    }
    return () => ended(sockets)
  },
})

export const halfFrames = (count: number, size: number): Flood => ({
  name: `${count} frames that stop at ${Math.round(size / 1e5) / 10} MB`,
  async start(url, localAddress) {
    const opening = Array.from({ length: count }, () => rawSocket(url, localAddress).catch(() => undefined))
    const sockets = (await Promise.all(opening)).filter((it) => it !== undefined)
    const part = frame(new Uint8Array(size), 2, size + 1_000)
    await Promise.all(sockets.map((socket) => within(4_000, sending(socket, part))))
    return () => ended(sockets)
  },
})

export const halfBodies = (count: number, size: number): Flood => ({
  name: `${count} bodies that stop at ${Math.round(size / 1e5) / 10} MB`,
  async start(url, localAddress) {
    const sockets = Array.from({ length: count }, () => rawConnection(url, localAddress))
    const head = `POST /delivery HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/octet-stream\r\ncontent-length: ${size + 1_000}\r\n\r\n`
    const part = Buffer.concat([Buffer.from(head), new Uint8Array(size)])
    await Promise.all(sockets.map((socket) => within(4_000, sending(socket, part))))
    return () => ended(sockets)
  },
})

const sending = (socket: Socket, bytes: Uint8Array) =>
  new Promise<void>((resolve) => {
    const done = () => {
      socket.off("close", done)
      resolve()
    }
    socket.once("close", done)
    socket.write(bytes, done)
  })

/** Sends frames that are answered, and reads no answer. */
function unread(what: string, answered: Buffer, bytesMax: number): Flood {
  return {
    name: `${Math.round(bytesMax / 1e6)} MB of ${what} whose answers nobody reads`,
    async start(url, localAddress) {
      const socket = await rawSocket(url, localAddress)
      socket.pause()
      const many = Buffer.concat(Array<Buffer>(Math.ceil(64_000 / answered.length)).fill(answered))
      let sent = 0
      let going = true
      const done = (async () => {
        while (going && sent < bytesMax && !socket.destroyed) {
          await sending(socket, many)
          sent += many.length
        }
      })()
      return async () => {
        going = false
        socket.destroy()
        await within(500, done)
      }
    },
  }
}

/** The application's own `ping`. */
export const unreadPings = (bytesMax: number) => unread("pings", frame(Uint8Array.of(4)), bytesMax)

/** RFC 6455 §5.5.2: answered with as many bytes. */
export const unreadPongs = (bytesMax: number) => unread("WebSocket pings", frame(new Uint8Array(125), 9), bytesMax)

/** Streams that follow groups which do not exist. */
export const anonymousCursors = (sockets: number, streams: number, cursors: number): Flood => ({
  name: `${sockets * streams * cursors} cursors of nobody`,
  async start(url, localAddress) {
    const stop = new AbortController()
    setMaxListeners(0, stop.signal)
    for (let s = 0; s < sockets; s++) {
      const transport = socketTransport({
        url: socketUrl(url),
        service: "delivery",
        createSocket: (at) => openSocket(at, localAddress),
        creditBytes: 16 * 1024 * 1024,
      })
      for (let n = 0; n < streams; n++) {
        const random = () => crypto.getRandomValues(new Uint8Array(32))
        const wanted = Array.from({ length: cursors }, () => ({ groupId: random(), afterSeq: 0n, access: noAccess }))
        const request = encodeDelivery({ type: "subscribe", cursors: wanted, inboxAfter: 0n, proof: undefined })
        void drain(transport.subscribe(request, { signal: stop.signal }))
      }
      stop.signal.addEventListener("abort", () => void transport[Symbol.asyncDispose]())
    }
    await pause(1_500)
    return async () => stop.abort()
  },
})

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of stream);
  } catch {
    // The service ended it, or we did.
  }
}

/** Repeats a request as fast as the service answers, `parallel` at a time. */
function repeating(name: string, parallel: number, make: (ask: Ask) => Promise<() => Promise<unknown>>): Flood {
  return {
    name,
    async start(url, localAddress) {
      const once = await make(asking(url, localAddress))
      let going = true
      const loop = async () => {
        while (going) await once().catch(() => pause(20))
      }
      const loops = Array.from({ length: parallel }, loop)
      return async () => {
        going = false
        await within(2_000, Promise.all(loops))
      }
    },
  }
}

export const appends = (size: number): Flood =>
  repeating(`appends of ${Math.round(size / 1000)} kB`, 4, async (ask) => {
    const mallory = await creator(ask)
    const { id: groupId } = mallory.group!
    const body = mallory.group!.encrypt(new Uint8Array(size), { padTo: 0 })
    return () => mallory.append({ groupId, kind: "application", epoch: 0n, body })
  })

/** Somebody with a group of her own. */
export async function creator(ask: Ask): Promise<Mallory> {
  const mallory = await Mallory.come("creator", ask, { registered: false })
  await create(mallory)
  return mallory
}

export async function create(mallory: Mallory, groupId = crypto.getRandomValues(new Uint8Array(32))): Promise<void> {
  mallory.found(groupId)
  const answer = await mallory.delivery(createGroupOf(groupId, mallory.keys!.accessKey))
  if (answer.type !== "done") throw new Error(`createGroup: ${answer.type}`)
}

export const registrations: Flood = repeating("registrations", 8, async (ask) => {
  let n = 0
  return () => Mallory.come(`squatter-${n++}`, ask)
})

export const claims: Flood = repeating("claims of key packages", 8, async (ask) => {
  const asker = await Mallory.come("claimer", ask, { registered: false })
  const deviceId = () => crypto.getRandomValues(new Uint8Array(32))
  return () => asker.delivery({ type: "claimKeyPackage", deviceId: deviceId(), cipherSuite: 1 })
})

export const creations: Flood = repeating("creations of groups", 8, async (ask) => {
  const asker = await Mallory.come("founder", ask, { registered: false })
  return () => create(asker)
})
