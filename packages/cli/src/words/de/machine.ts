import type { Words } from "../form.js"
import { obstacle } from "./causes.js"
import { conversations } from "./chat.js"
import { decimal } from "./numbers.js"

/** Why a faster provider of cryptography is not used, by its words. */
function fallback(reason: string): string {
  for (const [form, said] of fallbacks) {
    const [, ...parts] = form.exec(reason) ?? [undefined]
    if (form.test(reason)) return said(...(parts as string[]))
  }
  return `„${reason}“`
}

const fallbacks: readonly (readonly [RegExp, (...parts: readonly string[]) => string])[] = [
  [/^(\S+) has no binary for (.+)$/, (name, system) => `${name} hat kein Programm für ${system}`],
  [/^(\S+) does not load: .*$/, (name) => `${name} lässt sich nicht laden`],
  [/^(\S+) is of version (\S+), not (\S+)$/, (name, one, other) => `${name} hat Version ${one}, nicht ${other}`],
]

const sides = { client: "ein Programm", server: "einen Dienst" }

export const machine: Words["machine"] = {
  fallback,
  jsonWithReport: "--json geht nicht mit --as: Der Bericht ist Text",
  noProfile: (who, at, folder) => `in ${folder} ist kein Profil von ${who} für ${at}`,
  subjects: {
    node: "Node",
    cryptography: "Verschlüsselung",
    dataFolder: "Datenordner",
    page: "Seite",
    service: "Dienst",
    fastOpen: "Fast Open",
  },
  checkFailed: (subject, reason) => `Die Prüfung (${subject}) ist gescheitert: ${reason}.`,
  runtime: (version, system) => `Node ${version} auf ${system}; nötig ist 20.19.`,
  noEd25519: (provider) => `Der Verschlüsselung ${provider} fehlt Ed25519.`,
  wrongEd25519: (provider) => `Die Verschlüsselung ${provider} bestätigt ihre eigene Signatur nicht.`,
  verifies: (provider, microseconds) =>
    `Die Verschlüsselung kommt von ${provider}; sie prüft eine Signatur in ${microseconds} µs`,
  byAwsLc: (verifies) => `${verifies}, beschleunigt durch aws-lc.`,
  bySodium: (verifies, why) =>
    `${verifies}, beschleunigt durch libsodium.${why === undefined ? "" : ` ${fallback(why)}.`}`,
  byNode: (verifies, why) =>
    `${verifies}.${why === undefined ? "" : ` ${fallback(why)}.`} Mit sodium-native wären Signaturen und Schlüsseltausch mindestens doppelt so schnell.`,
  noPage: "Die Seite für Browser ist nicht gebaut; der Dienst läuft ohne sie.",
  page: "Die Seite für Browser ist gebaut; der Dienst gibt sie aus.",
  fastOpen: (side, works) =>
    works
      ? `TCP Fast Open geht hier für ${sides[side]}, ohne Cookie, das sich verfolgen ließe.`
      : `TCP Fast Open geht hier nicht für ${sides[side]}; Verbindungen brauchen einen Hin- und Rückweg mehr.`,
  obstacle: (reason) => {
    const said = obstacle(reason)
    // But not the name of a setting.
    return `${said.startsWith("der ") ? `D${said.slice(1)}` : said}.`
  },
  answers: (at) => `Unter ${at} antwortet ein Dienst.`,
  noAnswer: (at) => `Unter ${at} antwortet kein Dienst.`,
  portFree: (at) => `Unter ${at} läuft kein Dienst; der Port ist frei für einen.`,
  portTaken: (at, reason) => `Unter ${at} antwortet kein Dienst, und der Port ist nicht frei für einen (${reason}).`,
  notWritable: (place, reason) => `In ${place}, wo die Daten sind, lässt sich nicht schreiben (${reason}).`,
  space: (folder, gibibytes) => `Die Daten sind in ${folder}; dort sind ${decimal(gibibytes, 1)} GiB frei.`,
  networkDrive: (folder, type) =>
    `${folder} ist ein Netzlaufwerk (${type}), auf dem SQLite Daten verlieren kann und Sperren nicht immer halten: ` +
    "Bewahre Daten auf einer Festplatte dieses Rechners auf, mit --data.",
  syncs: "Was dort geschrieben wird, ist auf der Festplatte, wenn das System es sagt (fsync).",
  doesNotSync: (reason) => `Die Festplatte behält nicht, was dort geschrieben wird (fsync): ${reason}.`,
  sqlite: (version, milliseconds) =>
    `SQLite ${version} kommt mit libsql; ein gesichertes Schreiben dauert dort ${decimal(milliseconds, 1)} ms.`,
  locks: "Sperren halten dort: Ein zweiter Prozess kommt nicht in ein Profil.",
  locksNotTried: (code) => `Sperren ließen sich dort nicht prüfen: Der zweite Prozess endete mit ${code}.`,
  noLocks: "Sperren halten dort nicht: Zwei Prozesse könnten ein Profil öffnen und zerstören.",
}

const states: Readonly<Partial<Record<string, string>>> = conversations.states

export const demo: Words["demo"] = {
  head: { step: "Schritt", epoch: "Epoche", authenticator: "Nachweis", bytes: "Byte", time: "ms" },
  serviceFailed: (reason) => `der Dienst meldet einen Fehler: ${reason}`,
  serviceAt: (address, port) =>
    `Der Dienst ist unter ${address}${port === undefined ? "" : ` und nimmt versiegelte Anfragen an Port ${port} an`}.`,
  relayAt: (address) => `Seine Bytes zählt ein Vermittler unter ${address}.`,
  agreed: "Alle Mitglieder waren sich bei jedem Schritt einig.",
  disagreed: "Etwas stimmte nicht überein.",
  end: (verdict, members, seconds) => `${verdict} ${members} Mitglieder, ${decimal(seconds, 2)} s.`,
  admissions: (all, withData) => `${all} Verbindungen für versiegelte Anfragen, ${withData} mit Daten im ersten Paket.`,
  register: "drei Mitglieder registrieren sich",
  nothingInFile: "nichts davon in der Datei des Dienstes",
  sameAuthenticator: "der Nachweis der Epoche ist noch der von vorher",
  holds: (text) => `darin steht „${text}“`,
  fault: (step, fault) => `${step}: ${fault}`,
  steps: {
    create: "alice legt eine Unterhaltung an",
    invite: "alice lädt bob und carol ein",
    talk: "alle drei reden",
    refresh: "bob erneuert seine Schlüssel",
    remove: "alice entfernt carol",
    talkWithout: "alice und bob reden ohne carol",
    inviteAgain: "bob lädt carol wieder ein",
  },
  text: (who, number) => `${who} sagt zum ${number}. Mal etwas`,
  doesNotKnow: (who) => `${who} ist Mitglied, weiß es aber nicht`,
  outUnknown: (who) => `${who} ist draußen, weiß es aber nicht`,
  outWithKey: (who) => `${who} ist draußen, hat aber einen Schlüssel`,
  epoch: "die Epoche",
  epochAuthenticator: "der Nachweis der Epoche",
  differs: (what, views) => `${what} ist nicht überall gleich: ${views}`,
  notActive: (who, status) => `${who} ist Mitglied, aber: ${states[status] ?? status}`,
  noAuthenticator: (who) => `${who} hat keinen Nachweis`,
  sees: (who, seen, members) => `${who} sieht ${seen || "niemanden"}, nicht ${members}`,
  readOutside: (who, message) => `${who} war draußen, hat aber „${message}“ gelesen`,
  notRead: (who, message) => `${who} hat „${message}“ nicht gelesen`,
  readTwice: (who) => `${who} hat etwas zweimal gelesen`,
}

/** What the reader of captures says, by its words. */
const captureFaults: readonly (readonly [RegExp, string])[] = [
  [/^compressed/, "sie ist mit gzip gepackt: Entpacke sie zuerst"],
  [/^the capture was cut off/, "sie ist abgeschnitten"],
  [/^neither pcap nor pcapng/, "weder pcap noch pcapng"],
  [/^pcapng of version/, "pcapng in einer anderen Version"],
  [/^too many interfaces/, "zu viele Schnittstellen"],
  [/^(?:a packet|a block|a section|an interface)/, "sie ist beschädigt"],
]

/** What the SDK says of evidence, by its words. */
const evidenceFaults: readonly (readonly [RegExp, string])[] = [
  [/^this is no evidence/, "das ist kein Beweis"],
  [/^this is evidence of version/, "der Beweis stammt von einer anderen Version: Aktualisiere dieses Programm"],
  [/^the two histories are one/, "beide Verläufe sind derselbe"],
  [/^the service was restored from a backup/, "der Dienst wurde dazwischen aus einer Sicherung wiederhergestellt"],
  [/^of the \S+ history/, "einer der Verläufe ist nicht von dem Dienst signiert"],
]

export const looking: Words["looking"] = {
  jsonWithoutProfile: "--json geht nur mit --profile allein: Alles andere steht in der Schreibweise von RFC 9420",
  asWithProfile: "--as geht nicht mit --profile: Der Schlüssel eines Datensatzes sagt seinen Typ",
  noType: (type) => `es gibt keinen Typ ${type}`,
  standardInput: "Eingabe",
  giveAFile: (file) => `gib eine Datei an, oder --profile ${file}, wenn Profile darin sind`,
  giveAnInput:
    "gib eine Nachricht, einen Baum oder einen Datensatz von MLS an, als Bytes, hexadezimale Ziffern oder base64",
  ofRfc: (types) => `RFC 9420: ${types}`,
  ofProfiles: (types) => `Datensätze eines Profils: ${types}`,
  tooLarge: (name, mebibytes) => `${name}: Mehr als ${mebibytes} MiB werden nicht gelesen`,
  fitsNone: (fault) => `passt zu keinem Typ; ${fault}`,
  recognisedNone: (type) =>
    `passt zu keiner Nachricht, keinem Baum und keinem Datensatz von MLS; am nächsten ist ${type}: --as ${type} sagt, wo der Unterschied ist, ` +
    "--as help nennt alle",
  fails: (type, place, reason) => `als ${type} scheitert es bei Byte ${place} („${reason}“)`,
  ofEncoding: (encoding) => ` dessen, was in ${encoding} dasteht`,
  inField: (path) => `, in ${path}`,
  fitsToo: (types) => `Es passt auch zu ${types}: Wähle mit --as.`,
  nothingThere: (file) => `${file}: Diese Datei oder diesen Ordner gibt es nicht`,
  noProfileIn: (folder) => `${folder}: Darin ist kein Profil`,
  severalProfiles: (folder, count, named, more) =>
    `${folder}: Darin sind ${count} Profile; wähle eins: ${named}${more > 0 ? ` und ${more} weitere` : ""}`,
  profileOpen: (file) => `${file}: Ein laufendes Programm hat dieses Profil offen; beende es zuerst`,
  notAProfile: (file, seems) => `${file}: Das ist kein Profil: ${seems}`,
  giveAProfile: "gib die Datei eines Profils an",
  unreadable: (file, reason, isKey) =>
    `${file}: Das Profil lässt sich nicht lesen: ${reason}${isKey ? "; ist CONCLAVE_KEY oder die Schlüsseldatei eine andere?" : ""}`,
  noRecord: (file, key) =>
    `${file}: Es gibt keinen Datensatz ${key}; ohne den Schlüssel eines Datensatzes werden alle genannt`,
  reading: (file) => `${file} wird gelesen`,
  timelineTitle: (file) => `What links the connections of ${file}`,
  timelineIn: (file) => `Der zeitliche Ablauf steht in ${file}.`,
  giveACapture: "gib eine Datei an, die tcpdump -w oder Wireshark geschrieben hat",
  notACapture: (seems) => `weder pcap noch pcapng: ${seems}`,
  captureFault: (fault) => captureFaults.find(([form]) => form.test(fault))?.[1] ?? `„${fault}“`,
  evidence: "Es stimmt: Der Dienst hat zwei Verläufe einer Unterhaltung signiert.",
  evidenceKey: (key) => `  Schlüssel     ${key}`,
  evidenceConversation: (id) => `  Unterhaltung  ${id}`,
  evidenceEntry: (seq, restored) => `  Unterschied   ab Eintrag ${seq}; ${restored}`,
  neverRestored: "eine Wiederherstellung hat er nicht angekündigt",
  restoredOn: (day) => `seit der Wiederherstellung am ${day}`,
  giveEvidence: "gib eine Datei mit .evidence- im Namen an, wie sie neben Profilen liegen",
  provesNothing: (file, what) => `${file} beweist nichts: ${what}`,
  orCut: ", oder er ist abgeschnitten",
  evidenceFault: (fault) => evidenceFaults.find(([form]) => form.test(fault))?.[1] ?? `„${fault}“`,
}
