import { Group, type StagedExternalJoin } from "@conclave/mls"
import { recordKeys } from "../core/records.js"
import type { Judgement } from "../identity/judge.js"
import { Unavailable } from "../service/call.js"
import type { AnswerOf } from "../service/delivery.js"
import { refusalOf } from "../service/delivery.js"
import { keysUnder, type Work } from "./context.js"
import { appendRequest } from "./request.js"
import { accept, halt, loseTrack } from "./settle.js"

/** In a row, without an entry that could be followed: then it is time to wait. */
const REJOINS_MAX = 3

/**
 * Lets this device in again by an external commit (RFC 9420 §12.4.3.2) that removes its old leaf. The new group waits
 * beside the old one until the service has accepted the commit. Returns whether there may be more to do.
 */
export async function rejoin(work: Work): Promise<boolean> {
  if (work.rejoins >= REJOINS_MAX) {
    work.rejoins = 0
    throw new Unavailable("the service lets this device in, and then shows no log that can be followed")
  }
  if (work.local.commit?.purpose !== "rejoin" && !(await stage(work))) return true
  await send(work)
  return true
}

async function stage(work: Work): Promise<boolean> {
  const { local, delivery, judge, signal } = work
  const current = await delivery.groupInfo(local.id, signal)
  if (current === undefined) return lose(work, "the service does not know the conversation")
  let staged: StagedExternalJoin
  try {
    staged = stageJoin(work, current)
  } catch (error) {
    return lose(work, error instanceof Error ? error.message : String(error))
  }
  const judgement = await judge.judge(staged.claims, signal)
  if (judgement.refused.length > 0) {
    await halt(work, judgement)
    return false
  }
  await store(work, { staged, judgement, epoch: current.epoch })
  return true
}

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

async function store(
  work: Work,
  { staged, judgement, epoch }: { staged: StagedExternalJoin; judgement: Judgement; epoch: bigint },
): Promise<void> {
  const { local, steps } = work
  const stale = await keysUnder(work, recordKeys.rejoin(local.key))
  await steps.run(local, (step) => {
    accept(work, step, judgement)
    for (const key of stale) step.delete(key)
    const group = staged.accept(judgement.verdicts)
    for (const [key, record] of group.takeChanges().put) step.put(recordKeys.rejoin(local.key) + key, record)
    group[Symbol.dispose]()
    const request = appendRequest(work, {
      kind: "commit",
      epoch,
      body: staged.message,
      commit: {
        welcome: new Uint8Array(),
        recipients: [],
        ratchetTree: staged.ratchetTree(),
        groupInfo: staged.groupInfo,
        accessKey: new Uint8Array(),
        barrier: staged.removed.length > 0,
      },
    })
    const { reason } = local.state
    local.putCommit(step, { purpose: "rejoin", outgoing: { epoch, body: staged.message, request }, wishes: [], reason })
  })
}

async function send(work: Work): Promise<void> {
  const { local, delivery, signal, steps } = work
  const commit = local.commit
  if (commit === undefined) return
  const answer = await delivery.send(commit.outgoing.request, signal)
  if (answer.type === "accepted") return enter(work, { commit, answer })
  const rejoining = await keysUnder(work, recordKeys.rejoin(local.key))
  await steps.run(local, (step) => {
    for (const key of rejoining) step.delete(key)
    local.putCommit(step, undefined)
  })
  // Somebody else's commit took the epoch: again, from the GroupInfo that came with it.
  if (answer.type !== "stale") await lose(work, `the service refused to let this device in: ${refusalOf(answer)}`)
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
    local.replaceGroup(step, local.restore(rejoining, recordKeys.rejoin(local.key)), old)
    for (const [key, record] of rejoining) {
      step.delete(key)
      step.put(recordKeys.group(local.key) + key.slice(recordKeys.rejoin(local.key).length), record)
    }
    local.putCommit(step, undefined)
    const { seq: cursor, chainHash, epoch: firstEpoch } = answer
    local.update(step, { status: "active", reason: "", cursor, chainHash, firstEpoch, departures: [] })
    step.emit({ type: "recovered", conversation: local.id, reason: commit.reason })
  })
  work.rejoins++
  work.headSeq = undefined
}

async function lose(work: Work, reason: string): Promise<false> {
  await work.steps.run(work.local, (step) => loseTrack(work, step, reason))
  return false
}
