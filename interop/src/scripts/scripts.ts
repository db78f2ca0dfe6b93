import type { ExtensionFields } from "../service/calls.js"

/**
 * The scenarios of the working group's runner, told shortly. A proposal, key package, external key or ciphertext is
 * named by the number of the step that made it.
 */
export type Step =
  | { readonly do: "createGroup"; readonly by: string; readonly members?: readonly string[] }
  | { readonly do: "keyPackage"; readonly by: string }
  | { readonly do: "storePsk"; readonly clients: readonly string[] }
  | ({ readonly do: "propose"; readonly by: string } & Proposed)
  | ({
      readonly do: "commit"
      readonly by: string
      readonly refs?: readonly number[]
      readonly values?: readonly Proposed[]
      readonly members?: readonly string[]
      readonly joiners?: readonly string[]
    } & Manner)
  | { readonly do: "protect"; readonly by: string; readonly text: string; readonly authenticated: string }
  | { readonly do: "unprotect"; readonly by: string; readonly message: number }
  | {
      readonly do: "externalJoin"
      /** Gives the GroupInfo. */
      readonly by: string
      readonly joiner: string
      readonly members?: readonly string[]
      readonly treeBeside?: boolean
      readonly replaceSelf?: boolean
      readonly psks?: readonly number[]
    }
  | { readonly do: "proposeOwnAdd"; readonly by: string; readonly joiner: string }
  | { readonly do: "addSigner"; readonly by: string; readonly signer: string }
  | { readonly do: "outsideProposal"; readonly by: string; readonly member: string; readonly change: Proposed }
  | ({
      readonly do: "reinit"
      readonly proposer?: string
      /** The step with a proposal from outside, in the place of a proposer. */
      readonly proposal?: number
      readonly committer: string
      readonly welcomer: string
      readonly members: readonly string[]
    } & Renewal &
      Manner)
  | ({
      readonly do: "branch"
      readonly by: string
      readonly members: readonly string[]
      readonly extensions?: readonly ExtensionFields[]
    } & Manner)

export type Proposed =
  | { readonly type: "add"; readonly keyPackage: number }
  | { readonly type: "update" }
  | { readonly type: "remove"; readonly member: string }
  | { readonly type: "externalPSK"; readonly psk: number }
  | { readonly type: "resumptionPSK"; readonly epoch: number }
  | { readonly type: "groupContextExtensions"; readonly extensions: readonly ExtensionFields[] }
  | ({ readonly type: "reinit" } & Renewal)

interface Renewal {
  readonly otherSuite?: boolean
  readonly otherId?: boolean
  readonly extensions?: readonly ExtensionFields[]
}

interface Manner {
  readonly path?: boolean
  readonly treeBeside?: boolean
}

/** RFC 9420 §11.1 and §12.1.8.1, both empty. */
const requiresNothing: ExtensionFields = { extensionType: 3, extensionData: new Uint8Array(3) }
const noSenders: ExtensionFields = { extensionType: 5, extensionData: new Uint8Array(1) }

const create = (...members: string[]): Step => ({ do: "createGroup", by: "alice", members })
const keyPackages = (...names: string[]): Step[] => names.map((by) => ({ do: "keyPackage", by }))
const propose = (by: string, proposed: Proposed): Step => ({ do: "propose", by, ...proposed })
const add = (keyPackage: number): Proposed => ({ type: "add", keyPackage })
const remove = (member: string): Proposed => ({ type: "remove", member })
const psk = (step: number): Proposed => ({ type: "externalPSK", psk: step })
const resumption = (epoch: number): Proposed => ({ type: "resumptionPSK", epoch })
const extensions = (...list: ExtensionFields[]): Proposed => ({ type: "groupContextExtensions", extensions: list })
const both = (): Step => ({ do: "storePsk", clients: ["alice", "bob"] })
const protect = (number: number): Step => ({
  do: "protect",
  by: "alice",
  text: `hello world ${number}`,
  authenticated: `btw${number}`,
})
const unprotect = (...messages: number[]): Step[] =>
  messages.map((message) => ({ do: "unprotect", by: "bob", message }))
const commit = (refs: number[], rest: Partial<Extract<Step, { do: "commit" }>> = {}): Step => ({
  do: "commit",
  by: "alice",
  refs,
  ...rest,
})
const addSigner = (signer = "ds"): Step => ({ do: "addSigner", by: "alice", signer })
const outside = (change: Proposed, by = "ds"): Step => ({ do: "outsideProposal", by, member: "alice", change })

const five = ["bob", "charlie", "diana", "eliza"]
const branch = (rest: Partial<Extract<Step, { do: "branch" }>> = {}): Step[] => [
  create(...five),
  { do: "branch", by: "alice", members: five, ...rest },
]
const reinit = (rest: Partial<Extract<Step, { do: "reinit" }>>): Step[] => [
  create(...five),
  {
    do: "reinit",
    proposer: "alice",
    committer: "bob",
    welcomer: "charlie",
    members: ["diana", "eliza"],
    ...rest,
  },
]
/** Bob, and two more in the epoch after; then everything at once, proposed by `by`. */
const everything = (by: string, updates: Step[]): Step[] => [
  create("bob"),
  ...keyPackages("charlie1", "charlie2"),
  propose("alice", add(1)),
  propose("alice", add(2)),
  commit([3, 4], { members: ["bob"], joiners: ["charlie1", "charlie2"] }),
  both(),
  both(),
  ...keyPackages("charlie3"),
  propose(by, add(8)),
  propose(by, remove("charlie1")),
  propose(by, extensions(requiresNothing, noSenders)),
  propose(by, psk(6)),
  propose(by, resumption(1)),
  ...updates,
  ...keyPackages("charlie4"),
  commit([9, 10, 11, 12, 13, ...updates.map((_, i) => 14 + i)], {
    values: [add(14 + updates.length), remove("charlie2"), psk(7), resumption(2)],
    members: ["bob"],
  }),
]

const twice = (path: boolean, refs: number[], at: number): Step =>
  commit(refs, { values: [psk(at)], members: ["bob"], path })

export const scripts: Readonly<Record<string, readonly Step[]>> = {
  "welcome: without a path secret": [
    create(),
    ...keyPackages("bob"),
    propose("alice", add(1)),
    commit([2], { joiners: ["bob"] }),
  ],
  "welcome: with a path secret": [
    create(),
    ...keyPackages("bob"),
    propose("alice", add(1)),
    commit([2], { joiners: ["bob"], path: true }),
  ],
  "welcome: with a pre-shared key": [
    create(),
    ...keyPackages("bob"),
    propose("alice", add(1)),
    both(),
    propose("alice", psk(3)),
    commit([2, 4], { joiners: ["bob"] }),
  ],
  "welcome: with the tree beside": [
    create(),
    ...keyPackages("bob"),
    propose("alice", add(1)),
    commit([2], { joiners: ["bob"], treeBeside: true }),
  ],

  "messages: in order": [create("bob"), protect(1), protect(2), protect(3), ...unprotect(1, 2, 3)],
  "messages: out of order": [create("bob"), protect(1), protect(2), protect(3), ...unprotect(3, 2, 1)],
  "messages: out of order across epochs": [
    create("bob"),
    protect(1),
    protect(2),
    commit([], { members: ["bob"] }),
    protect(3),
    protect(4),
    ...unprotect(5, 4, 2, 1),
  ],

  "commit: of nothing": [create("bob"), commit([], { members: ["bob"] })],
  "commit: additions": [
    create("bob"),
    ...keyPackages("charlie1", "charlie2", "charlie3"),
    propose("alice", add(1)),
    propose("bob", add(2)),
    commit([4, 5], {
      values: [add(3)],
      members: ["bob"],
      joiners: ["charlie1", "charlie2", "charlie3"],
      path: true,
    }),
    ...keyPackages("charlie4", "charlie5", "charlie6"),
    propose("alice", add(7)),
    propose("bob", add(8)),
    commit([10, 11], {
      values: [add(9)],
      members: ["bob", "charlie1", "charlie2"],
      joiners: ["charlie4", "charlie5", "charlie6"],
    }),
  ],
  "commit: removals": [
    create("bob"),
    ...keyPackages("charlie1", "charlie2", "charlie3"),
    propose("alice", add(1)),
    propose("alice", add(2)),
    propose("alice", add(3)),
    commit([4, 5, 6], { members: ["bob"], joiners: ["charlie1", "charlie2", "charlie3"] }),
    propose("alice", remove("charlie1")),
    propose("bob", remove("charlie2")),
    commit([8, 9], { values: [remove("charlie3")], members: ["bob"] }),
  ],
  "commit: an update": [create("bob"), propose("bob", { type: "update" }), commit([1], { members: ["bob"] })],
  "commit: extensions": [
    create("bob"),
    propose("alice", extensions(requiresNothing, noSenders)),
    commit([1], { members: ["bob"] }),
    propose("bob", extensions()),
    commit([3], { members: ["bob"] }),
    commit([], { values: [extensions(requiresNothing)], members: ["bob"] }),
  ],
  "commit: external keys": [
    create("bob"),
    both(),
    both(),
    both(),
    propose("alice", psk(1)),
    propose("bob", psk(2)),
    twice(true, [4, 5], 3),
    propose("alice", psk(1)),
    propose("bob", psk(2)),
    twice(false, [7, 8], 3),
  ],
  "commit: resumption keys": [
    create("bob"),
    commit([], { members: ["bob"] }),
    commit([], { members: ["bob"] }),
    propose("alice", resumption(1)),
    propose("bob", resumption(2)),
    commit([3, 4], { values: [resumption(3)], members: ["bob"], path: true }),
    propose("alice", resumption(2)),
    propose("bob", resumption(3)),
    commit([6, 7], { values: [resumption(4)], members: ["bob"], path: true }),
  ],
  "commit: everything, proposed by the committer": everything("alice", []),
  "commit: everything, proposed by another": everything("bob", [propose("bob", { type: "update" })]),

  "external join": [create(), { do: "externalJoin", by: "alice", joiner: "bob" }],
  "external join: with a pre-shared key": [
    create(),
    { do: "storePsk", clients: ["alice"] },
    { do: "externalJoin", by: "alice", joiner: "bob", psks: [1] },
  ],
  "external join: replacing an old self": [
    create(),
    { do: "externalJoin", by: "alice", joiner: "bob" },
    { do: "externalJoin", by: "alice", joiner: "bob", replaceSelf: true },
  ],
  "external join: with the tree beside": [
    create(),
    { do: "externalJoin", by: "alice", joiner: "bob", treeBeside: true },
  ],
  "external join: to more members": [
    create("bob", "charlie", "diana"),
    { do: "externalJoin", by: "diana", joiner: "ellen", members: ["alice", "bob", "charlie"] },
  ],

  "from outside: a joiner's own addition": [
    create(),
    { do: "proposeOwnAdd", by: "alice", joiner: "bob" },
    commit([1], { joiners: ["bob"] }),
  ],
  "from outside: an addition": [
    create("bob"),
    addSigner(),
    commit([1], { members: ["bob"] }),
    ...keyPackages("charlie"),
    outside(add(3)),
    commit([4], { members: ["bob"], joiners: ["charlie"] }),
  ],
  "from outside: a removal": [
    create("bob", "charlie"),
    addSigner(),
    commit([1], { members: ["bob", "charlie"] }),
    outside(remove("bob")),
    commit([3], { members: ["charlie"] }),
  ],
  "from outside: an external key": [
    create("bob", "charlie"),
    { do: "storePsk", clients: ["alice", "bob", "charlie"] },
    addSigner(),
    commit([2], { members: ["bob", "charlie"] }),
    outside(psk(1)),
    commit([4], { members: ["bob", "charlie"] }),
  ],
  "from outside: a resumption key": [
    create("bob", "charlie"),
    addSigner(),
    commit([1], { members: ["bob", "charlie"] }),
    outside(resumption(2)),
    commit([3], { members: ["bob", "charlie"] }),
  ],
  "from outside: extensions": [
    create("bob", "charlie"),
    addSigner(),
    commit([1], { members: ["bob", "charlie"] }),
    outside(extensions(requiresNothing)),
    commit([3], { members: ["bob", "charlie"] }),
  ],
  "from outside: two senders": [
    create("bob", "charlie"),
    { do: "storePsk", clients: ["alice", "bob", "charlie"] },
    { do: "storePsk", clients: ["alice", "bob", "charlie"] },
    addSigner("ds1"),
    commit([3], { members: ["bob", "charlie"] }),
    addSigner("ds2"),
    commit([5], { members: ["bob", "charlie"] }),
    outside(psk(1), "ds1"),
    outside(psk(2), "ds1"),
    commit([7, 8], { members: ["bob", "charlie"] }),
  ],
  "from outside: a reinitialisation": [
    create("bob", "charlie"),
    addSigner(),
    commit([1], { members: ["bob", "charlie"] }),
    outside({ type: "reinit", otherId: true, otherSuite: true, extensions: [requiresNothing] }),
    { do: "reinit", proposal: 3, committer: "alice", welcomer: "bob", members: ["charlie"], path: true },
  ],

  branch: branch(),
  "branch: with extensions": branch({ extensions: [requiresNothing, noSenders] }),
  "branch: with the tree beside": branch({ treeBeside: true }),
  "branch: with a path": branch({ path: true }),

  "reinitialisation: another suite": reinit({ otherSuite: true }),
  "reinitialisation: another id": reinit({ otherId: true }),
  "reinitialisation: other extensions": reinit({ extensions: [requiresNothing, noSenders] }),
  "reinitialisation: all by one": reinit({
    committer: "alice",
    welcomer: "alice",
    members: five,
    otherId: true,
  }),
  "reinitialisation: with the tree beside": reinit({ otherId: true, treeBeside: true }),
  "reinitialisation: with a path": reinit({ otherId: true, path: true }),
}

/** Everybody who acts in a script. */
export function actorsOf(script: readonly Step[]): string[] {
  const actors = new Set<string>()
  for (const step of script) {
    if ("by" in step) actors.add(step.by)
    if (step.do === "createGroup") for (const member of step.members ?? []) actors.add(member)
    if (step.do === "externalJoin" || step.do === "proposeOwnAdd") actors.add(step.joiner)
    if (step.do === "addSigner") actors.add(step.signer)
  }
  return [...actors]
}
