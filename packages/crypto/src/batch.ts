/// <reference lib="esnext.disposable" preserve="true" />
/** A signature with what it signs and the key that should verify it. */
export interface SignatureToVerify {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Pieces of two memories, by place and length, so that nothing has to be put together. Places are counted through `memory`, then
 * `beside`; no piece reaches from one into the other.
 */
export interface Spans {
  readonly memory: Uint8Array
  readonly beside: Uint8Array
  readonly rows: Uint32Array
}

/** Signatures that other cores verify. Disposing ends it without an answer. */
export interface Verification extends Disposable {
  /** Takes part in what is left, and says whether all of them verify. To be called once. */
  finish(): boolean
}

/** Signatures in one piece of memory, which moves between threads without being copied. */
export function packSignatures(signatures: readonly SignatureToVerify[]): Uint8Array<ArrayBuffer> {
  let size = 0
  for (const { publicKey, message, signature } of signatures) {
    size += 12 + publicKey.length + message.length + signature.length
  }
  const packed = new Uint8Array(size)
  const view = new DataView(packed.buffer)
  let at = 0
  for (const { publicKey, message, signature } of signatures) {
    for (const bytes of [publicKey, message, signature]) {
      view.setUint32(at, bytes.length)
      packed.set(bytes, at + 4)
      at += 4 + bytes.length
    }
  }
  return packed
}

/** What {@link packSignatures} has packed, as views. */
export function* unpackSignatures(packed: Uint8Array): Generator<SignatureToVerify> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  let at = 0
  const take = () => {
    const start = at + 4
    at = start + view.getUint32(at)
    return packed.subarray(start, at)
  }
  while (at < packed.length) yield { publicKey: take(), message: take(), signature: take() }
}
