import type { AuthIntake, AuthRecord } from "@conclave/auth/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { bigintArray, bytesArray, integerArray, textArray } from "../values.js"

type RecordOf<Type extends AuthRecord["type"]> = Extract<AuthRecord, { readonly type: Type }>

export const AUTH_TABLES: readonly string[] = [
  "directory_device",
  "directory_display_name",
  "suspended_name",
  "erased",
  "revoked_device",
  "recovery_key",
]

/** Takes over what another store has, some records to a transaction: nobody else uses the tables meanwhile. */
export function authIntake(database: Database): AuthIntake {
  return {
    async take(records) {
      if (records.length === 0) return
      await database.write((connection) => take(connection, records))
    },
    async counts() {
      const row = await database.look((connection) =>
        connection.get(`SELECT (SELECT count(*)::integer FROM directory_device) AS "registration",
          (SELECT count(*)::integer FROM directory_display_name) AS "displayName",
          (SELECT count(*)::integer FROM suspended_name) AS "suspendedName",
          (SELECT count(*)::integer FROM erased) AS "erased",
          (SELECT count(*)::integer FROM revoked_device) AS "revoked",
          (SELECT count(*)::integer FROM recovery_key) AS "recoveryKey"`),
      )
      return row as never
    },
  }
}

function take(connection: Connection, records: readonly AuthRecord[]): Promise<number> {
  const of = <Type extends AuthRecord["type"]>(_: Type) => records as readonly RecordOf<Type>[]
  switch (records[0]!.type) {
    case "registration":
      return takeRegistrations(connection, of("registration"))
    case "displayName":
      return takeDisplayNames(connection, of("displayName"))
    case "erased":
      return connection.run("INSERT INTO erased (hash) SELECT * FROM unnest($1::bytea[])", [
        bytesArray(of("erased").map(({ hash }) => hash)),
      ])
    case "revoked":
      return takeRevoked(connection, of("revoked"))
    case "recoveryKey":
      return takeRecoveryKeys(connection, of("recoveryKey"))
    case "suspendedName":
      return connection.run("INSERT INTO suspended_name (name, reason) SELECT * FROM unnest($1::text[], $2::text[])", [
        textArray(of("suspendedName").map(({ name }) => name)),
        textArray(of("suspendedName").map(({ reason }) => reason)),
      ])
  }
}

function takeRegistrations(connection: Connection, records: readonly RecordOf<"registration">[]): Promise<number> {
  return connection.run(
    `INSERT INTO directory_device (registered_at, cipher_suite, id, name, signature_key, endorser_id, endorser_signature)
     SELECT registered_at, cipher_suite, id, name, signature_key, endorser_id, endorser_signature
     FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[]) WITH ORDINALITY
       AS taken (registered_at, cipher_suite, id, name, signature_key, endorser_id, endorser_signature, place) ORDER BY place`,
    [
      bigintArray(records.map(({ registeredAt }) => registeredAt)),
      integerArray(records.map(({ cipherSuite }) => cipherSuite)),
      bytesArray(records.map(({ deviceId }) => deviceId)),
      textArray(records.map(({ name }) => name)),
      bytesArray(records.map(({ signatureKey }) => signatureKey)),
      bytesArray(records.map(({ endorsement }) => endorsement?.deviceId ?? null)),
      bytesArray(records.map(({ endorsement }) => endorsement?.signature ?? null)),
    ],
  )
}

function takeDisplayNames(connection: Connection, records: readonly RecordOf<"displayName">[]): Promise<number> {
  return connection.run(
    `INSERT INTO directory_display_name (name, text, at, device_id, signature)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[])`,
    [
      textArray(records.map(({ name }) => name)),
      textArray(records.map(({ text }) => text)),
      bigintArray(records.map(({ at }) => at)),
      bytesArray(records.map(({ deviceId }) => deviceId)),
      bytesArray(records.map(({ signature }) => signature)),
    ],
  )
}

function takeRecoveryKeys(connection: Connection, records: readonly RecordOf<"recoveryKey">[]): Promise<number> {
  const of = (field: "recoveryKey" | "signerKey" | "signature" | "proof") =>
    bytesArray(records.map(({ statement }) => statement[field]))
  return connection.run(
    `INSERT INTO recovery_key (name, id, recovery_key, signer_key, at, signature, proof)
     SELECT name, id, recovery_key, signer_key, at, signature, proof
     FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[]) WITH ORDINALITY
       AS taken (name, id, recovery_key, signer_key, at, signature, proof, place) ORDER BY place`,
    [
      textArray(records.map(({ name }) => name)),
      bytesArray(records.map(({ id }) => id)),
      of("recoveryKey"),
      of("signerKey"),
      bigintArray(records.map(({ statement }) => statement.at)),
      of("signature"),
      of("proof"),
    ],
  )
}

function takeRevoked(connection: Connection, records: readonly RecordOf<"revoked">[]): Promise<number> {
  return connection.run(
    `INSERT INTO revoked_device (id, revoker_key, at, signature)
     SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[])`,
    [
      bytesArray(records.map(({ deviceId }) => deviceId)),
      bytesArray(records.map(({ revocation }) => revocation?.revokerKey ?? null)),
      bigintArray(records.map(({ revocation }) => revocation?.at ?? null)),
      bytesArray(records.map(({ revocation }) => revocation?.signature ?? null)),
    ],
  )
}
