import { decode, encode } from "@conclave/codec"
import { concat } from "@conclave/crypto"
import { type KeyPackage, leafIndex, type Proposal } from "@conclave/mls"
import { senderDataKey } from "../src/framing/private-message.js"
import {
  type ContentBody,
  type FramedContent,
  MLSMessage,
  PrivateContentAAD,
  privateMessageContent,
  SenderData,
  SenderDataAAD,
  type UnsignedLeafNode,
} from "../src/wire.js"
import { type CommitForgery, type Framing, Insider } from "../test/rules/insider.js"
import { joined, mutateBytes } from "./bytes.js"
import type { Choices } from "./choices.js"
import { drawing } from "./random.js"
import { signKeyPackage, signLeaf } from "./signing.js"
import { mutateValue, type Pool, poolOf } from "./values.js"
import type { Scene, World } from "./world.js"

/**
 * Messages with something wrong in them at one layer and everything right above it: a mutated commit is signed, tagged
 * and encrypted by a member, so that it is looked at as closely as a member's commit is.
 */
export class Forger {
  readonly #world: World
  readonly #known = new Map<Scene, Known>()

  constructor(world: World) {
    this.#world = world
    for (const scene of world.scenes) this.#known.set(scene, known(world, scene))
  }

  /** One for every way of forging in every scene. */
  seeds(): Uint8Array[] {
    const seeds: Uint8Array[] = []
    for (let scene = 0; scene < this.#world.scenes.length; scene++) {
      for (let way = 0; way < ways.length; way++) {
        for (const rest of ["", "0001", "0102030405060708", "0301010101010101010101010101"]) {
          seeds.push(joined(Uint8Array.of(scene, way), Uint8Array.from(Buffer.from(rest, "hex"))))
        }
      }
    }
    return seeds
  }

  /** `undefined` where the choices lead to something that has no encoding. */
  forge(scene: Scene, choices: Choices): Uint8Array | undefined {
    const way = choices.one(ways)
    const forgery = { world: this.#world, scene, known: this.#known.get(scene)!, choices }
    try {
      return way(forgery)
    } catch (error) {
      // What a forger asks of the library is often nonsense, and the library says so; it is not what is tried here.
      if (error instanceof Error) return undefined
      throw error
    }
  }
}

interface Known {
  readonly pool: Pool
  readonly bodies: readonly ContentBody[]
  readonly proposals: readonly Proposal[]
}

interface Forgery {
  readonly world: World
  readonly scene: Scene
  readonly known: Known
  readonly choices: Choices
}

type Way = (forgery: Forgery) => Uint8Array

/** What has been said in the open, for taking it apart. */
function known(world: World, { messages }: Scene): Known {
  const values = messages.map((message) => decode(MLSMessage, message, { registries: world.alice.options.registries! }))
  const bodies: ContentBody[] = [{ type: "application", applicationData: Uint8Array.of(1, 2, 3) }]
  for (const { wireFormat } of values) {
    if (wireFormat.type === "mlsPublicMessage") bodies.push(wireFormat.publicMessage.content.contentType)
  }
  const proposals = bodies.flatMap((body) => (body.type === "proposal" ? [body.proposal] : []))
  const external = { type: "externalInit" as const, kemOutput: new Uint8Array(32).fill(9) }
  return { pool: poolOf([...values, { proposal: external }]), bodies, proposals: [...proposals, external] }
}

const ways: readonly Way[] = [content, commit, externalCommit, inner, fromOutside, fields, octets]

// --- What is not signed again ----------------------------------------------------------------------------------------

function octets({ scene, choices }: Forgery): Uint8Array {
  const message = choices.one(scene.messages)
  return mutateBytes(message, choices.one(scene.messages), drawing(choices.of(65536)))
}

function fields({ world, scene, known, choices }: Forgery): Uint8Array {
  const message = decode(MLSMessage, choices.one(scene.messages), { registries: world.alice.options.registries! })
  return encode(MLSMessage, mutateValue(message, choices, known.pool))
}

// --- What a member signs ---------------------------------------------------------------------------------------------

/** Content of any kind, changed before it is signed, tagged or encrypted. */
function content(forgery: Forgery): Uint8Array {
  const { known, choices } = forgery
  const insider = insiderOf(forgery)
  let body = choices.one(known.bodies)
  const framed = framingOf(forgery, insider)
  const isPrivate = body.type === "application" && choices.of(8) !== 1
  const framing: Framing = isPrivate ? { ...framed, wireFormat: "mlsPrivateMessage" } : framed
  if (isPrivate) insiders.delete(forgery.scene)
  if (body.type === "proposal") body = { ...body, proposal: proposalOf(forgery, insider, body.proposal) }
  else body = mutateValue(body, choices, known.pool)
  const confirmationTag = body.type === "commit" ? { confirmationTag: new Uint8Array(32) } : undefined
  return insider.send(body, framing, confirmationTag)
}

/** A commit with something wrong in it, from which everything else follows as it should. */
function commit(forgery: Forgery): Uint8Array {
  const insider = insiderOf(forgery)
  return insider.commit({ ...framingOf(forgery, insider), ...commitForgery(forgery, insider) }).message
}

function externalCommit(forgery: Forgery): Uint8Array {
  const { world, choices, known } = forgery
  const insider = insiderOf(forgery)
  const { wireFormat: _, ...framing } = framingOf(forgery, insider)
  const { leaf, proposals: _all, ...rest } = commitForgery(forgery, insider)
  const { capabilities } = insider.epoch.tree.leaf(insider.leafIndex)!
  return insider.commit({
    ...framing,
    ...rest,
    proposals: choices.of(4) === 1 ? [proposalOf(forgery, insider, choices.one(known.proposals))] : [],
    leaf: (right) => (leaf ?? ((it) => it))({ ...right, capabilities }),
    joins: world.frank,
    kemOutput: (right) => (choices.of(8) === 1 ? mutateValue({ right }, choices, known.pool).right : right),
    withoutExternalInit: choices.of(16) === 1,
  }).message
}

function commitForgery({ scene, world, known, choices }: Forgery, insider: Insider): CommitForgery {
  const forgery = { scene, world, known, choices }
  // A committer updates itself by its path: its own Update is refused before anything else is looked at.
  const committed = choices.of(16) === 1 ? known.proposals : known.proposals.filter(({ type }) => type !== "update")
  const proposals: NonNullable<CommitForgery["proposals"]>[number][] = []
  for (let i = choices.of(5); i > 1; i--) proposals.push(proposalOf(forgery, insider, choices.one(committed)))
  if (choices.of(4) !== 1) {
    for (const ref of scene.refs) {
      const kept = insider.state.proposals.get(ref)
      if (kept !== undefined && choices.of(8) !== 1) proposals.push({ ...kept, ref })
    }
  }
  const where = choices.of(8)
  return {
    proposals,
    ...(choices.of(8) === 1 ? { path: false } : {}),
    ...(where === 1 ? { leaf: (right: UnsignedLeafNode) => mutateValue(right, choices, known.pool) } : {}),
    ...(where === 2 ? { nodes: (right) => mutateValue({ nodes: right }, choices, known.pool).nodes } : {}),
    ...(where === 3
      ? { publicKeys: (right) => mutateValue({ publicKeys: right }, choices, known.pool).publicKeys }
      : {}),
    ...(where === 4
      ? { leafPosition: { groupId: insider.epoch.context.groupId, leafIndex: leafIndex(choices.of(9)) } }
      : {}),
    ...(where === 5 ? { leafSignature: (right) => mutateValue({ right }, choices, known.pool).right } : {}),
  }
}

/** A proposal that is changed and then signed again by whoever has signed it. */
function proposalOf({ known, choices, world }: Forgery, insider: Insider, from: Proposal): Proposal {
  if (from.type === "update") {
    const changes = choices.of(3)
    const leafNode = insider.updatedLeaf((right) => (changes === 0 ? right : mutateValue(right, choices, known.pool)))
    return { type: "update", leafNode }
  }
  const proposal = choices.of(3) === 0 ? from : mutateValue({ proposal: from }, choices, known.pool).proposal
  if (proposal.type !== "add" || choices.of(8) === 1) return proposal
  return { type: "add", keyPackage: signedAgain(world, proposal.keyPackage) }
}

function signedAgain({ frank }: World, keyPackage: KeyPackage): KeyPackage {
  return signKeyPackage({ ...keyPackage, leafNode: signLeaf(keyPackage.leafNode, frank.signer.key) }, frank.signer.key)
}

function framingOf({ scene, known, choices }: Forgery, insider: Insider): Framing {
  const wireFormat = choices.of(2) === 0 ? "mlsPublicMessage" : "mlsPrivateMessage"
  if (wireFormat === "mlsPrivateMessage") insiders.delete(scene)
  const kind = choices.of(12)
  const changed = (right: Uint8Array) => mutateValue({ right }, choices, known.pool).right
  if (kind === 1) return { wireFormat, signature: changed }
  if (kind === 2) return { wireFormat, membershipTag: changed }
  if (kind === 3) return { wireFormat, confirmationTag: changed }
  if (kind !== 4) return { wireFormat }
  const { groupId, epoch } = insider.epoch.context
  const sender = { type: "member" as const, leafIndex: insider.leafIndex }
  const right: Partial<FramedContent> = { groupId, epoch, sender, authenticatedData: Uint8Array.of(7) }
  return { wireFormat, content: mutateValue(right, choices, known.pool) }
}

const insiders = new WeakMap<Scene, Insider>()

/** Mallory as she is in the scene, kept until her keys are used. */
function insiderOf({ scene }: Forgery): Insider {
  const known = insiders.get(scene)
  if (known !== undefined) return known
  const insider = new Insider(scene.mallory, { records: () => scene.malloryRecords })
  insiders.set(scene, insider)
  return insider
}

// --- From outside ----------------------------------------------------------------------------------------------------

/** An external sender, or somebody who asks to be added, with any proposal. */
function fromOutside(forgery: Forgery): Uint8Array {
  const { world, known, choices } = forgery
  const insider = insiderOf(forgery)
  const proposal = proposalOf(forgery, insider, choices.one(known.proposals))
  const isNew = choices.of(2) === 1
  const sender = isNew
    ? { type: "newMemberProposal" as const }
    : { type: "external" as const, senderIndex: choices.one([0, 1, 0xffff_ffff]) }
  const { signer } = isNew ? world.frank : world.dave
  return insider.propose(proposal, { content: { sender }, key: signer.key })
}

// --- Inside a PrivateMessage -----------------------------------------------------------------------------------------

/** Any bytes as the plaintext, any sender data: both encrypted with the right keys. */
function inner(forgery: Forgery): Uint8Array {
  const { known, choices } = forgery
  const insider = insiderOf(forgery)
  insiders.delete(forgery.scene)
  const { suite, epoch, state } = insider
  const contentType = choices.one(["application", "proposal", "commit"] as const)
  const body = known.bodies.find(({ type }) => type === contentType)!
  const auth = { signature: new Uint8Array(64), confirmationTag: new Uint8Array(32) }
  const right = concat(encode(privateMessageContent(contentType), { body, auth }), new Uint8Array(choices.of(4)))
  const plaintext = choices.of(4) === 0 ? right : mutateBytes(right, right, drawing(choices.of(65536)))
  const { groupId, epoch: number } = epoch.context
  const { key, nonce, generation } = state.secretTree.next(
    insider.leafIndex,
    contentType === "application" ? "application" : "handshake",
  )
  const reuseGuard = Uint8Array.of(1, 2, 3, 4)
  for (let i = 0; i < 4; i++) nonce[i]! ^= reuseGuard[i]!
  const authenticatedData = new Uint8Array(choices.of(3))
  const aad = encode(PrivateContentAAD, { groupId, epoch: number, contentType, authenticatedData })
  const ciphertext = suite.aead.seal(key, nonce, plaintext, aad)
  const senderData = { leafIndex: insider.leafIndex, generation, reuseGuard }
  const said = choices.of(3) === 0 ? senderData : mutateValue(senderData, choices, known.pool)
  const encoded = encode(SenderData, said)
  const sender = choices.of(8) === 1 ? mutateBytes(encoded, encoded, drawing(choices.of(256))) : encoded
  const keys = senderDataKey(suite, epoch.secrets.senderData, ciphertext)
  const encryptedSenderData = suite.aead.seal(
    keys.key,
    keys.nonce,
    sender,
    encode(SenderDataAAD, { groupId, epoch: number, contentType }),
  )
  const privateMessage = { groupId, epoch: number, contentType, authenticatedData, encryptedSenderData, ciphertext }
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
}
