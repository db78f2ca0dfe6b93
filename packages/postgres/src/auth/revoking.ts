import { judgeRevoking, type Revoked, type Revoking } from "@conclave/auth/store"
import type { Connection } from "../connection.js"
import { devicesOf } from "./devices.js"
import type { OfDevices } from "./erasing.js"
import { lockName } from "./locking.js"
import { recoveryKeysOf } from "./recovery.js"

interface Asked {
  readonly name: string
  readonly revoking: Revoking
  readonly ofDevices: OfDevices
}

/** Revokes devices together with what they have of the Delivery Service in the same schema. */
export async function revoke(connection: Connection, { name, revoking, ofDevices }: Asked): Promise<Revoked> {
  await lockName(connection, name)
  const devices = await devicesOf(connection, name)
  const [first] = devices
  if (first === undefined) return { type: "notFound" }
  if (first.suspended !== undefined) return { type: "suspended", reason: first.suspended }
  const changes = judgeRevoking(devices, revoking, await recoveryKeysOf(connection, name))
  if ("refused" in changes) return { type: "refused", reason: changes.refused }
  for (const { deviceId, endorsement } of changes.endorsements) {
    await connection.run("UPDATE directory_device SET endorser_id = $1, endorser_signature = $2 WHERE id = $3", [
      ...[endorsement.deviceId, endorsement.signature, deviceId],
    ])
  }
  for (const { deviceId, revocation } of changes.revoked) {
    const { revokerKey = null, at = null, signature = null } = revocation ?? {}
    await connection.run(
      `INSERT INTO revoked_device (id, revoker_key, at, signature) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE
       SET revoker_key = excluded.revoker_key, at = excluded.at, signature = excluded.signature`,
      [deviceId, revokerKey, at, signature],
    )
  }
  await ofDevices.revoke(
    connection,
    changes.revoked.map(({ deviceId }) => deviceId),
  )
  return { type: "revoked", devices: await devicesOf(connection, name) }
}
