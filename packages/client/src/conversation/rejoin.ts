import { DecodeError, encode } from "@conclave/codec"
import { decodeGroupInfo, Group, type StagedExternalJoin, verifyWithLabel } from "@conclave/mls"
import { GroupInfoTBS } from "@conclave/mls/wire"
import { recordKeys } from "../core/records.js"
import type { Judgement } from "../identity/judge.js"
import { Unavailable } from "../service/call.js"
import type { AnswerOf } from "../service/delivery.js"
import { refusalOf } from "../service/delivery.js"
import { keysUnder, type Work } from "./context.js"
import { placePassed } from "./follow.js"
import { appendRequest } from "./request.js"
import { accept, forgetDepartures, halt, loseTrack } from "./settle.js"

/** In a row, without an entry that could be followed: then it is time to wait. */
const REJOINS_MAX = 3
const RETRY_MILLISECONDS_MIN = 15_000
const RETRY_MILLISECONDS_MAX = 900_000

/**
 * Lets this device in again by an external commit (RFC 9420 §12.4.3.2) that removes its old leaf. The new group waits
 * beside the old one until the service has accepted the commit. Returns whether there may be more to do.
 */
export async function rejoin(work: Work): Promise<boolean> {
  if (work.rejoins >= REJOINS_MAX) {
    work.rejoins = 0
    throw new Unavailable("the service lets this device in, and then shows no log that can be followed")
  }
  const outcome = work.local.commit?.purpose === "rejoin" ? "staged" : await stage(work)
  if (outcome === "staged") await send(work)
  return outcome !== "stalled"
}

async function stage(work: Work): Promise<"staged" | "ended" | "stalled"> {
  const { local, delivery, judge, signal } = work
  const current = await delivery.groupInfo(local.id, signal)
  if (current === undefined) {
    await lose(work, "the service does not know the conversation")
    return "ended"
  }
  const reason = reasonOf(work, current)
  let staged: StagedExternalJoin
  try {
    staged = stageJoin(work, current)
  } catch (error) {
    await stall(work, current.seq, `${reason}; what it came with is of no use either: ${messageOf(error)}`)
    return "stalled"
  }
  work.stall = undefined
  const judgement = await judge.judge(staged.claims, signal)
  if (judgement.refused.length > 0) {
    await halt(work, judgement)
    return "ended"
  }
  await store(work, { staged, judgement, epoch: current.epoch, reason })
  return "staged"
}

/**
 * The next commit of anybody who can still follow brings a GroupInfo that helps: waits for that, longer and longer. The
 * user is told, as nobody else can be asked.
 */
async function stall(work: Work, seq: bigint, reason: string): Promise<void> {
  const { local, steps, now, stall: before } = work
  const tries = before?.seq === seq ? before.tries + 1 : 0
  const waitMilliseconds = Math.min(RETRY_MILLISECONDS_MAX, RETRY_MILLISECONDS_MIN * 2 ** Math.min(tries, 16))
  work.stall = { tries, seq, retryAt: now() + waitMilliseconds }
  if (tries > 0) return
  await steps.run(local, (step) =>
    step.emit({ type: "rejected", conversation: local.id, code: "CANNOT_REJOIN", reason }),
  )
}

/** Why this device rejoins; of a commit that it refused, also whose it is, if the GroupInfo beside it tells. */
function reasonOf(work: Work, current: AnswerOf<"groupInfo">): string {
  const { reason } = work.local.state
  const by = work.refusedCommit === current.seq ? signerOf(work, current.groupInfo) : undefined
  return by === undefined ? reason : `${reason} (by ${by}, who signed what came with it)`
}

/** The member, as this device knew them last, whose signature is on a GroupInfo (RFC 9420 §12.4.3). */
function signerOf({ local, identity }: Work, message: Uint8Array): string | undefined {
  try {
    const groupInfo = decodeGroupInfo(message)
    const leaf = local.view.outline?.nodes[2 * groupInfo.signer]
    if (leaf?.type !== "leaf") return undefined
    const content = encode(GroupInfoTBS, groupInfo)
    const { signatureKey: publicKey, name } = leaf
    const { signature } = groupInfo
    return verifyWithLabel(identity.suite, { publicKey, label: "GroupInfoTBS", content, signature }) ? name : undefined
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
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
  readonly epoch: bigint
  readonly reason: string
}

async function store(work: Work, { staged, judgement, epoch, reason }: Staged): Promise<void> {
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
    local.update(step, { status: "active", reason: "", cursor, chainHash, firstEpoch })
    forgetDepartures(work, step)
    step.emit({ type: "recovered", conversation: local.id, reason: commit.reason })
    placePassed(work, step)
  })
  work.rejoins++
  work.refusedCommit = undefined
  work.headSeq = undefined
}

function lose(work: Work, reason: string): Promise<void> {
  return work.steps.run(work.local, (step) => loseTrack(work, step, reason))
}
