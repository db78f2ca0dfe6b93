/// <reference lib="esnext.disposable" preserve="true" />
import type { PushKind } from "@conclave/contracts/delivery"
import type { GroupPage, Refusal, Swept } from "./store.js"

/**
 * Who wants to be woken for what group, and where. Whole operations, each done entirely or not at all, and durable before
 * its promise resolves. Every implementation passes the same suite of tests.
 */
export interface PushStore extends AsyncDisposable {
  /** One with the same id and group is replaced, where its removal hash is the same. */
  register(registration: NewRegistration): Promise<{ readonly type: "registered" | "idReused" } | Refusal>
  /** Where the hash of the removal token is right. */
  remove(asked: RegistrationName & { readonly removal: Uint8Array }): Promise<{
    readonly type: "removed" | "wrongToken" | "none"
  }>
  /** Those of a group that last at `at`. */
  ofGroup(asked: { readonly groupId: Uint8Array; readonly at: bigint }): Promise<readonly Registration[]>
  /**
   * Of these, the ids of those that are there in the same version, were not told as far, and were not claimed since `before`:
   * they are now, at `at`. Of two gateways that ask at once, one gets each.
   */
  claim(asked: Claiming): Promise<readonly Uint8Array[]>
  /** Those of them that were not registered again since. */
  forget(asked: { readonly groupId: Uint8Array; readonly registrations: readonly Versioned[] }): Promise<void>
  /** Groups that have registrations, in the order of their ids, after `after`. */
  groups(asked: GroupPage): Promise<readonly Uint8Array[]>
  /** Deletes for good all registrations of a group, and that it is due. */
  deleteOfGroup(groupId: Uint8Array): Promise<Swept>
  /** Keeps that a group with registrations is due since `at`, where it is not due already: a gateway may end before it tells. */
  mark(asked: { readonly groupId: Uint8Array; readonly at: bigint }): Promise<void>
  /** Groups that are due since `before` or earlier, the longest first. */
  due(asked: { readonly before: bigint; readonly limit: number }): Promise<readonly Uint8Array[]>
  /** The group is not due any more, unless it is since later than `at`. */
  settle(asked: { readonly groupId: Uint8Array; readonly at: bigint }): Promise<void>
  /** Deletes what lasts no longer at `at`, at most `rowsMax` of it. */
  sweep(due: { readonly at: bigint; readonly rowsMax: number }): Promise<Swept>
}

export interface RegistrationName {
  readonly groupId: Uint8Array
  /** 16 bytes. */
  readonly id: Uint8Array
}

/** A registration as it was when it was read. */
export interface Versioned {
  readonly id: Uint8Array
  /** 8 bytes, others for each time that it is registered. */
  readonly version: Uint8Array
}

export interface Registration extends PushTarget, RegistrationName, Versioned {
  /** The access key that it was proved with; `undefined` in a group that has none. */
  readonly key: Uint8Array | undefined
  /** Unix time in milliseconds. */
  readonly until: bigint
  /** The last entry of the log that its endpoint was told of; of a new one, the head. Stays when it is registered again. */
  readonly toldUpTo: bigint
}

/** Where to, as the client has said it. */
export interface PushTarget {
  readonly kind: PushKind
  readonly endpoint: string
  /** Whatever else the endpoint needs to be told: keys of Web Push (RFC 8291) for one. Opaque to the service. */
  readonly parameters: Uint8Array
}

export interface NewRegistration extends Registration {
  /** SHA-256 of the removal token. */
  readonly removal: Uint8Array
  /** 8 bytes, the same for the same requester. */
  readonly sender: Uint8Array
  readonly at: bigint
  /** Asked with how many others there are that last. Synchronous. */
  admit(others: { readonly ofGroup: number; readonly ofSender: number }): Refusal | undefined
}

export interface Claiming {
  readonly groupId: Uint8Array
  /** What each is told of now. */
  readonly told: readonly (Versioned & { readonly upTo: bigint })[]
  readonly at: bigint
  readonly before: bigint
}
