import type { CredentialClaim, Verdict } from "@conclave/mls"
import { type ChainJudgement, type ChainOptions, judgeChain, judgeChainAtAnyTime } from "./chain.js"

export interface X509VerdictOptions extends ChainOptions {
  /** Whether these identities may be in the group; by default everybody whom a root vouches for. */
  readonly admits?: (identities: readonly string[]) => boolean
}

/** A verdict and what it was founded on. */
export interface X509Verdict extends Verdict {
  readonly judgement: ChainJudgement
}

/**
 * Judges the claims of a staged commit or join whose members present X.509 chains (RFC 9420 §5.3.1): the chain must be
 * valid and hold the signature key; a successor must present all identities of its predecessor, which itself need not be
 * valid any more. Credentials of other types are refused.
 *
 * ```ts
 * group.apply(staged, await x509Verdicts(staged.claims, { roots, at: new Date() }))
 * ```
 */
export async function x509Verdicts(
  claims: readonly CredentialClaim[],
  options: X509VerdictOptions,
): Promise<readonly X509Verdict[]> {
  return Promise.all(claims.map((claim) => judge(claim, options)))
}

async function judge(claim: CredentialClaim, options: X509VerdictOptions): Promise<X509Verdict> {
  const judgement = await judgeCredential(claim, (certificates, key) => judgeChain(certificates, key, options))
  if (!judgement.valid) return { claim, accepted: false, judgement }
  const admitted = options.admits?.(judgement.identities) ?? true
  return { claim, accepted: admitted && (await isSuccessor(claim, judgement.identities, options)), judgement }
}

async function judgeCredential(
  { credential, signatureKey }: Pick<CredentialClaim, "credential" | "signatureKey">,
  judge: (certificates: readonly Uint8Array[], signatureKey: Uint8Array) => Promise<ChainJudgement>,
): Promise<ChainJudgement> {
  if (credential.type !== "x509") return { valid: false, fault: "malformed" }
  return judge(
    credential.certificates.map(({ certData }) => certData),
    signatureKey,
  )
}

/** RFC 9420 §5.3.1: "acceptable to the application for the same client". */
async function isSuccessor(
  { predecessor }: CredentialClaim,
  identities: readonly string[],
  options: ChainOptions,
): Promise<boolean> {
  if (predecessor === undefined) return true
  const before = await identitiesWhenValid(predecessor, options)
  return before?.every((identity) => identities.includes(identity)) ?? false
}

/** The predecessor was judged when it came; now only its names count, and it may have expired or been revoked. */
async function identitiesWhenValid(
  predecessor: Pick<CredentialClaim, "credential" | "signatureKey">,
  { isRevoked: _, ...options }: ChainOptions,
): Promise<readonly string[] | undefined> {
  const judgement = await judgeCredential(predecessor, (certificates, key) =>
    judgeChainAtAnyTime(certificates, key, options),
  )
  return judgement.valid ? judgement.identities : undefined
}
