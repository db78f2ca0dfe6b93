import { decode, encode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import {
  type Capabilities,
  type CipherSuite,
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  type Extension,
  Group,
  type GroupOptions,
  type KeyPackage,
  type KeyPackageBundle,
  leafIndex,
  MLSMessage,
  type Proposal,
  type ReceiveOptions,
  type Signer,
} from "@conclave/mls"
import { ExternalSenders, RequiredCapabilities } from "../src/wire.js"
import { encodeNodes, ForgedGroup, forgeKeyPackage } from "../test/rules/forged-group.js"
import { Insider } from "../test/rules/insider.js"
import { withCapabilities } from "../test/rules/leaves.js"

/*
 * The worst messages of at most 1 MiB that we know of, one of each kind, by a member who keeps to no rule: for measuring
 * how long whoever receives them is blocked. Loaded by `npm run bench -- --hostile`.
 */

/** One kind of message and what it does to an honest member. */
export interface Hostile {
  readonly name: string
  /** Bytes of the largest message. */
  readonly size: number
  /** Signatures that cannot be left unverified. */
  readonly signatures: number
  /** Blocks: what is measured. Runs once for each scene that `prepare` has made. */
  readonly prepare: () => () => unknown
  /** The decoding that no receiver is spared. */
  readonly decode: () => unknown
}

/** What became of it: the rule that it breaks, the name of another error, or that it was taken. */
export function outcome(result: unknown): string {
  if (!(result instanceof Error)) return "taken"
  const { rule, code, name } = result as Error & { rule?: string; code?: string }
  return rule ?? code ?? name
}

const SIZE_MAX = 2 ** 20
const provider = nodeProvider()
const suite: CipherSuite = cipherSuite(1, provider)
const now = 1_800_000_000n
const utf8 = (text: string) => new TextEncoder().encode(text)
const random = (length: number) => new Uint8Array(provider.random(length))
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

interface Person {
  readonly name: string
  readonly signer: Signer
  readonly options: GroupOptions
}

function person(name: string): Person {
  const credential = { type: "basic", identity: utf8(name) } as const
  const signer = { credential, key: suite.signature.generate(provider.random) }
  const psks = () => utf8("a secret that everybody knows")
  return { name, signer, options: { suite, signer, now: () => now, policy: { grease: false }, psks } }
}

const keyPackageOf = ({ signer }: Person) =>
  createKeyPackage({ suite, signer, lifetime: { notBefore: now - 3600n, notAfter: now + 86400n }, grease: false })

/** A group of `size` in which nobody but its creator has committed: Alice and Mallory are members. */
class Village {
  readonly alice: Person
  readonly #records: ReadonlyMap<string, Uint8Array>
  /** Of Mallory when the group began. */
  readonly mallorysRecords: ReadonlyMap<string, Uint8Array>
  readonly mallory: Insider

  constructor(size: number) {
    const [creator, alice, mallory] = ["creator", "alice", "mallory"].map(person) as [Person, Person, Person]
    const bundles = [alice, mallory].map(keyPackageOf)
    const others = range(size - 3).map((i) => keyPackageOf(person(`${i}`)).keyPackage)
    const group = Group.create({ ...creator.options, groupId: random(32) })
    const add = [...bundles.map((it) => it.keyPackage), ...others]
    const { welcome } = group.commit({ add, path: false })
    const [alices, mallorys] = [alice, mallory].map((who, i) => {
      const staged = Group.stageJoin({ ...who.options, welcome: welcome!, keyPackages: [bundles[i]!] })
      return staged.accept(dangerouslyAcceptAll(staged.claims))
    }) as [Group, Group]
    this.alice = alice
    this.#records = new Map(alices.records())
    this.mallorysRecords = new Map(mallorys.records())
    this.mallory = new Insider(mallory, mallorys)
  }

  /** Alice as she was when the group began. */
  fresh(): Group {
    const group = Group.restore({ ...this.alice.options, records: this.#records })
    // Her tree is read and her index made, as in every group that has been used.
    group.hasSignatureKey(random(32))
    return group
  }

  /** Alice receives it: what it breaks does not matter, only how long that takes. */
  received(name: string, message: Uint8Array, signatures = 1): Hostile {
    return {
      name,
      size: message.length,
      signatures,
      prepare: () => {
        const alice = this.fresh()
        return () => swallow(() => alice.receive(message))
      },
      decode: () => swallow(() => decode(MLSMessage, message)),
    }
  }
}

function swallow(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}

/** As many as fit into a message, given the bytes of one. */
const fitting = (size: number) => Math.floor((SIZE_MAX - 200_000) / size)
const remove = (removed: number): Proposal => ({ type: "remove", removed: leafIndex(removed) })
const psk = (name: string): Proposal => {
  return { type: "psk", psk: { psktype: { type: "external", pskId: utf8(name) }, pskNonce: random(32) } }
}
const setsExtensions = (extensions: readonly Extension[]): Proposal => ({ type: "groupContextExtensions", extensions })

/** Messages and commits of a group of `size`. */
export function hostileMessages(size: number): Hostile[] {
  const village = new Village(size)
  const { mallory } = village
  const commit = (name: string, forgery: Parameters<Insider["commit"]>[0], signatures = 2) =>
    village.received(
      `commit: ${name}`,
      mallory.commit({ wireFormat: "mlsPublicMessage", ...forgery }).message,
      signatures,
    )
  const many = fitting(2)
  const list = range(many)
  const repeated = Array<number>(many).fill(1)
  const required: Extension = {
    extensionType: 3,
    extensionData: encode(RequiredCapabilities, { extensionTypes: repeated, proposalTypes: [], credentialTypes: [] }),
  }
  const external = { signatureKey: person("x").signer.key.publicKey, credential: person("x").signer.credential }
  const senders: Extension = {
    extensionType: 5,
    extensionData: encode(ExternalSenders, Array(fitting(45)).fill(external)),
  }
  const newcomers: Proposal[] = range(fitting(290)).map((i) => ({
    type: "add",
    keyPackage: forgedKeyPackage(`new ${i}`),
  }))
  const widest = range(200).map((i) => 0xf000 + i)
  const wide: Proposal[] = range(fitting(700)).map((i) => {
    return { type: "add", keyPackage: forgedKeyPackage(`wide ${i}`, { extensions: widest }) }
  })
  return [
    commit("nothing but a path, in a cold tree", {}),
    commit("a leaf with as many capabilities", {
      leaf: withCapabilities({ extensions: list.map((i) => 0x1000 + (i % 0xe000)) }),
    }),
    commit("a leaf with one capability as often", { leaf: withCapabilities({ extensions: Array(many).fill(0xf000) }) }),
    commit("a leaf with as many extensions", {
      leaf: (it) => ({ ...it, extensions: range(fitting(3)).map((i) => extension(i % 0x10000)) }),
    }),
    commit("group extensions, as many", {
      proposals: [setsExtensions(range(fitting(3)).map((i) => extension(i % 0x10000)))],
    }),
    commit("required capabilities, as many", { proposals: [setsExtensions([required])] }),
    commit("external senders, as many", { proposals: [setsExtensions([senders])] }),
    commit("removals, as many, of nobody", { proposals: range(fitting(7)).map((i) => remove(i + size)) }),
    commit("everybody else is removed", { proposals: range(size - 3).map((i) => remove(i + 3)) }),
    commit("pre-shared keys, as many", { proposals: range(fitting(50)).map((i) => psk(`${i}`)) }),
    commit("256 pre-shared keys", { proposals: range(256).map((i) => psk(`${i}`)) }),
    commit("references to nothing, as many", {
      proposals: range(fitting(34)).map(() => {
        return {
          proposal: remove(0),
          sender: { type: "member", leafIndex: mallory.leafIndex },
          ref: random(32),
        } as const
      }),
    }),
    commit("references of no bytes, as many", {
      proposals: range(0x8000).map(() => {
        return {
          proposal: remove(0),
          sender: { type: "member", leafIndex: mallory.leafIndex },
          ref: random(0),
        } as const
      }),
    }),
    commit("newcomers, as many", { proposals: newcomers }, 2 + 2 * newcomers.length),
    // What the profile of the SDK's conversations allows (`proposalsMax`).
    commit("2,000 newcomers", { proposals: newcomers.slice(0, 2000) }, 2 + 2 * 2000),
    commit("newcomers of 200 capabilities, as many", { proposals: wide }, 2 + 2 * wide.length),
    commit("a path of the shortest ciphertexts, as many", {
      nodes: ([first, ...rest]) => [
        { ...first!, encryptedPathSecret: Array(fitting(50)).fill({ kemOutput: random(32), ciphertext: random(16) }) },
        ...rest,
      ],
    }),
    commit("a path of nodes, as many", {
      nodes: ([first]) => Array(fitting(34)).fill({ ...first!, encryptedPathSecret: [] }),
    }),
    village.received(
      "proposal: a newcomer of as many capabilities",
      mallory.propose({
        type: "add",
        keyPackage: forgedKeyPackage("wide", { extensions: list.map((i) => i % 0x10000) }),
      }),
    ),
    village.received("application data", mallory.send(data(SIZE_MAX - 1000), { wireFormat: "mlsPrivateMessage" })),
    jump(village, 1000),
    ...committing(village),
  ]
}

const extension = (extensionType: number): Extension => ({ extensionType, extensionData: new Uint8Array(0) })
const data = (size: number) => ({ type: "application", applicationData: new Uint8Array(size) }) as const

function forgedKeyPackage(name: string, capabilities: Partial<Capabilities> = {}): KeyPackage {
  return forgeKeyPackage(person(name), { leaf: withCapabilities(capabilities) }).keyPackage
}

/** An authentic message that skips many. */
function jump(village: Village, distance: number): Hostile {
  const sender = new Insider(village.mallory.person, { records: () => village.mallorysRecords })
  // The next one is that far ahead of the last that was received, which is none.
  for (let i = 1; i < distance; i++) sender.state.secretTree.next(sender.leafIndex, "application")
  return village.received(
    `application data, ${distance} ahead`,
    sender.send(data(100), { wireFormat: "mlsPrivateMessage" }),
  )
}

/** What a member has to get past who wants to commit. */
function committing(village: Village): Hostile[] {
  const { mallory } = village
  const { encryptionKey } = mallory.epoch.tree.leaf(mallory.leafIndex)!
  const taken = (i: number): Proposal => {
    const { keyPackage } = forgeKeyPackage(person(`taken ${i}`), { leaf: (it) => ({ ...it, encryptionKey }) })
    return { type: "add", keyPackage }
  }
  const kinds: Readonly<Record<string, (i: number) => Proposal>> = {
    "256 proposals of a pre-shared key that nobody has": (i) => psk(`unknown ${i}`),
    "256 newcomers with a member's encryption key": taken,
  }
  return Object.entries(kinds).map(([name, proposal]): Hostile => {
    const messages = range(256).map((i) => mallory.propose(proposal(i)))
    return {
      name: `committing: ${name}`,
      size: messages[0]!.length,
      signatures: 0,
      prepare: () => {
        const records = new Map(village.fresh().records())
        const alice = Group.restore({ ...village.alice.options, records, psks: () => undefined })
        for (const message of messages) alice.receive(message)
        return () => alice.commit()
      },
      decode: () => undefined,
    }
  })
}

/** Trees and Welcomes for somebody who joins. */
export function hostileTrees(members: number): Hostile[] {
  const size = 2 ** Math.ceil(Math.log2(members))
  const joined = (name: string, { group, eve }: Invitation, ratchetTree?: Uint8Array): Hostile => {
    const forgery = ratchetTree === undefined ? {} : { ratchetTree }
    const welcome = group.welcome(eve.bundle, eve.index, forgery)
    return {
      name: `joining: ${name}`,
      size: welcome.length,
      signatures: ratchetTree === undefined ? group.tree.census.members + 1 : 1,
      prepare: () => () => swallow(() => Group.stageJoin({ ...eve.who.options, welcome, keyPackages: [eve.bundle] })),
      decode: () => swallow(() => decode(MLSMessage, welcome)),
    }
  }
  const pair = invitation(2)
  const nodes = pair.group.nodes()
  const blanks = (leaves: number) => encodeNodes([nodes[0], ...Array(2 * leaves - 3).fill(undefined), nodes[2]])
  return [
    joined("two members among 523,288 leaves", pair, blanks(2 ** 19 - 1000)),
    joined("two members among 32,768 leaves", pair, blanks(2 ** 15)),
    joined("4,000 members", invitation(4000)),
    joined(
      "1,200 members of 256 capabilities",
      invitation(
        1200,
        range(256).map((i) => 0xf000 + i),
      ),
    ),
    joined(`${size} members, every other one unmerged at every level`, unmerged(invitation(size))),
    welcomeOfStrangers(pair.eve.who),
  ]
}

interface Invitation {
  readonly group: ForgedGroup
  readonly eve: { readonly index: number; readonly who: Person; readonly bundle: KeyPackageBundle }
}

/** Eve is invited to a group without parent nodes, in which she has the last leaf. */
function invitation(size: number, extensions: readonly number[] = []): Invitation {
  const who = person("eve")
  const eve = { index: size - 1, who, bundle: keyPackageOf(who) }
  const names = range(size).map((i) => `${i}`)
  return { group: new ForgedGroup(names, { joiner: eve, leaf: withCapabilities({ extensions }) }), eve }
}

/** Every parent node was set by the first leaf below it, and every other leaf has been added since. */
function unmerged({ group, eve }: Invitation): Invitation {
  const size = group.people.length
  for (let step = 2; step < size; step *= 2) {
    for (let first = step; first < size; first += 2 * step) {
      group.commitAs(first, { unmerged: listsAbove(first, size) })
    }
  }
  return { group: group.commitAs(0, { unmerged: listsAbove(0, size) }), eve }
}

/** Of each parent above a leaf, the leaves below it that have never committed: every other one. */
function listsAbove(own: number, size: number): Map<number, number[]> {
  const lists = new Map<number, number[]>()
  for (let width = 2; width <= size; width *= 2) {
    const first = Math.floor(own / width) * width
    const others = range(width).map((i) => first + i)
    lists.set(
      2 * first + width - 1,
      others.filter((leaf) => leaf % 2 === 1),
    )
  }
  return lists
}

/** A Welcome for as many others as fit. */
function welcomeOfStrangers(eve: Person): Hostile {
  const keyPackages = range(100).map(() => keyPackageOf(eve))
  const secret = { newMember: random(32), encryptedGroupSecrets: { kemOutput: random(32), ciphertext: random(16) } }
  const welcome = { cipherSuite: 1, secrets: Array(fitting(83)).fill(secret), encryptedGroupInfo: random(10) }
  const message = encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsWelcome", welcome } })
  return {
    name: "joining: a Welcome for as many others",
    size: message.length,
    signatures: 0,
    prepare: () => () => swallow(() => Group.stageJoin({ ...eve.options, welcome: message, keyPackages })),
    decode: () => swallow(() => decode(MLSMessage, message)),
  }
}

/** What anybody in the group can write without a signature: `next` gives another one each time. */
export interface Forgery {
  readonly name: string
  readonly receive: (message: Uint8Array) => unknown
  readonly decode: (message: Uint8Array) => unknown
  readonly next: () => Uint8Array
}

export function forgeries(size: number): Forgery[] {
  const village = new Village(size)
  const { mallory } = village
  const claimed = (name: string, next: () => Uint8Array, known: ReceiveOptions = {}): Forgery => {
    const alice = village.fresh()
    return {
      name,
      receive: (message) => swallow(() => alice.receive(message, known)),
      decode: (message) => decode(MLSMessage, message),
      next,
    }
  }
  let at = 3
  const other = () => leafIndex(3 + (at++ % (size - 3)))
  const someone = leafIndex(5)
  const inLog = { skippedMax: 128 }
  const spoilt = { signature: (right: Uint8Array) => right.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) }
  return [
    claimed("application data by somebody, next", () => mallory.claim(someone, 0)),
    // What the SDK takes of it, which knows how much of the log it has not seen; and what the library takes by itself.
    claimed("application data by anybody, 128 ahead in a log", () => mallory.claim(other(), 128), inLog),
    claimed("application data by anybody, 1,000 ahead in a log", () => mallory.claim(other(), 1000), inLog),
    claimed("application data by somebody, 1,000 ahead", () => mallory.claim(someone, 1000)),
    claimed("application data by anybody, 1,000 ahead", () => mallory.claim(other(), 1000)),
    claimed("application data by ourselves, 1,000 ahead", () => mallory.claim(leafIndex(1), 1000)),
    claimed("a commit by anybody, 128 ahead", () => mallory.claim(other(), 128, "commit")),
    claimed("a commit in the clear, wrongly signed", () => mallory.commit(spoilt).message),
    claimed("a proposal in the clear, wrongly signed", () => mallory.propose(remove(4), spoilt)),
  ]
}

/** Verifies signatures of many keys, one at each call: what most of the time of honest messages goes into. */
export function oneSignature(): () => unknown {
  const message = random(300)
  const signed = range(200).map((i) => {
    const { key } = person(`signer ${i}`).signer
    return { publicKey: key.publicKey, signature: key.sign(message) }
  })
  let at = 0
  return () => {
    const { publicKey, signature } = signed[at++ % signed.length]!
    return suite.signature.verify(publicKey, message, signature)
  }
}
