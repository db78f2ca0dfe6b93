import type { Words } from "../form.js"
import { stored } from "./stored.js"

export const serve: Words["serve"] = {
  at: (address) => `Conclave ist unter ${address}`,
  ends: "  Strg-C beendet es.",
  page: ["  Seite", "unter dieser Adresse, im Browser"],
  noPage: ["  Seite", "nicht gebaut: npm run build"],
  services: (path) => ["  Dienste", `${path}delivery und ${path}auth, über HTTP und WebSocket`],
  listens: (address) => ["  Zugang", `unter ${address}, für den Proxy`],
  network: (port) => ["  Netz", `Port ${port} jeder Adresse dieses Rechners`],
  metrics: (address) => ["  Zahlen", address],
  terminal: (command) => ["  Terminal", command],
  file: (file) => ["  Datei", file],
  database: (name) => ["  Datenbank", name],
  hints: (nats) => ["  Hinweise", nats === undefined ? "über die Datenbank" : `über NATS, ${nats}`],
  fastOpen: (isPrivate, port, isShared) => [
    "  Fast Open",
    `versiegelte Anfragen ${isPrivate ? "im ersten Paket" : "über gewöhnliche Verbindungen"}, an Port ${port}${
      isShared ? ", mit Schlüsseln, die sich alle auf der Datenbank teilen" : ""
    }`,
  ],
  serverKey: (key) => ["  Schlüssel", key],
  natsWithoutDatabase: "--nats ist für mehrere Prozesse auf einer Datenbank: Gib auch --database oder DATABASE_URL an",
  fewFiles: (files, connections, needed) =>
    `das System erlaubt ${files} offene Dateien, zu wenige für ${connections} Verbindungen: ` +
    `Erhöhe die Grenze (ulimit -n ${needed}) oder gib weniger --connections an`,
  withoutTls: "die öffentliche Adresse ist ohne TLS: Browser verweigern ihrer Seite die Verschlüsselung",
  reachable:
    "andere Rechner erreichen diesen Port, über HTTP ohne TLS; Nachrichten " +
    "bleiben verschlüsselt, aber Namen, Größen und Zeiten sind offen, und Browser verweigern der Seite die Verschlüsselung",
  unusable: (place, reason, isTaken) =>
    `${place}: ${reason}${
      isTaken ? "; wenn dort ein Dienst läuft, beende ihn, oder nenne mit --data einen anderen Ordner" : ""
    }`,
  otherSecret: (place) =>
    `${place}: Seine Schlüssel für versiegelte Anfragen sind mit einem anderen Geheimnis versiegelt; ` +
    "gib jedem Prozess darauf dasselbe --fast-open-secret",
  portInUse: (port, host, option) =>
    `Port ${port} von ${host} ist belegt; gib mit ${option} einen anderen an, oder ${option} 0 für irgendeinen`,
  cannotListen: (host, port, reason) => `an ${host} Port ${port} lassen sich keine Verbindungen annehmen: ${reason}`,
  keysWithoutFastOpen: "--fast-open-keys ist für versiegelte Anfragen: Gib auch --fast-open an",
  secretWithoutShared:
    "--fast-open-secret ist für Schlüssel, die Prozesse sich teilen: Gib auch --fast-open-keys shared an",
  sharedWithoutDatabase:
    "--fast-open-keys shared ist für mehrere Prozesse auf einer Datenbank: Gib auch --database oder DATABASE_URL an",
  sharedWithoutSecret: (variable) =>
    `--fast-open-keys shared braucht ein Geheimnis: Gib --fast-open-secret oder ${variable} an, mit 64 hexadezimalen Ziffern`,
  notASecret: (from) =>
    `in ${from} müssen 64 hexadezimale Ziffern stehen (32 Byte), wie openssl rand -hex 32 sie macht`,
  damagedKeys: (file) =>
    `${file}: Die Schlüssel sind beschädigt; lösche die Datei, um mit anderen zu beginnen, und sag es denen, die --server-key benutzen`,
}

export const backup: Words["backup"] = {
  noFolder: (path) => `${path}: Diesen Ordner gibt es nicht; leg ihn zuerst an, oder gib einen anderen an`,
  notAFolder: (path) => `${path} ist kein Ordner; gib eine Datei in einem Ordner an`,
  isAFolder: (path, like) => `${path} ist ein Ordner; gib eine Datei darin an: ${like}`,
  ownFile: (path) => `${path} gehört dem Dienst selbst: Gib eine andere Datei an`,
  holds: (path, time, hasServerKey) =>
    `${path} enthält den Dienst, wie er ${time} war, mit seinem Signaturschlüssel${
      hasServerKey ? ", seinem Geheimnis für Ausweise und seinem Schlüssel" : " und seinem Geheimnis für Ausweise"
    }: Halte die Datei geheim.`,
  blobs: (path) => `Anhänge sind nicht darin: Sie sind in ${path}`,
  replaceable: (path) => `${path} gibt es schon; mit --replace bleibt die Datei unter einem Namen mit Datum`,
  restored: (path, time, age, incarnation) =>
    `${path} ist der Dienst, wie er ${time} war, ${age}, mit der Inkarnation ${incarnation}.`,
  kept: (path) => `Was da war, ist jetzt ${path}.`,
  unknownActions: "Sie sagt nicht, was nach der Sicherung gesperrt oder geschlossen wurde: siehe conclave admin log.",
  carried: (count) =>
    `Was der Betreiber nach der Sicherung getan hat, gilt weiter: ${count === 1 ? "eine Handlung" : `${count} Handlungen`}, siehe conclave admin log.`,
  notRegular: (path, next) => `${path} ist keine gewöhnliche Datei: ${next}`,
  itself: (file, path) => `${file} ist selbst ${path}, durch einen Verweis: Stell eine Kopie davon wieder her`,
  giveOne: "gib eine an, die conclave backup geschrieben hat",
  copyAgain: "; kopiere sie noch einmal hierher, oder nimm eine andere",
  noIncarnation: (path) =>
    `${path} ist beschädigt und sagt ihre Inkarnation nicht: Gib --incarnation N an, mit N über jeder Inkarnation, die Programme gesehen haben`,
  tooLow: (given, seen) => `--incarnation ${given} ist zu niedrig: Programme können ${seen} gesehen haben`,
}

export const migrate: Words["migrate"] = {
  moved: (file, place, time) => `${file} ist schon nach ${place} umgezogen, ${time}.`,
  again: "ein früherer Umzug wurde abgebrochen: Er beginnt von vorn",
  done: (file, place, seconds, counts) => `${file} ist nach ${place} umgezogen, in ${seconds} s: ${counts}.`,
  afterwards:
    "Anhänge und Anmeldungen für Push sind nicht mitgekommen: Was auf einen Anhang verweist, führt ins Leere, und Programme melden sich neu an. " +
    "Die Datei bleibt, wie sie war, und ist gekennzeichnet: Auf ihr startet kein Dienst. Starte Prozesse mit DATABASE_URL.",
  missing: (path) => `${path} gibt es nicht`,
  moving: "Namen und Gruppen ziehen um",
  movedSoFar: (entries, all) => `${entries} von ${all} Einträgen sind umgezogen`,
  comparing: "Datenbank und Datei werden verglichen",
  counts: ({ group, entry, registration, keyPackage, inboxEntry }) =>
    `${group} Gruppen mit ${entry} Einträgen, ${registration} registrierte Geräte, ` +
    `${keyPackage} Schlüsselpakete, ${inboxEntry} Einträge in Eingangsfächern`,
  otherCount: (here, type, there) => `${here} Datensätze vom Typ ${type}, die Datei hat ${there}`,
  otherLog: (group) => `einen anderen Verlauf der Gruppe ${group}`,
  differs: (what) =>
    `die Datenbank hat ${what}: Aus ihr wird nichts bedient; conclave migrate beginnt beim nächsten Aufruf von vorn`,
}

const actions: Readonly<Record<string, string>> = {
  suspend: "sperren",
  resume: "zulassen",
  close: "schließen",
  erase: "löschen",
  announce: "ankündigen",
}

export const admin: Words["admin"] = {
  operand: (fault) => `NAME ${fault}`,
  nobody: (who) => `den Namen ${who} hat niemand`,
  suspended: (who, reason) => `${who} ist gesperrt: ${reason}`,
  notSuspended: (who) => `der Name ${who} ist nicht gesperrt`,
  resumed: (who) => `${who} ist wieder zugelassen`,
  notAnId: "ID muss die ID einer Gruppe in hexadezimalen Ziffern sein, wie conclave admin groups sie zeigt",
  noGroup: "eine Gruppe mit dieser ID gibt es nicht",
  closed: (id, reason) => `${id} ist geschlossen: ${reason}`,
  erased: (who, reason) => `${who} ist gelöscht: ${reason}`,
  notADatabase:
    "das ist für einen Dienst in PostgreSQL: Gib --database oder DATABASE_URL an; für eine Datei gibt es conclave restore",
  announced: (place, incarnation) =>
    `${place} kündigt an, dass es wiederhergestellt wurde, mit der Inkarnation ${incarnation}: Prozesse können starten.`,
  notAnnounced: (place, given, fault) =>
    `${place}: --incarnation ${given}: ${stored(fault) ?? "die Zahl ist zu niedrig oder zu hoch"}`,
  replaced: (path) => `${path} wurde in diesem Augenblick durch eine Wiederherstellung ersetzt: Versuch es noch einmal`,
  notOwner: (path) => `${path} gehört einem anderen Benutzer dieses Systems: Führe dies als Besitzer aus`,
  gateways: (connections) => `Prozesse haben ${connections} Verbindungen`,
  wasMoved: (place, time) => `ist nach ${place} umgezogen, ${time}`,
  notRunning: "läuft nicht",
  runs: (pid) => `läuft als Prozess ${pid}`,
  quotaOfServe: "wie conclave serve --quota sagt",
  noQuota: "keine",
  quota: (size, percent) => `${size} (${percent} % belegt)`,
  service: "Dienst",
  names: "Namen",
  namesWith: (names, devices) => `${names}, mit ${devices} Geräten`,
  groups: "Gruppen",
  groupsWith: (groups, entries) => `${groups}, mit ${entries} Einträgen`,
  oldest: "ältester Eintrag",
  noOldest: "keiner",
  inUse: "belegt",
  messages: "  Nachrichten",
  commits: "  Commits",
  proposals: "  Vorschläge",
  welcomes: "  Einladungen",
  keyPackages: "  Schlüsselpakete",
  knocks: "  Anklopfen",
  rest: "  das Übrige",
  quotaRow: "Grenze",
  suspendedRow: "gesperrt",
  nobodyAtAll: "niemand",
  closedRow: "geschlossen",
  closedGroups: (count) => `${count} Gruppen`,
  groupsHead: ["ID", "EINTRÄGE", "GRÖSSE", "ZULETZT"],
  namesHead: ["NAME", "GERÄTE", "REGISTRIERT", ""],
  suspendedFor: (reason) => `gesperrt: ${reason}`,
  actionsHead: ["ZEIT", "BENUTZER", "TAT", "WAS", "GRUND"],
  did: (action) => actions[action] ?? action,
}
