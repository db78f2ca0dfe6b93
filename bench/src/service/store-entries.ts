import type { NewEntry, Store } from "@conclave/delivery/store"
import { random, sha256 } from "@conclave/testing/delivery"
import { numberedMessage } from "./requests.js"
import { perSecond } from "./rounds.js"

/** Of a group that is made in a store alone. */
export interface BareGroup {
  readonly groupId: Uint8Array
  readonly key: Uint8Array
}

/** Whoever asks is known and may do it. */
const admitted = () => undefined

export async function createBareGroups(store: Store, count: number): Promise<BareGroup[]> {
  const groups = Array.from({ length: count }, () => ({ groupId: random(32), key: random(32) }))
  await perSecond({ writers: AT_A_TIME, count }, async (index) => {
    const { groupId, key } = groups[index]!
    await store.createGroup({
      groupId,
      idempotencyId: random(16),
      requestHash: random(32),
      accessKey: key,
      at: BigInt(Date.now()),
      admit: admitted,
    })
  })
  return groups
}

const AT_A_TIME = 32

/** A message as the service gives it to a store. */
export function entryOf({ groupId, key }: BareGroup): NewEntry {
  const body = numberedMessage(groupId, 0)
  return {
    groupId,
    key,
    permit: admitted,
    idempotencyId: random(16),
    requestHash: sha256(body),
    kind: "application",
    epoch: 0n,
    body,
    at: BigInt(Date.now()),
    after: 0n,
    pastCommitsMax: 6,
    commit: undefined,
    admit: admitted,
  }
}

export async function storedAppend(store: Store, entry: NewEntry): Promise<void> {
  const { type } = await store.append(entry)
  if (type !== "accepted") throw new Error(`an append: ${type}`)
}
