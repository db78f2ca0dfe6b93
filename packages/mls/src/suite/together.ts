import { type Writer, written } from "@conclave/codec"
import type { SignatureScheme, SignatureToVerify, Spans, Verification } from "@conclave/crypto"
import { signedMessage, writeSignedMessage } from "./labels.js"
import type { CipherSuite } from "./suite.js"

/** So many signatures are verified without interruption, where they are verified together: 3 ms on two cores. */
export const SIGNATURES_TOGETHER = 256

/** Fewer are verified faster one by one than threads are started, or woken. */
const SIGNATURES_MIN = 16

/** Whether so many signatures are verified faster together. */
export const isWorthThreads = (count: number): boolean => count >= SIGNATURES_MIN

/** What `key.sign` was given is the label and the content: see `signedMessage`. */
interface Signed {
  readonly publicKey: Uint8Array
  readonly label: string
  readonly content: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Whether the signatures are valid, all of them, on every core. `false` says nothing of any of them: somebody has to look at
 * each. `signatures` is called where it makes sense to ask.
 */
export function areValidTogether(
  { signature: scheme }: CipherSuite,
  count: number,
  signatures: () => readonly Signed[],
): boolean {
  if (!isWorthThreads(count)) return false
  const begun = begin(scheme, signatures)
  if (begun !== undefined) return begun.finish()
  return scheme.verifyAll?.(signatures().map(signatureToVerify)) ?? false
}

export function signatureToVerify({ publicKey, label, content, signature }: Signed): SignatureToVerify {
  return { publicKey, message: signedMessage(label, content), signature }
}

/** Begins what {@link areValidTogether} does, where other cores can be at it meanwhile. */
export function beginTogether(
  { signature: scheme }: CipherSuite,
  count: number,
  signatures: () => readonly Signed[],
): Verification | undefined {
  return isWorthThreads(count) ? begin(scheme, signatures) : undefined
}

export type BeginVerifying = NonNullable<SignatureScheme["beginVerifying"]>

/** Written once, for a provider copies it. */
function begin({ beginVerifying }: SignatureScheme, signatures: () => readonly Signed[]): Verification | undefined {
  return beginVerifying && written((writer) => beginVerifying(inOnePiece(writer, signatures())))
}

function inOnePiece(writer: Writer, signatures: readonly Signed[]): Spans {
  const rows = new Uint32Array(signatures.length * ROW_WORDS)
  let word = 0
  const piece = (from: number) => {
    rows[word++] = from
    rows[word++] = writer.length - from
  }
  for (const { publicKey, label, content, signature } of signatures) {
    const start = writer.length
    writer.bytes(publicKey)
    piece(start)
    const signatureAt = writer.length
    writer.bytes(signature)
    piece(signatureAt)
    rows[word++] = 1
    const messageAt = writer.length
    writeSignedMessage(writer, label, () => writer.bytes(content))
    piece(messageAt)
  }
  return { memory: writer.view(), beside: NOTHING, rows }
}

/** A key, a signature, and a message of one piece. */
const ROW_WORDS = 7
const NOTHING = new Uint8Array(0)

/**
 * So many are encrypted without interruption: where it is done together, the less often threads are started the better. 128 take
 * 2 ms on two cores.
 */
export const ciphertextsTogether = ({ hpke }: CipherSuite): number => (hpke.sealsTogether ? 128 : 1)

/** Lists of at most `size` items, one after the other. */
export function* inParts<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let part: T[] = []
  for (const item of items) {
    part.push(item)
    if (part.length < size) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}
