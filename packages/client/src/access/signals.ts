import { DecodeError, decode, encode, opaque, struct, type TypeOf, uint32, uint64 } from "@conclave/codec"
import { equalBytes, type SigningKey } from "@conclave/crypto"
import { type CipherSuite, type Exporter, signWithLabel, verifyWithLabel } from "@conclave/mls"
import { openWith, sealWith } from "./interval-keys.js"

/**
 * Signals are not messages of MLS: those use up a generation of the sender's ratchet each, and one that was lost would have
 * to be skipped by everybody. They are sealed under a key of the epoch, and signed with the sender's leaf key.
 */

/** The label of MLS's exporter (RFC 9420 §8.5); the context is the group's id, and the length AEAD.Nk of the suite. */
export const SIGNAL_LABEL = "conclave signal"
/** The label of a signal's signature: `SignWithLabel(leaf key, "ConclaveSignal", SignalTBS)` (RFC 9420 §5.1.2). */
export const SIGNATURE_LABEL = "ConclaveSignal"

export const SignalTBS = struct("SignalTBS", {
  groupId: opaque,
  epoch: uint64,
  leafIndex: uint32,
  /** Rises with each signal of this leaf, and is not before the sender's clock: Unix time in milliseconds, or one more than the last. */
  number: uint64,
  content: opaque,
})
export type SignalTBS = TypeOf<typeof SignalTBS>
/** What is sealed: `padding` are zeros, as many as make it {@link SIGNAL_SIZE} bytes. */
export const SignedSignal = struct("SignedSignal", { tbs: SignalTBS, signature: opaque, padding: opaque })

/** Bytes of what is sealed, whatever is in it: its length says nothing. With nonce and tag it fits into 1,024. */
export const SIGNAL_SIZE = 896
/** Of the content of a signal, in bytes. */
export const SIGNAL_CONTENT_MAX = 512

/** Of one epoch. */
export const signalKey = (suite: CipherSuite, groupId: Uint8Array, exported: Exporter): Uint8Array =>
  exported({ label: SIGNAL_LABEL, context: groupId, length: suite.aead.keySize })

interface Sealing {
  readonly key: Uint8Array
  readonly signer: SigningKey
  readonly random: (length: number) => Uint8Array
}

/** A nonce, and the ciphertext of the suite's AEAD with the group's id as associated data. */
export function sealSignal(suite: CipherSuite, tbs: SignalTBS, { key, signer, random }: Sealing): Uint8Array {
  const signature = signWithLabel(signer, SIGNATURE_LABEL, encode(SignalTBS, tbs))
  const plaintext = padded({ tbs, signature })
  return sealWith(suite, { key, plaintext, context: tbs.groupId }, random)
}

function padded(signed: Omit<TypeOf<typeof SignedSignal>, "padding">): Uint8Array {
  // The length of a vector takes 1, 2 or 4 bytes (RFC 9420 §2.1.2): one more of padding may take one more before it.
  for (
    let size = SIGNAL_SIZE - encode(SignedSignal, { ...signed, padding: new Uint8Array() }).length;
    size >= 0;
    size--
  ) {
    const plaintext = encode(SignedSignal, { ...signed, padding: new Uint8Array(size) })
    if (plaintext.length === SIGNAL_SIZE) return plaintext
  }
  throw new RangeError("the signal is too long")
}

interface Opening {
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly key: Uint8Array
  /** The signature key of a leaf; `undefined` where the tree has none there. */
  signatureKeyOf(leafIndex: number): Uint8Array | undefined
}

/** `undefined` for whatever no member of this epoch has signed as it is. Whether it is new is for the caller to say. */
export function openSignal(suite: CipherSuite, sealed: Uint8Array, opening: Opening): SignalTBS | undefined {
  const { groupId, epoch, key, signatureKeyOf } = opening
  const plaintext = openWith(suite, { key, sealed, context: groupId })
  const signed = plaintext?.length === SIGNAL_SIZE ? decoded(plaintext) : undefined
  if (signed === undefined || signed.padding.some((byte) => byte !== 0)) return undefined
  const { tbs, signature } = signed
  if (!equalBytes(tbs.groupId, groupId) || tbs.epoch !== epoch) return undefined
  const publicKey = signatureKeyOf(tbs.leafIndex)
  if (publicKey === undefined) return undefined
  const content = encode(SignalTBS, tbs)
  return verifyWithLabel(suite, { publicKey, label: SIGNATURE_LABEL, content, signature }) ? tbs : undefined
}

function decoded(plaintext: Uint8Array): TypeOf<typeof SignedSignal> | undefined {
  try {
    return decode(SignedSignal, plaintext)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
