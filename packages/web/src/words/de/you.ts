import type { PartWords } from "../form.js"

export const you: PartWords["you"] = {
  title: "Du",
  back: "Zurück zu den Unterhaltungen",
  called: "Was andere sehen",
  name: "Name",
  displayName: "Anzeigename",
  noDisplayName: "keiner",
  change: "Ändern",
  nameFixed: "Der Name bleibt, wie er ist. Über ihn finden dich andere.",
  copyInvitation: "Einladung kopieren",
  invitationCopied: "Einladung kopiert",
  invitation: (name, address) => `Schreib mir auf Conclave: Öffne ${address} und lade „${name}“ ein.`,
  key: "Dieses Gerät",
  keyText:
    "Dieser Code steht für den Schlüssel dieses Geräts. Wer einen neuen Schlüssel von dir sieht, vergleicht ihn damit: Lies ihn vor oder lass ihn scannen.",
  codeLabel: "Code dieses Geräts",
  picture: "QR-Code mit dem Code dieses Geräts",
  copy: "Code kopieren",
  copied: "Code kopiert",
  devices: "Deine Geräte",
  devicesText:
    "Ein älteres Gerät kann ein jüngeres sperren, nie umgekehrt. Bewahre das älteste deshalb dort auf, wo es am sichersten ist.",
  thisDevice: "dieses Gerät",
  since: "seit",
  oldest: "das älteste",
  recovered: "mit dem Notfallschlüssel gekommen",
  olderRecovery: "älter als dieses Gerät: Nur ein älteres oder der Notfallschlüssel kann es sperren",
  notVouched: "keins deiner Geräte hat dafür signiert",
  revoked: "gesperrt",
  older: "älter als dieses Gerät: Nur ein älteres kann es sperren",
  loading: "Fragt den Dienst …",
  unreachable: "Die Liste lässt sich gerade nicht lesen. Alles andere auf dieser Seite geht.",
  again: "Noch einmal versuchen",
  revoke: "Sperren",
  revokeByKey: "Mit dem Notfallschlüssel sperren",
  revokeByKeyNamed: (code) => `Mit dem Notfallschlüssel sperren: Gerät ${code}`,
  revokeNamed: (code) => `Das Gerät ${code} sperren`,
  revokeTitle: "Dieses Gerät sperren?",
  revokeText: (isAlone) =>
    `Es wird aus allen deinen Unterhaltungen entfernt, und niemand lädt es wieder ein. Was es bisher gelesen hat, bleibt darauf. Das lässt sich nicht rückgängig machen.${
      isAlone ? "" : " Geräte, für die es signiert hat, werden mit gesperrt, außer denen, die du behältst:"
    }`,
  keep: (code) => `Das Gerät ${code} behalten`,
  revokeAction: "Gerät sperren",
  revoking: "Wird gesperrt …",
  didRevoke: (count) =>
    count > 1
      ? `${count} Geräte sind gesperrt. Mitglieder entfernen sie aus jeder Unterhaltung, sobald sie wieder online sind.`
      : "Das Gerät ist gesperrt. Mitglieder entfernen es aus jeder Unterhaltung, sobald sie wieder online sind.",
  alerts: "Zu deinem Namen",
  noAlerts: "Dieses Gerät hat unter deinem Namen kein unbekanntes Gerät gesehen.",
  unknownDevice: "Ein Gerät, für das keins deiner Geräte signiert hat, benutzt deinen Namen. Du hast es abgelehnt.",
  lookAgain: "Noch einmal ansehen",
}

export const displayName: PartWords["displayName"] = {
  title: "Was andere sehen",
  label: "Anzeigename",
  hint: (name) =>
    `Er steht neben deinem Namen, ${name}, der bleibt, wie er ist. Lass das Feld leer, um nur den Namen zu zeigen. Andere erfahren davon, wenn ihre Geräte dich das nächste Mal nachschlagen.`,
  save: "Speichern",
  saving: "Wird gespeichert …",
}
