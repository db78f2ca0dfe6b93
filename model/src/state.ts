/**
 * What a state of the model is. MLS and signatures are abstract: an epoch is named by the `seq` of the commit that begins
 * it (0 is the creation), an interval by that of its commit, a leaf by a number of its own; who knows a secret is a set of
 * those names. All objects are immutable and shared between states.
 */

/** A, B, C are honest; M is the insider; D is let in later; S is a stranger, who has no leaf unless something is wrong. */
export type Name = "A" | "B" | "C" | "D" | "M" | "S"
/** Who does something: a member, or T, who has a copy of A's whole state. */
export type Actor = Name | "T" | "service"

export type Tree = Readonly<Partial<Record<Name, number>>>

export interface Epoch {
  /** Negative where somebody has invented it. */
  readonly id: number
  readonly parent: Epoch | undefined
  readonly tree: Tree
  /** The interval in which it lies. */
  readonly interval: number
}

/** A registered key that nobody but its maker derives. */
export const OTHER_KEY = -1

/** Of garbage: it breaks a rule, is of a past epoch, or claims to be the victim's own with a spent key. */
export type Fault = "none" | "breaks" | "past" | `own-${Name}`
/**
 * Of an answer: it leads where the commit leads; nobody can open it; or it leads into a group that its maker has
 * invented, and tells the secret of the interval that the entry registers.
 */
export type Welcome = "good" | "broken" | "invented"

export interface Entry {
  readonly seq: number
  readonly kind: "commit" | "message"
  /** The leaf that signs, and who does it. */
  readonly by: Name
  readonly maker: Actor
  readonly epoch: number
  readonly fault: Fault
  readonly path: boolean
  /** The key that it registers: its seq where that is the derived one, {@link OTHER_KEY}, or `undefined`. */
  readonly key: number | undefined
  readonly removes: readonly Name[]
  readonly adds: readonly (readonly [Name, number])[]
  /** Those who cannot open its path. */
  readonly closedTo: readonly Name[]
  /** The knocks that it answers, and whether the Welcome is of use. */
  readonly answers: readonly number[]
  readonly welcome: Welcome
}

export interface Knock {
  readonly id: number
  /** The member for whom it speaks, and who made it. */
  readonly from: Name
  readonly maker: Actor
  readonly interval: number
  readonly leaves: readonly number[]
  readonly seen: number
  readonly stuckAt: number | undefined
  /** The leaf of its key package, and the name in that. */
  readonly leaf: number
  readonly packageName: Name
  /** Whether it waits at the service. */
  readonly waits: boolean
  /** The entry that answers it, while the service keeps that. */
  readonly answer: number | undefined
}

export type Status = "outside" | "following" | "recovering" | "stopped" | "left" | "lost"

/** An honest member. */
export interface Member {
  readonly status: Status
  /** The last entry that it has followed; what it has fetched beyond that, while it cannot follow. */
  readonly cursor: number
  readonly epoch: Epoch
  /** Interval secrets, in the order in which it learned them. */
  readonly intervals: readonly number[]
  /** Of each leaf in its tree, the interval that a knock for it has to know. */
  readonly since: Readonly<Partial<Record<Name, number>>>
  /** The newest entry from each leaf. */
  readonly heard: Readonly<Partial<Record<Name, number>>>
  /** Knocks that it has heard and not answered. */
  readonly visitors: readonly number[]
  /** Members that were let in, by what commit, while they have to wait. */
  readonly letIn: Readonly<Partial<Record<Name, number>>>
  readonly stuckAt: number | undefined
  readonly knock: number | undefined
  readonly knockLeaves: readonly number[]
  /** It has been let in, and renews next. */
  readonly renews: boolean
  /** An event has told its user of something wrong. */
  readonly alarmed: boolean
}

/** Who has copied A's state. */
export interface Thief {
  readonly at: number
  readonly epoch: Epoch
  readonly follows: boolean
  readonly cursor: number
  readonly intervals: readonly number[]
  /** Leaf nodes of A whose private keys he has. */
  readonly leaves: readonly number[]
  /** He has made a commit, or was let in, before A had renewed. */
  readonly acted: boolean
  /** The commit by which A itself renewed its leaf after the copy. */
  readonly healedAt: number | undefined
}

export interface State {
  readonly log: readonly Entry[]
  /** The entries that begin intervals, as the service keeps them. */
  readonly keys: readonly { readonly key: number; readonly seq: number; readonly removes: boolean }[]
  readonly lastCommit: number
  /** What all members of an epoch see alike. */
  readonly group: Epoch
  readonly members: Readonly<Partial<Record<Name, Member>>>
  readonly knocks: readonly Knock[]
  /** Interval secrets of the insider. */
  readonly insider: readonly number[]
  readonly thief: Thief | undefined
  /** Actions done that are limited, by name. */
  readonly done: Readonly<Record<string, number>>
  /** Something that no state may show, in words. */
  readonly broken: string | undefined
}

export const honest: readonly Name[] = ["A", "B", "C", "D"]
/** The leaf that a commit sets for its committer, that of a knock's key package, of a newcomer's. */
export const pathLeaf = (seq: number): number => 100 + seq
export const knockLeaf = (id: number): number => 200 + id
export const newcomerLeaf = (seq: number): number => 300 + seq

const firstLeaves: Tree = { A: 1, B: 2, C: 3, M: 4 }

export function initial(members: readonly Name[]): State {
  const tree = Object.fromEntries(members.map((name) => [name, firstLeaves[name]!])) as Tree
  const group: Epoch = { id: 0, parent: undefined, tree, interval: 0 }
  const member = (): Member => ({
    ...{ status: "following", cursor: 0, epoch: group, intervals: [0] },
    since: Object.fromEntries(members.map((name) => [name, 0])),
    ...{ heard: {}, visitors: [], letIn: {}, stuckAt: undefined, knock: undefined, knockLeaves: [] },
    ...{ renews: false, alarmed: false },
  })
  const insiders = members.filter((name) => name !== "M")
  return {
    ...{ log: [], keys: [{ key: 0, seq: 0, removes: false }], lastCommit: 0, group },
    members: Object.fromEntries(insiders.map((name) => [name, member()])),
    ...{ knocks: [], insider: members.includes("M") ? [0] : [], thief: undefined, done: {}, broken: undefined },
  }
}

export const membersOf = ({ members }: State): [Name, Member][] => Object.entries(members) as [Name, Member][]

export function change(s: State, name: Name, changes: Partial<Member>): State {
  return { ...s, members: { ...s.members, [name]: { ...s.members[name]!, ...changes } } }
}

export const newest = (list: readonly number[]): number | undefined => list.at(-1)

/** Whether one of the two comes from the other. */
export function areOneHistory(a: Epoch, b: Epoch): boolean {
  return comesFrom(a, b) || comesFrom(b, a)
}

function comesFrom(ancestor: Epoch, epoch: Epoch): boolean {
  for (let at: Epoch | undefined = epoch; at !== undefined; at = at.parent) if (at.id === ancestor.id) return true
  return false
}

/** The entry by which an epoch's history was invented, if it was. */
export function inventedAt(epoch: Epoch): number | undefined {
  for (let at: Epoch | undefined = epoch; at !== undefined; at = at.parent) if (at.id < 0) return -at.id
  return undefined
}

const texts = new WeakMap<object, string>()

function textOf(value: object): string {
  let text = texts.get(value)
  if (text === undefined) {
    text = JSON.stringify(value, (key, it) =>
      key === "epoch" && typeof it === "object" ? it.id : key === "parent" ? 0 : it,
    )
    texts.set(value, text)
  }
  return text
}

/** Two states with the same text are the same. Epochs are named by the log that they come from. */
export function keyOf(s: State): string {
  const { log, members, knocks, thief, insider, done, broken } = s
  const parts = [...log, ...Object.values(members), ...knocks, insider, done].map(textOf)
  if (thief !== undefined) parts.push(textOf(thief))
  if (broken !== undefined) parts.push(broken)
  parts.push(String(log.length), String(s.keys.length))
  return parts.join("|")
}
