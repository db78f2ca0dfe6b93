import type { EventReader, ToldEvent } from "@conclave/client"
import { has, one, place, several, somebody } from "./people.js"
import { reason as germanReason } from "./reasons.js"
import { capitalized, refusalSentences } from "./refusals.js"

type Of<T extends ToldEvent["type"]> = Extract<ToldEvent, { readonly type: T }>
type Sentences = readonly string[]

export function keyChanged({ name, endorsed, accepted }: Of<"keyChanged">, reader: EventReader): Sentences {
  if (name === reader.name && endorsed) {
    return [
      "Du hast ein Gerät hinzugefügt",
      "Eins deiner Geräte hat dafür signiert",
      "Wenn du das nicht warst, bitte die Mitglieder, dich zu entfernen und wieder einzuladen",
    ]
  }
  if (name === reader.name) {
    return [
      "Ein unbekanntes Gerät benutzt deinen Namen",
      "Keins deiner Geräte hat dafür signiert",
      `Wenn es deins ist, bestätige seinen Schlüssel${reader.how({ type: "approveKey", name })}`,
      "Wenn nicht, warne die Leute, mit denen du schreibst, am Telefon oder persönlich",
    ]
  }
  const who = one(name, reader)
  if (accepted) {
    return [
      `${who} hat ein Gerät hinzugefügt`,
      "Ein bekanntes Gerät hat dafür signiert, deshalb wurde es angenommen",
      `Der Sicherheitscode hat sich geändert: Vergleiche ihn noch einmal${reader.how({ type: "compareSafetyCodes" })}`,
    ]
  }
  return [
    `${who} hat einen neuen Schlüssel`,
    endorsed
      ? "Ein bekanntes Gerät hat dafür signiert"
      : "Kein bekanntes Gerät hat dafür signiert: Es ist eine neue Installation, oder jemand gibt sich für diese Person aus",
    `Frag ${name === "" ? "nach" : who}, am Telefon oder persönlich, bevor du ihn bestätigst${reader.how({ type: "approveKey", name })}`,
  ]
}

export function deviceRevoked({ name, by }: Of<"deviceRevoked">, reader: EventReader): Sentences {
  if (reader.conversation !== undefined) {
    const whose =
      name === reader.name ? "eins deiner gesperrten Geräte" : `ein gesperrtes Gerät von ${reader.person(name)}`
    const who = by === reader.name ? "Dein Gerät hat automatisch" : has(by, reader)
    return [`${who} ${whose} aus ${place(reader)} entfernt`]
  }
  if (name !== reader.name) return [`${has(name, reader)} ein Gerät gesperrt: Es gehört nicht mehr zu diesem Namen`]
  return [
    "Ein Gerät mit deinem Namen wurde gesperrt",
    "Es wird aus jeder Unterhaltung entfernt, und niemand lädt es mehr ein",
    "Wenn es dieses ist, kannst du hier nur noch lesen, was schon da ist",
  ]
}

interface WishWords {
  readonly failed: (names: readonly string[], reader: EventReader) => string
  readonly waiting: string
}

const could = (names: readonly string[], reader: EventReader) =>
  `${several(names, reader) || "Jemand"} ${names.length > 1 ? "ließen" : "ließ"} sich nicht`

const wishes: Readonly<Record<Of<"failed">["wish"], WishWords>> = {
  create: { failed: () => "Die Unterhaltung ließ sich nicht anlegen", waiting: "die neue Unterhaltung" },
  send: { failed: () => "Eine Nachricht ließ sich nicht senden", waiting: "eine Nachricht" },
  title: { failed: () => "Der Titel ließ sich nicht ändern", waiting: "den neuen Titel" },
  invite: { failed: (names, reader) => `${could(names, reader)} hinzufügen`, waiting: "deine Einladung" },
  reinvite: {
    failed: (names, reader) => `${could(names, reader)} noch einmal einladen`,
    waiting: "deine neue Einladung",
  },
  remove: { failed: (names, reader) => `${could(names, reader)} entfernen`, waiting: "das Entfernen" },
  refresh: { failed: () => "Deine Schlüssel ließen sich nicht erneuern", waiting: "deine neuen Schlüssel" },
  leave: { failed: () => "Du konntest die Unterhaltung nicht verlassen", waiting: "dein Verlassen" },
}

const reasons: Readonly<Partial<Record<Of<"failed">["code"], string>>> = {
  UNKNOWN_NAME: "Den Namen hat hier niemand",
  NO_KEY_PACKAGE: "Dafür ist kein Schlüssel mehr übrig",
  KEY_CHANGED: "Erst ist ein neuer Schlüssel anzusehen",
  NOT_A_MEMBER: "Du bist nicht mehr dabei",
  LOST: "Dieses Gerät hat die Unterhaltung verloren",
  REVOKED: "Dieses Gerät wurde gesperrt",
  CONTINUED: "Die Unterhaltung geht in einer neuen Gruppe weiter",
  TOO_LARGE: "Das ist zu groß",
  WRONG_CLOCK: "Die Schlüssel gelten zur Zeit dieses Geräts nicht: Seine Uhr geht falsch oder die andere",
}

export function failed({ wish, names, code, reason }: Of<"failed">, reader: EventReader): Sentences {
  // Of several people, only some may be meant.
  const isOfSome = names.length > 1 && (code === "UNKNOWN_NAME" || code === "NO_KEY_PACKAGE")
  const some = isOfSome ? germanReason(reason) : undefined
  if (some !== undefined) return [`${wishes[wish].failed(names, reader)}: ${reader.reason(capitalized(some))}`]
  const why = reasons[code] ?? refusalSentences(reader.reason(reason))[0] ?? "Der Dienst hat es abgelehnt"
  return [`${wishes[wish].failed(names, reader)}: ${why}`]
}

export function deferred({ wishes: waiting, retryAt }: Of<"deferred">, reader: EventReader): Sentences {
  const what =
    waiting.length === 0
      ? "eine Änderung"
      : new Intl.ListFormat("de").format([...new Set(waiting)].map((wish) => wishes[wish].waiting))
  return [`Der Dienst hat ${what} nicht angenommen`, `Dieses Gerät versucht es um ${reader.time(retryAt)} wieder`]
}

export function rejected({ code, count }: Of<"rejected">, reader: EventReader): Sentences {
  const where = place(reader)
  const inside = reader.conversation === undefined ? "" : ` in ${where}`
  switch (code) {
    case "FALSE_ANSWER":
      return [
        `Jemand hat auf die Bitte dieses Geräts geantwortet, in ${where} wieder mitzulesen, und zwar nicht ehrlich`,
        "Es war ein Mitglied oder der Dienst: Vergleiche Sicherheitscodes, wenn du wieder dabei bist",
      ]
    case "UNSIGNED":
      return [
        `Der Dienst signiert nicht, was er in ${where} zeigt`,
        "Bis er es tut, kann niemand beweisen, was er gezeigt hat",
      ]
    case "WITHHELD":
      return [
        `Der Dienst hält ${count === 1 ? "eine Nachricht" : `${count} Nachrichten`}${inside} zurück`,
        "Frag die anderen auf anderem Weg, was gesagt wurde",
      ]
    case "FALSE_HEAD":
      return [
        `In ${where} hatte, wer dich eingeladen hat, etwas anderes gelesen, als der Dienst dir zeigt`,
        "Einer von beiden sagt nicht die Wahrheit: Vergleiche Sicherheitscodes",
      ]
    case "CANNOT_KNOCK":
      return [
        `Der Dienst nimmt die Bitte dieses Geräts nicht an, in ${where} wieder mitzulesen`,
        "Dieses Gerät fragt wieder",
      ]
    case "TOO_MANY_INVITATIONS":
      return [
        count === 1 ? "Eine Einladung wurde ungesehen abgelehnt" : `${count} Einladungen wurden ungesehen abgelehnt`,
        "Um mehr zu bekommen, beantworte die, die warten",
      ]
    case "PROPOSALS_DROPPED":
      return [`Bitten anderer Mitglieder${inside} wurden nicht ausgeführt`]
    default:
      return [
        count === 1
          ? `Etwas wurde abgewiesen und übersprungen${inside}`
          : `${count} Nachrichten wurden abgewiesen und übersprungen${inside}`,
        ...(reader.conversation === undefined ? ["Wenn du eine Einladung erwartest, bitte noch einmal darum"] : []),
      ]
  }
}

export function contradicted({ by, accused, evidence }: Of<"contradicted">, reader: EventReader): Sentences {
  if (accused === "member") {
    return [
      `Was ${somebody(by, reader)} in ${place(reader)} gelesen hat, ist nicht, was dieses Gerät gelesen hat`,
      "Das andere Gerät irrt sich, lügt oder spricht mit einem anderen Dienst: Vergleicht eure Sicherheitscodes",
    ]
  }
  return [
    `Der Dienst zeigt verschiedenen Mitgliedern Verschiedenes in ${place(reader)}`,
    evidence.length > 0
      ? "Seine eigenen Signaturen beweisen es: Heb den Beweis auf und sag es den anderen auf anderem Weg"
      : "Sag es den anderen auf anderem Weg und vergleicht, was ihr gelesen habt",
  ]
}
