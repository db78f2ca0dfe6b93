import { equalBytes } from "@conclave/crypto"
import type { InboxEntry } from "@conclave/delivery/api"
import { Group, type PreparedJoin, type StagedJoin } from "@conclave/mls"
import type { Shared } from "../conversation/context.js"
import { keysUnder } from "../conversation/context.js"
import type { GroupConversation } from "../conversation/facade.js"
import { accept, emitRefusedKeys } from "../conversation/settle.js"
import type { Judgement } from "../identity/judge.js"
import { hex } from "../store/sealed.js"
import { recordKeys } from "./records.js"
import type { Step } from "./steps.js"

export interface InboxOptions {
  readonly shared: Shared
  readonly signal: AbortSignal
  readonly find: (id: string) => GroupConversation | undefined
  /** A conversation that is not known yet; {@link register} makes it known. */
  readonly make: (id: Uint8Array) => GroupConversation
  readonly register: (conversation: GroupConversation) => void
}

/** What the service keeps for this device alone: Welcomes, and notices that key packages run low. */
export class Inbox {
  readonly #options: InboxOptions

  constructor(options: InboxOptions) {
    this.#options = options
  }

  /** Deals with everything that is there. Each entry is dealt with once: its number is stored with what it led to. */
  async read(): Promise<void> {
    const { shared, signal } = this.#options
    for (;;) {
      const page = await shared.delivery.inbox(shared.steps.profile.inboxCursor, signal)
      for (const entry of page.entries) if (entry.n > shared.steps.profile.inboxCursor) await this.#take(entry)
      const { inboxCursor } = shared.steps.profile
      if (page.entries.length > 0) await shared.delivery.acknowledgeInbox(inboxCursor, signal)
      if (page.entries.length === 0 || inboxCursor >= page.head) return
    }
  }

  async #take(entry: InboxEntry): Promise<void> {
    if (entry.kind === "welcome") return this.#join(entry)
    const { shared, signal } = this.#options
    await shared.stock.replenish(signal)
    await shared.steps.run(undefined, (step) => moveOn(step, entry))
  }

  async #join(entry: InboxEntry): Promise<void> {
    const { shared, signal, find, make } = this.#options
    const known = find(hex(entry.groupId))
    // Who is a member already has to see its own removal in the log before it may come in again.
    if (known !== undefined) await readToHead(known)
    if (known !== undefined && isMember(known)) return this.#refuse(entry, "this device is a member already")
    const bundles = await shared.stock.bundles()
    let staged: StagedJoin
    try {
      const prepared = Group.prepareJoin({
        ...shared.groupOptions,
        suite: shared.identity.suite,
        signer: shared.identity.signer,
        welcome: entry.body,
        keyPackages: bundles,
        ...(entry.ratchetTree === undefined ? {} : { ratchetTree: entry.ratchetTree }),
      })
      staged = prepared.stage({ signaturesVerified: await areLeavesVerified(shared, prepared) })
    } catch (error) {
      return this.#refuse(entry, error instanceof Error ? error.message : String(error))
    }
    if (!equalBytes(staged.groupId, entry.groupId)) return this.#refuse(entry, "the Welcome leads to another group")
    const judgement = await shared.judge.judge(staged.claims, signal)
    if (judgement.refused.length > 0) return this.#decline(entry, judgement)
    await this.#enter(known ?? make(entry.groupId), { entry, staged, judgement })
  }

  async #enter(
    conversation: GroupConversation,
    { entry, staged, judgement }: { entry: InboxEntry; staged: StagedJoin; judgement: Judgement },
  ): Promise<void> {
    const { shared, register } = this.#options
    const { work } = conversation
    const { local } = work
    const old = await keysUnder(shared, recordKeys.group(local.key))
    const bundle = (await shared.stock.bundles()).find(({ ref }) => equalBytes(ref, staged.keyPackageRef))
    await shared.steps.run(local, (step) => {
      moveOn(step, entry)
      accept(work, step, judgement)
      if (bundle !== undefined) shared.stock.use(step, bundle)
      const group = staged.accept(judgement.verdicts)
      local.failAll(step, { code: "NOT_A_MEMBER", reason: "this device was removed, and invited again" })
      local.putCommit(step, undefined)
      local.replaceGroup(step, group, old)
      local.update(step, {
        status: "active",
        reason: "",
        cursor: entry.seq,
        // The commit that it came with.
        lastCommit: entry.seq,
        laterEpoch: undefined,
        // Where the chain stands is learned from the first entry behind it.
        chainHash: new Uint8Array(),
        firstEpoch: group.epoch,
        departures: [],
        titleDueSince: undefined,
      })
      step.emit({ type: "joined", conversation: local.id, members: local.names })
    })
    work.headSeq = undefined
    work.incoming.length = 0
    register(conversation)
  }

  /** Somebody in that group is not who they say they are: loudly, and not in. */
  async #decline(entry: InboxEntry, judgement: Judgement): Promise<void> {
    await this.#options.shared.steps.run(undefined, (step) => {
      moveOn(step, entry)
      emitRefusedKeys({ local: undefined }, step, judgement)
      const reason = `an invitation was not accepted: ${judgement.refused.map((it) => it.reason).join("; ")}`
      step.emit({ type: "rejected", conversation: undefined, code: "REFUSED", reason })
    })
  }

  async #refuse(entry: InboxEntry, why: string): Promise<void> {
    await this.#options.shared.steps.run(undefined, (step) => {
      moveOn(step, entry)
      const reason = `an invitation could not be followed: ${why}`
      step.emit({ type: "rejected", conversation: undefined, code: "REFUSED", reason })
    })
  }
}

/** Where other threads find a signature wrong, or fail, staging finds out by itself and says what is wrong. */
async function areLeavesVerified({ verifyLeaves, identity }: Shared, prepared: PreparedJoin): Promise<boolean> {
  try {
    return (await verifyLeaves?.(identity.suite.signatureName, prepared)) ?? false
  } catch {
    return false
  }
}

function isMember({ work }: GroupConversation): boolean {
  const { status } = work.local.state
  return status === "active" || status === "leaving" || status === "halted" || status === "creating"
}

async function readToHead({ work, runner }: GroupConversation): Promise<void> {
  work.headSeq = undefined
  await runner.once()
}

function moveOn(step: Step, entry: InboxEntry): void {
  step.profile = { ...step.profile, inboxCursor: entry.n }
}
