import { DecodeError, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { type CipherSuite, decodeGroupInfo, verifyWithLabel } from "@conclave/mls"
import { GroupInfoTBS } from "@conclave/mls/wire"
import type { State } from "./state.js"

export interface SignedGroupInfo {
  /** The member whose signature is on it. */
  readonly name: string
  readonly epoch: bigint
}

/**
 * Who has signed a GroupInfo (RFC 9420 §12.4.3), if it is a member of this device's last tree with the key that it has
 * there; `undefined` for anything else. Whose tree comes with the GroupInfo plays no part.
 */
export function knownSigner(
  { id, outline }: Pick<State, "id" | "outline">,
  suite: CipherSuite,
  message: Uint8Array,
): SignedGroupInfo | undefined {
  try {
    const groupInfo = decodeGroupInfo(message)
    const leaf = outline.shown?.nodes[2 * groupInfo.signer]
    if (leaf?.type !== "leaf") return undefined
    const { signature, groupContext } = groupInfo
    // The same member may have the same place, and key, in another group.
    if (!equalBytes(groupContext.groupId, id)) return undefined
    const content = encode(GroupInfoTBS, groupInfo)
    const { signatureKey: publicKey, name } = leaf
    const signed = { publicKey, label: "GroupInfoTBS", content, signature }
    return verifyWithLabel(suite, signed) ? { name, epoch: groupContext.epoch } : undefined
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
