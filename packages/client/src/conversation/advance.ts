import { isAtHead, isPausing, learnLastCommit, needGroup, type Work } from "./context.js"
import { checkUnreached, follow, Unfollowable } from "./follow.js"
import { found, missing } from "./missing.js"
import { rejoin } from "./rejoin.js"
import { sendCommit, sendCreation, sendLeave, sendMessage } from "./send.js"
import { compileCommit, isCommitWish, nextWishes } from "./wishes.js"

/**
 * Brings a conversation as far as it can go at present: half-done work first, then what the log says, then what is
 * wished. Each turn is a step of its own, and the state in the store is all that a turn starts from, so that it can be
 * broken off anywhere. Rejects with `UNAVAILABLE` where a service does not answer, and may then be repeated.
 *
 * Nothing is encrypted before the log has been read to its head: a device whose state is older than it should be
 * learns it there.
 */
export async function advance(work: Work): Promise<void> {
  while (await turn(work)) work.signal.throwIfAborted()
}

/** Returns whether there may be more to do. */
async function turn(work: Work): Promise<boolean> {
  const { local } = work
  const { status } = local.state
  if (status === "left" || status === "lost" || status === "halted") return false
  if (isPausing(work, work.missing)) return false
  if (status === "recovering") return rejoin(work)
  const wishes = nextWishes(work)
  const [next] = wishes
  if (status === "creating") {
    if (next?.[1].type !== "create") throw new TypeError("a conversation that is being created begins with that")
    await sendCreation(work, [next[0], next[1]])
    return true
  }
  if (!isAtHead(work)) return readLog(work)
  if (await checkUnreached(work)) return true
  if (local.commit === undefined && next === undefined && local.state.departures.length === 0) return false
  await needGroup(work)
  await learnLastCommit(work)
  if (isPausing(work, work.deferral)) {
    // Letting members go is tried later; meanwhile they can read what is said, as before they asked.
    const onlyLetsGo = work.deferral?.of === "commit" && local.commit?.wishes.length === 0
    if (next?.[1].type !== "message" || !onlyLetsGo) return false
    return done(sendMessage(work, [next[0], next[1]]))
  }
  if (local.commit !== undefined) return done(sendCommit(work))
  if (mustCommit(work, next?.[1].type)) return done(compileCommit(work, []))
  if (next === undefined) return false
  const [number, wish] = next
  if (wish.type === "message") return done(sendMessage(work, [number, wish]))
  if (wish.type === "leave") return done(sendLeave(work, [number, wish]))
  const commitWishes = wishes.flatMap(([n, it]) => (isCommitWish(it) ? [[n, it] as const] : []))
  return done(compileCommit(work, commitWishes))
}

async function done(work: Promise<void>): Promise<true> {
  await work
  return true
}

/**
 * RFC 9420 §12.4: proposals are committed before application data is sent; unless these are encrypted already. Those
 * who want to leave are also let go without that, by the first member in the tree at once, and by the others in their
 * order if those before them are not there.
 */
function mustCommit(work: Work, next: string | undefined): boolean {
  if (work.local.group!.proposals.length === 0) return false
  if (next === "message") return true
  const due = departureDue(work)
  return due !== undefined && due <= work.now()
}

/** When there is something to do that nobody asks for (Unix time in milliseconds). */
export function nextDue(work: Work): number | undefined {
  const { status } = work.local.state
  const { missing, stall, deferral, unreached } = work
  const times =
    status === "recovering"
      ? [missing?.retryAt, stall?.retryAt]
      : [missing?.retryAt, deferral?.retryAt, unreached?.isDue ? unreached.retryAt : undefined, departureDue(work)]
  const due = times.filter((time) => time !== undefined)
  return due.length === 0 ? undefined : Math.min(...due)
}

/** When this device is to carry out the departures that it knows of (Unix time in milliseconds), if there are any. */
function departureDue({ local, invitations, leaveDelayMilliseconds }: Work): number | undefined {
  // Who has not come yet does nothing in the conversation.
  if (invitations.isWaiting(local.key)) return undefined
  const { departures, status } = local.state
  const { group } = local
  if (group === undefined || departures.length === 0 || (status !== "active" && status !== "leaving")) return undefined
  const departing = new Set<number>(departures.map(({ leafIndex }) => leafIndex))
  if (status === "leaving") departing.add(group.ownLeafIndex)
  // Those who want to leave come last: where all do, one has to begin with the others.
  const members = group.members.map(({ leafIndex }) => leafIndex)
  const order = [...members.filter((it) => !departing.has(it)), ...members.filter((it) => departing.has(it))]
  const since = departures.reduce((latest, it) => (it.since > latest ? it.since : latest), 0n)
  return Number(since) + order.indexOf(group.ownLeafIndex) * leaveDelayMilliseconds
}

// --- The log ---------------------------------------------------------------------------------------------------------

async function readLog(work: Work): Promise<boolean> {
  const { local } = work
  try {
    if (await followIncoming(work)) return true
    await readPage(work)
  } catch (error) {
    if (!(error instanceof Unfollowable)) throw error
    await doubt(work, error)
  }
  if (local.state.status !== "active" && local.state.status !== "leaving") work.incoming.length = 0
  // Where the service does not know the group, there is nothing to do until the pause is over.
  return !isPausing(work, work.missing)
}

/** What the stream has brought. Returns whether the cursor moved. */
async function followIncoming(work: Work): Promise<boolean> {
  const { local, incoming } = work
  const before = local.state.cursor
  while (incoming.length > 0 && isFollowing(work)) {
    const entry = incoming[0]!
    if (entry.seq > local.state.cursor + 1n) break
    await follow(work, entry)
    if (local.state.cursor >= entry.seq) incoming.shift()
  }
  return local.state.cursor !== before
}

async function readPage(work: Work): Promise<void> {
  const { local, delivery, signal, steps } = work
  const answer = await delivery.read(local.id, local.state.cursor, signal)
  if (answer.type === "entries") {
    await found(work)
    for (const entry of answer.entries) if (isFollowing(work)) await follow(work, entry)
    const more = local.state.cursor < answer.headSeq
    if (more && answer.entries.length === 0) throw new Unfollowable(answer.headSeq, "the log is shorter than its head")
    return dropOldIncoming(work, answer.headSeq)
  }
  if (answer.type !== "belowRetention") return missing(work, answer)
  const reason = "this device was away for too long"
  await steps.run(local, (step) => local.update(step, { status: "recovering", reason }))
}

/** The stream may have brought more while the page was asked for. */
function dropOldIncoming(work: Work, headSeq: bigint): void {
  const { incoming, local } = work
  const next = incoming.findIndex((entry) => entry.seq === local.state.cursor + 1n)
  incoming.splice(0, next === -1 ? incoming.length : next)
  work.headSeq = incoming.at(-1)?.seq ?? headSeq
}

function isFollowing({ local }: Work): boolean {
  return local.state.status === "active" || local.state.status === "leaving"
}

/** The ladder of recovery: read again, with a state that is read again too; then rejoin. */
async function doubt(work: Work, error: Unfollowable): Promise<void> {
  const { local, steps } = work
  work.incoming.length = 0
  work.headSeq = undefined
  await steps.discard(local)
  if (work.suspect !== error.seq) {
    work.suspect = error.seq
    return
  }
  work.suspect = undefined
  work.refusedCommit = error.isAnonymous ? error.seq : undefined
  await steps.run(local, (step) => local.update(step, { status: "recovering", reason: error.message }))
}
