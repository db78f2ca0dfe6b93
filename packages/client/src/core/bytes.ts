/** A copy that nobody else writes to. `slice` of a Buffer is a view of the same memory; this one copies. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes)
}
