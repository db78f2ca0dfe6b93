import { encode, opaque } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import {
  type CipherSuite,
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  extensionTypes,
  Group,
  type GroupOptions,
  type KeyPackageBundle,
  proposeFromOutside,
  proposeOwnAdd,
  type Signer,
} from "@conclave/mls"
import { ExternalSenders } from "../src/wire.js"
import { Insider } from "../test/rules/insider.js"
import { drawing, drawnBytes } from "./random.js"

export const now = 1_800_000_000n
const registeredProposal = 0xf001
const registeredExtension = 0xf002
const registeredCredential = 0xf003

/** Somebody of the world in which inputs are tried; nothing in it is left to chance. */
export interface Person {
  readonly name: string
  readonly signer: Signer
  readonly options: GroupOptions
}

type People = Readonly<
  Record<"alice" | "bob" | "mallory" | "carol" | "gone" | "erin" | "late" | "dave" | "frank", Person>
>

/** A group in one of the situations in which a message may find it, as one of its members has stored it. */
export interface Scene {
  readonly name: string
  /** Who receives. */
  readonly alice: Person
  readonly records: readonly (readonly [string, Uint8Array])[]
  /** A member that does not keep to the rules. */
  readonly mallory: Person
  readonly malloryRecords: readonly (readonly [string, Uint8Array])[]
  /** What Alice is sure to understand. */
  readonly greeting: Uint8Array
  readonly commit: Uint8Array
  readonly epochAuthenticator: Uint8Array
  /** What honest members have sent. */
  readonly messages: readonly Uint8Array[]
  /** References of the proposals that everybody has. */
  readonly refs: readonly Uint8Array[]
}

const provider = nodeProvider()

export const greetingText = new TextEncoder().encode("good morning")

/** People, a group that has lived for a while, and what has been said in it: the same in every run. */
export class World {
  readonly suite: CipherSuite
  readonly scenes: readonly Scene[]
  readonly alice: Person
  readonly dave: Person
  readonly frank: Person
  readonly frankBundle: KeyPackageBundle
  /** Invited, with the tree in the Welcome's GroupInfo, to a tree with and one without parent nodes. */
  readonly invitations: readonly Invitation[]
  #draw = drawing(1)

  constructor() {
    this.suite = cipherSuite(1, { ...provider, random: (length) => drawnBytes(this.#draw)(length) })
    const names = ["alice", "bob", "mallory", "carol", "gone", "erin", "late", "dave", "frank"] as const
    const people = Object.fromEntries(names.map((name) => [name, this.person(name)])) as People
    this.alice = people.alice
    this.dave = people.dave
    this.frank = people.frank
    this.frankBundle = this.keyPackage(people.frank)
    const party = this.#liveThrough(people)
    this.scenes = this.#scenesOf(party, people)
    this.invitations = this.#invite(party)
  }

  /** From here on the same numbers are drawn as after every other call with this seed. */
  reseed(seed: number): void {
    this.#draw = drawing(seed)
  }

  person(name: string): Person {
    const { suite } = this
    const signer: Signer = {
      credential: { type: "basic", identity: new TextEncoder().encode(name) },
      key: suite.signature.generate(suite.provider.random),
    }
    const options: GroupOptions = {
      suite,
      signer,
      now: () => now,
      psks: ({ psktype }) =>
        psktype.type === "external" && psktype.pskId[0] === 0x70 ? new Uint8Array(32) : undefined,
      registries: {
        ProposalType: new Map([[registeredProposal, opaque]]),
        CredentialType: new Map([[registeredCredential, opaque]]),
      },
      capabilities: {
        proposals: [registeredProposal],
        extensions: [registeredExtension],
        credentials: [1, 2, registeredCredential],
      },
    }
    return { name, signer, options }
  }

  keyPackage({ signer, options }: Person): KeyPackageBundle {
    return createKeyPackage({
      suite: this.suite,
      signer,
      lifetime: { notBefore: now - 3600n, notAfter: now + 86400n * 30n },
      ...(options.capabilities === undefined ? {} : { capabilities: options.capabilities }),
    })
  }

  restore(person: Person, records: Scene["records"]): Group {
    return Group.restore({ ...person.options, records })
  }

  /** Six members, a blank leaf, parent nodes with and without unmerged leaves. */
  #liveThrough({ alice, bob, mallory, carol, gone, erin, late }: People): Party {
    const externalSender = { signatureKey: this.dave.signer.key.publicKey, credential: this.dave.signer.credential }
    const first = Group.create({
      ...alice.options,
      groupId: this.suite.provider.random(32),
      extensions: [
        { extensionType: extensionTypes.externalSenders, extensionData: encode(ExternalSenders, [externalSender]) },
        { extensionType: registeredExtension, extensionData: Uint8Array.of(1, 2, 3) },
      ],
    })
    const group = new Party(this, [first], [alice])
    group.add(0, [bob, mallory, carol, gone, erin])
    for (const committer of [1, 2, 3, 5]) group.commit(committer, {})
    group.commit(0, { remove: [group.groups[4]!.ownLeafIndex] })
    group.leave(4)
    for (const committer of [3, 4]) group.commit(committer, {})
    group.add(1, [late], { path: false })
    return group
  }

  #scenesOf(party: Party, { alice, mallory }: People): Scene[] {
    const past = [party.groups[1]!.encrypt(greetingText), party.groups[2]!.encrypt(greetingText)]
    party.commit(1, {})
    const plain = this.#scene("plain", party.copy(), { alice, mallory, past })
    const proposed = party.copy()
    const proposals = [
      proposed.propose(1, { type: "update" }),
      proposed.propose(3, { type: "add", keyPackage: this.frankBundle.keyPackage }),
      proposed.propose(2, { type: "remove", leafIndex: proposed.groups[4]!.ownLeafIndex }),
      proposed.propose(1, { type: "externalPsk", id: Uint8Array.of(0x70, 1) }),
      proposed.propose(2, { type: "registered", number: registeredProposal, content: Uint8Array.of(2, 7, 7) }),
      proposed.propose(0, { type: "update" }),
    ]
    const pending = party.copy()
    const own = pending.groups[0]!.commit({ add: [this.frankBundle.keyPackage] })
    return [
      plain,
      this.#scene("with proposals", proposed, { alice, mallory, past, refs: proposals }),
      this.#scene("with a commit of its own on its way", pending, { alice, mallory, past: [...past, own.message] }),
    ]
  }

  #scene(
    name: string,
    party: Party,
    from: {
      readonly alice: Person
      readonly mallory: Person
      readonly past: readonly Uint8Array[]
      readonly refs?: readonly Uint8Array[]
    },
  ): Scene {
    const records = [...party.groups[0]!.records()]
    const malloryRecords = [...party.groups[2]!.records()]
    const messages = [...this.#said(party.copy(), "private"), ...this.#said(party.copy(), "public"), ...from.past]
    const bob = party.copy().groups[1]!
    // Its own proposals keep a member from sending anything else: it forgets them, and still has the keys.
    for (const { ref } of bob.proposals) bob.discardProposal(ref)
    const greeting = bob.encrypt(greetingText)
    const committer = party.copy().groups[1]!
    const commit = committer.commit()
    committer.apply(commit, dangerouslyAcceptAll(commit.claims))
    const { epochAuthenticator } = committer
    const refs = from.refs ?? []
    const { alice, mallory } = from
    return {
      name,
      alice,
      records,
      mallory,
      malloryRecords,
      greeting,
      commit: commit.message,
      epochAuthenticator,
      messages,
      refs,
    }
  }

  /** One message of every kind, by Bob unless somebody else has to send it. */
  #said(party: Party, handshake: "private" | "public"): Uint8Array[] {
    const { suite } = this
    const said: Uint8Array[] = []
    const records = [...party.groups[1]!.records()]
    const bobPerson = party.people[1]!
    const options = { ...bobPerson.options, policy: { handshake } }
    const bob = () => Group.restore({ ...options, records })
    const speaking = bob()
    for (const { ref } of speaking.proposals) speaking.discardProposal(ref)
    for (const length of [0, 5, 300])
      said.push(speaking.encrypt(suite.provider.random(length), { authenticatedData: Uint8Array.of(length & 255) }))
    said.push(bob().propose({ type: "update" }).message)
    said.push(bob().propose({ type: "add", keyPackage: this.frankBundle.keyPackage }).message)
    said.push(bob().propose({ type: "remove", leafIndex: party.groups[4]!.ownLeafIndex }).message)
    said.push(bob().propose({ type: "externalPsk", id: Uint8Array.of(0x70) }).message)
    said.push(bob().propose({ type: "resumptionPsk", groupId: speaking.id, epoch: speaking.epoch }).message)
    said.push(bob().propose({ type: "extensions", extensions: speaking.extensions }).message)
    said.push(
      bob().propose({ type: "reInit", groupId: suite.provider.random(32), cipherSuite: 1, extensions: [] }).message,
    )
    said.push(bob().propose({ type: "registered", number: registeredProposal, content: Uint8Array.of(1, 9) }).message)
    said.push(bob().commit().message)
    said.push(bob().commit({ remove: [party.groups[3]!.ownLeafIndex], externalPsks: [Uint8Array.of(0x70)] }).message)
    const newcomer = this.person("newcomer")
    const commit = bob().commit({ add: [this.keyPackage(newcomer).keyPackage] })
    said.push(commit.message, commit.welcome!, commit.groupInfo, this.frankBundle.keyPackage)
    const place = { groupId: speaking.id, epoch: speaking.epoch }
    const remove = { type: "remove" as const, removed: party.groups[3]!.ownLeafIndex }
    said.push(proposeFromOutside({ ...place, senderIndex: 0, key: this.dave.signer.key }, remove))
    said.push(proposeOwnAdd({ ...place, registries: options.registries! }, this.frankBundle, this.frank.signer.key))
    const outside = Group.stageExternalJoin({
      ...this.frank.options,
      groupInfo: speaking.groupInfo({ withExternalPub: true, withRatchetTree: true }),
    })
    said.push(outside.message)
    return said
  }

  #invite(party: Party): Invitation[] {
    const settled = party.copy()
    const fresh = new Party(
      this,
      [Group.create({ ...this.alice.options, groupId: this.suite.provider.random(32) })],
      [this.alice],
    )
    fresh.add(0, [this.person("one"), this.person("two"), this.person("three")], { path: false })
    return [settled, fresh].map((it) => this.#invitation(it))
  }

  #invitation(party: Party): Invitation {
    const guest = this.person("guest")
    const bundle = this.keyPackage(guest)
    const committer = party.groups[0]!
    const commit = committer.commit({ add: [bundle.keyPackage], externalPsks: [Uint8Array.of(0x70)] })
    committer.apply(commit, dangerouslyAcceptAll(commit.claims))
    return {
      guest,
      bundle,
      welcome: commit.welcome!,
      groupInfo: committer.groupInfo({ withExternalPub: true, withRatchetTree: true }),
      people: [...party.people, guest],
      insider: () => new Insider(party.people[0]!, committer),
    }
  }
}

export interface Invitation {
  readonly guest: Person
  readonly bundle: KeyPackageBundle
  readonly welcome: Uint8Array
  /** Of the epoch that the guest may enter; anybody else may join from outside with it. */
  readonly groupInfo: Uint8Array
  /** Whose keys sign again what was changed. */
  readonly people: readonly Person[]
  readonly insider: () => Insider
}

/** All members' views of one group. */
class Party {
  readonly groups: Group[]
  readonly people: Person[]
  readonly #world: World

  constructor(world: World, groups: readonly Group[], people: readonly Person[]) {
    this.#world = world
    this.groups = [...groups]
    this.people = [...people]
  }

  copy(): Party {
    const groups = this.groups.map((group, i) => this.#world.restore(this.people[i]!, [...group.records()]))
    return new Party(this.#world, groups, this.people)
  }

  commit(committer: number, changes: Parameters<Group["commit"]>[0]) {
    const group = this.groups[committer]!
    const commit = group.commit(changes)
    group.apply(commit, dangerouslyAcceptAll(commit.claims))
    for (const other of this.groups) {
      if (other === group) continue
      const received = other.receive(commit.message)
      if (received.type === "commit") other.apply(received.staged, dangerouslyAcceptAll(received.staged.claims))
    }
    return commit
  }

  add(committer: number, people: readonly Person[], changes: { readonly path?: boolean } = {}): void {
    const bundles = people.map((it) => this.#world.keyPackage(it))
    const commit = this.commit(committer, { add: bundles.map(({ keyPackage }) => keyPackage), ...changes })
    for (const [i, who] of people.entries()) {
      const staged = Group.stageJoin({ ...who.options, welcome: commit.welcome!, keyPackages: [bundles[i]!] })
      this.groups.push(staged.accept(dangerouslyAcceptAll(staged.claims)))
      this.people.push(who)
    }
  }

  leave(member: number): void {
    this.groups.splice(member, 1)
    this.people.splice(member, 1)
  }

  propose(proposer: number, change: Parameters<Group["propose"]>[0]): Uint8Array {
    const { message, ref } = this.groups[proposer]!.propose(change)
    for (const [i, other] of this.groups.entries()) if (i !== proposer) other.receive(message)
    return ref
  }
}
