import { encode } from "@conclave/codec"
import { keepsRules, rule } from "../errors.js"
import { proposalRef } from "../framing/content.js"
import type { Journal } from "../journal.js"
import type { Sliced } from "../slices.js"
import type { CipherSuite } from "../suite/suite.js"
import { AuthenticatedContent, type Proposal, type Sender } from "../wire.js"
import type { Epoch } from "./epoch.js"
import { type GroupProfile, requireCommitAllowed } from "./profile.js"
import { kindOf } from "./proposal-kinds.js"
import { isSupported, removalsOf } from "./proposals.js"
import { hex } from "./records.js"
import type { SentProposal } from "./types.js"

/** A proposal of the current epoch, by the name under which a Commit may refer to it. */
export interface KnownProposal extends SentProposal {
  readonly ref: Uint8Array
}

/** Of one sender and epoch: as many as somebody needs who does nothing else than to propose. */
export const PROPOSALS_PER_SENDER_MAX = 256

/** The proposals of an epoch that a Commit may refer to (RFC 9420 §12.4), in the order in which they came. */
export class ReceivedProposals {
  readonly #known = new Map<string, KnownProposal & { readonly content: AuthenticatedContent }>()
  readonly #journal: Journal
  /** How many there are of each sender: see {@link requireRoom}. */
  readonly #counts = new Map<string, number>()
  /** Of two moments: whether the proposals are the same. */
  version = 0

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

  /**
   * A sender's proposals of an epoch are counted in the order in which they come, so that all members refuse the same.
   *
   * @throws RuleError
   */
  requireRoom(sender: Sender): void {
    rule((this.#counts.get(senderName(sender)) ?? 0) < PROPOSALS_PER_SENDER_MAX, "proposal-count")
  }

  add(ref: Uint8Array, proposal: Proposal, sender: Sender, content: AuthenticatedContent): void {
    this.#keep({ ref, proposal, sender, content })
    this.#journal.put(`proposal/${hex(ref)}`, () => encode(AuthenticatedContent, content))
  }

  /** Takes back a record of {@link records}. */
  restore(suite: CipherSuite, content: AuthenticatedContent): void {
    const { sender, contentType } = content.content
    if (contentType.type !== "proposal") throw new TypeError("a record of a proposal holds something else")
    const ref = proposalRef(suite, content)
    this.#keep({ ref, proposal: contentType.proposal, sender, content })
  }

  #keep(proposal: KnownProposal & { readonly content: AuthenticatedContent }): void {
    const name = senderName(proposal.sender)
    this.version++
    this.#known.set(hex(proposal.ref), proposal)
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  drop(ref: Uint8Array): void {
    const proposal = this.#known.get(hex(ref))
    if (proposal === undefined) return
    const name = senderName(proposal.sender)
    this.version++
    this.#known.delete(hex(ref))
    this.#counts.set(name, this.#counts.get(name)! - 1)
    this.#journal.delete(`proposal/${hex(ref)}`)
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
  if (received.length === 0) return received
  const known = received.filter((proposal) => isCommitAllowed(proposal, epoch, profile))
  const all = [...known, ...wanted]
  const selection = { epoch, length: all.length, ...removalsOf(all, epoch) }
  const claimed = new Set<string>()
  const claim = (item: SentProposal) => {
    const name = kindOf(item.proposal).claim?.(item)
    return name === undefined || (!claimed.has(name) && claimed.add(name) !== undefined)
  }
  for (const item of wanted) claim(item)
  // From the latest to the earliest, so that the first of a kind is the most recent.
  const chosen = [...known].reverse().filter((item) => {
    const { isTaken } = kindOf(item.proposal)
    // Whoever does not support the type may be removed by this very commit; it can wait for the next one then.
    if (!isSupported(item.proposal, epoch.tree)) return false
    return isTaken?.(item, selection) !== false && claim(item)
  })
  return chosen.reverse()
}

function isCommitAllowed(proposal: KnownProposal, epoch: Epoch, profile: GroupProfile): boolean {
  const commit = { proposals: [proposal], committer: epoch.ownLeafIndex, pathLeaf: undefined }
  return keepsRules(() => requireCommitAllowed(profile, commit, epoch))
}

/**
 * RFC 9420 §12.4: a Commit takes in all proposals that result in a valid list together. Where one cannot be committed
 * with the others it is left out, or whoever proposed it could keep the whole group from committing. `fits` says whether
 * a list can be committed, without the work of committing it: it is asked once for each sender where one of them has
 * proposed nonsense, and then for that one's proposals, {@link ASKED_MAX} times in all.
 */
export function* mostThatFit(
  selected: readonly KnownProposal[],
  fits: (received: readonly KnownProposal[]) => Sliced<boolean>,
): Sliced<readonly KnownProposal[]> {
  if (selected.length === 0 || (yield* fits(selected))) return selected
  // With none of them it does not fit either: our own changes are at fault, and whoever commits them is told so.
  if (!(yield* fits([]))) return []
  let asked = 2
  let taken: KnownProposal[] = []
  const take = function* (more: readonly KnownProposal[]): Sliced<boolean> {
    const fitting = asked++ < ASKED_MAX && (yield* fits([...taken, ...more]))
    if (fitting) taken = [...taken, ...more]
    return fitting
  }
  for (const ofOne of bySender(selected)) {
    if (yield* take(ofOne)) continue
    for (const proposal of ofOne) yield* take([proposal])
  }
  const chosen = new Set(taken)
  return selected.filter((proposal) => chosen.has(proposal))
}

const ASKED_MAX = 512

/** Whoever proposed least comes first: one who floods the group is asked about last. */
function bySender(proposals: readonly KnownProposal[]): readonly (readonly KnownProposal[])[] {
  const lists = new Map<string, KnownProposal[]>()
  for (const proposal of proposals) {
    const name = senderName(proposal.sender)
    const list = lists.get(name)
    if (list === undefined) lists.set(name, [proposal])
    else list.push(proposal)
  }
  return [...lists.values()].sort((a, b) => a.length - b.length)
}

/** Those who propose to join are strangers, any number of them, and count as one. */
function senderName(sender: Sender): string {
  if (sender.type === "member") return `member ${sender.leafIndex}`
  return sender.type === "external" ? `external ${sender.senderIndex}` : sender.type
}
