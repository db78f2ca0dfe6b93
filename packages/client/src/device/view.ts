import { equalBytes } from "@conclave/crypto"
import { isMissing } from "../conversation/missing.js"
import type { GroupOutline } from "../conversation/outline.js"
import { type Moment, notContinued, type State } from "../conversation/state.js"
import type { ConversationStatus, PendingMessage, TreeNode } from "../conversation.js"
import type { Continuation } from "../records/records.js"

interface Renewal {
  readonly key: Uint8Array
  readonly epoch: bigint | undefined
}

/** What an application is shown of a conversation: as of the last step that has been stored. */
export class View {
  /** `undefined` where this device is not a member. */
  outline: GroupOutline | undefined
  status: ConversationStatus = "left"
  isMissing = false
  title = ""
  names: readonly string[] = []
  continuation: Continuation = notContinued
  /** Whether there is a log to follow. */
  isFollowed = false
  #isDeclined = false
  readonly #wishes: State["wishes"]
  /** Kept only where somebody draws the tree: it costs a walk over it for each epoch. */
  #renewals: ReadonlyMap<number, Renewal> | undefined

  constructor({ wishes }: State) {
    this.#wishes = wishes
  }

  /** What is in memory is what is stored. */
  settle(state: State, { invitation, revoked }: Pick<Moment, "invitation" | "revoked">): void {
    const outline = state.outline.shown
    this.#wishes.settle()
    if (this.#renewals !== undefined && this.outline?.epoch !== outline?.epoch) {
      this.#renewals = compareKeys(state, this.#renewals, outline?.epoch)
    } else if (this.#renewals?.size === 0) this.#renewals = compareKeys(state, new Map(), undefined)
    this.title = state.facts.title
    this.continuation = state.continuation
    this.isFollowed = state.isFetching
    this.#isDeclined = invitation?.answer === "declined"
    this.outline = this.#isDeclined ? undefined : outline
    this.isMissing = isMissing(state)
    this.names = this.#isDeclined ? [] : state.names
    this.status = this.#isDeclined ? "left" : statusOf(state, { invitation, revoked })
  }

  /** Messages of this device that have no place in the conversation yet, oldest first. */
  get pending(): readonly PendingMessage[] {
    return this.#isDeclined ? [] : this.#wishes.pending
  }

  /** The ratchet tree, node by node. */
  tree(state: State): readonly TreeNode[] {
    const { outline } = this
    if (outline === undefined) return []
    // In which epoch each node got its key, as far as that has been seen since this was asked for first.
    this.#renewals ??= compareKeys(state, new Map(), undefined)
    const renewals = this.#renewals
    return outline.nodes.map((node, nodeIndex) => ({
      nodeIndex,
      // RFC 9420 appendix C: leaves are at even indexes.
      kind: nodeIndex % 2 === 0 ? "leaf" : "parent",
      blank: node.type === "blank",
      renewedInEpoch: renewals.get(nodeIndex)?.epoch,
      name: node.type === "leaf" ? node.name : undefined,
      own: node.type === "leaf" && nodeIndex === 2 * outline.ownLeafIndex,
      signatureKey: node.type === "leaf" ? node.signatureKey.slice() : undefined,
      unmergedLeaves: node.type === "parent" ? node.unmergedLeaves : [],
    }))
  }
}

function statusOf(
  { facts, unapproved }: State,
  { invitation, revoked }: Pick<Moment, "invitation" | "revoked">,
): ConversationStatus {
  if (invitation?.answer === "waiting") return "invited"
  // What waits for the user's approval is followed as before. A revoked device is taken out, and nobody is asked about it.
  const isAsked = unapproved.some(({ name, signatureKey }) => revoked.since(name, signatureKey) === undefined)
  return facts.status === "active" && isAsked ? "halted" : facts.status
}

function compareKeys(
  { group }: State,
  before: ReadonlyMap<number, Renewal>,
  epoch: bigint | undefined,
): ReadonlyMap<number, Renewal> {
  const now = new Map<number, Renewal>()
  for (const { nodeIndex, key } of group?.treeView() ?? []) {
    if (key === undefined) continue
    const known = before.get(nodeIndex)
    now.set(nodeIndex, known !== undefined && equalBytes(known.key, key) ? known : { key, epoch })
  }
  return now
}
