import {
  type Erased,
  type NewDevice,
  type OfRevoked,
  type Operated,
  type Registered,
  registeredAfter,
  registrationFault,
  type Store,
  type StoredDevice,
  type Suspended,
} from "@conclave/auth/store"
import type { DisplayName } from "@conclave/contracts/auth"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { ofDevicesIn } from "../delivery/erasing.js"
import type { Migration } from "../migrations.js"
import { deviceOf, devicesOf } from "./devices.js"
import { accountOf, eraseBy, isErased, nameHash } from "./erasing.js"
import { lockName } from "./locking.js"
import { recoveryKeysOf, setRecoveryKey } from "./recovery.js"
import { revoke } from "./revoking.js"

/** Migrations that were ever released are not changed any more. */
export const migrations: readonly Migration[] = [
  {
    oldestReader: 1,
    sql: `
  CREATE TABLE directory_device (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registered_at bigint NOT NULL,
    cipher_suite integer NOT NULL,
    id bytea NOT NULL UNIQUE,
    name text NOT NULL,
    signature_key bytea NOT NULL,
    endorser_id bytea,
    endorser_signature bytea
  );
  CREATE INDEX directory_device_name ON directory_device (name, number);

  CREATE TABLE directory_display_name (
    name text PRIMARY KEY,
    text text NOT NULL,
    at bigint NOT NULL,
    device_id bytea NOT NULL,
    signature bytea NOT NULL
  );

  CREATE TABLE suspended_name (name text PRIMARY KEY, reason text NOT NULL);
  `,
  },
  // What is left of names and devices that were erased: see `erasedNameHash`; of a device its id. Gateways of the first version
  // would register them again.
  {
    oldestReader: 2,
    sql: "CREATE TABLE erased (hash bytea PRIMARY KEY)",
  },
  // Devices that speak for their names no more; gateways of the versions before would serve them. Those without a statement fell
  // with the device that had endorsed them.
  {
    oldestReader: 3,
    sql: "CREATE TABLE revoked_device (at bigint, id bytea PRIMARY KEY, revoker_key bytea, signature bytea)",
  },
  // Keys that have the last word about a name; gateways of the versions before would let a device contradict them. Of those of
  // one name the last one holds.
  {
    oldestReader: 4,
    sql: `
  CREATE TABLE recovery_key (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    name text NOT NULL,
    id bytea NOT NULL,
    recovery_key bytea NOT NULL,
    signer_key bytea NOT NULL,
    signature bytea NOT NULL,
    proof bytea NOT NULL
  );
  CREATE INDEX recovery_key_name ON recovery_key (name, number);
  `,
  },
]

/**
 * The directory in tables of `database`, which stays its owner's to close. What the Delivery Service has of a name's devices in
 * the same schema is shown and erased together with the name.
 *
 * @throws {StoreUnavailable} when the tables cannot be brought up to date now, or are of a later version.
 */
export async function authStore(database: Database): Promise<Store & Operated> {
  await database.migrate("auth", migrations)
  return {
    register: (device) => database.write((connection) => register(connection, device)),
    lookup: (name) => database.look((connection) => devicesOf(connection, name)),
    lookupDevice: (deviceId) => database.look((connection) => deviceOf(connection, deviceId)),
    setDisplayName: (name, displayName) =>
      database.write((connection) => setDisplayName(connection, name, displayName)),
    displayName: (name) => database.look((connection) => displayNameOf(connection, name)),
    account: (name) => database.read(async (connection) => accountOf(connection, name, await ofDevicesIn(connection))),
    erase: (name, by) =>
      database.write(async (connection) => eraseBy(connection, { name, by, ofDevices: await ofDevicesIn(connection) })),
    isErased: (deviceId) => database.look((connection) => isErased(connection, deviceId)),
    recoveryKeys: (name) => database.look((connection) => recoveryKeysOf(connection, name)),
    setRecoveryKey: (name, recoveryKey) =>
      database.write((connection) => setRecoveryKey(connection, name, recoveryKey)),
    revoke: (name, revoking) =>
      database.write(async (connection) =>
        revoke(connection, { name, revoking, ofDevices: await ofDevicesIn(connection) }),
      ),
    suspend: (name, reason) => database.write((connection) => suspendName(connection, name, reason)),
    resume: (name) => database.write((connection) => resumeName(connection, name)),
  }
}

async function register(connection: Connection, device: NewDevice): Promise<Registered> {
  await lockName(connection, device.name)
  const present = await deviceOf(connection, device.deviceId)
  if (present !== undefined) return registeredAs(connection, device, present)
  if (await isErased(connection, device.deviceId)) return { type: "erased" }
  if (await isErased(connection, nameHash(device.name))) return { type: "nameTaken" }
  const siblings = await devicesOf(connection, device.name)
  if (siblings.length > 0 && device.endorsement === undefined) return { type: "nameTaken" }
  const suspension = await suspensionOf(connection, device.name)
  if (suspension !== undefined) return suspension
  const endorser = device.endorsement && (await deviceOf(connection, device.endorsement.deviceId))
  if (endorser?.name === device.name && endorser.revoked !== undefined) return { type: "endorserRevoked" }
  const fault = registrationFault(siblings, {
    ...device,
    recoveryKeys: await recoveryKeysOf(connection, device.name),
  })
  if (fault !== undefined) return fault
  await connection.run(
    `INSERT INTO directory_device
       (id, name, cipher_suite, signature_key, registered_at, endorser_id, endorser_signature)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`,
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
  // The same device may have got another name meanwhile.
  return registeredAs(connection, device, (await deviceOf(connection, device.deviceId))!)
}

async function registeredAs(connection: Connection, { name }: NewDevice, device: StoredDevice): Promise<Registered> {
  if (device.name !== name) return { type: "otherName" }
  if (device.revoked !== undefined) return { type: "revoked", device }
  return (await suspensionOf(connection, name)) ?? { type: "registered", device }
}

async function setDisplayName(
  connection: Connection,
  name: string,
  displayName: DisplayName,
): Promise<DisplayName | Suspended | Erased | OfRevoked> {
  await lockName(connection, name)
  if (await isErased(connection, nameHash(name))) return { type: "erased" }
  const suspension = await suspensionOf(connection, name)
  if (suspension !== undefined) return suspension
  const { text, at, deviceId, signature } = displayName
  const device = await deviceOf(connection, deviceId)
  if (device?.revoked !== undefined) return { type: "revoked", device }
  await connection.run(
    `INSERT INTO directory_display_name AS present (name, text, at, device_id, signature) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (name) DO UPDATE SET text = excluded.text, at = excluded.at, device_id = excluded.device_id,
       signature = excluded.signature WHERE present.at < excluded.at`,
    [name, text, at, deviceId, signature],
  )
  return (await displayNameOf(connection, name))!
}

async function displayNameOf(connection: Connection, name: string): Promise<DisplayName | undefined> {
  const row = await connection.get(
    "SELECT text, at, device_id, signature FROM directory_display_name WHERE name = $1",
    [name],
  )
  return row && { text: row.text, at: row.at, deviceId: row.device_id, signature: row.signature }
}

async function suspensionOf(connection: Connection, name: string): Promise<Suspended | undefined> {
  const row = await connection.get("SELECT reason FROM suspended_name WHERE name = $1", [name])
  return row && { type: "suspended", reason: row.reason }
}

export async function suspendName(connection: Connection, name: string, reason: string): Promise<boolean> {
  await lockName(connection, name)
  const found = await connection.get("SELECT 1 FROM directory_device WHERE name = $1 LIMIT 1", [name])
  if (found === undefined) return false
  await connection.run(
    "INSERT INTO suspended_name (name, reason) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET reason = excluded.reason",
    [name, reason],
  )
  return true
}

export async function resumeName(connection: Connection, name: string): Promise<boolean> {
  return (await connection.run("DELETE FROM suspended_name WHERE name = $1", [name])) > 0
}
