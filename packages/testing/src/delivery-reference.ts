import type { Entry, InboxEntry } from "@conclave/contracts/delivery"
import * as S from "@conclave/delivery/store"

/**
 * What a delivery store does, with arrays and linear scans. Written from the contract `Store`, and at most 150 lines, to be
 * checked by reading. `memoryStore` models the rest: sweeping, news, the operator's actions, the service's identity, `usage`, a
 * full inbox or too many knocks, reading and answering knocks, withdrawn key packages, and the notice of a low stock.
 */
export function referenceStore(sha256: (...parts: readonly Uint8Array[]) => Uint8Array) {
  type Logged = { entry: Entry; source: S.NewEntry; undelivered: readonly Uint8Array[] }
  type Group = { made: S.NewGroup; budgets: S.Budgets; log: Logged[]; knocks: S.NewKnock[]; policy: S.GroupPolicy }
  const groups: Group[] = []
  const inboxes: (InboxEntry & { to: Uint8Array; isGone: boolean })[] = []
  const packages: (S.NewKeyPackage & { owner: string; isLast: boolean; isGone: boolean })[] = []
  const same = (a?: Uint8Array, b?: Uint8Array) => a !== undefined && b !== undefined && Buffer.compare(a, b) === 0
  const uint64 = (value: bigint) => new Uint8Array(new BigUint64Array([value]).buffer).reverse()
  const groupOf = (id: Uint8Array) => groups.find(({ made }) => same(made.groupId, id))
  const commitsOf = ({ log }: Group) => log.filter(({ entry }) => entry.kind === "commit").map(({ entry }) => entry.seq)
  const hashAt = ({ made: { groupId }, log }: Group, seq: bigint) =>
    log[Number(seq) - 1]?.entry.chainHash ?? sha256(Buffer.from("Conclave log"), Uint8Array.of(groupId.length), groupId)
  const intervalsOf = ({ made: { accessKey, at }, log }: Group) => [
    { accessKey, removes: false, seq: 0n, at },
    ...log.flatMap(({ entry: { begins, seq, at } }) => (begins === undefined ? [] : [{ ...begins, seq, at }])),
  ]
  function standingOf(group: Group, key: Uint8Array | undefined): S.Standing {
    const all = intervalsOf(group)
    const index = all.findIndex(({ accessKey }) => same(accessKey, key))
    const later = all.slice(index + 1)
    const reach = index < 0 ? 0n : later.find(({ removes }) => removes)?.seq
    const formerSince = reach === undefined && later.length === 1 ? later[0]!.at : undefined
    const heads = { headSeq: reach ?? BigInt(group.log.length), lastCommitSeq: reach ?? commitsOf(group).at(-1) ?? 0n }
    const place = { seq: all[index]?.seq ?? 0n, beside: BigInt(group.knocks.length) }
    const count = index < 0 ? undefined : (Math.min(later.length, 2) as 0 | 1 | 2)
    return { type: "standing", later: count, formerSince, reach, ...heads, ...place }
  }
  /** Does `then` where the group is there and the key is permitted. */
  function shown<T>({ groupId, key, permit }: S.Shown, then: (group: Group, standing: S.Standing) => T): T | S.Refused {
    const group = groupOf(groupId)
    if (group === undefined) return { type: "notFound" }
    const standing = standingOf(group, key)
    return permit(standing) ?? then(group, standing)
  }
  function admission(group: Group, { admit }: Pick<S.NewEntry, "admit">): S.Refusal | undefined {
    const bytes = group.log.reduce((sum, { entry }) => sum + entry.body.length + S.ENTRY_OVERHEAD, 0)
    const told = admit({ bytes, budgets: group.budgets })
    if (told?.type === "admitted") group.budgets = told.budgets
    return told?.type === "admitted" ? undefined : told
  }
  function firstPage<T extends { body: Uint8Array }>(all: readonly T[], { limit, sizeMax }: S.Page): T[] {
    const sizeTo = (index: number) => all.slice(0, index + 1).reduce((sum, { body }) => sum + body.length, 0)
    return all.slice(0, limit).filter((_, index) => index === 0 || sizeTo(index) <= sizeMax)
  }
  const inboxOf = (device: Uint8Array) => inboxes.filter(({ to }) => same(to, device))
  function deliver({ groupId, at }: S.NewEntry, seq: bigint, { welcome: body, ...commit }: S.NewCommit): Uint8Array[] {
    const served = commit.recipients.filter((to) => commit.mayDeliver(to))
    const entry = { kind: "welcome" as const, groupId, seq, body, ratchetTree: undefined, at, isGone: false }
    for (const to of served) inboxes.push({ ...entry, n: BigInt(inboxOf(to).length + 1), to })
    return [...commit.unserved, ...commit.recipients.filter((to) => !served.includes(to))]
  }
  type Owner = Pick<S.Claim, "deviceId" | "cipherSuite" | "at">
  const ownerOf = ({ deviceId, cipherSuite }: Owner) => `${cipherSuite} ${Buffer.from(deviceId).toString("hex")}`
  const free = (of: Owner, isLast: boolean) =>
    packages.filter((it) => it.owner === ownerOf(of) && it.isLast === isLast && !it.isGone && it.notAfter > of.at)
  const stockOf = (of: Owner) => ({ count: free(of, false).length, lastResort: free(of, true).length > 0 })
  return {
    async createGroup(made) {
      const there = groupOf(made.groupId)?.made
      const isSame = same(there?.idempotencyId, made.idempotencyId) && same(there?.requestHash, made.requestHash)
      if (there !== undefined) return isSame ? "repeated" : "exists"
      const [refusal, budgets] = [made.admit(), { appends: 0, proposals: 0, commits: 0, knocks: 0 }]
      if (refusal === undefined) groups.push({ made, budgets, log: [], knocks: [], policy: S.noPolicy })
      return refusal ?? "created"
    },
    async append(source) {
      const { kind, epoch, body, at, after, commit } = source
      const first = groupOf(source.groupId)?.log.find((it) => same(it.source.idempotencyId, source.idempotencyId))
      if (first !== undefined && !same(first.source.requestHash, source.requestHash)) return { type: "idReused" }
      const answer = ({ entry: { seq, chainHash }, undelivered }: Logged) => ({ seq, chainHash, undelivered })
      if (first !== undefined) return { type: "accepted", ...answer(first) }
      return shown(source, (group): S.Appended => {
        const [headSeq, commits, begins] = [BigInt(group.log.length), commitsOf(group), commit?.begins]
        const lastCommitSeq = commits.at(-1) ?? 0n
        const late = commits.filter((seq) => seq > after).length - (kind === "application" ? source.pastCommitsMax : 0)
        if (late > 0 || after > lastCommitSeq) return { type: "stale", lastCommitSeq, headSeq }
        if (intervalsOf(group).some((it) => same(it.accessKey, begins?.accessKey))) return { type: "keyReused" }
        const refusal = admission(group, source)
        if (refusal !== undefined) return refusal
        const [seq, number] = [headSeq + 1n, { application: 1, proposal: 2, commit: 3 }[kind]]
        const begun = begins === undefined ? [] : [begins.accessKey, Uint8Array.of(begins.removes ? 1 : 0)]
        const covered = [uint64(seq), Uint8Array.of(number), uint64(epoch), sha256(body), ...begun]
        const entry = { seq, kind, epoch, body, begins, chainHash: sha256(hashAt(group, headSeq), ...covered), at }
        group.log.push({ entry, source, undelivered: commit === undefined ? [] : deliver(source, seq, commit) })
        return { type: "accepted", ...answer(group.log.at(-1)!) }
      })
    },
    read: async (asked) =>
      shown(asked, ({ log }, standing): S.LogPage => {
        const all = log.map(({ entry }) => entry).filter(({ seq }) => seq > asked.after && seq <= standing.headSeq)
        return { type: "page", entries: firstPage(all, asked), oldestSeq: 1n, headSeq: standing.headSeq, standing }
      }),
    head: async (asked) =>
      shown(asked, (group, { headSeq, lastCommitSeq }): S.Head => {
        return { type: "head", headSeq, lastCommitSeq, chainHash: hashAt(group, headSeq) }
      }),
    standing: async (asked) => shown(asked, (_, standing) => standing),
    knock: async (knock) =>
      shown(knock, (group): { type: "left" | "repeated" | "idReused" } | S.Refusal => {
        const known = group.knocks.find((it) => same(it.id, knock.id) && it.at >= knock.since)
        const isSame = same(known?.sealed, knock.sealed) && same(known?.key, knock.key)
        if (known !== undefined) return { type: isSame ? "repeated" : "idReused" }
        const refusal = admission(group, knock)
        if (refusal === undefined) group.knocks.push(knock)
        return refusal ?? { type: "left" }
      }),
    changePolicy: async (asked) =>
      shown(asked, (group): S.FoundPolicy | S.Refusal => {
        const changed = asked.change(group.policy)
        const refusal = changed && admission(group, asked)
        if (refusal === undefined) group.policy = changed ?? group.policy
        return refusal ?? { type: "policy", policy: group.policy }
      }),
    async publishKeyPackages(asked) {
      const [common, { at }] = [{ owner: ownerOf(asked), isGone: false }, asked]
      const isNew = (added: S.NewKeyPackage) => !packages.some((it) => same(it.ref, added.ref)) && added.notAfter > at
      for (const it of asked.keyPackages)
        if (free(asked, false).length < asked.stockMax && isNew(it)) packages.push({ ...it, ...common, isLast: false })
      if (asked.lastResort !== undefined && isNew(asked.lastResort)) {
        for (const it of free(asked, true)) packages.splice(packages.indexOf(it), 1)
        packages.push({ ...asked.lastResort, ...common, isLast: true })
      }
      return stockOf(asked)
    },
    countKeyPackages: async (of: Owner) => stockOf(of),
    async claimKeyPackage(claim) {
      const found = (claim.lastResortOnly ? undefined : free(claim, false)[0]) ?? free(claim, true)[0]
      if (found !== undefined) found.isGone = !found.isLast
      return found && { keyPackage: found.keyPackage, lastResort: found.isLast }
    },
    async inbox({ deviceId, ...page }) {
      const all = inboxOf(deviceId).filter(({ isGone, n }) => !isGone && n > page.after)
      const entries = firstPage(all, page).map(({ isGone: _, to: __, ...entry }) => entry)
      return { entries, head: BigInt(inboxOf(deviceId).length) }
    },
    inboxHead: async (deviceId) => BigInt(inboxOf(deviceId).length),
    async acknowledgeInbox(deviceId, upTo) {
      for (const it of inboxOf(deviceId)) it.isGone ||= it.n <= upTo
    },
  } satisfies Partial<S.Store>
}
