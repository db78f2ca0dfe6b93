import { createRequire } from "node:module"

/** Level and option numbers of Linux's `netinet/tcp.h`; they are the same on every architecture. */
const IPPROTO_TCP = 6
export const tcpOption = {
  synCount: 7,
  info: 11,
  fastOpen: 23,
  fastOpenConnect: 30,
  fastOpenNoCookie: 34,
} as const

const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

/** The few calls of the C library that Node does not offer. */
export interface SocketOptions {
  /** Returns 0, or the error number of the system. */
  set(descriptor: number, option: number, value: number | Uint8Array): number
  /** The bytes that the kernel has written for the option, or `undefined` where it refuses. */
  get(descriptor: number, option: number, length: number): Uint8Array | undefined
  /** Sends nothing, which makes a deferred connection send its SYN. */
  sendNothing(descriptor: number): void
  /** Calls `use` with a socket that is closed afterwards; `undefined` where none is to be had. */
  withProbe<T>(use: (descriptor: number) => T): T | undefined
}

let loaded: SocketOptions | Error | undefined

/**
 * Loads the C library through koffi at the first call, never at import: an application that stays with ordinary
 * connections pays nothing. koffi is an optional dependency. An `Error` says why it is not available (another system,
 * koffi not installed or not made for this machine).
 */
export function socketOptions(): SocketOptions | Error {
  loaded ??= load()
  return loaded
}

function load(): SocketOptions | Error {
  if (process.platform !== "linux") return new Error(`socket options of Linux are needed, this is ${process.platform}`)
  try {
    return bind(createRequire(import.meta.url)("koffi"))
  } catch (cause) {
    return new Error("the optional package koffi cannot be loaded", { cause })
  }
}

function bind(koffi: typeof import("koffi")): SocketOptions {
  // The running program's own symbols: glibc or musl, whichever Node was linked with.
  const library = koffi.load(null)
  const setsockopt = library.func("int setsockopt(int, int, int, const void *, uint32_t)")
  const getsockopt = library.func("int getsockopt(int, int, int, void *, void *)")
  const send = library.func("intptr_t send(int, const void *, size_t, int)")
  const socket = library.func("int socket(int, int, int)")
  const close = library.func("int close(int)")

  return {
    set(descriptor, option, value) {
      const bytes = typeof value === "number" ? int32(value) : value
      return setsockopt(descriptor, IPPROTO_TCP, option, bytes, bytes.length) === 0 ? 0 : koffi.errno()
    },
    get(descriptor, option, length) {
      const value = new Uint8Array(length)
      const size = int32(length)
      if (getsockopt(descriptor, IPPROTO_TCP, option, value, size) !== 0) return undefined
      return value.subarray(0, new Int32Array(size.buffer, size.byteOffset, 1)[0])
    },
    sendNothing(descriptor) {
      send(descriptor, null, 0, MSG_DONTWAIT | MSG_NOSIGNAL)
    },
    withProbe(use) {
      const descriptor: number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
      if (descriptor < 0) return undefined
      try {
        return use(descriptor)
      } finally {
        close(descriptor)
      }
    },
  }
}

function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}

/**
 * The file descriptor behind a socket or server of Node, or `undefined` where there is none (not Linux, closed, or a
 * cluster worker whose primary holds the socket). Node keeps it in its handle, which is the only way to an option
 * that `node:net` does not know.
 */
export function descriptorOf(owner: object): number | undefined {
  const fd = (owner as { _handle?: { fd?: unknown } | null })._handle?.fd
  return typeof fd === "number" && fd >= 0 ? fd : undefined
}
