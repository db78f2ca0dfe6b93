import {
  branchGroup,
  bytesToBase64,
  type CiphersuiteImpl,
  type CiphersuiteName,
  type ClientState,
  ciphersuites,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  decodeMlsMessage,
  defaultCapabilities,
  defaultExtensionTypes,
  type Extension,
  encodeExternalSender,
  encodeMlsMessage,
  type GroupInfo,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  joinGroupExternal,
  joinGroupFromBranch,
  joinGroupFromReinit,
  type KeyPackage,
  type MLSMessage,
  makePskIndex,
  mlsExporter,
  type PrivateKeyPackage,
  type Proposal,
  processPrivateMessage,
  processPublicMessage,
  proposeAddExternal,
  proposeExternal,
  type RatchetTree,
  reinitCreateNewGroup,
} from "ts-mls"
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js"
import {
  type Change,
  type ClientOptions,
  type CommitOptions,
  type Continuation,
  type ExternalWay,
  type Neighbour,
  type NeighbourClient,
  type NeighbourExtension,
  type NeighbourGroup,
  type NeighbourReceived,
  type NewCommit,
  type NewGroup,
  type OutsideChange,
  type PrivateKeys,
  Unable,
} from "./neighbour.js"
import { uncompressed } from "./points.js"

/** ts-mls 1.x with its default provider: WebCrypto, and noble where WebCrypto lacks something. */
export const tsMls: Neighbour = {
  name: "ts-mls",
  version: "1.6.4",
  suites: [1, 2, 3, 4, 5, 6, 7],
  async client(identity, suite, options = {}) {
    const impl = await getCiphersuiteImpl(getCiphersuiteFromName(suiteName(suite)))
    return new TsMlsClient(identity, impl, uncompressed(suite, await impl.signature.keygen()), options)
  },
}

interface Bundle {
  readonly publicPackage: KeyPackage
  readonly privatePackage: PrivateKeyPackage
}

class TsMlsClient implements NeighbourClient {
  readonly identity: string
  readonly impl: CiphersuiteImpl
  handshake: "private" | "public"
  readonly psks: Record<string, Uint8Array> = {}
  readonly #signatureKeyPair: { signKey: Uint8Array; publicKey: Uint8Array }
  readonly #bundles: Bundle[] = []

  constructor(
    identity: string,
    impl: CiphersuiteImpl,
    signatureKeyPair: { signKey: Uint8Array; publicKey: Uint8Array },
    { handshake = "private" }: ClientOptions,
  ) {
    this.identity = identity
    this.impl = impl
    this.handshake = handshake
    this.#signatureKeyPair = signatureKeyPair
  }

  get suite(): number {
    return ciphersuites[this.impl.name]
  }

  async keyPackage(): Promise<Uint8Array> {
    const { publicPackage } = await this.#newBundle()
    return encodeMlsMessage({ version: "mls10", wireformat: "mls_key_package", keyPackage: publicPackage })
  }

  async #newBundle(): Promise<Bundle> {
    const capabilities = defaultCapabilities()
    const bundle = await generateKeyPackageWithKey(
      this.#credential,
      capabilities,
      monthFromNow(),
      [],
      this.#signatureKeyPair,
      this.impl,
    )
    this.#bundles.push(bundle)
    return bundle
  }

  get #credential() {
    return { credentialType: "basic" as const, identity: utf8.encode(this.identity) }
  }

  privateKeys(): PrivateKeys {
    const { initPrivateKey, hpkePrivateKey, signaturePrivateKey } = this.#bundles.at(-1)!.privatePackage
    return { init: initPrivateKey, encryption: hpkePrivateKey, signature: signaturePrivateKey }
  }

  storePsk(id: Uint8Array, secret: Uint8Array): void {
    this.psks[bytesToBase64(id)] = secret
  }

  async create(groupId: Uint8Array, extensions: readonly NeighbourExtension[] = []): Promise<TsMlsGroup> {
    const { publicPackage, privatePackage } = await this.#newBundle()
    const state = await createGroup(groupId, publicPackage, privatePackage, extensions.map(named), this.impl)
    return new TsMlsGroup(this, state)
  }

  async join(welcome: Uint8Array, ratchetTree?: Uint8Array): Promise<TsMlsGroup> {
    return this.#withBundle(welcome, ({ message, publicPackage, privatePackage }) =>
      joinGroup(
        message,
        publicPackage,
        privatePackage,
        makePskIndex(undefined, this.psks),
        this.impl,
        treeOf(ratchetTree),
      ),
    )
  }

  /** Tries the key packages from the newest on: the one that the Welcome is for is found by its reference inside. */
  async #withBundle(
    welcome: Uint8Array,
    join: (with_: Bundle & { message: Parameters<typeof joinGroup>[0] }) => Promise<ClientState>,
  ): Promise<TsMlsGroup> {
    const message = decodeAs(welcome, "mls_welcome").welcome
    let reason: unknown
    for (const bundle of this.#bundles.toReversed()) {
      try {
        return new TsMlsGroup(this, await join({ ...bundle, message }))
      } catch (error) {
        reason ??= error
      }
    }
    throw reason
  }

  async joinExternally({ groupInfo, ratchetTree, replaceSelf = false, psks = [] }: ExternalWay) {
    if (psks.length > 0) throw new Unable("an external commit takes no pre-shared keys")
    const { publicPackage, privatePackage } = await this.#newBundle()
    const { publicMessage, newState } = await joinGroupExternal(
      decodeAs(groupInfo, "mls_group_info").groupInfo,
      publicPackage,
      privatePackage,
      replaceSelf,
      this.impl,
      treeOf(ratchetTree),
    )
    const commit = encodeMlsMessage({ version: "mls10", wireformat: "mls_public_message", publicMessage })
    return { commit, group: new TsMlsGroup(this, newState) }
  }

  async proposeOwnAdd(groupInfo: Uint8Array): Promise<Uint8Array> {
    const { publicPackage, privatePackage } = this.#bundles.at(-1) ?? (await this.#newBundle())
    const info = decodeAs(groupInfo, "mls_group_info").groupInfo
    return encodeMlsMessage(await proposeAddExternal(info, publicPackage, privatePackage, this.impl))
  }

  async continueGroup(parent: NeighbourGroup, wanted: Continuation): Promise<NewGroup> {
    const { kind, groupId, extensions, keyPackages, treeBeside = false } = wanted
    const { state } = tsMlsGroup(parent)
    const { publicPackage, privatePackage } = await this.#newBundle()
    const others = keyPackages.map((keyPackage) => decodeAs(keyPackage, "mls_key_package").keyPackage)
    if (kind === "branch" && extensions.length > 0) throw new Unable("a branch takes no extensions of its own")
    const { newState, welcome } =
      kind === "branch"
        ? await branchGroup(state, publicPackage, privatePackage, others, groupId, this.impl)
        : await reinitCreateNewGroup(
            state,
            publicPackage,
            privatePackage,
            others,
            groupId,
            this.impl.name,
            extensions.map(named),
          )
    const group = new TsMlsGroup(this, newState)
    // The Welcome of these two never has the tree inside.
    if (!treeBeside) throw new Unable(`the Welcome of a ${kind} never has the tree inside`)
    return { group, welcome: welcomeMessage(welcome), ratchetTree: encodeRatchetTree(newState.ratchetTree) }
  }

  async joinContinuation(
    parent: NeighbourGroup,
    kind: Continuation["kind"],
    welcome: Uint8Array,
    ratchetTree?: Uint8Array,
  ): Promise<TsMlsGroup> {
    const { state } = tsMlsGroup(parent)
    return this.#withBundle(welcome, ({ message, publicPackage, privatePackage }) =>
      kind === "branch"
        ? joinGroupFromBranch(state, message, publicPackage, privatePackage, treeOf(ratchetTree), this.impl)
        : joinGroupFromReinit(state, message, publicPackage, privatePackage, treeOf(ratchetTree)),
    )
  }

  externalSender(): Uint8Array {
    return encodeExternalSender({
      signaturePublicKey: this.#signatureKeyPair.publicKey,
      credential: this.#credential,
    })
  }

  async proposeFromOutside(groupInfo: Uint8Array, change: OutsideChange): Promise<Uint8Array> {
    const info: GroupInfo = decodeAs(groupInfo, "mls_group_info").groupInfo
    const proposal = proposalOf(change, info.groupContext.groupId, this.impl)
    const { publicKey, signKey } = this.#signatureKeyPair
    return encodeMlsMessage(await proposeExternal(info, proposal, publicKey, signKey, this.impl))
  }
}

class TsMlsGroup implements NeighbourGroup {
  state: ClientState
  readonly #client: TsMlsClient
  #pending: ClientState | undefined

  constructor(client: TsMlsClient, state: ClientState) {
    this.#client = client
    this.state = state
  }

  get id(): Uint8Array {
    return this.state.groupContext.groupId
  }

  get epoch(): bigint {
    return this.state.groupContext.epoch
  }

  get extensions(): readonly NeighbourExtension[] {
    return this.state.groupContext.extensions.map(numbered)
  }

  get reInit() {
    const active = this.state.groupActiveState
    if (active.kind !== "suspendedPendingReinit") return undefined
    const { groupId, cipherSuite, extensions } = active.reinit
    return { groupId, suite: ciphersuites[cipherSuite], extensions: extensions.map(numbered) }
  }

  members() {
    return this.state.ratchetTree.flatMap((node, i) => {
      if (node?.nodeType !== "leaf" || node.leaf.credential.credentialType !== "basic") return []
      return [{ leafIndex: i / 2, identity: new TextDecoder().decode(node.leaf.credential.identity) }]
    })
  }

  async authenticator(): Promise<Uint8Array> {
    return this.state.keySchedule.epochAuthenticator
  }

  exportSecret(label: string, context: Uint8Array, length: number): Promise<Uint8Array> {
    return mlsExporter(this.state.keySchedule.exporterSecret, label, context, length, this.#client.impl)
  }

  async encrypt(plaintext: Uint8Array, authenticatedData?: Uint8Array): Promise<Uint8Array> {
    const { newState, privateMessage } = await createApplicationMessage(
      this.state,
      plaintext,
      this.#client.impl,
      authenticatedData,
    )
    this.state = newState
    return encodeMlsMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage })
  }

  async propose(change: Change): Promise<Uint8Array> {
    const proposal = proposalOf(change, this.id, this.#client.impl)
    const { newState, message } = await createProposal(this.state, this.#isPublic, proposal, this.#client.impl)
    this.state = newState
    return encodeMlsMessage(message)
  }

  async commit(changes: readonly Change[], { treeBeside = false }: CommitOptions = {}): Promise<NewCommit> {
    const { impl, psks } = this.#client
    const { newState, welcome, commit } = await createCommit(
      { state: this.state, cipherSuite: impl, pskIndex: makePskIndex(this.state, psks) },
      {
        extraProposals: changes.map((change) => proposalOf(change, this.id, impl)),
        wireAsPublicMessage: this.#isPublic,
        ratchetTreeExtension: !treeBeside,
      },
    )
    this.#pending = newState
    return {
      commit: encodeMlsMessage(commit),
      welcome: welcomeMessage(welcome),
      ratchetTree: treeBeside ? encodeRatchetTree(newState.ratchetTree) : undefined,
    }
  }

  async applyPending(): Promise<void> {
    this.state = this.#pending!
    this.#pending = undefined
  }

  discardPending(): void {
    this.#pending = undefined
  }

  async receive(bytes: Uint8Array): Promise<NeighbourReceived> {
    const message = decodeMessage(bytes)
    if (message.wireformat !== "mls_private_message" && message.wireformat !== "mls_public_message") {
      throw new TypeError(`a ${message.wireformat} for a group`)
    }
    const { impl, psks } = this.#client
    const { epoch } = this
    // Not its `processMessage`: that one forgets the pre-shared keys where the message is private.
    const index = makePskIndex(this.state, psks)
    const result =
      message.wireformat === "mls_private_message"
        ? await processPrivateMessage(this.state, message.privateMessage, index, impl)
        : await processPublicMessage(this.state, message.publicMessage, index, impl)
    this.state = result.newState
    if ("kind" in result && result.kind === "applicationMessage") {
      const authenticatedData =
        message.wireformat === "mls_private_message" ? message.privateMessage.authenticatedData : new Uint8Array(0)
      return { type: "application", plaintext: result.message, authenticatedData }
    }
    return { type: this.epoch === epoch ? "proposal" : "commit" }
  }

  async groupInfo(treeBeside: boolean) {
    const create = treeBeside ? createGroupInfoWithExternalPub : createGroupInfoWithExternalPubAndRatchetTree
    const groupInfo = await create(this.state, [], this.#client.impl)
    return {
      groupInfo: encodeMlsMessage({ version: "mls10", wireformat: "mls_group_info", groupInfo }),
      ...(treeBeside && { ratchetTree: encodeRatchetTree(this.state.ratchetTree) }),
    }
  }

  get #isPublic(): boolean {
    return this.#client.handshake === "public"
  }
}

function proposalOf(change: Change, groupId: Uint8Array, impl: CiphersuiteImpl): Proposal {
  const pskNonce = impl.rng.randomBytes(impl.kdf.size)
  switch (change.type) {
    case "add":
      return { proposalType: "add", add: { keyPackage: decodeAs(change.keyPackage, "mls_key_package").keyPackage } }
    case "update":
      throw new Unable("it makes no Update proposals")
    case "remove":
      return { proposalType: "remove", remove: { removed: change.leafIndex } }
    case "externalPsk":
      return { proposalType: "psk", psk: { preSharedKeyId: { psktype: "external", pskId: change.id, pskNonce } } }
    case "resumptionPsk": {
      const usage = { psktype: "resumption", usage: "application" } as const
      const preSharedKeyId = { ...usage, pskGroupId: groupId, pskEpoch: change.epoch, pskNonce }
      return { proposalType: "psk", psk: { preSharedKeyId } }
    }
    case "extensions":
      return {
        proposalType: "group_context_extensions",
        groupContextExtensions: { extensions: change.extensions.map(named) },
      }
    case "reInit": {
      const { suite, extensions } = change
      const named_ = extensions.map(named)
      const reinit = { groupId: change.groupId, version: "mls10", cipherSuite: suiteName(suite), extensions: named_ }
      return { proposalType: "reinit", reinit } as Proposal
    }
  }
}

const utf8 = new TextEncoder()

function suiteName(number: number): CiphersuiteName {
  return Object.entries(ciphersuites).find(([, value]) => value === number)![0] as CiphersuiteName
}

/** ts-mls names the extension types that it knows, and numbers the others. */
function named({ extensionType, extensionData }: NeighbourExtension): Extension {
  const name = Object.entries(defaultExtensionTypes).find(([, number]) => number === extensionType)?.[0]
  return { extensionType: name ?? extensionType, extensionData } as Extension
}

function numbered({ extensionType, extensionData }: Extension): NeighbourExtension {
  const number = typeof extensionType === "number" ? extensionType : defaultExtensionTypes[extensionType]
  return { extensionType: number, extensionData }
}

function treeOf(bytes: Uint8Array | undefined): RatchetTree | undefined {
  return bytes === undefined ? undefined : decodeRatchetTree(bytes, 0)![0]
}

function decodeMessage(bytes: Uint8Array): MLSMessage {
  const decoded = decodeMlsMessage(bytes, 0)
  if (decoded === undefined) throw new Error("the message does not decode")
  return decoded[0]
}

function decodeAs<W extends MLSMessage["wireformat"]>(bytes: Uint8Array, wireformat: W) {
  const message = decodeMessage(bytes)
  if (message.wireformat !== wireformat) throw new TypeError(`a ${message.wireformat} instead of a ${wireformat}`)
  return message as Extract<MLSMessage, { wireformat: W }>
}

function welcomeMessage(welcome: Parameters<typeof joinGroup>[0] | undefined): Uint8Array | undefined {
  if (welcome === undefined) return undefined
  return encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome })
}

function tsMlsGroup(group: NeighbourGroup): TsMlsGroup {
  if (group instanceof TsMlsGroup) return group
  throw new TypeError("a group of another implementation")
}

function monthFromNow() {
  const now = BigInt(Math.floor(Date.now() / 1000))
  return { notBefore: now - 3600n, notAfter: now + 28n * 86400n }
}
