import { decode, encode } from "@conclave/codec"
import type { CryptoProvider } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import {
  type CipherSuite,
  cipherSuite,
  cipherSuiteNumbers,
  createKeyPackage,
  dangerouslyAcceptAll,
  decodeGroupInfo,
  decodeKeyPackage,
  Group,
  type GroupChange,
  type GroupChanges,
  type GroupOptions,
  type KeyPackageBundle,
  leafIndex,
  type PreSharedKeyID,
  type Proposal,
  proposeFromOutside,
  proposeOwnAdd,
  type ReInit,
  type Signer,
} from "@conclave/mls"
import { ExternalSender, ExternalSenders } from "@conclave/mls/wire"
import type {
  Change,
  ClientOptions,
  CommitOptions,
  Continuation,
  ExternalWay,
  Neighbour,
  NeighbourClient,
  NeighbourExtension,
  NeighbourGroup,
  NeighbourReceived,
  NewCommit,
  NewGroup,
  OutsideChange,
  PrivateKeys,
} from "./neighbour.js"

/** Conclave itself, with Node's provider or another. */
export function conclave(provider: CryptoProvider = nodeProvider()): Neighbour {
  return {
    name: "conclave",
    version: "0.1.0",
    suites: cipherSuiteNumbers.filter((number) => isSupported(number, provider)),
    client: async (identity, suite, options) => new OwnClient(identity, cipherSuite(suite, provider), options ?? {}),
  }
}

function isSupported(number: number, provider: CryptoProvider): boolean {
  try {
    return cipherSuite(number, provider).number === number
  } catch {
    return false
  }
}

class OwnClient implements NeighbourClient {
  readonly identity: string
  readonly signer: Signer
  readonly #options: GroupOptions
  handshake: "private" | "public"
  readonly #keyPackages: KeyPackageBundle[] = []
  readonly #psks = new Map<string, Uint8Array>()

  constructor(identity: string, suite: CipherSuite, { handshake = "private" }: ClientOptions) {
    this.identity = identity
    this.signer = {
      credential: { type: "basic", identity: utf8.encode(identity) },
      key: suite.signature.generate(suite.provider.random),
    }
    this.handshake = handshake
    this.#options = {
      suite,
      signer: this.signer,
      now,
      psks: ({ psktype }) => (psktype.type === "external" ? this.#psks.get(hex(psktype.pskId)) : undefined),
    }
  }

  get options(): GroupOptions {
    const { handshake } = this
    return {
      ...this.#options,
      policy: { handshake, resumptionSecretsMax: 16, lifetimeSecondsMax, unlistedSuiteAllowed: true },
    }
  }

  get suite(): number {
    return this.options.suite.number
  }

  async keyPackage(like?: Uint8Array): Promise<Uint8Array> {
    const bundle = this.#newKeyPackage(like)
    return bundle.keyPackage
  }

  #newKeyPackage(like?: Uint8Array): KeyPackageBundle {
    const { suite } = this.options
    const leaf = like && decodeKeyPackage(like).leafNode
    const source = leaf?.leafNodeSource
    const lifetime = source?.type === "keyPackage" ? source.lifetime : monthFrom(now())
    const bundle = createKeyPackage({
      suite,
      signer: this.signer,
      lifetime,
      ...(leaf && { capabilities: leaf.capabilities, grease: false }),
    })
    this.#keyPackages.push(bundle)
    return bundle
  }

  privateKeys(): PrivateKeys {
    const bundle = this.#keyPackages.at(-1) ?? this.#newKeyPackage()
    return {
      init: bundle.initPrivateKey,
      encryption: bundle.encryptionPrivateKey,
      signature: this.signer.key.exportPrivateKey(),
    }
  }

  storePsk(id: Uint8Array, secret: Uint8Array): void {
    this.#psks.set(hex(id), secret)
  }

  async create(groupId: Uint8Array, extensions: readonly NeighbourExtension[] = []): Promise<OwnGroup> {
    return new OwnGroup(Group.create({ ...this.options, groupId, extensions }))
  }

  async join(welcome: Uint8Array, ratchetTree?: Uint8Array): Promise<OwnGroup> {
    return this.#join(welcome, ratchetTree)
  }

  #join(welcome: Uint8Array, ratchetTree?: Uint8Array, otherGroups: readonly Group[] = []): OwnGroup {
    const staged = Group.stageJoin({
      ...this.options,
      welcome,
      keyPackages: this.#keyPackages,
      otherGroups,
      ...(ratchetTree && { ratchetTree }),
    })
    return new OwnGroup(staged.accept(dangerouslyAcceptAll(staged.claims)))
  }

  async joinExternally({ groupInfo, ratchetTree, replaceSelf = false, psks = [] }: ExternalWay) {
    const pskNonce = () => this.options.suite.provider.random(this.options.suite.secretSize)
    const withPsks = psks.map(
      (pskId): PreSharedKeyID => ({ psktype: { type: "external", pskId }, pskNonce: pskNonce() }),
    )
    const staged = Group.stageExternalJoin({
      ...this.options,
      groupInfo,
      replaceSelf,
      withPsks,
      ...(ratchetTree && { ratchetTree }),
    })
    return { commit: staged.message, group: new OwnGroup(staged.accept(dangerouslyAcceptAll(staged.claims))) }
  }

  async proposeOwnAdd(groupInfo: Uint8Array): Promise<Uint8Array> {
    const { groupId, epoch } = decodeGroupInfo(groupInfo).groupContext
    return proposeOwnAdd({ groupId, epoch }, this.#keyPackages.at(-1) ?? this.#newKeyPackage(), this.signer.key)
  }

  async continueGroup(parent: NeighbourGroup, wanted: Continuation): Promise<NewGroup> {
    const { kind, groupId, extensions, keyPackages } = wanted
    const group = new OwnGroup(
      Group.create({ ...this.options, groupId, extensions, continues: { group: ownGroup(parent), as: kind } }),
    )
    const { welcome, ratchetTree } = await group.commit(
      keyPackages.map((keyPackage) => ({ type: "add", keyPackage })),
      wanted,
    )
    await group.applyPending()
    return { group, welcome, ratchetTree }
  }

  async joinContinuation(
    parent: NeighbourGroup,
    _kind: Continuation["kind"],
    welcome: Uint8Array,
    ratchetTree?: Uint8Array,
  ): Promise<OwnGroup> {
    return this.#join(welcome, ratchetTree, [ownGroup(parent)])
  }

  externalSender(): Uint8Array {
    const { credential, key } = this.signer
    return encode(ExternalSender, { signatureKey: key.publicKey, credential })
  }

  async proposeFromOutside(groupInfo: Uint8Array, change: OutsideChange): Promise<Uint8Array> {
    const { groupContext } = decodeGroupInfo(groupInfo)
    const { groupId, epoch, extensions } = groupContext
    const listed = extensions.find(({ extensionType }) => extensionType === 5)
    const senders = listed ? decode(ExternalSenders, listed.extensionData) : []
    const senderIndex = senders.findIndex(({ signatureKey }) => hex(signatureKey) === hex(this.signer.key.publicKey))
    if (senderIndex < 0) throw new Error("the group does not list this sender")
    const target = { groupId, epoch, senderIndex, key: this.signer.key }
    return proposeFromOutside(target, this.#outsideProposal(change, groupId))
  }

  #outsideProposal(change: OutsideChange, pskGroupId: Uint8Array): Proposal {
    const { suite } = this.options
    const pskNonce = suite.provider.random(suite.secretSize)
    switch (change.type) {
      case "add":
        return { type: "add", keyPackage: decodeKeyPackage(change.keyPackage) }
      case "remove":
        return { type: "remove", removed: leafIndex(change.leafIndex) }
      case "externalPsk":
        return { type: "psk", psk: { psktype: { type: "external", pskId: change.id }, pskNonce } }
      case "resumptionPsk": {
        const psktype = { type: "resumption", usage: "application", pskGroupId, pskEpoch: change.epoch } as const
        return { type: "psk", psk: { psktype, pskNonce } }
      }
      case "extensions":
        return { type: "groupContextExtensions", extensions: change.extensions }
      case "reInit": {
        const { groupId, suite: cipherSuite, extensions } = change
        return { type: "reinit", groupId, version: 1, cipherSuite, extensions }
      }
    }
  }
}

class OwnGroup implements NeighbourGroup {
  readonly group: Group
  #reInit: ReInit | undefined

  constructor(group: Group) {
    this.group = group
  }

  get id(): Uint8Array {
    return this.group.id
  }

  get epoch(): bigint {
    return this.group.epoch
  }

  get extensions(): readonly NeighbourExtension[] {
    return this.group.extensions
  }

  get reInit() {
    if (this.#reInit === undefined) return undefined
    const { groupId, cipherSuite: suite, extensions } = this.#reInit
    return { groupId, suite, extensions }
  }

  members() {
    return this.group.members.map(({ leafIndex: index, credential }) => ({
      leafIndex: index,
      identity: credential.type === "basic" ? new TextDecoder().decode(credential.identity) : credential.type,
    }))
  }

  async authenticator(): Promise<Uint8Array> {
    return this.group.epochAuthenticator
  }

  async exportSecret(label: string, context: Uint8Array, length: number): Promise<Uint8Array> {
    return this.group.exportSecret(label, context, length)
  }

  async encrypt(plaintext: Uint8Array, authenticatedData?: Uint8Array): Promise<Uint8Array> {
    return this.group.encrypt(plaintext, authenticatedData && { authenticatedData })
  }

  async propose(change: Change): Promise<Uint8Array> {
    return this.group.propose(this.#change(change)).message
  }

  async commit(changes: readonly Change[], options: CommitOptions = {}): Promise<NewCommit> {
    const { forcePath = true, treeBeside = false } = options
    const outgoing = this.group.commit({ ...this.#changes(changes), path: forcePath, welcomeWithTree: !treeBeside })
    return {
      commit: outgoing.message,
      welcome: outgoing.welcome,
      ratchetTree: treeBeside ? outgoing.ratchetTree() : undefined,
    }
  }

  async applyPending(): Promise<void> {
    this.#apply(this.group.pending!)
  }

  discardPending(): void {
    this.group.discardPending()
  }

  async receive(message: Uint8Array): Promise<NeighbourReceived> {
    const received = this.group.receive(message)
    if (received.type === "commit") this.#apply(received.staged)
    return received
  }

  async groupInfo(treeBeside: boolean) {
    return {
      groupInfo: this.group.groupInfo({ withExternalPub: true, withRatchetTree: !treeBeside }),
      ...(treeBeside && { ratchetTree: this.group.ratchetTree() }),
    }
  }

  #apply(staged: Parameters<Group["apply"]>[0]): void {
    this.group.apply(staged, dangerouslyAcceptAll(staged.claims))
    this.#reInit = staged.reInit
  }

  #change(change: Change): GroupChange {
    switch (change.type) {
      case "remove":
        return { type: "remove", leafIndex: leafIndex(change.leafIndex) }
      case "resumptionPsk":
        return { ...change, groupId: this.group.id }
      case "reInit":
        return { type: "reInit", groupId: change.groupId, cipherSuite: change.suite, extensions: change.extensions }
      default:
        return change
    }
  }

  #changes(changes: readonly Change[]): GroupChanges {
    const of = <T extends Change["type"]>(type: T) =>
      changes.filter((change): change is Extract<Change, { type: T }> => change.type === type)
    const [extensions, reInit] = [of("extensions")[0], of("reInit")[0]]
    return {
      add: of("add").map(({ keyPackage }) => keyPackage),
      remove: of("remove").map((change) => leafIndex(change.leafIndex)),
      externalPsks: of("externalPsk").map(({ id }) => id),
      resumptionPsks: of("resumptionPsk").map(({ epoch }) => ({ groupId: this.group.id, epoch })),
      ...(extensions && { extensions: extensions.extensions }),
      ...(reInit && {
        reInit: { groupId: reInit.groupId, cipherSuite: reInit.suite, extensions: reInit.extensions },
      }),
    }
  }
}

function ownGroup(group: NeighbourGroup): Group {
  if (group instanceof OwnGroup) return group.group
  throw new TypeError("a group of another implementation")
}

/** Whom the group's runner brings together make leaf nodes that never expire, and some leave the suite out of them. */
const lifetimeSecondsMax = 2n ** 64n
const utf8 = new TextEncoder()
const now = () => BigInt(Math.floor(Date.now() / 1000))
const monthFrom = (start: bigint) => ({ notBefore: start - 3600n, notAfter: start + 28n * 86400n })
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
