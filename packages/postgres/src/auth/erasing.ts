import { createHash } from "node:crypto"
import {
  type Account,
  type AccountDevice,
  accountRecovery,
  accountRevocation,
  type ErasedBy,
  type Erasing,
  erasedNameHash,
  erasureFault,
} from "@conclave/auth/store"
import { equalBytes } from "@conclave/crypto"
import type { Connection } from "../connection.js"
import { bytesArray } from "../values.js"
import { deviceOf, devicesOf } from "./devices.js"
import { lockName } from "./locking.js"
import { recoveryKeysOf } from "./recovery.js"

export const nameHash = (name: string): Uint8Array =>
  erasedNameHash((...parts) => {
    const hash = createHash("sha256")
    for (const part of parts) hash.update(part)
    return new Uint8Array(hash.digest())
  }, name)

export async function isErased(connection: Connection, hash: Uint8Array): Promise<boolean> {
  return (await connection.get("SELECT 1 FROM erased WHERE hash = $1", [hash])) !== undefined
}

/** What was erased. */
export interface ErasedName {
  readonly nameHash: Uint8Array
  readonly deviceIds: readonly Uint8Array[]
  readonly by: ErasedBy
}

/** What the devices of a name have elsewhere in the database. */
export interface OfDevices {
  erase(connection: Connection, erased: ErasedName): Promise<void>
  revoke(connection: Connection, deviceIds: readonly Uint8Array[]): Promise<void>
  /** As far as it is not the directory's, in the order of the ids. */
  held(connection: Connection, deviceIds: readonly Uint8Array[]): Promise<readonly Held[]>
}

export type Held = Pick<AccountDevice, "keyPackages" | "inboxHead" | "inbox">

interface Asked {
  readonly name: string
  readonly by: ErasedBy
  readonly ofDevices: OfDevices
}

export async function eraseBy(connection: Connection, { name, by, ofDevices }: Asked): Promise<Erasing> {
  await lockName(connection, name)
  if (await isErased(connection, by.deviceId)) return { type: "erased" }
  const recoveryKeys = await recoveryKeysOf(connection, name)
  const current = recoveryKeys.at(-1)
  const isByRecovery = current !== undefined && equalBytes(current.id, by.deviceId)
  const device = await deviceOf(connection, by.deviceId)
  if (!isByRecovery && (device?.name !== name || device.revoked !== undefined)) return { type: "notFound" }
  const suspended = await connection.get("SELECT reason FROM suspended_name WHERE name = $1", [name])
  if (suspended !== undefined) return { type: "suspended", reason: suspended.reason }
  const fault = erasureFault(await devicesOf(connection, name), { ...by, recoveryKeys })
  if (fault !== undefined) return fault
  const deviceIds = await eraseName(connection, name)
  await ofDevices.erase(connection, { nameHash: nameHash(name), deviceIds, by })
  return { type: "erased" }
}

/** Resolves with the devices of the name, none of one that nobody has. */
export async function eraseName(connection: Connection, name: string): Promise<readonly Uint8Array[]> {
  await lockName(connection, name)
  const rows = await connection.all("DELETE FROM directory_device WHERE name = $1 RETURNING id", [name])
  const deviceIds = rows.map(({ id }) => id as Uint8Array)
  if (deviceIds.length === 0) return []
  const recovery = await connection.all("DELETE FROM recovery_key WHERE name = $1 RETURNING id", [name])
  const recoveryIds = recovery.map(({ id }) => id as Uint8Array)
  await connection.run("DELETE FROM revoked_device WHERE id = ANY($1::bytea[])", [bytesArray(deviceIds)])
  await connection.run("INSERT INTO erased (hash) SELECT * FROM unnest($1::bytea[]) ON CONFLICT DO NOTHING", [
    bytesArray([nameHash(name), ...deviceIds, ...recoveryIds]),
  ])
  await connection.run("DELETE FROM directory_display_name WHERE name = $1", [name])
  await connection.run("DELETE FROM suspended_name WHERE name = $1", [name])
  return deviceIds
}

export async function accountOf(
  connection: Connection,
  name: string,
  ofDevices: OfDevices,
): Promise<Account | undefined> {
  const devices = await devicesOf(connection, name)
  if (devices.length === 0) return undefined
  const displayName = await connection.get("SELECT text, at FROM directory_display_name WHERE name = $1", [name])
  const suspended = await connection.get("SELECT reason FROM suspended_name WHERE name = $1", [name])
  const held = await ofDevices.held(
    connection,
    devices.map(({ deviceId }) => deviceId),
  )
  return {
    name,
    displayName: displayName === undefined ? null : { text: displayName.text, at: Number(displayName.at) },
    suspended: suspended?.reason ?? null,
    recoveryKeys: accountRecovery(await recoveryKeysOf(connection, name)),
    devices: devices.map((device, index) => ({
      id: hex(device.deviceId),
      cipherSuite: device.cipherSuite,
      signatureKey: hex(device.signatureKey),
      registeredAt: Number(device.registeredAt),
      endorsedBy: device.endorsement === undefined ? null : hex(device.endorsement.deviceId),
      revoked: accountRevocation(device.revoked),
      ...(held[index] ?? { keyPackages: [], inboxHead: 0, inbox: [] }),
    })),
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
