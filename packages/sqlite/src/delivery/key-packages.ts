import { InboxKind } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { Claim, ClaimedKeyPackage, NewKeyPackage, Publication, Stock } from "@conclave/delivery/store"
import type { Connection } from "../database.js"
import { deliver } from "./inbox.js"
import { isSuspended } from "./operated.js"

interface Owner {
  readonly deviceId: Uint8Array
  readonly cipherSuite: number
  readonly at: bigint
}

/**
 * A package that was handed out, or withdrawn, stays as a row without its body until its time is over: it never comes back.
 */
export function publishKeyPackages(connection: Connection, publication: Publication): Stock {
  const { deviceId, signatureKey, at, keyPackages, lastResort, stockMax } = publication
  forgetExpired(connection, at, 100)
  connection.run(
    "INSERT INTO device (id, signature_key) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET signature_key = excluded.signature_key",
    [deviceId, signatureKey],
  )
  if (publication.replaces && !withdraw(connection, publication)) return stockOf(connection, publication)
  let { count } = stockOf(connection, publication)
  for (const keyPackage of keyPackages) {
    if (count < stockMax && add(connection, publication, { ...keyPackage, lastResort: false })) count++
  }
  if (lastResort !== undefined) replaceLastResort(connection, publication, lastResort)
  return stockOf(connection, publication)
}

/** Returns whether it is no copy of a request that another has replaced since. */
function withdraw(connection: Connection, publication: Publication): boolean {
  const { deviceId, cipherSuite, keyPackages, lastResort, at, withdrawnUntil } = publication
  const known = connection.get("SELECT body IS NULL AS gone FROM key_package WHERE ref = ? AND not_after > ?", [
    lastResort!.ref,
    at,
  ])
  if (known?.gone === 1n) return false
  const kept = [...keyPackages, lastResort!]
  const rows = connection.all(
    "SELECT number, ref FROM key_package WHERE device_id = ? AND cipher_suite = ? AND body IS NOT NULL",
    [deviceId, cipherSuite],
  )
  for (const { number, ref } of rows) {
    if (kept.some((it) => equalBytes(it.ref, ref))) continue
    connection.run("UPDATE key_package SET body = NULL, not_after = min(not_after, ?) WHERE number = ?", [
      withdrawnUntil,
      number,
    ])
  }
  return true
}

export function claimKeyPackage(connection: Connection, claim: Claim): ClaimedKeyPackage | undefined {
  if (isSuspended(connection, claim.deviceId)) return undefined
  const single = claim.lastResortOnly ? undefined : next(connection, claim, false)
  const found = single ?? next(connection, claim, true)
  if (single !== undefined) connection.run("UPDATE key_package SET body = NULL WHERE number = ?", [single.number])
  if (stockOf(connection, claim).count < claim.lowStock) noticeLowStock(connection, claim)
  return found && { keyPackage: found.body, lastResort: single === undefined }
}

/** All packages for single use count as handed out. */
export function withdrawSingles(connection: Connection): void {
  connection.run("UPDATE key_package SET body = NULL WHERE last_resort = 0")
}

/** What could be handed out at `at`. */
export function stockOf(connection: Connection, { deviceId, cipherSuite, at }: Owner): Stock {
  const row = connection.get(
    `SELECT count(*) FILTER (WHERE last_resort = 0) AS singles, count(*) FILTER (WHERE last_resort = 1) AS last
     FROM key_package WHERE device_id = ? AND cipher_suite = ? AND body IS NOT NULL AND not_after > ?`,
    [deviceId, cipherSuite, at],
  )!
  return { count: Number(row.singles), lastResort: row.last > 0n }
}

function add(connection: Connection, owner: Owner, added: NewKeyPackage & { readonly lastResort: boolean }): boolean {
  if (added.notAfter <= owner.at) return false
  connection.run("DELETE FROM key_package WHERE ref = ? AND not_after <= ?", [added.ref, owner.at])
  const inserted = connection.run(
    `INSERT INTO key_package (ref, device_id, cipher_suite, last_resort, not_after, body) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (ref) DO NOTHING`,
    [added.ref, owner.deviceId, owner.cipherSuite, added.lastResort ? 1 : 0, added.notAfter, added.keyPackage],
  )
  return inserted === 1
}

function replaceLastResort(connection: Connection, owner: Owner, lastResort: NewKeyPackage): void {
  if (!add(connection, owner, { ...lastResort, lastResort: true })) return
  connection.run(
    "DELETE FROM key_package WHERE device_id = ? AND cipher_suite = ? AND last_resort = 1 AND ref <> ? AND body IS NOT NULL",
    [owner.deviceId, owner.cipherSuite, lastResort.ref],
  )
}

function next(connection: Connection, owner: Owner, lastResort: boolean) {
  return connection.get(
    `SELECT number, body FROM key_package
     WHERE device_id = ? AND cipher_suite = ? AND last_resort = ? AND body IS NOT NULL AND not_after > ?
     ORDER BY number LIMIT 1`,
    [owner.deviceId, owner.cipherSuite, lastResort ? 1 : 0, owner.at],
  )
}

/** One notice at a time: the device answers it by publishing, and acknowledges it. */
function noticeLowStock(connection: Connection, { deviceId, at }: Owner): void {
  const known = connection.get("SELECT 1 FROM device WHERE id = ? AND signature_key IS NOT NULL", [deviceId])
  const waiting = connection.get("SELECT 1 FROM inbox WHERE device_id = ? AND kind = ?", [
    deviceId,
    InboxKind.values.keyPackagesLow,
  ])
  if (known === undefined || waiting !== undefined) return
  const nothing = { groupId: new Uint8Array(), seq: 0n, bodyHash: null, sender: new Uint8Array() }
  deliver(connection, deviceId, { kind: "keyPackagesLow", ...nothing, at })
}

/** Returns how many were deleted, at most `rowsMax`. */
export function forgetExpired(connection: Connection, at: bigint, rowsMax: number): number {
  return connection.run(
    "DELETE FROM key_package WHERE number IN (SELECT number FROM key_package WHERE not_after <= ? ORDER BY not_after LIMIT ?)",
    [at, rowsMax],
  )
}
