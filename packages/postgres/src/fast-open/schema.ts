import type { Database } from "../database.js"
import type { Migration } from "../migrations.js"

/** Migrations that were ever released are not changed any more. */
export const migrations: readonly Migration[] = [
  {
    oldestReader: 1,
    sql: `
  CREATE TABLE strike (
    digest bytea PRIMARY KEY,
    claim bytea NOT NULL,
    until bigint NOT NULL
  ) WITH (autovacuum_vacuum_scale_factor = 0.05);
  CREATE INDEX strike_until ON strike (until);

  CREATE TABLE strike_horizon (swept bigint NOT NULL);
  INSERT INTO strike_horizon (swept) VALUES (0);

  CREATE TABLE day_key (
    id bigint PRIMARY KEY,
    sealed bytea NOT NULL,
    announce_at bigint NOT NULL,
    destroy_at bigint NOT NULL
  );
  `,
  },
]

export const migrateFastOpen = (database: Database) => database.migrate("fast-open", migrations)

/** The server's clock as it is now, not as it was when the transaction began: Unix time in milliseconds. */
export const CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
