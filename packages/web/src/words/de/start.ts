import type { Words } from "../form.js"

export const start: Words["start"] = {
  unsuitable: "Conclave läuft hier nicht",
  elsewhere: {
    title: "Conclave ist in einem anderen Tab geöffnet",
    reason:
      "Ein anderer Tab benutzt deine Schlüssel, und das darf nur einer: Zwei würden denselben Schlüssel zweimal verwenden.",
    remedy:
      "Schließ den anderen Tab, dann geht es hier von allein weiter. Oder lass es dort ruhen und mach hier weiter.",
    here: "Hier weitermachen",
  },
  broken: {
    title: "Dein Profil lässt sich nicht öffnen",
    nothingDeleted:
      "Diese Seite hat nichts gelöscht. Wenn du aber die Daten des Browsers löschst, sind auch der Name und seine Schlüssel weg.",
    again: "Noch einmal versuchen",
  },
  chooseAgain: "Anderen Namen wählen",
  nameTaken: (name) =>
    `Der Name ${name} ist vergeben: Wähle einen anderen. Wenn es deiner ist, komm mit deinem Notfallschlüssel zurück.`,
  keysGone: (name) =>
    `Die Schlüssel von ${name} sind nicht mehr in diesem Browser: Seine Daten wurden gelöscht. Der Name bleibt vergeben: Komm mit deinem Notfallschlüssel zurück oder wähle einen anderen.`,
  useRecovery: "Meinen Notfallschlüssel benutzen",
  insecure:
    "Browser verschlüsseln nur auf sicheren Adressen. Öffne diese Seite über https, oder auf diesem Rechner als localhost.",
  incapable: "Diesem Browser fehlen Web Locks, IndexedDB oder WebAssembly. Jeder Browser der letzten Jahre hat sie.",
  opening: (name) => ({ title: `${name} wird geöffnet`, text: "Was halb fertig war, wird zu Ende gebracht." }),
  registering: (name) => ({
    title: `${name} wird registriert`,
    text: "Schlüssel werden erzeugt, und der Name wird belegt.",
  }),
  slow: "Das dauert länger als üblich. Wenn es nicht weitergeht, schließ die anderen Tabs dieser Seite und lade sie neu.",
  unreachable: (what) =>
    ({
      service: "Der Dienst antwortet nicht",
      cryptography: "Die Verschlüsselung dieser Seite lässt sich nicht laden",
      other: "Gerade geht es nicht weiter",
    })[what],
  waiting: (name, isRegistered, what) =>
    `${name} wird ${isRegistered ? "geöffnet" : "registriert"}, sobald ${
      { service: "er antwortet", cryptography: "sie da ist", other: "sich das ändert" }[what]
    }; diese Seite fragt alle zwei Sekunden nach.`,
}

export const welcome: Words["welcome"] = {
  title: "Conclave",
  lead: "Unterhaltungen, die nur lesen kann, wer dabei ist.",
  name: "Dein Name",
  nameHint:
    "Ohne Leerzeichen. Mit ihm laden dich andere ein, genau so, wie er hier steht. Er gehört der Person, die ihn zuerst nimmt, und lässt sich nicht ändern.",
  displayName: "Anzeigename",
  optional: "freiwillig",
  displayHint: "Andere sehen ihn neben deinem Namen. Du kannst ihn jederzeit ändern.",
  take: "Diesen Namen nehmen",
  note: "Deine Schlüssel entstehen in diesem Browser und bleiben darin. Löschst du seine Daten, ist alles Gesagte weg; den Namen bringt nur ein Notfallschlüssel zurück.",
}

export const forgotten: Words["forgotten"] = {
  doing: "Wird gelöscht",
  doingText: "Deine Schlüssel und Nachrichten werden aus diesem Browser gelöscht.",
  done: "Gelöscht",
  doneText: "In diesem Browser ist nichts mehr von Conclave.",
  partly: "Nicht alles ist gelöscht",
  partlyText: (left) =>
    `Dieser Browser hat noch: ${left}. Schließ andere Tabs dieser Seite und lösche die Daten dieser Adresse in den Einstellungen des Browsers.`,
  again: "Neu beginnen",
}
