/**
 * The path between a client and one server or several, as a process of its own: it reads packets from a TUN device in each namespace and
 * writes them to the other's, half a round trip later. It waits in the kernel and not in Node's event loop, so that
 * the delay is exact; commands come on standard input, whose end ends it.
 */
import { readSync, writeSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { CaptureFile } from "./capture.js"
import {
  ACK,
  ipv4Address,
  isSynWithData,
  parseTcp,
  resetFor,
  SYN,
  type TcpPacket,
  translate,
  withoutData,
} from "./packet.js"
import {
  CLIENT_ADDRESS,
  CLIENT_NETWORK,
  clearPath,
  DELAY_MILLISECONDS,
  DUPLICATE_MILLISECONDS,
  type Path,
  type RouterAnswer,
  type RouterCommand,
} from "./router-protocol.js"
import { openTun, waitForInput } from "./tun.js"

interface Delivery {
  readonly due: number
  readonly device: number
  readonly packet: Buffer
}

const PACKETS_WAITING_MAX = 20_000
const CONNECTIONS_MAX = 100_000
const STANDARD_INPUT = 0
const STANDARD_OUTPUT = 1

const [clientNamespace, ...serverNamespaces] = process.argv.slice(2)
const client = openTun(clientNamespace!)
/** All have the same address: what decides between them is {@link serverFor}. */
const servers = serverNamespaces.map(openTun)
const waiting: Delivery[] = []
const incoming = Buffer.alloc(65536)
/** Which server has a connection, by the client's end of it. */
const serverByClient = new Map<string, number>()
/** Which client uses a port behind the translated address. */
const clientByPort = new Map<number, string>()
let path: Path = clearPath
let capture: CaptureFile | undefined
let commands = ""

interface MiddleboxOutcome {
  readonly passed: readonly { readonly packet: Buffer; readonly extraMilliseconds?: number }[]
  readonly reset?: Buffer
}

const middleboxes: Record<Exclude<Path["middlebox"], "none">, (syn: TcpPacket) => MiddleboxOutcome> = {
  drop: () => ({ passed: [] }),
  strip: (syn) => ({ passed: [{ packet: withoutData(syn) }] }),
  duplicate: ({ bytes }) => ({
    passed: [{ packet: bytes }, { packet: bytes, extraMilliseconds: DUPLICATE_MILLISECONDS }],
  }),
  reset: (syn) => ({ passed: [], reset: resetFor(syn) }),
  delay: ({ bytes }) => ({ passed: [{ packet: bytes, extraMilliseconds: DELAY_MILLISECONDS }] }),
}

answer({ ready: true })
for (;;) {
  const untilNext = waiting.length > 0 ? Math.max(0, waiting[0]!.due - performance.now()) : 1000
  const [command, fromClient, ...fromServers] = waitForInput([STANDARD_INPUT, client, ...servers], untilNext)
  if (command && !readCommands()) break
  if (fromClient) routeToServer(read(client))
  for (const [number, isReady] of fromServers.entries()) if (isReady) routeToClient(read(servers[number]!))
  deliverDue()
}
capture?.close()

function read(device: number): Buffer {
  return Buffer.from(incoming.subarray(0, readSync(device, incoming)))
}

function routeToServer(packet: Buffer): void {
  const translated = path.translatedAddress === null ? packet : translateSource(packet, path.translatedAddress)
  observe(translated)
  if (path.cut) return
  const segment = parseTcp(translated)
  if (path.middlebox === "none" || !isSynWithData(segment)) {
    deliver(serverFor(translated), translated)
    return
  }
  const outcome = middleboxes[path.middlebox](segment)
  if (outcome.reset) routeToClient(outcome.reset)
  for (const { packet: passed, extraMilliseconds } of outcome.passed)
    deliver(serverFor(passed), passed, extraMilliseconds)
}

/**
 * A balancer of packets: a connection stays with the server that its SYN went to, and the data in it goes along. One that
 * took connections itself would take that data out.
 */
function serverFor(packet: Buffer): number {
  const segment = servers.length > 1 ? parseTcp(packet) : undefined
  if (segment === undefined) return servers[0]!
  const port = packet.readUInt16BE(segment.tcpOffset)
  const end = `${ipv4Address(packet, "source")}:${port}`
  // Linux draws even ports for one kind of socket and odd ones for another: the lowest bit says nothing.
  const spread = servers[(port >> 1) % servers.length]!
  if ((segment.flags & (SYN | ACK)) !== SYN) return serverByClient.get(end) ?? spread
  if (serverByClient.size >= CONNECTIONS_MAX) serverByClient.clear()
  const chosen = path.gateway === null ? spread : servers[path.gateway]!
  serverByClient.set(end, chosen)
  return chosen
}

function routeToClient(packet: Buffer): void {
  observe(packet)
  if (path.cut) return
  const destination = ipv4Address(packet, "destination")
  if (destination === undefined || path.translatedAddress === null) {
    // Addresses outside the laboratory are spoofed: nobody is there to answer.
    if (destination === undefined || destination.startsWith(CLIENT_NETWORK)) deliver(client, packet)
  } else if (destination === path.translatedAddress) {
    // An address that was given up no longer leads here: connections over it have ended, as behind a real translator.
    const segment = parseTcp(packet)
    const port = segment && packet.readUInt16BE(segment.tcpOffset + 2)
    deliver(client, translate(packet, "destination", clientByPort.get(port ?? 0) ?? CLIENT_ADDRESS))
  }
}

function translateSource(packet: Buffer, address: string): Buffer {
  const source = ipv4Address(packet, "source")
  if (source === undefined || !source.startsWith(CLIENT_NETWORK)) return packet
  const segment = parseTcp(packet)
  // Ports are not translated: two clients would have to draw the same one at the same time.
  if (segment !== undefined) clientByPort.set(packet.readUInt16BE(segment.tcpOffset), source)
  return translate(packet, "source", address)
}

function observe(packet: Buffer): void {
  capture?.write(packet, performance.timeOrigin + performance.now())
}

function deliver(device: number, packet: Buffer, extraMilliseconds = 0): void {
  if (waiting.length >= PACKETS_WAITING_MAX) return
  const due = performance.now() + path.roundTripMilliseconds / 2 + extraMilliseconds
  let place = waiting.length
  while (place > 0 && waiting[place - 1]!.due > due) place--
  waiting.splice(place, 0, { due, device, packet })
}

function deliverDue(): void {
  while (waiting.length > 0 && waiting[0]!.due <= performance.now()) {
    const { device, packet } = waiting.shift()!
    try {
      writeSync(device, packet)
    } catch {
      // A device that is down, or a packet that the kernel finds malformed: lost, as on any network.
    }
  }
}

/** `false` at the end of input. */
function readCommands(): boolean {
  const length = readSync(STANDARD_INPUT, incoming)
  if (length === 0) return false
  commands += incoming.toString("utf8", 0, length)
  const lines = commands.split("\n")
  commands = lines.pop()!
  for (const line of lines) obey(JSON.parse(line) as RouterCommand)
  return true
}

function obey(command: RouterCommand): void {
  if (command.kind === "path") {
    path = command.path
  } else if (command.kind === "capture") {
    capture?.close()
    capture = command.file === null ? undefined : new CaptureFile(command.file)
  } else {
    for (const packet of command.packets) {
      const bytes = Buffer.from(packet, "base64")
      observe(bytes)
      deliver(serverFor(bytes), bytes)
    }
  }
  answer({ done: command.kind })
}

function answer(words: RouterAnswer): void {
  writeSync(STANDARD_OUTPUT, `${JSON.stringify(words)}\n`)
}
