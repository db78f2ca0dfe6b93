import { reason, refusalSentences } from "@conclave/headless/german"
import type { Words } from "../form.js"
import { sentence } from "../sentence.js"

/** By code: what the client says is in English, and of a refusal in German where it is known. */
export const problems: Words["problems"] = {
  UNKNOWN_NAME: ({ message }) =>
    `${sentence(reason(message) ?? "Mindestens einen dieser Namen gibt es hier nicht")} Bitte die Person, diese Adresse zu öffnen und den Namen zu wählen.`,
  NO_KEY_PACKAGE: ({ who }) =>
    `${who || "Diese Person"} lässt sich gerade nicht hinzufügen, weil kein Schlüssel dafür übrig ist. Sobald die Seite dort wieder geöffnet wird, gibt es neue.`,
  NAME_TAKEN: () => "Diesen Namen hat schon jemand. Wähle einen anderen.",
  KEY_CHANGED: ({ who }) =>
    `${who || "Diese Person"} hat einen neuen Schlüssel. Lies den Hinweis dazu und lade dann noch einmal ein.`,
  NOT_A_MEMBER: () => "Du bist in dieser Unterhaltung nicht mehr dabei.",
  TOO_LARGE: () => "Das ist zu lang: Eine Nachricht hat höchstens 64 KiB.",
  REFUSED: ({ message }) => {
    const [known] = refusalSentences(message)
    if (known !== undefined) return `Der Dienst hat das abgelehnt. ${sentence(known)}`
    return sentence(reason(message) ?? "Der Dienst hat das abgelehnt")
  },
  LOST: () => "Dieses Gerät hat die Unterhaltung verloren. Ein Mitglied muss dich entfernen und wieder einladen.",
  CONTINUED: () => "Diese Unterhaltung geht in einer neuen Gruppe weiter. Du findest sie in der Liste.",
  UNAVAILABLE: () => "Das ist gerade nicht erreichbar. Versuch es gleich noch einmal.",
  UPDATE: () => "Du brauchst ein Update: Lade die Seite neu.",
  STORE_FAILED: () =>
    "Dieser Browser hat es nicht gespeichert. Schaff Platz oder erlaube dieser Seite, Daten zu behalten.",
  STORE_LOCKED: () => "Ein anderer Tab benutzt gerade deine Schlüssel.",
  WRONG_PROFILE: () => "Die gespeicherten Daten passen nicht zu dieser Version oder zu diesem Namen.",
  REVOKED: () =>
    "Ein anderes Gerät mit deinem Namen hat dieses gesperrt. Was hier ist, bleibt; Neues kommt nicht mehr.",
  WRONG_CLOCK: ({ who }) =>
    `Die Schlüssel von ${who || "dieser Person"} gelten zu der Zeit nicht, die dieses Gerät anzeigt. Stell seine Uhr richtig; geht sie richtig, dann geht die andere falsch.`,
  CLOSED: () => "Die Seite hat ihr Profil losgelassen. Lade sie neu.",
  other: () => "Das hat nicht geklappt. Versuch es noch einmal.",
}

export const failures: Words["failures"] = {
  left: "Nicht gesendet: Du bist nicht mehr dabei.",
  lost: "Nicht gesendet: Dieses Gerät hat die Unterhaltung verloren.",
  continued: "Nicht gesendet: Die Unterhaltung geht in einer neuen Gruppe weiter.",
  refused: "Nicht gesendet: Der Dienst hat es abgelehnt.",
  because: (why) => `Nicht gesendet: ${why}`,
}
