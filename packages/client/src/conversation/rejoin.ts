import { Group, RuleError, type StagedExternalJoin } from "@conclave/mls"
import { recordKeys } from "../core/records.js"
import type { Judgement } from "../identity/judge.js"
import { Unavailable } from "../service/call.js"
import type { AnswerOf } from "../service/delivery.js"
import { refusalOf } from "../service/delivery.js"
import { isPausing, keysUnder, pause, type Work } from "./context.js"
import { placePassed, without } from "./follow.js"
import { knownSigner, type SignedGroupInfo } from "./group-info.js"
import { found, missing, refusedAsMissing } from "./missing.js"
import { outgoing } from "./request.js"
import { accept, forgetDepartures, halt, loseTrack } from "./settle.js"

/** In a row, without an entry that could be followed: then it is time to wait. */
const REJOINS_MAX = 3
const RETRY_MILLISECONDS_MIN = 15_000
const RETRY_MILLISECONDS_MAX = 900_000

/**
 * Lets this device in again by an external commit (RFC 9420 §12.4.3.2) that replaces its old leaf: the same name, the same
 * signature key. The new group waits beside the old one until the service has accepted the commit. Returns whether there
 * may be more to do.
 *
 * What the service offers to rejoin by is believed only if a member of this device's last tree has signed it, with the
 * key that this device knows, for the epoch and the place in the log that it has got to, or later. Otherwise the service,
 * or a stranger, could show a group of its own in the place of this one.
 */
export async function rejoin(work: Work): Promise<boolean> {
  if (isPausing(work, work.stall)) return false
  if (work.rejoins >= REJOINS_MAX) {
    work.rejoins = 0
    throw new Unavailable("the service lets this device in, and then shows no log that can be followed")
  }
  if (work.local.commit?.purpose !== "rejoin" && !(await stage(work))) return false
  return send(work)
}

/** Returns whether there is something to send. */
async function stage(work: Work): Promise<boolean> {
  const { local, delivery, judge, signal, steps } = work
  const current = await delivery.groupInfo(local.id, signal)
  if (current === undefined) {
    await missing(work, { type: "notFound", groupId: local.id })
    return false
  }
  await found(work)
  const signed = knownSigner(work, current.groupInfo)
  const doubt = doubtOf(work, signed, current)
  if (signed === undefined || doubt !== undefined) {
    await stall(work, current.seq, `what came with commit ${current.seq} is of no use: ${doubt}`)
    return false
  }
  const reason =
    work.refusedCommit === current.seq
      ? `${local.state.reason} (by ${signed.name}, who signed what came with it)`
      : local.state.reason
  let staged: StagedExternalJoin
  try {
    staged = stageJoin(work, current)
  } catch (error) {
    if (error instanceof RuleError && error.rule === "profile-external-commit") {
      await steps.run(local, (step) => loseTrack(work, step, `${reason}; this device is no longer a member`))
    } else await stall(work, current.seq, `what came with commit ${current.seq} is of no use: ${messageOf(error)}`)
    return false
  }
  work.stall = undefined
  const judgement = await judge.judge(staged.claims, signal)
  if (judgement.refused.length > 0) {
    await halt(work, judgement)
    return false
  }
  await store(work, { staged, judgement, current, signed, reason })
  return true
}

/** Why a GroupInfo is not believed. */
function doubtOf(
  { local }: Work,
  signed: SignedGroupInfo | undefined,
  { seq }: AnswerOf<"groupInfo">,
): string | undefined {
  const { lastCommit } = local.state
  const epoch = local.view.outline?.epoch ?? 0n
  if (signed === undefined) return "no member that this device knew has signed it"
  if (signed.epoch < epoch) return `it is of epoch ${signed.epoch}, and this device has got to ${epoch}`
  if (lastCommit !== undefined && seq < lastCommit) return `this device has read a later commit, ${lastCommit}`
  return undefined
}

/**
 * The next commit of anybody who can still follow brings a GroupInfo that helps: waits for that, longer and longer. The
 * user is told, as nobody else can be asked.
 */
async function stall(work: Work, seq: bigint, reason: string): Promise<void> {
  const { local, steps, stall: before } = work
  const isNew = before?.seq !== seq
  work.stall = { ...pause(work, isNew ? undefined : before, RETRY_MILLISECONDS_MIN, RETRY_MILLISECONDS_MAX), seq }
  if (!isNew) return
  const why = `${local.state.reason}; ${reason}`
  await steps.run(local, (step) =>
    step.emit({ type: "rejected", conversation: local.id, code: "CANNOT_REJOIN", reason: why }),
  )
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

function stageJoin({ identity, groupOptions }: Work, current: AnswerOf<"groupInfo">): StagedExternalJoin {
  const { groupInfo, ratchetTree } = current
  return Group.stageExternalJoin({
    ...groupOptions,
    suite: identity.suite,
    signer: identity.signer,
    groupInfo,
    ...(ratchetTree === undefined ? {} : { ratchetTree }),
    replaceSelf: true,
  })
}

interface Staged {
  readonly staged: StagedExternalJoin
  readonly judgement: Judgement
  readonly current: AnswerOf<"groupInfo">
  readonly signed: SignedGroupInfo
  readonly reason: string
}

async function store(work: Work, { staged, judgement, current, signed, reason }: Staged): Promise<void> {
  const { local, steps } = work
  const stale = await keysUnder(work, recordKeys.rejoin(local.key))
  await steps.run(local, (step) => {
    accept(work, step, judgement)
    for (const key of stale) step.delete(key)
    const group = staged.accept(judgement.verdicts)
    for (const [key, record] of group.takeChanges().put) step.put(recordKeys.rejoin(local.key) + key, record)
    group[Symbol.dispose]()
    const { message: body, groupInfo } = staged
    const commit = { welcome: new Uint8Array(), recipients: [], ratchetTree: staged.ratchetTree(), groupInfo }
    local.putCommit(step, {
      purpose: "rejoin",
      outgoing: outgoing(work, { kind: "commit", epoch: signed.epoch, body, commit }, current.seq),
      wishes: [],
      reason,
      by: signed.name,
    })
  })
}

/** Returns whether there may be more to do. */
async function send(work: Work): Promise<boolean> {
  const { local, steps, delivery, signal } = work
  const commit = local.commit
  if (commit === undefined) return true
  const answer = await delivery.send(commit.outgoing.request, signal)
  if (answer.type === "accepted") {
    await enter(work, { commit, answer })
    return true
  }
  const rejoining = await keysUnder(work, recordKeys.rejoin(local.key))
  await steps.run(local, (step) => {
    for (const key of rejoining) step.delete(key)
    local.putCommit(step, undefined)
  })
  // Another commit took the place: again, from the GroupInfo that came with it.
  if (answer.type === "stale") return true
  if (answer.type === "notFound") refusedAsMissing(work)
  await stall(work, commit.outgoing.epoch, `the service refused to let this device in: ${refusalOf(answer)}`)
  return false
}

/** The group that was waiting takes the place of the one that could not go on. */
async function enter(
  work: Work,
  { commit, answer }: { commit: NonNullable<Work["local"]["commit"]>; answer: AnswerOf<"accepted"> },
): Promise<void> {
  const { local, steps, store } = work
  const rejoining = await store.list(recordKeys.rejoin(local.key))
  const old = await keysUnder(work, recordKeys.group(local.key))
  await steps.run(local, (step) => {
    const before = local.names
    local.replaceGroup(step, local.restore(rejoining, recordKeys.rejoin(local.key)), old)
    for (const [key, record] of rejoining) {
      step.delete(key)
      step.put(recordKeys.group(local.key) + key.slice(recordKeys.rejoin(local.key).length), record)
    }
    local.putCommit(step, undefined)
    const { seq: cursor, chainHash } = answer
    const firstEpoch = commit.outgoing.epoch + 1n
    const entered = { cursor, chainHash, lastCommit: cursor, firstEpoch, laterEpoch: undefined }
    local.update(step, { status: "active", reason: "", ...entered })
    forgetDepartures(work, step)
    step.emit({ type: "recovered", conversation: local.id, reason: commit.reason })
    // Before anything is sent to them: who is there now that this device has not seen come, and who is gone.
    const [added, removed] = [without(local.names, before), without(before, local.names)]
    if (added.length + removed.length > 0) {
      step.emit({ type: "members", conversation: local.id, by: commit.by, added, removed, left: [], rejoined: [] })
    }
    placePassed(work, step)
  })
  work.rejoins++
  work.refusedCommit = undefined
  work.unreached = undefined
  work.headSeq = undefined
}
