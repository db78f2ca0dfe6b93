import type { Words } from "../form.js"

export const messages: Words["messages"] = {
  region: "Nachrichten",
  you: "Du",
  sent: "Gesendet",
  sending: "Wird gesendet …",
  waiting: "Noch nicht gesendet",
  edit: "Bearbeiten und neu senden",
  discard: "Verwerfen",
  newMessages: "Neue Nachrichten",
  loading: "Lädt …",
  loadingFailed: "Diese Nachrichten ließen sich auf diesem Gerät nicht lesen.",
  again: "Noch einmal",
  invisible: "In dieser Nachricht ist nichts zu sehen.",
  showAll: "Ganz anzeigen",
  showLess: "Weniger anzeigen",
  latest: "Neueste",
  latestFull: " Nachrichten: zum Ende",
  unreadAbove: "Neue Nachrichten",
  unreadAboveFull: ": zur ersten",
  actions: "Aktionen für die Nachricht",
  copy: "Text kopieren",
  copied: "Kopiert.",
  copyFailed: "Der Browser hat das Kopieren nicht erlaubt.",
  unblock: "Blockierung aufheben",
  nobody: "Noch ist sonst niemand hier.",
  invite: "Lade jemanden ein",
  inviteAfter: ". Eingeladene lesen, was ab dann geschrieben wird.",
  encrypted:
    "Nachrichten werden auf diesem Gerät verschlüsselt, und nur Mitglieder können sie lesen. Um sicher zu sein, wer sie sind,",
  compare: "vergleiche die Sicherheitscodes",
  messageTo: (title) => `Nachricht an ${title}`,
  write: "Nachricht schreiben",
  send: "Senden",
  lookAgain: (who) => `Den neuen Schlüssel von ${who} noch einmal ansehen`,
  dayButton: (day) => `${day}: zu einem anderen Tag`,
  new: (count) => ({
    short: `${count} neu`,
    full: count === 1 ? "e Nachricht: zum Ende" : "e Nachrichten: zum Ende",
  }),
  blocked: (count, who) => `${count === 1 ? "Eine Nachricht" : `${count} Nachrichten`} von ${who}, blockiert.`,
  leadsTo: (host) => `führt zu ${host}`,
  otherAlphabets: "Buchstaben anderer Alphabete",
  notPlain: (typed) => `ungewöhnliche Buchstaben: ${typed}`,
  copyLink: (host) => `Link zu ${host} kopieren`,
  bytes: (count) => `${count} Byte, die kein Text sind`,
  today: "Heute",
  yesterday: "Gestern",
}

export const composer: Words["composer"] = {
  left: "Du bist nicht mehr dabei: Was jetzt noch kommt, liest du nicht, und schreiben kannst du auch nicht. Ein Mitglied kann dich wieder einladen.",
  leaving: "Du verlässt die Unterhaltung. Dafür muss sich noch das Gerät eines anderen Mitglieds melden.",
  lost: "Dieses Gerät hat die Unterhaltung verloren. Bitte ein Mitglied, dich zu entfernen und wieder einzuladen.",
  continued: "Diese Unterhaltung geht in einer neuen Gruppe weiter.",
  halted:
    "Es gibt einen neuen Schlüssel: Was du schreibst, wird erst gesendet, wenn du ihn bestätigst oder die Person entfernt ist.",
  invited: "Du bist eingeladen: Schreiben kannst du, sobald du dabei bist.",
}

export const chat: Words["chat"] = {
  conversation: "Unterhaltung",
  all: "Alle Unterhaltungen",
  noMember: "Nicht mehr dabei",
  onlyYou: "Nur du",
  you: "Du",
  find: "In dieser Unterhaltung suchen",
  youAre: (who) => `Du bist ${who}`,
  begin: (name) =>
    `Beginne links eine Unterhaltung. Oder gib anderen deinen Namen, ${name}, damit sie dich zu ihren einladen.`,
  choose: "Wähle links eine Unterhaltung oder beginne eine neue.",
}
