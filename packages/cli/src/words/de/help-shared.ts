import type { HelpWords } from "../form.js"

/** What the help of several commands says. */
export const paragraphs = {
  fastOpen:
    "Mit --fast-open reist eine Anfrage versiegelt im ersten Paket einer eigenen Verbindung, und auf der Leitung verknüpft nichts zwei davon außer den Adressen; wo das nicht geht, übernehmen HTTP und WebSocket. Über einfaches HTTP ist der erste Kontakt nicht gesichert: Jemand dazwischen könnte einen anderen Schlüssel anbieten. HTTPS verhindert das, und ebenso --server-key, das --fast-open einschließt und ohne HTTPS jeden anderen Weg ausschließt.",
  key: "Profile sind versiegelt, mit einem Schlüssel in einer Datei neben jedem (die nur der Besitzer lesen kann). Das schützt eine Kopie des Profils, etwa in einer Sicherung, nur so weit, wie die Schlüsseldatei davon getrennt bleibt; wer beides hat, liest alles. CONCLAVE_KEY (32 Byte, als 64 hexadezimale Ziffern) gibt den Schlüssel stattdessen, dann entsteht keine Datei.",
  accept:
    "Eine Einladung wird nur angenommen, wenn --accept-invitations es sagt. Üblich ist das für bekannte Leute: Mitglieder einer Unterhaltung, in der dieser Name schon ist. Beim ersten Kontakt nenne, wer einlädt: --accept-invitations alice. Jede andere Einladung wartet, wird auf der Fehlerausgabe gemeldet und in conclave chat mit /accept oder /decline beantwortet.",
}

export const options: HelpWords["options"] = {
  as: "der Name des Profils",
  "display-name": "was andere neben dem Namen sehen, beim Registrieren; später ändert es /name in conclave chat",
  server: "wo der Dienst ist",
  data: "der Ordner mit allen Dateien (sonst: der Datenordner des Systems)",
  database: "PostgreSQL, statt einer Datei; als DATABASE_URL sieht es hier niemand sonst",
  "fast-open": "versiegelte Anfragen im ersten Paket senden, wo der Dienst das anbietet",
  "server-key": "nur den Dienst mit diesem Schlüssel akzeptieren, den conclave serve zeigt",
  "accept-invitations": "ohne Nachfrage annehmen: all, known, none, oder NAME,NAME… (sonst: known)",
  incarnation: "die Inkarnation, die angekündigt wird",
  reason: "warum: steht im Protokoll dessen, was getan wurde",
  json: "als JSON ausgeben",
}

export const frame: HelpWords["frame"] = {
  title: "conclave: Ende-zu-Ende-verschlüsselte Unterhaltungen in Gruppen (MLS, RFC 9420)",
  usage: "Aufruf: conclave",
  generalUsage: "Aufruf: conclave BEFEHL [Optionen]",
  after: [
    "conclave BEFEHL --help sagt mehr; --version nennt die Version.",
    "CONCLAVE_AS und CONCLAVE_SERVER stehen für --as und --server.",
    "--language en spricht Englisch; sonst gilt LC_ALL, LC_MESSAGES oder LANG.",
    "Ergebnis: 0 getan, 1 gescheitert, 2 falscher Aufruf, 3 nichts kam rechtzeitig,",
    "4 (trace) ein Teil war nicht zu lesen, und nichts wurde gefunden.",
  ],
  or: (variable) => `oder ${variable}`,
  byDefault: (value) => `sonst: ${value}`,
}
