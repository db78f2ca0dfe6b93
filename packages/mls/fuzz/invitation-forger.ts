import { decode, encode } from "@conclave/codec"
import { decodeGroupInfo, decodeKeyPackage, extensionTypes, leafIndex, signWithLabel } from "@conclave/mls"
import { welcomeKey } from "../src/group/commit.js"
import { encodeContext } from "../src/group/epoch.js"
import { epochOfJoiner, memberSecrets } from "../src/schedule/key-schedule.js"
import { pskSecret } from "../src/schedule/psk.js"
import { decryptWithLabel, encryptorWithLabel } from "../src/suite/labels.js"
import { RatchetTree } from "../src/tree/ratchet-tree.js"
import { GroupInfo, GroupInfoTBS, GroupSecrets, MLSMessage, type Node, RatchetTreeNodes } from "../src/wire.js"
import { mutateBytes } from "./bytes.js"
import type { Choices } from "./choices.js"
import { drawing } from "./random.js"
import { signLeaf } from "./signing.js"
import { mutateValue, type Pool, poolOf } from "./values.js"
import type { Invitation, World } from "./world.js"

type UnsignedGroupInfo = Omit<GroupInfo, "signature">
type Nodes = readonly (Node | undefined)[]

/** What comes to somebody who is to join, changed at one layer and right above it. */
export class InvitationForger {
  readonly invitation: Invitation
  /** Which layer is changed. */
  way: "octets" | "fields" | "secrets" | "groupInfo" | "tree" = "octets"
  readonly #world: World
  readonly #secrets: GroupSecrets
  readonly #inWelcome: GroupInfo
  readonly #outside: GroupInfo
  readonly #asTheyWere: ReadonlySet<string>
  readonly #pool: Pool

  constructor(world: World, invitation: Invitation) {
    this.#world = world
    this.invitation = invitation
    const welcome = messageOf(invitation.welcome, "mlsWelcome").welcome
    const { initKey } = decodeKeyPackage(invitation.bundle.keyPackage)
    const { suite } = world
    const key = { privateKey: invitation.bundle.initPrivateKey, publicKey: initKey, label: "Welcome" }
    const context = { ...key, context: welcome.encryptedGroupInfo }
    this.#secrets = decode(GroupSecrets, decryptWithLabel(suite, context, welcome.secrets[0]!.encryptedGroupSecrets)!)
    const sealing = welcomeKey(
      suite,
      memberSecrets(suite, this.#secrets.joinerSecret, this.#psk(this.#secrets)).welcome,
    )
    const plaintext = suite.aead.open(sealing.key, sealing.nonce, welcome.encryptedGroupInfo, new Uint8Array(0))!
    this.#inWelcome = decode(GroupInfo, plaintext)
    this.#outside = decodeGroupInfo(invitation.groupInfo)
    this.#asTheyWere = new Set(nodesOf(this.#inWelcome).map(encodedNode))
    this.#pool = poolOf([
      { welcome, secrets: this.#secrets, groupInfo: this.#inWelcome, outside: this.#outside },
      { nodes: nodesOf(this.#inWelcome) },
      ...world.scenes[0]!.messages.map((message) =>
        decode(MLSMessage, message, { registries: world.alice.options.registries! }),
      ),
    ])
  }

  /** MLSMessage with a Welcome. */
  welcome(choices: Choices): { readonly message: Uint8Array; readonly ratchetTree: Uint8Array | undefined } {
    const { welcome } = this.invitation
    const ratchetTree = undefined
    if (this.way === "octets") return { message: this.#octets(welcome, choices), ratchetTree }
    if (this.way === "fields") return { message: this.#fields(welcome, choices), ratchetTree }
    if (this.way === "secrets") {
      const secrets = mutateValue(this.#secrets, choices, this.#pool)
      return this.#orAsItWas({ message: welcome, ratchetTree }, () => ({
        message: this.#sealed(this.#inWelcome, secrets),
        ratchetTree,
      }))
    }
    return this.#orAsItWas({ message: welcome, ratchetTree }, () => {
      const changed = this.#changed(this.#inWelcome, choices)
      return {
        message: this.#sealed(this.#signed(this.#tagged(changed.groupInfo)), this.#secrets),
        ratchetTree: changed.beside,
      }
    })
  }

  /** MLSMessage with a GroupInfo. */
  groupInfo(choices: Choices): { readonly message: Uint8Array; readonly ratchetTree: Uint8Array | undefined } {
    const { groupInfo } = this.invitation
    const ratchetTree = undefined
    if (this.way === "octets") return { message: this.#octets(groupInfo, choices), ratchetTree }
    if (this.way === "fields") return { message: this.#fields(groupInfo, choices), ratchetTree }
    return this.#orAsItWas({ message: groupInfo, ratchetTree }, () => {
      const changed = this.#changed(this.#outside, choices)
      return { message: infoMessage(this.#signed(changed.groupInfo)), ratchetTree: changed.beside }
    })
  }

  /** Some changes have no encoding: then nothing is changed. */
  #orAsItWas<T>(asItWas: T, forge: () => T): T {
    try {
      return forge()
    } catch (error) {
      if (error instanceof Error) return asItWas
      throw error
    }
  }

  #octets(message: Uint8Array, choices: Choices): Uint8Array {
    return choices.isOver ? message : mutateBytes(message, message, drawing(choices.of(65536)))
  }

  #fields(message: Uint8Array, choices: Choices): Uint8Array {
    return this.#orAsItWas(message, () =>
      encode(MLSMessage, mutateValue(decode(MLSMessage, message), choices, this.#pool)),
    )
  }

  /** A GroupInfo with a change of its own, or in its tree; the tree stands inside or beside it. */
  #changed(right: GroupInfo, choices: Choices): { groupInfo: GroupInfo; beside: Uint8Array | undefined } {
    if (this.way === "groupInfo") return { groupInfo: mutateValue(right, choices, this.#pool), beside: undefined }
    const isBeside = choices.of(2) === 1
    const nodes = this.#signedAgain(right, mutateValue({ nodes: nodesOf(right) }, choices, this.#pool).nodes)
    const encoded = encode(RatchetTreeNodes, nodes)
    const groupContext = { ...right.groupContext, treeHash: this.#treeHash(encoded) ?? right.groupContext.treeHash }
    const others = right.extensions.filter(({ extensionType }) => extensionType !== extensionTypes.ratchetTree)
    const tree = { extensionType: extensionTypes.ratchetTree, extensionData: encoded }
    return {
      groupInfo: { ...right, groupContext, extensions: isBeside ? others : [...others, tree] },
      beside: isBeside ? encoded : undefined,
    }
  }

  /** Leaf nodes that were changed are signed by whom they belong to. */
  #signedAgain({ groupContext }: GroupInfo, nodes: Nodes): Nodes {
    return nodes.map((node, i) => {
      if (node?.type !== "leaf" || this.#asTheyWere.has(encodedNode(node))) return node
      const { leafNode } = node
      const owner = this.invitation.people.find(
        ({ signer }) => Buffer.compare(signer.key.publicKey, leafNode.signatureKey) === 0,
      )
      if (owner === undefined) return node
      const position = { groupId: groupContext.groupId, leafIndex: leafIndex(i >> 1) }
      return { type: "leaf", leafNode: signLeaf(leafNode, owner.signer.key, position) }
    })
  }

  #treeHash(encoded: Uint8Array): Uint8Array | undefined {
    return this.#orAsItWas<Uint8Array | undefined>(undefined, () =>
      RatchetTree.decode(this.#world.suite, encoded, this.#world.alice.options.registries, 4096).treeHash(),
    )
  }

  #signed(groupInfo: GroupInfo): GroupInfo {
    const { signature: _, ...unsigned }: GroupInfo = groupInfo
    const signer = this.invitation.people[0]!.signer.key
    return { ...unsigned, signature: signWithLabel(signer, "GroupInfoTBS", encode(GroupInfoTBS, unsigned)) }
  }

  /** The confirmation tag follows from the context, unless the tag itself was changed. */
  #tagged(groupInfo: GroupInfo): UnsignedGroupInfo & Pick<GroupInfo, "signature"> {
    const { suite } = this.#world
    if (Buffer.compare(groupInfo.confirmationTag, this.#inWelcome.confirmationTag) !== 0) return groupInfo
    const seed = epochOfJoiner(suite, {
      joiner: this.#secrets.joinerSecret.slice(),
      pskSecret: this.#psk(this.#secrets),
      context: encodeContext(groupInfo.groupContext),
    })
    const { confirmedTranscriptHash } = groupInfo.groupContext
    return { ...groupInfo, confirmationTag: suite.hash.hmac(seed.secrets.confirmation, confirmedTranscriptHash) }
  }

  #sealed(groupInfo: GroupInfo, secrets: GroupSecrets): Uint8Array {
    const { suite } = this.#world
    const { bundle } = this.invitation
    const { key, nonce } = welcomeKey(
      suite,
      memberSecrets(suite, secrets.joinerSecret.slice(), this.#psk(secrets)).welcome,
    )
    const encryptedGroupInfo = suite.aead.seal(key, nonce, encode(GroupInfo, groupInfo), new Uint8Array(0))
    const encryptTo = encryptorWithLabel(
      suite,
      { label: "Welcome", context: encryptedGroupInfo },
      suite.provider.random,
    )
    const encrypted = encryptTo(decodeKeyPackage(bundle.keyPackage).initKey, encode(GroupSecrets, secrets))
    const welcome = {
      cipherSuite: suite.number,
      secrets: [{ newMember: bundle.ref, encryptedGroupSecrets: encrypted }],
      encryptedGroupInfo,
    }
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsWelcome", welcome } })
  }

  #psk({ psks }: GroupSecrets): Uint8Array {
    const { options } = this.invitation.guest
    return pskSecret(
      this.#world.suite,
      psks.map((id) => ({ id, secret: options.psks!(id) ?? new Uint8Array(32) })),
    )
  }
}

/** The tree inside of a GroupInfo. */
export function nodesOf({ extensions }: Pick<GroupInfo, "extensions">): Nodes {
  const { extensionData } = extensions.find(({ extensionType }) => extensionType === extensionTypes.ratchetTree)!
  return decode(RatchetTreeNodes, extensionData)
}

const encodedNode = (node: Node | undefined): string => Buffer.from(encode(RatchetTreeNodes, [node])).toString("base64")

function messageOf<Type extends MLSMessage["wireFormat"]["type"]>(message: Uint8Array, type: Type) {
  const { wireFormat } = decode(MLSMessage, message)
  if (wireFormat.type !== type) throw new TypeError(`a ${wireFormat.type} is no ${type}`)
  return wireFormat as Extract<MLSMessage["wireFormat"], { type: Type }>
}

function infoMessage(groupInfo: GroupInfo): Uint8Array {
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsGroupInfo", groupInfo } })
}
