import assert from "node:assert/strict"
import { nodeProvider } from "@conclave/crypto/node"
import {
  type Admitted,
  type Budgets,
  type GroupPolicy,
  type GroupUse,
  keeping,
  type NewsMark,
  type Operated,
  retiring,
  type Shown,
  type Standing,
  type Store,
  Suspended,
} from "@conclave/delivery/store"
import fc from "fast-check"
import type { referenceStore } from "./delivery-reference.js"

export const sha256 = (...parts: readonly Uint8Array[]) => nodeProvider().hashes["SHA-256"]!.digest(...parts)

/**
 * The model and the real store are given the same random operations, from few names so that they meet, and must give
 * the same answers.
 */
export const bytes = (text: string, size = 32) => sha256(new TextEncoder().encode(text)).subarray(0, size)
const groupId = fc.constantFrom(..."abc").map((name) => bytes(`group ${name}`))
const deviceId = fc.constantFrom(..."xyz").map((name) => bytes(`device ${name}`))
const id = fc.integer({ min: 0, max: 25 }).map((number) => bytes(`id ${number}`, 16))
const body = fc.uint8Array({ minLength: 1, maxLength: 30 })
const epoch = fc.bigInt({ min: 0n, max: 6n })
/** What an author had read: mostly the beginning, where commits are taken at first. */
const seq = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 20n }))
const accessKey = fc.constantFrom(..."123").map((name) => bytes(`access key ${name}`))
/** More than are shown: each is registered once in a group. */
const begunKey = fc.constantFrom(..."123456").map((name) => bytes(`access key ${name}`))
const knockId = fc.constantFrom(..."123456").map((name) => bytes(`knock ${name}`, 16))
/** The key that somebody shows, and whether that is enough. */
const shown = fc.record({
  groupId,
  key: fc.option(accessKey, { nil: undefined }),
  isPermitted: fc.integer({ min: 0, max: 4 }).map((number) => number > 0),
})
const page = fc.record({
  after: fc.bigInt({ min: 0n, max: 12n }),
  limit: fc.integer({ min: 0, max: 5 }),
  sizeMax: fc.integer({ min: 1, max: 60 }),
})
const keyPackage = fc.integer({ min: 0, max: 30 }).map((number) => ({
  ref: bytes(`key package ${number}`),
  keyPackage: bytes(`key package body ${number}`),
  notAfter: BigInt(1000 + number * 40),
}))

const commit = fc.record({
  recipients: fc.uniqueArray(deviceId, { maxLength: 3, comparator: (a, b) => Buffer.compare(a, b) === 0 }),
  welcome: fc.constant(bytes("welcome")),
  begins: fc.option(fc.record({ accessKey: begunKey, removes: fc.boolean() }), { nil: undefined }),
  answers: fc.option(
    fc.record({
      welcome: fc.constantFrom(bytes("welcome 1"), bytes("welcome 2")),
      to: fc.array(fc.record({ knock: knockId, key: fc.constant(bytes("sealed key")) }), { maxLength: 3 }),
    }),
    { nil: undefined },
  ),
  inboxEntriesMax: fc.constant<number>(4),
  inboxEntriesPerGroupMax: fc.constant<number>(2),
  sender: fc.constantFrom(bytes("sender 1", 8), bytes("sender 2", 8), bytes("sender 3", 8)),
  unserved: fc.constantFrom([], [bytes("nobody")]),
  refusedDevice: fc.option(deviceId, { nil: undefined, freq: 3 }),
})
export const newEntry = fc
  .record({
    shown,
    idempotencyId: id,
    epoch,
    after: seq,
    body,
    isCommit: fc.boolean(),
    isProposal: fc.boolean(),
    taken: fc.subarray<keyof Budgets>(["appends", "proposals", "commits"]),
    commit,
  })
  .map(({ isCommit, isProposal, commit, shown, ...entry }) => ({
    ...entry,
    ...shown,
    kind: isCommit ? ("commit" as const) : isProposal ? ("proposal" as const) : ("application" as const),
    requestHash: sha256(entry.body, shown.groupId, new Uint8Array([isCommit ? 1 : 0])),
    commit: isCommit ? commit : undefined,
    pastCommitsMax: 2,
  }))

const publication = fc
  .record({
    deviceId,
    cipherSuite: fc.constantFrom(1, 2),
    keyPackages: fc.array(keyPackage, { maxLength: 4 }),
    lastResort: fc.option(keyPackage, { nil: undefined }),
    mayReplace: fc.boolean(),
    signatureKey: fc.constant(bytes("key")),
    stockMax: fc.constant(3),
  })
  .map(({ mayReplace, ...it }) => ({ ...it, replaces: mayReplace && it.lastResort !== undefined }))
const claim = fc.record({
  deviceId,
  cipherSuite: fc.constantFrom(1, 2),
  lastResortOnly: fc.boolean(),
  lowStock: fc.constant<number>(2),
})
const newGroup = fc.record({
  groupId,
  /** Few, so that creating is repeated. */
  idempotencyId: fc.constantFrom(...[0, 1].map((number) => bytes(`id ${number}`, 16))),
  accessKey,
  requestHash: fc.constantFrom(bytes("request 1"), bytes("request 2")),
})
const knock = fc.record({
  shown,
  /** A knock is left with a key. */
  key: accessKey,
  id: knockId,
  sealed: fc.constantFrom(bytes("sealed 1"), bytes("sealed 2", 20)),
  sender: fc.constantFrom(bytes("sender 1", 8), bytes("sender 2", 8)),
  ofKeyMax: fc.constant<number>(2),
  isAdmitted: fc.integer({ min: 0, max: 4 }).map((number) => number > 0),
})
/** What a service would make of a request: see `policies.ts` there. */
const kept = fc.option(fc.constantFrom(40n, 150n, 600n), { nil: undefined })
const policyChange = fc.record({
  shown,
  wanted: fc.option(fc.record({ messages: kept, handshakes: kept }, { noNullPrototype: true }), {
    nil: undefined,
    freq: 3,
  }),
  retires: fc.boolean(),
  notice: fc.constantFrom(0n, 50n, 300n),
  isAdmitted: fc.integer({ min: 0, max: 4 }).map((number) => number > 0),
})
const besidePage = fc.record({
  knocksAfter: fc.bigInt({ min: 0n, max: 4n }),
  answeredAfter: fc.bigInt({ min: 0n, max: 4n }),
  limit: fc.integer({ min: 1, max: 3 }),
})

/** So long knocks wait: a sweep may come at any time after. */
const KNOCKS_LAST = 200n
/** What is withdrawn counts as published for so long. */
const WITHDRAWN_FOR = 50n
const age = fc.constantFrom(30n, 100n, 300n, 10_000n)

const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary })
export const operation = fc.oneof(
  weighted(
    1,
    fc.record({
      do: fc.constant("createGroup" as const),
      with: newGroup,
      isAdmitted: fc.integer({ min: 0, max: 4 }).map((number) => number > 0),
    }),
  ),
  weighted(1, fc.record({ do: fc.constant("news" as const) })),
  weighted(
    1,
    fc.record({
      do: fc.constant("sweep" as const),
      with: fc.tuple(age, age, age, fc.constantFrom(60n, 400n, 10_000n), fc.constant(KNOCKS_LAST)),
      rowsMax: fc.constantFrom(1, 3, 100),
    }),
  ),
  weighted(4, fc.record({ do: fc.constant("append" as const), with: newEntry })),
  weighted(1, fc.record({ do: fc.constant("suspend" as const), with: fc.tuple(deviceId, fc.constantFrom("1", "2")) })),
  weighted(1, fc.record({ do: fc.constant("resume" as const), with: deviceId })),
  weighted(1, fc.record({ do: fc.constant("close" as const), with: groupId })),
  weighted(2, fc.record({ do: fc.constant("policy" as const), with: policyChange })),
  weighted(1, fc.record({ do: fc.constant("read" as const), with: fc.tuple(shown, page) })),
  weighted(1, fc.record({ do: fc.constant("head" as const), with: shown })),
  weighted(1, fc.record({ do: fc.constant("standings" as const), with: fc.array(shown, { maxLength: 40 }) })),
  weighted(2, fc.record({ do: fc.constant("knock" as const), with: knock })),
  weighted(
    1,
    fc.record({ do: fc.constant("knocks" as const), with: fc.tuple(shown, fc.constantFrom(10, 60, 1000), besidePage) }),
  ),
  weighted(1, fc.record({ do: fc.constant("answer" as const), with: fc.tuple(shown, knockId) })),
  weighted(2, fc.record({ do: fc.constant("publish" as const), with: publication })),
  weighted(2, fc.record({ do: fc.constant("claim" as const), with: claim })),
  weighted(1, fc.record({ do: fc.constant("inbox" as const), with: fc.tuple(deviceId, page) })),
  weighted(
    1,
    fc.record({ do: fc.constant("acknowledge" as const), with: fc.tuple(deviceId, fc.bigInt({ min: 0n, max: 6n })) }),
  ),
)
type Appending = typeof newEntry extends fc.Arbitrary<infer T> ? T : never
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** What a store says of a key belongs to its answer. */
function asking({ groupId, key, isPermitted }: typeof shown extends fc.Arbitrary<infer T> ? T : never) {
  const standings: Standing[] = []
  const permit: Shown["permit"] = (standing) => {
    standings.push(standing)
    return isPermitted ? undefined : { type: "denied", reason: "not permitted" }
  }
  return { standings, groupId, key, permit }
}

export const admitted = () => undefined
/** A third more of each budget, which no integer holds. */
function taking({ budgets }: GroupUse, taken: readonly (keyof Budgets)[]): Admitted | undefined {
  if (taken.length === 0) return undefined
  const after = taken.map((name) => [name, budgets[name] + 1 / 3])
  return { type: "admitted", budgets: { ...budgets, ...Object.fromEntries(after) } }
}
const refused = () => ({ type: "quotaExceeded", of: "service" }) as const

/** What the store says of what the group has used belongs to its answer. */
export async function append(store: Pick<Store, "append">, entry: Appending, at: bigint): Promise<unknown> {
  const uses: GroupUse[] = []
  const admit = (use: GroupUse) => {
    uses.push(use)
    return use.bytes > 2_200 ? ({ type: "quotaExceeded", of: "group" } as const) : taking(use, entry.taken)
  }
  const refusedDevice = entry.commit?.refusedDevice
  const mayDeliver = (id: Uint8Array) => refusedDevice === undefined || Buffer.compare(id, refusedDevice) !== 0
  const commit = entry.commit && { ...entry.commit, mayDeliver, knocksSince: at - KNOCKS_LAST }
  const { standings, ...shown } = asking(entry)
  return [await store.append({ ...entry, ...shown, at, admit, commit }), uses, standings]
}

/** Asks a store what is new, each time from where it was the last time. */
export function listener(store: Store) {
  let mark: NewsMark | undefined
  const names = (ids: readonly Uint8Array[]) => ids.map((id) => Buffer.from(id).toString("hex")).sort()
  return async () => {
    const news = await store.news(mark)
    mark = news.mark
    return [...names(news.groups), ...names(news.devices)]
  }
}

/** `at`: the clock of a service does not go back. */
export async function perform(store: Store & Operated, operation: Operation, at: bigint): Promise<unknown> {
  try {
    return await answerTo(store, operation, at)
  } catch (error) {
    if (error instanceof Suspended) return { suspended: error.reason }
    throw error
  }
}

async function answerTo(store: Store & Operated, operation: Operation, at: bigint): Promise<unknown> {
  const since = at - KNOCKS_LAST
  switch (operation.do) {
    case "suspend":
      return store.suspend(...operation.with)
    case "resume":
      return store.resume(operation.with)
    case "close":
      return store.closeGroup(operation.with)
    case "sweep": {
      const horizon = (age: bigint) => at - age
      const [messages, log, inbox, groups, knocks] = operation.with.map(horizon) as [
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
      ]
      for (;;) {
        const { more } = await store.sweep({ at, messages, log, inbox, groups, knocks, rowsMax: operation.rowsMax })
        if (!more) return
      }
    }
    case "news":
      return assert.fail("what is new is asked of each store apart")
    case "standings": {
      const asked = operation.with.map(asking)
      return [await store.standings(asked), asked.map(({ standings }) => standings)]
    }
    case "knocks": {
      const [shown, sizeMax, page] = operation.with
      const asked = { ...asking(shown), since }
      return [await store.knocks({ ...asked, sizeMax }), await store.beside({ ...asked, ...page })]
    }
    case "answer":
      return store.answer({ ...asking(operation.with[0]), id: operation.with[1], since })
    default:
      return referencedAnswer(store, operation, at)
  }
}

/** What the reference does, too. */
type ReferencedOperation = Extract<
  Operation,
  {
    do: "createGroup" | "append" | "read" | "head" | "knock" | "policy" | "publish" | "claim" | "inbox" | "acknowledge"
  }
>
export type Referenced = Pick<Store, keyof ReturnType<typeof referenceStore>>

export async function referencedAnswer(
  store: Referenced,
  operation: ReferencedOperation,
  at: bigint,
): Promise<unknown> {
  const since = at - KNOCKS_LAST
  switch (operation.do) {
    case "createGroup":
      return store.createGroup({ ...operation.with, at, admit: operation.isAdmitted ? admitted : refused })
    case "append":
      return append(store, operation.with, at)
    case "read":
      return store.read({ ...asking(operation.with[0]), ...operation.with[1] })
    case "head":
      return [await store.head(asking(operation.with)), await store.standing(asking(operation.with))]
    case "knock": {
      const { isAdmitted, shown, ...knock } = operation.with
      const { standings, ...asked } = asking({ ...shown, key: knock.key })
      const uses: GroupUse[] = []
      const admit = (use: GroupUse) => {
        uses.push(use)
        return isAdmitted ? taking(use, ["knocks"]) : refused()
      }
      return [await store.knock({ ...asked, ...knock, at, since, admit }), standings, uses]
    }
    case "policy": {
      const { shown, wanted, retires, notice, isAdmitted } = operation.with
      const { standings, ...asked } = asking(shown)
      const policies: GroupPolicy[] = []
      const change = (policy: GroupPolicy) => {
        policies.push(policy)
        const kept = wanted === undefined ? policy : keeping(policy, wanted, { at, notice })
        const isChanged = wanted !== undefined || retires
        const retired = retires ? retiring(kept, standings.at(-1)!.headSeq, { at, notice }) : kept
        return isChanged ? (retired ?? (wanted && kept)) : undefined
      }
      const uses: GroupUse[] = []
      const admit = (use: GroupUse) => {
        uses.push(use)
        return isAdmitted ? taking(use, ["appends", "proposals"]) : refused()
      }
      return [await store.changePolicy({ ...asked, at, change, admit }), standings, policies, uses]
    }
    case "publish":
      return store.publishKeyPackages({ ...operation.with, at, withdrawnUntil: at + WITHDRAWN_FOR })
    case "claim":
      return [
        await store.claimKeyPackage({ ...operation.with, at }),
        await store.countKeyPackages({ ...operation.with, at }),
      ]
    case "inbox":
      return [
        await store.inbox({ deviceId: operation.with[0], ...operation.with[1] }),
        await store.inboxHead(operation.with[0]),
      ]
    case "acknowledge":
      return store.acknowledgeInbox(...operation.with)
  }
}

/** The operation as far as the reference does it. */
export function referencedPart(operation: Operation): ReferencedOperation[] {
  switch (operation.do) {
    case "append": {
      const { commit, ...entry } = operation.with
      const roomy = { inboxEntriesMax: 1_000, inboxEntriesPerGroupMax: 1_000, answers: undefined }
      return [{ do: "append", with: { ...entry, commit: commit && { ...commit, ...roomy } } }]
    }
    case "knock":
      return [{ ...operation, with: { ...operation.with, ofKeyMax: 1_000 } }]
    case "publish":
      return [{ ...operation, with: { ...operation.with, replaces: false } }]
    case "claim":
      return [{ ...operation, with: { ...operation.with, lowStock: 0 } }]
    case "createGroup":
    case "read":
    case "head":
    case "policy":
    case "inbox":
      return [operation]
    case "acknowledge":
      return [operation, { do: "inbox", with: [operation.with[0], { after: 0n, limit: 5, sizeMax: 60 }] }]
    default:
      return []
  }
}
