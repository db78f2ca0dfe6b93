import { wipe } from "@conclave/crypto"
import { RuleError, StateError } from "../errors.js"
import { exportSecret } from "../schedule/key-schedule.js"
import type { Sliced } from "../slices.js"
import { AssumedProposals, type Exporter, type GroupChanges, proposalsOf } from "./changes.js"
import {
  type CommitContext,
  type CommitRequest,
  type CreatedCommit,
  createCommit,
  prepareCommit,
  welcomeFor,
} from "./commit.js"
import * as messages from "./messages.js"
import { mostThatFit, selectProposals } from "./received-proposals.js"
import { destroyNext, type GroupState, originOf } from "./state.js"
import { requireBestSuite } from "./suite-choice.js"
import { type OwnKeys, stageCommit } from "./transition.js"
import type { SentProposal } from "./types.js"

/*
 * What takes time in a large group: making a commit, and staging a received one. Neither changes the group: its state is
 * read at the beginning, and whoever has waited for the end compares.
 */

/** A commit that was made for an epoch, and is not its author's own yet. It holds secrets: see {@link destroyMade}. */
export interface Made {
  readonly created: CreatedCommit
  /** The commit as it is sent. */
  readonly protected: messages.Protected
  readonly welcome: Uint8Array | undefined
  /** Of the proposals that were there: see `ReceivedProposals.version`. */
  readonly proposals: number
}

/**
 * RFC 9420 §12.4.1: a commit of all proposals received and of `changes`, with its Welcome.
 *
 * @throws RuleError, DecodeError; StateError WRONG_EPOCH, NOT_A_MEMBER where the group has moved on meanwhile
 */
export function makeCommit(state: GroupState, changes: GroupChanges): Sliced<Made> {
  return whileCurrent(state, make(state, changes))
}

function* make(state: GroupState, changes: GroupChanges): Sliced<Made> {
  using assumed = new AssumedProposals(state)
  const { environment, epoch } = state
  const proposals = state.proposals.version
  const wanted = yield* proposalsOf(state, changes, assumed)
  const received = selectProposals(state.proposals.all(), wanted, epoch, environment.profile)
  const { policy, random } = environment
  const leaf = messages.ownLeafContent(state, changes)
  const newSigner = changes.signer ?? epoch.signer
  const forcePath = changes.path !== false || changes.signer !== undefined
  const authenticatedData = changes.authenticatedData ?? new Uint8Array(0)
  const wireFormat = policy.handshake === "public" ? "mlsPublicMessage" : "mlsPrivateMessage"
  const { profile, psks, origin } = transitionOf(state)
  const own = ownKeysOf(state, undefined)
  const context = { policy, profile, psks, origin, random, now: environment.now(), own }
  requireBestSuite(state, wanted)
  const requestOf = (taken: readonly SentProposal[]): CommitRequest => {
    const proposals = [...taken, ...wanted]
    return { proposals, leaf, newSigner, forcePath, authenticatedData, wireFormat }
  }
  const taken = yield* mostThatFit(received, (some) => isPossible(state, requestOf(some), context))
  const created = yield* createCommit(epoch, requestOf(taken), context)
  let isMade = false
  try {
    const unspent = messages.protectUnspent(state, created.authenticated)
    const hasNewcomers = created.next.applied.added.size > 0
    const welcome = hasNewcomers ? yield* welcomeTo(created, unspent.message, changes, state) : undefined
    yield* assumed.settle()
    isMade = true
    return { created, protected: unspent, welcome, proposals }
  } finally {
    wipe(...(created.pathSecrets?.pathSecrets.values() ?? []))
    if (!isMade) destroyCreated(created)
  }
}

/** Overwrites the secrets of a commit that does not become anybody's own. */
export function destroyMade({ created }: Made): void {
  destroyCreated(created)
}

function destroyCreated({ next, ownPath }: CreatedCommit): void {
  if (ownPath) wipe(ownPath.firstPathSecret)
  destroyNext(next)
}

/** Whether there can be such a commit, without the work of making it. */
function* isPossible({ epoch }: GroupState, request: CommitRequest, context: CommitContext): Sliced<boolean> {
  try {
    const { leafKeys } = yield* prepareCommit(epoch, request, context)
    if (leafKeys) wipe(leafKeys.privateKey)
    return true
  } catch (error) {
    if (error instanceof RuleError) return false
    throw error
  }
}

function* welcomeTo(
  created: CreatedCommit,
  message: Uint8Array,
  { welcomeWithTree, welcomeExtensions }: GroupChanges,
  { environment }: GroupState,
): Sliced<Uint8Array> {
  const { staged, next } = created
  const { suite, secrets } = next.epoch
  const exportNext: Exporter = (asked) => exportSecret(suite, secrets.exporter, asked)
  const extensions = welcomeExtensions?.(exportNext, { ...staged, message })
  const options = { withRatchetTree: welcomeWithTree !== false, ...(extensions && { extensions }) }
  return yield* welcomeFor(created, options, environment)
}

/**
 * Leaves the work as soon as the group has moved on: the secrets that it reads are overwritten then, and what it found
 * wrong would not be so.
 *
 * @throws StateError WRONG_EPOCH, NOT_A_MEMBER
 */
function* whileCurrent<T>(state: GroupState, work: Sliced<T>): Sliced<T> {
  const { epoch } = state
  let isLeft = true
  try {
    for (;;) {
      const { done, value } = work.next()
      if (done === true) {
        isLeft = false
        return value
      }
      yield
      state.requireActive()
      if (state.epoch !== epoch) outdated()
    }
  } finally {
    if (isLeft) work.return(undefined as never)
  }
}

/** @throws StateError WRONG_EPOCH */
export function outdated(): never {
  throw new StateError("WRONG_EPOCH", "the group has changed since this was begun, or it is another group's")
}

/** {@link stageCommit}, of a commit that this state has received or, with `committed`, made. */
export function stageIn(
  state: GroupState,
  commit: Parameters<typeof stageCommit>[1],
  committed: OwnKeys["committed"],
): ReturnType<typeof stageCommit> {
  return whileCurrent(state, stageCommit(state.epoch, commit, transitionOf(state), ownKeysOf(state, committed)))
}

function transitionOf(state: GroupState) {
  const { policy, profile } = state.environment
  return { policy, profile, psks: messages.pskLookup(state), origin: originOf(state) }
}

function ownKeysOf(state: GroupState, committed: OwnKeys["committed"]): OwnKeys {
  return { updateKey: (encryptionKey) => state.updateOf(encryptionKey), committed }
}
