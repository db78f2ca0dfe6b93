import { PushKind } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { Claiming, NewRegistration, PushStore, Registration } from "@conclave/delivery/push"
import type { Refusal } from "@conclave/delivery/store"
import type { Connection, Database } from "../database.js"
import { kindOf } from "../delivery/kinds.js"

/**
 * The tables of registrations for pushes, in the file of the service: who wants to be told, and which groups have something to
 * tell that a gateway may have ended with. All times are Unix times in milliseconds.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE push_registration (
    group_id BLOB NOT NULL,
    id BLOB NOT NULL,
    access_key BLOB,
    kind INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    parameters BLOB NOT NULL,
    removal BLOB NOT NULL,
    sender BLOB NOT NULL,
    until INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, id)
  ) STRICT;
  CREATE INDEX push_registration_until ON push_registration (until);
  `,
  `
  ALTER TABLE push_registration ADD COLUMN version BLOB NOT NULL DEFAULT X'0000000000000000';
  ALTER TABLE push_registration ADD COLUMN told_up_to INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE push_due (group_id BLOB PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX push_due_at ON push_due (at, group_id);
  `,
]

/** Registrations for pushes, in the file of the service. The database is its opener's to close. */
export function pushStore(database: Database): PushStore {
  database.migrate("push", migrations)
  return {
    register: (registration) => database.write((connection) => register(connection, registration)),
    remove: ({ groupId, id, removal }) =>
      database.write((connection) => {
        const sql = "SELECT removal FROM push_registration WHERE group_id = ? AND id = ?"
        const present = connection.get(sql, [groupId, id])
        if (present === undefined) return { type: "none" }
        if (!equalBytes(present.removal, removal)) return { type: "wrongToken" }
        connection.run("DELETE FROM push_registration WHERE group_id = ? AND id = ?", [groupId, id])
        return { type: "removed" }
      }),
    ofGroup: async ({ groupId, at }) =>
      database.read((connection) => {
        const rows = connection.all(
          `SELECT id, access_key, kind, endpoint, parameters, until, version, told_up_to FROM push_registration
           WHERE group_id = ? AND until > ? ORDER BY id`,
          [groupId, at],
        )
        return rows.map(
          ({ id, access_key, kind, endpoint, parameters, until, version, told_up_to }): Registration => ({
            ...{ groupId, id, key: access_key ?? undefined, endpoint, parameters, until, version },
            toldUpTo: told_up_to,
            kind: kindOf(PushKind.values, kind),
          }),
        )
      }),
    claim: (asked) => database.write((connection) => claim(connection, asked)),
    forget: ({ groupId, registrations }) =>
      database.write((connection) => {
        const sql = "DELETE FROM push_registration WHERE group_id = ? AND id = ? AND version = ?"
        for (const { id, version } of registrations) connection.run(sql, [groupId, id, version])
      }),
    groups: async ({ after, limit }) =>
      database.read((connection) => {
        const sql = "SELECT DISTINCT group_id FROM push_registration WHERE group_id > ? ORDER BY group_id LIMIT ?"
        return connection.all(sql, [after, limit]).map(({ group_id }) => group_id)
      }),
    deleteOfGroup: (groupId) =>
      database.write((connection) => {
        connection.run("DELETE FROM push_due WHERE group_id = ?", [groupId])
        return { rows: connection.run("DELETE FROM push_registration WHERE group_id = ?", [groupId]), more: false }
      }),
    mark: ({ groupId, at }) =>
      database.write((connection) => {
        connection.run(
          `INSERT INTO push_due (group_id, at)
           SELECT ?, ? WHERE EXISTS (SELECT 1 FROM push_registration WHERE group_id = ?) ON CONFLICT DO NOTHING`,
          [groupId, at, groupId],
        )
      }),
    due: async ({ before, limit }) =>
      database.read((connection) => {
        const sql = "SELECT group_id FROM push_due WHERE at <= ? ORDER BY at, group_id LIMIT ?"
        return connection.all(sql, [before, limit]).map(({ group_id }) => group_id)
      }),
    settle: ({ groupId, at }) =>
      database.write((connection) => {
        connection.run("DELETE FROM push_due WHERE group_id = ? AND at <= ?", [groupId, at])
      }),
    async sweep({ at, rowsMax }) {
      const rows = await database.write((connection) =>
        connection.run(
          `DELETE FROM push_registration WHERE rowid IN
             (SELECT rowid FROM push_registration WHERE until <= ? ORDER BY until LIMIT ?)`,
          [at, rowsMax],
        ),
      )
      return { rows, more: rows === rowsMax }
    },
    async [Symbol.asyncDispose]() {},
  }
}

function register(
  connection: Connection,
  registration: NewRegistration,
): { readonly type: "registered" | "idReused" } | Refusal {
  const { groupId, id, key, kind, endpoint, parameters, removal, sender, until, at, version, toldUpTo } = registration
  const present = connection.get("SELECT removal FROM push_registration WHERE group_id = ? AND id = ?", [groupId, id])
  if (present !== undefined && !equalBytes(present.removal, removal)) return { type: "idReused" }
  const others = connection.get(
    `SELECT count(*) AS of_group, count(*) FILTER (WHERE sender = ?) AS of_sender FROM push_registration
     WHERE group_id = ? AND until > ? AND id <> ?`,
    [sender, groupId, at, id],
  )!
  const refusal = registration.admit({ ofGroup: Number(others.of_group), ofSender: Number(others.of_sender) })
  if (refusal !== undefined) return refusal
  connection.run(
    `INSERT INTO push_registration
       (group_id, id, access_key, kind, endpoint, parameters, removal, sender, until, version, told_up_to)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET access_key = excluded.access_key, kind = excluded.kind, endpoint = excluded.endpoint,
       parameters = excluded.parameters, sender = excluded.sender, until = excluded.until, version = excluded.version`,
    [
      ...[groupId, id, key ?? null, PushKind.values[kind], endpoint, parameters, removal, sender, until],
      version,
      toldUpTo,
    ],
  )
  return { type: "registered" }
}

function claim(connection: Connection, { groupId, told, at, before }: Claiming): readonly Uint8Array[] {
  const sql = `UPDATE push_registration SET claimed_at = ?, told_up_to = ?
    WHERE group_id = ? AND id = ? AND version = ? AND claimed_at <= ? AND told_up_to < ?`
  const claimed = told.filter(
    ({ id, version, upTo }) => connection.run(sql, [at, upTo, groupId, id, version, before, upTo]) === 1,
  )
  return claimed.map(({ id }) => id)
}
