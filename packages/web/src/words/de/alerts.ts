import type { Words } from "../form.js"

export const alertButtons: Words["alertButtons"] = {
  open: "Unterhaltung öffnen",
  restart: "In neuer Gruppe weitermachen",
  compare: "Sicherheitscodes vergleichen",
  devices: "Deine Geräte ansehen",
  evidence: "Beweis speichern",
  seen: "Gesehen",
  detail: "Details",
  aConversation: "einer Unterhaltung",
}

export const banner: Words["banner"] = {
  alerts: "Warnungen",
  outdated: "Du brauchst ein Update.",
  outdatedText:
    "Der Dienst spricht nur noch neuere Versionen: Bis du diese Seite neu lädst, wird nichts gesendet und nichts gelesen. Was du hast, bleibt.",
  reload: "Neu laden",
  busy: (time) => `Der Dienst ist bis ${time} ausgelastet. Was du schreibst, bleibt hier und geht von allein hinaus.`,
  report: { ready: "Bericht kopieren", copied: "Bericht kopiert", refused: "Der Browser erlaubt das Kopieren nicht" },
}

export const notices: Words["notices"] = {
  all: "Alle Namen anzeigen",
  fewer: "Weniger anzeigen",
  decided: (names) =>
    names === "" ? "Du hast dir einen neuen Schlüssel angesehen." : `Du hast dich entschieden, bei ${names}.`,
  out: (names, isOne) => `${names} ${isOne ? "ist" : "sind"} nicht mehr dabei`,
  here: "dieser Unterhaltung",
  attention: (text) => `Achtung: ${text}`,
}
