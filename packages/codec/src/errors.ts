/** Bytes that are not the one valid encoding of any value. */
export class DecodeError extends Error {
  override readonly name = "DecodeError"
  readonly code = "DECODE_FAILED"
  /** Where decoding failed, outermost first: `["KeyPackage.leafNode", "LeafNode.signature"]`. */
  readonly path: readonly string[]
  /** The byte of the input at which it failed. */
  readonly offset: number
  /** What was wrong there, without the place. */
  readonly reason: string

  constructor(reason: string, offset: number, path: readonly string[] = []) {
    super(`${path.length > 0 ? `${path.join(" > ")}: ` : ""}${reason} (at byte ${offset})`)
    this.reason = reason
    this.offset = offset
    this.path = path
  }

  /** The same error, seen from the struct around it. */
  within(place: string): DecodeError {
    return new DecodeError(this.reason, this.offset, [place, ...this.path])
  }
}
