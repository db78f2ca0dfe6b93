/**
 * The tables of the Delivery Service, as a list of migrations: the one at index n leads from version n to n + 1. A
 * migration that was ever released is not changed any more.
 *
 * ```
 *   mls_group ─┬─< log                one row per message, not one per member
 *              ├─< access_interval    public keys; the newest one is in mls_group as well
 *              ├── group_policy       what members have asked for, encoded
 *              ├─< knock
 *              └─< answer ──> blob    one welcome for all whose knocks a commit answers
 *   action                            what the operator has done
 *   suspended_device, action_news     what follows from it, and whom a running service has to look at again
 *   device ────┬─< inbox ───> blob    welcomes and notices; one welcome for many devices is stored once
 *              └─< key_package
 *   identity                          one row
 * ```
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE mls_group (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    head_hash BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 1,
    policy INTEGER NOT NULL DEFAULT 1,
    oldest_seq INTEGER NOT NULL DEFAULT 1,
    idem BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    info_seq INTEGER NOT NULL,
    info_hash BLOB NOT NULL REFERENCES blob,
    tree_hash BLOB REFERENCES blob,
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE log (
    group_number INTEGER NOT NULL REFERENCES mls_group,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    idem BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    body BLOB NOT NULL,
    chain_hash BLOB NOT NULL,
    epoch_behind INTEGER NOT NULL,
    receipt BLOB,
    at INTEGER NOT NULL,
    PRIMARY KEY (group_number, seq),
    UNIQUE (group_number, idem)
  ) STRICT;

  CREATE TABLE access (
    group_number INTEGER NOT NULL REFERENCES mls_group,
    epoch INTEGER NOT NULL,
    public_key BLOB NOT NULL,
    barrier INTEGER NOT NULL,
    PRIMARY KEY (group_number, epoch)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE blob (
    hash BLOB PRIMARY KEY,
    body BLOB NOT NULL,
    uses INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE device (
    id BLOB PRIMARY KEY,
    signature_key BLOB,
    state_counter INTEGER NOT NULL DEFAULT 0,
    inbox_head INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE inbox (
    device_id BLOB NOT NULL,
    n INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    group_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    body_hash BLOB REFERENCES blob,
    tree_hash BLOB REFERENCES blob,
    at INTEGER NOT NULL,
    PRIMARY KEY (device_id, n)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE key_package (
    number INTEGER PRIMARY KEY,
    ref BLOB NOT NULL UNIQUE,
    device_id BLOB NOT NULL,
    cipher_suite INTEGER NOT NULL,
    last_resort INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    body BLOB
  ) STRICT;
  CREATE INDEX key_package_stock ON key_package (device_id, cipher_suite, last_resort, number) WHERE body IS NOT NULL;
  CREATE INDEX key_package_age ON key_package (not_after);
  `,
  // Commits are ordered by the last commit entry, and epochs are no longer counted.
  `
  ALTER TABLE mls_group ADD COLUMN last_commit_seq INTEGER NOT NULL DEFAULT 0;
  UPDATE mls_group SET last_commit_seq =
    coalesce((SELECT max(seq) FROM log WHERE group_number = mls_group.number AND kind = 3), 0);
  ALTER TABLE mls_group DROP COLUMN epoch;
  ALTER TABLE log DROP COLUMN epoch_behind;
  CREATE INDEX log_commit ON log (group_number, seq) WHERE kind = 3;
  DROP TABLE access;
  `,
  // What is stored is counted and expires; an inbox makes room for what is new.
  `
  ALTER TABLE mls_group ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE mls_group ADD COLUMN last_at INTEGER NOT NULL DEFAULT 0;
  UPDATE mls_group SET
    bytes = coalesce((SELECT sum(length(body) + 200) FROM log WHERE group_number = mls_group.number), 0),
    last_at = coalesce((SELECT max(at) FROM log WHERE group_number = mls_group.number), created_at);
  ALTER TABLE log ADD COLUMN undelivered BLOB;

  CREATE TABLE numbered_inbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id BLOB NOT NULL,
    n INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    group_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    body_hash BLOB REFERENCES blob,
    tree_hash BLOB REFERENCES blob,
    sender BLOB NOT NULL DEFAULT x'',
    at INTEGER NOT NULL,
    UNIQUE (device_id, n)
  ) STRICT;
  INSERT INTO numbered_inbox (device_id, n, kind, group_id, seq, body_hash, tree_hash, at)
    SELECT device_id, n, kind, group_id, seq, body_hash, tree_hash, at FROM inbox ORDER BY at, device_id, n;
  DROP TABLE inbox;
  ALTER TABLE numbered_inbox RENAME TO inbox;
  `,
  // Who asks proves a key of the group's. GroupInfo and tree of a group are stored no longer; those of Welcomes that wait are.
  `
  CREATE TABLE access_interval (
    group_number INTEGER NOT NULL REFERENCES mls_group,
    seq INTEGER NOT NULL,
    access_key BLOB NOT NULL,
    removes INTEGER NOT NULL,
    chain_hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (group_number, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX access_interval_key ON access_interval (group_number, access_key, seq);
  CREATE INDEX access_interval_removal ON access_interval (group_number, seq) WHERE removes = 1;

  CREATE TABLE knock (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    group_number INTEGER NOT NULL REFERENCES mls_group,
    id BLOB NOT NULL,
    access_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    sender BLOB NOT NULL,
    beside INTEGER NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (group_number, id)
  ) STRICT;
  CREATE INDEX knock_key ON knock (group_number, access_key, number);

  CREATE TABLE answer (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    group_number INTEGER NOT NULL REFERENCES mls_group,
    knock_id BLOB NOT NULL,
    access_key BLOB NOT NULL,
    seq INTEGER NOT NULL,
    sealed_key BLOB NOT NULL,
    welcome_hash BLOB NOT NULL,
    beside INTEGER NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (group_number, knock_id)
  ) STRICT;
  CREATE INDEX answer_key ON answer (group_number, access_key, beside);

  CREATE TABLE identity (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    seed BLOB NOT NULL,
    pass_secret BLOB NOT NULL,
    incarnation INTEGER NOT NULL,
    handovers BLOB NOT NULL
  ) STRICT;

  ALTER TABLE log ADD COLUMN begins BLOB;
  ALTER TABLE mls_group ADD COLUMN access_key BLOB;
  ALTER TABLE mls_group ADD COLUMN access_seq INTEGER;
  ALTER TABLE mls_group ADD COLUMN beside INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE released (hash BLOB PRIMARY KEY, uses INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO released SELECT hash, count(*) FROM
    (SELECT info_hash AS hash FROM mls_group UNION ALL SELECT tree_hash FROM mls_group WHERE tree_hash IS NOT NULL)
    GROUP BY hash;
  ALTER TABLE mls_group DROP COLUMN info_seq;
  ALTER TABLE mls_group DROP COLUMN info_hash;
  ALTER TABLE mls_group DROP COLUMN tree_hash;
  UPDATE blob SET uses = blob.uses - released.uses FROM released WHERE released.hash = blob.hash;
  DELETE FROM blob WHERE uses <= 0;
  DROP TABLE released;
  `,
  // Deleting a blob looks for what still refers to it, which read every row of the inbox.
  `
  CREATE INDEX inbox_body ON inbox (body_hash) WHERE body_hash IS NOT NULL;
  CREATE INDEX inbox_tree ON inbox (tree_hash) WHERE tree_hash IS NOT NULL;

  CREATE TABLE former_group (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  // What the operator has done. A row is never changed or deleted: `what` is a name, or a group's id in hexadecimal digits.
  `
  CREATE TABLE action (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    user TEXT NOT NULL,
    did TEXT NOT NULL,
    what TEXT NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER action_stays BEFORE DELETE ON action BEGIN SELECT RAISE(ABORT, 'actions stay'); END;
  CREATE TRIGGER action_is_final BEFORE UPDATE ON action BEGIN SELECT RAISE(ABORT, 'actions stay as they are'); END;

  CREATE TABLE suspended_device (id BLOB PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE action_news (number INTEGER PRIMARY KEY AUTOINCREMENT, group_id BLOB, device_id BLOB) STRICT;
  `,
  // What a group has left of its budgets lies with it, so that no restart gives them back: see `Budgets`.
  `
  ALTER TABLE mls_group ADD COLUMN appends_full_at REAL NOT NULL DEFAULT 0;
  ALTER TABLE mls_group ADD COLUMN proposals_full_at REAL NOT NULL DEFAULT 0;
  ALTER TABLE mls_group ADD COLUMN commits_full_at REAL NOT NULL DEFAULT 0;
  ALTER TABLE mls_group ADD COLUMN knocks_full_at REAL NOT NULL DEFAULT 0;
  `,
  // What members have asked for of their group: see `GroupPolicy`. Where nothing is due before the policy changes, there is no time.
  `
  CREATE TABLE group_policy (
    group_number INTEGER PRIMARY KEY REFERENCES mls_group,
    policy BLOB NOT NULL,
    expired_seq INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER
  ) STRICT;
  CREATE INDEX group_policy_due ON group_policy (due_at) WHERE due_at IS NOT NULL;
  `,
]
