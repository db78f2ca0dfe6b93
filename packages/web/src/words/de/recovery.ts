import type { PartWords } from "../form.js"

export const recovery: PartWords["recovery"] = {
  title: "Notfallschlüssel",
  text: "Ein Schlüssel auf Papier, den kein Gerät hat. Er sperrt jedes Gerät mit deinem Namen, auch das älteste, und bringt dich zurück, wenn alle verloren oder gestohlen sind.",
  has: "Dein Name hat einen Notfallschlüssel.",
  hasText: (name) =>
    `Um ihn zu benutzen, gib auf einer Kommandozeile „conclave recovery use --as ${name}“ ein. Wer den Schlüssel hat, hat deinen Namen: Ersetze ihn, wenn ihn jemand anders gesehen haben könnte.`,
  hasNone: "Dein Name hat keinen. Erzeuge ihn, bevor du ihn brauchst: Danach ist es zu spät.",
  notOldest: "Nur dein ältestes Gerät kann einen erzeugen.",
  make: "Notfallschlüssel erzeugen",
  replace: "Ersetzen",
  replaceTitle: "Notfallschlüssel ersetzen",
  before: "Der Notfallschlüssel, den du hast",
  beforeHint: "36 Ziffern und Buchstaben, so wie du sie aufgeschrieben hast.",
  next: "Weiter",
  write:
    "Schreib diese neun Gruppen auf oder druck sie aus, und bewahre das Papier getrennt von deinen Geräten auf. Sie werden nur jetzt gezeigt, und nirgends bleibt eine Kopie.",
  key: "Notfallschlüssel",
  sheetTitle: (name) => `Conclave: Notfallschlüssel für ${name}`,
  sheetText: (address) =>
    `Für ${address}. Wer ihn hat, hat den Namen. Bewahre ihn getrennt von allen Geräten auf und zeig ihn niemandem.`,
  print: "Drucken",
  written: "Ich habe ihn auf Papier",
  check:
    "Damit sicher ist, dass man ihn lesen kann: Gib drei der Gruppen von deinem Papier ein. Erst danach gilt der Schlüssel.",
  group: (number) => `Gruppe ${number}`,
  wrong: (numbers) => `Das ist nicht, was gezeigt wurde: Gruppe ${numbers}. Sieh auf deinem Papier nach.`,
  again: "Noch einmal zeigen",
  set: "Als Notfallschlüssel setzen",
  setting: "Wird gesetzt …",
  notAccepted: "Der Dienst hat ihn nicht angenommen. Gehört der eingegebene Schlüssel zu deinem Namen?",
  notAKey: "Das ist kein Notfallschlüssel: Ein Zeichen ist falsch oder fehlt.",
  done: "Das ist jetzt der Notfallschlüssel für deinen Namen. Deine anderen Geräte erfahren davon.",
}
