import { encode } from "@conclave/codec"
import {
  type Handover,
  type HeadClaim,
  LOG_HEAD_LABEL,
  LogHead,
  SERVICE_KEY_LABEL,
  type ServiceIdentity,
  ServiceKeyTBS,
} from "@conclave/contracts/heads"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import { type CipherSuite, cipherSuite, verifyWithLabel } from "@conclave/mls"
import type { PinnedService } from "../records/records.js"

/** Whatever a conversation's cipher suite is, a service signs with Ed25519. */
const ED25519_SUITE = 1

/** What verifies the service's signatures. Throws `UnsupportedError` where the provider lacks Ed25519. */
export function serviceSuite(provider: CryptoProvider): CipherSuite {
  return cipherSuite(ED25519_SUITE, provider)
}

/** A head of the group, as the service has to have signed it. */
export interface Head {
  readonly groupId: Uint8Array
  readonly claim: HeadClaim
}

/** By which of these keys the service has signed the head; `undefined` for none. */
export function signerOf(
  suite: CipherSuite,
  keys: readonly Uint8Array[],
  { groupId, claim }: Head,
): Uint8Array | undefined {
  const { signature, ...head } = claim
  const content = encode(LogHead, { groupId, ...head })
  return keys.find((publicKey) => verifyWithLabel(suite, { publicKey, label: LOG_HEAD_LABEL, content, signature }))
}

/** What a service says of itself, beside what this device knows of it. */
export type ServiceNews =
  | { readonly type: "same" }
  | { readonly type: "first"; readonly pinned: PinnedService }
  /** Its older key has signed for that: another key, or a later incarnation. */
  | { readonly type: "succeeds"; readonly pinned: PinnedService }
  | { readonly type: "replaced"; readonly pinned: PinnedService; readonly reason: string }

const KEYS_MAX = 8
/** Each costs a signature. */
const HANDOVERS_MAX = 256

export function newsOf(suite: CipherSuite, before: PinnedService | undefined, said: ServiceIdentity): ServiceNews {
  const { key, incarnation } = said
  if (before === undefined) return { type: "first", pinned: { keys: [key], incarnation, restoredAt: undefined } }
  const newest = before.keys.at(-1)!
  if (equalBytes(newest, key) && incarnation === before.incarnation) return { type: "same" }
  const { handovers } = said
  const replaced = { type: "replaced", pinned: { keys: [key], incarnation, restoredAt: undefined } } as const
  if (incarnation < before.incarnation) {
    return { ...replaced, reason: `it says less than before: incarnation ${incarnation} after ${before.incarnation}` }
  }
  if (handovers.length > HANDOVERS_MAX) return { ...replaced, reason: `it shows ${handovers.length} handovers` }
  let at: Pick<Handover, "key" | "incarnation"> = { key: newest, incarnation: before.incarnation }
  const keys = [...before.keys]
  for (const handover of handovers) {
    if (!equalBytes(handover.by, at.key) || handover.incarnation < at.incarnation) continue
    if (!isSigned(suite, handover)) continue
    if (!equalBytes(handover.key, at.key)) keys.push(handover.key)
    at = handover
  }
  if (!equalBytes(at.key, key) || at.incarnation !== incarnation) {
    return { ...replaced, reason: "the key that this device knows has not signed for it" }
  }
  return { type: "succeeds", pinned: { keys: keys.slice(-KEYS_MAX), incarnation, restoredAt: undefined } }
}

function isSigned(suite: CipherSuite, { by, key, incarnation, signature }: Handover): boolean {
  const content = encode(ServiceKeyTBS, { key, incarnation })
  return verifyWithLabel(suite, { publicKey: by, label: SERVICE_KEY_LABEL, content, signature })
}
