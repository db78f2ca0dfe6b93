import type { StagedCommit } from "@conclave/mls"
import { serviceSuite, signerOf } from "../heads/service-key.js"
import type { InspectedCommit, InspectedHead, Inspection } from "../inspection.js"
import type { PinnedService } from "../records/records.js"
import { nameOfMember } from "./announcing.js"
import type { Moment, State } from "./state.js"
import type { Turn } from "./turn.js"
import { describeWish } from "./wishes.js"

const COMMITS_MAX = 200

/** Notes a commit that is being followed, for {@link inspect}. */
export function noteCommit(turn: Turn, staged: StagedCommit, { seq, own }: Pick<InspectedCommit, "seq" | "own">): void {
  const { state, moment } = turn
  const { committer, epoch, path } = staged
  const commit: InspectedCommit = {
    ...{ epoch, seq, own, path },
    by: nameOfMember(committer),
    signatureKey: committer?.signatureKey.slice(),
    added: staged.added.map(nameOfMember),
    removed: staged.removed.map(nameOfMember),
    at: new Date(moment.now),
  }
  // Where a step could not be stored, the same entry is followed once more.
  state.commits = [...state.commits.filter((it) => it.seq < seq), commit].slice(-COMMITS_MAX)
}

export interface InspectedOf extends Pick<Moment, "identity"> {
  readonly service: PinnedService | undefined
}

/** See `Conversation.inspect`. */
export function inspect(state: State, { identity, service }: InspectedOf): Inspection {
  const { position, obstacle, unapproved, intervals, commit, recovery, visitors } = state
  const { cursor, chainHash, head, waiting, lastCommit } = position
  return {
    cipherSuite: identity.suite.number,
    firstEpoch: state.facts.firstEpoch,
    log: { cursor, chainHash: chainHash.slice(), head, waiting, lastCommit },
    head: headOf(state, { identity, service }),
    service: service && {
      key: service.keys.at(-1)!.slice(),
      olderKeys: service.keys.length - 1,
      incarnation: service.incarnation,
    },
    intervals: intervals.public,
    commits: state.commits,
    wishes: [...state.wishes].map(([, wish]) => describeWish(wish)),
    isCommitting: commit !== undefined,
    unapproved: unapproved.map(({ name, signatureKey }) => ({ name, signatureKey: signatureKey.slice() })),
    obstacle: obstacle.type === "none" ? undefined : { type: obstacle.type, retryAt: new Date(obstacle.pause.retryAt) },
    isDoubting: recovery.type === "doubting",
    knocks: visitors.size,
  }
}

function headOf({ id, facts }: State, { identity, service }: InspectedOf): InspectedHead | undefined {
  const { head, headAt } = facts
  if (head === undefined) return undefined
  const { seq, chainHash, incarnation } = head
  const signedBy = signerOf(serviceSuite(identity.suite.provider), service?.keys ?? [], { groupId: id, claim: head })
  const at = new Date(Number(headAt))
  return { seq, chainHash: chainHash.slice(), incarnation, at, signedBy: signedBy?.slice() }
}
