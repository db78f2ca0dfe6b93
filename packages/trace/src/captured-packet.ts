export interface CapturedPacket {
  /** Milliseconds since 1970, with a fraction. A packet without a time has that of the packet before it, or 0. */
  readonly time: number
  /** Whether the file has a time for this packet. Simple packet blocks of pcapng have none. */
  readonly isTimed: boolean
  readonly linkType: number
  /** What was captured of the packet. */
  readonly bytes: Buffer
  /** Length of the whole packet in bytes, at least that of `bytes`. */
  readonly length: number
}
