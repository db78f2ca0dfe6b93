import type { Words } from "../form.js"

export const version: Words["version"] = {
  newer: "Eine neue Version von Conclave ist bereit. Sie startet, wenn du die Seite das nächste Mal öffnest.",
  use: "Jetzt starten",
}

export const part: Words["part"] = {
  missing: "Dieser Teil der Seite wurde nicht geladen. Verloren ist nichts.",
  reload: "Seite neu laden",
}

export const page: Words["page"] = {
  close: "Schließen",
  cancel: "Abbrechen",
  filesRefused: "Dateien lassen sich noch nicht senden. Was du abgelegt oder eingefügt hast, bleibt, wo es ist.",
  notKept: (fault) => `Dieser Browser speichert nicht mehr: ${fault}. Schaff Platz, bevor du weitermachst.`,
  full: "In diesem Browser ist kein Platz mehr: Was du schreibst und was kommt, wird nicht gespeichert. Schaff Platz, dann geht es von allein weiter.",
  taken: "Ein anderer Tab oder der Browser selbst hat dieser Seite das Profil genommen.",
  declined: (who) => `Du hast die Einladung von ${who} abgelehnt.`,
  restarted: "Du machst in einer neuen Gruppe weiter. Die anderen werden gefragt.",
  newMessage: "Du hast eine neue Nachricht.",
  messageIn: (who, title) => `${who} in ${title}`,
}

export const line: Words["line"] = {
  connected: "Verbunden",
  polling: "Verbunden, verzögert",
  offline: "Offline, neuer Versuch",
  connecting: "Verbindet",
  tryNow: "Jetzt versuchen",
  trying: "Versucht es …",
  delayed: (why) => `${why}; Nachrichten kommen verzögert an.`,
  upgradeDropped: "Der Proxy lässt WebSockets nicht durch",
  streamRefused: (origin) =>
    `Der Dienst erlaubt Seiten von ${origin} keine stehende Verbindung, was sein Betreiber ändern kann`,
  streamBreaks: "Keine Verbindung zum Dienst bleibt stehen",
  noStream: () => "Es kommt keine stehende Verbindung zum Dienst zustande",
  originRefused: (origin) => `Der Dienst lehnt Seiten von ${origin} ab: Sein Betreiber muss sie erlauben.`,
  unavailable: "Der Dienst ist gerade nicht verfügbar.",
  unreachable: "Der Dienst ist nicht erreichbar.",
  kept: "Was du schreibst, bleibt auf diesem Gerät und wird gesendet, sobald es geht.",
}

export const creation: Words["creation"] = {
  title: "Neue Unterhaltung",
  name: "Titel",
  people: "Personen",
  hint: "Die Namen, wie sie hier registriert sind, durch Kommas getrennt. Weitere kannst du jederzeit einladen. Den Titel erfahren nur Mitglieder.",
  create: "Anlegen",
  creating: "Wird angelegt …",
}

export const invitations: Words["invitations"] = {
  region: "Einladung",
  list: "Einladungen",
  fewer: "Weniger anzeigen",
  all: (count) => `Alle ${count} anzeigen`,
  invites: "lädt dich ein",
  asks: "bittet dich, in einer neuen Gruppe weiterzumachen",
  withOne: (who) => `, mit ${who}`,
  withOthers: (count) => `, mit ${count} anderen`,
  somebody: "Jemand",
}

export const search: Words["search"] = {
  search: "Suchen",
  field: "Nachrichten auf diesem Gerät durchsuchen",
  found: "Gefundenes",
  results: "Gefundene Nachrichten",
  searching: "Sucht …",
  none: "Keine Nachricht auf diesem Gerät enthält alle diese Wörter.",
  hint: "Gesucht wird nur auf diesem Gerät. Nichts wird gesendet.",
  conversations: "Unterhaltungen",
  messages: "Nachrichten",
  find: "In dieser Unterhaltung suchen",
  earlier: "Früherer Treffer",
  later: "Späterer Treffer",
  close: "Schließen",
  you: "Du",
  foundAll: (count) => `${count} ${count === 1 ? "Nachricht" : "Nachrichten"}.`,
  foundSoFar: (count) => `Bisher ${count} ${count === 1 ? "Nachricht" : "Nachrichten"} …`,
  notFound: "Nicht gefunden",
  position: (at, count) => `${at} von ${count}`,
}
