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
import type { Connection } from "../database.js"
import { deviceOf, devicesOf } from "./devices.js"
import { recoveryKeysOf } from "./recovery.js"

export const nameHash = (name: string): Uint8Array =>
  erasedNameHash((...parts) => {
    const hash = createHash("sha256")
    for (const part of parts) hash.update(part)
    return new Uint8Array(hash.digest())
  }, name)

export const isErased = (connection: Connection, hash: Uint8Array): boolean =>
  connection.get("SELECT 1 FROM erased WHERE hash = ?", [hash]) !== undefined

/** What was erased. */
export interface ErasedName {
  readonly nameHash: Uint8Array
  readonly deviceIds: readonly Uint8Array[]
  /** Of the device that asked for it; `undefined` where the operator did. */
  readonly by: ErasedBy | undefined
}

/** What the devices of a name have elsewhere in the file. */
export interface OfDevices {
  erase(connection: Connection, erased: ErasedName): void
  revoke(connection: Connection, deviceIds: readonly Uint8Array[]): void
  /** As far as it is not the directory's. */
  held(connection: Connection, deviceId: Uint8Array): Pick<AccountDevice, "keyPackages" | "inboxHead" | "inbox">
}

interface Asked {
  readonly name: string
  readonly by: ErasedBy
  readonly ofDevices: OfDevices
}

export function eraseBy(connection: Connection, { name, by, ofDevices }: Asked): Erasing {
  if (isErased(connection, by.deviceId)) return { type: "erased" }
  const recoveryKeys = recoveryKeysOf(connection, name)
  const current = recoveryKeys.at(-1)
  const isByRecovery = current !== undefined && equalBytes(current.id, by.deviceId)
  const device = deviceOf(connection, by.deviceId)
  if (!isByRecovery && (device?.name !== name || device.revoked !== undefined)) return { type: "notFound" }
  const suspended = connection.get("SELECT reason FROM suspended_name WHERE name = ?", [name])
  if (suspended !== undefined) return { type: "suspended", reason: suspended.reason }
  const fault = erasureFault(devicesOf(connection, name), { ...by, recoveryKeys })
  if (fault !== undefined) return fault
  const deviceIds = eraseName(connection, name)
  ofDevices.erase(connection, { nameHash: nameHash(name), deviceIds, by })
  return { type: "erased" }
}

/** Returns the devices of the name, none of one that nobody has. */
export function eraseName(connection: Connection, name: string): readonly Uint8Array[] {
  const rows = connection.all("SELECT id FROM directory_device WHERE name = ?", [name])
  const deviceIds = rows.map(({ id }) => id as Uint8Array)
  if (deviceIds.length === 0) return []
  const recoveryIds = recoveryKeysOf(connection, name).map(({ id }) => id)
  for (const hash of [nameHash(name), ...deviceIds, ...recoveryIds]) {
    connection.run("INSERT INTO erased (hash) VALUES (?) ON CONFLICT DO NOTHING", [hash])
  }
  for (const id of deviceIds) connection.run("DELETE FROM revoked_device WHERE id = ?", [id])
  connection.run("DELETE FROM directory_device WHERE name = ?", [name])
  connection.run("DELETE FROM directory_display_name WHERE name = ?", [name])
  connection.run("DELETE FROM recovery_key WHERE name = ?", [name])
  connection.run("DELETE FROM suspended_name WHERE name = ?", [name])
  return deviceIds
}

export function accountOf(connection: Connection, name: string, ofDevices: OfDevices): Account | undefined {
  const devices = devicesOf(connection, name)
  if (devices.length === 0) return undefined
  const displayName = connection.get("SELECT text, at FROM directory_display_name WHERE name = ?", [name])
  const suspended = connection.get("SELECT reason FROM suspended_name WHERE name = ?", [name])
  return {
    name,
    displayName: displayName === undefined ? null : { text: displayName.text, at: Number(displayName.at) },
    suspended: suspended?.reason ?? null,
    recoveryKeys: accountRecovery(recoveryKeysOf(connection, name)),
    devices: devices.map((device) => ({
      id: hex(device.deviceId),
      cipherSuite: device.cipherSuite,
      signatureKey: hex(device.signatureKey),
      registeredAt: Number(device.registeredAt),
      endorsedBy: device.endorsement === undefined ? null : hex(device.endorsement.deviceId),
      revoked: accountRevocation(device.revoked),
      ...ofDevices.held(connection, device.deviceId),
    })),
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
