import {
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
import { noAccess } from "@conclave/contracts/access"
import { deliveryRequests } from "@conclave/contracts/delivery"
import type { SealedStore } from "../store/sealed.js"
import { ConversationState, type Outgoing, OutlineNodes, recordKeys, StoredEvent, Wish } from "./records.js"

/** The records of a profile of version 4 that are others in version 5, as they were: nothing here ever changes. */

const Status4 = enumeration("Status4", 1, {
  creating: 1,
  active: 2,
  halted: 3,
  recovering: 4,
  lost: 5,
  leaving: 6,
  left: 7,
})
export const State4 = struct("State4", {
  version: uint8,
  status: Status4,
  title: utf8,
  reason: utf8,
  cursor: uint64,
  chainHash: opaque,
  lastCommit: optional(uint64),
  firstEpoch: uint64,
  nextWish: uint64,
  departures: vector(struct("Departure4", { leafIndex: uint32, since: uint64 })),
  titleDueSince: optional(uint64),
  missingSince: optional(uint64),
  laterEpoch: optional(uint64),
  unseen: vector(struct("Unseen4", { epoch: uint64, count: uint32 })),
})
const STATE_VERSION_5 = 4

const OutlineNodes4 = vector(
  union("OutlineNode4", "kind", enumeration("OutlineKind4", 1, { blank: 1, leaf: 2, parent: 3 }), {
    blank: {},
    leaf: { name: utf8, signatureKey: opaque },
    parent: { unmergedLeaves: vector(uint32) },
  }),
)

const EVENT_KIND_RECOVERED = 12
const Recovered4 = struct("Recovered4", { kind: uint8, conversation: opaque, reason: utf8 })

export const OutgoingCommit4 = struct("OutgoingCommit4", {
  purpose: enumeration("CommitPurpose4", 1, { wishes: 1, rejoin: 2 }),
  outgoing: struct("Outgoing4", { epoch: uint64, body: opaque, request: opaque }),
  wishes: vector(uint64),
  reason: utf8,
  by: utf8,
})

/** Requests of version 2 of the Delivery Service's contract, as they were stored, behind the byte with their version. */
const CommitParts4 = struct("CommitParts4", {
  welcome: opaque,
  recipients: vector(struct("WelcomeFor4", { deviceId: opaque })),
  ratchetTree: optional(opaque),
  groupInfo: opaque,
})
const Request4 = union("Request4", "request", enumeration("RequestKind4", 1, { createGroup: 4, append: 5 }), {
  createGroup: { groupId: opaque, idempotencyId: opaque, groupInfo: opaque, ratchetTree: optional(opaque) },
  append: {
    groupId: opaque,
    idempotencyId: opaque,
    kind: enumeration("EntryKind4", 1, { application: 1, proposal: 2, commit: 3 }),
    epoch: uint64,
    body: opaque,
    commit: optional(CommitParts4),
    after: uint64,
  },
})
type Request4 = TypeOf<typeof Request4>
const VERSION_BYTE = 0x82

/** For migrations to version 4. */
export function encodeRequest4(request: Request4): Uint8Array {
  const encoded = encode(Request4, request)
  const versioned = new Uint8Array(1 + encoded.length)
  versioned[0] = VERSION_BYTE
  versioned.set(encoded, 1)
  return versioned
}

/**
 * Version 5 knows the intervals of a conversation, of which those from before have none, and since which each leaf is in
 * the tree. Nobody comes back by an external commit any more, and no commit without the key of its interval is sent: those
 * that were under way are made again. Its requests are of version 3 of the Delivery Service's contract.
 */
export async function fromVersion4(store: SealedStore): Promise<Changes4> {
  const put = new Map<string, Uint8Array>()
  const forget = new Set<string>()
  const change = <T>(key: string, codec: Codec<T>, value: T) => put.set(key, encode(codec, value))
  for (const [key, record] of await store.list(recordKeys.events)) {
    if (record[0] !== EVENT_KIND_RECOVERED) continue
    change(key, StoredEvent, { ...decode(Recovered4, record), type: "recovered", by: "" })
  }
  for (const [key, record] of await store.list(recordKeys.states)) {
    const { laterEpoch: _, ...state } = decode(State4, record)
    const id = key.slice(recordKeys.states.length)
    change(key, ConversationState, {
      ...state,
      version: STATE_VERSION_5,
      stuckAt: undefined,
      renewalDue: false,
      leafSince: 0n,
      hasSpoken: true,
      knockLeaves: [],
      head: undefined,
      headAt: 0n,
      joinedAt: 0n,
      keptNext: 0,
      rewoundAt: undefined,
      shift: 0n,
      epochFloor: undefined,
    })
    for (const [part, nodes] of await store.list(recordKeys.outlineNodes(id))) {
      const leaves = decode(OutlineNodes4, nodes).map((it) => (it.type === "leaf" ? { ...it, since: 0 } : it))
      change(part, OutlineNodes, leaves)
    }
    for (const [wishKey, wish] of await store.list(recordKeys.wishes(id))) {
      const changed = wishOf(decode(Wish, wish))
      if (changed !== undefined) change(wishKey, Wish, changed)
    }
    if ((await store.get(recordKeys.commit(id))) !== undefined) forget.add(recordKeys.commit(id))
    for (const [rejoin] of await store.list(`conversation/${id}/rejoin/`)) forget.add(rejoin)
  }
  return { put, delete: forget }
}

interface Changes4 {
  readonly put: Map<string, Uint8Array>
  readonly delete: ReadonlySet<string>
}

function wishOf(wish: Wish): Wish | undefined {
  if (wish.type === "create") return { ...wish, request: requestOf(wish.request) }
  if (!("outgoing" in wish) || wish.outgoing === undefined) return undefined
  return { ...wish, outgoing: outgoingOf(wish.outgoing) }
}

function outgoingOf({ epoch, body, request }: Outgoing): Outgoing {
  return { epoch, body, request: requestOf(request) }
}

/** Of a group that is to be created, the idempotency id: the request is made when its key is known. */
function requestOf(bytes: Uint8Array): Uint8Array {
  const request = decode(Request4, bytes.subarray(1))
  if (request.type === "createGroup") return request.idempotencyId
  return deliveryRequests.encode({ ...request, commit: undefined, access: noAccess })
}
