import type { Registries } from "@conclave/codec"
import { rule } from "../errors.js"
import type { CipherSuite, Random } from "../suite/suite.js"
import type { Capabilities } from "../wire.js"
import type { Epoch } from "./epoch.js"
import { encodeGroupInfoMessage, signGroupInfo } from "./group-info.js"
import { ownCapabilities } from "./key-package.js"
import { defaultPolicy, type GroupPolicy } from "./policy.js"
import { type GroupProfile, unrestrictedProfile } from "./profile.js"
import type { GroupEnvironment } from "./state.js"
import type { CredentialClaim, PskLookup, Signer, Verdict } from "./types.js"

/** What every way into a group asks for. */
export interface GroupOptions {
  readonly suite: CipherSuite
  /** Speaks for this member until a commit rotates it. The group does not dispose of it. */
  readonly signer: Signer
  /** Unix seconds. */
  readonly now: () => bigint
  /** Fills new arrays with random bytes; by default the provider does. */
  readonly random?: Random
  readonly policy?: Partial<GroupPolicy>
  /** What the application allows of RFC 9420, the same for every member; by default all of it. */
  readonly profile?: GroupProfile
  /** Secrets of external pre-shared keys, and of other groups' resumption keys (RFC 9420 §8.4). */
  readonly psks?: PskLookup
  /** Shapes of the proposal and credential types that the application adds (RFC 9420 §13). */
  readonly registries?: Registries
  /** What the client supports beyond what the library does: it is advertised in our leaf nodes. */
  readonly capabilities?: Partial<Capabilities>
}

export function environmentOf(options: GroupOptions): GroupEnvironment {
  const random = options.random ?? options.suite.provider.random
  return {
    suite: options.suite,
    signer: options.signer,
    now: options.now,
    // A generator may give Buffers, whose slices share their memory.
    random: (length) => {
      const bytes = random(length)
      if (bytes.constructor === Uint8Array) return bytes
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    },
    policy: { ...defaultPolicy, ...options.policy },
    profile: options.profile ?? unrestrictedProfile,
    psks: options.psks ?? (() => undefined),
    registries: options.registries,
    capabilities: options.capabilities ?? {},
  }
}

export function capabilitiesOf({ suite, signer, capabilities, policy, random }: GroupEnvironment): Capabilities {
  return ownCapabilities(suite, signer, capabilities, policy.grease ? random : undefined)
}

/** What a committer publishes of the epoch that it begins: with a key to join by, without the tree. */
export function newGroupInfo(epoch: Epoch, { policy, random }: GroupEnvironment): Uint8Array {
  return encodeGroupInfoMessage(signGroupInfo(epoch, { withExternalPub: true }, policy.grease ? random : undefined))
}

/** RFC 9420 §5.3.1. @throws RuleError */
export function requireAccepted(claims: readonly CredentialClaim[], verdicts: readonly Verdict[]): void {
  const accepted = new Set(verdicts.filter((verdict) => verdict.accepted).map((verdict) => verdict.claim))
  for (const claim of claims) rule(accepted.has(claim), "credential-accepted")
}
