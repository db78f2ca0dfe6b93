import { InboxKind } from "@conclave/contracts/delivery"
import type { Claim, ClaimedKeyPackage, NewKeyPackage, Publication, Stock } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bigintArray, bytesArray, type Row } from "../values.js"
import { ByBytes } from "./group-state.js"
import { deliver, requireActive } from "./inbox.js"
import { tell } from "./news.js"

interface Owner {
  readonly deviceId: Uint8Array
  readonly cipherSuite: number
  readonly at: bigint
}

/**
 * A package that was handed out, or withdrawn, stays as a row without its body until its time is over: it never comes back.
 */
export async function publishKeyPackages(connection: Connection, publication: Publication): Promise<Stock> {
  const { deviceId, signatureKey, at, keyPackages, lastResort, stockMax } = publication
  const device = await connection.get(
    `INSERT INTO device (id, signature_key) VALUES ($1, $2)
     ON CONFLICT (id) DO UPDATE SET signature_key = excluded.signature_key RETURNING suspended`,
    [deviceId, signatureKey],
  )
  requireActive(device)
  await forgetExpired(connection, at, 100)
  if (publication.replaces && !(await withdraw(connection, publication))) return stockOf(connection, publication)
  const { count } = await stockOf(connection, publication)
  const added = await newAmong(connection, keyPackages, at)
  await insert(connection, publication, { added: added.slice(0, Math.max(0, stockMax - count)), lastResort: false })
  if (lastResort !== undefined) await replaceLastResort(connection, publication, lastResort)
  return stockOf(connection, publication)
}

/** Returns whether it is no copy of a request that another has replaced since. */
async function withdraw(connection: Connection, publication: Publication): Promise<boolean> {
  const { deviceId, cipherSuite, keyPackages, lastResort, at, withdrawnUntil } = publication
  const known = await connection.get("SELECT body IS NULL AS gone FROM key_package WHERE ref = $1 AND not_after > $2", [
    lastResort!.ref,
    at,
  ])
  if (known?.gone === true) return false
  await connection.run(
    `UPDATE key_package SET body = NULL, not_after = least(not_after, $3)
     WHERE device_id = $1 AND cipher_suite = $2 AND body IS NOT NULL AND ref <> ALL ($4::bytea[])`,
    [deviceId, cipherSuite, withdrawnUntil, bytesArray([...keyPackages, lastResort!].map(({ ref }) => ref))],
  )
  return true
}

/** Those that are neither over nor published already, each once. */
async function newAmong(
  connection: Connection,
  keyPackages: readonly NewKeyPackage[],
  at: bigint,
): Promise<NewKeyPackage[]> {
  if (keyPackages.length === 0) return []
  const rows = await connection.all("SELECT ref FROM key_package WHERE ref = ANY($1::bytea[]) AND not_after > $2", [
    bytesArray(keyPackages.map(({ ref }) => ref)),
    at,
  ])
  const known = new ByBytes<true>()
  for (const { ref } of rows) known.set(ref, true)
  return keyPackages.filter(({ ref, notAfter }) => {
    if (notAfter <= at || known.get(ref)) return false
    known.set(ref, true)
    return true
  })
}

/** Returns how many were: another device may publish the same just now. */
async function insert(
  connection: Connection,
  owner: Owner,
  { added, lastResort }: { readonly added: readonly NewKeyPackage[]; readonly lastResort: boolean },
): Promise<number> {
  if (added.length === 0) return 0
  const refs = bytesArray(added.map(({ ref }) => ref))
  await connection.run("DELETE FROM key_package WHERE ref = ANY($1::bytea[]) AND not_after <= $2", [refs, owner.at])
  return connection.run(
    `INSERT INTO key_package (ref, not_after, body, device_id, cipher_suite, last_resort)
     SELECT ref, not_after, body, $4, $5, $6
     FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS added (ref, not_after, body, place)
     ORDER BY place ON CONFLICT (ref) DO NOTHING`,
    [
      refs,
      bigintArray(added.map(({ notAfter }) => notAfter)),
      bytesArray(added.map(({ keyPackage }) => keyPackage)),
      owner.deviceId,
      owner.cipherSuite,
      lastResort,
    ],
  )
}

async function replaceLastResort(connection: Connection, owner: Owner, lastResort: NewKeyPackage): Promise<void> {
  const added = await newAmong(connection, [lastResort], owner.at)
  if ((await insert(connection, owner, { added, lastResort: true })) === 0) return
  await connection.run(
    `DELETE FROM key_package
     WHERE device_id = $1 AND cipher_suite = $2 AND last_resort AND ref <> $3 AND body IS NOT NULL`,
    [owner.deviceId, owner.cipherSuite, lastResort.ref],
  )
}

export async function claimKeyPackage(connection: Connection, claim: Claim): Promise<ClaimedKeyPackage | undefined> {
  // Only one at a time takes from a device. What was published has made its row.
  const device = await connection.get("SELECT signature_key, suspended FROM device WHERE id = $1 FOR UPDATE", [
    claim.deviceId,
  ])
  if (device === undefined || device.suspended !== null) return undefined
  const single = claim.lastResortOnly ? undefined : await next(connection, claim, false)
  const found = single ?? (await next(connection, claim, true))
  if (single !== undefined)
    await connection.run("UPDATE key_package SET body = NULL WHERE number = $1", [single.number])
  const { count } = await stockOf(connection, claim)
  if (count < claim.lowStock && device.signature_key !== null) await noticeLowStock(connection, claim)
  return found && { keyPackage: found.body, lastResort: single === undefined }
}

function next(connection: Connection, owner: Owner, lastResort: boolean): Promise<Row | undefined> {
  return connection.get(
    `SELECT number, body FROM key_package
     WHERE device_id = $1 AND cipher_suite = $2 AND last_resort = $3 AND body IS NOT NULL AND not_after > $4
     ORDER BY number LIMIT 1`,
    [owner.deviceId, owner.cipherSuite, lastResort, owner.at],
  )
}

/** One notice at a time: the device answers it by publishing, and acknowledges it. */
async function noticeLowStock(connection: Connection, { deviceId, at }: Owner): Promise<void> {
  const waiting = await connection.get("SELECT 1 FROM inbox WHERE device_id = $1 AND kind = $2", [
    deviceId,
    InboxKind.values.keyPackagesLow,
  ])
  if (waiting !== undefined) return
  const nothing = { groupId: new Uint8Array(), seq: 0n, bodyHash: null, sender: new Uint8Array() }
  await deliver(connection, deviceId, { kind: "keyPackagesLow", ...nothing, at })
  await tell(connection, { devices: [deviceId] })
}

/** All packages for single use count as handed out. */
export async function withdrawSingles(connection: Connection): Promise<void> {
  // However many there are.
  await connection.script(`SET LOCAL statement_timeout = 0;
    UPDATE key_package SET body = NULL WHERE NOT last_resort AND body IS NOT NULL`)
}

/** What could be handed out at `at`. */
export async function stockOf(connection: Connection, { deviceId, cipherSuite, at }: Owner): Promise<Stock> {
  const row = (await connection.get(
    `SELECT (count(*) FILTER (WHERE NOT last_resort))::integer AS singles, bool_or(last_resort) AS last FROM key_package
     WHERE device_id = $1 AND cipher_suite = $2 AND body IS NOT NULL AND not_after > $3`,
    [deviceId, cipherSuite, at],
  ))!
  return { count: row.singles, lastResort: row.last === true }
}

/** Returns how many were deleted, at most `rowsMax`. What another deletes just now is left to it. */
export function forgetExpired(connection: Connection, at: bigint, rowsMax: number): Promise<number> {
  return connection.run(
    `DELETE FROM key_package WHERE number = ANY (ARRAY(
       SELECT number FROM key_package WHERE not_after <= $1 ORDER BY not_after LIMIT $2 FOR UPDATE SKIP LOCKED
     ))`,
    [at, rowsMax],
  )
}
