import type { AuthIntake, AuthSource } from "@conclave/auth/store"
import { equalBytes } from "@conclave/crypto"
import type { DeliveryIntake, DeliverySource, GroupHead } from "@conclave/delivery/store"
import { Failure } from "./failure.js"
import { words } from "./words/words.js"

export interface MovedFrom {
  readonly delivery: DeliverySource
  readonly auth: AuthSource
}

export interface MovedTo {
  readonly delivery: DeliveryIntake
  readonly auth: AuthIntake
}

/** How many records there are of each type. */
export type MovedCounts = Awaited<ReturnType<DeliverySource["counts"]>> & Awaited<ReturnType<AuthSource["counts"]>>

export const countsOf = async ({ delivery, auth }: MovedFrom | MovedTo): Promise<MovedCounts> => {
  return { ...(await delivery.counts()), ...(await auth.counts()) }
}

/** Brings all records over, a few megabytes at a time. `onMoved` is told how many entries there are so far. */
export async function moveAll(from: MovedFrom, to: MovedTo, onMoved: (entries: number) => void): Promise<void> {
  await pour(from.auth.records(), (records) => to.auth.take(records))
  let entries = 0
  await pour(from.delivery.records(), async (records) => {
    await to.delivery.take(records)
    if (records[0]?.type !== "entry") return
    entries += records.length
    onMoved(entries)
  })
}

/** While one part is written, the next is read. */
async function pour<T>(parts: AsyncIterable<T>, take: (part: T) => Promise<void>): Promise<void> {
  let taking = Promise.resolve()
  for await (const part of parts) {
    await taking
    taking = take(part)
    // Whoever awaits it is told of an error; until then it is nobody's.
    taking.catch(() => {})
  }
  await taking
}

/** Throws {@link Failure} where the two do not hold the same. */
export async function compare(from: MovedFrom, to: MovedTo): Promise<MovedCounts> {
  const [there, here] = [await countsOf(from), await countsOf(to)]
  for (const [type, count] of Object.entries(there) as [keyof MovedCounts, number][]) {
    if (here[type] !== count) throw differing(words().migrate.otherCount(here[type], type, count))
  }
  const heads = to.delivery.heads()[Symbol.asyncIterator]()
  let [page, at]: [readonly GroupHead[], number] = [[], 0]
  for await (const expected of from.delivery.heads()) {
    for (const head of expected) {
      if (at === page.length) [page, at] = [(await heads.next()).value ?? [], 0]
      if (!isSame(head, page[at++])) throw differing(words().migrate.otherLog(hex(head.groupId)))
    }
  }
  return there
}

const differing = (what: string) => new Failure(words().migrate.differs(what))

function isSame(one: GroupHead, other: GroupHead | undefined): boolean {
  return (
    other !== undefined &&
    equalBytes(one.groupId, other.groupId) &&
    one.headSeq === other.headSeq &&
    one.entries === other.entries &&
    equalBytes(one.headHash, other.headHash)
  )
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
