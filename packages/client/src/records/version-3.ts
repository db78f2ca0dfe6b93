import {
  decode,
  encode,
  enumeration,
  opaque,
  optional,
  struct,
  uint8,
  uint32,
  uint64,
  utf8,
  vector,
} from "@conclave/codec"
import type { SealedStore } from "../store/sealed.js"
import { OutlineHead, recordKeys } from "./records.js"
import { State4 } from "./version-4.js"

/** The records of a profile of version 3 that are others in version 4, as they were: nothing here ever changes. */

const Status3 = enumeration("Status3", 1, {
  creating: 1,
  active: 2,
  halted: 3,
  recovering: 4,
  lost: 5,
  leaving: 6,
  left: 7,
})
export const State3 = struct("State3", {
  version: uint8,
  status: Status3,
  title: utf8,
  reason: utf8,
  cursor: uint64,
  chainHash: opaque,
  lastCommit: optional(uint64),
  firstEpoch: uint64,
  nextWish: uint64,
  departures: vector(struct("Departure3", { leafIndex: uint32, since: uint64 })),
  titleDueSince: optional(uint64),
  missingSince: optional(uint64),
  laterEpoch: optional(uint64),
})
const STATE_VERSION_4 = 3

/** What version 3 took for possible, of every sender. */
const UNSEEN_BEFORE = 1_000

/**
 * Version 4 knows how many messages of the log this device has not seen. It may also store an event as a reference to a
 * message; events that version 3 has stored are valid in it.
 */
export async function fromVersion3(store: SealedStore): Promise<Map<string, Uint8Array>> {
  const changes = new Map<string, Uint8Array>()
  for (const [key, record] of await store.list(recordKeys.states)) {
    const outline = await store.get(recordKeys.outline(key.slice(recordKeys.states.length)))
    const unseen = outline === undefined ? [] : [{ epoch: decode(OutlineHead, outline).epoch, count: UNSEEN_BEFORE }]
    const state = { ...decode(State3, record), version: STATE_VERSION_4, unseen }
    changes.set(key, encode(State4, state))
  }
  return changes
}
