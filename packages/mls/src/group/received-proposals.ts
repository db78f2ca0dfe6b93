import { encode } from "@conclave/codec"
import { RuleError } from "../errors.js"
import { proposalRef } from "../framing/content.js"
import type { Journal } from "../journal.js"
import type { CipherSuite } from "../suite/suite.js"
import { AuthenticatedContent, type Proposal, type Sender } from "../wire.js"
import type { Epoch } from "./epoch.js"
import { type GroupProfile, requireCommitAllowed } from "./profile.js"
import { ofType, type SentProposal } from "./proposals.js"
import { hex } from "./records.js"

/** A proposal of the current epoch, by the name under which a Commit may refer to it. */
export interface KnownProposal extends SentProposal {
  readonly ref: Uint8Array
}

/** The proposals of an epoch that a Commit may refer to (RFC 9420 §12.4), in the order in which they came. */
export class ReceivedProposals {
  readonly #known = new Map<string, KnownProposal & { readonly content: AuthenticatedContent }>()
  readonly #journal: Journal

  constructor(journal: Journal) {
    this.#journal = journal
  }

  get size(): number {
    return this.#known.size
  }

  has(ref: Uint8Array): boolean {
    return this.#known.has(hex(ref))
  }

  get(ref: Uint8Array): KnownProposal | undefined {
    return this.#known.get(hex(ref))
  }

  all(): readonly KnownProposal[] {
    return [...this.#known.values()]
  }

  add(ref: Uint8Array, proposal: Proposal, sender: Sender, content: AuthenticatedContent): void {
    this.#known.set(hex(ref), { ref, proposal, sender, content })
    this.#journal.put(`proposal/${hex(ref)}`, () => encode(AuthenticatedContent, content))
  }

  /** Takes back a record of {@link records}. */
  restore(suite: CipherSuite, content: AuthenticatedContent): void {
    const { sender, contentType } = content.content
    if (contentType.type !== "proposal") throw new TypeError("a record of a proposal holds something else")
    const ref = proposalRef(suite, content)
    this.#known.set(hex(ref), { ref, proposal: contentType.proposal, sender, content })
  }

  drop(ref: Uint8Array): void {
    if (this.#known.delete(hex(ref))) this.#journal.delete(`proposal/${hex(ref)}`)
  }

  clear(): void {
    for (const { ref } of this.all()) this.drop(ref)
  }

  *records(): Generator<readonly [string, Uint8Array]> {
    for (const [name, { content }] of this.#known) yield [`proposal/${name}`, encode(AuthenticatedContent, content)]
  }
}

/**
 * RFC 9420 §12.4: the proposals that a member's Commit takes in: all that fit together; that each is valid by itself
 * was seen when it was received, in the same epoch. A Remove is preferred to an Update of the same leaf, a later Update
 * to an earlier one (§12.2).
 */
export function selectProposals(
  received: readonly KnownProposal[],
  wanted: readonly SentProposal[],
  epoch: Epoch,
  profile: GroupProfile,
): readonly KnownProposal[] {
  const own = epoch.ownLeafIndex
  const known = received.filter((proposal) => isCommitAllowed(proposal, epoch, profile))
  const all = [...known, ...wanted]
  const removed = new Set(ofType(all, "remove").map(({ proposal }) => proposal.removed))
  const removedKeys = new Set([...removed].map((leaf) => epoch.tree.leaf(leaf)?.signatureKey.join()))
  const seen = new Set<string>()
  const first = (name: string) => !seen.has(name) && seen.add(name) !== undefined
  for (const { proposal } of ofType(wanted, "add")) first(`add ${proposal.keyPackage.leafNode.signatureKey.join()}`)
  for (const { proposal } of ofType(wanted, "remove")) first(`leaf ${proposal.removed}`)
  if (ofType(wanted, "groupContextExtensions").length > 0) first("context")

  // From the latest to the earliest, so that the first of a kind is the most recent.
  const chosen = [...known].reverse().filter((item) => {
    const { proposal, sender } = item
    switch (proposal.type) {
      case "update":
        if (sender.type !== "member" || sender.leafIndex === own || removed.has(sender.leafIndex)) return false
        return first(`leaf ${sender.leafIndex}`)
      case "remove":
        return proposal.removed !== own && first(`leaf ${proposal.removed}`)
      case "add": {
        const { signatureKey } = proposal.keyPackage.leafNode
        const name = signatureKey.join()
        const isMember = epoch.tree.signatureKeys.count(signatureKey) > 0 && !removedKeys.has(name)
        return !isMember && first(`add ${name}`)
      }
      case "groupContextExtensions":
        return first("context")
      case "reinit":
        return all.length === 1
      case "externalInit":
        return false
      case "registered":
        // Whoever does not support it may be removed by this very commit; it can wait for the next one then.
        return epoch.tree.census.allSupport("proposals", proposal.number)
      default:
        return true
    }
  })
  return chosen.reverse()
}

function isCommitAllowed(proposal: KnownProposal, epoch: Epoch, profile: GroupProfile): boolean {
  const commit = { proposals: [proposal], committer: epoch.ownLeafIndex, pathLeaf: undefined }
  try {
    requireCommitAllowed(profile, commit, epoch)
    return true
  } catch (error) {
    if (error instanceof RuleError) return false
    throw error
  }
}

/**
 * RFC 9420 §12.4: a Commit takes in all proposals that result in a valid list together. Where one cannot be committed
 * with the others it is left out, or whoever proposed it could keep the whole group from committing.
 */
export function commitWithMost<Created>(
  selected: readonly KnownProposal[],
  create: (received: readonly KnownProposal[]) => Created,
): Created {
  try {
    return create(selected)
  } catch (error) {
    if (selected.length === 0 || !(error instanceof RuleError)) throw error
  }
  // If our own changes are at fault, this says so.
  let created = create([])
  const taken: KnownProposal[] = []
  for (const proposal of selected) {
    try {
      created = create([...taken, proposal])
      taken.push(proposal)
    } catch (error) {
      if (!(error instanceof RuleError)) throw error
    }
  }
  return created
}
