import type { Entry, InboxEntry } from "@conclave/contracts/delivery"
import { logChainHash, logChainStart, type Sha256 } from "@conclave/contracts/log-chain"
import {
  type Appended,
  type Claim,
  type ClaimedKeyPackage,
  ENTRY_OVERHEAD,
  type Head,
  type Horizons,
  type InboxPage,
  type LogPage,
  type NewCommit,
  type NewEntry,
  type NewGroup,
  type NewKeyPackage,
  type News,
  type NewsMark,
  type Page,
  type Publication,
  type Refusal,
  type Stock,
  type Store,
  type StoredGroupInfo,
  type StoreUsage,
  type Swept,
} from "./store.js"

interface Appending {
  readonly entry: Entry
  readonly source: NewEntry
  readonly undelivered: readonly Uint8Array[]
  /** Rises with everything that is put into a log or an inbox. */
  readonly number: bigint
}

interface Group {
  readonly created: NewGroup
  log: Appending[]
  nextSeq: bigint
  oldestSeq: bigint
  lastCommitSeq: bigint
  chainHash: Uint8Array
  lastAt: bigint
  info: { seq: bigint; groupInfo: Uint8Array; ratchetTree: Uint8Array | undefined }
}

interface Delivered {
  readonly entry: InboxEntry
  readonly sender: string
  readonly number: bigint
}

interface Device {
  published: boolean
  inbox: Delivered[]
  inboxHead: bigint
}

interface Package extends NewKeyPackage {
  readonly owner: string
  readonly lastResort: boolean
  used: boolean
}

/**
 * The reference model: what every store does, in the plainest way, for comparing with and for tests that need no disk.
 */
export function memoryStore(sha256: Sha256): Store {
  return new MemoryStore(sha256)
}

const key = (...parts: readonly (Uint8Array | number)[]) =>
  parts.map((part) => (typeof part === "number" ? part : Buffer.from(part).toString("hex"))).join(" ")

class MemoryStore implements Store {
  readonly #sha256: Sha256
  readonly #groups = new Map<string, Group>()
  readonly #devices = new Map<string, Device>()
  #packages: Package[] = []
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
    const refusal = created.admit()
    if (refusal !== undefined) return refusal
    const { groupInfo, ratchetTree, at, groupId } = created
    this.#groups.set(key(groupId), {
      created,
      log: [],
      nextSeq: 1n,
      oldestSeq: 1n,
      lastCommitSeq: 0n,
      chainHash: logChainStart(this.#sha256, groupId),
      lastAt: at,
      info: { seq: 0n, groupInfo, ratchetTree },
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
    const refusal = staleness(group, source) ?? source.admit({ bytes: bytesOf(group) })
    if (refusal !== undefined) return refusal
    const seq = group.nextSeq
    const { kind, epoch, body, at } = source
    const chainHash = logChainHash(this.#sha256, group.chainHash, { seq, kind, epoch, body })
    const undelivered = source.commit === undefined ? [] : this.#keepCommitParts(group, source, source.commit)
    group.log.push({ entry: { seq, kind, epoch, body, chainHash, at }, source, undelivered, number: ++this.#number })
    Object.assign(group, { nextSeq: seq + 1n, chainHash, lastAt: at })
    if (kind === "commit") group.lastCommitSeq = seq
    return { type: "accepted", seq, chainHash, undelivered }
  }

  #keepCommitParts(group: Group, { groupId, at }: NewEntry, commit: NewCommit): readonly Uint8Array[] {
    const { groupInfo, ratchetTree, recipients, welcome, sender, unserved } = commit
    const seq = group.nextSeq
    group.info = { seq, groupInfo, ratchetTree }
    const undelivered = recipients.filter((deviceId) => {
      if (!commit.mayDeliver(deviceId)) return true
      this.#makeRoom(this.#device(deviceId), groupId, commit)
      this.#deliver(deviceId, { kind: "welcome", groupId, seq, body: welcome, ratchetTree, at }, sender)
      return false
    })
    return [...unserved, ...undelivered]
  }

  #makeRoom(device: Device, groupId: Uint8Array, commit: NewCommit): void {
    const welcomes = device.inbox.filter(({ entry }) => entry.kind === "welcome")
    const ofGroup = welcomes.filter(({ entry }) => key(entry.groupId) === key(groupId))
    if (ofGroup.length >= commit.inboxEntriesPerGroupMax) removeOfMost(device, ofGroup, commit.sender)
    else if (welcomes.length >= commit.inboxEntriesMax) removeOfMost(device, welcomes, commit.sender)
  }

  async read({ groupId, after, limit, sizeMax }: Page & { groupId: Uint8Array }): Promise<LogPage | undefined> {
    const group = this.#groups.get(key(groupId))
    if (group === undefined) return undefined
    const behind = group.log.map((it) => it.entry).filter((entry) => entry.seq > after)
    const entries = firstPage(behind, { limit, sizeMax, sizeOf: (entry) => entry.body.length })
    return { entries, oldestSeq: group.oldestSeq, headSeq: group.nextSeq - 1n }
  }

  async head(groupId: Uint8Array): Promise<Head | undefined> {
    const group = this.#groups.get(key(groupId))
    if (group === undefined) return undefined
    const { nextSeq, lastCommitSeq, chainHash } = group
    return { headSeq: nextSeq - 1n, lastCommitSeq, chainHash }
  }

  async groupInfo(groupId: Uint8Array): Promise<StoredGroupInfo | undefined> {
    const group = this.#groups.get(key(groupId))
    return group?.info
  }

  async publishKeyPackages(publication: Publication): Promise<Stock> {
    const { deviceId, cipherSuite, keyPackages, lastResort, at, stockMax } = publication
    const owner = key(deviceId, cipherSuite)
    this.#device(deviceId).published = true
    const isNew = (added: NewKeyPackage) =>
      added.notAfter > at && !this.#packages.some((it) => key(it.ref) === key(added.ref))
    for (const added of keyPackages) {
      if (this.#available(owner, at, false).length >= stockMax || !isNew(added)) continue
      this.#packages.push({ ...added, owner, lastResort: false, used: false })
    }
    if (lastResort !== undefined && isNew(lastResort)) {
      const older = this.#packages.findIndex((it) => it.owner === owner && it.lastResort)
      if (older >= 0) this.#packages.splice(older, 1)
      this.#packages.push({ ...lastResort, owner, lastResort: true, used: false })
    }
    return this.countKeyPackages(publication)
  }

  async claimKeyPackage(claim: Claim): Promise<ClaimedKeyPackage | undefined> {
    const { deviceId, cipherSuite, at, lowStock, lastResortOnly } = claim
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
    const owner = key(of.deviceId, of.cipherSuite)
    const count = this.#available(owner, of.at, false).length
    return { count, lastResort: this.#available(owner, of.at, true).length > 0 }
  }

  async inbox({ deviceId, after, limit, sizeMax }: Page & { deviceId: Uint8Array }): Promise<InboxPage> {
    const device = this.#devices.get(key(deviceId))
    const behind = (device?.inbox ?? []).map((it) => it.entry).filter((entry) => entry.n > after)
    const sizeOf = (entry: InboxEntry) => entry.body.length + (entry.ratchetTree?.length ?? 0)
    return { entries: firstPage(behind, { limit, sizeMax, sizeOf }), head: device?.inboxHead ?? 0n }
  }

  async inboxHead(deviceId: Uint8Array): Promise<bigint> {
    return this.#devices.get(key(deviceId))?.inboxHead ?? 0n
  }

  async acknowledgeInbox(deviceId: Uint8Array, upTo: bigint): Promise<void> {
    const device = this.#devices.get(key(deviceId))
    if (device !== undefined) device.inbox = device.inbox.filter(({ entry }) => entry.n > upTo)
  }

  async news(mark: NewsMark | undefined): Promise<News> {
    const since = mark?.[0] ?? this.#number
    const newer = (list: readonly { readonly number: bigint }[]) => list.some(({ number }) => number > since)
    const ids = (names: readonly string[]) => names.map((name) => Uint8Array.from(Buffer.from(name, "hex")))
    return {
      mark: [this.#number, 0n],
      groups: ids([...this.#groups].flatMap(([name, { log }]) => (newer(log) ? [name] : []))),
      devices: ids([...this.#devices].flatMap(([name, { inbox }]) => (newer(inbox) ? [name] : []))),
    }
  }

  async sweep({ at, messages, log, inbox, groups }: Horizons): Promise<Swept> {
    let rows = 0
    for (const [name, group] of this.#groups) {
      if (group.lastAt < groups) {
        this.#groups.delete(name)
        rows += 1 + group.log.length
        continue
      }
      rows += this.#expire(group, messages)
      const due = group.log.filter(({ entry }) => entry.at < log)
      if (due.length === 0) continue
      group.oldestSeq = maxOf(group.oldestSeq, due.at(-1)!.entry.seq + 1n)
      const kept = group.log.filter(({ entry }) => entry.at >= log || entry.seq === group.lastCommitSeq)
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

function staleness(group: Group, { kind, after, pastCommitsMax }: NewEntry): Appended | undefined {
  const { lastCommitSeq, oldestSeq, log } = group
  if (after === lastCommitSeq) return undefined
  const commits = log.filter(({ entry }) => entry.kind === "commit").map(({ entry }) => entry.seq)
  const unread = commits.filter((seq) => seq > after).length
  const isUnknown = commits.length <= pastCommitsMax && after + 1n < oldestSeq
  const isStale = after > lastCommitSeq || unread > (kind === "application" ? pastCommitsMax : 0) || isUnknown
  return isStale ? { type: "stale", lastCommitSeq, headSeq: group.nextSeq - 1n } : undefined
}

/** The oldest of the sender with the most, `own` having one more under way. */
function removeOfMost(device: Device, among: readonly Delivered[], own: Uint8Array): void {
  const count = (sender: string) => among.filter((it) => it.sender === sender).length + (sender === key(own) ? 1 : 0)
  const most = Math.max(...among.map(({ sender }) => count(sender)))
  remove(device, among.find(({ sender }) => count(sender) === most)!)
}

const bytesOf = ({ log }: Group) => log.reduce((sum, { entry }) => sum + entry.body.length + ENTRY_OVERHEAD, 0)

const maxOf = (a: bigint, b: bigint) => (a > b ? a : b)

function remove(device: Device, entry: Delivered): void {
  device.inbox = device.inbox.filter((it) => it !== entry)
}

interface Paging<T> {
  readonly limit: number
  readonly sizeMax: number
  readonly sizeOf: (entry: T) => number
}

function firstPage<T>(entries: readonly T[], { limit, sizeMax, sizeOf }: Paging<T>): T[] {
  const page: T[] = []
  let size = 0
  for (const entry of entries.slice(0, limit)) {
    size += sizeOf(entry)
    if (page.length > 0 && size > sizeMax) break
    page.push(entry)
  }
  return page
}
