import { judgeRecoveryKey, type RecoveryKeySet, type StoredRecoveryKey } from "@conclave/auth/store"
import type { Connection } from "../connection.js"
import { devicesOf } from "./devices.js"
import { lockName } from "./locking.js"

/** Of a name, the first one first. */
export async function recoveryKeysOf(connection: Connection, name: string): Promise<readonly StoredRecoveryKey[]> {
  const rows = await connection.all(
    "SELECT id, recovery_key, signer_key, at, signature, proof FROM recovery_key WHERE name = $1 ORDER BY number",
    [name],
  )
  return rows.map(({ id, recovery_key, signer_key, at, signature, proof }) => {
    return { id, statement: { recoveryKey: recovery_key, signerKey: signer_key, at, signature, proof } }
  })
}

export async function setRecoveryKey(
  connection: Connection,
  name: string,
  recoveryKey: StoredRecoveryKey,
): Promise<RecoveryKeySet> {
  await lockName(connection, name)
  const devices = await devicesOf(connection, name)
  const [first] = devices
  if (first === undefined) return { type: "notFound" }
  if (first.suspended !== undefined) return { type: "suspended", reason: first.suspended }
  const present = await recoveryKeysOf(connection, name)
  const judged = judgeRecoveryKey(recoveryKey, { devices, present })
  if (typeof judged !== "string") return { type: "refused", reason: judged.refused }
  if (judged === "keep") return { type: "recoveryKeys", keys: present }
  const { id, statement } = recoveryKey
  await connection.run(
    `INSERT INTO recovery_key (name, id, recovery_key, signer_key, at, signature, proof)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [name, id, statement.recoveryKey, statement.signerKey, statement.at, statement.signature, statement.proof],
  )
  return { type: "recoveryKeys", keys: [...present, recoveryKey] }
}
