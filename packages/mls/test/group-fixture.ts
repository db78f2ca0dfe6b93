import { nodeProvider } from "@conclave/crypto/node"
import {
  type CipherSuite,
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  Group,
  type GroupOptions,
  type KeyPackageBundle,
  type Received,
  type Signer,
} from "@conclave/mls"

export const provider = nodeProvider()
export const now = 1_800_000_000n

/** A person with a signature key, and whatever groups and key packages the test gives them. */
export interface Person {
  readonly name: string
  readonly signer: Signer
  readonly options: GroupOptions
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export function person(name: string, suiteNumber = 1, extra: Partial<GroupOptions> = {}): Person {
  const suite = cipherSuite(suiteNumber, provider)
  const signer: Signer = {
    credential: { type: "basic", identity: utf8(name) },
    key: suite.signature.generate(provider.random),
  }
  return { name, signer, options: { suite, signer, now: () => now, ...extra } }
}

export function keyPackageOf({ signer, options }: Person, suite: CipherSuite = options.suite): KeyPackageBundle {
  const { capabilities } = options
  return createKeyPackage({
    suite,
    signer,
    lifetime: { notBefore: now - 3600n, notAfter: now + 86400n * 30n },
    ...(capabilities === undefined ? {} : { capabilities }),
  })
}

export const create = (creator: Person, groupId = provider.random(32)): Group =>
  Group.create({ ...creator.options, groupId })

/** `group` commits the addition of `people`, applies it, and everybody in `others` follows. */
export function add(group: Group, people: readonly Person[], others: readonly Group[] = []): Group[] {
  const bundles = people.map((it) => keyPackageOf(it))
  const commit = group.commit({ add: bundles.map((it) => it.keyPackage) })
  group.apply(commit, dangerouslyAcceptAll(commit.claims))
  for (const other of others) follow(other, commit.message)
  return people.map((it, i) => join(it, bundles[i]!, commit.welcome!))
}

export function join(who: Person, bundle: KeyPackageBundle, welcome: Uint8Array, ratchetTree?: Uint8Array): Group {
  const staged = Group.stageJoin({
    ...who.options,
    welcome,
    keyPackages: [bundle],
    ...(ratchetTree === undefined ? {} : { ratchetTree }),
  })
  return staged.accept(dangerouslyAcceptAll(staged.claims))
}

/** Receives a message, and applies it if it is a commit. */
export function follow(group: Group, message: Uint8Array): Received {
  const received = group.receive(message)
  if (received.type === "commit") group.apply(received.staged, dangerouslyAcceptAll(received.staged.claims))
  return received
}

/** A group of `names.length` members, the first its creator; all agree. */
export function groupOf(names: readonly string[], suiteNumber = 1, extra: Partial<GroupOptions> = {}) {
  const people = names.map((name) => person(name, suiteNumber, extra))
  const first = create(people[0]!)
  return { people, groups: names.length === 1 ? [first] : [first, ...add(first, people.slice(1))] }
}
