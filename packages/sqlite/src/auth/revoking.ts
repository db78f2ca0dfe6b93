import { judgeRevoking, type Revoked, type Revoking } from "@conclave/auth/store"
import type { Connection } from "../database.js"
import { devicesOf } from "./devices.js"
import type { OfDevices } from "./erasing.js"
import { recoveryKeysOf } from "./recovery.js"

interface Asked {
  readonly name: string
  readonly revoking: Revoking
  readonly ofDevices: OfDevices
}

/** Revokes devices together with what they have of the Delivery Service in the same file. */
export function revoke(connection: Connection, { name, revoking, ofDevices }: Asked): Revoked {
  const devices = devicesOf(connection, name)
  const [first] = devices
  if (first === undefined) return { type: "notFound" }
  if (first.suspended !== undefined) return { type: "suspended", reason: first.suspended }
  const changes = judgeRevoking(devices, revoking, recoveryKeysOf(connection, name))
  if ("refused" in changes) return { type: "refused", reason: changes.refused }
  for (const { deviceId, endorsement } of changes.endorsements) {
    connection.run("UPDATE directory_device SET endorser_id = ?, endorser_signature = ? WHERE id = ?", [
      endorsement.deviceId,
      endorsement.signature,
      deviceId,
    ])
  }
  for (const { deviceId, revocation } of changes.revoked) {
    const { revokerKey = null, at = null, signature = null } = revocation ?? {}
    connection.run("INSERT OR REPLACE INTO revoked_device (id, revoker_key, at, signature) VALUES (?, ?, ?, ?)", [
      ...[deviceId, revokerKey, at, signature],
    ])
  }
  ofDevices.revoke(
    connection,
    changes.revoked.map(({ deviceId }) => deviceId),
  )
  return { type: "revoked", devices: devicesOf(connection, name) }
}
