import { nodeProvider } from "@conclave/crypto/node"
import {
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  Group,
  type GroupOptions,
  type Signer,
  type Sliced,
} from "@conclave/mls"
import { duration, median, table, timedSync } from "./contest.js"
import { FullTree } from "./full-tree.js"
import { STALL_MILLISECONDS_MAX } from "./sdk/turns.js"

/*
 * What holds up the event loop in large groups: of work in slices the longest piece between two interruptions, beside all of it;
 * of what is not interrupted all of it. Signatures of a tree are verified elsewhere in the SDK, and are not in it here.
 */

const suite = cipherSuite(1, nodeProvider())
const now = BigInt(Math.floor(Date.now() / 1000))

function person(name: string) {
  const { random } = suite.provider
  const signer: Signer = {
    credential: { type: "basic", identity: new TextEncoder().encode(name) },
    key: suite.signature.generate(random),
  }
  const lifetime = { notBefore: now - 3600n, notAfter: now + 86400n * 28n }
  const options: GroupOptions = { suite, signer, now: () => now }
  return { bundle: createKeyPackage({ suite, signer, lifetime }), options }
}

interface Spent<T> {
  readonly value: T
  readonly total: number
  readonly longest: number
}

function inPieces<T>(work: Sliced<T>): Spent<T> {
  let [total, longest] = [0, 0]
  for (;;) {
    const start = performance.now()
    const { done, value } = work.next()
    const milliseconds = performance.now() - start
    total += milliseconds
    longest = Math.max(longest, milliseconds)
    if (done === true) return { value, total, longest }
  }
}

function atOnce<T>(work: () => T): Spent<T> {
  let value: T | undefined
  const total = timedSync(() => {
    value = work()
  })
  return { value: value as T, total, longest: total }
}

/** In a full tree of `size`: joining it, keeping it and finding it again, adding 1,000, following such a commit. */
export function stalls(size: number, rounds: number): void {
  const tree = new FullTree(suite, size)
  const added = Array.from({ length: 1_000 }, (_, i) => person(`member ${i}`).bundle.keyPackage)
  const found = new Map<string, Spent<unknown>[]>()
  for (let round = 0; round < rounds; round++) {
    const note = <T>(what: string, spent: Spent<T>): T => {
      found.set(what, [...(found.get(what) ?? []), spent])
      return spent.value
    }
    const [alice, bob] = [person("alice"), person("bob")]
    const { welcome } = tree.welcome([alice.bundle.keyPackage, bob.bundle.keyPackage])
    const enter = ({ bundle, options }: typeof alice): Group => {
      const opening = Group.openWelcome({ ...options, welcome, keyPackages: [bundle] })
      const prepared = note("open a Welcome", inPieces(opening))
      const staged = note("check its tree", inPieces(prepared.stageInSlices({ signaturesVerified: true })))
      return note(
        "enter",
        atOnce(() => staged.accept(dangerouslyAcceptAll(staged.claims))),
      )
    }
    const [a, b] = [enter(alice), enter(bob)]
    note(
      "take what is to be stored",
      atOnce(() => b.takeChanges()),
    )
    const records = [...a.records()]
    note(
      "read it from the store",
      atOnce(() => Group.restore({ ...alice.options, records })),
    )
    const made = note("make a commit that adds 1,000", inPieces(a.makeCommit({ add: added })))
    const commit = note(
      "take it for one's own",
      atOnce(() => a.commitMade(made)),
    )
    const opened = note("follow it", inPieces(b.openMessage(commit.message)))
    const received = note(
      "take it in",
      atOnce(() => b.receiveOpened(opened)),
    )
    if (received.type !== "commit") throw new Error("the commit did not arrive")
    note(
      "apply it",
      atOnce(() => b.apply(received.staged, dangerouslyAcceptAll(received.staged.claims))),
    )
    note(
      "take what has changed",
      atOnce(() => b.takeChanges()),
    )
  }
  const rows = [...found].map(([what, list]) => {
    const longest = median(list.map((it) => it.longest))
    const isMet = longest <= STALL_MILLISECONDS_MAX
    return [what, duration(median(list.map((it) => it.total))), duration(longest), isMet ? "" : "missed"]
  })
  console.log(
    `\nIn a full tree of ${size}: medians of ${rounds}; no piece is to take more than ${STALL_MILLISECONDS_MAX} ms`,
  )
  console.log(table([["", "all of it", "longest piece", ""], ...rows]))
}
