/** Running a service: what stands on the screen at its start. What it tells later is a log, and in English everywhere. */
export const serve = {
  at: (address: string) => `Conclave is at ${address}`,
  ends: "  Ctrl-C ends it.",
  page: ["  page", "at this address, in a browser"],
  noPage: ["  page", "not built: npm run build"],
  services: (path: string) => ["  services", `${path}delivery and ${path}auth, over HTTP and WebSocket`],
  listens: (address: string) => ["  listens", `at ${address}, for the proxy`],
  network: (port: string) => ["  network", `port ${port} of every address of this machine`],
  metrics: (address: string) => ["  metrics", address],
  terminal: (command: string) => ["  terminal", command],
  file: (file: string) => ["  file", file],
  database: (name: string) => ["  database", name],
  hints: (nats: string | undefined) => ["  hints", nats === undefined ? "by the database" : `by NATS, ${nats}`],
  fastOpen: (isPrivate: boolean, port: number, isShared: boolean) => [
    "  fast open",
    `sealed requests ${isPrivate ? "in the first packet" : "over ordinary connections"}, at port ${port}${
      isShared ? ", with keys that all on the database share" : ""
    }`,
  ],
  serverKey: (key: string) => ["  server key", key],
  natsWithoutDatabase: "--nats is for several processes on one database: give --database, or DATABASE_URL, too",
  fewFiles: (files: number, connections: number, needed: number) =>
    `the system allows ${files} open files, too few for ${connections} connections: ` +
    `raise the limit (ulimit -n ${needed}) or give fewer --connections`,
  withoutTls: "the public URL is without TLS: browsers refuse cryptography to its page",
  reachable:
    "other machines can reach this port, over HTTP without TLS; messages " +
    "stay encrypted, but names, sizes and times are in the clear, and browsers refuse cryptography to the page",
  unusable: (place: string, reason: string, isTaken: boolean) =>
    `${place}: ${reason}${isTaken ? "; if a service runs there, stop it, or name another folder with --data" : ""}`,
  otherSecret: (place: string) =>
    `${place}: its keys for sealed requests are sealed under another secret; ` +
    "give every process on it the same --fast-open-secret",
  portInUse: (port: number, host: string, option: string) =>
    `port ${port} of ${host} is in use; give another with ${option}, or ${option} 0 for any`,
  cannotListen: (host: string, port: number, reason: string) => `cannot listen at ${host} port ${port}: ${reason}`,
  keysWithoutFastOpen: "--fast-open-keys is for sealed requests: give --fast-open too",
  secretWithoutShared: "--fast-open-secret is for keys that processes share: give --fast-open-keys shared too",
  sharedWithoutDatabase:
    "--fast-open-keys shared is for several processes on one database: give --database, or DATABASE_URL, too",
  sharedWithoutSecret: (variable: string) =>
    `--fast-open-keys shared needs a secret: give --fast-open-secret, or ${variable}, with 64 hexadecimal digits`,
  notASecret: (from: string) =>
    `${from} must hold 64 hexadecimal digits (32 bytes), as openssl rand -hex 32 makes them`,
  damagedKeys: (file: string) =>
    `${file}: the keys are damaged; delete the file to begin with others, and tell those who use --server-key`,
}

/** Backups, and what comes back from them. `time`: as `units.time` says it. */
export const backup = {
  noFolder: (path: string) => `${path}: there is no such folder; make it first, or give another`,
  notAFolder: (path: string) => `${path} is not a folder; give a file in a folder`,
  isAFolder: (path: string, like: string) => `${path} is a folder; give a file in it: ${like}`,
  ownFile: (path: string) => `${path} is the service's own file: give another`,
  holds: (path: string, time: string, hasServerKey: boolean) =>
    `${path} holds the service as it was at ${time}, with its signing key, ${
      hasServerKey ? "secret for passes and server key" : "and secret for passes"
    }: keep it secret.`,
  blobs: (path: string) => `blobs are not in it: they are in ${path}`,
  replaceable: (path: string) => `${path} exists already; with --replace it is kept under a dated name`,
  restored: (path: string, time: string, age: string, incarnation: bigint) =>
    `${path} is the service as it was at ${time}, ${age}, with incarnation ${incarnation}.`,
  kept: (path: string) => `What was there is kept as ${path}.`,
  unknownActions: "It does not tell what was suspended or closed after the backup: see conclave admin log.",
  carried: (count: number) =>
    `What the operator did after the backup holds on: ${count} action${count === 1 ? "" : "s"}, see conclave admin log.`,
  notRegular: (path: string, next: string) => `${path} is no regular file: ${next}`,
  itself: (file: string, path: string) => `${file} is ${path} itself, by a link: restore a copy of it`,
  giveOne: "give one that conclave backup has written",
  copyAgain: "; copy it here again, or restore another one",
  noIncarnation: (path: string) =>
    `${path} is damaged and does not tell its incarnation: give --incarnation N, with N above every incarnation that clients have seen`,
  tooLow: (given: bigint, seen: bigint) => `--incarnation ${given} is too low: clients may have seen ${seen}`,
}

/** Moving a service from a file to a database. */
export const migrate = {
  moved: (file: string, place: string, time: string) => `${file} was moved to ${place} already, ${time}.`,
  again: "an earlier move was cut: it begins again",
  done: (file: string, place: string, seconds: string, counts: string) =>
    `${file} was moved to ${place}, in ${seconds} s: ${counts}.`,
  afterwards:
    "Blobs and push registrations were not moved: what refers to a blob leads nowhere, and clients register again. " +
    "The file is kept as it was, and marked: no service is started on it. Start gateways with DATABASE_URL.",
  missing: (path: string) => `${path} does not exist`,
  moving: "moving accounts and groups",
  movedSoFar: (entries: number, all: number) => `moved ${entries} of ${all} entries`,
  comparing: "comparing the database with the file",
  counts: (counts: Readonly<Record<"group" | "entry" | "registration" | "keyPackage" | "inboxEntry", number>>) =>
    `${counts.group} groups with ${counts.entry} entries, ${counts.registration} registered devices, ` +
    `${counts.keyPackage} key packages, ${counts.inboxEntry} entries of inboxes`,
  otherCount: (here: number, type: string, there: number) =>
    `${here} records of the type ${type}, the file has ${there}`,
  otherLog: (group: string) => `another log of the group ${group}`,
  differs: (what: string) =>
    `the database has ${what}: nothing is served from it; conclave migrate begins again when it is run again`,
}

/** What an operator sees and does. `who`: a name. */
export const admin = {
  operand: (fault: string) => `NAME ${fault}`,
  nobody: (who: string) => `nobody has the name ${who}`,
  suspended: (who: string, reason: string) => `${who} is suspended: ${reason}`,
  notSuspended: (who: string) => `the name ${who} is not suspended`,
  resumed: (who: string) => `${who} may be used again`,
  notAnId: "ID must be the id of a group in hexadecimal digits, as conclave admin groups shows it",
  noGroup: "there is no group with this id",
  closed: (id: string, reason: string) => `${id} is closed: ${reason}`,
  erased: (who: string, reason: string) => `${who} is erased: ${reason}`,
  notADatabase: "this is for a service in PostgreSQL: give --database, or DATABASE_URL; a file has conclave restore",
  announced: (place: string, incarnation: bigint) =>
    `${place} announces that it was restored, with incarnation ${incarnation}: gateways may start.`,
  /** Of an incarnation, as the service says it. */
  notAnnounced: (place: string, given: bigint | undefined, fault: string) =>
    `${place}: --incarnation ${given}: ${fault}`,
  replaced: (path: string) => `${path} was replaced by a restore in this moment: do it again`,
  notOwner: (path: string) => `${path} belongs to another user of this system: run this as its owner`,
  gateways: (connections: number) => `gateways have ${connections} connections`,
  wasMoved: (place: string, time: string) => `was moved to ${place}, ${time}`,
  notRunning: "is not running",
  runs: (pid: number) => `runs as process ${pid}`,
  quotaOfServe: "as conclave serve --quota says",
  noQuota: "none",
  quota: (size: string, percent: number) => `${size} (${percent} % in use)`,
  service: "service",
  names: "names",
  namesWith: (names: number, devices: number) => `${names}, with ${devices} devices`,
  groups: "groups",
  groupsWith: (groups: number, entries: number) => `${groups}, with ${entries} entries`,
  oldest: "oldest entry",
  noOldest: "none",
  inUse: "in use",
  messages: "  messages",
  commits: "  commits",
  proposals: "  proposals",
  welcomes: "  Welcomes",
  keyPackages: "  key packages",
  knocks: "  knocks",
  rest: "  the rest",
  quotaRow: "quota",
  suspendedRow: "suspended",
  nobodyAtAll: "nobody",
  closedRow: "closed",
  closedGroups: (count: number) => `${count} groups`,
  groupsHead: ["ID", "ENTRIES", "SIZE", "LAST"],
  namesHead: ["NAME", "DEVICES", "REGISTERED", ""],
  suspendedFor: (reason: string) => `suspended: ${reason}`,
  actionsHead: ["TIME", "USER", "DID", "WHAT", "REASON"],
  /** What was done, as the service keeps it. */
  did: (action: string) => action,
}
