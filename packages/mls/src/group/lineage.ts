import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { rule } from "../errors.js"
import { Credential, GroupContextExtensions, type LeafNode } from "../wire.js"
import type { Epoch } from "./epoch.js"
import { hex } from "./records.js"
import type { GroupState, Lineage } from "./state.js"

/** Whether two leaf nodes are the same client's; by default, whether they present the same credential. */
export type SameClient = (a: LeafNode, b: LeafNode) => boolean

/** Those whose credential occurs among `others`, byte for byte, are found without comparing everybody with everybody. */
function everyoneIsAmong(
  some: readonly LeafNode[],
  others: readonly LeafNode[],
  isSame: SameClient | undefined,
): boolean {
  const credentials = new Set(others.map(credentialName))
  return some.every((leaf) =>
    isSame === undefined ? credentials.has(credentialName(leaf)) : others.some((it) => isSame(leaf, it)),
  )
}

const credentialName = ({ credential }: LeafNode): string => hex(encode(Credential, credential))

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
  isSame?: SameClient,
): void {
  const old = Array.from(parent.epoch.tree.leaves(), ([, leaf]) => leaf)
  const now = Array.from(tree.leaves(), ([, leaf]) => leaf)
  if (origin === "branch") {
    rule(everyoneIsAmong(now, old, isSame), "welcome-branch-members")
  } else {
    rule(everyoneIsAmong(old, now, isSame), "welcome-reinit-members")
  }
}
