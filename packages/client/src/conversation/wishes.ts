import { equalBytes } from "@conclave/crypto"
import { decodeKeyPackage, type LeafIndex, type LeafNode, type OutgoingCommit as MlsCommit } from "@conclave/mls"
import type { Claimed, Wish, WishOf } from "../core/records.js"
import { ClientError } from "../errors.js"
import type { ClientErrorCode } from "../events.js"
import { type Judgement, nameOf } from "../identity/judge.js"
import { Unavailable } from "../service/call.js"
import type { Work } from "./context.js"
import { NAMES_AT_ONCE_MAX } from "./profile.js"
import { outgoing } from "./request.js"
import { accept, emitRefusedKeys } from "./settle.js"

type CommitWish = WishOf<"invite"> | WishOf<"remove"> | WishOf<"refresh">
type Why = { code: ClientErrorCode; reason: string }

/**
 * The wish that is next, and those behind it that fit into the same commit. While somebody is in the group whom the user
 * has not approved, messages and invitations wait, and a removal does not wait for them.
 */
export function nextWishes(work: Work): readonly (readonly [number, Wish])[] {
  const isHeld = work.local.unapproved.length > 0
  // What is accepted waits for the log only.
  const waiting = [...work.local.wishes]
    .filter(([, wish]) => !("acceptedSeq" in wish) || wish.acceptedSeq === undefined)
    .filter(([, { type }]) => !isHeld || (type !== "message" && type !== "invite"))
    .sort(([a], [b]) => a - b)
  const touched = new Set<string>()
  // One commit knows no order: two wishes about one name need two. And it has a limit.
  const end = waiting.findIndex(([, wish]) => {
    const names = "names" in wish ? wish.names : []
    if (!isCommitWish(wish) || names.some((name) => touched.has(name))) return true
    if (touched.size + names.length > NAMES_AT_ONCE_MAX) return true
    for (const name of names) touched.add(name)
    return false
  })
  return waiting.slice(0, end === -1 ? undefined : Math.max(1, end))
}

/** Names in wishes that one commit can fulfil. */
export function atOnce(names: Iterable<string>): readonly (readonly string[])[] {
  const all = [...new Set(names)]
  const parts: string[][] = []
  for (let at = 0; at < all.length; at += NAMES_AT_ONCE_MAX) parts.push(all.slice(at, at + NAMES_AT_ONCE_MAX))
  return parts
}

export function isCommitWish(wish: Wish): wish is CommitWish {
  return wish.type === "invite" || wish.type === "remove" || wish.type === "refresh"
}

type Numbered<W> = readonly [number: number, wish: W]

/**
 * Compiles wishes into one commit of the current epoch, together with every proposal that is waiting, and stores it.
 * Wishes that have come true meanwhile are fulfilled; those that cannot come true fail, each with its reason. Rejects
 * with `UNAVAILABLE` where a service is needed and does not answer.
 */
export async function compileCommit(work: Work, wishes: readonly Numbered<CommitWish>[]): Promise<void> {
  const invitations = new Map<number, Invitation>()
  for (const [number, wish] of wishes) if (wish.type === "invite") invitations.set(number, await invite(work, wish))
  const possible = await settleInvitations(work, wishes, invitations)
  const changes = changesFor(work, possible)
  if (changes.fulfils.length === 0 && work.local.group!.proposals.length === 0) {
    await work.steps.run(work.local, (step) => {
      for (const number of changes.done) work.local.fulfil(step, number)
    })
    return
  }
  await makeCommit(work, changes, [...invitations.values()])
}

/** Stores what was claimed, and ends the invitations that cannot come true. */
function settleInvitations(
  work: Work,
  wishes: readonly Numbered<CommitWish>[],
  invitations: ReadonlyMap<number, Invitation>,
): Promise<readonly Numbered<CommitWish>[]> {
  return work.steps.run(work.local, (step) =>
    wishes.flatMap(([number, wish]): Numbered<CommitWish>[] => {
      const invitation = invitations.get(number)
      if (invitation === undefined || wish.type !== "invite") return [[number, wish]]
      if (invitation.why !== undefined) {
        emitRefusedKeys(work, step, invitation.judgement)
        work.local.fail(step, number, invitation.why)
        return []
      }
      const ready = { ...wish, claimed: invitation.claimed }
      work.local.putWish(step, number, ready)
      return [[number, ready]]
    }),
  )
}

interface Changes {
  readonly add: readonly Claimed[]
  readonly remove: readonly LeafIndex[]
  /** The wishes that come true with them, and those that have nothing left to do. */
  readonly fulfils: readonly number[]
  readonly done: readonly number[]
}

/** What the wishes mean for the members as they are now. */
function changesFor({ local }: Work, wishes: readonly Numbered<CommitWish>[]): Changes {
  const add: Claimed[] = []
  const remove: LeafIndex[] = []
  const fulfils: number[] = []
  const done: number[] = []
  for (const [number, wish] of wishes) {
    const newcomers =
      wish.type === "invite" ? wish.claimed.filter((it) => !local.group?.hasSignatureKey(it.signatureKey)) : []
    const leaving =
      wish.type === "remove"
        ? local.members.filter(({ credential }) => wish.names.includes(nameOf(credential) ?? ""))
        : []
    add.push(...newcomers)
    remove.push(...leaving.map(({ leafIndex }) => leafIndex))
    const open = wish.type === "refresh" || newcomers.length + leaving.length > 0
    ;(open ? fulfils : done).push(number)
  }
  return { add, remove, fulfils, done }
}

async function makeCommit(work: Work, changes: Changes, invitations: readonly Invitation[]): Promise<void> {
  const { local, judge, signal, steps } = work
  const group = local.group!
  // Those who asked to be removed are removed by their own proposals, which the commit refers to.
  const departing = local.state.departures.map(({ leafIndex }) => leafIndex)
  let commit: MlsCommit
  try {
    commit = group.commit({
      add: changes.add.map(({ keyPackage }) => keyPackage),
      remove: changes.remove.filter((leafIndex) => !departing.includes(leafIndex)),
      welcomeWithTree: false,
    })
  } catch (error) {
    return giveUp(work, changes, error)
  }
  let judgement: Judgement
  try {
    judgement = await judge.judge(commit.claims, signal)
  } catch (error) {
    await steps.discard(local)
    throw error
  }
  if (judgement.refused.length > 0) return refuseNewcomers(work, changes, judgement)
  await steps.run(local, (step) => {
    // Reloaded meanwhile, because a step failed: the commit is forgotten, and made again.
    if (local.group !== group) return
    for (const number of changes.done) local.fulfil(step, number)
    for (const invitation of invitations) {
      if (invitation.why === undefined && invitation.judgement !== undefined) accept(work, step, invitation.judgement)
    }
    accept(work, step, judgement)
    local.putCommit(step, {
      purpose: "wishes",
      outgoing: outgoingCommit(work, commit, changes.add),
      wishes: changes.fulfils.map(BigInt),
      reason: "",
      by: "",
    })
    local.saveGroup(step)
  })
}

/** The protocol does not allow it: a key package that somebody made wrongly, for example. */
async function giveUp({ local, steps }: Work, { fulfils }: Changes, error: unknown): Promise<void> {
  // Without a wish to blame, it is a fault of this program, and no reason to forget anything.
  if (fulfils.length === 0 || !(error instanceof Error) || !("code" in error)) throw error
  const reason = error.message
  await steps.discard(local)
  await steps.run(local, (step) => {
    for (const number of fulfils) local.fail(step, number, { code: "REFUSED", reason })
  })
}

/** Somebody was accepted when the invitation was made and is not any more: the wishes fail, and nothing halts. */
async function refuseNewcomers(work: Work, { fulfils }: Changes, judgement: Judgement): Promise<void> {
  const { local, steps } = work
  const [first] = judgement.refused
  await steps.discard(local)
  await steps.run(local, (step) => {
    emitRefusedKeys(work, step, judgement)
    const code = first?.keyChanged ? "KEY_CHANGED" : "REFUSED"
    for (const number of fulfils) local.fail(step, number, { code, reason: first?.reason ?? "refused" })
  })
}

function outgoingCommit(work: Work, commit: MlsCommit, newcomers: readonly Claimed[]) {
  return outgoing(work, {
    kind: "commit",
    epoch: commit.epoch - 1n,
    body: commit.message,
    commit: {
      welcome: commit.welcome ?? new Uint8Array(),
      recipients: newcomers.map(({ deviceId }) => ({ deviceId })),
      ratchetTree: commit.ratchetTree(),
      groupInfo: commit.groupInfo,
    },
  })
}

// --- Invitations -----------------------------------------------------------------------------------------------------

interface Invitation {
  readonly claimed: readonly Claimed[]
  readonly judgement?: Judgement
  /** Why it cannot come true. */
  readonly why?: Why
}

/** Finds the devices of each name that are not members yet, judges their keys, and claims a key package of each. */
async function invite(work: Work, wish: WishOf<"invite">): Promise<Invitation> {
  const { directory, identity, judge, signal, local } = work
  const claimed = [...wish.claimed]
  const judged: Claimed[] = []
  const reachable = new Set<string>()
  try {
    for (const name of wish.names) {
      const devices = (await directory.devices(name, signal)).filter((it) => it.cipherSuite === identity.suite.number)
      if (devices.length === 0) return refused(claimed, "UNKNOWN_NAME", `nobody is called ${name}`)
      for (const { deviceId, signatureKey } of devices) {
        if (local.group?.hasSignatureKey(signatureKey)) {
          reachable.add(name)
          continue
        }
        const device = { name, deviceId, signatureKey }
        const known = claimed.find((it) => equalBytes(it.signatureKey, signatureKey))
        const ready = known ?? (await claim(work, device))
        if (ready === undefined) continue
        reachable.add(name)
        judged.push(ready)
        if (known === undefined) claimed.push(ready)
      }
      if (!reachable.has(name)) return refused(claimed, "NO_KEY_PACKAGE", `${name} cannot be added at present`)
    }
  } catch (error) {
    if (error instanceof ClientError && !(error instanceof Unavailable))
      return refused(claimed, error.code, error.message)
    throw error
  }
  const judgement = await judge.judge(judged.map(claimOf), signal)
  const [first] = judgement.refused
  if (first === undefined) return { claimed, judgement }
  const code = first.keyChanged ? "KEY_CHANGED" : "REFUSED"
  return { claimed, judgement, why: { code, reason: first.reason } }
}

function refused(claimed: readonly Claimed[], code: ClientErrorCode, reason: string): Invitation {
  return { claimed, why: { code, reason } }
}

async function claim(work: Work, device: Omit<Claimed, "keyPackage">): Promise<Claimed | undefined> {
  const keyPackage = await work.delivery.claimKeyPackage(device.deviceId, work.identity.suite.number, work.signal)
  if (keyPackage === undefined) return undefined
  requireOf(device, keyPackage)
  return { ...device, keyPackage }
}

/** The service hands out key packages: it must not be able to put one person in the place of another. */
function requireOf({ name, signatureKey }: Omit<Claimed, "keyPackage">, keyPackage: Uint8Array): void {
  let leaf: LeafNode
  try {
    leaf = decodeKeyPackage(keyPackage).leafNode
  } catch (error) {
    throw new ClientError("REFUSED", `the service gave something else than a key package of ${name}`, error)
  }
  if (nameOf(leaf.credential) !== name || !equalBytes(leaf.signatureKey, signatureKey)) {
    throw new ClientError("REFUSED", `the service gave somebody else's key package for ${name}`)
  }
}

function claimOf({ name, signatureKey }: Claimed) {
  const credential = { type: "basic", identity: new TextEncoder().encode(name) } as const
  return { credential, signatureKey, reason: "add" } as const
}
