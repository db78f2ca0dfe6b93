import * as codec from "@conclave/codec"
import { decodeGroupInfo, extensionTypes } from "@conclave/mls"
import { RequiredCapabilities } from "@conclave/mls/wire"
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
  decode,
  defaultCredentialTypes,
  defaultExtensionTypes,
  defaultProposalTypes,
  encode,
  type GroupContextExtension,
  generateKeyPackageWithKey,
  getCiphersuiteImpl,
  joinGroup,
  joinGroupExternal,
  joinGroupFromBranch,
  joinGroupFromReinit,
  type KeyPackage,
  type MlsContext,
  type MlsMessage,
  makeCustomExtension,
  mlsExporter,
  mlsMessageDecoder,
  mlsMessageEncoder,
  nodeTypes,
  type PrivateKeyPackage,
  type Proposal,
  type PskId,
  processMessage,
  proposeAddExternal,
  proposeExternal,
  protocolVersions,
  pskTypes,
  type RatchetTree,
  reinitCreateNewGroup,
  resumptionPSKUsages,
  unsafeTestingAuthenticationService,
  wireformats,
} from "ts-mls-next"
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

/** The newest ts-mls 2.x candidate with its default provider. */
export const tsMlsNext: Neighbour = {
  name: "ts-mls-next",
  version: "2.0.0-rc.10",
  suites: [1, 2, 3, 4, 5, 6, 7],
  async client(identity, suite, options = {}) {
    const impl = await getCiphersuiteImpl(suiteName(suite))
    return new TsMlsNextClient(identity, impl, uncompressed(suite, await impl.signature.keygen()), options)
  },
}

interface Bundle {
  readonly publicPackage: KeyPackage
  readonly privatePackage: PrivateKeyPackage
}

class TsMlsNextClient implements NeighbourClient {
  readonly identity: string
  handshake: "private" | "public"
  readonly context: MlsContext
  readonly #psks: Record<string, Uint8Array> = {}
  readonly #signatureKeyPair: { signKey: Uint8Array; publicKey: Uint8Array }
  readonly #bundles: Bundle[] = []

  constructor(
    identity: string,
    cipherSuite: CiphersuiteImpl,
    signatureKeyPair: { signKey: Uint8Array; publicKey: Uint8Array },
    { handshake = "private" }: ClientOptions,
  ) {
    this.identity = identity
    this.handshake = handshake
    this.context = { cipherSuite, authService: unsafeTestingAuthenticationService, externalPsks: this.#psks }
    this.#signatureKeyPair = signatureKeyPair
  }

  get suite(): number {
    return this.context.cipherSuite.id
  }

  async keyPackage(): Promise<Uint8Array> {
    const { publicPackage: keyPackage } = await this.#newBundle()
    return encode(mlsMessageEncoder, { version, wireformat: wireformats.mls_key_package, keyPackage })
  }

  async #newBundle(): Promise<Bundle> {
    const bundle = await generateKeyPackageWithKey({
      credential: this.#credential,
      signatureKeyPair: this.#signatureKeyPair,
      cipherSuite: this.context.cipherSuite,
    })
    this.#bundles.push(bundle)
    return bundle
  }

  get #credential() {
    return { credentialType: defaultCredentialTypes.basic, identity: utf8.encode(this.identity) }
  }

  privateKeys(): PrivateKeys {
    const { initPrivateKey, hpkePrivateKey, signaturePrivateKey } = this.#bundles.at(-1)!.privatePackage
    return { init: initPrivateKey, encryption: hpkePrivateKey, signature: signaturePrivateKey }
  }

  storePsk(id: Uint8Array, secret: Uint8Array): void {
    this.#psks[bytesToBase64(id)] = secret
  }

  async create(groupId: Uint8Array, extensions: readonly NeighbourExtension[] = []): Promise<TsMlsNextGroup> {
    const { publicPackage: keyPackage, privatePackage: privateKeyPackage } = await this.#newBundle()
    const { context } = this
    const state = await createGroup({
      context,
      groupId,
      keyPackage,
      privateKeyPackage,
      extensions: extensions.map(typed),
    })
    return new TsMlsNextGroup(this, state)
  }

  async join(welcome: Uint8Array, ratchetTree?: Uint8Array): Promise<TsMlsNextGroup> {
    return this.#withBundle(welcome, ratchetTree, (with_) =>
      joinGroup({ ...with_, context: this.context, privateKeys: with_.privateKeyPackage }),
    )
  }

  /** Tries the key packages from the newest on: the one that the Welcome is for is found by its reference inside. */
  async #withBundle(
    welcome: Uint8Array,
    treeBytes: Uint8Array | undefined,
    join: (with_: {
      welcome: Parameters<typeof joinGroup>[0]["welcome"]
      keyPackage: KeyPackage
      privateKeyPackage: PrivateKeyPackage
      ratchetTree?: RatchetTree
    }) => Promise<ClientState>,
  ): Promise<TsMlsNextGroup> {
    const message = decodeAs(welcome, wireformats.mls_welcome).welcome
    const tree = treeBytes && { ratchetTree: treeOf(treeBytes) }
    let reason: unknown
    for (const { publicPackage: keyPackage, privatePackage: privateKeyPackage } of this.#bundles.toReversed()) {
      try {
        return new TsMlsNextGroup(this, await join({ welcome: message, keyPackage, privateKeyPackage, ...tree }))
      } catch (error) {
        reason ??= error
      }
    }
    throw reason
  }

  async joinExternally({ groupInfo, ratchetTree, replaceSelf = false, psks = [] }: ExternalWay) {
    if (psks.length > 0) throw new Unable("an external commit takes no pre-shared keys")
    const { publicPackage, privatePackage } = await this.#newBundle()
    const { publicMessage, newState } = await joinGroupExternal({
      context: this.context,
      groupInfo: decodeAs(groupInfo, wireformats.mls_group_info).groupInfo,
      keyPackage: publicPackage,
      privateKeys: privatePackage,
      resync: replaceSelf,
      ...(ratchetTree && { tree: treeOf(ratchetTree) }),
    })
    const commit = encode(mlsMessageEncoder, { version, wireformat: wireformats.mls_public_message, publicMessage })
    return { commit, group: new TsMlsNextGroup(this, newState) }
  }

  async proposeOwnAdd(groupInfo: Uint8Array): Promise<Uint8Array> {
    const { publicPackage, privatePackage } = this.#bundles.at(-1) ?? (await this.#newBundle())
    const info = decodeAs(groupInfo, wireformats.mls_group_info).groupInfo
    const message = await proposeAddExternal(info, publicPackage, privatePackage, this.context.cipherSuite)
    return encode(mlsMessageEncoder, message)
  }

  async continueGroup(parent: NeighbourGroup, wanted: Continuation): Promise<NewGroup> {
    const { kind, groupId, extensions, keyPackages, treeBeside = false } = wanted
    if (!treeBeside) throw new Unable(`the Welcome of a ${kind} never has the tree inside`)
    if (kind === "branch" && extensions.length > 0) throw new Unable("a branch takes no extensions of its own")
    const { publicPackage: keyPackage, privatePackage: privateKeyPackage } = await this.#newBundle()
    const memberKeyPackages = keyPackages.map((it) => decodeAs(it, wireformats.mls_key_package).keyPackage)
    const { context } = this
    const base = { context, state: nextGroup(parent).state, keyPackage, privateKeyPackage, memberKeyPackages }
    const { newState, welcome } =
      kind === "branch"
        ? await branchGroup({ ...base, newGroupId: groupId })
        : await reinitCreateNewGroup({
            ...base,
            groupId,
            cipherSuite: suiteName(this.suite),
            extensions: extensions.map(typed),
          })
    const group = new TsMlsNextGroup(this, newState)
    return { group, welcome: welcome && encode(mlsMessageEncoder, welcome), ratchetTree: await group.ratchetTree() }
  }

  async joinContinuation(
    parent: NeighbourGroup,
    kind: Continuation["kind"],
    welcome: Uint8Array,
    ratchetTree?: Uint8Array,
  ): Promise<TsMlsNextGroup> {
    const { state } = nextGroup(parent)
    const { context } = this
    return this.#withBundle(welcome, ratchetTree, (with_) =>
      kind === "branch"
        ? joinGroupFromBranch({ ...with_, context, oldState: state })
        : joinGroupFromReinit({ ...with_, context, suspendedState: state }),
    )
  }

  async proposeFromOutside(groupInfo: Uint8Array, change: OutsideChange): Promise<Uint8Array> {
    const info = decodeAs(groupInfo, wireformats.mls_group_info).groupInfo
    const { cipherSuite } = this.context
    const proposal = proposalOf(change, info.groupContext.groupId, cipherSuite)
    const { publicKey, signKey } = this.#signatureKeyPair
    return encode(mlsMessageEncoder, await proposeExternal(info, proposal, publicKey, signKey, cipherSuite))
  }

  externalSender(): Uint8Array {
    throw new Unable("external_senders holds one sender, where RFC 9420 §12.1.8.1 has a list")
  }
}

class TsMlsNextGroup implements NeighbourGroup {
  state: ClientState
  readonly #client: TsMlsNextClient
  #pending: ClientState | undefined

  constructor(client: TsMlsNextClient, state: ClientState) {
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
    return this.state.groupContext.extensions.map(encoded)
  }

  get reInit() {
    const active = this.state.groupActiveState
    if (active.kind !== "suspendedPendingReinit") return undefined
    const { groupId, cipherSuite: suite, extensions } = active.reinit
    return { groupId, suite, extensions: extensions.map(encoded) }
  }

  members() {
    return this.state.ratchetTree.flatMap((node, i) => {
      if (node?.nodeType !== nodeTypes.leaf) return []
      const { credential } = node.leaf
      if (credential.credentialType !== defaultCredentialTypes.basic || !("identity" in credential)) return []
      return [{ leafIndex: i / 2, identity: new TextDecoder().decode(credential.identity) }]
    })
  }

  async authenticator(): Promise<Uint8Array> {
    return this.state.keySchedule.epochAuthenticator
  }

  exportSecret(label: string, context: Uint8Array, length: number): Promise<Uint8Array> {
    const { cipherSuite } = this.#client.context
    return mlsExporter(this.state.keySchedule.exporterSecret, label, context, length, cipherSuite)
  }

  async encrypt(plaintext: Uint8Array, authenticatedData?: Uint8Array): Promise<Uint8Array> {
    const { newState, message } = await createApplicationMessage({
      context: this.#client.context,
      state: this.state,
      message: plaintext,
      ...(authenticatedData && { authenticatedData }),
    })
    this.state = newState
    return encode(mlsMessageEncoder, message)
  }

  async propose(change: Change): Promise<Uint8Array> {
    const { context } = this.#client
    const { newState, message } = await createProposal({
      context,
      state: this.state,
      wireAsPublicMessage: this.#isPublic,
      proposal: proposalOf(change, this.id, context.cipherSuite),
    })
    this.state = newState
    return encode(mlsMessageEncoder, message)
  }

  async commit(changes: readonly Change[], { treeBeside = false }: CommitOptions = {}): Promise<NewCommit> {
    const { context } = this.#client
    const { newState, welcome, commit } = await createCommit({
      context,
      state: this.state,
      extraProposals: changes.map((change) => proposalOf(change, this.id, context.cipherSuite)),
      wireAsPublicMessage: this.#isPublic,
      ratchetTreeExtension: !treeBeside,
    })
    this.#pending = newState
    return {
      commit: encode(mlsMessageEncoder, commit),
      welcome: welcome && encode(mlsMessageEncoder, welcome),
      ratchetTree: treeBeside ? await new TsMlsNextGroup(this.#client, newState).ratchetTree() : undefined,
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
    if (
      message.wireformat !== wireformats.mls_private_message &&
      message.wireformat !== wireformats.mls_public_message
    ) {
      throw new TypeError(`wire format ${message.wireformat} for a group`)
    }
    const { epoch } = this
    const result = await processMessage({ context: this.#client.context, state: this.state, message })
    this.state = result.newState
    if (result.kind === "applicationMessage") {
      return { type: "application", plaintext: result.message, authenticatedData: result.aad }
    }
    return { type: this.epoch === epoch ? "proposal" : "commit" }
  }

  async groupInfo(treeBeside: boolean) {
    const create = treeBeside ? createGroupInfoWithExternalPub : createGroupInfoWithExternalPubAndRatchetTree
    const groupInfo = await create(this.state, [], this.#client.context.cipherSuite)
    return {
      groupInfo: encode(mlsMessageEncoder, { version, wireformat: wireformats.mls_group_info, groupInfo }),
      ...(treeBeside && { ratchetTree: await this.ratchetTree() }),
    }
  }

  /** ts-mls 2 has no encoder of its own for the tree: it is taken out of a GroupInfo. */
  async ratchetTree(): Promise<Uint8Array> {
    const { groupInfo } = await this.groupInfo(false)
    const { extensions } = decodeGroupInfo(groupInfo)
    return extensions.find(({ extensionType }) => extensionType === extensionTypes.ratchetTree)!.extensionData
  }

  get #isPublic(): boolean {
    return this.#client.handshake === "public"
  }
}

function proposalOf(change: Change, groupId: Uint8Array, impl: CiphersuiteImpl): Proposal {
  const pskNonce = impl.rng.randomBytes(impl.kdf.size)
  switch (change.type) {
    case "add": {
      const { keyPackage } = decodeAs(change.keyPackage, wireformats.mls_key_package)
      return { proposalType: defaultProposalTypes.add, add: { keyPackage } }
    }
    case "update":
      throw new Unable("it makes no Update proposals")
    case "remove":
      return { proposalType: defaultProposalTypes.remove, remove: { removed: change.leafIndex } }
    case "externalPsk":
      return pskProposal({ psktype: pskTypes.external, pskId: change.id, pskNonce })
    case "resumptionPsk": {
      const usage = resumptionPSKUsages.application
      return pskProposal({
        psktype: pskTypes.resumption,
        usage,
        pskGroupId: groupId,
        pskEpoch: change.epoch,
        pskNonce,
      })
    }
    case "extensions":
      return {
        proposalType: defaultProposalTypes.group_context_extensions,
        groupContextExtensions: { extensions: change.extensions.map(typed) },
      }
    case "reInit": {
      const { suite, extensions } = change
      const reinit = { groupId: change.groupId, version, cipherSuite: suite, extensions: extensions.map(typed) }
      return { proposalType: defaultProposalTypes.reinit, reinit }
    }
  }
}

function pskProposal(preSharedKeyId: PskId): Proposal {
  return { proposalType: defaultProposalTypes.psk, psk: { preSharedKeyId } }
}

const utf8 = new TextEncoder()
const version = protocolVersions.mls10

function suiteName(number: number): CiphersuiteName {
  return Object.entries(ciphersuites).find(([, value]) => value === number)![0] as CiphersuiteName
}

/** ts-mls 2 wants the extensions that it knows decoded. */
function typed({ extensionType, extensionData }: NeighbourExtension): GroupContextExtension {
  if (extensionType === defaultExtensionTypes.required_capabilities) {
    const required = codec.decode(RequiredCapabilities, extensionData)
    return {
      extensionType,
      extensionData: {
        extensionTypes: [...required.extensionTypes],
        proposalTypes: [...required.proposalTypes],
        credentialTypes: [...required.credentialTypes],
      },
    }
  }
  if (extensionType === defaultExtensionTypes.external_senders) {
    throw new Unable("external_senders holds one sender, where RFC 9420 §12.1.8.1 has a list")
  }
  return makeCustomExtension({ extensionType, extensionData })
}

function encoded({ extensionType, extensionData }: GroupContextExtension): NeighbourExtension {
  if (extensionData instanceof Uint8Array) return { extensionType, extensionData }
  if (!("proposalTypes" in extensionData)) throw new Unable("external_senders of one sender has no encoding")
  return { extensionType, extensionData: codec.encode(RequiredCapabilities, extensionData) }
}

/** ts-mls 2 exports no decoder for the tree, though it takes a decoded one. */
function treeOf(bytes: Uint8Array): RatchetTree {
  const tree = ratchetTreeDecoder(bytes, 0)
  if (tree === undefined) throw new Error("the tree does not decode")
  return tree[0]
}

const { ratchetTreeDecoder } = (await import(new URL("./ratchetTree.js", import.meta.resolve("ts-mls-next")).href)) as {
  ratchetTreeDecoder: (bytes: Uint8Array, offset: number) => [RatchetTree, number] | undefined
}

function decodeMessage(bytes: Uint8Array): MlsMessage {
  const decoded = decode(mlsMessageDecoder, bytes)
  if (decoded === undefined) throw new Error("the message does not decode")
  return decoded
}

function decodeAs<W extends MlsMessage["wireformat"]>(bytes: Uint8Array, wireformat: W) {
  const message = decodeMessage(bytes)
  if (message.wireformat !== wireformat)
    throw new TypeError(`wire format ${message.wireformat} instead of ${wireformat}`)
  return message as Extract<MlsMessage, { wireformat: W }>
}

function nextGroup(group: NeighbourGroup): TsMlsNextGroup {
  if (group instanceof TsMlsNextGroup) return group
  throw new TypeError("a group of another implementation")
}
