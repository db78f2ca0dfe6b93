import type { Socket } from "node:net"
import { descriptorOf, socketOptions, tcpOption } from "./socket-options.js"

/** RFC 9293 §3.3.2, in the kernel's order (`TCP_ESTABLISHED` is 1). */
const states = [
  "unknown",
  "established",
  "syn-sent",
  "syn-received",
  "fin-wait-1",
  "fin-wait-2",
  "time-wait",
  "closed",
  "close-wait",
  "last-ack",
  "listen",
  "closing",
  "new-syn-received",
] as const

export type TcpState = (typeof states)[number]

export interface TcpInfo {
  readonly state: TcpState
  /** Whether data in the SYN was taken: acknowledged by the peer (client), or received here (server). */
  readonly synDataAccepted: boolean
  /**
   * On a client: what became of data sent in the SYN. `none` means that the kernel knows of no failure: look at
   * `synDataAccepted` to tell success from not having been tried.
   */
  readonly synDataFailure: "none" | "no-cookie" | "not-acknowledged" | "syn-retransmitted"
  readonly roundTripMilliseconds: number
  readonly retransmits: number
}

// Offsets of `struct tcp_info` in Linux's `include/uapi/linux/tcp.h`; fields are only ever appended to it.
const OFFSET_STATE = 0
const OFFSET_OPTIONS = 5
const OFFSET_FAST_OPEN_FAILURE = 7
const OFFSET_ROUND_TRIP_MICROSECONDS = 68
const OFFSET_TOTAL_RETRANSMITS = 100
const MINIMUM_LENGTH = 104
const OPTION_SYN_DATA = 32
const failures = ["none", "no-cookie", "not-acknowledged", "syn-retransmitted"] as const

/** What the kernel knows of a connection; `undefined` where it cannot be asked or the socket is closed. */
export function tcpInfo(socket: Socket): TcpInfo | undefined {
  const options = socketOptions()
  const descriptor = descriptorOf(socket)
  if (options instanceof Error || descriptor === undefined) return undefined
  const bytes = options.get(descriptor, tcpOption.info, MINIMUM_LENGTH)
  if (bytes === undefined || bytes.length < MINIMUM_LENGTH) return undefined

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return {
    state: states[view.getUint8(OFFSET_STATE)] ?? "unknown",
    synDataAccepted: (view.getUint8(OFFSET_OPTIONS) & OPTION_SYN_DATA) !== 0,
    synDataFailure: failures[fastOpenFailure(view.getUint8(OFFSET_FAST_OPEN_FAILURE))]!,
    roundTripMilliseconds: view.getUint32(OFFSET_ROUND_TRIP_MICROSECONDS, littleEndian) / 1000,
    retransmits: view.getUint32(OFFSET_TOTAL_RETRANSMITS, littleEndian),
  }
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** A C bit field: one bit for the rate, then two bits for the failure; big-endian compilers start at the top. */
function fastOpenFailure(octet: number): number {
  return littleEndian ? (octet >> 1) & 3 : (octet >> 5) & 3
}
