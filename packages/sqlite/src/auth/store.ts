import {
  type Erased,
  type NewDevice,
  type OfRevoked,
  type Operated,
  type Registered,
  registeredAfter,
  registrationFault,
  type Store,
  type Suspended,
} from "@conclave/auth/store"
import type { DisplayName } from "@conclave/contracts/auth"
import type { Connection, Database } from "../database.js"
import { ofDevicesIn } from "../delivery/erasing.js"
import { deviceOf, devicesOf } from "./devices.js"
import { accountOf, eraseBy, isErased, nameHash } from "./erasing.js"
import { recoveryKeysOf, setRecoveryKey } from "./recovery.js"
import { revoke } from "./revoking.js"

/** Migrations that were ever released are not changed any more. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE directory_device (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    cipher_suite INTEGER NOT NULL,
    signature_key BLOB NOT NULL,
    registered_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX directory_device_name ON directory_device (name, number);
  `,
  `
  ALTER TABLE directory_device ADD COLUMN endorser_id BLOB;
  ALTER TABLE directory_device ADD COLUMN endorser_signature BLOB;
  `,
  `
  CREATE TABLE directory_display_name (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    device_id BLOB NOT NULL,
    signature BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE suspended_name (name TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // What is left of names and devices that were erased: see `erasedNameHash`; of a device its id.
  `
  CREATE TABLE erased (hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  // Devices that speak for their names no more. Those without a statement fell with the device that had endorsed them.
  `
  CREATE TABLE revoked_device (
    id BLOB PRIMARY KEY,
    revoker_key BLOB,
    at INTEGER,
    signature BLOB
  ) STRICT, WITHOUT ROWID;
  `,
  // Keys that have the last word about a name; of those of one name the last one holds.
  `
  CREATE TABLE recovery_key (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    id BLOB NOT NULL,
    recovery_key BLOB NOT NULL,
    signer_key BLOB NOT NULL,
    at INTEGER NOT NULL,
    signature BLOB NOT NULL,
    proof BLOB NOT NULL
  ) STRICT;
  CREATE INDEX recovery_key_name ON recovery_key (name, number);
  `,
]

/**
 * The directory in tables of `database`, which stays its owner's to close. What the Delivery Service has of a name's devices in
 * the same file is shown and erased together with the name.
 */
export function authStore(database: Database): Store & Operated {
  database.migrate("auth", migrations)
  return {
    register: (device) => database.write((connection) => register(connection, device)),
    lookup: async (name) => database.read((connection) => devicesOf(connection, name)),
    lookupDevice: async (deviceId) => database.read((connection) => deviceOf(connection, deviceId)),
    setDisplayName: (name, displayName) =>
      database.write((connection) => setDisplayName(connection, name, displayName)),
    displayName: async (name) => database.read((connection) => displayNameOf(connection, name)),
    account: async (name) => database.read((connection) => accountOf(connection, name, ofDevicesIn(connection))),
    erase: (name, by) =>
      database.write((connection) => eraseBy(connection, { name, by, ofDevices: ofDevicesIn(connection) })),
    isErased: async (deviceId) => database.read((connection) => isErased(connection, deviceId)),
    recoveryKeys: async (name) => database.read((connection) => recoveryKeysOf(connection, name)),
    setRecoveryKey: (name, recoveryKey) =>
      database.write((connection) => setRecoveryKey(connection, name, recoveryKey)),
    revoke: (name, revoking) =>
      database.write((connection) => revoke(connection, { name, revoking, ofDevices: ofDevicesIn(connection) })),
    suspend: (name, reason) => database.write((connection) => suspendName(connection, name, reason)),
    resume: (name) => database.write((connection) => resumeName(connection, name)),
  }
}

function register(connection: Connection, device: NewDevice): Registered {
  const present = deviceOf(connection, device.deviceId)
  if (present !== undefined) {
    if (present.name !== device.name) return { type: "otherName" }
    if (present.revoked !== undefined) return { type: "revoked", device: present }
    return suspensionOf(connection, device.name) ?? { type: "registered", device: present }
  }
  if (isErased(connection, device.deviceId)) return { type: "erased" }
  const siblings = devicesOf(connection, device.name)
  if (isErased(connection, nameHash(device.name))) return { type: "nameTaken" }
  if (siblings.length > 0 && device.endorsement === undefined) return { type: "nameTaken" }
  const suspension = suspensionOf(connection, device.name)
  if (suspension !== undefined) return suspension
  const endorser = device.endorsement && deviceOf(connection, device.endorsement.deviceId)
  if (endorser?.name === device.name && endorser.revoked !== undefined) return { type: "endorserRevoked" }
  const fault = registrationFault(siblings, { ...device, recoveryKeys: recoveryKeysOf(connection, device.name) })
  if (fault !== undefined) return fault
  connection.run(
    `INSERT INTO directory_device
       (id, name, cipher_suite, signature_key, registered_at, endorser_id, endorser_signature)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    [
      device.deviceId,
      device.name,
      device.cipherSuite,
      device.signatureKey,
      registeredAfter(siblings, device.at),
      device.endorsement?.deviceId ?? null,
      device.endorsement?.signature ?? null,
    ],
  )
  return { type: "registered", device: deviceOf(connection, device.deviceId)! }
}

function setDisplayName(
  connection: Connection,
  name: string,
  displayName: DisplayName,
): DisplayName | Suspended | Erased | OfRevoked {
  if (isErased(connection, nameHash(name))) return { type: "erased" }
  const suspension = suspensionOf(connection, name)
  if (suspension !== undefined) return suspension
  const device = deviceOf(connection, displayName.deviceId)
  if (device?.revoked !== undefined) return { type: "revoked", device }
  const present = displayNameOf(connection, name)
  if (present !== undefined && present.at >= displayName.at) return present
  const { text, at, deviceId, signature } = displayName
  connection.run(
    "INSERT OR REPLACE INTO directory_display_name (name, text, at, device_id, signature) VALUES (?, ?, ?, ?, ?)",
    [name, text, at, deviceId, signature],
  )
  return displayName
}

function displayNameOf(connection: Connection, name: string): DisplayName | undefined {
  const row = connection.get("SELECT * FROM directory_display_name WHERE name = ?", [name])
  return row && { text: row.text, at: row.at, deviceId: row.device_id, signature: row.signature }
}

function suspensionOf(connection: Connection, name: string): Suspended | undefined {
  const row = connection.get("SELECT reason FROM suspended_name WHERE name = ?", [name])
  return row && { type: "suspended", reason: row.reason }
}

/** Returns whether there is such a name. */
export function suspendName(connection: Connection, name: string, reason: string): boolean {
  if (connection.get("SELECT 1 FROM directory_device WHERE name = ?", [name]) === undefined) return false
  connection.run("INSERT OR REPLACE INTO suspended_name (name, reason) VALUES (?, ?)", [name, reason])
  return true
}

/** Returns whether the name was suspended. */
export function resumeName(connection: Connection, name: string): boolean {
  return connection.run("DELETE FROM suspended_name WHERE name = ?", [name]) > 0
}
