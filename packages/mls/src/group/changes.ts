/// <reference lib="esnext.disposable" preserve="true" />
import { rule } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import type { Sliced } from "../slices.js"
import { inParts } from "../suite/together.js"
import { isProposedLeafSignatureValid } from "../tree/leaf.js"
import type { Capabilities, Extension, Proposal, ReInit } from "../wire.js"
import { type Assumed, assumeTogether, KEY_PACKAGES_TOGETHER } from "./key-package.js"
import { type GroupChange, makeProposal } from "./proposal-kinds.js"
import { keyPackagesAmong, validateProposal, verifyAdded } from "./proposals.js"
import { resumptionId } from "./psk-ids.js"
import { type GroupState, originOf } from "./state.js"
import type { SentProposal, Signer, StagedCommit } from "./types.js"

/** Exports a secret of the epoch that a commit begins (RFC 9420 §8.5), `length` bytes long. */
export type Exporter = (asked: {
  readonly label: string
  readonly context: Uint8Array
  readonly length: number
}) => Uint8Array

/** What a commit changes beyond the proposals that were received. */
export interface GroupChanges {
  /** MLSMessages with KeyPackages. */
  readonly add?: readonly Uint8Array[]
  readonly remove?: readonly LeafIndex[]
  /** Names of external pre-shared keys. */
  readonly externalPsks?: readonly Uint8Array[]
  readonly resumptionPsks?: readonly { readonly groupId: Uint8Array; readonly epoch: bigint }[]
  /** Replace all extensions of the GroupContext (RFC 9420 §12.1.7). */
  readonly extensions?: readonly Extension[]
  readonly reInit?: Omit<ReInit, "version">
  readonly registered?: readonly { readonly number: number; readonly content: Uint8Array }[]
  /** Further changes, of any type but an Update: a Commit has a path for that. */
  readonly proposals?: readonly Exclude<GroupChange, { readonly type: "update" }>[]
  /** Rotates our signature key and credential. */
  readonly signer?: Signer
  /** Replace the extensions and capabilities of our leaf node. */
  readonly leafExtensions?: readonly Extension[]
  readonly leafCapabilities?: Partial<Capabilities>
  /** Without an UpdatePath where the proposals allow it: cheaper, but nothing of ours is renewed. */
  readonly path?: boolean
  /** Whether the tree is inside the Welcome; otherwise newcomers are given it beside. By default it is. */
  readonly welcomeWithTree?: boolean
  /**
   * Further extensions of the GroupInfo inside the Welcome, which only newcomers read (RFC 9420 §12.4.3). `commit` is what is being made,
   * with the bytes of its MLSMessage.
   */
  readonly welcomeExtensions?: (
    exportNext: Exporter,
    commit: StagedCommit & { readonly message: Uint8Array },
  ) => readonly Extension[]
  readonly authenticatedData?: Uint8Array
}

/**
 * The proposals of a commit by value, in the order in which they are applied. What `assumed` takes over is not verified yet: it has to
 * be settled before anything comes of them.
 *
 * @throws RuleError, DecodeError
 */
export function* proposalsOf(
  state: GroupState,
  changes: GroupChanges,
  assumed: AssumedProposals,
): Sliced<SentProposal[]> {
  const wanted: GroupChange[] = []
  const { lineage } = state
  if (changes.extensions) wanted.push({ type: "extensions", extensions: changes.extensions })
  for (const leafIndex of changes.remove ?? []) wanted.push({ type: "remove", leafIndex })
  for (const keyPackage of changes.add ?? []) wanted.push({ type: "add", keyPackage })
  for (const id of changes.externalPsks ?? []) wanted.push({ type: "externalPsk", id })
  for (const psk of changes.resumptionPsks ?? []) wanted.push({ type: "resumptionPsk", ...psk })
  for (const registered of changes.registered ?? []) wanted.push({ type: "registered", ...registered })
  wanted.push(...(changes.proposals ?? []))
  if (changes.reInit) wanted.push({ type: "reInit", ...changes.reInit })
  const proposals: Proposal[] = []
  for (const part of inParts(wanted, KEY_PACKAGES_TOGETHER)) {
    const made: Proposal[] = []
    for (const change of part) {
      made.push(makeProposal(change, state))
      yield
    }
    if (!(yield* assumed.take(made))) verifyAdded(state.epoch.suite, made)
    for (const proposal of made) {
      yield
      proposals.push(validOwn(state, proposal))
    }
  }
  // RFC 9420 §11.2, §11.3: the first commit ties the group to the one that it continues.
  if (lineage) {
    const { groupId, epoch, origin: usage } = lineage
    proposals.push({ type: "psk", psk: resumptionId({ groupId, epoch, usage }, state.environment) })
  }
  const sender = { type: "member" as const, leafIndex: state.epoch.ownLeafIndex }
  return proposals.map((proposal) => ({ proposal, sender }))
}

/** @throws RuleError, DecodeError */
export function proposalOf(state: GroupState, change: GroupChange): Proposal {
  return validOwn(state, makeProposal(change, state))
}

function validOwn(state: GroupState, proposal: Proposal): Proposal {
  const { epoch } = state
  const sender = { type: "member" as const, leafIndex: epoch.ownLeafIndex }
  validateProposal({ proposal, sender }, { epoch, committer: epoch.ownLeafIndex, origin: originOf(state) })
  return proposal
}

/**
 * Own proposals that count as valid while other cores verify what they bring. Who uses them settles it in the end; disposing
 * leaves nothing that counts as valid and has not been found so.
 */
export class AssumedProposals implements Disposable {
  readonly #state: GroupState
  #waiting: { readonly proposals: readonly Proposal[]; readonly assumed: Assumed }[] = []

  constructor(state: GroupState) {
    this.#state = state
  }

  /** Whether it takes them over. @throws RuleError for earlier ones */
  *take(proposals: readonly Proposal[]): Sliced<boolean> {
    // The last ones are settled at the end, without an interruption that is longer than the others.
    while (this.#waiting.length >= WAITING_MAX) {
      this.#settleFirst()
      yield
    }
    const assumed = assumeTogether(this.#state.epoch.suite, keyPackagesAmong(proposals))
    if (assumed === undefined) return false
    this.#waiting.push({ proposals, assumed })
    return true
  }

  /** @throws RuleError where one of them is not valid */
  *settle(): Sliced<void> {
    while (this.#waiting.length > 0) {
      this.#settleFirst()
      yield
    }
  }

  #settleFirst(): void {
    const { proposals, assumed } = this.#waiting[0]!
    if (!assumed.areValid()) for (const proposal of proposals) requireSigned(this.#state, proposal)
    this.#waiting.shift()
  }

  [Symbol.dispose](): void {
    for (const { assumed } of this.#waiting.splice(0)) assumed[Symbol.dispose]()
  }
}

/** Parts whose signatures are being verified at a time. */
const WAITING_MAX = 4

/** Both signatures of what an Add brings. @throws RuleError */
function requireSigned(state: GroupState, proposal: Proposal): void {
  validOwn(state, proposal)
  for (const { leafNode } of keyPackagesAmong([proposal])) {
    const { suite, context } = state.epoch
    // No place in a group is signed with the leaf node of a key package.
    const position = { groupId: context.groupId, leafIndex: state.epoch.ownLeafIndex }
    rule(isProposedLeafSignatureValid(suite, leafNode, position), "leaf-signature")
  }
}
