/** A rule of the model, taken out of a compiled module of the SDK or of the service: where it is kept twice, out of both. */
export interface Planted {
  /** The rule, which names the trace that shows what is wrong without it. */
  readonly rule: string
  /** After `packages/`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const inClient = (rule: string, file: string, find: string, replace: string): Planted => {
  return { rule, file: `client/dist/src/conversation/${file}`, find, replace }
}
const inService = (rule: string, file: string, find: string, replace: string): Planted => {
  return { rule, file: `delivery/dist/src/${file}`, find, replace }
}

/**
 * Without `sameName` nobody is let in either: the directory does not list one key under two names, and the answering device
 * asks it.
 */
export const plantedRules: readonly Planted[] = [
  inService("compareAndSet", "store/memory-state.js", "if (after === lastCommitSeq)", "if (true)"),
  inService("compareAndSet", "groups.js", "|| standing.lastCommitSeq !== after", ""),
  inService("newestKeyProved", "access.js", "return denied(NOT_NEWEST)", "return undefined"),
  inService("removalEndsKey", "store/memory-access.js", "&& !later[0].removes", ""),
  inService("readsEndAtRemoval", "store/memory-access.js", "key === undefined || removes", "false"),
  inClient("keyCompared", "log.js", "&& begun !== false)", ")"),
  inClient("garbageKeyStops", "log.js", 'by: sender ?? "", reason', 'by: "", entry: moveOn(turn, entry), reason'),
  inClient("passedOverKeyStops", "log.js", 'return stop(turn, entry, { by: "", reason', 'void ({ by: "", reason'),
  inClient("pathNeedsKey", "epoch-interval.js", "staged.path && state.intervals.newest !== undefined", "false"),
  inClient("stuckFollowsNothing", "log.js", '"commit" && seenBy(error) === "self"', '"proposal"'),
  inClient("secretInWelcome", "invitation.js", "state.intervals.add(turn, state.key, keys)", "void keys"),
  inClient("leafMatches", "answering.js", "!includes(content.leafNodeHashes, suite.hash.digest(leaf))", "false"),
  inClient("intervalNotOlder", "answering.js", "interval.number < sinceOf(state, index)", "false"),
  inClient("knockSigned", "answering.js", "if (!isSignedBy(suite, opened, member.signatureKey))", "if (false)"),
  inClient("seenIsFetched", "knocking.js", "seen: seen.seq", "seen: state.position.cursor"),
  inClient(
    "expiredLeafClaimed",
    "knocking.js",
    "isOver(state, moment.now))\n        giveUpKnock(turn)",
    "isOver(state, moment.now))\n        turn.putKnock(undefined)",
  ),
  inClient("leavesKept", "entering.js", ".slice(-KNOCK_LEAVES_MAX)", ".slice(0, 0)"),
  inClient("readdedKeepsAge", "answering.js", 'if (before?.type === "leaf")', "if (false)"),
  inClient("answerKeyDerived", "entering.js", "!equalBytes(intervalIn(group).accessKey, keys.accessKey)", "false"),
  inClient("stuckAtChecked", "answering.js", "return before === 0 ? 0", "return true ? 0"),
]
