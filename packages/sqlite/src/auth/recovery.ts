import { judgeRecoveryKey, type RecoveryKeySet, type StoredRecoveryKey } from "@conclave/auth/store"
import type { Connection, Row } from "../database.js"
import { devicesOf } from "./devices.js"

/** Of a name, the first one first. */
export function recoveryKeysOf(connection: Connection, name: string): readonly StoredRecoveryKey[] {
  return connection.all("SELECT * FROM recovery_key WHERE name = ? ORDER BY number", [name]).map(storedRecoveryKey)
}

export function storedRecoveryKey({ id, recovery_key, signer_key, at, signature, proof }: Row): StoredRecoveryKey {
  return { id, statement: { recoveryKey: recovery_key, signerKey: signer_key, at, signature, proof } }
}

export function setRecoveryKey(connection: Connection, name: string, recoveryKey: StoredRecoveryKey): RecoveryKeySet {
  const devices = devicesOf(connection, name)
  const [first] = devices
  if (first === undefined) return { type: "notFound" }
  if (first.suspended !== undefined) return { type: "suspended", reason: first.suspended }
  const present = recoveryKeysOf(connection, name)
  const judged = judgeRecoveryKey(recoveryKey, { devices, present })
  if (typeof judged !== "string") return { type: "refused", reason: judged.refused }
  if (judged === "keep") return { type: "recoveryKeys", keys: present }
  const { id, statement } = recoveryKey
  connection.run(
    "INSERT INTO recovery_key (name, id, recovery_key, signer_key, at, signature, proof) VALUES (?, ?, ?, ?, ?, ?, ?)",
    [name, id, statement.recoveryKey, statement.signerKey, statement.at, statement.signature, statement.proof],
  )
  return { type: "recoveryKeys", keys: [...present, recoveryKey] }
}
