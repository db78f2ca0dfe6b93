import type { Client, Conversation, TreeNode } from "@conclave/client"
import type { Kept } from "./kept.js"
import { renewalOf } from "./renewal.js"

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
    const renewal = renewalOf(before, this.of(conversation), epoch)
    if (JSON.stringify(renewal) !== JSON.stringify(this.#kept.get("renewal", id)))
      this.#kept.put("renewal", id, renewal)
  }
}
