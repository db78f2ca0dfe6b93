/** Why something failed, and what to do about that: one line each. `at`: an origin. */
export const causes = {
  noPackage: (name: string) =>
    `the package ${name} is not installed: npm install brings it, and conclave doctor tells more`,
  dataFolder: (reason: string) => `the data folder cannot be made: ${reason}`,
  notAFolder: (path: string) => `${path} is not a folder`,
  key: "CONCLAVE_KEY must be 64 hexadecimal digits (32 bytes)",
  /** What the SDK, a service or a store said. */
  told: (message: string, _code: string | undefined) => message,
}

/** Why a service could not be asked. */
export const service = {
  unusable: (at: string, reasons: string) => `the service at ${at} cannot be used: ${reasons}`,
  patienceUntil: (at: string, time: string) => `the service at ${at} asks for patience until ${time}; try again then`,
  refused: (at: string) => `nothing listens at ${at}; conclave serve starts a service, --server gives another address`,
  notFound: (host: string) => `the name ${host} does not resolve; check how it is written in --server`,
  noNameServer: (host: string) => `the name ${host} cannot be looked up now: no name server answers; check the network`,
  noNetwork: (host: string) => `the network is down, or has no way to ${host}; check the connection`,
  noAnswer: (at: string) => `${at} does not answer in time; check the address, and whether a firewall is in between`,
  expired: (at: string) => `the certificate of ${at} has expired; renew it there, and check this machine's clock`,
  notYetValid: (at: string) => `the certificate of ${at} is not valid yet; check this machine's clock`,
  otherName: (at: string, host: string) =>
    `the certificate of ${at} is for another name than ${host}; use the name that it is for`,
  untrusted: (at: string) =>
    `the certificate of ${at} is not trusted here; if its issuer is your own, name it in NODE_EXTRA_CA_CERTS`,
  noTls: (at: string, host: string) => `${at} does not speak TLS; if that is meant, use http://${host}`,
  misdirected: (at: string, host: string) =>
    `the service at ${at} does not answer to the name ${host}: allow it there with --allow-host`,
  patience: (at: string) => `the service at ${at} asks for patience; try again in a minute`,
  gateway: (at: string, status: number | undefined) =>
    `a proxy answers at ${at}, and reaches no service behind it (HTTP ${status}); start it there`,
  otherServer: (at: string, what: number | "format" | "http" | undefined) =>
    `something answers at ${at} that is not a Conclave service (${
      what === "format" ? "not its format" : what === "http" ? "not HTTP" : `HTTP ${what}`
    }); check --server`,
  redirects: (at: string) => `${at} redirects elsewhere; give --server the address that it leads to`,
  reservedPort: (port: string) => `port ${port} is reserved for another protocol; run the service at another port`,
  tls: (at: string, host: string) => `${at} speaks TLS: use https://${host}`,
  noSealed: (at: string) =>
    `the service at ${at} answers no sealed requests, which --server-key requires; start it with --fast-open`,
  noServerKey: (at: string) =>
    `nobody who has the server key answers at ${at}; compare it with the one that conclave serve shows`,
  closes: (at: string) => `${at} takes connections and closes them without an answer; check --server`,
  nameTaken: (who: string, at: string) =>
    `the name ${who} is taken at ${at}; choose another, or give its folder with --data`,
  registered: (who: string, at: string) => `${who} is new at ${at}, and was registered there`,
  notInFirstPacket: (obstacles: string) => `no data in the first packet: ${obstacles}`,
  /** What stands in the way, and the command that would change it. */
  obstacle: (reason: string, command: string | undefined) =>
    command === undefined ? reason : `${reason}; ${command} would change that`,
  noSealedWay: (reason: string) => `sealed requests do not get through, HTTP and WebSocket do their work: ${reason}`,
}

/** Why a profile cannot be used. `who`: its name. */
export const profile = {
  opening: (who: string) => `Opening the profile of ${who}`,
  reading: "Reading what has arrived",
  running: (who: string, holder: { readonly pid: number; readonly command: string } | undefined) =>
    `another conclave is running as ${who}${
      holder === undefined ? "" : ` (process ${holder.pid}${holder.command === "" ? "" : `: ${holder.command}`})`
    }; end it first`,
  networkDrive: (who: string, type: string) =>
    `the profile of ${who} is on a network drive (${type}), which gives no lock, or another machine has it open; ` +
    "keep profiles on a disk of this machine (--data)",
  noLocks: (who: string) =>
    `the profile of ${who} cannot be locked, and no process here has it open; does its file system know locks, or does a container use it?`,
  damaged: (who: string, file: string) =>
    `the profile of ${who} is damaged (${file}); move it away, and register under another name: an older copy would use keys twice`,
  full: (who: string, folder: string) =>
    `the disk with the profile of ${who} is full (${folder}); make room there, nothing is lost`,
  readOnly: (who: string, file: string) =>
    `the profile of ${who} is read only (${file}); allow this user to write there, or choose another folder with --data`,
  diskError: (who: string, reason: string) =>
    `the disk with the profile of ${who} reports an error (${reason}); conclave doctor tests it`,
  otherKey: (who: string, reason: string) =>
    `the profile of ${who} cannot be opened: ${reason}; is CONCLAVE_KEY or the key file another?`,
}

/** What a file seems to be, and what reads it. `file`: as a shell takes it. */
export const files = {
  capture: "a packet capture",
  traceReads: (file: string) => `conclave trace ${file} reads it`,
  backup: "a backup of a service",
  restoreReads: (file: string) => `conclave restore ${file} brings the service back`,
  service: "the file of a service",
  adminReads: "conclave admin status --data FOLDER shows what is in it",
  sqlite: "an SQLite file",
  inspectReads: (file: string) => `if it is a profile, conclave inspect --profile ${file}`,
  evidence: "evidence against a service",
  verifyReads: (file: string) => `conclave verify-evidence ${file} checks it`,
  image: "an image",
  pdf: "a PDF",
  compressed: "a compressed file",
  program: "a program",
  pem: "a PEM file",
  text: "text",
  empty: (next: string) => `there is nothing in it; ${next}`,
  seems: (what: string, next: string) => `it seems to be ${what}; ${next}`,
  folder: (file: string, next: string) => `${file}: it is a folder; ${next}`,
  usedBy: (file: string, whose: string) =>
    `${file}: the file is in use by ${whose}; end it, or try again when it is done`,
  otherProgram: "another program",
  process: (holder: string) => `process ${holder}`,
  noService: (folder: string, file: string) => `there is no service in ${folder}: ${file} does not exist`,
  exists: (file: string) => `${file} exists already; --force replaces it`,
}

/** Times, sizes and numbers. */
export const units = {
  future: "in the future, by this machine's clock",
  ago: (number: number, unit: "day" | "hour" | "minute") => `${number} ${unit}${number === 1 ? "" : "s"} ago`,
  justNow: "less than a minute ago",
  /** In UTC, to the second. */
  time: (at: number) => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`,
  /** A day in UTC. */
  day: (at: number) => new Date(at).toISOString().slice(0, 10),
  /** In UTC, to the second, of a device. */
  moment: (at: Date) => `${at.toISOString().slice(0, 19)}Z`,
  /** With so many digits after the point. */
  number: (value: number, digits = 0) => value.toFixed(digits),
  bytes: "bytes",
  /** A database in PostgreSQL, without user and password. */
  database: (host: string, port: string, name: string) =>
    `PostgreSQL at ${host || "this machine"}${port === "" ? "" : `:${port}`}, ${name || "its default"}`,
}
