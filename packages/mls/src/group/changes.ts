import type { LeafIndex } from "../indexes.js"
import type { Sliced } from "../slices.js"
import { inParts } from "../suite/together.js"
import type { Capabilities, Extension, Proposal, ReInit } from "../wire.js"
import { KEY_PACKAGES_TOGETHER } from "./key-package.js"
import { type GroupChange, makeProposal } from "./proposal-kinds.js"
import { validateProposal, verifyAdded } from "./proposals.js"
import { resumptionId } from "./psk-ids.js"
import { type GroupState, originOf } from "./state.js"
import type { SentProposal, Signer } from "./types.js"

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
  /** Further extensions of the GroupInfo inside the Welcome, which only newcomers read (RFC 9420 §12.4.3). */
  readonly welcomeExtensions?: (exportNext: Exporter) => readonly Extension[]
  readonly authenticatedData?: Uint8Array
}

/** The proposals of a commit by value, in the order in which they are applied. @throws RuleError, DecodeError */
export function* proposalsOf(state: GroupState, changes: GroupChanges): Sliced<SentProposal[]> {
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
    verifyAdded(state.epoch.suite, made)
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
