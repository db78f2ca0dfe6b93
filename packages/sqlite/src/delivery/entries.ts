import { LogEntryKind } from "@conclave/contracts/delivery"
import type { Sha256 } from "@conclave/contracts/log-chain"
import { ENTRY_OVERHEAD } from "@conclave/delivery/store"
import type { Connection, Row } from "../database.js"

/** Leaves the hash of an application message in the place of its body. */
export function expireRow(connection: Connection, { row, group_number }: Row, sha256: Sha256): void {
  const { body } = connection.get("SELECT body FROM log WHERE rowid = ?", [row])!
  const hash = sha256(body)
  connection.run("UPDATE log SET kind = ?, body = ? WHERE rowid = ?", [LogEntryKind.values.expired, hash, row])
  shrink(connection, group_number, body.length - hash.length)
}

/** `size`: of the body. */
export function deleteRow(connection: Connection, { row, group_number, size }: Row): number {
  shrink(connection, group_number, Number(size) + ENTRY_OVERHEAD)
  return connection.run("DELETE FROM log WHERE rowid = ?", [row])
}

function shrink(connection: Connection, group: bigint, bytes: number): void {
  connection.run("UPDATE mls_group SET bytes = bytes - ? WHERE number = ?", [bytes, group])
}
