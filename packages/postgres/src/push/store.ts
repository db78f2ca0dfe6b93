import { PushKind } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { NewRegistration, PushStore, Registration } from "@conclave/delivery/push"
import type { Refusal } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { kindOf } from "../delivery/kinds.js"
import type { Migration } from "../migrations.js"
import { bigintArray, bytesArray } from "../values.js"

/**
 * The tables of registrations for pushes: who wants to be told, and which groups have something to tell that a gateway may have
 * ended with. All times are Unix times in milliseconds.
 */
export const migrations: readonly Migration[] = [
  {
    oldestReader: 1,
    sql: `
  CREATE TABLE push_registration (
    group_id bytea NOT NULL,
    id bytea NOT NULL,
    until bigint NOT NULL,
    claimed_at bigint NOT NULL DEFAULT 0,
    kind smallint NOT NULL,
    access_key bytea,
    endpoint text NOT NULL,
    parameters bytea NOT NULL,
    removal bytea NOT NULL,
    sender bytea NOT NULL,
    PRIMARY KEY (group_id, id)
  );
  CREATE INDEX push_registration_until ON push_registration (until);
  `,
  },
  {
    oldestReader: 1,
    sql: `
  ALTER TABLE push_registration ADD COLUMN version bytea NOT NULL DEFAULT '\\x0000000000000000';
  ALTER TABLE push_registration ADD COLUMN told_up_to bigint NOT NULL DEFAULT 0;
  CREATE TABLE push_due (group_id bytea PRIMARY KEY, at bigint NOT NULL);
  CREATE INDEX push_due_at ON push_due (at, group_id);
  `,
  },
]

/**
 * Registrations for pushes in PostgreSQL. The database is its opener's to close.
 *
 * @throws {StoreUnavailable} when the tables cannot be brought up to date now, or are of a later version.
 */
export async function pushStore(database: Database): Promise<PushStore> {
  await database.migrate("push", migrations)
  return {
    register(registration) {
      const admit = admittedOnce(registration)
      return database.write((connection) => register(connection, { ...registration, admit }))
    },
    remove: ({ groupId, id, removal }) =>
      database.write(async (connection) => {
        const present = await connection.get(
          "SELECT removal FROM push_registration WHERE group_id = $1 AND id = $2 FOR UPDATE",
          [groupId, id],
        )
        if (present === undefined) return { type: "none" }
        if (!equalBytes(present.removal, removal)) return { type: "wrongToken" }
        await connection.run("DELETE FROM push_registration WHERE group_id = $1 AND id = $2", [groupId, id])
        return { type: "removed" }
      }),
    ofGroup: ({ groupId, at }) =>
      database.look(async (connection) => {
        const rows = await connection.all(
          `SELECT id, access_key, kind, endpoint, parameters, until, version, told_up_to FROM push_registration
           WHERE group_id = $1 AND until > $2 ORDER BY id`,
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
    claim: ({ groupId, told, at, before }) =>
      database.write(async (connection) => {
        await lock(connection, groupId)
        const rows = await connection.all(
          `UPDATE push_registration SET claimed_at = $1, told_up_to = asked.up_to
           FROM unnest($3::bytea[], $4::bytea[], $5::bigint[]) AS asked (id, version, up_to)
           WHERE group_id = $2 AND push_registration.id = asked.id AND push_registration.version = asked.version
             AND claimed_at <= $6 AND told_up_to < asked.up_to RETURNING push_registration.id`,
          [
            ...[at, groupId, bytesArray(told.map(({ id }) => id)), bytesArray(told.map(({ version }) => version))],
            ...[bigintArray(told.map(({ upTo }) => upTo)), before],
          ],
        )
        return rows.map(({ id }) => id)
      }),
    forget: ({ groupId, registrations }) =>
      database.write(async (connection) => {
        await lock(connection, groupId)
        await connection.run(
          `DELETE FROM push_registration USING unnest($2::bytea[], $3::bytea[]) AS asked (id, version)
           WHERE group_id = $1 AND push_registration.id = asked.id AND push_registration.version = asked.version`,
          [
            ...[groupId, bytesArray(registrations.map(({ id }) => id))],
            bytesArray(registrations.map(({ version }) => version)),
          ],
        )
      }),
    groups: ({ after, limit }) =>
      database.look(async (connection) => {
        const sql = "SELECT DISTINCT group_id FROM push_registration WHERE group_id > $1 ORDER BY group_id LIMIT $2"
        return (await connection.all(sql, [after, limit])).map(({ group_id }) => group_id)
      }),
    deleteOfGroup: (groupId) =>
      database.write(async (connection) => {
        await lock(connection, groupId)
        await connection.run("DELETE FROM push_due WHERE group_id = $1", [groupId])
        const rows = await connection.run("DELETE FROM push_registration WHERE group_id = $1", [groupId])
        return { rows, more: false }
      }),
    mark: ({ groupId, at }) =>
      database.write(async (connection) => {
        await connection.run(
          `INSERT INTO push_due (group_id, at)
           SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM push_registration WHERE group_id = $1) ON CONFLICT DO NOTHING`,
          [groupId, at],
        )
      }),
    due: ({ before, limit }) =>
      database.look(async (connection) => {
        const sql = "SELECT group_id FROM push_due WHERE at <= $1 ORDER BY at, group_id LIMIT $2"
        return (await connection.all(sql, [before, limit])).map(({ group_id }) => group_id)
      }),
    settle: ({ groupId, at }) =>
      database.write(async (connection) => {
        await connection.run("DELETE FROM push_due WHERE group_id = $1 AND at <= $2", [groupId, at])
      }),
    async sweep({ at, rowsMax }) {
      const rows = await database.write((connection) =>
        connection.run(
          `DELETE FROM push_registration WHERE (group_id, id) IN
             (SELECT group_id, id FROM push_registration WHERE until <= $1 ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)`,
          [at, rowsMax],
        ),
      )
      return { rows, more: rows === rowsMax }
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** One at a time of what is about the registrations of a group. */
async function lock(connection: Connection, groupId: Uint8Array): Promise<void> {
  await connection.get("SELECT pg_advisory_xact_lock(hashtext('conclave push'), hashtext(encode($1, 'hex')))::text", [
    groupId,
  ])
}

/** What was admitted is not asked again when the transaction is run again. */
function admittedOnce(registration: NewRegistration): NewRegistration["admit"] {
  let isAdmitted = false
  return (others) => {
    if (isAdmitted) return undefined
    const refusal = registration.admit(others)
    isAdmitted = refusal === undefined
    return refusal
  }
}

async function register(
  connection: Connection,
  registration: NewRegistration,
): Promise<{ readonly type: "registered" | "idReused" } | Refusal> {
  const { groupId, id, key, kind, endpoint, parameters, removal, sender, until, at, version, toldUpTo } = registration
  await lock(connection, groupId)
  const present = await connection.get("SELECT removal FROM push_registration WHERE group_id = $1 AND id = $2", [
    ...[groupId, id],
  ])
  if (present !== undefined && !equalBytes(present.removal, removal)) return { type: "idReused" }
  const others = (await connection.get(
    `SELECT count(*)::integer AS of_group, count(*) FILTER (WHERE sender = $1)::integer AS of_sender FROM push_registration
     WHERE group_id = $2 AND until > $3 AND id <> $4`,
    [sender, groupId, at, id],
  ))!
  const refusal = registration.admit({ ofGroup: others.of_group, ofSender: others.of_sender })
  if (refusal !== undefined) return refusal
  await connection.run(
    `INSERT INTO push_registration
       (group_id, id, access_key, kind, endpoint, parameters, removal, sender, until, version, told_up_to)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     ON CONFLICT (group_id, id) DO UPDATE SET access_key = excluded.access_key, kind = excluded.kind,
       endpoint = excluded.endpoint, parameters = excluded.parameters, sender = excluded.sender, until = excluded.until,
       version = excluded.version`,
    [
      ...[groupId, id, key ?? null, PushKind.values[kind], endpoint, parameters, removal, sender, until],
      version,
      toldUpTo,
    ],
  )
  return { type: "registered" }
}
