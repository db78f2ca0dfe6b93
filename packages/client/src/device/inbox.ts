import type { InboxEntry } from "@conclave/contracts/delivery"
import { equalBytes, type SignatureName } from "@conclave/crypto"
import { includes, type Judgement, nameOf, refusalInWords } from "@conclave/identity/verdicts"
import { type CredentialClaim, Group, type Member, type PreparedJoin, type StagedJoin } from "@conclave/mls"
import { readNewcomer, type Told } from "../access/newcomer.js"
import type { Continues } from "../access/structs.js"
import { fromHex, hex } from "../bytes.js"
import type { ClientPolicy, Invitation, InvitationAnswer, VerifyLeaves } from "../client.js"
import type { DeclineReason } from "../conversation/declining.js"
import type { Joined } from "../conversation/invitation.js"
import type { ContinuedConversation } from "../conversation.js"
import { tellKeyChange } from "../identity/key-changes.js"
import type { Stock } from "../identity/stock.js"
import type { Transaction } from "../journal/transactions.js"
import { Unavailable } from "../service/call.js"
import { inSlices } from "../slices.js"
import type { Timers } from "../timers.js"
import { compared, mayBeContinued } from "./continuations.js"
import { declineUnseen } from "./declining-unseen.js"
import type { Means } from "./driver.js"
import type { ConversationHandle } from "./handle.js"

export interface InboxOptions {
  readonly means: Omit<Means, "onFault">
  readonly stock: Stock
  readonly verifyLeaves: VerifyLeaves | undefined
  /** Whether the log of any conversation is followed: its pages tell that the service was restored. */
  readonly followsAny: () => boolean
  readonly find: (id: string) => ConversationHandle | undefined
  /** The same without one whose invitation was declined. */
  readonly findShown: (id: string) => ConversationHandle | undefined
  /** A conversation that is not known yet; {@link register} makes it known. */
  readonly make: (id: Uint8Array) => ConversationHandle
  readonly register: (conversation: ConversationHandle) => void
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
    const { means, stock, followsAny } = this.#options
    const { delivery, serviceKeys, transactions, signal } = means
    // Nothing else would tell this device that numbers up to its cursor are given again.
    const hasRead = transactions.profile.inboxCursor > 0n && serviceKeys.pinned !== undefined
    // It is read now: a service that says each time that it was restored would have it read again without end.
    if (hasRead && !followsAny()) await serviceKeys.ask(signal, () => {})
    for (let isForgotten = false; ; ) {
      const before = transactions.profile.inboxCursor
      const page = await delivery.inbox(before, signal)
      if (page.head < before && !isForgotten) {
        // Restored from a backup: what comes has lower numbers again.
        isForgotten = true
        await transactions.run(undefined, (transaction) => {
          transaction.profile = { ...transaction.profile, inboxCursor: 0n }
        })
        continue
      }
      for (const entry of page.entries) if (entry.n > transactions.profile.inboxCursor) await this.#take(entry)
      const { inboxCursor } = transactions.profile
      if (inboxCursor === before && page.entries.length > 0) {
        throw new Unavailable("the service shows of the inbox what it was not asked for")
      }
      if (page.entries.length > 0) await delivery.acknowledgeInbox(inboxCursor, signal)
      if (page.entries.length === 0 || inboxCursor >= page.head) break
    }
    if (this.#lastResortUsed) await stock.replenish(signal)
    this.#lastResortUsed = false
  }

  async #take(entry: InboxEntry): Promise<void> {
    this.#options.means.log.write("inbox entry", { entry: entry.kind, number: entry.n })
    if (entry.kind === "welcome") return this.#join(entry)
    const { means, stock } = this.#options
    await stock.replenish(means.signal)
    await means.transactions.run(undefined, (transaction) => moveOn(transaction, entry))
  }

  async #join(entry: InboxEntry): Promise<void> {
    const { means, stock, verifyLeaves, find } = this.#options
    const known = find(hex(entry.groupId))
    // Who is a member already has to see its own removal in the log before it may come in again.
    if (known !== undefined) await readToHead(known)
    if (known !== undefined && isMember(known)) return this.#refuse(entry, "this device is a member already")
    // The person has another one in its place: what is to be said goes there.
    if (known?.driver.state.facts.status === "continued") {
      return this.#refuse(entry, "this conversation goes on in another group")
    }
    if (known !== undefined && (await mayKnock(known, entry, means))) {
      return this.#refuse(entry, "this device is a member already, and knocks")
    }
    const bundles = await stock.bundles()
    let staged: StagedJoin
    let told: Told | undefined
    try {
      const welcomed = Group.openWelcome({
        ...means.groupOptions,
        suite: means.identity.suite,
        signer: means.identity.signer,
        welcome: entry.body,
        keyPackages: bundles,
        ...(entry.ratchetTree === undefined ? {} : { ratchetTree: entry.ratchetTree }),
      })
      const prepared = await inSlices(welcomed, means.slicing, means.signal)
      told = readNewcomer(means.identity.suite, prepared.groupInfoExtensions)
      if (told !== undefined && (await stock.hasEntered(told.commit))) throw new RangeError("it was followed before")
      const signaturesVerified = await areLeavesVerified(verifyLeaves, means.identity.suite.signatureName, prepared)
      staged = await inSlices(prepared.stageInSlices({ signaturesVerified }), means.slicing, means.signal)
    } catch (error) {
      means.signal.throwIfAborted()
      return this.#refuse(entry, error instanceof Error ? error.message : String(error))
    }
    if (!equalBytes(staged.groupId, entry.groupId)) return this.#refuse(entry, "the Welcome leads to another group")
    const by = nameOf(staged.inviter.credential)
    if (by !== undefined && (await this.#isBeyondLimit(by, staged))) {
      return this.#decline({ entry, staged, told, reason: "limit" }, (transaction) => tellLimit(transaction, by))
    }
    const judgement = await this.#judged(staged)
    if (judgement.refused.length > 0 || by === undefined) {
      return this.#decline({ entry, staged, told, reason: "unverified" }, (transaction) =>
        tellRefused(transaction, judgement),
      )
    }
    const continues = await this.#continued(by, staged, told)
    const answer = await this.#answer({ by, entry, staged, continues })
    if (answer === "limit") {
      return this.#decline({ entry, staged, told, reason: "limit" }, (transaction) => tellLimit(transaction, by))
    }
    if (answer === "decline") return this.#decline({ entry, staged, told, reason: "declined" }, () => {})
    await this.#enter({ entry, staged, told, judgement, by, answer, continues })
  }

  /**
   * Who the members are. One that was revoked, and has not been taken out yet, is no reason to stay away: this device takes it out
   * before it says anything. An invitation by one is refused.
   */
  async #judged({ claims, inviter }: StagedJoin): Promise<Judgement> {
    const { judge, revocations, signal } = this.#options.means
    const judgement = await judge.judge(claims, signal)
    const isOut = ({ credential, signatureKey }: CredentialClaim) =>
      revocations.since(nameOf(credential) ?? "", signatureKey) !== undefined &&
      !equalBytes(signatureKey, inviter.signatureKey)
    const others = claims.filter((claim) => !isOut(claim))
    if (others.length === claims.length) return judgement
    const ofOthers = await judge.judge(others, signal)
    const verdicts = judgement.verdicts.map((it) => (isOut(it.claim) ? { ...it, accepted: true } : it))
    return { ...ofOthers, verdicts }
  }

  /**
   * What the group was made to continue, if its inviter says so and this device knows the inviter's key from the last tree of
   * that conversation. The log of it is read first: whether it goes on is judged by that, and never by what the inviter says.
   */
  async #continued(by: string, { inviter, groupId, members }: StagedJoin, told: Told | undefined): Promise<Continued> {
    const { find, findShown } = this.#options
    if (told?.continues === undefined || find(hex(groupId)) !== undefined) return undefined
    const { groupId: claimed, names: toldNames } = told.continues
    const before = findShown(hex(claimed))
    if (before === undefined) return undefined
    // One that is over already is not asked for: the service may not have it any more.
    if (!mayBeContinued(before)) await readToHead(before)
    if (!isInTree(before, inviter)) return undefined
    if (!mayBeContinued(before)) return { told: told.continues, seen: undefined }
    return { told: told.continues, seen: compared(before, { by, names: namesOf({ members }), told: toldNames }) }
  }

  /**
   * Whether an inviter who is who they say they are has sent too many invitations already. Judged before anybody else is:
   * each member of the group may cost a question to the directory.
   */
  async #isBeyondLimit(by: string, { inviter, claims }: StagedJoin): Promise<boolean> {
    const { means, policy } = this.#options
    if (by === means.identity.name || means.invitations.hasRoom(by, { toAsk: policy === "ask" })) return false
    const own = claims.filter(({ signatureKey }) => equalBytes(signatureKey, inviter.signatureKey))
    return (await means.judge.judge(own, means.signal)).refused.length === 0
  }

  /** What this device's person, or the program on their behalf, says to an invitation. */
  async #answer({ by, entry, staged, continues }: Invited): Promise<InvitationAnswer | "limit"> {
    const { means, find, policy } = this.#options
    const seen = continues?.seen
    // From another device of one's own.
    if (by === means.identity.name) return seen === undefined ? "accept" : "ask"
    const known = find(hex(entry.groupId))
    const title = known?.title ?? ""
    const invitation = { by, conversation: hex(entry.groupId), members: namesOf(staged) }
    const asked = { ...invitation, ...(title !== "" && { title }), ...(seen && { continues: seen }) }
    const said = await ask(policy, asked, means.timers)
    const isUnasked =
      said === "accept" &&
      (seen !== undefined ||
        (known !== undefined && (cannotFollow(known) || (await this.#isStranger(known, staged.inviter)))))
    const answer = isUnasked ? "ask" : said
    return answer === "ask" && !means.invitations.hasRoom(by, { toAsk: true }) ? "limit" : answer
  }

  /**
   * Whether whoever invites this device back is nobody whom it knows: from the conversation's last tree, or from
   * anywhere where that is gone because it has left. A Welcome is no reason to put another group in the place of a
   * conversation that one has, unless the person wants it: whoever knows its id can make one.
   */
  async #isStranger(known: ConversationHandle, inviter: Member): Promise<boolean> {
    const { outline } = known.driver.view
    const { credential, signatureKey } = inviter
    const name = nameOf(credential)
    if (outline === undefined) {
      return name === undefined || !includes(await this.#options.means.judge.pinned(name), signatureKey)
    }
    return !isInTree(known, inviter)
  }

  async #enter({ entry, staged, told, judgement, by, answer, continues }: Entering): Promise<void> {
    const { means, stock, find, make, register } = this.#options
    // What the inviter had read is of use where it is known by what key the service signs.
    if (told?.head !== undefined && means.serviceKeys.pinned === undefined) await means.serviceKeys.ask(means.signal)
    const known = find(hex(entry.groupId))
    const conversation = known ?? make(entry.groupId)
    const used = await stock.find(staged.keyPackageRef)
    const arrival = { keys: told?.keys, head: told?.head, commit: told?.commit, seq: entry.seq }
    const invited = { judgement, by, answer, fresh: !known, continues: continues && asStored(continues) }
    await conversation.driver.join(
      () => ({ group: staged.accept(judgement.verdicts), ...arrival, ...invited }),
      (transaction) => {
        moveOn(transaction, entry)
        if (used !== undefined) stock.enter(transaction, used, told?.commit)
        transaction.after(() => register(conversation))
      },
    )
    this.#lastResortUsed ||= used?.[1].lastResort === true
  }

  /** Does not come in, and says so to those inside. */
  async #decline({ entry, staged, told, reason }: Declining, tell: (transaction: Transaction) => void): Promise<void> {
    const { means, stock } = this.#options
    const { delivery, random, signal } = means
    await declineUnseen({ delivery, random, staged, keys: told?.keys, seq: entry.seq, reason, signal })
    const used = await stock.find(staged.keyPackageRef)
    await means.transactions.run(undefined, (transaction) => {
      moveOn(transaction, entry)
      if (used !== undefined) stock.use(transaction, used)
      tell(transaction)
    })
    this.#lastResortUsed ||= used?.[1].lastResort === true
  }

  async #refuse(entry: InboxEntry, why: string): Promise<void> {
    await this.#options.means.transactions.run(undefined, (transaction) => {
      moveOn(transaction, entry)
      const reason = `an invitation could not be followed: ${why}`
      transaction.emit({ type: "rejected", conversation: undefined, code: "REFUSED", reason })
    })
  }
}

/** What the inviter says, and how this device sees it; `seen` is absent where the conversation that it has goes on. */
type Continued = { readonly told: Continues; readonly seen: ContinuedConversation | undefined } | undefined

function asStored({ told, seen }: NonNullable<Continued>): NonNullable<Joined["continues"]> {
  return { told, seen: seen && { ...seen, conversation: fromHex(seen.conversation.id) } }
}

/** Whether it is a member of this device's last tree of the conversation, with the same key. */
function isInTree({ driver }: ConversationHandle, { credential, signatureKey }: Member): boolean {
  const name = nameOf(credential)
  return (driver.view.outline?.nodes ?? []).some(
    (node) => node.type === "leaf" && node.name === name && equalBytes(node.signatureKey, signatureKey),
  )
}

interface Invited {
  readonly continues: Continued
  readonly by: string
  readonly entry: InboxEntry
  readonly staged: StagedJoin
}

interface Entering extends Invited {
  readonly told: Told | undefined
  readonly judgement: Judgement
  readonly answer: "accept" | "ask"
}

interface Declining {
  readonly entry: InboxEntry
  readonly staged: StagedJoin
  readonly told: Told | undefined
  readonly reason: DeclineReason
}

/** Somebody in that group is not who they say they are: loudly. */
function tellRefused(transaction: Transaction, judgement: Judgement): void {
  for (const change of judgement.keyChanges) {
    if (!change.accepted) tellKeyChange(transaction, undefined, change)
  }
  const reason = `an invitation was not accepted: ${refusalInWords(judgement)}`
  transaction.emit({ type: "rejected", conversation: undefined, code: "REFUSED", reason })
}

function tellLimit(transaction: Transaction, by: string): void {
  const reason = `${by} sends more invitations than are taken: they were declined`
  transaction.emit({ type: "rejected", conversation: undefined, code: "TOO_MANY_INVITATIONS", reason })
}

/** A program that has no answer leaves it to the person. */
const ANSWER_MILLISECONDS_MAX = 10_000

async function ask(
  policy: ClientPolicy["invitations"],
  invitation: Invitation,
  timers: Timers,
): Promise<InvitationAnswer> {
  if (typeof policy !== "function") return policy
  let cancel = () => {}
  const late = new Promise<"ask">((resolve) => {
    cancel = timers.after(ANSWER_MILLISECONDS_MAX, () => resolve("ask"))
  })
  try {
    const answer = await Promise.race([policy(invitation), late])
    return answer === "accept" || answer === "decline" ? answer : "ask"
  } catch {
    return "ask"
  } finally {
    cancel()
  }
}

function namesOf({ members }: Pick<StagedJoin, "members">): readonly string[] {
  return [...new Set(members.flatMap(({ credential }) => nameOf(credential) ?? []))].sort()
}

/** Where other threads find a signature wrong, or fail, staging finds out by itself and says what is wrong. */
async function areLeavesVerified(
  verifyLeaves: VerifyLeaves | undefined,
  scheme: SignatureName,
  prepared: PreparedJoin,
): Promise<boolean> {
  try {
    return (await verifyLeaves?.(scheme, prepared)) ?? false
  } catch {
    return false
  }
}

/**
 * A Welcome that is not the answer to this device's own knock could lead into a group of its maker's own, in the place of
 * a conversation that one has: that is for the person to say.
 */
function cannotFollow({ driver }: ConversationHandle): boolean {
  const { status } = driver.state.facts
  return status === "recovering" || status === "stopped"
}

function isMember({ driver }: ConversationHandle): boolean {
  const { status } = driver.state.facts
  return status === "active" || status === "leaving" || status === "halted" || status === "creating"
}

/**
 * Whether a device that knocks is a member still, as far as the service says: the key that it has reads what the Welcome
 * came with, and that removes nobody. Otherwise any member could put a group of its own in the place of the conversation,
 * and of the knock that the others would answer.
 */
async function mayKnock(
  { driver }: ConversationHandle,
  { groupId, seq }: InboxEntry,
  { delivery, signal }: Pick<Means, "delivery" | "signal">,
): Promise<boolean> {
  const { facts, intervals } = driver.state
  const prover = intervals.newest
  if (facts.status !== "recovering" || prover === undefined || seq === 0n) return false
  const page = await delivery.read(groupId, seq - 1n, { prover, signal })
  const [entry] = page.type === "entries" ? page.entries : []
  return entry?.seq === seq && entry.begins?.removes !== true
}

async function readToHead({ driver }: ConversationHandle): Promise<void> {
  driver.bring({ type: "head unknown" })
  await driver.runner.once()
}

function moveOn(transaction: Transaction, entry: InboxEntry): void {
  transaction.profile = { ...transaction.profile, inboxCursor: entry.n }
}
