import { encode, type Registries } from "@conclave/codec"
import type { SigningKey } from "@conclave/crypto"
import { rule } from "../errors.js"
import { signContent } from "../framing/content.js"
import { type AuthenticatedContent, type ContentBody, MLSMessage, type Proposal, type Sender } from "../wire.js"
import { decodeKeyPackage, type KeyPackageBundle } from "./key-package.js"
import { kindOf } from "./proposal-kinds.js"

/** Where a proposal from outside goes: it is good for one epoch of one group. */
export interface ProposalTarget {
  readonly groupId: Uint8Array
  readonly epoch: bigint
}

/**
 * RFC 9420 §12.1.8: a proposal by somebody whom the group's `external_senders` extension lists at `senderIndex`. The
 * result is an MLSMessage with a PublicMessage.
 *
 * @throws RuleError framing-external-proposal-type
 */
export function proposeFromOutside(
  target: ProposalTarget & { readonly senderIndex: number; readonly key: SigningKey },
  proposal: Proposal,
): Uint8Array {
  rule(kindOf(proposal).isExternal, "framing-external-proposal-type")
  return seal(target, { type: "external", senderIndex: target.senderIndex }, proposal, target.key)
}

/**
 * RFC 9420 §12.1.8: somebody proposes its own Add. Whether the group takes it in is for the members to decide. The
 * result is an MLSMessage with a PublicMessage.
 */
export function proposeOwnAdd(
  target: ProposalTarget & { readonly registries?: Registries },
  bundle: Pick<KeyPackageBundle, "keyPackage">,
  key: SigningKey,
): Uint8Array {
  const keyPackage = decodeKeyPackage(bundle.keyPackage, target.registries)
  return seal(target, { type: "newMemberProposal" }, { type: "add", keyPackage }, key)
}

function seal({ groupId, epoch }: ProposalTarget, sender: Sender, proposal: Proposal, key: SigningKey): Uint8Array {
  const contentType: ContentBody = { type: "proposal", proposal }
  const content = { groupId, epoch, sender, authenticatedData: new Uint8Array(0), contentType }
  // RFC 9420 §6.1: whoever is outside does not sign the GroupContext, which it may not know.
  const toSign = { wireFormat: "mlsPublicMessage", content, context: new Uint8Array(0) } as const
  const auth: AuthenticatedContent["auth"] = { signature: signContent(toSign, key) }
  return encode(MLSMessage, {
    version: "mls10",
    wireFormat: { type: "mlsPublicMessage", publicMessage: { content, auth } },
  })
}
