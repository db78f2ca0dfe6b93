import type { Migration } from "../migrations.js"

/** Before all times. */
const EVER = "-9223372036854775808"

/**
 * The tables of the Delivery Service.
 *
 * ```
 *   mls_group ─┬─< log ─── message_body   one row per message, not one per member; bodies of application messages lie in
 *              │                          partitions by time, which are dropped as a whole
 *              ├─< access_interval        public keys; the newest one is in mls_group as well
 *              ├── group_policy           what members have asked for, encoded
 *              ├─< knock
 *              └─< answer ──> blob        one welcome for all whose knocks a commit answers
 *   device ────┬─< inbox ───> blob        welcomes and notices; one welcome for many devices is stored once
 *              └─< key_package
 *   news                                  what a transaction has touched, by the transaction's id
 *   message_partition                     the time that each partition of message_body has
 *   retention, news_horizon, identity     one row each
 *   action                                what the operator has done: a name, or a group's id in hexadecimal digits
 *   intake                                one row where the service was moved here, from the beginning of the move on
 * ```
 *
 * Locks are taken in this order: groups by number, devices by id, blobs by hash. What belongs to a group is written under
 * the lock of its row, and what belongs to a device under that of the device's; so nothing needs a foreign key.
 *
 * All times are Unix times in milliseconds.
 */
export const migrations: readonly Migration[] = [
  {
    oldestReader: 1,
    sql: `
  CREATE TABLE mls_group (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id bytea NOT NULL UNIQUE,
    next_seq bigint NOT NULL,
    oldest_seq bigint NOT NULL DEFAULT 1,
    last_commit_seq bigint NOT NULL DEFAULT 0,
    beside bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    last_at bigint NOT NULL,
    appends_full_at double precision NOT NULL DEFAULT 0,
    proposals_full_at double precision NOT NULL DEFAULT 0,
    commits_full_at double precision NOT NULL DEFAULT 0,
    knocks_full_at double precision NOT NULL DEFAULT 0,
    access_seq bigint NOT NULL,
    access_key bytea NOT NULL,
    head_hash bytea NOT NULL,
    idem bytea NOT NULL,
    request_hash bytea NOT NULL
  ) WITH (fillfactor = 70);

  CREATE TABLE former_group (id bytea PRIMARY KEY);

  CREATE TABLE log (
    group_number bigint NOT NULL,
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    at bigint NOT NULL,
    size integer NOT NULL,
    kind smallint NOT NULL,
    idem bytea NOT NULL,
    request_hash bytea NOT NULL,
    body_hash bytea NOT NULL,
    chain_hash bytea NOT NULL,
    begins bytea,
    undelivered bytea,
    body bytea,
    PRIMARY KEY (group_number, seq),
    UNIQUE (group_number, idem)
  );
  CREATE INDEX log_at ON log (at);
  CREATE INDEX log_commit ON log (group_number, seq) WHERE kind = 3;

  CREATE TABLE message_body (
    at bigint NOT NULL,
    group_number bigint NOT NULL,
    seq bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (at, group_number, seq)
  ) PARTITION BY RANGE (at);
  CREATE TABLE message_partition (start_at bigint PRIMARY KEY, end_at bigint NOT NULL);

  CREATE TABLE retention (
    number integer PRIMARY KEY CHECK (number = 1),
    messages bigint NOT NULL,
    counted bigint NOT NULL,
    log bigint NOT NULL,
    group_number bigint NOT NULL
  );
  INSERT INTO retention VALUES (1, ${EVER}, ${EVER}, ${EVER}, 0);
  CREATE TABLE superseded_commit (group_number bigint, seq bigint, PRIMARY KEY (group_number, seq));

  CREATE TABLE access_interval (
    group_number bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    removes boolean NOT NULL,
    access_key bytea NOT NULL,
    chain_hash bytea NOT NULL,
    PRIMARY KEY (group_number, seq)
  );
  CREATE INDEX access_interval_key ON access_interval (group_number, access_key, seq);
  CREATE INDEX access_interval_removal ON access_interval (group_number, seq) WHERE removes;

  CREATE TABLE knock (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_number bigint NOT NULL,
    beside bigint NOT NULL,
    at bigint NOT NULL,
    id bytea NOT NULL,
    access_key bytea NOT NULL,
    sealed bytea NOT NULL,
    sender bytea NOT NULL,
    UNIQUE (group_number, id)
  );
  CREATE INDEX knock_key ON knock (group_number, access_key, number);
  CREATE INDEX knock_at ON knock (at);

  CREATE TABLE answer (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_number bigint NOT NULL,
    seq bigint NOT NULL,
    beside bigint NOT NULL,
    at bigint NOT NULL,
    knock_id bytea NOT NULL,
    access_key bytea NOT NULL,
    sealed_key bytea NOT NULL,
    welcome_hash bytea NOT NULL,
    UNIQUE (group_number, knock_id)
  );
  CREATE INDEX answer_key ON answer (group_number, access_key, beside);
  CREATE INDEX answer_at ON answer (at);

  CREATE TABLE blob (hash bytea PRIMARY KEY, uses bigint NOT NULL, body bytea NOT NULL);

  CREATE TABLE device (
    id bytea PRIMARY KEY,
    inbox_head bigint NOT NULL DEFAULT 0,
    signature_key bytea,
    suspended text
  ) WITH (fillfactor = 80);

  CREATE TABLE inbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    n bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    kind smallint NOT NULL,
    device_id bytea NOT NULL,
    group_id bytea NOT NULL,
    sender bytea NOT NULL,
    body_hash bytea,
    UNIQUE (device_id, n)
  );
  CREATE INDEX inbox_group ON inbox (group_id);
  CREATE INDEX inbox_at ON inbox (at);

  CREATE TABLE key_package (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    not_after bigint NOT NULL,
    cipher_suite integer NOT NULL,
    last_resort boolean NOT NULL,
    ref bytea NOT NULL UNIQUE,
    device_id bytea NOT NULL,
    body bytea
  );
  CREATE INDEX key_package_stock ON key_package (device_id, cipher_suite, last_resort, number) WHERE body IS NOT NULL;
  CREATE INDEX key_package_age ON key_package (not_after);

  CREATE TABLE identity (
    number integer PRIMARY KEY CHECK (number = 1),
    incarnation bigint NOT NULL,
    seed bytea NOT NULL,
    pass_secret bytea NOT NULL,
    handovers bytea NOT NULL
  );

  CREATE TABLE news (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    group_id bytea,
    device_id bytea
  );
  CREATE INDEX news_xid ON news (xid);
  CREATE TABLE news_horizon (number integer PRIMARY KEY CHECK (number = 1), swept xid8 NOT NULL);
  INSERT INTO news_horizon VALUES (1, '0');
  `,
  },
  // What the operator has done, and the move of a service into the tables. Gateways of the first version do not hold the lock
  // by which the operator knows of them.
  {
    oldestReader: 2,
    sql: `
  CREATE TABLE action (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    operator text NOT NULL,
    did text NOT NULL,
    what text NOT NULL,
    reason text NOT NULL
  );
  CREATE FUNCTION action_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'actions stay as they are'; END $$;
  CREATE TRIGGER action_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON action
    FOR EACH STATEMENT EXECUTE FUNCTION action_stays();

  CREATE TABLE intake (
    number integer PRIMARY KEY CHECK (number = 1),
    began_at bigint NOT NULL,
    ready_at bigint,
    service bytea NOT NULL
  );
  `,
  },
  // What members have asked for of their group: see `GroupPolicy`. Where nothing is due before the policy changes, there is no
  // time. What is deleted before its partition is dropped lies in the file still, until the partition is rewritten. Gateways of the second version leave the rows of groups that they delete, which the next sweep forgets.
  {
    oldestReader: 2,
    sql: `
  CREATE TABLE group_policy (
    group_number bigint PRIMARY KEY,
    expired_seq bigint NOT NULL DEFAULT 0,
    due_at bigint,
    policy bytea NOT NULL
  );
  CREATE INDEX group_policy_due ON group_policy (due_at) WHERE due_at IS NOT NULL;

  ALTER TABLE message_partition
    ADD COLUMN touched boolean NOT NULL DEFAULT false, ADD COLUMN rewritten_at bigint NOT NULL DEFAULT ${EVER};
  `,
  },
]
