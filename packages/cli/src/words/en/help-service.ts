/** Help of the commands of those who run a service. */
export const serviceHelp = {
  serve: {
    summary: "run the service and the page, in one process on one file",
    description: [
      "The service orders and keeps messages that it cannot read. Ctrl-C or SIGTERM ends it after it has answered the requests under way.",
      "It speaks HTTP. For other machines, put a proxy with TLS in front, say with --public-url what browsers open, and name the proxy with --trust-proxy: docs/deploying.md has files for Caddy, nginx and HAProxy.",
      "For a supervisor, /healthz answers while it runs, and /readyz while its file can be read. With a database, SIGTERM hands the clients over to other such processes first: /readyz says 503 at once, and WebSockets are closed one after the other (--drain).",
      "With DATABASE_URL it keeps everything in PostgreSQL instead of a file, and any number of such processes serve the same groups: docs/operating.md. They tell each other what is new through the database, or by NATS with NATS_URL; without either, what others write is seen within seconds.",
      "With --fast-open it answers sealed requests too, at a port of their own, which no proxy may be in front of: half a round trip to the service where both systems allow data in the first packet, and nothing that could be tracked. It offers them over HTTP, at /fast-open. Over plain HTTP that first contact is not authenticated: a man in the middle could offer another key. HTTPS prevents that, and so does the server key, which is shown at the start and which clients may be given as --server-key.",
      "The keys for that are in fast-open.keys, for the owner alone. Those of the day are replaced daily and destroyed after two days; the server key stays. A data folder is for one service at a time.",
      "Several such processes behind one address share these keys with --fast-open-keys shared: they are then in the database, sealed under a secret that each process is given, by --fast-open-secret or as CONCLAVE_FAST_OPEN_SECRET (64 hexadecimal digits, as openssl rand -hex 32 makes them). With keys of their own, a client that meets another process than before loses a round trip, and the server key is another at each.",
    ],
    options: {
      port: "where to listen; 0: any that is free",
      host: "the address to listen at",
      nats: "servers of NATS that carry the hints between such processes",
      connections: "connections at a time: 1/8 for an address, 1/4 for a network",
      "trust-proxy": "proxies in front (or networks of them) whose X-Forwarded-For is believed",
      "public-url": "what browsers open, as https://chat.example.org/ (a path may follow)",
      "allow-origin": "other origins whose pages may use it, as https://app.example.org",
      "allow-host": "names to answer to beside this machine's own and the public one",
      quota: "the most that it may take on the disk; then it is only read (file: 10G)",
      "no-blobs": "keep no blobs: attachments are refused",
      retention: "how long messages are kept; commits six times as long",
      metrics: "metrics for Prometheus, at http://127.0.0.1:PORT/metrics (or HOST:PORT)",
      drain: "at the end, hand clients over for so long (database: 10; file: 0)",
      "fast-open": "answer sealed requests too",
      "fast-open-port": "where to listen for them (default: the next port; 0: any that is free)",
      "fast-open-policy": "private: data in the first packet, no cookie; off: none there",
      "fast-open-keys": "own (default), or shared with all processes on the database",
      "fast-open-secret": "what shared keys are sealed under there: 64 hexadecimal digits",
    },
  },
  backup: {
    summary: "copy a service, which may be running, into one file",
    description: [
      "The file holds all that the service has stored at one moment, its signing key, its secret for passes, and its server key for sealed requests, if it has one. Whoever has the file can impersonate the service. It is made for its owner alone; keep it as you keep the data folder.",
      "The keys of the day for sealed requests are left out, as they are to be destroyed after two days: clients get new ones.",
      "Blobs are in a file of their own beside the service's, and are not in the backup: stop the service and copy that file to keep them.",
      "Profiles of people are not the service's and are not in it. Never restore a profile from a copy.",
    ],
    operand: "the backup to write",
    options: {
      force: "replace FILE if it exists",
      json: "write what it holds as one JSON value",
    },
  },
  restore: {
    summary: "bring a service back from a backup",
    description: [
      "No service may be running on the data folder. The service that comes back announces a new incarnation, signed by its key. Clients notice that, and give back the commits and removals that the backup lacks. Messages that came after the backup stay with those who have them, and are lost for others.",
      "With --replace, names that were suspended and groups that were closed after the backup are so again.",
      "The incarnation must be higher than every one that clients have seen, or they do not notice. It is the time in seconds, or one above that of the backup and of the file that --replace replaces, where that is higher. If an earlier restore was made under a clock that was ahead, and its file is lost, restore with --incarnation N: with N above the number that it has shown.",
    ],
    operand: "a file that conclave backup has written",
    options: {
      replace: "keep the service file that is there under a dated name",
    },
  },
  migrate: {
    summary: "move a service from its file to PostgreSQL",
    description: [
      "All that the service has stored comes with it, its signing key and its incarnation too: clients notice nothing but the pause. Blobs and push registrations do not come with it. No service may be running on the file, and the database has to be empty.",
      "At the end both are compared, the file is marked, and then gateways may be started on the database. No service is started on a marked file: it would go on from there in logs of its own, and clients would take the service for a liar. Until the end, nothing is marked, and nothing is served from the database.",
      "What was cut short is done by the same command: it begins again. docs/operating.md says what to prepare, and how to go back.",
    ],
    options: {
      from: "the service.db, or its data folder",
      to: "PostgreSQL, as postgres://user:password@host:5432/database",
    },
  },
  admin: {
    summary: "see what a service stores, suspend names, close groups",
    description: [
      "For the owner of the service's file, or who may write to its database (DATABASE_URL), while the service runs or not. What is done holds from its next request on, and is kept there, with the time, the system's user and the reason: conclave admin log shows it.",
      "A service knows no members and no contents: docs/operating.md says what there is to see, and what closing and suspending can do and cannot.",
    ],
  },
  "admin status": {
    summary: "sizes, ages, and what is suspended or closed",
    description: [
      "It reads the whole file, in one transaction: beside a busy service, its write-ahead log grows meanwhile.",
    ],
  },
  "admin groups": {
    summary: "ids, sizes and times of groups: no more is known",
  },
  "admin names": {
    summary: "registered names, and how many devices each has",
    options: {
      like: "only those that have TEXT in them",
    },
  },
  "admin suspend": {
    summary: "stop serving a name",
    description: [
      "The directory answers for the name as for one that nobody has, its key packages are not handed out, no Welcome is put into its inboxes, and what its devices sign is refused: its person is shown the reason. The name stays taken.",
      "The service cannot take anybody out of a conversation: what is asked of a group names no account. A member who is suspended reads and writes there until another member removes that person.",
    ],
    operand: "the name to suspend",
  },
  "admin resume": {
    summary: "let a suspended name be used again",
    description: ["It is as it was before. Welcomes that waited when it was suspended, and are kept still, arrive."],
    operand: "the name",
  },
  "admin close-group": {
    summary: "delete all there is of a group for good",
    description: [
      "Its id is never used again. Members keep their histories, are told that the service does not have the conversation, and can go on in a new group. Backups from before have it still.",
    ],
    operand: "the id, as conclave admin groups shows it",
  },
  "admin announce-restore": {
    summary: "tell clients that the database was restored",
    description: [
      "To be done once, after a dump or a base backup was restored, or a replica that was behind has taken over, and before the first gateway is started: it is refused while one is connected. The service announces a new incarnation, signed by its key. Clients notice that, and give back the commits and removals that are missing.",
      "The incarnation must be higher than every one that clients have seen, or they do not notice. It is the time in seconds, or one above that of the backup where that is higher. If an earlier one was announced under a clock that was ahead, give --incarnation N.",
      "A service in a file needs none of this: conclave restore announces what it restores.",
    ],
  },
  "admin log": {
    summary: "what was suspended, closed and erased: when, by whom, why",
    description: [
      "Nothing is taken out of it. It is in backups, and a restore with --replace keeps what came after one.",
    ],
  },
  account: {
    summary: "show a person what a service holds of a name, or erase it",
    description: [
      "For the owner of the service's file, or who may write to its database (DATABASE_URL), while the service runs or not, as conclave admin. A person does the same without an operator, in an application: client.exportAccount() and client.eraseAccount().",
      "What a service cannot tell of a name, and cannot erase: which conversations it is in, what it has said. docs/operating.md says why, and what remains.",
    ],
  },
  "account export": {
    summary: "print all that is held under a name, as JSON",
    description: [
      "Devices, key packages, and the sizes and times of what waits in inboxes. notKnown says in plain words what the service cannot know of the name.",
    ],
    operand: "the name",
  },
  "account erase": {
    summary: "erase a name for good: nobody can have it again",
    description: [
      "Its devices, key packages, inboxes and display name are deleted in one transaction, and the name and its devices are never registered again: a hash of each is kept. There is no way back.",
      "The service cannot take the person out of conversations: members do that. Nor can it find what the person has said.",
    ],
    operand: "the name",
    options: {
      reason: "why: kept in the log, without the name",
    },
  },
}
