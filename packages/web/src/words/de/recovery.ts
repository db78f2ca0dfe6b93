import type { PartWords } from "../form.js"

export const recovery: PartWords["recovery"] = {
  title: "Notfallschlüssel",
  text: "Ein Schlüssel auf Papier, den kein Gerät hat. Er sperrt jedes Gerät mit deinem Namen, auch das älteste, und bringt dich zurück, wenn alle verloren oder gestohlen sind.",
  has: "Dein Name hat einen Notfallschlüssel.",
  hasText: (name) =>
    `Um damit zurückzukommen, öffne diese Seite im neuen Browser, gib den Namen ${name} ein und wähle „Meinen Notfallschlüssel benutzen“. Wer den Schlüssel hat, hat deinen Namen: Ersetze ihn, wenn ihn jemand anders gesehen haben könnte.`,
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
  comeback: {
    title: (name) => `Als ${name} zurückkommen`,
    device:
      "Dieser Browser wird ein neues Gerät mit deinem Namen. Wer mit dir schreibt, erfährt, dass du mit dem Notfallschlüssel zurückgekommen bist, und muss die Codes neu mit dir vergleichen.",
    conversations:
      "Deine Unterhaltungen und was darin gesagt wurde, sind hier nicht. In jede muss dich ein Mitglied wieder einladen, sobald dein verlorenes Gerät nicht mehr dabei ist.",
    devices:
      "Deine anderen Geräte kennt dieses nicht. Du siehst sie danach unter „Du“, wo der Notfallschlüssel sperrt, was verloren oder gestohlen ist.",
    revoke: "Alle meine anderen Geräte sind verloren: sperren",
    revokeHint:
      "Mitglieder nehmen sie aus deinen Unterhaltungen und können dich danach wieder einladen. Das lässt sich nicht rückgängig machen.",
    key: "Dein Notfallschlüssel",
    action: {
      asking: "Zurückkommen",
      opening: "Du kommst zurück …",
      revoking: "Wird gesperrt …",
      back: "Weiter sperren",
    },
    isBack: (name) => `Du bist als ${name} zurück.`,
    noneRevoked: "Deine anderen Geräte sind noch nicht gesperrt.",
    revoked: (revoked, all) =>
      `Von deinen anderen Geräten ${revoked === 1 ? "ist" : "sind"} ${revoked} von ${all} gesperrt, soweit der Dienst geantwortet hat.`,
    look: "Meine Geräte ansehen",
  },
  done: "Das ist jetzt der Notfallschlüssel für deinen Namen. Deine anderen Geräte erfahren davon.",
}
