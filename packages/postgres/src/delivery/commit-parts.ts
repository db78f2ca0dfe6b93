import type { Sha256 } from "@conclave/contracts/log-chain"
import type { NewCommit, NewEntry } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { BlobChanges } from "./blobs.js"
import { deliver, lockDevices, makeRoom } from "./inbox.js"
import { tell } from "./news.js"

/** Of a group's state, what is needed here. */
interface CommittedTo {
  readonly number: bigint
  beside: bigint
}

interface Committing {
  readonly group: CommittedTo
  readonly seq: bigint
  /** What was said of each device. */
  readonly mayDeliver: Map<string, boolean>
  readonly sha256: Sha256
}

/** Delivers the Welcome and keeps the answers. Returns the recipients that were not served. */
export async function keepCommitParts(
  connection: Connection,
  entry: NewEntry,
  { group, seq, mayDeliver, sha256 }: Committing,
): Promise<Uint8Array[]> {
  const commit = entry.commit!
  const { recipients, welcome, sender } = commit
  const undelivered = [...commit.unserved]
  const blobs = new BlobChanges()
  const hashOnce = remembered(sha256)
  await keepAnswers(connection, entry, { group, seq, blobs, sha256: hashOnce })
  const devices = await lockDevices(connection, recipients)
  const served: Uint8Array[] = []
  for (const deviceId of recipients) {
    const isSuspended = devices.get(deviceId)!.suspended !== null
    if (isSuspended || !mayDeliverTo(commit, deviceId, mayDeliver)) {
      undelivered.push(deviceId)
      continue
    }
    await makeRoom(connection, deviceId, { ...commit, groupId: entry.groupId }, blobs)
    const bodyHash = blobs.use(welcome, hashOnce)
    await deliver(connection, deviceId, {
      kind: "welcome",
      groupId: entry.groupId,
      seq,
      bodyHash,
      sender,
      at: entry.at,
    })
    served.push(deviceId)
  }
  if (served.length > 0) await tell(connection, { devices: served })
  await blobs.write(connection)
  return undelivered
}

/** Asked once of each, however often the transaction is run. */
function mayDeliverTo(commit: NewCommit, deviceId: Uint8Array, said: Map<string, boolean>): boolean {
  const name = Buffer.from(deviceId).toString("hex")
  const known = said.get(name)
  if (known !== undefined) return known
  const may = commit.mayDeliver(deviceId)
  said.set(name, may)
  return may
}

/** A Welcome for a thousand recipients is hashed once. */
function remembered(sha256: Sha256): Sha256 {
  const known = new Map<Uint8Array, Uint8Array>()
  return (...parts) => {
    const [body] = parts
    const hash = known.get(body!) ?? sha256(...parts)
    known.set(body!, hash)
    return hash
  }
}

interface Answering {
  readonly group: CommittedTo
  readonly seq: bigint
  readonly blobs: BlobChanges
  readonly sha256: Sha256
}

/** Puts answers in the place of those of the knocks that wait. */
async function keepAnswers(
  connection: Connection,
  { at, commit }: NewEntry,
  { group, seq, blobs, sha256 }: Answering,
): Promise<void> {
  const { answers, knocksSince } = commit!
  for (const { knock, key } of answers?.to ?? []) {
    const found = await connection.get(
      "DELETE FROM knock WHERE group_number = $1 AND id = $2 AND at >= $3 RETURNING access_key",
      [group.number, knock, knocksSince],
    )
    if (found === undefined) continue
    group.beside += 1n
    await connection.run(
      `INSERT INTO answer (group_number, knock_id, access_key, seq, sealed_key, welcome_hash, beside, at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [group.number, knock, found.access_key, seq, key, blobs.use(answers!.welcome, sha256), group.beside, at],
    )
  }
}
