import type { PartWords } from "../form.js"

export const settings: PartWords["settings"] = {
  title: "Einstellungen",
  theme: "Aussehen",
  themes: { system: "System", light: "Hell", dark: "Dunkel" },
  notifications: "Mitteilungen",
  notify: "Neue Nachrichten mitteilen",
  notifyHint:
    "Solange Conclave in diesem Browser offen ist und du etwas anderes ansiehst. Stumme Unterhaltungen schweigen.",
  contents: "Zeigen, wer was geschrieben hat",
  contentsHint: "Wer den Bildschirm sieht, kann es lesen, und das System bewahrt es vielleicht auf.",
  device: "Dieser Browser",
  forget: "Abmelden und löschen …",
  forgetHint: "Löscht deine Schlüssel und Nachrichten aus diesem Browser.",
  close: "Fertig",
  language: "Sprache",
  languages: { system: "System", en: "English", de: "Deutsch" },
  languageMissing: "Diese Sprache wurde nicht geladen. Die Seite bleibt bei der bisherigen.",
  unsupported: "Dieser Browser zeigt keine Mitteilungen dieser Seite.",
  denied:
    "Dieser Browser blockiert Mitteilungen dieser Seite. Du kannst sie in seinen Einstellungen für diese Adresse erlauben.",
}

export const forgetting: PartWords["forgetting"] = {
  title: "Abmelden und löschen?",
  deleted: "Aus diesem Browser für immer gelöscht:",
  deletedItems: [
    "die Schlüssel dieses Geräts: Niemand kann sie wieder benutzen, auch du nicht",
    "jede Nachricht, jeder Entwurf und jede Liste in diesem Browser",
    "dein Name und die Einstellungen darin und die Dateien der Seite",
  ],
  kept: "Nicht gelöscht:",
  keptItems: (name) => [
    "was die anderen Mitglieder bekommen haben: Es bleibt bei ihnen",
    `der Name ${name} beim Dienst, der vergeben bleibt, und dein Platz in den Unterhaltungen, bis ein Mitglied dich entfernt`,
  ],
  keptItemsWithoutName: ["was die anderen Mitglieder bekommen haben: Es bleibt bei ihnen"],
  erase: (name) => `Auch den Namen ${name} beim Dienst löschen`,
  eraseHint: "Für alle deine Geräte. Du verlässt deine Unterhaltungen, und niemand kann den Namen wieder nehmen.",
  cancel: "Abbrechen",
  action: "Löschen",
  erasing: "Der Name wird gelöscht …",
}
