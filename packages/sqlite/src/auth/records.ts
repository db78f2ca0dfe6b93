import type { AuthRecord, AuthSource } from "@conclave/auth/store"
import type { Connection, Row } from "../database.js"
import { pagesOf } from "../pages.js"
import { storedDevice } from "./devices.js"
import { storedRecoveryKey } from "./recovery.js"

/** What the directory has in a transaction of the caller's. */
export function authSource(connection: Connection): AuthSource {
  return {
    async *records() {
      yield* records(connection)
    },
    async counts() {
      const count = (table: string) => Number(connection.get(`SELECT count(*) AS n FROM ${table}`)!.n)
      return {
        registration: count("directory_device"),
        displayName: count("directory_display_name"),
        suspendedName: count("suspended_name"),
        erased: count("erased"),
        revoked: count("revoked_device"),
        recoveryKey: count("recovery_key"),
      }
    },
  }
}

function* records(connection: Connection): Generator<readonly AuthRecord[]> {
  const devices = { columns: "*", from: "directory_device", key: ["number"], start: [-1n] }
  for (const rows of pagesOf(connection, devices)) {
    yield rows.map((row) => {
      const { suspended: _, revoked: __, ...device } = storedDevice(row)
      return { type: "registration", ...device }
    })
  }
  const displayNames = { columns: "*", from: "directory_display_name", key: ["name"], start: [""] }
  for (const rows of pagesOf(connection, displayNames)) {
    yield rows.map(({ name, text, at, device_id, signature }) => {
      return { type: "displayName", name, text, at, deviceId: device_id, signature }
    })
  }
  const suspended = { columns: "*", from: "suspended_name", key: ["name"], start: [""] }
  for (const rows of pagesOf(connection, suspended)) {
    yield rows.map(({ name, reason }) => ({ type: "suspendedName", name, reason }))
  }
  const erased = { columns: "hash", from: "erased", key: ["hash"], start: [new Uint8Array()] }
  for (const rows of pagesOf(connection, erased)) yield rows.map(({ hash }) => ({ type: "erased", hash }))
  const revoked = { columns: "*", from: "revoked_device", key: ["id"], start: [new Uint8Array()] }
  for (const rows of pagesOf(connection, revoked)) yield rows.map((row) => revokedRecord(connection, row))
  const recovery = { columns: "*", from: "recovery_key", key: ["number"], start: [-1n] }
  for (const rows of pagesOf(connection, recovery)) {
    yield rows.map((row) => ({ type: "recoveryKey", name: row.name, ...storedRecoveryKey(row) }))
  }
}

function revokedRecord(connection: Connection, { id, revoker_key, at, signature }: Row): AuthRecord {
  if (revoker_key === null) return { type: "revoked", deviceId: id, revocation: undefined }
  const { signature_key } = connection.get("SELECT signature_key FROM directory_device WHERE id = ?", [id])!
  const revocation = { deviceId: id, signatureKey: signature_key, revokerKey: revoker_key, at, signature }
  return { type: "revoked", deviceId: id, revocation }
}
