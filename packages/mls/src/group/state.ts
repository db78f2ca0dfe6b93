import { decode, encode, type Registries } from "@conclave/codec"
import { wipe } from "@conclave/crypto"
import { StateError } from "../errors.js"
import { type LeafIndex, leafIndex, nodeIndex } from "../indexes.js"
import { Journal } from "../journal.js"
import { ForwardBudget } from "../schedule/forward-budget.js"
import { type EpochSeed, wipeEpochSecrets } from "../schedule/key-schedule.js"
import { SecretTree } from "../schedule/secret-tree.js"
import type { CipherSuite, Random } from "../suite/suite.js"
import * as math from "../tree/math.js"
import type { RatchetTree } from "../tree/ratchet-tree.js"
import { AuthenticatedContent, type Capabilities, type LeafNode, type ReInit } from "../wire.js"
import { type Epoch, type PastEpoch, requireSignerOf } from "./epoch.js"
import type { GroupPolicy } from "./policy.js"
import type { GroupProfile } from "./profile.js"
import type { Origin } from "./psk-ids.js"
import { ReceivedProposals } from "./received-proposals.js"
import * as records from "./records.js"
import type { NextEpoch, OwnPath } from "./transition.js"
import type { PskLookup, Signer, StagedCommit } from "./types.js"

/** What a group is given from outside, the same for its whole life. */
export interface GroupEnvironment {
  readonly suite: CipherSuite
  readonly signer: Signer
  /** Unix seconds. */
  readonly now: () => bigint
  readonly random: Random
  readonly policy: GroupPolicy
  readonly profile: GroupProfile
  readonly psks: PskLookup
  readonly registries: Registries | undefined
  /** What this client supports beyond what the library does. */
  readonly capabilities: Partial<Capabilities>
}

/** A commit of ours that the service has not put in order yet. */
export interface PendingCommit {
  readonly staged: StagedCommit
  readonly next: NextEpoch
  readonly message: Uint8Array
  readonly authenticated: AuthenticatedContent
  readonly ownPath: OwnPath | undefined
}

/** The private key of a leaf node that an Update of ours proposes. */
interface ProposedUpdate {
  readonly privateKey: Uint8Array
  readonly signer: Signer
}

/** A group that this one was made from: its identity and the resumption secret that links them. */
export interface Lineage {
  readonly origin: Origin["kind"]
  readonly groupId: Uint8Array
  readonly epoch: bigint
}

/** What the first Commit of a group may use of the one that it continues. */
export function originOf({ lineage, lineageSecret }: GroupState): Origin | undefined {
  return lineage && { kind: lineage.origin, secretSize: lineageSecret?.length }
}

/**
 * Everything that a member holds of a group. The epoch is immutable and is replaced by {@link enter}; what changes
 * between commits is the ratchets, the proposals and our own pending commit, and the journal hears of all of it.
 */
export class GroupState {
  readonly environment: GroupEnvironment
  readonly journal: Journal
  epoch: Epoch
  secretTree: SecretTree
  /** The latest first. */
  past: readonly PastEpoch[] = []
  readonly proposals: ReceivedProposals
  readonly updates = new Map<string, ProposedUpdate>()
  readonly resumption = new Map<bigint, Uint8Array>()
  active = true
  reInit: ReInit | undefined
  /** Until the first commit: this group continues another. */
  lineage: Lineage | undefined
  /** The resumption secret of the group that this one continues. */
  lineageSecret: Uint8Array | undefined
  #pending: PendingCommit | undefined
  /** Of all epochs: a new one does not fill it. */
  readonly #budget: ForwardBudget

  constructor(environment: GroupEnvironment, epoch: Epoch, encryption: Uint8Array | undefined, stored = false) {
    this.environment = environment
    this.journal = new Journal(stored)
    this.#budget = new ForwardBudget(environment.now, environment.policy)
    this.proposals = new ReceivedProposals(this.journal)
    this.epoch = epoch
    this.secretTree = this.#secretTree(epoch.context.epoch, epoch.tree.leafCount, encryption)
    this.resumption.set(epoch.context.epoch, epoch.secrets.resumption.slice())
  }

  get pending(): PendingCommit | undefined {
    return this.#pending
  }

  set pending(pending: PendingCommit | undefined) {
    if (this.#pending && this.#pending !== pending) this.#forget(this.#pending)
    this.#pending = pending
    if (pending === undefined) this.journal.delete("pending")
    else this.journal.put("pending", () => encodePending(pending, this.epoch.signer))
  }

  addUpdate(encryptionKey: Uint8Array, update: ProposedUpdate): void {
    const name = records.hex(encryptionKey)
    this.updates.set(name, update)
    this.journal.put(`update/${name}`, () => this.#encodeUpdate(update))
  }

  updateOf(encryptionKey: Uint8Array): ProposedUpdate | undefined {
    return this.updates.get(records.hex(encryptionKey))
  }

  /** @throws StateError NOT_A_MEMBER */
  requireActive(): void {
    if (!this.active) throw new StateError("NOT_A_MEMBER", "this member is no longer in the group")
  }

  /** The only way from one epoch to the next. Whatever the old one no longer needs is overwritten (RFC 9420 §9.2). */
  enter(next: NextEpoch & { readonly epoch: Epoch; readonly seed: EpochSeed }): void {
    const before = this.epoch
    const { epoch, seed } = next
    this.#retire(before, epoch)
    this.epoch = epoch
    this.secretTree = this.#secretTree(epoch.context.epoch, epoch.tree.leafCount, seed.encryption)
    wipe(seed.welcome, seed.joiner)
    this.#keepResumption(epoch)
    if (this.#pending?.next === next) this.#pending = undefined
    this.pending = undefined
    this.proposals.clear()
    this.#dropUpdates(epoch)
    this.reInit = next.applied.reInit
    if (this.lineageSecret) wipe(this.lineageSecret)
    this.lineage = undefined
    this.lineageSecret = undefined
    this.#journalEpoch(before, epoch)
    epoch.tree.settle()
  }

  /** The group is over for this member: no secret of it stays, in memory or in the records. */
  close(): void {
    for (const [key] of this.records()) if (key !== "group") this.journal.delete(key)
    this.destroy()
    this.pending = undefined
    this.proposals.clear()
    this.#dropUpdates(undefined)
    this.journal.put("group", () => this.#encodeGroup())
  }

  /** Overwrites all secrets in memory. */
  destroy(): void {
    this.active = false
    if (this.#pending) this.#forget(this.#pending)
    wipeEpochSecrets(this.epoch.secrets)
    wipe(...this.epoch.privateKeys.values(), ...this.resumption.values())
    for (const { privateKey } of this.updates.values()) wipe(privateKey)
    this.resumption.clear()
    this.secretTree.destroy()
    for (const past of this.past) destroyPast(past)
    this.past = []
  }

  // --- Epochs --------------------------------------------------------------------------------------------------------

  #retire(before: Epoch, epoch: Epoch): void {
    const past: PastEpoch = {
      epoch: before.context.epoch,
      contextBytes: before.contextBytes,
      senderData: before.secrets.senderData.slice(),
      secretTree: this.secretTree,
      replacedLeaves: replacedLeaves(before.tree, epoch.tree),
    }
    const kept = [past, ...this.past]
    this.journal.put(`past/${past.epoch}`, () => records.encodePast(past))
    this.past = kept.slice(0, this.environment.policy.pastEpochsMax)
    for (const dropped of kept.slice(this.past.length)) {
      destroyPast(dropped)
      this.journal.delete(`past/${dropped.epoch}`)
    }
    wipeEpochSecrets(before.secrets)
    for (const [node, privateKey] of before.privateKeys) {
      if (epoch.privateKeys.get(node) !== privateKey) wipe(privateKey)
    }
  }

  #keepResumption({ context, secrets }: Epoch): void {
    this.resumption.set(context.epoch, secrets.resumption.slice())
    this.journal.put(`resumption/${context.epoch}`, () => secrets.resumption.slice())
    for (const [epoch, secret] of this.resumption) {
      if (this.resumption.size <= this.environment.policy.resumptionSecretsMax) break
      wipe(secret)
      this.resumption.delete(epoch)
      this.journal.delete(`resumption/${epoch}`)
    }
  }

  /** Updates of an epoch that is over; the one that was committed lives on as our leaf's key. */
  #dropUpdates(epoch: Epoch | undefined): void {
    const own = epoch?.privateKeys.get(math.toNode(epoch.ownLeafIndex))
    for (const [name, { privateKey }] of this.updates) {
      if (privateKey !== own) wipe(privateKey)
      this.journal.delete(`update/${name}`)
    }
    this.updates.clear()
  }

  #forget({ next, ownPath }: PendingCommit): void {
    if (ownPath) wipe(ownPath.firstPathSecret)
    if (next.epoch !== this.epoch) destroyNext(next)
  }

  #secretTree(epoch: bigint, leafCount: number, encryption: Uint8Array | undefined): SecretTree {
    return new SecretTree(
      this.environment.suite,
      encryption === undefined ? { leafCount } : { leafCount, encryption },
      { limits: this.environment.policy, budget: this.#budget, journal: this.journal, prefix: `e/${epoch}/` },
    )
  }

  // --- Records -------------------------------------------------------------------------------------------------------

  #journalEpoch(before: Epoch, epoch: Epoch): void {
    const { journal } = this
    journal.put("group", () => this.#encodeGroup())
    journal.put("epoch", () => records.encodeEpoch(epoch))
    if (epoch.signer !== before.signer) journal.put("signer", () => records.encodeSigner(epoch.signer))
    for (const node of epoch.tree.changed) {
      const isBlank = node >= math.nodeCount(epoch.tree.leafCount) || epoch.tree.isBlank(node)
      if (isBlank) journal.delete(`tree/${node}`)
      else journal.put(`tree/${node}`, () => epoch.tree.encodedNode(node)!)
    }
    for (const node of before.privateKeys.keys()) if (!epoch.privateKeys.has(node)) journal.delete(`key/${node}`)
    for (const [node, privateKey] of epoch.privateKeys) {
      if (before.privateKeys.get(node) !== privateKey) journal.put(`key/${node}`, () => privateKey.slice())
    }
  }

  /** The whole group, record by record. */
  *records(): Generator<readonly [string, Uint8Array]> {
    yield ["group", this.#encodeGroup()]
    if (!this.active) return
    const { epoch } = this
    yield ["epoch", records.encodeEpoch(epoch)]
    if (epoch.signer !== this.environment.signer) yield ["signer", records.encodeSigner(epoch.signer)]
    for (let i = 0; i < math.nodeCount(epoch.tree.leafCount); i++) {
      const node = epoch.tree.encodedNode(nodeIndex(i))
      if (node !== undefined) yield [`tree/${i}`, node]
    }
    for (const [node, privateKey] of epoch.privateKeys) yield [`key/${node}`, privateKey.slice()]
    yield* this.secretTree.records()
    for (const past of this.past) {
      yield [`past/${past.epoch}`, records.encodePast(past)]
      yield* past.secretTree.records()
    }
    yield* this.proposals.records()
    for (const [name, update] of this.updates) yield [`update/${name}`, this.#encodeUpdate(update)]
    for (const [number, secret] of this.resumption) yield [`resumption/${number}`, secret.slice()]
    if (this.#pending) yield ["pending", encodePending(this.#pending, epoch.signer)]
  }

  #encodeGroup(): Uint8Array {
    return encode(records.GroupRecord, {
      version: 1,
      cipherSuite: this.environment.suite.number,
      ownLeafIndex: this.epoch.ownLeafIndex,
      active: this.active,
      groupId: this.epoch.context.groupId,
      lastEpoch: this.epoch.context.epoch,
      reInit: this.reInit,
      lineage: this.lineage && { ...this.lineage, secret: this.lineageSecret ?? new Uint8Array(0) },
    })
  }

  #encodeUpdate({ privateKey, signer }: ProposedUpdate): Uint8Array {
    const rotated = signer === this.epoch.signer ? undefined : records.signerRecord(signer)
    return encode(records.UpdateRecord, { privateKey, signer: rotated })
  }

  /** Takes back what {@link records} gave, but for the pending commit, which has to be staged again. */
  static restore(environment: GroupEnvironment, stored: Iterable<readonly [string, Uint8Array]>) {
    const kinds = records.byKind(stored)
    const only = (kind: string) => kinds.get(kind)?.[0]?.[1]
    const all = (kind: string) => kinds.get(kind) ?? []
    const group = decode(records.GroupRecord, only("group") ?? records.missing("group"))
    const { suite, registries } = environment
    if (group.version !== 1 || group.cipherSuite !== suite.number) records.missing("this layout or cipher suite")
    if (!group.active) return { ended: { groupId: group.groupId, lastEpoch: group.lastEpoch } }
    const rotated = only("signer")
    const epoch = records.restoreEpoch(suite, only("epoch") ?? records.missing("epoch"), {
      tree: (leafCount) => records.restoreTree(suite, leafCount, all("tree"), registries),
      ownLeafIndex: leafIndex(group.ownLeafIndex),
      privateKeys: records.restorePrivateKeys(all("key")),
      signer: rotated ? records.restoreSigner(suite, rotated, registries) : environment.signer,
    })
    requireSignerOf(epoch.tree.leaf(epoch.ownLeafIndex) ?? records.missing("our leaf node"), epoch.signer)
    const state = new GroupState(environment, epoch, undefined, true)
    state.reInit = group.reInit
    state.lineage = group.lineage
    state.lineageSecret = group.lineage?.secret.slice()
    state.#restoreSecrets(all)
    const pending = only("pending")
    return { state, pending: pending && decode(records.PendingRecord, pending, { registries }) }
  }

  #restoreSecrets(all: (kind: string) => [string, Uint8Array][]): void {
    const { suite, registries } = this.environment
    this.resumption.clear()
    for (const [epoch, secret] of all("resumption").sort(byNumber)) this.resumption.set(BigInt(epoch), secret.slice())
    const past = all("past").sort(byNumber).reverse()
    this.past = past.map(([epoch, bytes]) =>
      records.restorePast(BigInt(epoch), bytes, (leafCount) => this.#secretTree(BigInt(epoch), leafCount, undefined)),
    )
    const trees = new Map([[`${this.epoch.context.epoch}`, this.secretTree]])
    for (const { epoch, secretTree } of this.past) trees.set(`${epoch}`, secretTree)
    for (const [key, bytes] of all("e")) {
      const slash = key.indexOf("/")
      trees.get(key.slice(0, slash))?.restore(key.slice(slash + 1), bytes)
    }
    for (const [name, bytes] of all("update")) {
      const { privateKey, signer } = decode(records.UpdateRecord, bytes, { registries })
      const restored = signer ? records.signerOf(suite, signer) : this.epoch.signer
      this.updates.set(name, { privateKey: privateKey.slice(), signer: restored })
    }
    for (const [, bytes] of all("proposal")) {
      const content = decode(AuthenticatedContent, bytes, { registries })
      this.proposals.restore(suite, content)
    }
  }
}

/** Overwrites the secrets of an epoch that nobody enters; those that its basis has too stay. */
export function destroyNext({ basis, epoch, seed }: NextEpoch): void {
  if (epoch === undefined) return
  wipeEpochSecrets(epoch.secrets)
  for (const [node, privateKey] of epoch.privateKeys) {
    if (basis.privateKeys.get(node) !== privateKey) wipe(privateKey)
  }
  if (seed) wipe(seed.encryption, seed.welcome, seed.joiner)
}

function encodePending({ message, authenticated, ownPath }: PendingCommit, current: Signer): Uint8Array {
  return encode(records.PendingRecord, {
    message,
    authenticated,
    ownPath: ownPath && {
      firstPathSecret: ownPath.firstPathSecret,
      leafPrivateKey: ownPath.leafPrivateKey,
      signer: ownPath.signer === current ? undefined : records.signerRecord(ownPath.signer),
    },
  })
}

function replacedLeaves(before: RatchetTree, after: RatchetTree): Map<LeafIndex, LeafNode | undefined> {
  const replaced = new Map<LeafIndex, LeafNode | undefined>()
  for (const node of after.changed) {
    if (!math.isLeaf(node)) continue
    const leaf = math.toLeaf(node)
    if (before.leaf(leaf) !== after.leaf(leaf)) replaced.set(leaf, before.leaf(leaf))
  }
  return replaced
}

function destroyPast({ senderData, secretTree }: PastEpoch): void {
  wipe(senderData)
  secretTree.destroy()
}

const byNumber = ([a]: [string, Uint8Array], [b]: [string, Uint8Array]): number =>
  BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0
