import type { Interval } from "@conclave/contracts/access"
import * as delivery from "@conclave/delivery"
import type { Invariants } from "./invariants.js"
import { digest, hex, sha256 } from "./provider.js"
import type { Dice } from "./random.js"
import type { Timeline } from "./timeline.js"

/** A promise that the service breaks, planted to see whether that is noticed. */
export type Lie =
  | "loses an acknowledged append"
  | "takes two commits for one place"
  | "shows a Welcome before its commit"
  | "hands a key package out twice"
  | "shows other bytes to some"
  | "keeps a Welcome back"

export interface LedgerOptions {
  readonly timeline: Timeline
  readonly dice: Dice
  readonly invariants: Invariants
  readonly lie: Lie | undefined
}

type Store = delivery.Store
/** Something that was changed, to be done once more to a copy. */
interface Change {
  readonly redo: (copy: Store) => Promise<unknown>
  /** The entry that it has appended. */
  readonly entry?: { readonly group: string; readonly seq: bigint; readonly accessKey: Uint8Array | undefined }
  /** Clients do not make a group again: a replica that lacks one is not modelled. */
  readonly isNeeded?: boolean
}
type NewEntry = Parameters<Store["append"]>[0]

/** The real store, and what it has promised. */
export class Ledger implements Store {
  #store: Store = delivery.memoryStore(sha256)
  readonly #options: LedgerOptions
  readonly #groups = new Map<string, Uint8Array>()
  /** By group: how far its log has been seen. */
  readonly #heads = new Map<string, bigint>()
  /** By group: the newest access key. */
  readonly #keys = new Map<string, Uint8Array>()
  /** By the device, for the lie. */
  readonly #handedOut = new Map<string, Awaited<ReturnType<Store["claimKeyPackage"]>>>()
  /** All that was changed, in order: what a replica is made from. */
  readonly #changes: Change[] = []
  /** Lengths of logs that are shorter since a failover, until that is announced. */
  #rewound: ReadonlyMap<string, bigint> | undefined
  /** Idempotency ids of what somebody without membership appends, in hexadecimal. */
  readonly strangers = new Set<string>()

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  get groups(): readonly Uint8Array[] {
    return [...this.#groups.values()]
  }

  async createGroup(group: Parameters<Store["createGroup"]>[0]) {
    const outcome = await this.#store.createGroup(group)
    if (outcome !== "created") return outcome
    this.#groups.set(hex(group.groupId), group.groupId)
    this.#keys.set(hex(group.groupId), group.accessKey)
    const entry = { group: hex(group.groupId), seq: 0n, accessKey: group.accessKey }
    const isNeeded = true
    this.#changes.push({ redo: (copy) => copy.createGroup({ ...group, admit: () => undefined }), entry, isNeeded })
    return outcome
  }

  async append(entry: NewEntry) {
    const { lie, dice, invariants } = this.#options
    const isStranger = this.strangers.has(hex(entry.idempotencyId))
    const group = hex(entry.groupId)
    const head = await this.#headOf(entry.groupId)
    const isLostRace = entry.kind === "commit" && head !== undefined && entry.after < head.lastCommitSeq
    const isBent = lie === "takes two commits for one place" && isLostRace
    if (lie === "loses an acknowledged append" && head !== undefined && dice.chance(10)) {
      const { headSeq, chainHash } = head
      return { type: "accepted", seq: headSeq + 1n, chainHash, undelivered: [] } as const
    }
    const isKeptBack = lie === "keeps a Welcome back" && entry.commit !== undefined
    let admitted: ReturnType<NewEntry["admit"]>
    const asked: NewEntry = {
      ...entry,
      after: isBent ? head!.lastCommitSeq : entry.after,
      permit: isBent ? () => undefined : entry.permit,
      commit: isKeptBack ? { ...entry.commit!, recipients: [] } : entry.commit,
      admit: (use) => {
        admitted = entry.admit(use)
        return admitted
      },
    }
    const appended = await this.#store.append(asked)
    if (appended.type !== "accepted" || appended.seq <= (this.#heads.get(group) ?? 0n)) return appended
    const undelivered = new Set(appended.undelivered.map(hex))
    const again = {
      permit: () => undefined,
      admit: () => admitted,
      commit: asked.commit && { ...asked.commit, mayDeliver: (to: Uint8Array) => !undelivered.has(hex(to)) },
    }
    this.#changes.push({
      redo: (copy) => copy.append({ ...asked, ...again }),
      entry: { group, seq: appended.seq, accessKey: entry.commit?.begins?.accessKey },
    })
    if (entry.commit?.begins !== undefined) this.#keys.set(group, entry.commit.begins.accessKey)
    this.#heads.set(group, appended.seq)
    invariants.accepted({ group, seq: appended.seq, entry, isStranger })
    for (const recipient of entry.commit?.recipients ?? []) {
      if (!undelivered.has(hex(recipient))) await this.#requireWelcome(recipient, entry.groupId, appended.seq)
    }
    return appended
  }

  async #requireWelcome(deviceId: Uint8Array, groupId: Uint8Array, seq: bigint): Promise<void> {
    const inbox = await this.#store.inbox({ deviceId, after: 0n, limit: 10_000, sizeMax: Number.MAX_SAFE_INTEGER })
    const isThere = inbox.entries.some((it) => it.seq === seq && hex(it.groupId) === hex(groupId))
    this.#options.invariants.aCommitIsThereWithItsWelcomes(hex(groupId), seq, isThere)
  }

  async read(page: Parameters<Store["read"]>[0]) {
    const { lie, dice } = this.#options
    const read = await this.#store.read(page)
    if (read.type !== "page" || lie === undefined) return read
    const last = read.entries.at(-1)
    if (lie === "shows a Welcome before its commit" && last?.kind === "commit" && dice.chance(60)) {
      return { ...read, entries: read.entries.slice(0, -1), headSeq: last.seq - 1n }
    }
    if (lie === "shows other bytes to some" && last !== undefined && dice.chance(10)) {
      const body = last.body.map((byte, at) => (at === last.body.length - 1 ? byte ^ 1 : byte))
      return { ...read, entries: [...read.entries.slice(0, -1), { ...last, body }] }
    }
    return read
  }

  async claimKeyPackage(claim: Parameters<Store["claimKeyPackage"]>[0]) {
    const { lie, invariants } = this.#options
    const device = hex(claim.deviceId)
    const before = lie === "hands a key package out twice" ? this.#handedOut.get(device) : undefined
    const claimed = before ?? (await this.#store.claimKeyPackage(claim))
    if (before === undefined) this.#changes.push({ redo: (copy) => copy.claimKeyPackage(claim) })
    if (claimed?.lastResort === false) {
      this.#handedOut.set(device, claimed)
      invariants.aKeyPackageIsHandedOutOnce(digest(claimed.keyPackage))
    }
    return claimed
  }

  async inbox(page: Parameters<Store["inbox"]>[0]) {
    const read = await this.#store.inbox(page)
    for (const { kind, groupId, seq } of read.entries) {
      if (kind !== "welcome") continue
      const log = await this.read({ ...this.#shownOf(groupId), after: seq - 1n, limit: 1, sizeMax: 1 })
      const there = log.type === "page" ? log.entries[0] : undefined
      this.#options.invariants.aWelcomeIsThereWithItsCommit(hex(groupId), seq, there)
    }
    return read
  }

  publishKeyPackages: Store["publishKeyPackages"] = (publication) => {
    for (const { keyPackage } of publication.keyPackages) this.#options.invariants.publishedForOneUse(keyPackage)
    this.#changes.push({ redo: (copy) => copy.publishKeyPackages(publication) })
    return this.#store.publishKeyPackages(publication)
  }
  head: Store["head"] = (shown) => this.#store.head(shown)
  standing: Store["standing"] = (shown) => this.#store.standing(shown)
  standings: Store["standings"] = (shown) => this.#store.standings(shown)
  knock: Store["knock"] = async (knock) => {
    let admitted: ReturnType<typeof knock.admit>
    const admit: typeof knock.admit = (use) => {
      admitted = knock.admit(use)
      return admitted
    }
    const left = await this.#store.knock({ ...knock, admit })
    const again = { permit: () => undefined, admit: () => admitted }
    if (left.type === "left") this.#changes.push({ redo: (copy) => copy.knock({ ...knock, ...again }) })
    return left
  }
  knocks: Store["knocks"] = (asked) => this.#store.knocks(asked)
  beside: Store["beside"] = (asked) => this.#store.beside(asked)
  answer: Store["answer"] = (asked) => this.#store.answer(asked)
  policy: Store["policy"] = (shown) => this.#store.policy(shown)
  changePolicy: Store["changePolicy"] = (change) => this.#store.changePolicy(change)
  identity: Store["identity"] = async (made) => {
    const identity = await this.#store.identity(made)
    if (identity === made) this.#changes.push({ redo: (copy) => copy.identity(made), isNeeded: true })
    return identity
  }
  raiseIncarnation: Store["raiseIncarnation"] = async (handover) => {
    await this.#store.raiseIncarnation(handover)
    this.#changes.push({ redo: (copy) => copy.raiseIncarnation(handover), isNeeded: true })
    this.#options.invariants.announced(handover.incarnation, this.#rewound ?? new Map())
    this.#rewound = undefined
  }
  countKeyPackages: Store["countKeyPackages"] = (device) => this.#store.countKeyPackages(device)
  inboxHead: Store["inboxHead"] = (deviceId) => this.#store.inboxHead(deviceId)
  acknowledgeInbox: Store["acknowledgeInbox"] = (deviceId, upTo) => {
    this.#changes.push({ redo: (copy) => copy.acknowledgeInbox(deviceId, upTo) })
    return this.#store.acknowledgeInbox(deviceId, upTo)
  }
  news: Store["news"] = (mark) => this.#store.news(mark)
  sweep: Store["sweep"] = (horizons) => this.#store.sweep(horizons)
  usage: Store["usage"] = () => this.#store.usage()

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]()
  }

  /**
   * A replica takes over that has not received the last `lost` changes; but it has every group. Returns whether it lacks
   * anything: then it is not the same service until an incarnation is announced.
   */
  async failOver(lost: number): Promise<boolean> {
    const needed = this.#changes.findLastIndex(({ isNeeded }) => isNeeded) + 1
    const kept = Math.max(needed, this.#changes.length - lost)
    if (kept === this.#changes.length) return false
    this.#changes.length = kept
    this.#store = delivery.memoryStore(sha256)
    const lengths = new Map<string, bigint>()
    for (const { redo, entry } of this.#changes) {
      await redo(this.#store)
      if (entry === undefined) continue
      lengths.set(entry.group, entry.seq)
      if (entry.accessKey !== undefined) this.#keys.set(entry.group, entry.accessKey)
    }
    this.#heads.clear()
    for (const [group, length] of lengths) this.#heads.set(group, length)
    this.#rewound = lengths
    return true
  }

  /** The whole log, as it is. */
  async log(groupId: Uint8Array) {
    const all = { after: 0n, limit: 1_000_000, sizeMax: Number.MAX_SAFE_INTEGER }
    const page = await this.#store.read({ ...this.#shownOf(groupId), ...all })
    return page.type === "page" ? page.entries : []
  }

  /** An entry that nobody with a key of the group's has sent: the service writes it into the log. */
  async insert(
    entry: Pick<NewEntry, "groupId" | "idempotencyId" | "kind" | "epoch" | "body">,
    begins?: Interval,
  ): Promise<void> {
    const head = await this.#headOf(entry.groupId)
    if (head === undefined) return
    this.strangers.add(hex(entry.idempotencyId))
    await this.append({
      ...entry,
      ...this.#shownOf(entry.groupId),
      requestHash: sha256(entry.body),
      at: BigInt(this.#options.timeline.now),
      after: head.lastCommitSeq,
      pastCommitsMax: 0,
      commit: begins && {
        ...{ welcome: new Uint8Array(), recipients: [], unserved: [], begins, answers: undefined, knocksSince: 0n },
        ...{ sender: new Uint8Array(8), inboxEntriesPerGroupMax: 1, inboxEntriesMax: 1, mayDeliver: () => false },
      },
      admit: () => undefined,
    })
  }

  async #headOf(groupId: Uint8Array) {
    const head = await this.#store.head(this.#shownOf(groupId))
    return head.type === "head" ? head : undefined
  }

  /** By the newest key, which reads the whole log. */
  #shownOf(groupId: Uint8Array) {
    return { groupId, key: this.#keys.get(hex(groupId)), permit: () => undefined }
  }
}
