import { capitalized, refusal } from "./refusals.js"

/** A form of a reason, and the same in German. */
type Row = readonly [RegExp, (...parts: readonly string[]) => string]

/** After a colon. What is not known stands in quotation marks, as it was said. */
function within(text: string): string {
  const known = reason(text)
  return known === undefined ? `„${text}“` : capitalized(known)
}

/** The client's own reasons, recognized by their words: the first row that fits. */
const clientRows: readonly Row[] = [
  [
    /^nobody is called (.+), or any of (\d+) other names$/,
    (who, more) => `niemand heißt ${who}, und auch ${more} weitere Namen gibt es nicht`,
  ],
  // No name has a space.
  [/^nobody is called (.+)$/, (who) => `niemand heißt ${who.replaceAll(" or ", " oder ")}`],
  [/^(.+) cannot be added at present$/, (who) => `nicht hinzuzufügen, weil kein Schlüssel dafür übrig ist: ${who}`],
  [
    /^the name (\S+) is taken: .*$/,
    (who) => `den Namen ${who} hat schon jemand, mit dem Schlüssel eines anderen Profils`,
  ],
  [/^a part of this program cannot be loaded$/, () => "ein Teil dieses Programms lässt sich nicht laden"],
  [/^(.+) is not in this conversation$/, (who) => `${who} ist nicht in dieser Unterhaltung`],
  [/^(?:the invitation|this invitation) was declined$/, () => "diese Einladung wurde abgelehnt"],
  [/^this invitation has not been accepted$/, () => "diese Einladung ist noch nicht angenommen"],
  [/^this conversation was left$/, () => "du hast diese Unterhaltung verlassen"],
  [/^this device is not in the conversation$/, () => "dieses Gerät ist nicht in der Unterhaltung"],
  [/^the conversation is (\S+)$/, () => "in der Unterhaltung geht das gerade nicht"],
  [
    /^this conversation goes on in (?:a new group: say it there|another group already)$/,
    () => "diese Unterhaltung geht in einer neuen Gruppe weiter: Schreib es dort",
  ],
  [/^a message has at most (\d+) bytes$/, (size) => `eine Nachricht hat höchstens ${size} Byte`],
  [/^a title has at most (\d+) bytes$/, (size) => `ein Titel hat höchstens ${size} Byte`],
  [/^a signal has at most (\d+) bytes$/, (size) => `ein Signal hat höchstens ${size} Byte`],
  [
    /^this device was revoked by a device of its name$/,
    () => "dieses Gerät wurde von einem Gerät desselben Namens gesperrt",
  ],
  [/^this key was revoked by a device of (.+)$/, (who) => `dieser Schlüssel wurde von einem Gerät von ${who} gesperrt`],
  [/^(.+) has no device (\S+)$/, (who, id) => `${who} hat kein Gerät ${id}`],
  [/^(\S+) is not another device of (.+)$/, (id, who) => `${id} ist kein anderes Gerät von ${who}`],
  [/^only the oldest device of (.+) erases the name$/, (who) => `nur das älteste Gerät von ${who} löscht den Namen`],
  [
    /^(.+) has a recovery key: only that erases.*$/,
    (who) => `${who} hat einen Notfallschlüssel: Nur der löscht den Namen`,
  ],
  [
    /^(.+) has a recovery key: only that replaces.*$/,
    (who) => `${who} hat einen Notfallschlüssel: Nur der ersetzt ihn`,
  ],
  [/^this is not the recovery key of (.+)$/, (who) => `das ist nicht der Notfallschlüssel von ${who}`],
  [
    /^what is to be replaced is not the recovery key of (.+)$/,
    (who) => `was ersetzt werden soll, ist nicht der Notfallschlüssel von ${who}`,
  ],
  [/^at most (\d+) can be kept$/, (count) => `höchstens ${count} lassen sich behalten`],
  [
    /^the directory lists more than (\d+) devices of (.+)$/,
    (count, who) => `das Verzeichnis nennt mehr als ${count} Geräte von ${who}`,
  ],
  [/^the directory keeps another display name$/, () => "das Verzeichnis behält einen anderen Anzeigenamen"],
  [
    /^the directory refused the display name: (.+)$/,
    (why) => `das Verzeichnis lehnt den Anzeigenamen ab: ${within(why)}`,
  ],
  [/^the directory refused the name: (.+)$/, (why) => `das Verzeichnis lehnt den Namen ab: ${within(why)}`],
  [
    /^the directory refused the recovery key: (.+)$/,
    (why) => `das Verzeichnis lehnt den Notfallschlüssel ab: ${within(why)}`,
  ],
  [
    /^the directory refused to revoke the device: (.+)$/,
    (why) => `das Verzeichnis sperrt das Gerät nicht: ${within(why)}`,
  ],
  [
    /^the directory did not answer the question: (.+)$/,
    (why) => `das Verzeichnis beantwortet die Frage nicht: ${within(why)}`,
  ],
  [/^the (?:directory|service) said (.+)$/, (why) => `der Dienst sagt: ${within(why)}`],
  [/^the service refused it: (.+)$/, (why) => `der Dienst hat es abgelehnt: ${within(why)}`],
  [/^the (?:service|server) refused$/, () => "der Dienst hat es abgelehnt"],
  [/^the client (?:is closed|is not open|was closed)$/, () => "das Profil ist geschlossen"],
  [/^the store is closed$/, () => "das Profil ist geschlossen"],
  [/^the profile is open already$/, () => "das Profil ist schon geöffnet"],
  [/^there is no profile in it yet$/, () => "darin ist noch kein Profil"],
  [/^a record was not sealed with this sealing key$/, () => "es wurde mit einem anderen Schlüssel versiegelt"],
  [
    /^the key file (.+) is missing: .*$/,
    (file) => `die Schlüsseldatei ${file} fehlt: Leg sie zurück, mit ihr ist das Profil versiegelt`,
  ],
  [/^the key file (.+) cannot be made$/, (file) => `die Schlüsseldatei ${file} lässt sich nicht anlegen`],
  [/^the key file (.+) cannot be read$/, (file) => `die Schlüsseldatei ${file} lässt sich nicht lesen`],
  [/^(.+) holds no key of 32 bytes$/, (file) => `in ${file} ist kein Schlüssel von 32 Byte`],
  [/^(.+) is in use by another client$/, (file) => `${file} wird von einem anderen Programm benutzt`],
  [/^(.+) is not a profile$/, (file) => `${file} ist kein Profil`],
  [
    /^(.+) was written by a later version of this program$/,
    (file) => `${file} stammt von einer neueren Version dieses Programms`,
  ],
  [
    /^a newer version of this program made this profile .*$/,
    () => "dieses Profil stammt von einer neueren Version: Aktualisiere dieses Programm",
  ],
  [/^this profile speaks as (\S+), not as (.+)$/, (one, other) => `dieses Profil gehört ${one}, nicht ${other}`],
  [
    /^this profile uses cipher suite (\d+), not (\d+)$/,
    (one, other) => `dieses Profil benutzt die Cipher Suite ${one}, nicht ${other}`,
  ],
  [/^the profile's database failed: (.+)$/, (why) => `die Datenbank des Profils meldet einen Fehler: ${within(why)}`],
  [/^this is not a recovery key.*$/, () => "das ist kein Notfallschlüssel"],
  [
    /^a member has answered: this device is about to be let in again$/,
    () => "ein Mitglied hat geantwortet: Dieses Gerät wird gleich wieder aufgenommen",
  ],
  [
    /^other members change at the same time what the service keeps$/,
    () => "andere Mitglieder ändern zur selben Zeit, was der Dienst aufbewahrt",
  ],
  [
    /^only a member who follows the conversation has a say in what is kept of it$/,
    () => "nur ein Mitglied, das die Unterhaltung mitliest, bestimmt mit, was davon aufbewahrt wird",
  ],
  // Of the line to the service.
  [/^the service refuses pages of this origin$/, () => "der Dienst lässt Seiten dieser Herkunft nicht zu"],
  [
    /^the service does not answer to the name that it was asked for$/,
    () => "der Dienst hört nicht auf den Namen, unter dem er gefragt wurde",
  ],
  [
    /^a proxy in front of the service does not pass WebSockets$/,
    () => "ein Proxy vor dem Dienst lässt WebSockets nicht durch",
  ],
  [/^the service is not available at the moment$/, () => "der Dienst ist gerade nicht verfügbar"],
  [
    /^what answers at this address is no Conclave service, or an older one$/,
    () => "unter dieser Adresse antwortet kein Dienst von Conclave, oder ein älterer",
  ],
  [/^the service does not answer$/, () => "der Dienst antwortet nicht"],
  [/^the (?:Delivery|Authentication) Service is busy$/, () => "der Dienst ist ausgelastet"],
  [/^this client follows nothing by itself$/, () => "dieses Programm fragt nicht von allein nach"],
  [/^this device's clock differs from the service's$/, () => "die Uhr dieses Geräts geht anders als die des Dienstes"],
  [/^the service's answer cannot be read$/, () => "die Antwort des Dienstes lässt sich nicht lesen"],
  [/^the stream broke$/, () => "die Verbindung ist abgebrochen"],
  [/^cannot reach (\S+)$/, (where) => `${where} ist nicht zu erreichen`],
  [
    /^cannot open a socket to ([^:\s]+(?::\d+)?)(?:: .*)?$/,
    (where) => `zu ${where} lässt sich keine Verbindung öffnen`,
  ],
  [/^no answer within (\d+) ms$/, (time) => `keine Antwort in ${time} ms`],
  [/^the (?:service|server) ended without an answer$/, () => "der Dienst hat ohne Antwort geschlossen"],
  [/^the service failed$/, () => "der Dienst meldet einen Fehler"],
  [/^the server does not speak the protocol$/, () => "der Server spricht dieses Protokoll nicht"],
  [/^the server answered (\d+): ?(.*)$/, (status) => `der Server antwortet mit ${status}`],
  [/^the answer is longer than (\d+) bytes$/, (size) => `die Antwort ist länger als ${size} Byte`],
  [/^the transport is closed$/, () => "die Verbindung ist geschlossen"],
  [/^fetch failed$/, () => "die Anfrage ist gescheitert"],
]

/** The same of the services, where a reason has no code. */
const serviceRows: readonly Row[] = [
  [/^there is no room left for this conversation$/, () => "für diese Unterhaltung ist kein Platz mehr"],
  [/^there is no room left at the service$/, () => "beim Dienst ist kein Platz mehr"],
  [/^name: (.+)$/, () => "den Namen nimmt der Dienst nicht an"],
  [/^text: its normal form is .*$/, () => "er ist nicht in der Normalform"],
  [/^text: (.+)$/, () => "den Anzeigenamen nimmt der Dienst nicht an"],
  [/^this service keeps no blobs$/, () => "dieser Dienst nimmt keine Anhänge an"],
  [
    /^(?:the signature is not the device's|signature: it is not by the device)$/,
    () => "die Signatur ist nicht von diesem Gerät",
  ],
  [/^the device is not registered$/, () => "das Gerät ist nicht registriert"],
  [/^another token deletes this blob$/, () => "diesen Anhang löscht nur, wer ihn hochgeladen hat"],
  [/^another token removes this registration$/, () => "diese Anmeldung löscht nur, wer sie gemacht hat"],
  [/^this service wakes nobody$/, () => "dieser Dienst weckt niemanden"],
  [/^the pass is not good$/, () => "der Ausweis gilt nicht"],
  [/^tooLarge$/, () => "es ist zu groß"],
  [/^throttled$/, () => "es waren zu viele Anfragen"],
  [/^notFound$/, () => "das gibt es dort nicht"],
  [/^(?:invalid|forbidden|denied|refused): (.+)$/s, (why) => within(why)],
]

/** A reason of the client or of a service, in German; `undefined` where it is not one of those that are known. */
export function reason(text: string): string | undefined {
  return among(clientRows, text) ?? refusal(text) ?? among(serviceRows, text)
}

function among(rows: readonly Row[], text: string): string | undefined {
  for (const [form, said] of rows) {
    const found = form.exec(text)
    if (found !== null) return said(...found.slice(1))
  }
  return undefined
}
