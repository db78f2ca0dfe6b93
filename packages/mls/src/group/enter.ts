import { encode } from "@conclave/codec"
import { equalBytes, wipe } from "@conclave/crypto"
import { rule, StateError } from "../errors.js"
import { type Sliced, toEnd } from "../slices.js"
import { leafSignatures } from "../tree/validation.js"
import { Credential, type Extension, MLSMessage, type PreSharedKeyID, type Proposal } from "../wire.js"
import { createCommit } from "./commit.js"
import { capabilitiesOf, environmentOf, type GroupOptions, newGroupInfo, requireAccepted } from "./environment.js"
import { type Epoch, memberOf } from "./epoch.js"
import {
  destroyJoined,
  type JoinContext,
  type JoinedEpoch,
  joinOpened,
  openWelcome,
  type TreeChecks,
  viewFromOutside,
} from "./join.js"
import type { PreparedJoinOf, StagedExternalJoinOf, StagedJoinOf } from "./joins.js"
import type { KeyPackageBundle } from "./key-package.js"
import { requireContinuation, requireContinuedMembers, type SameClient } from "./lineage.js"
import { type GroupEnvironment, GroupState } from "./state.js"
import type { Member, PskLookup, Signer } from "./types.js"

/** How to enter a group by a Welcome. */
export interface WelcomeOptions extends GroupOptions {
  /** MLSMessage with the Welcome. */
  readonly welcome: Uint8Array
  readonly keyPackages: readonly KeyPackageBundle[]
  /** The tree, where it comes beside the Welcome. */
  readonly ratchetTree?: Uint8Array
  /** Whether two leaf nodes are the same client's: by default, whether their credentials are equal. */
  readonly isSameClient?: SameClient
}

/** How to enter a group by an external Commit. */
export interface OutsideOptions extends GroupOptions {
  /** MLSMessage with the GroupInfo. */
  readonly groupInfo: Uint8Array
  /** The tree, where it comes beside the GroupInfo. */
  readonly ratchetTree?: Uint8Array
  /** Removes a member that presents the same credential: an old self. */
  readonly replaceSelf?: boolean
  readonly withPsks?: readonly PreSharedKeyID[]
  readonly leafExtensions?: readonly Extension[]
  readonly authenticatedData?: Uint8Array
}

/**
 * RFC 9420 §12.4.3.1: opens a Welcome, and checks its tree when it is staged. `isAtOnce`: nothing is done between the two.
 * `entered` makes of the state what the application is given.
 *
 * @throws DecodeError, RuleError
 */
export function* prepareEntry<Group>(
  options: WelcomeOptions,
  others: readonly GroupState[],
  { isAtOnce, entered }: { readonly isAtOnce: boolean; readonly entered: (state: GroupState) => Group },
): Sliced<PreparedJoinOf<Group>> {
  const environment = environmentOf(options)
  const context = joinContext(environment, others, isAtOnce)
  const opened = yield* openWelcome(options.welcome, options.keyPackages, options.ratchetTree, context)
  const { groupContext, extensions: groupInfoExtensions } = opened.groupInfo
  const { groupId, epoch } = groupContext
  const leaves = opened.tree.census.members
  const signatures = () => leafSignatures(opened.tree, groupId)
  const stageInSlices = function* (checks: TreeChecks = {}): Sliced<StagedJoinOf<Group>> {
    const joined = yield* joinOpened(opened, context, checks)
    validateOrigin(joined, others, options.isSameClient)
    let isOver = false
    return {
      groupId,
      epoch,
      members: joined.members,
      inviter: joined.inviter,
      groupInfoExtensions,
      claims: joined.claims,
      keyPackageRef: joined.bundle.ref,
      accept(verdicts) {
        requireAccepted(joined.claims, verdicts)
        if (isOver) throw new StateError("WRONG_EPOCH", "this join was accepted before, or disposed of")
        isOver = true
        return entered(stateOfJoined(environment, joined))
      },
      [Symbol.dispose]() {
        if (!isOver) destroyJoined(joined)
        isOver = true
      },
    }
  }
  const stage = (checks?: TreeChecks) => toEnd(stageInSlices(checks))
  return { groupId, epoch, groupInfoExtensions, leaves, signatures, stageInSlices, stage }
}

/** RFC 9420 §11.2, §11.3, §12.4.3.1: a new id, or a group that continues one of ours as it says. @throws RuleError */
function validateOrigin(joined: JoinedEpoch, others: readonly GroupState[], isSameClient?: SameClient): void {
  const { groupId } = joined.epoch.context
  requireUniqueId(groupId, others)
  const reInit = others.some((group) => group.reInit && equalBytes(group.reInit.groupId, groupId))
  rule(!reInit || joined.origin?.kind === "reinit", "welcome-reinit-psk")
  if (joined.origin === undefined) return
  const { kind, parentGroupId, parentEpoch } = joined.origin
  const parent = others.find((group) => equalBytes(group.epoch.context.groupId, parentGroupId))
  rule(parent !== undefined, "psk-known")
  const lineage = { origin: kind, groupId: parentGroupId, epoch: parentEpoch }
  requireContinuation(parent, joined.epoch, lineage)
  requireContinuedMembers(parent, joined.epoch, lineage, isSameClient)
}

/** RFC 9420 §12.4.3.2: the Commit of somebody who lets itself in. @throws DecodeError, RuleError */
export function stageExternalEntry<Group>(
  options: OutsideOptions,
  others: readonly GroupState[],
  entered: (state: GroupState) => Group,
): StagedExternalJoinOf<Group> {
  const environment = environmentOf(options)
  const { suite, random } = environment
  const capabilities = capabilitiesOf(environment)
  const ephemeral = random(suite.hpke.kem.ephemeralSize)
  const context = { ...joinContext(environment, others), ephemeral, capabilities }
  const { epoch, claims, init, kemOutput } = viewFromOutside(options.groupInfo, options.ratchetTree, context)
  wipe(ephemeral)
  // Who replaces an old self is in the group with it.
  if (options.replaceSelf !== true) requireUniqueId(epoch.context.groupId, others)
  const sender = { type: "newMemberCommit" as const }
  const removed = options.replaceSelf ? sameCredential(epoch, options.signer) : undefined
  const proposals: Proposal[] = [{ type: "externalInit", kemOutput }]
  if (removed) proposals.push({ type: "remove", removed: removed.leafIndex })
  for (const psk of options.withPsks ?? []) proposals.push({ type: "psk", psk })
  const created = toEnd(
    createCommit(
      epoch,
      {
        proposals: proposals.map((proposal) => ({ proposal, sender })),
        leaf: { capabilities, extensions: options.leafExtensions ?? [] },
        newSigner: options.signer,
        forcePath: true,
        authenticatedData: options.authenticatedData ?? new Uint8Array(0),
        wireFormat: "mlsPublicMessage",
        externalInit: init,
      },
      { ...environment, now: environment.now(), own: { updateKey: () => undefined } },
    ),
  )
  wipe(init)
  const { content, auth } = created.authenticated
  const state = new GroupState(environment, created.next.epoch, created.next.seed.encryption)
  const members = claims.filter(({ leafIndex: at }) => at === undefined || at !== removed?.leafIndex)
  return {
    groupId: epoch.context.groupId,
    epoch: created.staged.epoch,
    message: encode(MLSMessage, {
      version: "mls10",
      wireFormat: { type: "mlsPublicMessage", publicMessage: { content, auth } },
    }),
    groupInfo: newGroupInfo(created.next.epoch, environment),
    ratchetTree: () => created.next.epoch.tree.encode(),
    removed: created.staged.removed,
    claims: members,
    accept(verdicts) {
      requireAccepted(members, verdicts)
      created.next.epoch.tree.settle()
      return entered(state)
    },
  }
}

function stateOfJoined(environment: GroupEnvironment, { epoch, seed }: JoinedEpoch): GroupState {
  wipe(seed.welcome, seed.joiner)
  epoch.tree.settle()
  return new GroupState(environment, epoch, seed.encryption)
}

function joinContext(environment: GroupEnvironment, others: readonly GroupState[], isAtOnce?: boolean): JoinContext {
  const { suite, signer, policy, profile, registries } = environment
  const psks: PskLookup = (id) => environment.psks(id) ?? resumptionOf(others, id)
  return { suite, signer, policy, profile, registries, now: environment.now(), psks, isAtOnce }
}

/** RFC 9420 §12.4.3. @throws RuleError */
function requireUniqueId(groupId: Uint8Array, others: readonly GroupState[]): void {
  const taken = others.some(
    (group) => group.active && group.reInit === undefined && equalBytes(group.epoch.context.groupId, groupId),
  )
  rule(!taken, "group-id-unique")
}

/** RFC 9420 §8.6: the resumption secret of a group that this client is in. */
function resumptionOf(groups: readonly GroupState[], { psktype }: PreSharedKeyID): Uint8Array | undefined {
  if (psktype.type !== "resumption") return undefined
  const { pskGroupId, pskEpoch } = psktype
  return groups
    .find(({ epoch }) => equalBytes(epoch.context.groupId, pskGroupId))
    ?.resumption.get(pskEpoch)
    ?.slice()
}

function sameCredential({ tree }: Epoch, { credential }: Signer): Member | undefined {
  const bytes = encode(Credential, credential)
  for (const [index, leaf] of tree.leaves()) {
    if (equalBytes(encode(Credential, leaf.credential), bytes)) return memberOf(index, leaf)
  }
  return undefined
}
