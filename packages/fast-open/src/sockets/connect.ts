import { lookup } from "node:dns"
import { type IpcSocketConnectOpts, isIP, Socket, type TcpNetConnectOpts } from "node:net"
import { type FastOpenPolicy, requirePolicy } from "./policy.js"
import { descriptorOf, type SocketOptions, socketOptions, tcpOption } from "./socket-options.js"
import { warnOnce } from "./support.js"

export interface FastOpenConnectOptions extends TcpNetConnectOpts {
  /** Default `private`. */
  policy?: FastOpenPolicy
}

/** How long a connection may stay without a first write before its SYN is sent without data. */
const FIRST_WRITE_MILLISECONDS = 5

/** What Node keeps in `socket._handle` for TCP, as far as it is needed here. */
interface TcpHandle {
  bind(address: string, port: number): number
  bind6(address: string, port: number, flags: number): number
}

/**
 * `net.connect` whose first write travels in the SYN.
 *
 * The socket is an ordinary one, for `node:net`, under `tls.connect({ socket })`, as `createConnection` of `node:http`
 * and `node:http2`. Its `connect` event comes at once, before the peer has been heard of; a refused or lost connection
 * is reported as `error` afterwards. When nothing is written within a few milliseconds, the SYN leaves without data, so
 * protocols in which the server speaks first work too.
 *
 * **Data in a SYN can be replayed by the network.** Write only what may arrive twice.
 *
 * Where the system cannot do it, the connection is an ordinary one, and one warning per process says why.
 */
export function connect(options: FastOpenConnectOptions, connected?: () => void): Socket {
  const policy = requirePolicy(options.policy)
  const { policy: _policy, ...ordinary } = options
  return connectWith(policy === "off" ? undefined : () => WITHOUT_COOKIE, ordinary, connected)
}

/** Never a cookie: where the kernel refuses to go without one, the connection is an ordinary one. */
const WITHOUT_COOKIE = [tcpOption.fastOpenNoCookie, tcpOption.fastOpenConnect]

/** What is switched on before the SYN to an address leaves; `undefined` for an ordinary one. */
export type SynOptions = (address: string) => readonly number[] | undefined

/** See {@link connect}. Without `synOptions` the connection is an ordinary one. */
export function connectWith(
  synOptions: SynOptions | undefined,
  options: TcpNetConnectOpts,
  connected?: () => void,
): Socket {
  const socket = new Socket(options)
  if (connected) socket.once("connect", connected)

  const kernel = synOptions && clientOptions()
  if (kernel === undefined || "path" in (options as object as IpcSocketConnectOpts)) return socket.connect(options)

  const { localAddress, localPort } = options
  return connectPrepared(socket, options, (address, family) => {
    const switchedOn = synOptions!(address)
    if (switchedOn) deferConnect(socket, { kernel, switchedOn, family, localAddress, localPort })
  })
}

function clientOptions(): SocketOptions | undefined {
  const options = socketOptions()
  if (!(options instanceof Error)) return options
  warnOnce("client")
  return undefined
}

/** Connects, and calls `prepare` when the address is known and the handle exists, before the kernel is asked. */
function connectPrepared(
  socket: Socket,
  options: TcpNetConnectOpts,
  prepare: (address: string, family: number) => void,
): Socket {
  const { localAddress: _address, localPort: _port, ...unbound } = options
  const host = options.host ?? "localhost"
  const literal = isIP(host)
  if (literal !== 0) {
    // Node asks the kernel in the next tick: until then the handle is there and has no descriptor.
    socket.connect(unbound)
    prepare(host, literal)
    return socket
  }

  const resolve = options.lookup ?? lookup
  return socket.connect({
    ...unbound,
    host,
    autoSelectFamily: false,
    lookup(name, lookupOptions, callback) {
      resolve(name, { ...lookupOptions, all: false }, (error, address, family) => {
        if (!error && typeof address === "string") prepare(address, family ?? isIP(address))
        callback(error, address, family)
      })
    },
  })
}

interface Deferral {
  readonly kernel: SocketOptions
  readonly switchedOn: readonly number[]
  readonly family: number
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
}

function deferConnect(socket: Socket, deferral: Deferral): void {
  const descriptor = bindAhead(socket, deferral)
  const { kernel, switchedOn } = deferral
  if (descriptor === undefined) {
    warnOnce("client", "the socket could not be bound ahead")
    return
  }
  if (switchedOn.every((option) => kernel.set(descriptor, option, 1) === 0)) {
    socket.once("connect", () => sendSynWithoutWrite(socket, kernel))
  } else {
    warnOnce("client")
  }
}

/** Binding makes the descriptor; port 0 lets the kernel draw a random one, where connecting would count upwards. */
function bindAhead(socket: Socket, { family, localAddress, localPort = 0 }: Deferral): number | undefined {
  const handle = (socket as Socket & { _handle?: TcpHandle | null })._handle
  const error =
    family === 6
      ? handle?.bind6(localAddress ?? "::", localPort, 0)
      : handle?.bind(localAddress ?? "0.0.0.0", localPort)
  return error === 0 ? descriptorOf(socket) : undefined
}

function sendSynWithoutWrite(socket: Socket, kernel: SocketOptions): void {
  const timer = setTimeout(() => {
    const descriptor = descriptorOf(socket)
    if (descriptor !== undefined && socket.bytesWritten === 0) kernel.sendNothing(descriptor)
  }, FIRST_WRITE_MILLISECONDS)
  socket.once("close", () => clearTimeout(timer))
}
