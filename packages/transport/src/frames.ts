import { boolean, enumeration, opaque, type TypeOf, uint32, union, utf8 } from "@conclave/codec"

/**
 * What travels over a socket: many requests and streams side by side, each with a number of the client's choice that
 * only ever grows.
 *
 * ```
 *   client                              server
 *   open 1 "delivery" credit 262144 ──►
 *                                   ◄── item 1 (spends its length)
 *                                   ◄── item 1
 *   credit 1 +131072 ──►                                             when the reader has taken that much
 *                                   ◄── end 1, or failed 1 "reason"
 *   cancel 1 ──►                                                     at any time
 * ```
 *
 * The server sends an item only while the stream's credit is above zero; the item that spends the last of it may be
 * longer. So neither side ever holds more than the credit and one item for each stream, however slow the reader is.
 */
export const ClientFrameKind = enumeration("ClientFrameKind", 1, { open: 1, credit: 2, cancel: 3, ping: 4 })
export const ClientFrame = union("ClientFrame", "kind", ClientFrameKind, {
  open: { stream: uint32, service: utf8, credit: uint32, body: opaque },
  credit: { stream: uint32, bytes: uint32 },
  cancel: { stream: uint32 },
  /** Browsers cannot send the pings of RFC 6455. */
  ping: {},
})
export type ClientFrame = TypeOf<typeof ClientFrame>

export const ServerFrameKind = enumeration("ServerFrameKind", 1, { item: 1, end: 2, failed: 3, pong: 4 })
export const ServerFrame = union("ServerFrame", "kind", ServerFrameKind, {
  item: { stream: uint32, body: opaque },
  end: { stream: uint32 },
  /** Stream 0 stands for the whole socket, which the server then closes. */
  failed: { stream: uint32, reason: utf8, retryable: boolean },
  pong: {},
})
export type ServerFrame = TypeOf<typeof ServerFrame>

/** The name of the frames above, as WebSocket subprotocol (RFC 6455 §1.9). */
export const SUBPROTOCOL = "conclave.1"
/** What an item takes from its stream's credit. One of no bytes costs one, or there could be any number of them. */
export const costOf = (item: Uint8Array) => Math.max(item.length, 1)
/** What a frame adds to the body it carries, at most, in bytes. */
export const FRAME_OVERHEAD = 128
