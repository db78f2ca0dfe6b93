/** What this machine has and lacks: the findings of the doctor, each a sentence. */
export const machine = {
  /** Why the provider of cryptography is not the fastest. */
  fallback: (reason: string) => reason,
  jsonWithReport: "--json does not go with --as: the report is text",
  noProfile: (who: string, at: string, folder: string) => `there is no profile of ${who} for ${at} in ${folder}`,
  subjects: {
    node: "Node",
    cryptography: "cryptography",
    dataFolder: "the data folder",
    page: "the page",
    service: "the service",
    fastOpen: "fast open",
  },
  checkFailed: (subject: string, reason: string) => `The check of ${subject} failed: ${reason}.`,
  runtime: (version: string, system: string) => `Node ${version} on ${system}; 20.19 is needed.`,
  noEd25519: (provider: string) => `The crypto provider ${provider} lacks Ed25519.`,
  wrongEd25519: (provider: string) => `The crypto provider ${provider} does not verify its own signature.`,
  verifies: (provider: string, microseconds: number) =>
    `Cryptography comes from ${provider}; it verifies a signature in ${microseconds} µs`,
  byAwsLc: (verifies: string) => `${verifies}, accelerated by aws-lc.`,
  bySodium: (verifies: string, why: string | undefined) =>
    `${verifies}, accelerated by libsodium.${why === undefined ? "" : ` ${why}.`}`,
  byNode: (verifies: string, why: string | undefined) =>
    `${verifies}.${why === undefined ? "" : ` ${why}.`} With sodium-native, signatures and key exchange would be twice as fast or more.`,
  noPage: "The browser page has not been built; the service runs without it.",
  page: "The browser page has been built; the service hands it out.",
  fastOpen: (side: "client" | "server", works: boolean) =>
    works
      ? `TCP Fast Open works here for a ${side}, without a cookie that could be tracked.`
      : `TCP Fast Open is not available for a ${side}; connections take one round trip more.`,
  obstacle: (reason: string) => `${reason}.`,
  answers: (at: string) => `A service answers at ${at}.`,
  noAnswer: (at: string) => `No service answers at ${at}.`,
  portFree: (at: string) => `No service runs at ${at}; the port is free for one.`,
  portTaken: (at: string, reason: string) =>
    `No service answers at ${at}, and the port is not free for one (${reason}).`,
  notWritable: (place: string, reason: string) => `${place}, where data is kept, cannot be written to (${reason}).`,
  space: (folder: string, gibibytes: number) =>
    `Data is kept in ${folder}; ${gibibytes.toFixed(1)} GiB are free there.`,
  networkDrive: (folder: string, type: string) =>
    `${folder} is a network drive (${type}), where SQLite may lose data and locks do not always hold: ` +
    "keep data on a disk of this machine, with --data.",
  syncs: "What is written there is on the disk when the system says so (fsync).",
  doesNotSync: (reason: string) => `The disk cannot keep what is written there (fsync): ${reason}.`,
  sqlite: (version: string, milliseconds: number) =>
    `SQLite ${version} comes with libsql; a durable write takes ${milliseconds.toFixed(1)} ms there.`,
  locks: "Locks hold there: a second process is kept out of a profile.",
  locksNotTried: (code: number | null) => `Locks could not be tried there: the second process ended with ${code}.`,
  noLocks: "Locks do not hold there: two processes could open one profile and ruin it.",
}

/** What the demonstration shows. */
export const demo = {
  head: { step: "step", epoch: "epoch", authenticator: "authenticator", bytes: "bytes", time: "ms" },
  serviceFailed: (reason: string) => `the service failed: ${reason}`,
  serviceAt: (address: string, port: number | undefined) =>
    `The service is at ${address}${port === undefined ? "" : ` and takes sealed requests at port ${port}`}.`,
  relayAt: (address: string) => `Its bytes are counted by a relay at ${address}.`,
  agreed: "All members agreed at every step.",
  disagreed: "Something disagreed.",
  end: (verdict: string, members: number, seconds: number) => `${verdict} ${members} members, ${seconds.toFixed(2)} s.`,
  admissions: (all: number, withData: number) =>
    `${all} connections for sealed requests, ${withData} with data in the first packet.`,
  register: "three members register",
  nothingInFile: "nothing of it is in the service's file",
  sameAuthenticator: "the epoch authenticator is still the one before",
  holds: (text: string) => `it holds "${text}"`,
  fault: (step: string, fault: string) => `${step}: ${fault}`,
  steps: {
    create: "alice creates a conversation",
    invite: "alice invites bob and carol",
    talk: "all three talk",
    refresh: "bob renews his keys",
    remove: "alice removes carol",
    talkWithout: "alice and bob talk without carol",
    inviteAgain: "bob invites carol again",
  },
  text: (who: string, number: number) => `${who} says something for the ${number}. time`,
  doesNotKnow: (who: string) => `${who} is a member, but does not know it`,
  outUnknown: (who: string) => `${who} is out, but does not know it`,
  outWithKey: (who: string) => `${who} is out, but has a key`,
  epoch: "epoch",
  epochAuthenticator: "epoch authenticator",
  differs: (what: string, views: string) => `the ${what} differs: ${views}`,
  notActive: (who: string, status: string) => `${who} is a member, but ${status}`,
  noAuthenticator: (who: string) => `${who} has no authenticator`,
  sees: (who: string, seen: string, members: string) => `${who} sees ${seen || "nobody"}, not ${members}`,
  readOutside: (who: string, message: string) => `${who} was out, but read "${message}"`,
  notRead: (who: string, message: string) => `${who} did not read "${message}"`,
  readTwice: (who: string) => `${who} read something twice`,
}

/** What is told of files that are looked at. What `inspect` prints, and a trace's findings, have the terms of their standards. */
export const looking = {
  jsonWithoutProfile: "--json goes with --profile alone: what is printed otherwise is in the syntax of RFC 9420",
  asWithProfile: "--as does not go with --profile: the key of a record says its type",
  noType: (type: string) => `there is no type ${type}`,
  standardInput: "standard input",
  giveAFile: (file: string) => `give a file, or --profile ${file} if profiles are in it`,
  giveAnInput: "give an MLS message, a tree or a record, as bytes, hexadecimal digits or base64",
  ofRfc: (types: string) => `RFC 9420: ${types}`,
  ofProfiles: (types: string) => `Records of a profile: ${types}`,
  tooLarge: (name: string, mebibytes: number) => `${name}: more than ${mebibytes} MiB are not read`,
  fitsNone: (fault: string) => `fits no type; ${fault}`,
  recognisedNone: (type: string) =>
    `fits no MLS message, tree or record; the closest is ${type}: --as ${type} says where it differs, ` +
    "--as help lists all",
  fails: (type: string, place: string, reason: string) => `as ${type} it fails at byte ${place}: ${reason}`,
  ofEncoding: (encoding: string) => ` of what the ${encoding} says`,
  inField: (path: string) => `, in ${path}`,
  fitsToo: (types: string) => `It fits ${types}, too: choose with --as.`,
  nothingThere: (file: string) => `${file}: there is no such file or folder`,
  noProfileIn: (folder: string) => `${folder}: there is no profile in it`,
  severalProfiles: (folder: string, count: number, named: string, more: number) =>
    `${folder}: there are ${count} profiles in it; choose one: ${named}${more > 0 ? `, and ${more} more` : ""}`,
  profileOpen: (file: string) => `${file}: a running program has this profile open; end it first`,
  notAProfile: (file: string, seems: string) => `${file}: this is not a profile: ${seems}`,
  giveAProfile: "give the file of a profile",
  unreadable: (file: string, reason: string, isKey: boolean) =>
    `${file}: the profile cannot be read: ${reason}${isKey ? "; is CONCLAVE_KEY or the key file another?" : ""}`,
  noRecord: (file: string, key: string) => `${file}: there is no record ${key}; without a record's key, all are listed`,
  reading: (file: string) => `Reading ${file}`,
  timelineTitle: (file: string) => `What links the connections of ${file}`,
  timelineIn: (file: string) => `The timeline is in ${file}.`,
  giveACapture: "give a file that tcpdump -w or Wireshark has written",
  notACapture: (seems: string) => `neither pcap nor pcapng: ${seems}`,
  /** What the reader of captures says. */
  captureFault: (fault: string) => fault,
  evidence: "It holds: the service has signed two histories of one conversation.",
  evidenceKey: (key: string) => `  service key   ${key}`,
  evidenceConversation: (id: string) => `  conversation  ${id}`,
  evidenceEntry: (seq: bigint, restored: string) => `  differ from   entry ${seq}; ${restored}`,
  neverRestored: "it has announced no restored backup",
  restoredOn: (day: string) => `since the backup that it restored on ${day}`,
  giveEvidence: "give a file with .evidence- in its name, as they are kept beside profiles",
  provesNothing: (file: string, what: string) => `${file} proves nothing: ${what}`,
  orCut: ", or it is cut",
  /** What the SDK says of evidence. */
  evidenceFault: (fault: string) => fault,
}
