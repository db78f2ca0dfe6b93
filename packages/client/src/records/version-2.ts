import {
  boolean,
  type Codec,
  decode,
  encode,
  enumeration,
  opaque,
  optional,
  struct,
  type TypeOf,
  uint8,
  uint32,
  uint64,
  union,
  utf8,
  vector,
} from "@conclave/codec"
import type { SealedStore } from "../store/sealed.js"
import { type Outgoing, recordKeys, StoredEvent, StoredKeyPackage, Wish } from "./records.js"
import { State3 } from "./version-3.js"
import { encodeRequest4, OutgoingCommit4 } from "./version-4.js"

/** The records of a profile of version 2 that are others in version 3, as they were: nothing here ever changes. */

const KeyPackage2 = struct("KeyPackage2", { bundle: opaque, lastResort: boolean, published: boolean, notAfter: uint64 })

const EVENT_KIND_MEMBERS = 5
const EVENT_KIND_REJECTED = 10
const Members2 = struct("Members2", {
  kind: uint8,
  conversation: opaque,
  by: utf8,
  added: vector(utf8),
  removed: vector(utf8),
})
const Rejected2 = struct("Rejected2", { kind: uint8, conversation: optional(opaque), code: utf8, reason: utf8 })

const Status2 = enumeration("Status2", 1, {
  creating: 1,
  active: 2,
  halted: 3,
  recovering: 4,
  lost: 5,
  leaving: 6,
  left: 7,
})
const State2 = struct("State2", {
  version: uint8,
  status: Status2,
  title: utf8,
  reason: utf8,
  cursor: uint64,
  chainHash: opaque,
  firstEpoch: uint64,
  nextWish: uint64,
  departures: vector(struct("Departure2", { leafIndex: uint32, since: uint64 })),
  titleDueSince: optional(uint64),
})
const STATE_VERSION_3 = 2

const OutgoingCommit2 = struct("OutgoingCommit2", {
  purpose: enumeration("CommitPurpose2", 1, { wishes: 1, rejoin: 2 }),
  outgoing: struct("Outgoing2", { epoch: uint64, body: opaque, request: opaque }),
  wishes: vector(uint64),
  reason: utf8,
})

/** Requests of version 1 of the Delivery Service's contract, as they were stored. */
const CommitParts2 = struct("CommitParts2", {
  welcome: opaque,
  recipients: vector(struct("WelcomeFor2", { deviceId: opaque })),
  ratchetTree: optional(opaque),
  groupInfo: opaque,
  accessKey: opaque,
  barrier: boolean,
})
const Request2 = union("Request2", "request", enumeration("RequestKind2", 1, { createGroup: 4, append: 5 }), {
  createGroup: {
    groupId: opaque,
    idempotencyId: opaque,
    groupInfo: opaque,
    ratchetTree: optional(opaque),
    accessKey: opaque,
  },
  append: {
    groupId: opaque,
    idempotencyId: opaque,
    kind: enumeration("EntryKind2", 1, { application: 1, proposal: 2, commit: 3 }),
    epoch: uint64,
    body: opaque,
    commit: optional(CommitParts2),
  },
})

/**
 * Version 3 knows when a last resort was replaced, how often something was rejected, who left and who came back, and
 * where a conversation's last commit is; its requests are of version 2 of the Delivery Service's contract.
 */
export async function fromVersion2(store: SealedStore): Promise<Map<string, Uint8Array>> {
  const changes = new Map<string, Uint8Array>()
  const change = <T>(key: string, codec: Codec<T>, value: T) => changes.set(key, encode(codec, value))
  for (const [key, record] of await store.list(recordKeys.keyPackages)) {
    change(key, StoredKeyPackage, { ...decode(KeyPackage2, record), keptUntil: undefined })
  }
  for (const [key, record] of await store.list(recordKeys.events)) {
    const event = eventOf(record)
    if (event !== undefined) change(key, StoredEvent, event)
  }
  for (const [key, record] of await store.list(recordKeys.states)) {
    const state = { ...decode(State2, record), version: STATE_VERSION_3 }
    const unknown = { lastCommit: undefined, missingSince: undefined, laterEpoch: undefined }
    change(key, State3, { ...state, ...unknown })
    await changeWishes(store, key.slice(recordKeys.states.length), change)
  }
  return changes
}

function eventOf(record: Uint8Array): StoredEvent | undefined {
  if (record[0] === EVENT_KIND_REJECTED) return { ...decode(Rejected2, record), type: "rejected", count: 1 }
  if (record[0] !== EVENT_KIND_MEMBERS) return undefined
  return { ...decode(Members2, record), type: "members", left: [], rejoined: [] }
}

async function changeWishes(
  store: SealedStore,
  id: string,
  change: <T>(key: string, codec: Codec<T>, value: T) => void,
): Promise<void> {
  for (const [key, record] of await store.list(recordKeys.wishes(id))) {
    const wish = decode(Wish, record)
    if (wish.type === "create") change(key, Wish, { ...wish, request: requestOf(wish.request) })
    else if ("outgoing" in wish && wish.outgoing !== undefined) {
      change(key, Wish, { ...wish, outgoing: outgoingOf(wish.outgoing) })
    }
  }
  const key = recordKeys.commit(id)
  const record = await store.get(key)
  if (record === undefined) return
  const commit: TypeOf<typeof OutgoingCommit2> = decode(OutgoingCommit2, record)
  change(key, OutgoingCommit4, { ...commit, outgoing: outgoingOf(commit.outgoing), by: "" })
}

function outgoingOf({ epoch, body, request }: Outgoing): Outgoing {
  return { epoch, body, request: requestOf(request) }
}

/** Where its place in the log is not known, the service says so, and it is moved there. */
function requestOf(bytes: Uint8Array): Uint8Array {
  const request = decode(Request2, bytes)
  return encodeRequest4(request.type === "createGroup" ? request : { ...request, after: 0n })
}
