import type { AccountDevice } from "@conclave/auth/store"
import { InboxKind } from "@conclave/contracts/delivery"
import { REVOKED } from "@conclave/delivery/store"
import type { ErasedName, OfDevices } from "../auth/erasing.js"
import type { Connection } from "../database.js"
import { deleteEntry } from "./inbox.js"
import { kindOf } from "./kinds.js"
import { suspendDevice } from "./operated.js"

/** What devices have of the Delivery Service, for the directory of the same file; nothing where that has none. */
export function ofDevicesIn(connection: Connection): OfDevices {
  const table = connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'suspended_device'")
  return table === undefined ? nothing : ofDevices
}

const nothing: OfDevices = { erase() {}, revoke() {}, held: () => ({ keyPackages: [], inboxHead: 0, inbox: [] }) }

export const ofDevices: OfDevices = {
  erase(connection, erased) {
    eraseDevices(connection, erased.deviceIds)
    keepErasure(connection, erased)
  },
  revoke: (connection, deviceIds) => endDevices(connection, deviceIds, REVOKED),
  held,
}

/** Nothing is published or delivered for a device from then on, also by what is under way. */
export function eraseDevices(connection: Connection, deviceIds: readonly Uint8Array[]): void {
  endDevices(connection, deviceIds, ERASED)
}

function endDevices(connection: Connection, deviceIds: readonly Uint8Array[], why: string): void {
  for (const id of deviceIds) {
    connection.run("DELETE FROM key_package WHERE device_id = ?", [id])
    const waiting = connection.all("SELECT number FROM inbox WHERE device_id = ?", [id])
    for (const { number } of waiting) deleteEntry(connection, number)
    connection.run("DELETE FROM device WHERE id = ?", [id])
    suspendDevice(connection, id, why)
  }
}

const ERASED = "it was erased"

/** Kept with what the operator did, so that a backup from before does not bring the name back. */
function keepErasure(connection: Connection, { nameHash, by }: ErasedName): void {
  connection.run("INSERT INTO action (at, user, did, what, reason) VALUES (?, '', 'erase', ?, ?)", [
    by!.at,
    Buffer.from(nameHash).toString("hex"),
    "asked for by a device of the name",
  ])
}

function held(connection: Connection, id: Uint8Array): Pick<AccountDevice, "keyPackages" | "inboxHead" | "inbox"> {
  const keyPackages = connection.all(
    `SELECT lower(hex(ref)) AS ref, cipher_suite, last_resort, not_after, length(body) AS size FROM key_package
     WHERE device_id = ? ORDER BY number`,
    [id],
  )
  const inbox = connection.all(
    `SELECT n, kind, lower(hex(group_id)) AS group_id, at,
       coalesce((SELECT length(body) FROM blob WHERE hash = body_hash), 0) AS size
     FROM inbox WHERE device_id = ? ORDER BY n`,
    [id],
  )
  return {
    keyPackages: keyPackages.map(({ ref, cipher_suite, last_resort, not_after, size }) => ({
      ref,
      cipherSuite: Number(cipher_suite),
      lastResort: last_resort === 1n,
      notAfter: Number(not_after),
      size: size === null ? null : Number(size),
    })),
    inboxHead: Number(connection.get("SELECT inbox_head FROM device WHERE id = ?", [id])?.inbox_head ?? 0n),
    inbox: inbox.map(({ n, kind, group_id, size, at }) => ({
      n: Number(n),
      kind: kindOf(InboxKind.values, kind),
      group: group_id,
      size: Number(size),
      at: Number(at),
    })),
  }
}
