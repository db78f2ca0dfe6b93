/** The Delivery Service: what it accepts and shows (`contracts/access`, `contracts/delivery`). It opens nothing. */
import type { Rules } from "./rules.js"
import { type Entry, type Epoch, OTHER_KEY, pathLeaf, type State, type Tree } from "./state.js"

/** What the author of a request can prove, and the last commit entry that it names. */
export interface Proof {
  readonly known: readonly number[]
  readonly knowsOther?: boolean
  readonly after: number
}

/** How many keys were registered after the newest that is known; `undefined` where none is. */
function laterKeys({ keys }: State, { known, knowsOther }: Omit<Proof, "after">): number | undefined {
  for (let at = keys.length - 1; at >= 0; at--) {
    const { key } = keys[at]!
    if (known.includes(key) || (key === OTHER_KEY && knowsOther === true)) return keys.length - 1 - at
  }
  return undefined
}

/** The last entry that is shown to whoever proves a key of these intervals; `undefined`: nothing. */
export function reachOf(rules: Rules, s: State, known: readonly number[]): number | undefined {
  const later = laterKeys(s, { known })
  if (later === undefined) return undefined
  const end = s.keys.slice(s.keys.length - later).find(({ removes }) => removes)
  return end === undefined || !rules.readsEndAtRemoval ? s.log.length : end.seq
}

/** Whether it takes what proves one of these keys. */
export const knowsAKey = (s: State, known: readonly number[]): boolean => laterKeys(s, { known }) !== undefined

/** Why an entry is refused. */
export function refusalOf(rules: Rules, s: State, e: Entry, proof: Proof): "stale" | "denied" | undefined {
  const { after } = proof
  const later = laterKeys(s, proof)
  const newest = s.keys.at(-1)!
  if (later === undefined) return "denied"
  const isLately = later === 1 && !(newest.removes && rules.removalEndsKey)
  const mayUseKey = later === 0 || (e.kind === "message" ? isLately : !rules.newestKeyProved)
  if (!mayUseKey) return after < s.lastCommit ? "stale" : "denied"
  return e.kind === "commit" && rules.compareAndSet && after !== s.lastCommit ? "stale" : undefined
}

/** Whether a commit breaks no rule whose breach every member of the epoch sees alike. */
export function holds(rules: Rules, epoch: Epoch, e: Entry): boolean {
  if (e.epoch !== epoch.id || e.fault !== "none" || epoch.tree[e.by] === undefined) return false
  if (e.removes.some((name) => epoch.tree[name] === undefined)) return false
  return !(e.path && e.key === undefined && rules.pathNeedsKey) && !(!e.path && e.key !== undefined)
}

/** The epoch that a commit begins. */
export function successor(epoch: Epoch, e: Entry): Epoch {
  const tree: Record<string, number> = { ...epoch.tree }
  for (const name of e.removes) delete tree[name]
  for (const [name, leaf] of e.adds) tree[name] = leaf
  if (e.path) tree[e.by] = pathLeaf(e.seq)
  return { id: e.seq, parent: epoch, tree: tree as Tree, interval: e.path ? e.seq : epoch.interval }
}

/** The group that the maker of an answer has invented, with a stranger in it. */
export function inventedGroup(epoch: Epoch, e: Entry): Epoch {
  const tree = { ...epoch.tree, ...Object.fromEntries(e.adds), S: 0 }
  return { id: -e.seq, parent: undefined, tree, interval: e.fault === "none" ? e.seq : OTHER_KEY }
}

export function append(rules: Rules, s: State, e: Entry, proof: Proof): State | undefined {
  if (refusalOf(rules, s, e, proof) !== undefined) return undefined
  const { seq, key, answers } = e
  const isCommit = e.kind === "commit"
  const doesHold = isCommit && holds(rules, s.group, e)
  const group = doesHold ? successor(s.group, e) : s.group
  const learns = doesHold && group.tree.M !== undefined && !s.insider.includes(group.interval)
  return {
    ...s,
    ...{ log: [...s.log, e], group, lastCommit: isCommit ? seq : s.lastCommit },
    keys: key === undefined ? s.keys : [...s.keys, { key, seq, removes: e.removes.length > 0 }],
    insider: learns ? [...s.insider, group.interval] : s.insider,
    knocks: s.knocks.map((it) => (answers.includes(it.id) && it.waits ? { ...it, waits: false, answer: seq } : it)),
  }
}
