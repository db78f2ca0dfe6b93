import { randomBytes } from "node:crypto"
import type { Answering, Description, Request } from "../service/calls.js"
import type { Proposed, Step } from "./scripts.js"

export interface Cast {
  /** Who answers for an actor. */
  readonly of: (actor: string) => Answering
  readonly suite: number
  /** Another suite that everybody has, for reinitialisations. */
  readonly otherSuite: number | undefined
  readonly encryptHandshake: boolean
}

/** Says at which step it went wrong, and whether somebody merely cannot do it. */
export class ScriptFailure extends Error {
  override readonly name = "ScriptFailure"
  readonly step: number
  readonly unable: boolean
  /** Whether somebody has not answered in time. */
  readonly silent: boolean

  constructor(step: number, doing: string, cause: Error) {
    super(`step ${step}, ${doing}: ${cause.message}`, { cause })
    this.step = step
    this.unable = cause.name === "Unable"
    this.silent = cause.name === "Silent"
  }
}

/**
 * Plays a script as the working group's runner does: every member has to agree on every epoch's authenticator, and to
 * read what was sent.
 *
 * @throws ScriptFailure
 */
export async function runScript(script: readonly Step[], cast: Cast): Promise<void> {
  const run = new Run(cast)
  for (const [number, step] of script.entries()) {
    try {
      await run.step(number, step)
    } catch (error) {
      throw new ScriptFailure(number, step.do, error as Error)
    }
  }
  await run.free()
}

/** The epoch that somebody has entered first. */
interface Agreed {
  readonly by: string
  /** Empty where it was not told. */
  readonly authenticator: Uint8Array
}

/** What a step has left for later ones. */
type Made = Readonly<Record<string, Uint8Array>>

class Run {
  readonly #cast: Cast
  #suite: number
  #groupId: Uint8Array = new Uint8Array(0)
  readonly #states = new Map<string, number>()
  readonly #transactions = new Map<string, number>()
  readonly #signers = new Map<string, number>()
  readonly #made: Made[] = []

  constructor(cast: Cast) {
    this.#cast = cast
    this.#suite = cast.suite
  }

  async step(number: number, step: Step): Promise<void> {
    this.#made[number] = (await this.#play(step)) ?? {}
  }

  async free(): Promise<void> {
    for (const [actor, stateId] of this.#states) await this.#of(actor).call("Free", { stateId })
  }

  async #play(step: Step): Promise<Made | undefined> {
    switch (step.do) {
      case "createGroup":
        return this.#createGroup(step.by, step.members ?? [])
      case "keyPackage":
        return { keyPackage: await this.#newKeyPackage(step.by) }
      case "storePsk":
        return this.#storePsk(step.clients)
      case "propose":
        return { proposal: await this.#propose(step.by, step) }
      case "commit":
        return this.#commit(step)
      case "protect":
        return this.#protect(step)
      case "unprotect":
        return this.#unprotect(step)
      case "externalJoin":
        return this.#externalJoin(step)
      case "proposeOwnAdd":
        return this.#proposeOwnAdd(step.by, step.joiner)
      case "addSigner":
        return this.#addSigner(step.by, step.signer)
      case "outsideProposal":
        return this.#outsideProposal(step)
      case "reinit":
        return this.#reinit(step)
      case "branch":
        return this.#branch(step)
    }
  }

  // --- Groups --------------------------------------------------------------------------------------------------------

  async #createGroup(creator: string, members: readonly string[]): Promise<undefined> {
    this.#groupId = utf8(`group ${randomBytes(8).toString("hex")}`)
    const { stateId } = await this.#of(creator).call("CreateGroup", {
      groupId: this.#groupId,
      cipherSuite: this.#suite,
      encryptHandshake: this.#cast.encryptHandshake,
      identity: utf8(creator),
    })
    this.#states.set(creator, stateId)
    if (members.length === 0) return
    const values: Description[] = []
    for (const member of members) {
      const keyPackage = await this.#newKeyPackage(member)
      values.push({ ...empty, proposalType: utf8("add"), keyPackage })
    }
    const request = { stateId, byReference: [], byValue: values, forcePath: false, externalTree: false }
    const { welcome } = await this.#of(creator).call("Commit", request)
    const agreed = await this.#applyPending(creator)
    for (const member of members) await this.#join(member, welcome, nothing, agreed)
  }

  async #newKeyPackage(actor: string): Promise<Uint8Array> {
    const request = { cipherSuite: this.#suite, identity: utf8(actor) }
    const { transactionId, keyPackage } = await this.#of(actor).call("CreateKeyPackage", request)
    this.#transactions.set(actor, transactionId)
    return keyPackage
  }

  async #join(actor: string, welcome: Uint8Array, ratchetTree: Uint8Array, agreed: Agreed): Promise<void> {
    const entered = await this.#of(actor).call("JoinGroup", {
      transactionId: this.#transactions.get(actor)!,
      welcome,
      encryptHandshake: this.#cast.encryptHandshake,
      ratchetTree,
    })
    await this.#entered(actor, entered, agreed)
  }

  async #applyPending(actor: string): Promise<Agreed> {
    const entered = await this.#of(actor).call("HandlePendingCommit", this.#state(actor))
    this.#states.set(actor, entered.stateId)
    return { by: actor, authenticator: entered.epochAuthenticator }
  }

  /**
   * Whether the actor is in the epoch of the others; where one of the two does not tell the authenticator, the exporter
   * has to agree.
   */
  async #entered(
    actor: string,
    entered: { readonly stateId: number; readonly epochAuthenticator: Uint8Array },
    agreed: Agreed,
  ): Promise<void> {
    this.#states.set(actor, entered.stateId)
    if (entered.epochAuthenticator.length > 0 && agreed.authenticator.length > 0) {
      requireEqual(entered.epochAuthenticator, agreed.authenticator, `${actor}'s authenticator`)
      return
    }
    const [own, other] = [await this.#exported(actor), await this.#exported(agreed.by)]
    requireEqual(own, other, `${actor}'s exporter`)
  }

  async #exported(actor: string): Promise<Uint8Array> {
    const request = { ...this.#state(actor), label: "agreement", context: nothing, keyLength: 32 }
    return (await this.#of(actor).call("Export", request)).exportedSecret
  }

  // --- Proposals and commits -----------------------------------------------------------------------------------------

  async #propose(actor: string, proposed: Proposed): Promise<Uint8Array> {
    const answering = this.#of(actor)
    const state = this.#state(actor)
    const call = async () => {
      switch (proposed.type) {
        case "add":
          return answering.call("AddProposal", { ...state, keyPackage: this.#from(proposed.keyPackage, "keyPackage") })
        case "update":
          return answering.call("UpdateProposal", state)
        case "remove":
          return answering.call("RemoveProposal", { ...state, removedId: utf8(proposed.member) })
        case "externalPSK":
          return answering.call("ExternalPSKProposal", { ...state, pskId: this.#from(proposed.psk, "pskId") })
        case "resumptionPSK":
          return answering.call("ResumptionPSKProposal", { ...state, epochId: `${proposed.epoch}` })
        case "groupContextExtensions":
          return answering.call("GroupContextExtensionsProposal", { ...state, extensions: proposed.extensions })
        case "reinit":
          return answering.call("ReInitProposal", { ...state, ...this.#renewed(proposed) })
      }
    }
    return (await call()).proposal
  }

  #described(proposed: Proposed): Description {
    const base = { ...empty, proposalType: utf8(proposed.type) }
    switch (proposed.type) {
      case "add":
        return { ...base, keyPackage: this.#from(proposed.keyPackage, "keyPackage") }
      case "remove":
        return { ...base, removedId: utf8(proposed.member) }
      case "externalPSK":
        return { ...base, pskId: this.#from(proposed.psk, "pskId") }
      case "resumptionPSK":
        return { ...base, epochId: `${proposed.epoch}` }
      case "groupContextExtensions":
        return { ...base, extensions: proposed.extensions }
      case "reinit":
        return { ...base, ...this.#renewed(proposed) }
      case "update":
        throw new TypeError("an Update by value")
    }
  }

  #renewed({ otherSuite, otherId, extensions = [] }: Pick<Extract<Step, { do: "reinit" }>, keyof Renewed>) {
    if (otherSuite) {
      if (this.#cast.otherSuite === undefined) throw unable("everybody has one cipher suite only")
      this.#suite = this.#cast.otherSuite
    }
    const groupId = otherId ? utf8(`${Buffer.from(this.#groupId)}++`) : this.#groupId
    return { cipherSuite: this.#suite, groupId, extensions }
  }

  async #commit(step: Extract<Step, { do: "commit" }>): Promise<Made> {
    const { by, refs = [], values = [], members = [], joiners = [], path = false, treeBeside = false } = step
    const byReference = refs.map((ref) => this.#from(ref, "proposal"))
    const { commit, welcome, ratchetTree } = await this.#of(by).call("Commit", {
      ...this.#state(by),
      byReference,
      byValue: values.map((value) => this.#described(value)),
      forcePath: path,
      externalTree: treeBeside,
    })
    const agreed = await this.#applyPending(by)
    for (const member of members) await this.#receive(member, commit, byReference, agreed)
    for (const joiner of joiners) await this.#join(joiner, welcome, treeBeside ? ratchetTree : nothing, agreed)
    return {}
  }

  async #receive(actor: string, commit: Uint8Array, proposal: readonly Uint8Array[], agreed: Agreed) {
    const entered = await this.#of(actor).call("HandleCommit", { ...this.#state(actor), proposal, commit })
    await this.#entered(actor, entered, agreed)
  }

  async #storePsk(clients: readonly string[]): Promise<Made> {
    const pskId = new Uint8Array(randomBytes(32))
    const pskSecret = new Uint8Array(randomBytes(32))
    for (const client of clients) {
      const stateOrTransactionId = this.#states.get(client) ?? this.#transactions.get(client) ?? 0
      await this.#of(client).call("StorePSK", { stateOrTransactionId, pskId, pskSecret })
    }
    return { pskId, pskSecret }
  }

  // --- Messages ------------------------------------------------------------------------------------------------------

  async #protect({ by, text, authenticated }: Extract<Step, { do: "protect" }>): Promise<Made> {
    const message = { authenticatedData: utf8(authenticated), plaintext: utf8(text) }
    const { ciphertext } = await this.#of(by).call("Protect", { ...this.#state(by), ...message })
    return { ...message, ciphertext }
  }

  async #unprotect({ by, message }: Extract<Step, { do: "unprotect" }>): Promise<undefined> {
    const ciphertext = this.#from(message, "ciphertext")
    const opened = await this.#of(by).call("Unprotect", { ...this.#state(by), ciphertext })
    requireEqual(opened.plaintext, this.#from(message, "plaintext"), "the plaintext")
    requireEqual(opened.authenticatedData, this.#from(message, "authenticatedData"), "the authenticated data")
  }

  // --- From outside --------------------------------------------------------------------------------------------------

  async #externalJoin(step: Extract<Step, { do: "externalJoin" }>): Promise<undefined> {
    const { by, joiner, members = [], treeBeside = false, replaceSelf = false, psks = [] } = step
    const info = await this.#of(by).call("GroupInfo", { ...this.#state(by), externalTree: treeBeside })
    const joined = await this.#of(joiner).call("ExternalJoin", {
      ...info,
      encryptHandshake: this.#cast.encryptHandshake,
      identity: utf8(joiner),
      removePrior: replaceSelf,
      psks: psks.map((psk) => ({ pskId: this.#from(psk, "pskId"), pskSecret: this.#from(psk, "pskSecret") })),
    })
    this.#states.set(joiner, joined.stateId)
    const agreed = { by: joiner, authenticator: joined.epochAuthenticator }
    for (const member of [...members, by]) await this.#receive(member, joined.commit, [], agreed)
  }

  async #proposeOwnAdd(by: string, joiner: string): Promise<Made> {
    const { groupInfo } = await this.#of(by).call("GroupInfo", { ...this.#state(by), externalTree: false })
    const request = { groupInfo, identity: utf8(joiner) }
    const { transactionId, proposal } = await this.#of(joiner).call("NewMemberAddProposal", request)
    this.#transactions.set(joiner, transactionId)
    return { proposal }
  }

  async #addSigner(by: string, signer: string): Promise<Made> {
    const request = { cipherSuite: this.#suite, identity: utf8(signer) }
    const { signerId, externalSender } = await this.#of(signer).call("CreateExternalSigner", request)
    this.#signers.set(signer, signerId)
    const { proposal } = await this.#of(by).call("AddExternalSigner", { ...this.#state(by), externalSender })
    return { proposal }
  }

  async #outsideProposal({ by, member, change }: Extract<Step, { do: "outsideProposal" }>): Promise<Made> {
    const info = await this.#of(member).call("GroupInfo", { ...this.#state(member), externalTree: true })
    const { proposal } = await this.#of(by).call("ExternalSignerProposal", {
      ...info,
      signerId: this.#signers.get(by)!,
      signerIndex: 0,
      description: this.#described(change),
    })
    return { proposal }
  }

  // --- Groups that continue others -----------------------------------------------------------------------------------

  async #reinit(step: Extract<Step, { do: "reinit" }>): Promise<undefined> {
    const { proposer, committer, welcomer, members, path = false, treeBeside = false } = step
    const everybody = [...new Set([...(proposer ? [proposer] : []), committer, welcomer, ...members])]
    const proposal = proposer
      ? await this.#propose(proposer, { type: "reinit", ...step })
      : this.#from(step.proposal!, "proposal")
    const request = { byReference: [proposal], byValue: [], forcePath: false, externalTree: false }
    const { commit } = await this.#of(committer).call("ReInitCommit", { ...this.#state(committer), ...request })
    const ended = new Map<string, { reinitId: number; keyPackage: Uint8Array; epochAuthenticator: Uint8Array }>()
    ended.set(committer, await this.#of(committer).call("HandlePendingReInitCommit", this.#state(committer)))
    for (const member of everybody.filter((name) => name !== committer)) {
      const received = { ...this.#state(member), proposal: [proposal], commit }
      const answer = await this.#of(member).call("HandleReInitCommit", received)
      requireEqual(answer.epochAuthenticator, ended.get(committer)!.epochAuthenticator, `${member}'s authenticator`)
      ended.set(member, answer)
    }
    const others = everybody.filter((name) => name !== welcomer)
    const created = await this.#of(welcomer).call("ReInitWelcome", {
      reinitId: ended.get(welcomer)!.reinitId,
      keyPackage: others.map((name) => ended.get(name)!.keyPackage),
      forcePath: path,
      externalTree: treeBeside,
    })
    this.#states.set(welcomer, created.stateId)
    const welcome = { welcome: created.welcome, ratchetTree: treeBeside ? created.ratchetTree : nothing }
    for (const name of others) {
      const { reinitId } = ended.get(name)!
      const entered = await this.#of(name).call("HandleReInitWelcome", { reinitId, ...welcome })
      await this.#entered(name, entered, { by: welcomer, authenticator: created.epochAuthenticator })
    }
  }

  async #branch(step: Extract<Step, { do: "branch" }>): Promise<undefined> {
    const { by, members, extensions = [], path = false, treeBeside = false } = step
    const keyPackages: Uint8Array[] = []
    for (const member of members) keyPackages.push(await this.#newKeyPackage(member))
    const created = await this.#of(by).call("CreateBranch", {
      ...this.#state(by),
      groupId: utf8(`branch ${randomBytes(8).toString("hex")}`),
      extensions,
      keyPackages,
      forcePath: path,
      externalTree: treeBeside,
    })
    this.#states.set(by, created.stateId)
    const welcome = { welcome: created.welcome, ratchetTree: treeBeside ? created.ratchetTree : nothing }
    for (const member of members) {
      const before = this.#state(member)
      const transactionId = this.#transactions.get(member)!
      const entered = await this.#of(member).call("HandleBranch", { ...before, transactionId, ...welcome })
      await this.#entered(member, entered, { by, authenticator: created.epochAuthenticator })
      await this.#of(member).call("Free", before)
    }
  }

  // --- What was before -----------------------------------------------------------------------------------------------

  #of(actor: string): Answering {
    return this.#cast.of(actor)
  }

  #state(actor: string): Request<"StateAuth"> {
    const stateId = this.#states.get(actor)
    if (stateId === undefined) throw new RangeError(`${actor} is in no group`)
    return { stateId }
  }

  #from(step: number, what: string): Uint8Array {
    const bytes = this.#made[step]?.[what]
    if (bytes === undefined) throw new RangeError(`step ${step} has made no ${what}`)
    return bytes
  }
}

interface Renewed {
  readonly otherSuite?: boolean
  readonly otherId?: boolean
  readonly extensions?: unknown
}

const nothing = new Uint8Array(0)
const empty: Description = {
  proposalType: nothing,
  keyPackage: nothing,
  removedId: nothing,
  pskId: nothing,
  epochId: "0",
  extensions: [],
  groupId: nothing,
  cipherSuite: 0,
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

function requireEqual(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) !== 0) throw new Error(`${what} differs`)
}

function unable(reason: string): Error {
  const error = new Error(reason)
  error.name = "Unable"
  return error
}
