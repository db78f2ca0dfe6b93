import { equalBytes } from "@conclave/crypto"
import type { InboxEntry } from "@conclave/delivery/api"
import { Group, type Member, type PreparedJoin, type StagedJoin } from "@conclave/mls"
import type { ClientPolicy, Invitation, InvitationAnswer } from "../client.js"
import type { Shared } from "../conversation/context.js"
import { keysUnder } from "../conversation/context.js"
import type { GroupConversation } from "../conversation/facade.js"
import { type DeclineReason, declineUnseen } from "../conversation/invitation.js"
import { accept, emitRefusedKeys } from "../conversation/settle.js"
import { includes, type Judgement, nameOf, refusalInWords } from "../identity/judge.js"
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
  readonly policy: ClientPolicy["invitations"]
}

/** What the service keeps for this device alone: Welcomes, and notices that key packages run low. */
export class Inbox {
  readonly #options: InboxOptions
  /** Another one is needed. */
  #lastResortUsed = false

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
      if (page.entries.length === 0 || inboxCursor >= page.head) break
    }
    if (this.#lastResortUsed) await shared.stock.replenish(signal)
    this.#lastResortUsed = false
  }

  async #take(entry: InboxEntry): Promise<void> {
    if (entry.kind === "welcome") return this.#join(entry)
    const { shared, signal } = this.#options
    await shared.stock.replenish(signal)
    await shared.steps.run(undefined, (step) => moveOn(step, entry))
  }

  async #join(entry: InboxEntry): Promise<void> {
    const { shared, signal, find } = this.#options
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
    const by = nameOf(staged.inviter.credential)
    if (judgement.refused.length > 0 || by === undefined) {
      return this.#decline({ entry, staged, reason: "unverified" }, (step) => tellRefused(step, judgement))
    }
    const answer = await this.#answer({ by, entry, staged })
    if (answer === "limit") {
      return this.#decline({ entry, staged, reason: "limit" }, (step) => tellLimit(step, by))
    }
    if (answer === "decline") return this.#decline({ entry, staged, reason: "declined" }, () => {})
    await this.#enter({ entry, staged, judgement, by, answer })
  }

  /** What this device's person, or the program on their behalf, says to an invitation. */
  async #answer({ by, entry, staged }: Invited): Promise<InvitationAnswer | "limit"> {
    const { shared, find, policy } = this.#options
    // From another device of one's own.
    if (by === shared.identity.name) return "accept"
    if (!shared.invitations.hasRoom(by, { toAsk: false })) return "limit"
    const known = find(hex(entry.groupId))
    const title = known?.title ?? ""
    const said = await ask(policy, {
      by,
      conversation: hex(entry.groupId),
      members: namesOf(staged),
      ...(title !== "" && { title }),
    })
    const isUnasked = said === "accept" && known !== undefined && (await this.#isStranger(known, staged.inviter))
    const answer = isUnasked ? "ask" : said
    return answer === "ask" && !shared.invitations.hasRoom(by, { toAsk: true }) ? "limit" : answer
  }

  /**
   * Whether whoever invites this device back is nobody whom it knows: from the conversation's last tree, or from
   * anywhere where that is gone because it has left. A Welcome is no reason to put another group in the place of a
   * conversation that one has, unless the person wants it: whoever knows its id can make one.
   */
  async #isStranger({ work }: GroupConversation, { credential, signatureKey }: Member): Promise<boolean> {
    const { outline } = work.local.view
    const name = nameOf(credential)
    if (outline === undefined) {
      return name === undefined || !includes(await this.#options.shared.judge.pinned(name), signatureKey)
    }
    return !outline.nodes.some(
      (node) => node.type === "leaf" && node.name === name && equalBytes(node.signatureKey, signatureKey),
    )
  }

  async #enter({ entry, staged, judgement, by, answer }: Entering): Promise<void> {
    const { shared, find, make, register } = this.#options
    const known = find(hex(entry.groupId))
    const conversation = known ?? make(entry.groupId)
    const { work } = conversation
    const { local } = work
    const old = await keysUnder(shared, recordKeys.group(local.key))
    const used = await shared.stock.find(staged.keyPackageRef)
    await shared.steps.run(local, (step) => {
      moveOn(step, entry)
      accept(work, step, judgement)
      if (used !== undefined) shared.stock.use(step, used)
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
      const waits = answer === "ask"
      shared.invitations.add(step, local.key, {
        by,
        answer: waits ? "waiting" : "accepted",
        fresh: known === undefined,
        since: entry.seq,
      })
      const members = local.names
      if (waits) step.emit({ type: "invited", conversation: local.id, by, members })
      else step.emit({ type: "joined", conversation: local.id, members })
      // Before listeners are told: an event of a conversation that is not known would be passed over.
      step.after(() => {
        work.headSeq = undefined
        work.incoming.length = 0
        register(conversation)
      })
    })
    this.#lastResortUsed ||= used?.[1].lastResort === true
  }

  /** Does not come in, and says so to those inside. */
  async #decline({ entry, staged, reason }: Declining, tell: (step: Step) => void): Promise<void> {
    const { shared, signal } = this.#options
    await declineUnseen(shared, { staged, seq: entry.seq, reason }, signal)
    const used = await shared.stock.find(staged.keyPackageRef)
    await shared.steps.run(undefined, (step) => {
      moveOn(step, entry)
      if (used !== undefined) shared.stock.use(step, used)
      tell(step)
    })
    this.#lastResortUsed ||= used?.[1].lastResort === true
  }

  async #refuse(entry: InboxEntry, why: string): Promise<void> {
    await this.#options.shared.steps.run(undefined, (step) => {
      moveOn(step, entry)
      const reason = `an invitation could not be followed: ${why}`
      step.emit({ type: "rejected", conversation: undefined, code: "REFUSED", reason })
    })
  }
}

interface Invited {
  readonly by: string
  readonly entry: InboxEntry
  readonly staged: StagedJoin
}

interface Entering extends Invited {
  readonly judgement: Judgement
  readonly answer: InvitationAnswer
}

interface Declining {
  readonly entry: InboxEntry
  readonly staged: StagedJoin
  readonly reason: DeclineReason
}

/** Somebody in that group is not who they say they are: loudly. */
function tellRefused(step: Step, judgement: Judgement): void {
  emitRefusedKeys({ local: undefined }, step, judgement)
  const reason = `an invitation was not accepted: ${refusalInWords(judgement)}`
  step.emit({ type: "rejected", conversation: undefined, code: "REFUSED", reason })
}

function tellLimit(step: Step, by: string): void {
  const reason = `${by} sends more invitations than are taken: they were declined`
  step.emit({ type: "rejected", conversation: undefined, code: "TOO_MANY_INVITATIONS", reason })
}

/** A program that has no answer leaves it to the person. */
const ANSWER_MILLISECONDS_MAX = 10_000

async function ask(policy: ClientPolicy["invitations"], invitation: Invitation): Promise<InvitationAnswer> {
  if (typeof policy !== "function") return policy
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<"ask">((resolve) => {
    timer = setTimeout(() => resolve("ask"), ANSWER_MILLISECONDS_MAX)
  })
  try {
    const answer = await Promise.race([policy(invitation), late])
    return answer === "accept" || answer === "decline" ? answer : "ask"
  } catch {
    return "ask"
  } finally {
    clearTimeout(timer)
  }
}

function namesOf({ members }: StagedJoin): readonly string[] {
  return [...new Set(members.flatMap(({ credential }) => nameOf(credential) ?? []))].sort()
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
