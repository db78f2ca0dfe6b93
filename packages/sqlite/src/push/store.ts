import { PushKind } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { Claiming, NewRegistration, PushStore, Registration } from "@conclave/delivery/push"
import type { Refusal } from "@conclave/delivery/store"
import type { Connection, Database } from "../database.js"
import { kindOf } from "../delivery/kinds.js"

/** The table of registrations for pushes, in the file of the service. All times are Unix times in milliseconds. */
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
          `SELECT id, access_key, kind, endpoint, parameters, until FROM push_registration
           WHERE group_id = ? AND until > ? ORDER BY id`,
          [groupId, at],
        )
        return rows.map(
          ({ id, access_key, kind, endpoint, parameters, until }): Registration => ({
            ...{ groupId, id, key: access_key ?? undefined, endpoint, parameters, until },
            kind: kindOf(PushKind.values, kind),
          }),
        )
      }),
    claim: (asked) => database.write((connection) => claim(connection, asked)),
    forget: ({ groupId, ids }) =>
      database.write((connection) => {
        for (const id of ids)
          connection.run("DELETE FROM push_registration WHERE group_id = ? AND id = ?", [groupId, id])
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
  const { groupId, id, key, kind, endpoint, parameters, removal, sender, until, at } = registration
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
    `INSERT INTO push_registration (group_id, id, access_key, kind, endpoint, parameters, removal, sender, until)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET access_key = excluded.access_key, kind = excluded.kind, endpoint = excluded.endpoint,
       parameters = excluded.parameters, sender = excluded.sender, until = excluded.until`,
    [groupId, id, key ?? null, PushKind.values[kind], endpoint, parameters, removal, sender, until],
  )
  return { type: "registered" }
}

function claim(connection: Connection, { groupId, ids, at, before }: Claiming): readonly Uint8Array[] {
  const sql = "UPDATE push_registration SET claimed_at = ? WHERE group_id = ? AND id = ? AND claimed_at <= ?"
  return ids.filter((id) => connection.run(sql, [at, groupId, id, before]) === 1)
}
