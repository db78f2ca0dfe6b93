import { encode } from "@conclave/codec"
import { rule } from "../errors.js"
import type { Random } from "../suite/suite.js"
import { LIST_LENGTH_MAX } from "../tree/leaf.js"
import { PreSharedKeyID } from "../wire.js"

/** How the new group came to be, where its first Commit may use resumption keys of its origin (RFC 9420 §11.2, §11.3). */
export interface Origin {
  readonly kind: "reinit" | "branch"
  /** KDF.Nh of the group that it continues, in bytes. */
  readonly secretSize: number | undefined
}

/** The name of a resumption key (RFC 9420 §8.6), with a fresh nonce. */
export function resumptionId(
  from: { readonly groupId: Uint8Array; readonly epoch: bigint; readonly usage: "application" | "reinit" | "branch" },
  environment: Parameters<typeof freshNonce>[0],
): PreSharedKeyID {
  const { groupId: pskGroupId, epoch: pskEpoch, usage } = from
  return { psktype: { type: "resumption", usage, pskGroupId, pskEpoch }, pskNonce: freshNonce(environment) }
}

/** RFC 9420 §12.1.4: fresh, as long as a secret. */
export function freshNonce(environment: {
  readonly suite: { readonly secretSize: number }
  readonly random: Random
}): Uint8Array {
  return environment.random(environment.suite.secretSize)
}

/**
 * RFC 9420 §8.4, §12.2: the pre-shared keys of a Commit, and of the Welcome to it. `originSecretSize`: KDF.Nh of the group
 * that was reinitialised, in bytes.
 *
 * @throws RuleError
 */
export function validatePskList(
  ids: readonly PreSharedKeyID[],
  secretSize: number,
  originSecretSize: number | undefined,
): void {
  rule(ids.length <= LIST_LENGTH_MAX, "psk-count")
  for (const id of ids) requireNonceLength(id, secretSize, originSecretSize)
  const names = ids.map((id) => encode(PreSharedKeyID, id).join())
  rule(new Set(names).size === names.length, "psk-distinct")
}

/** RFC 9420 §12.1.4: one key by itself. @throws RuleError */
export function validatePskId(id: PreSharedKeyID, secretSize: number, origin: Origin | undefined): void {
  requireNonceLength(id, secretSize, origin?.secretSize)
  const { psktype } = id
  const forNewGroup = psktype.type === "resumption" && psktype.usage !== "application"
  rule(!forNewGroup || psktype.usage === origin?.kind, "psk-usage")
}

/**
 * RFC 9420 §8.4, §12.1.4: KDF.Nh of the group in which the key is used. Where a ReInit has changed the hash function,
 * some clients draw the nonce of the link with that of the old group; nothing depends on which of the two it is.
 */
function requireNonceLength(
  { psktype, pskNonce }: PreSharedKeyID,
  secretSize: number,
  originSecretSize: number | undefined,
): void {
  const isLink = psktype.type === "resumption" && psktype.usage === "reinit"
  rule(pskNonce.length === secretSize || (isLink && pskNonce.length === originSecretSize), "psk-nonce-length")
}
