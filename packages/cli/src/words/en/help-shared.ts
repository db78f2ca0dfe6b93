/** What the help of several commands says. */
export const paragraphs = {
  fastOpen:
    "With --fast-open, a request travels sealed in the first packet of a connection of its own, and nothing on the wire but the addresses links two of them; HTTP and WebSocket take over where that is not available. Over plain HTTP the first contact is not authenticated: a man in the middle could offer another key. HTTPS prevents that, and so does --server-key, which implies --fast-open and, without HTTPS, rules out every other way.",
  key: "Profiles are stored sealed, with a key in a file beside each (readable by its owner alone). That protects a copy of the profile, for example in a backup, only as far as the key file is kept away from it; anyone who has both reads everything. CONCLAVE_KEY (32 bytes, as 64 hexadecimal digits) supplies the key instead, and no file is made.",
  accept:
    "An invitation is entered only if --accept-invitations says so. By default that goes for known people: members of a conversation that this name is in already. At first contact, name the inviter: --accept-invitations alice. Any other invitation waits, is reported on standard error, and is answered in conclave chat by /accept or /decline.",
}

/** Of options whose command has no words of its own for them. */
export const options = {
  as: "the name of the profile",
  "display-name": "what others see beside the name, at registration; later, /name in conclave chat changes it",
  server: "where the service is",
  data: "the folder with all files (default: the system's data folder)",
  database: "PostgreSQL, in place of a file; as DATABASE_URL nobody else here sees it",
  "fast-open": "send sealed requests in the first packet, where the service offers that",
  "server-key": "accept only the service with this key, which conclave serve shows",
  "accept-invitations": "enter without asking: all, known, none, or NAME,NAME… (default: known)",
  incarnation: "the incarnation to announce",
  reason: "why: kept in the log of what was done",
  json: "print JSON",
}

/** What surrounds the help of a command. */
export const frame = {
  title: "conclave: end-to-end encrypted group conversations (MLS, RFC 9420)",
  usage: "usage: conclave",
  generalUsage: "usage: conclave COMMAND [options]",
  after: [
    "conclave COMMAND --help tells more; --version tells the version.",
    "CONCLAVE_AS and CONCLAVE_SERVER stand in for --as and --server.",
    "--language de speaks German; else LC_ALL, LC_MESSAGES or LANG says it.",
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing arrived in time,",
    "4 (trace) a part could not be read, and nothing was found.",
  ],
  or: (variable: string) => `or ${variable}`,
  byDefault: (value: string) => `default: ${value}`,
}
