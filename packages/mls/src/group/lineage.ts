import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { rule } from "../errors.js"
import { Credential, GroupContextExtensions, type LeafNode } from "../wire.js"
import type { Epoch } from "./epoch.js"
import type { GroupState, Lineage } from "./state.js"

/** Whether two leaf nodes are the same client's; by default, whether they present the same credential. */
export type SameClient = (a: LeafNode, b: LeafNode) => boolean

const sameCredential: SameClient = (a, b) =>
  equalBytes(encode(Credential, a.credential), encode(Credential, b.credential))

/**
 * RFC 9420 §11.2, §11.3: a new group's parameters are those that its origin allows.
 *
 * @throws RuleError
 */
export function requireContinuation(parent: GroupState, { context }: Epoch, { origin, epoch }: Lineage): void {
  if (origin === "branch") {
    rule(context.cipherSuite === parent.epoch.context.cipherSuite, "welcome-branch-parameters")
    return
  }
  const { reInit } = parent
  rule(
    reInit !== undefined &&
      // The resumption key is that of the epoch which the ReInit began.
      epoch === parent.epoch.context.epoch &&
      equalBytes(reInit.groupId, context.groupId) &&
      reInit.version === 1 &&
      reInit.cipherSuite === context.cipherSuite &&
      equalBytes(
        encode(GroupContextExtensions, { extensions: reInit.extensions }),
        encode(GroupContextExtensions, { extensions: context.extensions }),
      ),
    "welcome-reinit-parameters",
  )
}

/**
 * RFC 9420 §12.4.3.1: a reinitialised group has all members of the old one, a branched one has no others.
 *
 * @throws RuleError
 */
export function requireContinuedMembers(
  parent: GroupState,
  { tree }: Epoch,
  { origin }: Lineage,
  isSame: SameClient = sameCredential,
): void {
  const old = Array.from(parent.epoch.tree.leaves(), ([, leaf]) => leaf)
  const now = Array.from(tree.leaves(), ([, leaf]) => leaf)
  if (origin === "branch") {
    rule(
      now.every((leaf) => old.some((it) => isSame(leaf, it))),
      "welcome-branch-members",
    )
  } else {
    rule(
      old.every((leaf) => now.some((it) => isSame(leaf, it))),
      "welcome-reinit-members",
    )
  }
}
