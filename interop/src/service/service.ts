import { decode, encode } from "@conclave/codec"
import { decodeGroupInfo } from "@conclave/mls"
import { ExternalSender, ExternalSenders, RatchetTreeNodes } from "@conclave/mls/wire"
import {
  type Change,
  type Neighbour,
  type NeighbourClient,
  type NeighbourGroup,
  type OutsideChange,
  Unable,
} from "../neighbours/neighbour.js"
import type { Answering, CallName, Description, Request, Response } from "./calls.js"

/** Answers the calls of the working group's runner with any implementation that we know to use. */
export class InteropService implements Answering {
  readonly #neighbour: Neighbour
  readonly #states = new Map<number, State>()
  readonly #transactions = new Map<number, NeighbourClient>()
  readonly #reinitialisations = new Map<number, { readonly parent: State; readonly client: NeighbourClient }>()
  /** The last client of each name and suite. */
  readonly #people = new Map<string, NeighbourClient>()
  readonly #signers = new Map<number, NeighbourClient>()
  #lastId = 0

  constructor(neighbour: Neighbour) {
    this.#neighbour = neighbour
  }

  /** @throws Unable for what the implementation cannot do; whatever it throws itself */
  async call<N extends CallName>(name: N, request: Request<N>): Promise<Response<N>> {
    return (this.#calls[name] as (request: Request<N>) => Promise<Response<N>>)(request)
  }

  readonly #calls: { readonly [N in CallName]: (request: Request<N>) => Promise<Response<N>> } = {
    Name: async () => ({ name: `${this.#neighbour.name} ${this.#neighbour.version}` }),
    SupportedCiphersuites: async () => ({ ciphersuites: this.#neighbour.suites }),

    CreateGroup: async ({ groupId, cipherSuite, encryptHandshake, identity }) => {
      const client = await this.#client(identity, cipherSuite)
      client.handshake = handshakeOf(encryptHandshake)
      return { stateId: this.#keep(client, await client.create(groupId)) }
    },
    CreateKeyPackage: async ({ cipherSuite, identity }) => {
      const client = await this.#client(identity, cipherSuite)
      const keyPackage = await client.keyPackage()
      return { keyPackage, ...this.#transaction(client) }
    },
    JoinGroup: async ({ transactionId, welcome, encryptHandshake, ratchetTree }) => {
      const client = known(this.#transactions, transactionId, "transaction")
      client.handshake = handshakeOf(encryptHandshake)
      return this.#entered(client, await client.join(welcome, orAbsent(ratchetTree)))
    },
    ExternalJoin: async ({ groupInfo, ratchetTree, encryptHandshake, identity, removePrior, psks }) => {
      const { cipherSuite } = decodeGroupInfo(groupInfo).groupContext
      // Whoever comes back is the one that it was: with the same signature key.
      const before = removePrior ? this.#people.get(personName(identity, cipherSuite)) : undefined
      const client = before ?? (await this.#client(identity, cipherSuite))
      client.handshake = handshakeOf(encryptHandshake)
      for (const { pskId, pskSecret } of psks) able(client, "storePsk")(pskId, pskSecret)
      const { group, commit } = await able(
        client,
        "joinExternally",
      )({
        groupInfo,
        ratchetTree: orAbsent(ratchetTree),
        replaceSelf: removePrior,
        psks: psks.map(({ pskId }) => pskId),
      })
      return { commit, ...(await this.#entered(client, group)) }
    },

    GroupInfo: async ({ stateId, externalTree }) => {
      const { groupInfo, ratchetTree } = await able(this.#group(stateId), "groupInfo")(externalTree)
      return { groupInfo, ratchetTree: ratchetTree ?? none }
    },
    StateAuth: async ({ stateId }) => ({ stateAuthSecret: await authenticatorOf(this.#group(stateId)) }),
    Export: async ({ stateId, label, context, keyLength }) => ({
      exportedSecret: await this.#group(stateId).exportSecret(label, context, keyLength),
    }),
    Protect: async ({ stateId, authenticatedData, plaintext }) => ({
      ciphertext: await this.#group(stateId).encrypt(plaintext, authenticatedData),
    }),
    Unprotect: async ({ stateId, ciphertext }) => {
      const received = await this.#group(stateId).receive(ciphertext)
      if (received.type !== "application") throw new TypeError(`not an application message, but ${received.type}`)
      const { plaintext, authenticatedData: told } = received
      if (told === undefined) throw new Unable("it does not tell the authenticated data")
      return { plaintext, authenticatedData: told }
    },
    StorePSK: async ({ stateOrTransactionId: id, pskId, pskSecret }) => {
      const client = this.#states.get(id)?.client ?? known(this.#transactions, id, "state or transaction")
      able(client, "storePsk")(pskId, pskSecret)
      return {}
    },

    AddProposal: ({ stateId, keyPackage }) => this.#propose(stateId, { type: "add", keyPackage }),
    UpdateProposal: ({ stateId }) => this.#propose(stateId, { type: "update" }),
    RemoveProposal: ({ stateId, removedId }) => {
      const leafIndex = leafOf(this.#group(stateId), removedId)
      return this.#propose(stateId, { type: "remove", leafIndex })
    },
    ExternalPSKProposal: ({ stateId, pskId }) => this.#propose(stateId, { type: "externalPsk", id: pskId }),
    ResumptionPSKProposal: ({ stateId, epochId }) =>
      this.#propose(stateId, { type: "resumptionPsk", epoch: BigInt(epochId) }),
    GroupContextExtensionsProposal: ({ stateId, extensions }) =>
      this.#propose(stateId, { type: "extensions", extensions }),

    Commit: (request) => this.#commit(request),
    HandleCommit: async ({ stateId, proposal, commit }) => {
      await this.#receive(stateId, [...proposal, commit])
      return this.#state(stateId)
    },
    HandlePendingCommit: async ({ stateId }) => {
      await this.#group(stateId).applyPending()
      return this.#state(stateId)
    },

    ReInitProposal: ({ stateId, cipherSuite: suite, groupId, extensions }) =>
      this.#propose(stateId, { type: "reInit", suite, groupId, extensions }),
    ReInitCommit: (request) => this.#commit(request),
    HandlePendingReInitCommit: async ({ stateId }) => {
      await this.#group(stateId).applyPending()
      return this.#reinitialised(stateId)
    },
    HandleReInitCommit: async ({ stateId, proposal, commit }) => {
      await this.#receive(stateId, [...proposal, commit])
      return this.#reinitialised(stateId)
    },
    ReInitWelcome: async ({ reinitId, keyPackage, forcePath, externalTree }) => {
      const { parent, client } = known(this.#reinitialisations, reinitId, "reinitialisation")
      const { groupId, extensions } = parent.group.reInit!
      const created = await able(client, "continueGroup")(parent.group, {
        kind: "reinit",
        groupId,
        extensions,
        keyPackages: keyPackage,
        forcePath,
        treeBeside: externalTree,
      })
      const { welcome = none, ratchetTree = none } = created
      return { welcome, ratchetTree, ...(await this.#entered(client, created.group)) }
    },
    HandleReInitWelcome: async ({ reinitId, welcome, ratchetTree }) => {
      const { parent, client } = known(this.#reinitialisations, reinitId, "reinitialisation")
      const join = able(client, "joinContinuation")
      return this.#entered(client, await join(parent.group, "reinit", welcome, orAbsent(ratchetTree)))
    },

    CreateBranch: async ({ stateId, groupId, extensions, keyPackages, forcePath, externalTree }) => {
      const { client, group } = known(this.#states, stateId, "state")
      const wanted = { kind: "branch" as const, groupId, extensions, keyPackages, forcePath, treeBeside: externalTree }
      const created = await able(client, "continueGroup")(group, wanted)
      const { welcome = none, ratchetTree = none } = created
      return { welcome, ratchetTree, ...(await this.#entered(client, created.group)) }
    },
    HandleBranch: async ({ stateId, transactionId, welcome, ratchetTree }) => {
      const client = known(this.#transactions, transactionId, "transaction")
      client.handshake = known(this.#states, stateId, "state").client.handshake
      const join = able(client, "joinContinuation")
      return this.#entered(client, await join(this.#group(stateId), "branch", welcome, orAbsent(ratchetTree)))
    },

    NewMemberAddProposal: async ({ groupInfo, identity }) => {
      const client = await this.#client(identity, decodeGroupInfo(groupInfo).groupContext.cipherSuite)
      await client.keyPackage()
      const proposal = await able(client, "proposeOwnAdd")(groupInfo)
      return { proposal, ...this.#transaction(client) }
    },
    CreateExternalSigner: async ({ cipherSuite, identity }) => {
      const client = await this.#client(identity, cipherSuite)
      const externalSender = able(client, "externalSender")()
      this.#signers.set(++this.#lastId, client)
      return { signerId: this.#lastId, externalSender }
    },
    AddExternalSigner: async ({ stateId, externalSender }) => {
      const { extensions } = this.#group(stateId)
      if (extensions === undefined) throw new Unable("it does not tell a group's extensions")
      const listed = extensions.find(({ extensionType }) => extensionType === EXTERNAL_SENDERS)
      const senders = listed ? decode(ExternalSenders, listed.extensionData) : []
      const extensionData = encode(ExternalSenders, [...senders, decode(ExternalSender, externalSender)])
      const others = extensions.filter((extension) => extension !== listed)
      const changed = [...others, { extensionType: EXTERNAL_SENDERS, extensionData }]
      return this.#propose(stateId, { type: "extensions", extensions: changed })
    },
    ExternalSignerProposal: async ({ signerId, groupInfo, ratchetTree, description }) => {
      const propose = able(known(this.#signers, signerId, "signer"), "proposeFromOutside")
      const change = changeOf(description, (identity) => leafInTree(ratchetTree, identity)) as OutsideChange
      return { proposal: await propose(groupInfo, change) }
    },

    Free: async ({ stateId }) => {
      this.#states.delete(stateId)
      return {}
    },
  }

  async #client(identity: Uint8Array, suite: number): Promise<NeighbourClient> {
    const client = await this.#neighbour.client(text(identity), suite)
    this.#people.set(personName(identity, suite), client)
    return client
  }

  #keep(client: NeighbourClient, group: NeighbourGroup): number {
    this.#states.set(++this.#lastId, { client, group, seen: new Set() })
    return this.#lastId
  }

  async #entered(client: NeighbourClient, group: NeighbourGroup) {
    return this.#state(this.#keep(client, group))
  }

  async #state(stateId: number) {
    return { stateId, epochAuthenticator: await authenticatorOf(this.#group(stateId)) }
  }

  #transaction(client: NeighbourClient) {
    this.#transactions.set(++this.#lastId, client)
    const { init, encryption, signature } = client.privateKeys?.() ?? { init: none, encryption: none, signature: none }
    return {
      transactionId: this.#lastId,
      initPriv: init,
      encryptionPriv: encryption,
      signaturePriv: signature,
    }
  }

  #group(stateId: number): NeighbourGroup {
    return known(this.#states, stateId, "state").group
  }

  async #propose(stateId: number, change: Change): Promise<{ proposal: Uint8Array }> {
    const { group, seen } = known(this.#states, stateId, "state")
    const proposal = await able(group, "propose")(change)
    seen.add(hex(proposal))
    return { proposal }
  }

  /** What the group has not seen, its own proposals left out. */
  async #receive(stateId: number, messages: readonly Uint8Array[]): Promise<void> {
    const { group, seen } = known(this.#states, stateId, "state")
    for (const message of messages) {
      if (seen.has(hex(message))) continue
      await group.receive(message)
      seen.add(hex(message))
    }
  }

  async #commit({
    stateId,
    byReference,
    byValue,
    forcePath,
    externalTree,
  }: Request<"Commit">): Promise<Response<"Commit">> {
    await this.#receive(stateId, byReference)
    const group = this.#group(stateId)
    const changes = byValue.map((it) => changeOf(it, (identity) => leafOf(group, identity)))
    const made = await group.commit(changes, { forcePath, treeBeside: externalTree })
    if (made.treeMissing && !externalTree) throw new Unable("its Welcome never has the tree inside")
    return { commit: made.commit, welcome: made.welcome ?? none, ratchetTree: made.ratchetTree ?? none }
  }

  async #reinitialised(stateId: number): Promise<Response<"HandleReInitCommit">> {
    const parent = known(this.#states, stateId, "state")
    const { reInit } = parent.group
    if (reInit === undefined) throw new Error("the commit has no ReInit")
    const client = await this.#neighbour.client(parent.client.identity, reInit.suite)
    client.handshake = parent.client.handshake
    const keyPackage = await client.keyPackage()
    this.#reinitialisations.set(++this.#lastId, { parent, client })
    return { reinitId: this.#lastId, keyPackage, epochAuthenticator: await authenticatorOf(parent.group) }
  }
}

interface State {
  readonly client: NeighbourClient
  readonly group: NeighbourGroup
  /** Messages that the group has sent or received. */
  readonly seen: Set<string>
}

const EXTERNAL_SENDERS = 5
const none = new Uint8Array(0)

function changeOf(description: Description, leafOf: (identity: Uint8Array) => number): Change {
  const { keyPackage, removedId, pskId, epochId, extensions, groupId, cipherSuite } = description
  const type = text(description.proposalType)
  switch (type) {
    case "add":
      return { type, keyPackage }
    case "remove":
      return { type, leafIndex: leafOf(removedId) }
    case "externalPSK":
      return { type: "externalPsk", id: pskId }
    case "resumptionPSK":
      return { type: "resumptionPsk", epoch: BigInt(epochId) }
    case "groupContextExtensions":
      return { type: "extensions", extensions }
    case "reinit":
      return { type: "reInit", groupId, suite: cipherSuite, extensions }
    default:
      throw new RangeError(`a proposal of type "${type}"`)
  }
}

function leafOf(group: NeighbourGroup, identity: Uint8Array): number {
  const found = able(group, "members")().find((member) => member.identity === text(identity))
  if (found === undefined) throw new RangeError(`no member is called ${text(identity)}`)
  return found.leafIndex
}

function leafInTree(ratchetTree: Uint8Array, identity: Uint8Array): number {
  const index = decode(RatchetTreeNodes, ratchetTree).findIndex((node) => {
    if (node?.type !== "leaf") return false
    const { credential } = node.leafNode
    return credential.type === "basic" && hex(credential.identity) === hex(identity)
  })
  if (index < 0) throw new RangeError(`no member is called ${text(identity)}`)
  return index / 2
}

/** Empty where the implementation does not tell it. */
async function authenticatorOf(group: NeighbourGroup): Promise<Uint8Array> {
  return (await group.authenticator?.()) ?? none
}

/** A method that an implementation may lack. @throws Unable */
function able<T extends object, K extends keyof T & string>(of: T, method: K): NonNullable<T[K]> {
  const found = of[method] as ((...args: unknown[]) => unknown) | undefined
  if (found === undefined) throw new Unable(`it has no ${method}`)
  return found.bind(of) as NonNullable<T[K]>
}

function known<V>(table: ReadonlyMap<number, V>, id: number, what: string): V {
  const value = table.get(id)
  if (value === undefined) throw new RangeError(`no ${what} has the number ${id}`)
  return value
}

const personName = (identity: Uint8Array, suite: number) => `${suite} ${hex(identity)}`
const handshakeOf = (encrypted: boolean) => (encrypted ? "private" : "public")
const orAbsent = (bytes: Uint8Array) => (bytes.length === 0 ? undefined : bytes)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
