/**
 * The rules of admission and recovery, each a switch, so that a model can be made without one of them. Those of
 * {@link service} and {@link client} are kept by the implementation, and those of {@link mends} were not when the model was made:
 * what it found without them stands in `found.md`.
 */

/** What the service checks: `contracts/access`, `contracts/delivery`. */
const service = {
  /** A commit is accepted if and only if its `after` is the last commit entry of the log. */
  compareAndSet: "a commit's `after` is compared with the last commit entry",
  /** An append proves the newest registered key; a message may prove the one before. */
  newestKeyProved: "a commit proves the newest registered key",
  /** A removal ends the key before at once. */
  removalEndsKey: "a removal ends the access key before it at once",
  /** Reads reach up to and including the first removal after the interval whose key they prove. */
  readsEndAtRemoval: "a read ends with the first removal after its key",
} as const

/** What a member does: `conversation/log`, `answering`, `entering`, `knocking`, and `mls` beneath. */
const client = {
  /** A registered key is compared with the one that the commit derives; another one stops the conversation. */
  keyCompared: "a registered key is compared with the derived one",
  /** A commit that does not hold and registers a key stops the conversation. */
  garbageKeyStops: "garbage that registers a key stops the conversation",
  /** A commit with a path that registers no key is passed over. */
  pathNeedsKey: "a path without a registered key is garbage",
  /** Who cannot follow takes up nothing more from the log. */
  stuckFollowsNothing: "a member that cannot follow follows nothing more",
  /** The interval secret lies in the Welcome. */
  secretInWelcome: "a Welcome carries the interval secret",
  /** A knock names the leaf node that the answering member has in its tree. */
  leafMatches: "a knock names the very leaf node in the tree",
  /** A knock's interval is not older than its leaf. */
  intervalNotOlder: "a knock's interval is not older than its leaf",
  /** A knock's key package has the name of its leaf. */
  sameName: "a knock's key package has the name of its leaf",
  /** A knock is signed with the key of its leaf. */
  knockSigned: "a knock is signed with its leaf's key",
  /** The member that signs an answer is another one. */
  signerIsAnother: "an answer is signed by another member of the knocker's tree",
  /** An answer is an entry of the log that registers the key which it tells. */
  answerInLog: "an answer is an accepted entry which registers the key that it tells",
  /** A member that has been let in renews its leaf at once. */
  renewsAtOnce: "a member that has been let in renews at once",
} as const

/** What the exploration found missing. The implementation keeps all of them since: see `asImplemented`. */
const mends = {
  /** `seen` is the newest entry fetched, not the newest one followed. */
  seenIsFetched: "a knock says how far its maker has fetched",
  /** The leaf of a knock that is given up for a newer one is claimed by the newer one. */
  expiredLeafClaimed: "a knock claims the leaves of those that expired before it",
  /** All leaves that may be in the tree are claimed; otherwise the last one, where the implementation has the last 64. */
  leavesKept: "a knock claims every leaf whose answer was of no use",
  /** A leaf that was taken out and in again is as old as the one in its place, to all who read the commit. */
  readdedKeepsAge: "a leaf that is taken out and in keeps its age, whoever has heard the knock",
  /** The knocker derives the registered key from the epoch that it enters. */
  answerKeyDerived: "the knocker derives the registered key from the epoch that it enters",
  /** A commit of a past epoch, or in one's own name with a spent key, that registers a key stops the conversation. */
  passedOverKeyStops: "a commit that is passed over unread stops the conversation, too, if it registers a key",
  /** `stuckAt` of a knock frees it of the pause only where it is a commit by somebody else. */
  stuckAtChecked: "the commit that a knock names as the reason is looked up",
  /** Messages, handshakes and Welcomes carry the newest head that their author has read. */
  headsCompared: "members compare the heads that they have read",
} as const

export const ruleWords = { ...service, ...client, ...mends } as const
export type Rule = keyof typeof ruleWords
export type Rules = Readonly<Record<Rule, boolean>>
export type Mend = keyof typeof mends

const all = (rules: object, value: boolean) => Object.fromEntries(Object.keys(rules).map((rule) => [rule, value]))

export const mendNames = Object.keys(mends) as readonly Mend[]
/** With everything that would mend it. */
export const mended = all(ruleWords, true) as Rules
/** What the implementation does not keep yet. */
const open: readonly Mend[] = []
export const asImplemented = { ...mended, ...Object.fromEntries(open.map((rule) => [rule, false])) } as Rules
export const without = (...rules: readonly Rule[]): Rules => ({
  ...mended,
  ...Object.fromEntries(rules.map((rule) => [rule, false])),
})
