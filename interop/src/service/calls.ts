/** The calls of `proto/mls-client.proto` as its loader hands them over: what is absent is empty, 0 or `false`. */
export interface Calls {
  Name(request: object): { name: string }
  SupportedCiphersuites(request: object): { ciphersuites: readonly number[] }

  CreateGroup(request: { groupId: Uint8Array; cipherSuite: number; encryptHandshake: boolean; identity: Uint8Array }): {
    stateId: number
  }
  CreateKeyPackage(request: { cipherSuite: number; identity: Uint8Array }): NewTransaction & { keyPackage: Uint8Array }
  JoinGroup(request: WelcomeFields & { transactionId: number; encryptHandshake: boolean }): Entered
  ExternalJoin(
    request: GroupFields & {
      encryptHandshake: boolean
      identity: Uint8Array
      removePrior: boolean
      psks: readonly { pskId: Uint8Array; pskSecret: Uint8Array }[]
    },
  ): Entered & { commit: Uint8Array }

  GroupInfo(request: State & { externalTree: boolean }): GroupFields
  StateAuth(request: State): { stateAuthSecret: Uint8Array }
  Export(request: State & { label: string; context: Uint8Array; keyLength: number }): { exportedSecret: Uint8Array }
  Protect(request: State & { authenticatedData: Uint8Array; plaintext: Uint8Array }): { ciphertext: Uint8Array }
  Unprotect(request: State & { ciphertext: Uint8Array }): { authenticatedData: Uint8Array; plaintext: Uint8Array }
  StorePSK(request: { stateOrTransactionId: number; pskId: Uint8Array; pskSecret: Uint8Array }): object

  AddProposal(request: State & { keyPackage: Uint8Array }): Proposed
  UpdateProposal(request: State): Proposed
  RemoveProposal(request: State & { removedId: Uint8Array }): Proposed
  ExternalPSKProposal(request: State & { pskId: Uint8Array }): Proposed
  ResumptionPSKProposal(request: State & { epochId: string }): Proposed
  GroupContextExtensionsProposal(request: State & { extensions: readonly ExtensionFields[] }): Proposed

  Commit(request: CommitFields): Committed
  HandleCommit(request: CommitReceived): Entered
  HandlePendingCommit(request: State): Entered

  ReInitProposal(
    request: State & { cipherSuite: number; groupId: Uint8Array; extensions: readonly ExtensionFields[] },
  ): Proposed
  ReInitCommit(request: CommitFields): Committed
  HandlePendingReInitCommit(request: State): Reinitialised
  HandleReInitCommit(request: CommitReceived): Reinitialised
  ReInitWelcome(
    request: { reinitId: number; keyPackage: readonly Uint8Array[] } & CommitManner,
  ): Entered & WelcomeFields
  HandleReInitWelcome(request: WelcomeFields & { reinitId: number }): Entered

  CreateBranch(
    request: State &
      CommitManner & {
        groupId: Uint8Array
        extensions: readonly ExtensionFields[]
        keyPackages: readonly Uint8Array[]
      },
  ): Entered & WelcomeFields
  HandleBranch(request: State & WelcomeFields & { transactionId: number }): Entered

  NewMemberAddProposal(request: { groupInfo: Uint8Array; identity: Uint8Array }): NewTransaction & Proposed
  CreateExternalSigner(request: { cipherSuite: number; identity: Uint8Array }): {
    signerId: number
    externalSender: Uint8Array
  }
  AddExternalSigner(request: State & { externalSender: Uint8Array }): Proposed
  ExternalSignerProposal(
    request: GroupFields & { signerId: number; signerIndex: number; description: Description },
  ): Proposed

  Free(request: State): object
}

export type CallName = keyof Calls
export type Request<N extends CallName> = Parameters<Calls[N]>[0]
export type Response<N extends CallName> = ReturnType<Calls[N]>

/** Somebody who answers the calls: in this process, or behind a socket. */
export interface Answering {
  call<N extends CallName>(name: N, request: Request<N>): Promise<Response<N>>
}

interface State {
  stateId: number
}
interface Entered extends State {
  epochAuthenticator: Uint8Array
}
interface NewTransaction {
  transactionId: number
  initPriv: Uint8Array
  encryptionPriv: Uint8Array
  signaturePriv: Uint8Array
}
interface WelcomeFields {
  welcome: Uint8Array
  ratchetTree: Uint8Array
}
interface GroupFields {
  groupInfo: Uint8Array
  ratchetTree: Uint8Array
}
interface Proposed {
  proposal: Uint8Array
}
export interface ExtensionFields {
  extensionType: number
  extensionData: Uint8Array
}
interface CommitManner {
  forcePath: boolean
  externalTree: boolean
}
interface CommitFields extends State, CommitManner {
  byReference: readonly Uint8Array[]
  byValue: readonly Description[]
}
interface Committed extends WelcomeFields {
  commit: Uint8Array
}
interface CommitReceived extends State {
  proposal: readonly Uint8Array[]
  commit: Uint8Array
}
interface Reinitialised {
  reinitId: number
  keyPackage: Uint8Array
  epochAuthenticator: Uint8Array
}
export interface Description {
  proposalType: Uint8Array
  keyPackage: Uint8Array
  removedId: Uint8Array
  pskId: Uint8Array
  epochId: string
  extensions: readonly ExtensionFields[]
  groupId: Uint8Array
  cipherSuite: number
}
