/**
 * One implementation of RFC 9420, seen so that all of them look alike: bytes in, bytes out, every call asynchronous
 * because most implementations are. What an implementation cannot do is a method that it lacks, or {@link Unable}.
 */
export interface Neighbour {
  readonly name: string
  readonly version: string
  /** Cipher suites by number. */
  readonly suites: readonly number[]
  client(identity: string, suite: number, options?: ClientOptions): Promise<NeighbourClient>
}

export interface ClientOptions {
  /** By default `private`. */
  readonly handshake?: "private" | "public"
}

/** An identity with a signature key. It belongs to one cipher suite. */
export interface NeighbourClient {
  readonly identity: string
  readonly suite: number
  /** How the handshake messages of the groups travel that this client creates or joins from now on. */
  handshake: "private" | "public"
  /**
   * MLSMessage with a new KeyPackage. Where `like` is given, capabilities and lifetime are those of that one, as far as
   * the implementation lets us choose them.
   */
  keyPackage(like?: Uint8Array): Promise<Uint8Array>
  /** Those of the last key package. */
  privateKeys?(): PrivateKeys
  create(groupId: Uint8Array, extensions?: readonly NeighbourExtension[]): Promise<NeighbourGroup>
  /** Joins with one of the key packages of this client. */
  join(welcome: Uint8Array, ratchetTree?: Uint8Array): Promise<NeighbourGroup>
  storePsk?(id: Uint8Array, secret: Uint8Array): void
  /** RFC 9420 §12.4.3.2. */
  joinExternally?(way: ExternalWay): Promise<{ readonly group: NeighbourGroup; readonly commit: Uint8Array }>
  /** RFC 9420 §12.1.8: proposes its own last key package, or a new one, to a group in which it is not. */
  proposeOwnAdd?(groupInfo: Uint8Array): Promise<Uint8Array>
  /** RFC 9420 §11.2, §11.3: a group that continues `parent`, of this client and of whose the key packages are. */
  continueGroup?(parent: NeighbourGroup, wanted: Continuation): Promise<NewGroup>
  joinContinuation?(
    parent: NeighbourGroup,
    kind: Continuation["kind"],
    welcome: Uint8Array,
    ratchetTree?: Uint8Array,
  ): Promise<NeighbourGroup>
  /** An ExternalSender (RFC 9420 §12.1.8.1) with this client's credential and signature key. */
  externalSender?(): Uint8Array
  /** RFC 9420 §12.1.8, as the sender that the GroupInfo's group lists with this client's key. */
  proposeFromOutside?(groupInfo: Uint8Array, change: OutsideChange): Promise<Uint8Array>
}

/** One client's view of one group. Exactly {@link applyPending} and the receipt of a commit move it on. */
export interface NeighbourGroup {
  readonly id: Uint8Array
  readonly epoch: bigint
  readonly extensions?: readonly NeighbourExtension[]
  members?(): readonly { readonly leafIndex: number; readonly identity: string }[]
  /** RFC 9420 §8.7. */
  authenticator?(): Promise<Uint8Array>
  exportSecret(label: string, context: Uint8Array, length: number): Promise<Uint8Array>
  encrypt(plaintext: Uint8Array, authenticatedData?: Uint8Array): Promise<Uint8Array>
  propose?(change: Change): Promise<Uint8Array>
  /** Everything received and `changes`, by value; the commit is pending until it is applied. */
  commit(changes: readonly Change[], options?: CommitOptions): Promise<NewCommit>
  applyPending(): Promise<void>
  /** Forgets the pending commit. */
  discardPending?(): void
  /** The value of a `ratchet_tree` extension. */
  ratchetTree?(): Promise<Uint8Array>
  /** Takes in one MLSMessage; a commit is applied. */
  receive(message: Uint8Array): Promise<NeighbourReceived>
  groupInfo?(treeBeside: boolean): Promise<{ readonly groupInfo: Uint8Array; readonly ratchetTree?: Uint8Array }>
  /** Of the ReInit that ended the group. */
  readonly reInit?:
    | { readonly groupId: Uint8Array; readonly suite: number; readonly extensions: readonly NeighbourExtension[] }
    | undefined
}

export type Change =
  | { readonly type: "add"; readonly keyPackage: Uint8Array }
  | { readonly type: "update" }
  | { readonly type: "remove"; readonly leafIndex: number }
  | { readonly type: "externalPsk"; readonly id: Uint8Array }
  | { readonly type: "resumptionPsk"; readonly epoch: bigint }
  | { readonly type: "extensions"; readonly extensions: readonly NeighbourExtension[] }
  | {
      readonly type: "reInit"
      readonly groupId: Uint8Array
      readonly suite: number
      readonly extensions: readonly NeighbourExtension[]
    }

export type OutsideChange = Exclude<Change, { type: "update" }>

export interface NeighbourExtension {
  readonly extensionType: number
  readonly extensionData: Uint8Array
}

export interface CommitOptions {
  /** Whether there is to be an UpdatePath even if no proposal needs one. */
  readonly forcePath?: boolean
  /** Whether the tree is to come beside the Welcome. */
  readonly treeBeside?: boolean
}

export interface NewCommit {
  /** Proposals that other members have to receive before the commit. */
  readonly proposals?: readonly Uint8Array[]
  readonly commit: Uint8Array
  readonly welcome?: Uint8Array | undefined
  /** Where it was asked for beside the Welcome. */
  readonly ratchetTree?: Uint8Array | undefined
  /** The Welcome has no tree inside although none was asked for beside it. */
  readonly treeMissing?: boolean
}

export interface NewGroup extends Omit<NewCommit, "commit"> {
  readonly group: NeighbourGroup
}

export interface ExternalWay {
  readonly groupInfo: Uint8Array
  readonly ratchetTree?: Uint8Array | undefined
  /** Removes the member with this client's credential. */
  readonly replaceSelf?: boolean
  /** Names of external keys to mix in, which the client has stored. */
  readonly psks?: readonly Uint8Array[]
}

export interface Continuation extends CommitOptions {
  readonly kind: "reinit" | "branch"
  readonly groupId: Uint8Array
  readonly extensions: readonly NeighbourExtension[]
  readonly keyPackages: readonly Uint8Array[]
}

export interface PrivateKeys {
  readonly init: Uint8Array
  readonly encryption: Uint8Array
  readonly signature: Uint8Array
}

export type NeighbourReceived =
  | { readonly type: "application"; readonly plaintext: Uint8Array; readonly authenticatedData?: Uint8Array }
  | { readonly type: "proposal" }
  | { readonly type: "commit" }
  | { readonly type: "ignored" }

/** The implementation offers no way to do this. */
export class Unable extends Error {
  override readonly name = "Unable"
}
