import type { StoredDevice } from "@conclave/auth/store"
import type { Connection } from "../connection.js"
import type { Row } from "../values.js"

/** Of a name, in the order of registration. */
export async function devicesOf(connection: Connection, name: string): Promise<StoredDevice[]> {
  const rows = await connection.all(`${DEVICES} WHERE directory_device.name = $1 ORDER BY number`, [name])
  return rows.map(storedDevice)
}

export async function deviceOf(connection: Connection, deviceId: Uint8Array): Promise<StoredDevice | undefined> {
  const row = await connection.get(`${DEVICES} WHERE directory_device.id = $1`, [deviceId])
  return row && storedDevice(row)
}

/** The suspension and the revocation are looked at with the device, in one moment. */
const DEVICES = `SELECT directory_device.id, directory_device.name, cipher_suite, signature_key, registered_at, endorser_id,
    endorser_signature, suspended_name.reason AS suspended, revoked_device.id AS revoked_id, revoker_key,
    revoked_device.at AS revoked_at, revoked_device.signature AS revocation_signature
   FROM directory_device LEFT JOIN suspended_name ON suspended_name.name = directory_device.name
     LEFT JOIN revoked_device ON revoked_device.id = directory_device.id`

function storedDevice(row: Row): StoredDevice {
  return {
    name: row.name,
    deviceId: row.id,
    cipherSuite: row.cipher_suite,
    signatureKey: row.signature_key,
    registeredAt: row.registered_at,
    endorsement:
      row.endorser_id === null ? undefined : { deviceId: row.endorser_id, signature: row.endorser_signature },
    suspended: row.suspended ?? undefined,
    revoked: row.revoked_id === null ? undefined : { revocation: revocationIn(row) },
  }
}

function revocationIn({ id, signature_key, revoker_key, revoked_at, revocation_signature }: Row) {
  if (revoker_key === null) return undefined
  const statement = { deviceId: id, signatureKey: signature_key, revokerKey: revoker_key, at: revoked_at }
  return { ...statement, signature: revocation_signature }
}
