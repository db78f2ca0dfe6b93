import type { Words } from "../form.js"

export const keeping: Words["keeping"] = {
  region: "Für dich",
  mute: "Stummschalten",
  muted: "Stumm",
  archive: "Archivieren",
  archived: "Archiviert",
  delete: "Löschen",
  inList: "Sie ist wieder in der Liste.",
  inArchive: "Sie ist im Archiv, unter der Liste.",
  deleted: "Die Unterhaltung ist gelöscht.",
  mutedHint: "Nachrichten hier zählen nicht im Titel der Seite und holen sie nicht aus dem Archiv zurück.",
  hint: "Das siehst nur du. Nachrichten einer stummen Unterhaltung werden nicht gezählt; eine archivierte kommt mit der nächsten Nachricht zurück.",
  deleteTitle: (title) => `„${title}“ löschen?`,
  deleteText:
    "Sie wird nicht mehr gezeigt, und auch nicht, was bisher gesagt wurde, selbst wenn dich ein Mitglied wieder einlädt. Ihre versiegelten Aufzeichnungen bleiben in diesem Browser, bis seine Daten gelöscht werden.",
}
