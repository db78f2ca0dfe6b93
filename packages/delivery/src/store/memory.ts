import type { InboxEntry } from "@conclave/contracts/delivery"
import type { Handover } from "@conclave/contracts/heads"
import { logChainHash, logChainStart, type Sha256 } from "@conclave/contracts/log-chain"
import { besideOf, fairPage, standingOf } from "./memory-access.js"
import {
  admission,
  bytesOf,
  type Delivered,
  type Device,
  firstPage,
  type Group,
  key,
  keyReuse,
  type Package,
  staleness,
} from "./memory-state.js"
import {
  type Appended,
  type Beside,
  type BesidePage,
  type Claim,
  type ClaimedKeyPackage,
  dueBy,
  type FoundPolicy,
  type Head,
  type Horizons,
  type InboxPage,
  type Lasting,
  type LogPage,
  type NewCommit,
  type NewEntry,
  type NewGroup,
  type NewKeyPackage,
  type NewKnock,
  type News,
  type NewsMark,
  noPolicy,
  type Operated,
  type Page,
  type PolicyChange,
  type Publication,
  type Refusal,
  type Refused,
  type Shown,
  type Standing,
  type Stock,
  type Store,
  type StoredAnswer,
  type StoredIdentity,
  type StoreUsage,
  Suspended,
  type Swept,
  type WaitingKnocks,
} from "./store.js"

/**
 * The reference model: what every store does, in the plainest way, for comparing with and for tests that need no disk.
 */
export function memoryStore(sha256: Sha256): Store & Operated {
  return new MemoryStore(sha256)
}

const none = new Uint8Array()

class MemoryStore implements Store, Operated {
  readonly #sha256: Sha256
  readonly #groups = new Map<string, Group>()
  readonly #devices = new Map<string, Device>()
  #packages: Package[] = []
  #identity: StoredIdentity | undefined
  readonly #former = new Set<string>()
  readonly #suspended = new Map<string, string>()
  /** Closed groups and suspended devices, by the number that the action has. */
  readonly #actions: { readonly number: bigint; readonly group?: string; readonly device?: string }[] = []
  #number = 0n

  constructor(sha256: Sha256) {
    this.#sha256 = sha256
  }

  async createGroup(created: NewGroup): Promise<"created" | "repeated" | "exists" | Refusal> {
    const present = this.#groups.get(key(created.groupId))?.created
    if (present !== undefined) {
      const repeated =
        key(present.idempotencyId) === key(created.idempotencyId) &&
        key(present.requestHash) === key(created.requestHash)
      return repeated ? "repeated" : "exists"
    }
    if (this.#former.has(key(created.groupId))) return "exists"
    const refusal = created.admit()
    if (refusal !== undefined) return refusal
    const { accessKey, at, groupId } = created
    const chainHash = logChainStart(this.#sha256, groupId)
    this.#groups.set(key(groupId), {
      created,
      log: [],
      nextSeq: 1n,
      oldestSeq: 1n,
      lastCommitSeq: 0n,
      chainHash,
      lastAt: at,
      budgets: { appends: 0, proposals: 0, commits: 0, knocks: 0 },
      intervals: [{ seq: 0n, accessKey, removes: false, chainHash, at }],
      beside: 0n,
      lying: { knocks: [], answers: [] },
      knockNumber: 0n,
      policy: noPolicy,
    })
    return "created"
  }

  async append(source: NewEntry): Promise<Appended> {
    const group = this.#groups.get(key(source.groupId))
    if (group === undefined) return { type: "notFound" }
    const answered = group.log.find((it) => key(it.source.idempotencyId) === key(source.idempotencyId))
    if (answered !== undefined) {
      if (key(answered.source.requestHash) !== key(source.requestHash)) return { type: "idReused" }
      const { seq, chainHash } = answered.entry
      return { type: "accepted", seq, chainHash, undelivered: answered.undelivered }
    }
    const refusal =
      source.permit(standingOf(group, source.key)) ??
      staleness(group, source) ??
      keyReuse(group, source) ??
      admission(group, source)
    if (refusal !== undefined) return refusal
    const seq = group.nextSeq
    const { kind, epoch, body, at, commit } = source
    const begins = commit?.begins
    const chainHash = logChainHash(this.#sha256, group.chainHash, { seq, kind, epoch, body, begins })
    const undelivered = commit === undefined ? [] : this.#keepCommitParts(group, source, commit)
    const entry = { seq, kind, epoch, body, begins, chainHash, at }
    group.log.push({ entry, source, undelivered, number: ++this.#number })
    if (begins !== undefined) group.intervals.push({ ...begins, seq, chainHash, at })
    Object.assign(group, { nextSeq: seq + 1n, chainHash, lastAt: at })
    if (kind === "commit") group.lastCommitSeq = seq
    return { type: "accepted", seq, chainHash, undelivered }
  }

  #keepCommitParts(group: Group, { groupId, at }: NewEntry, commit: NewCommit): readonly Uint8Array[] {
    const { recipients, welcome, sender, unserved } = commit
    const seq = group.nextSeq
    this.#keepAnswers(group, { seq, at }, commit)
    const undelivered = recipients.filter((deviceId) => {
      if (this.#suspended.has(key(deviceId)) || !commit.mayDeliver(deviceId)) return true
      this.#makeRoom(this.#device(deviceId), groupId, commit)
      this.#deliver(deviceId, { kind: "welcome", groupId, seq, body: welcome, ratchetTree: undefined, at }, sender)
      return false
    })
    return [...unserved, ...undelivered]
  }

  #keepAnswers(group: Group, { seq, at }: { seq: bigint; at: bigint }, commit: NewCommit): void {
    const { lying } = group
    for (const { knock: id, key: sealedKey } of commit.answers?.to ?? []) {
      const found = lying.knocks.find(({ knock }) => key(knock.id) === key(id))
      if (found === undefined || found.knock.at < commit.knocksSince) continue
      lying.knocks = lying.knocks.filter((it) => it !== found)
      const { welcome } = commit.answers!
      lying.answers.push({ id, knockKey: found.knock.key, seq, key: sealedKey, welcome, at, beside: ++group.beside })
    }
  }

  #makeRoom(device: Device, groupId: Uint8Array, commit: NewCommit): void {
    const welcomes = device.inbox.filter(({ entry }) => entry.kind === "welcome")
    const ofGroup = welcomes.filter(({ entry }) => key(entry.groupId) === key(groupId))
    if (ofGroup.length >= commit.inboxEntriesPerGroupMax) removeOfMost(device, ofGroup, commit.sender)
    else if (welcomes.length >= commit.inboxEntriesMax) removeOfMost(device, welcomes, commit.sender)
  }

  async read({ after, limit, sizeMax, ...shown }: Page & Shown): Promise<LogPage | Refused> {
    const { group, standing, refused } = this.#permitted(shown)
    if (refused !== undefined) return refused
    const { headSeq } = standing
    const asked = group.log.map((it) => it.entry).filter(({ seq }) => seq > after && seq <= headSeq)
    const entries = firstPage(asked, { limit, sizeMax, sizeOf: (entry) => entry.body.length })
    return { type: "page", entries, oldestSeq: group.oldestSeq, headSeq, standing }
  }

  async head(shown: Shown): Promise<Head | Refused> {
    const { group, standing, refused } = this.#permitted(shown)
    if (refused !== undefined) return refused
    const { headSeq, lastCommitSeq, reach } = standing
    const { chainHash } = reach === undefined ? group : group.intervals.find(({ seq }) => seq === reach)!
    return { type: "head", headSeq, lastCommitSeq, chainHash }
  }

  async standing(shown: Shown): Promise<Standing | Refused> {
    const { standing, refused } = this.#permitted(shown)
    return refused ?? standing
  }

  standings(shown: readonly Shown[]): Promise<(Standing | Refused)[]> {
    return Promise.all(shown.map((it) => this.standing(it)))
  }

  #permitted(shown: Shown) {
    const group = this.#groups.get(key(shown.groupId))
    if (group === undefined) return { refused: { type: "notFound" } } as const
    const standing = standingOf(group, shown.key)
    const refused = shown.permit(standing)
    return refused === undefined ? ({ group, standing } as const) : { refused }
  }

  async knock(added: NewKnock): Promise<{ type: "left" | "repeated" | "idReused" } | Refused | Refusal> {
    const { group, refused } = this.#permitted(added)
    if (refused !== undefined) return refused
    const { id, sealed, at, since, ofKeyMax } = added
    const accessKey = added.key!
    const sender = key(added.sender)
    group.lying = {
      knocks: group.lying.knocks.filter(({ knock }) => knock.at >= since),
      answers: group.lying.answers.filter((answer) => answer.at >= since),
    }
    const { lying } = group
    const present = lying.knocks.find(({ knock }) => key(knock.id) === key(id))?.knock
    const answered = lying.answers.find((answer) => key(answer.id) === key(id))
    if (present !== undefined || answered !== undefined) {
      const ofKey = key(present?.key ?? answered!.knockKey) === key(accessKey)
      const isSame = ofKey && (present === undefined || key(present.sealed) === key(sealed))
      return { type: isSame ? "repeated" : "idReused" }
    }
    const refusal = admission(group, added)
    if (refusal !== undefined) return refusal
    const ofKey = lying.knocks.filter(({ knock }) => key(knock.key) === key(accessKey))
    if (ofKey.length >= ofKeyMax) {
      const evicted = oldestOfMost(ofKey, sender)
      lying.knocks = lying.knocks.filter((it) => it !== evicted)
    }
    lying.knocks.push({ knock: { id, key: accessKey, sealed, at }, sender, beside: ++group.beside })
    group.knockNumber = ++this.#number
    return { type: "left" }
  }

  async knocks({ since, sizeMax, ...shown }: Shown & Lasting & { sizeMax: number }): Promise<WaitingKnocks | Refused> {
    const { group, refused } = this.#permitted(shown)
    if (refused !== undefined) return refused
    const waiting = group.lying.knocks.filter(({ knock }) => knock.at >= since)
    return { type: "knocks", knocks: fairPage(waiting, sizeMax) }
  }

  async beside({ since, ...asked }: Shown & Lasting & BesidePage): Promise<Beside | Refused> {
    const { group, standing, refused } = this.#permitted(asked)
    return refused ?? besideOf(group.lying, { ...asked, since, standing })
  }

  async answer({
    since,
    id,
    ...shown
  }: Shown & Lasting & { id: Uint8Array }): Promise<StoredAnswer | { type: "none" } | Refused> {
    const { group, refused } = this.#permitted(shown)
    if (refused !== undefined) return refused
    const found = group.lying.answers.find((it) => key(it.id) === key(id))
    if (found === undefined || found.at < since || key(found.knockKey) !== key(shown.key ?? none))
      return { type: "none" }
    return { type: "answer", seq: found.seq, key: found.key, welcome: found.welcome }
  }

  async policy(shown: Shown): Promise<FoundPolicy | Refused> {
    const { group, refused } = this.#permitted(shown)
    return refused ?? { type: "policy", policy: group.policy }
  }

  async changePolicy(asked: PolicyChange): Promise<FoundPolicy | Refused | Refusal> {
    const { group, refused } = this.#permitted(asked)
    if (refused !== undefined) return refused
    const changed = asked.change(group.policy)
    const refusal = changed && admission(group, asked)
    if (refusal !== undefined) return refusal
    group.policy = changed ?? group.policy
    return { type: "policy", policy: group.policy }
  }

  async identity(made: StoredIdentity): Promise<StoredIdentity> {
    this.#identity ??= made
    return this.#identity
  }

  async raiseIncarnation(handover: Handover): Promise<void> {
    const { handovers, ...identity } = this.#identity!
    this.#identity = { ...identity, incarnation: handover.incarnation, handovers: [...handovers, handover] }
    this.#packages = this.#packages.map((it) => (it.lastResort ? it : { ...it, used: true }))
  }

  async publishKeyPackages(publication: Publication): Promise<Stock> {
    const { deviceId, cipherSuite, keyPackages, lastResort, at, stockMax } = publication
    this.#requireActive(deviceId)
    const owner = key(deviceId, cipherSuite)
    this.#device(deviceId).published = true
    if (publication.replaces && !this.#withdraw(owner, publication)) return this.countKeyPackages(publication)
    const isNew = (added: NewKeyPackage) =>
      added.notAfter > at && !this.#packages.some((it) => key(it.ref) === key(added.ref) && it.notAfter > at)
    for (const added of keyPackages) {
      if (this.#available(owner, at, false).length >= stockMax || !isNew(added)) continue
      this.#packages.push({ ...added, owner, lastResort: false, used: false })
    }
    if (lastResort !== undefined && isNew(lastResort)) {
      this.#packages = this.#packages.filter((it) => it.owner !== owner || !it.lastResort || it.used)
      this.#packages.push({ ...lastResort, owner, lastResort: true, used: false })
    }
    return this.countKeyPackages(publication)
  }

  /** Returns whether it is no copy of a request that another has replaced since. */
  #withdraw(owner: string, { keyPackages, lastResort, at, withdrawnUntil }: Publication): boolean {
    const known = this.#packages.find((it) => key(it.ref) === key(lastResort!.ref) && it.notAfter > at)
    if (known?.used) return false
    const kept = new Set([...keyPackages, lastResort!].map(({ ref }) => key(ref)))
    this.#packages = this.#packages.map((it) => {
      if (it.owner !== owner || it.used || kept.has(key(it.ref))) return it
      return { ...it, used: true, notAfter: it.notAfter < withdrawnUntil ? it.notAfter : withdrawnUntil }
    })
    return true
  }

  async claimKeyPackage(claim: Claim): Promise<ClaimedKeyPackage | undefined> {
    const { deviceId, cipherSuite, at, lowStock, lastResortOnly } = claim
    if (this.#suspended.has(key(deviceId))) return undefined
    const owner = key(deviceId, cipherSuite)
    const single = lastResortOnly ? undefined : this.#available(owner, at, false)[0]
    const found = single ?? this.#available(owner, at, true)[0]
    if (single !== undefined) single.used = true
    const device = this.#devices.get(key(deviceId))
    const told = device?.inbox.some(({ entry }) => entry.kind === "keyPackagesLow")
    if (device?.published === true && !told && this.#available(owner, at, false).length < lowStock) {
      const nothing = { groupId: new Uint8Array(), seq: 0n, body: new Uint8Array(), ratchetTree: undefined }
      this.#deliver(deviceId, { kind: "keyPackagesLow", ...nothing, at }, new Uint8Array())
    }
    return found && { keyPackage: found.keyPackage, lastResort: found.lastResort }
  }

  async countKeyPackages(of: { deviceId: Uint8Array; cipherSuite: number; at: bigint }): Promise<Stock> {
    this.#requireActive(of.deviceId)
    const owner = key(of.deviceId, of.cipherSuite)
    const count = this.#available(owner, of.at, false).length
    return { count, lastResort: this.#available(owner, of.at, true).length > 0 }
  }

  async inbox({ deviceId, after, limit, sizeMax }: Page & { deviceId: Uint8Array }): Promise<InboxPage> {
    this.#requireActive(deviceId)
    const device = this.#devices.get(key(deviceId))
    const behind = (device?.inbox ?? []).map((it) => it.entry).filter((entry) => entry.n > after)
    const sizeOf = (entry: InboxEntry) => entry.body.length + (entry.ratchetTree?.length ?? 0)
    return { entries: firstPage(behind, { limit, sizeMax, sizeOf }), head: device?.inboxHead ?? 0n }
  }

  async inboxHead(deviceId: Uint8Array): Promise<bigint> {
    return this.#devices.get(key(deviceId))?.inboxHead ?? 0n
  }

  async acknowledgeInbox(deviceId: Uint8Array, upTo: bigint): Promise<void> {
    this.#requireActive(deviceId)
    const device = this.#devices.get(key(deviceId))
    if (device !== undefined) device.inbox = device.inbox.filter(({ entry }) => entry.n > upTo)
  }

  async news(mark: NewsMark | undefined): Promise<News> {
    const since = mark === undefined ? this.#number : BigInt(mark[0] ?? 0n)
    const actions = this.#actions.filter(({ number }) => number > since)
    const newer = (list: readonly { readonly number: bigint }[]) => list.some(({ number }) => number > since)
    const ids = (names: readonly string[]) => names.map((name) => Uint8Array.from(Buffer.from(name, "hex")))
    return {
      mark: [this.#number],
      everything: false,
      groups: ids([
        ...[...this.#groups].flatMap(([name, { log, knockNumber }]) =>
          newer(log) || knockNumber > since ? [name] : [],
        ),
        ...actions.flatMap(({ group }) => group ?? []),
      ]),
      devices: ids([
        ...new Set([
          ...[...this.#devices].flatMap(([name, { inbox }]) => (newer(inbox) ? [name] : [])),
          ...actions.flatMap(({ device }) => device ?? []),
        ]),
      ]),
    }
  }

  async suspend(deviceId: Uint8Array, reason: string): Promise<void> {
    this.#suspended.set(key(deviceId), reason)
    this.#actions.push({ number: ++this.#number, device: key(deviceId) })
  }

  async resume(deviceId: Uint8Array): Promise<void> {
    this.#suspended.delete(key(deviceId))
  }

  async closeGroup(groupId: Uint8Array): Promise<boolean> {
    const name = key(groupId)
    if (!this.#groups.delete(name)) return false
    this.#former.add(name)
    for (const device of this.#devices.values()) {
      device.inbox = device.inbox.filter(({ entry }) => key(entry.groupId) !== name)
    }
    this.#actions.push({ number: ++this.#number, group: name })
    return true
  }

  #requireActive(deviceId: Uint8Array): void {
    const reason = this.#suspended.get(key(deviceId))
    if (reason !== undefined) throw new Suspended(reason)
  }

  async sweep({ at, messages, log, inbox, groups, knocks }: Horizons): Promise<Swept> {
    let rows = 0
    for (const [name, group] of this.#groups) {
      const policy = dueBy(group.policy, { at, headSeq: group.nextSeq - 1n })
      if (policy.isGone) {
        rows += 1 + group.log.length
        await this.closeGroup(group.created.groupId)
        continue
      }
      if (group.lastAt < groups) {
        this.#groups.delete(name)
        this.#former.add(name)
        rows += 1 + group.log.length
        continue
      }
      rows += this.#expire(group, maxOf(messages, policy.messages ?? messages))
      const lasting = {
        knocks: group.lying.knocks.filter(({ knock }) => knock.at >= knocks),
        answers: group.lying.answers.filter((answer) => answer.at >= knocks),
      }
      rows += group.lying.knocks.length - lasting.knocks.length + group.lying.answers.length - lasting.answers.length
      group.lying = lasting
      const horizon = maxOf(log, policy.log ?? log)
      const due = group.log.filter(({ entry }) => entry.at < horizon)
      if (due.length === 0) continue
      group.oldestSeq = maxOf(group.oldestSeq, due.at(-1)!.entry.seq + 1n)
      const kept = group.log.filter(({ entry }) => entry.at >= horizon || entry.seq === group.lastCommitSeq)
      rows += group.log.length - kept.length
      group.log = kept
    }
    for (const device of this.#devices.values()) {
      const kept = device.inbox.filter(({ entry }) => entry.at >= inbox)
      rows += device.inbox.length - kept.length
      device.inbox = kept
    }
    const packages = this.#packages.filter((it) => it.notAfter > at)
    rows += this.#packages.length - packages.length
    this.#packages = packages
    return { rows, more: false }
  }

  /** The model of a store has no disk. */
  usage(): StoreUsage {
    return { bytes: [...this.#groups.values()].reduce((sum, group) => sum + bytesOf(group), 0), sizeMax: Infinity }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #expire(group: Group, messages: bigint): number {
    let rows = 0
    group.log = group.log.map((it) => {
      if (it.entry.kind !== "application" || it.entry.at >= messages) return it
      rows++
      return { ...it, entry: { ...it.entry, kind: "expired", body: this.#sha256(it.entry.body) } }
    })
    return rows
  }

  #device(deviceId: Uint8Array): Device {
    const device = this.#devices.get(key(deviceId)) ?? { published: false, inbox: [], inboxHead: 0n }
    this.#devices.set(key(deviceId), device)
    return device
  }

  #deliver(deviceId: Uint8Array, entry: Omit<InboxEntry, "n">, sender: Uint8Array): void {
    const device = this.#device(deviceId)
    device.inboxHead += 1n
    device.inbox.push({
      entry: { n: device.inboxHead, ...entry },
      sender: key(sender),
      number: ++this.#number,
    })
  }

  #available(owner: string, at: bigint, lastResort: boolean): Package[] {
    return this.#packages.filter(
      (it) => it.owner === owner && it.lastResort === lastResort && !it.used && it.notAfter > at,
    )
  }
}

function removeOfMost(device: Device, among: readonly Delivered[], own: Uint8Array): void {
  const gone = oldestOfMost(among, key(own))
  device.inbox = device.inbox.filter((it) => it !== gone)
}

/** The oldest of the sender with the most, `own` having one more under way. */
function oldestOfMost<T extends { readonly sender: string }>(among: readonly T[], own: string): T {
  const count = (sender: string) => among.filter((it) => it.sender === sender).length + (sender === own ? 1 : 0)
  const most = Math.max(...among.map(({ sender }) => count(sender)))
  return among.find(({ sender }) => count(sender) === most)!
}

const maxOf = (a: bigint, b: bigint) => (a > b ? a : b)
