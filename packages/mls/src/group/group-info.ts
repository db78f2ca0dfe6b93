import { decode, encode, type Registries } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { DecodeError, rule } from "../errors.js"
import { externalKeyPair } from "../schedule/key-schedule.js"
import { signWritten, verifyWithLabel } from "../suite/labels.js"
import type { Random } from "../suite/suite.js"
import {
  decodeExtension,
  extensionData,
  extensionTypes,
  validateExtensionList,
  withoutSignature,
} from "../tree/leaf.js"
import type { RatchetTree } from "../tree/ratchet-tree.js"
import { type Extension, ExternalPub, GroupInfo, GroupInfoTBS, MLSMessage } from "../wire.js"
import { type Epoch, requireGroupId } from "./epoch.js"
import { greaseValue } from "./key-package.js"

export interface GroupInfoOptions {
  /** Whether the tree is inside (RFC 9420 §12.4.3.3). */
  readonly withRatchetTree?: boolean
  /** Whether somebody may join by an external Commit with it (RFC 9420 §12.4.3.2). */
  readonly withExternalPub?: boolean
  /** Further extensions, for the application's own use. */
  readonly extensions?: readonly Extension[]
}

/** RFC 9420 §12.4.3, signed by this member. With `grease`, an extension that nobody knows is among the others. */
export function signGroupInfo(epoch: Epoch, options: GroupInfoOptions, grease: Random | undefined): GroupInfo {
  const extensions = [...(options.extensions ?? [])]
  if (options.withRatchetTree) {
    extensions.push({ extensionType: extensionTypes.ratchetTree, extensionData: epoch.tree.encode() })
  }
  if (options.withExternalPub) {
    const { publicKey } = externalKeyPair(epoch.suite, epoch.secrets.external)
    const extension = encode(ExternalPub, { externalPub: publicKey })
    extensions.push({ extensionType: extensionTypes.externalPub, extensionData: extension })
  }
  if (grease) extensions.push({ extensionType: greaseValue(grease), extensionData: grease(8) })
  const { context: groupContext, confirmationTag, ownLeafIndex: signer } = epoch
  const unsigned = { groupContext, extensions, confirmationTag, signer }
  const signature = signWritten(epoch.signer.key, LABEL, (writer) => GroupInfoTBS.write(writer, unsigned))
  return { groupContext, extensions, confirmationTag, signer, signature }
}

const LABEL = "GroupInfoTBS"

export function encodeGroupInfoMessage(groupInfo: GroupInfo): Uint8Array {
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsGroupInfo", groupInfo } })
}

/** The GroupInfo in an MLSMessage. @throws DecodeError */
export function decodeGroupInfo(message: Uint8Array, registries?: Registries): GroupInfo {
  const { wireFormat } = decode(MLSMessage, message, { registries })
  if (wireFormat.type !== "mlsGroupInfo") throw new DecodeError(`expected a group info, not ${wireFormat.type}`, 2)
  return wireFormat.groupInfo
}

/** RFC 9420 §12.4.3: signed by the member that it names. @throws RuleError */
export function verifyGroupInfo(groupInfo: GroupInfo, tree: RatchetTree): void {
  const { signature, signer } = groupInfo
  const leaf = tree.leaf(signer)
  // RFC 9420 §12.4.3: GroupInfoTBS is what stands before the signature. With a tree in it, it is megabytes.
  const content = withoutSignature(GroupInfo.bytesOf(groupInfo), signature)
  const isSigned = (publicKey: Uint8Array) =>
    verifyWithLabel(tree.suite, { publicKey, label: LABEL, content, signature })
  rule(leaf !== undefined && isSigned(leaf.signatureKey), "group-info-signature")
  requireGroupId(groupInfo.groupContext.groupId)
  validateExtensionList(groupInfo.extensions, "groupInfo")
  validateExtensionList(groupInfo.groupContext.extensions, "groupContext")
  rule(equalBytes(tree.treeHash(), groupInfo.groupContext.treeHash), "tree-hash")
}

/** The tree from inside the GroupInfo, or the one that came beside it. */
export function treeBytes({ extensions }: GroupInfo, beside: Uint8Array | undefined): Uint8Array {
  const bytes = extensionData(extensions, extensionTypes.ratchetTree) ?? beside
  rule(bytes !== undefined, "welcome-tree-present")
  return bytes
}

/** RFC 9420 §12.4.3.2. @throws RuleError */
export function externalPub({ extensions }: GroupInfo): Uint8Array {
  const data = extensionData(extensions, extensionTypes.externalPub)
  rule(data !== undefined, "external-pub-present")
  return decodeExtension(() => decode(ExternalPub, data)).externalPub
}
