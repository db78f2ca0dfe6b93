import { reason } from "@conclave/headless/german"
import type { Words } from "../form.js"
import { locale } from "../locale.js"
import { decimal } from "./numbers.js"
import { stored } from "./stored.js"

/** By code, where the words are not known. */
const codes: Readonly<Record<string, string>> = {
  UNKNOWN_NAME: "den Namen hat hier niemand",
  NO_KEY_PACKAGE: "dafür ist kein Schlüssel mehr übrig: Sobald das Gerät dort wieder läuft, gibt es neue",
  NAME_TAKEN: "den Namen hat schon jemand",
  KEY_CHANGED: "erst ist ein neuer Schlüssel anzusehen: Vergleicht Sicherheitscodes, dann /approve",
  NOT_A_MEMBER: "du bist in dieser Unterhaltung nicht mehr dabei",
  LOST: "dieses Gerät hat die Unterhaltung verloren: Ein Mitglied muss dich entfernen und wieder einladen",
  CONTINUED: "die Unterhaltung geht in einer neuen Gruppe weiter",
  TOO_LARGE: "das ist zu groß",
  REFUSED: "der Dienst hat es abgelehnt",
  STORE_FAILED: "das Profil lässt sich nicht benutzen",
  STORE_LOCKED: "das Profil wird gerade benutzt",
  WRONG_PROFILE: "das Profil passt nicht zu diesem Programm oder zu diesem Namen",
  UNAVAILABLE: "der Dienst ist gerade nicht zu erreichen",
  UPDATE: "der Dienst spricht nur neuere Versionen: Aktualisiere dieses Programm",
  REVOKED: "dieses Gerät wurde gesperrt",
  CLOSED: "das Profil ist geschlossen",
}

export const causes: Words["causes"] = {
  noPackage: (name) => `das Paket ${name} fehlt: npm install bringt es, und conclave doctor sagt mehr`,
  dataFolder: (reason) => `der Datenordner lässt sich nicht anlegen: ${reason}`,
  notAFolder: (path) => `${path} ist kein Ordner`,
  key: "CONCLAVE_KEY muss aus 64 hexadezimalen Ziffern bestehen (32 Byte)",
  told(message, code) {
    const known = reason(message) ?? stored(message)
    if (known !== undefined) return known
    const byCode = code === undefined ? undefined : codes[code]
    return byCode === undefined ? `„${message}“` : `${byCode} („${message}“)`
  },
}

const CHECK = "prüfe --server"

export const service: Words["service"] = {
  unusable: (at, reasons) => `der Dienst unter ${at} lässt sich nicht benutzen: ${reasons}`,
  patienceUntil: (at, time) => `der Dienst unter ${at} bittet um Geduld bis ${time}; versuch es dann noch einmal`,
  refused: (at) =>
    `unter ${at} nimmt niemand an; conclave serve startet einen Dienst, --server gibt eine andere Adresse`,
  notFound: (host) => `den Namen ${host} gibt es nicht; sieh nach, wie er in --server geschrieben ist`,
  noNameServer: (host) =>
    `der Name ${host} lässt sich gerade nicht nachschlagen: Kein Namensdienst antwortet; prüfe das Netz`,
  noNetwork: (host) => `das Netz ist weg, oder es führt kein Weg zu ${host}; prüfe die Verbindung`,
  noAnswer: (at) => `${at} antwortet nicht rechtzeitig; prüfe die Adresse, und ob eine Firewall dazwischen ist`,
  expired: (at) => `das Zertifikat von ${at} ist abgelaufen; erneuere es dort, und prüfe die Uhr dieses Rechners`,
  notYetValid: (at) => `das Zertifikat von ${at} gilt noch nicht; prüfe die Uhr dieses Rechners`,
  otherName: (at, host) =>
    `das Zertifikat von ${at} gilt für einen anderen Namen als ${host}; nimm den, für den es gilt`,
  untrusted: (at) =>
    `dem Zertifikat von ${at} wird hier nicht vertraut; wenn du selbst der Aussteller bist, nenne ihn in NODE_EXTRA_CA_CERTS`,
  noTls: (at, host) => `${at} spricht kein TLS; wenn das so sein soll, nimm http://${host}`,
  misdirected: (at, host) =>
    `der Dienst unter ${at} hört nicht auf den Namen ${host}: Erlaube ihn dort mit --allow-host`,
  patience: (at) => `der Dienst unter ${at} bittet um Geduld; versuch es in einer Minute noch einmal`,
  gateway: (at, status) =>
    `unter ${at} antwortet ein Proxy, der keinen Dienst erreicht (HTTP ${status}); starte den Dienst dort`,
  otherServer: (at, what) =>
    `was unter ${at} antwortet, ist kein Dienst von Conclave (${
      what === "format" ? "ein anderes Format" : what === "http" ? "kein HTTP" : `HTTP ${what}`
    }); ${CHECK}`,
  redirects: (at) => `${at} leitet weiter; gib --server die Adresse, zu der es führt`,
  reservedPort: (port) => `Port ${port} gehört einem anderen Protokoll; nimm für den Dienst einen anderen`,
  tls: (at, host) => `${at} spricht TLS: Nimm https://${host}`,
  noSealed: (at) =>
    `der Dienst unter ${at} beantwortet keine versiegelten Anfragen, die --server-key verlangt; starte ihn mit --fast-open`,
  noServerKey: (at) =>
    `unter ${at} antwortet niemand, der den Schlüssel des Dienstes hat; vergleiche ihn mit dem, den conclave serve zeigt`,
  closes: (at) => `${at} nimmt Verbindungen an und schließt sie ohne Antwort; ${CHECK}`,
  nameTaken: (who, at) =>
    `den Namen ${who} hat unter ${at} schon jemand; nimm einen anderen, oder gib mit --data seinen Ordner an`,
  registered: (who, at) => `${who} ist neu unter ${at} und wurde dort registriert`,
  notInFirstPacket: (obstacles) => `keine Daten im ersten Paket: ${obstacles}`,
  obstacle: (reason, command) => {
    const said = obstacle(reason)
    return command === undefined ? said : `${said}; das ändert ${command}`
  },
  noSealedWay: (reason) =>
    `versiegelte Anfragen kommen nicht durch, HTTP und WebSocket übernehmen ihre Arbeit: ${reason}`,
}

/** What the system lacks for TCP Fast Open, by its words. */
export function obstacle(reason: string): string {
  const [, setting, value, bit] = /^(net\.ipv4\.tcp_fastopen) is (\d+): bit (\d) is off$/.exec(reason) ?? []
  if (setting !== undefined) return `${setting} ist ${value}: Bit ${bit} ist aus`
  if (reason.startsWith("the kernel has no setting"))
    return "der Kernel hat die Einstellung net.ipv4.tcp_fastopen nicht"
  if (reason.startsWith("the kernel refuses")) {
    return "der Kernel lehnt TCP_FASTOPEN_NO_COOKIE ab (nötig ist Linux 4.15 oder neuer)"
  }
  return `„${reason}“`
}

export const profile: Words["profile"] = {
  opening: (who) => `Das Profil von ${who} wird geöffnet`,
  reading: "Was angekommen ist, wird gelesen",
  running: (who, holder) =>
    `ein anderes conclave läuft schon als ${who}${
      holder === undefined ? "" : ` (Prozess ${holder.pid}${holder.command === "" ? "" : `: ${holder.command}`})`
    }; beende es zuerst`,
  networkDrive: (who, type) =>
    `das Profil von ${who} liegt auf einem Netzlaufwerk (${type}), das es nicht sperren kann, oder ein anderer Rechner hat es offen; ` +
    "bewahre Profile auf einer Festplatte dieses Rechners auf (--data)",
  noLocks: (who) =>
    `das Profil von ${who} lässt sich nicht sperren, und kein Prozess hier hat es offen; kann sein Dateisystem das, oder benutzt es ein Container?`,
  damaged: (who, file) =>
    `das Profil von ${who} ist beschädigt (${file}); leg es beiseite und registriere dich unter einem anderen Namen: Eine ältere Kopie würde Schlüssel zweimal benutzen`,
  full: (who, folder) =>
    `die Festplatte mit dem Profil von ${who} ist voll (${folder}); schaff dort Platz, verloren ist nichts`,
  readOnly: (who, file) =>
    `das Profil von ${who} lässt sich nur lesen (${file}); erlaube diesem Benutzer, dort zu schreiben, oder wähle mit --data einen anderen Ordner`,
  diskError: (who, reason) =>
    `die Festplatte mit dem Profil von ${who} meldet einen Fehler (${reason}); conclave doctor prüft sie`,
  otherKey: (who, reason) =>
    `das Profil von ${who} lässt sich nicht öffnen: ${reason}; ist CONCLAVE_KEY oder die Schlüsseldatei eine andere?`,
}

export const files: Words["files"] = {
  capture: "eine Aufzeichnung von Paketen",
  traceReads: (file) => `conclave trace ${file} liest sie`,
  backup: "eine Sicherung eines Dienstes",
  restoreReads: (file) => `conclave restore ${file} stellt den Dienst wieder her`,
  service: "die Datei eines Dienstes",
  adminReads: "conclave admin status --data ORDNER zeigt, was darin ist",
  sqlite: "eine SQLite-Datei",
  inspectReads: (file) => `wenn es ein Profil ist, conclave inspect --profile ${file}`,
  evidence: "ein Beweis gegen einen Dienst",
  verifyReads: (file) => `conclave verify-evidence ${file} prüft ihn`,
  image: "ein Bild",
  pdf: "ein PDF",
  compressed: "eine gepackte Datei",
  program: "ein Programm",
  pem: "eine PEM-Datei",
  text: "Text",
  empty: (next) => `darin ist nichts; ${next}`,
  seems: (what, next) => `das ist wohl ${what}; ${next}`,
  folder: (file, next) => `${file}: Das ist ein Ordner; ${next}`,
  usedBy: (file, whose) =>
    `${file}: Die Datei wird von ${whose} benutzt; beende das, oder versuch es noch einmal, wenn es fertig ist`,
  otherProgram: "einem anderen Programm",
  process: (holder) => `Prozess ${holder}`,
  noService: (folder, file) => `in ${folder} ist kein Dienst: ${file} gibt es nicht`,
  exists: (file) => `${file} gibt es schon; --force ersetzt die Datei`,
}

const times = {
  day: ["Tag", "Tagen"],
  hour: ["Stunde", "Stunden"],
  minute: ["Minute", "Minuten"],
} as const

const inUtc = (at: Date | number) =>
  new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" }).format(at)

export const units: Words["units"] = {
  future: "nach der Uhr dieses Rechners in der Zukunft",
  ago: (number, unit) => `vor ${number} ${times[unit][number === 1 ? 0 : 1]}`,
  justNow: "vor weniger als einer Minute",
  time: (at) => `${inUtc(at)} UTC`,
  day: (at) => new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeZone: "UTC" }).format(at),
  moment: (at) => `${inUtc(at)} UTC`,
  number: (value, digits = 0) => decimal(value, digits),
  bytes: "Byte",
  database: (host, port, name) =>
    `PostgreSQL auf ${host || "diesem Rechner"}${port === "" ? "" : `:${port}`}, ${name || "die übliche Datenbank"}`,
}
