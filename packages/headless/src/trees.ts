import type { Client, Conversation, TreeNode } from "@conclave/client"
import type { Kept } from "./kept.js"
import { devicesIn, type MemberDevice } from "./members.js"
import type { KeptCommit } from "./records.js"
import { renewalOf } from "./renewal.js"

const COMMITS_MAX = 100

/** The ratchet trees, walked over once in each epoch, and what the last commit did to each. */
export class Trees {
  readonly #kept: Kept
  readonly #trees = new Map<string, { readonly epoch: bigint; readonly nodes: readonly TreeNode[] }>()

  constructor(kept: Kept) {
    this.#kept = kept
  }

  of(conversation: Conversation): readonly TreeNode[] {
    const { id, epoch, status } = conversation
    const known = this.#trees.get(id)
    if (known !== undefined && known.epoch === epoch && status !== "left") return known.nodes
    const nodes = conversation.tree()
    this.#trees.set(id, { epoch, nodes })
    return nodes
  }

  readonly #devices = new WeakMap<readonly TreeNode[], ReadonlyMap<string, readonly MemberDevice[]>>()

  /** By name. The same object as long as the tree is the same. */
  devices(conversation: Conversation): ReadonlyMap<string, readonly MemberDevice[]> {
    const nodes = this.of(conversation)
    const devices = this.#devices.get(nodes) ?? devicesIn(nodes)
    this.#devices.set(nodes, devices)
    return devices
  }

  /** After each step of the client. */
  follow({ conversations }: Client): void {
    for (const conversation of conversations.values()) {
      const { id, epoch, status } = conversation
      const known = this.#trees.get(id)
      if (status === "invited" || (known?.epoch === epoch && status !== "left")) continue
      if (known === undefined) this.of(conversation)
      else this.#renew(conversation, known.nodes)
    }
  }

  #renew(conversation: Conversation, before: readonly TreeNode[]): void {
    const { id, epoch } = conversation
    this.#keepCommits(conversation)
    const renewal = renewalOf(before, this.of(conversation), epoch)
    if (JSON.stringify(renewal) !== JSON.stringify(this.#kept.get("renewal", id)))
      this.#kept.put("renewal", id, renewal)
  }

  #keepCommits(conversation: Conversation): void {
    const { id } = conversation
    const known = this.#kept.get("commits", id) ?? []
    const last = known.at(-1)
    const places = new Set(known.map(({ epoch, seq }) => `${epoch} ${seq}`))
    // In the log of a restored service, places are lower than before.
    const news = conversation
      .inspect()
      .commits.filter(({ epoch, seq, at }) => !places.has(`${epoch} ${seq}`) && at.getTime() >= (last?.at ?? 0))
    if (news.length === 0) return
    const commits = news.map(
      ({ epoch, seq, by, own, path, added, removed, at }): KeptCommit => ({
        ...{ epoch: epoch.toString(), seq: seq.toString(), by, own, path, added, removed, at: at.getTime() },
      }),
    )
    this.#kept.put("commits", id, [...known, ...commits].slice(-COMMITS_MAX))
  }
}
