import type { Entry, InboxEntry } from "../api.js"
import { logChainHash, logChainStart, type Sha256 } from "../log-chain.js"
import type {
  Appended,
  Claim,
  ClaimedKeyPackage,
  Head,
  InboxPage,
  LogPage,
  NewEntry,
  NewGroup,
  NewKeyPackage,
  Page,
  Publication,
  Stock,
  Store,
  StoredGroupInfo,
} from "./store.js"

interface Group {
  readonly created: NewGroup
  readonly log: { readonly entry: Entry; readonly source: NewEntry }[]
  info: { seq: bigint; groupInfo: Uint8Array; ratchetTree: Uint8Array | undefined }
}

interface Device {
  published: boolean
  inbox: InboxEntry[]
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
  readonly #packages: Package[] = []

  constructor(sha256: Sha256) {
    this.#sha256 = sha256
  }

  async createGroup(created: NewGroup): Promise<"created" | "repeated" | "exists"> {
    const present = this.#groups.get(key(created.groupId))?.created
    if (present !== undefined) {
      const repeated =
        key(present.idempotencyId) === key(created.idempotencyId) &&
        key(present.requestHash) === key(created.requestHash)
      return repeated ? "repeated" : "exists"
    }
    const { groupInfo, ratchetTree } = created
    this.#groups.set(key(created.groupId), { created, log: [], info: { seq: 0n, groupInfo, ratchetTree } })
    return "created"
  }

  async append(source: NewEntry): Promise<Appended> {
    const group = this.#groups.get(key(source.groupId))
    if (group === undefined) return { type: "notFound" }
    const answered = group.log.find((it) => key(it.source.idempotencyId) === key(source.idempotencyId))
    if (answered !== undefined) {
      if (key(answered.source.requestHash) !== key(source.requestHash)) return { type: "idReused" }
      const { seq, chainHash } = answered.entry
      return { type: "accepted", seq, chainHash }
    }
    const refusal = this.#refusal(group, source)
    if (refusal !== undefined) return refusal
    const seq = BigInt(group.log.length + 1)
    const previous = group.log.at(-1)?.entry.chainHash ?? logChainStart(this.#sha256, source.groupId)
    const { kind, epoch, body, at } = source
    const chainHash = logChainHash(this.#sha256, previous, { seq, kind, epoch, body })
    if (source.commit !== undefined) {
      const { groupInfo, ratchetTree, recipients, welcome } = source.commit
      group.info = { seq, groupInfo, ratchetTree }
      for (const deviceId of recipients) {
        this.#deliver(deviceId, { kind: "welcome", groupId: source.groupId, seq, body: welcome, ratchetTree, at })
      }
    }
    group.log.push({ entry: { seq, kind, epoch, body, chainHash, at }, source })
    return { type: "accepted", seq, chainHash }
  }

  async read({ groupId, after, limit, sizeMax }: Page & { groupId: Uint8Array }): Promise<LogPage | undefined> {
    const group = this.#groups.get(key(groupId))
    if (group === undefined) return undefined
    const behind = group.log.map((it) => it.entry).filter((entry) => entry.seq > after)
    const entries = firstPage(behind, { limit, sizeMax, sizeOf: (entry) => entry.body.length })
    return { entries, oldestSeq: 1n, headSeq: BigInt(group.log.length) }
  }

  async head(groupId: Uint8Array): Promise<Head | undefined> {
    const group = this.#groups.get(key(groupId))
    if (group === undefined) return undefined
    const chainHash = group.log.at(-1)?.entry.chainHash ?? logChainStart(this.#sha256, groupId)
    return { headSeq: BigInt(group.log.length), lastCommitSeq: commitSeqs(group).at(-1) ?? 0n, chainHash }
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
    const told = device?.inbox.some((entry) => entry.kind === "keyPackagesLow")
    if (device?.published === true && !told && this.#available(owner, at, false).length < lowStock) {
      const nothing = { groupId: new Uint8Array(), seq: 0n, body: new Uint8Array(), ratchetTree: undefined }
      this.#deliver(deviceId, { kind: "keyPackagesLow", ...nothing, at })
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
    const behind = (device?.inbox ?? []).filter((entry) => entry.n > after)
    const sizeOf = (entry: InboxEntry) => entry.body.length + (entry.ratchetTree?.length ?? 0)
    return { entries: firstPage(behind, { limit, sizeMax, sizeOf }), head: device?.inboxHead ?? 0n }
  }

  async inboxHead(deviceId: Uint8Array): Promise<bigint> {
    return this.#devices.get(key(deviceId))?.inboxHead ?? 0n
  }

  async acknowledgeInbox(deviceId: Uint8Array, upTo: bigint): Promise<void> {
    const device = this.#devices.get(key(deviceId))
    if (device !== undefined) device.inbox = device.inbox.filter((entry) => entry.n > upTo)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #refusal(group: Group, { kind, after, pastCommitsMax, commit }: NewEntry): Appended | undefined {
    const commits = commitSeqs(group)
    const lastCommitSeq = commits.at(-1) ?? 0n
    const unread = commits.filter((seq) => seq > after).length
    const isStale = after > lastCommitSeq || unread > (kind === "application" ? pastCommitsMax : 0)
    if (isStale) return { type: "stale", lastCommitSeq, headSeq: BigInt(group.log.length) }
    const full = commit?.recipients.some(
      (deviceId) => (this.#devices.get(key(deviceId))?.inbox.length ?? 0) >= commit.inboxEntriesMax,
    )
    return full ? { type: "inboxFull" } : undefined
  }

  #device(deviceId: Uint8Array): Device {
    const device = this.#devices.get(key(deviceId)) ?? { published: false, inbox: [], inboxHead: 0n }
    this.#devices.set(key(deviceId), device)
    return device
  }

  #deliver(deviceId: Uint8Array, entry: Omit<InboxEntry, "n">): void {
    const device = this.#device(deviceId)
    device.inboxHead += 1n
    device.inbox.push({ n: device.inboxHead, ...entry })
  }

  #available(owner: string, at: bigint, lastResort: boolean): Package[] {
    return this.#packages.filter(
      (it) => it.owner === owner && it.lastResort === lastResort && !it.used && it.notAfter > at,
    )
  }
}

function commitSeqs({ log }: Group): readonly bigint[] {
  return log.flatMap(({ entry }) => (entry.kind === "commit" ? [entry.seq] : []))
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
