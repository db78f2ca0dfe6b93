import { nodeProvider } from "@conclave/crypto/node"
import {
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  Group,
  type GroupOptions,
  type KeyPackageBundle,
  type Signer,
  type StagedCommit,
} from "@conclave/mls"
import { RatchetTree } from "@conclave/mls/tree"
import { contest, duration, ratio, table, timedSync } from "./contest.js"
import { floor } from "./floor.js"
import { FullTree } from "./full-tree.js"

/** Our own in large groups, against the floor: times, bytes that have to be stored, memory. */
export async function large(sizes: readonly number[], rounds: number): Promise<void> {
  const head = ["", ...sizes.map((size) => `${size} members`)]
  const columns: [string, string][][] = []
  for (const size of sizes) columns.push(await figures(size, rounds))
  const rows = columns[0]!.map(([name], i) => [name, ...columns.map((column) => column[i]![1])])
  console.log(`\nOurs, in a full tree, medians of ${rounds} rounds, of messages ${roundsOf("encrypt", rounds)}`)
  console.log(table([head, ...rows]))
  console.log(`\n${await additions(sizes)}`)
}

const suite = cipherSuite(1, nodeProvider())
const now = BigInt(Math.floor(Date.now() / 1000))

interface Person {
  readonly bundle: KeyPackageBundle
  readonly options: GroupOptions
}

function person(name: string): Person {
  const { random } = suite.provider
  const signer: Signer = {
    credential: { type: "basic", identity: new TextEncoder().encode(name) },
    key: suite.signature.generate(random),
  }
  const lifetime = { notBefore: now - 3600n, notAfter: now + 86400n * 28n }
  return { bundle: createKeyPackage({ suite, signer, lifetime }), options: { suite, signer, now: () => now } }
}

function join({ bundle, options }: Person, welcome: Uint8Array): Group {
  const staged = Group.stageJoin({ ...options, welcome, keyPackages: [bundle] })
  return staged.accept(dangerouslyAcceptAll(staged.claims))
}

const apply = (group: Group, staged: StagedCommit) => group.apply(staged, dangerouslyAcceptAll(staged.claims))

async function figures(size: number, rounds: number): Promise<[string, string][]> {
  const tree = new FullTree(suite, size)
  const calls = floor(suite, tree.leafSignatures())
  const [alice, bob] = [person("alice"), person("bob")]
  const { welcome, ratchetTree } = tree.welcome([alice.bundle.keyPackage, bob.bundle.keyPackage])
  const a = join(alice, welcome)
  const b = join(bob, welcome)
  // Bob fills what the newcomers have left blank; both have their state stored from here on.
  follow(a, b)
  a.takeChanges()
  b.takeChanges()

  const plaintext = suite.provider.random(1024)
  let [messageBytes, commitBytes] = [0, 0]
  const once = {
    join: () => timedSync(() => join(alice, welcome)),
    commit: () => {
      const start = performance.now()
      const commit = a.commit()
      const milliseconds = performance.now() - start
      apply(a, commit)
      commitBytes = written(a)
      receive(b, commit.message)
      return milliseconds
    },
    process: () => {
      const commit = b.commit()
      apply(b, commit)
      return timedSync(() => receive(a, commit.message))
    },
    encrypt: () => {
      const start = performance.now()
      const message = a.encrypt(plaintext)
      const milliseconds = performance.now() - start
      messageBytes = written(a)
      b.receive(message)
      return milliseconds
    },
    decrypt: () => {
      const message = b.encrypt(plaintext)
      return timedSync(() => a.receive(message))
    },
    "decode and encode the tree": () => timedSync(() => RatchetTree.decode(suite, ratchetTree).encode()),
  }
  const found: [string, string][] = []
  for (const [name, run] of Object.entries(once)) {
    const contestants = [{ name: "ours", once: run }]
    if (name in calls) {
      const call = calls[name as keyof typeof calls]
      contestants.push({ name: "floor", once: () => timedSync(() => call()) })
    }
    const measured = await contest(contestants, roundsOf(name, rounds))
    const own = measured.get("ours")!.median
    const least = measured.get("floor")?.median
    found.push([
      name,
      least === undefined ? duration(own) : `${duration(own)} = ${ratio(own / least)} × ${duration(least)}`,
    ])
  }
  found.push(["bytes to store for a message sent", `${messageBytes}`])
  found.push(["bytes to store for a commit sent", `${commitBytes}`])
  found.push(["memory of a group, for each leaf", memory(() => join(alice, welcome), size)])
  return found
}

/** What takes microseconds is measured more often than what takes a second. */
function roundsOf(name: string, rounds: number): number {
  if (name === "join") return Math.min(rounds, 3)
  return name === "encrypt" || name === "decrypt" ? rounds * 30 : rounds
}

/** The bytes of the records, names included, that an operation has changed. */
function written(group: Group): number {
  const changes = group.takeChanges()
  let bytes = 0
  for (const [name, record] of changes.put) bytes += name.length + record.length
  for (const name of changes.delete) bytes += name.length
  return bytes
}

function follow(group: Group, committer: Group): void {
  const commit = committer.commit()
  apply(committer, commit)
  receive(group, commit.message)
}

function receive(group: Group, message: Uint8Array): void {
  const received = group.receive(message)
  if (received.type === "commit") apply(group, received.staged)
}

/** Heap and buffers that a group holds on to. */
function memory(make: () => unknown, size: number): string {
  const { gc } = globalThis as { gc?: () => void }
  if (gc === undefined) return "run node with --expose-gc"
  const used = () => {
    for (let i = 0; i < 3; i++) gc()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  const kept = make()
  const bytes = used() - before
  return kept === undefined ? "" : `${Math.round(bytes / size)} bytes`
}

/** A group of one adds everybody else in one commit without a path. */
async function additions(sizes: readonly number[]): Promise<string> {
  const most = Math.max(...sizes)
  const people = Array.from({ length: most - 1 }, (_, i) => person(`person ${i}`))
  const found = new Map<number, number>()
  for (const size of sizes) {
    const keyPackages = people.slice(0, size - 1).map(({ bundle }) => bundle.keyPackage)
    const group = Group.create({ ...person("creator").options, groupId: suite.provider.random(32) })
    found.set(
      size,
      timedSync(() => {
        const commit = group.commit({ add: keyPackages, path: false })
        apply(group, commit)
      }),
    )
  }
  const least = Math.min(...sizes)
  const rows = sizes.map((size) => [
    `add ${size - 1} in one commit`,
    duration(found.get(size)!),
    `${ratio(found.get(size)! / found.get(least)!)} × the time for ${least - 1}`,
  ])
  return table(rows)
}
