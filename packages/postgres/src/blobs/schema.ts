import type { Migration } from "../migrations.js"

/**
 * The tables of blobs.
 *
 * ```
 *   blob_group                 what the blobs of a group take; its row is locked for what changes it
 *   stored_blob ─< blob_chunk  256 KiB each but the last, in partitions by the day on which the blob expires, which are
 *                              dropped as a whole
 *   blob_day                   the days that have a partition
 * ```
 *
 * Chunks are ciphertext: EXTERNAL keeps the database from trying to compress them, and lets it read a part of one. All times
 * are Unix times in milliseconds; a day is such a time divided by that of a day.
 */
export const migrations: readonly Migration[] = [
  {
    oldestReader: 1,
    sql: `
  CREATE TABLE blob_group (group_id bytea PRIMARY KEY, bytes bigint NOT NULL, blobs bigint NOT NULL);

  CREATE TABLE stored_blob (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size bigint NOT NULL,
    stored bigint NOT NULL DEFAULT 0,
    until bigint NOT NULL,
    kept_until bigint NOT NULL,
    id bytea NOT NULL UNIQUE,
    group_id bytea NOT NULL,
    deletion bytea NOT NULL
  );
  CREATE INDEX stored_blob_due ON stored_blob (kept_until);
  CREATE INDEX stored_blob_group ON stored_blob (group_id);

  CREATE TABLE blob_chunk (
    day bigint NOT NULL,
    blob_number bigint NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (day, blob_number, number)
  ) PARTITION BY LIST (day);
  ALTER TABLE blob_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;
  CREATE TABLE blob_day (day bigint PRIMARY KEY);
  `,
  },
]
