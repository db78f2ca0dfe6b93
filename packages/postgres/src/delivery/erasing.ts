import { InboxKind } from "@conclave/contracts/delivery"
import { REVOKED } from "@conclave/delivery/store"
import type { ErasedName, Held, OfDevices } from "../auth/erasing.js"
import type { Connection } from "../connection.js"
import { bytesArray } from "../values.js"
import { keepAction } from "./actions.js"
import { lockDevices, releaseAll } from "./inbox.js"
import { kindOf } from "./kinds.js"
import { tell } from "./news.js"

/** What devices have of the Delivery Service, for the directory of the same schema; nothing where that has none. */
export async function ofDevicesIn(connection: Connection): Promise<OfDevices> {
  const row = await connection.get("SELECT to_regclass(current_schema() || '.key_package') IS NULL AS missing")
  return row!.missing ? nothing : ofDevices
}

const nothing: OfDevices = { erase: async () => {}, revoke: async () => {}, held: async () => [] }

export const ofDevices: OfDevices = {
  async erase(connection, erased) {
    await eraseDevices(connection, erased.deviceIds)
    await keepErasure(connection, erased)
  },
  revoke: (connection, deviceIds) => endDevices(connection, deviceIds, REVOKED),
  async held(connection, deviceIds) {
    const held: Held[] = []
    for (const id of deviceIds) held.push(await heldBy(connection, id))
    return held
  },
}

/** Nothing is published or delivered for a device from then on, also by what is under way. */
export function eraseDevices(connection: Connection, deviceIds: readonly Uint8Array[]): Promise<void> {
  return endDevices(connection, deviceIds, "it was erased")
}

async function endDevices(connection: Connection, deviceIds: readonly Uint8Array[], why: string): Promise<void> {
  if (deviceIds.length === 0) return
  await lockDevices(connection, deviceIds)
  const ids = bytesArray(deviceIds)
  await connection.run(
    "UPDATE device SET suspended = $2, signature_key = NULL, inbox_head = 0 WHERE id = ANY($1::bytea[])",
    [ids, why],
  )
  await connection.run("DELETE FROM key_package WHERE device_id = ANY($1::bytea[])", [ids])
  const waiting = await connection.all("DELETE FROM inbox WHERE device_id = ANY($1::bytea[]) RETURNING body_hash", [
    ids,
  ])
  await tell(connection, { devices: deviceIds })
  await releaseAll(
    connection,
    waiting.map(({ body_hash }) => body_hash),
  )
}

/** Kept with what the operator did, so that a backup from before does not bring the name back. */
function keepErasure(connection: Connection, { nameHash, by }: ErasedName): Promise<void> {
  return keepAction(connection, {
    at: Number(by.at),
    user: "",
    did: "erase",
    what: Buffer.from(nameHash).toString("hex"),
    reason: "asked for by a device of the name",
  })
}

async function heldBy(connection: Connection, id: Uint8Array): Promise<Held> {
  const keyPackages = await connection.all(
    `SELECT encode(ref, 'hex') AS ref, cipher_suite, last_resort, not_after, octet_length(body) AS size FROM key_package
     WHERE device_id = $1 ORDER BY number`,
    [id],
  )
  const inbox = await connection.all(
    `SELECT n, kind, encode(group_id, 'hex') AS group_id, at, coalesce(octet_length(body), 0) AS size FROM inbox
     LEFT JOIN blob ON blob.hash = body_hash WHERE device_id = $1 ORDER BY n`,
    [id],
  )
  const device = await connection.get("SELECT inbox_head FROM device WHERE id = $1", [id])
  return {
    keyPackages: keyPackages.map(({ ref, cipher_suite, last_resort, not_after, size }) => ({
      ...{ ref, cipherSuite: cipher_suite, lastResort: last_resort, notAfter: Number(not_after), size },
    })),
    inboxHead: Number(device?.inbox_head ?? 0n),
    inbox: inbox.map(({ n, kind, group_id, size, at }) => ({
      ...{ n: Number(n), kind: kindOf(InboxKind.values, kind), group: group_id, size, at: Number(at) },
    })),
  }
}
