import { displayNameFault, nameFault } from "@conclave/headless/german"
import type { Words } from "../form.js"

export const commandLine: Words["commandLine"] = {
  note: "Hinweis:",
  usage: (name) => ` (${name} --help)`,
  debug: " (CONCLAVE_DEBUG=1 sagt, wo)",
  meant: (like) => `; meinst du ${like}?`,
  noCommand: (name) => `es gibt keinen Befehl ${name}`,
  noOptionWithoutCommand: (name) => `ohne Befehl gibt es keine Option ${name}`,
  noOption: (name) => `es gibt keine Option ${name}`,
  partMissing: (known) => `einer seiner Befehle fehlt: ${known}`,
  noPart: (word) => `es hat keinen Befehl ${word}`,
  twice: (name) => `${name} steht zweimal da`,
  noValue: (name) => `${name} hat keinen Wert`,
  valueNeeded: (name, placeholder) => `${name} braucht einen Wert: ${name} ${placeholder}`,
  missing: (name, placeholder) => `--${name} ${placeholder} fehlt`,
  andNotSet: (variable) => `, und ${variable} ist nicht gesetzt`,
  surplus: (word) => `„${word}“ ist ein Wort zu viel`,
  operandMissing: (placeholder) => `${placeholder} fehlt`,
  notALanguage: (known, given) => `--language muss ${known} sein, nicht „${given}“`,
  cryptography: (name) => `Verschlüsselung: ${name}`,
  completionsFor: (shells, given) => `Vervollständigung gibt es für ${shells}, nicht für „${given}“`,
}

const OPENED = "muss die Adresse sein, die Browser öffnen,"

/** What the server says of an address, by its words. */
const addresses: readonly (readonly [RegExp, string])[] = [
  [/browsers open, like /, `${OPENED} wie https://chat.example.org/`],
  [/without a name or password/, `${OPENED} ohne Namen und Passwort`],
  [/without a query or fragment/, `${OPENED} ohne ? und #`],
  [/the service's own path/, `${OPENED} und nicht ein Pfad, den der Dienst selbst hat`],
  [/with a path of letters/, `${OPENED} mit einem Pfad aus Buchstaben, Ziffern und -._~ wie /conclave/`],
  [/is a pattern/, "muss jede Herkunft einzeln nennen, wie https://app.example.org: Muster gehen nicht"],
  [/must not be null/, "darf nicht null sein: Das ist die Herkunft von Dateien und eingebetteten Rahmen jeder Website"],
  [/without a path/, "muss eine Herkunft ohne Pfad sein, wie https://app.example.org"],
]
const ORIGIN = "muss eine Herkunft wie https://app.example.org sein"

const kinds = {
  file: "eine Datei",
  folder: "ein Ordner",
  fileOrFolder: "eine Datei oder ein Ordner",
  host: "ein Host",
  id: "ein Titel oder eine ID",
  text: "ein Text",
  type: "ein Typ",
}

export const values: Words["values"] = {
  name: (given, fault) => `muss ein Name sein, nicht „${given}“: ${fault}`,
  displayName: (given, fault) => `muss ein Anzeigename sein, nicht „${given}“: ${fault}`,
  nameFault,
  displayNameFault,
  port: (given) => `muss ein Port von 0 (irgendein freier) bis 65535 sein, nicht „${given}“`,
  hexadecimal: "muss aus 64 hexadezimalen Ziffern bestehen (32 Byte)",
  place: (given) => `muss ein Port sein, oder HOST:PORT, nicht „${given}“`,
  count: (given) => `muss eine Zahl ab 1 sein, nicht „${given}“`,
  incarnation: (given) => `muss eine Zahl ab 2 sein, nicht „${given}“`,
  networks: (given) => `muss aus Adressen oder Netzen wie 10.0.0.0/8 bestehen, mit Kommas, nicht „${given}“`,
  hosts: (given) => `muss aus Namen von Hosts ohne Port bestehen, mit Kommas, nicht „${given}“`,
  origin: (fault) => addresses.find(([form]) => form.test(fault))?.[1] ?? ORIGIN,
  postgres: "muss aussehen wie postgres://user:password@host:5432/database",
  nats: "muss aussehen wie nats://host:4222, ohne Passwort",
  size: (given) => `muss eine Größe ab 1M sein, wie 20G, nicht „${given}“`,
  days: (given) => `muss eine Zahl von Tagen von 1 bis 10000 sein, nicht „${given}“`,
  seconds: (given) => `muss eine Zahl von Sekunden über 0 sein, nicht „${given}“`,
  needed: (what) => `muss ${kinds[what]} sein`,
  address: (given) => `muss eine Adresse wie http://host:7080 sein, nicht „${given}“`,
  addressWithPassword: "muss eine Adresse ohne Passwort sein",
  addressWithQuery: (like, given) => `muss eine Adresse ohne ? und # sein, wie ${like}, nicht „${given}“`,
  addressOfService: (like, given) =>
    `muss eine Adresse ohne den Namen eines Dienstes sein, wie ${like}, nicht „${given}“`,
  inviterAmongNames: (word) => `muss „${word}“ allein sein, oder Namen ohne dieses Wort`,
  inviterAsWritten: (word) => `muss „${word}“ sein, so geschrieben wie hier`,
  inviters: (max) => `darf höchstens ${max} Namen haben`,
  reason: (max) => `muss ein Grund sein: eine Zeile mit 1 bis ${max} Zeichen`,
  ownOrShared: "muss own oder shared sein",
  connections: (least, browser) =>
    `muss mindestens ${least} sein: Eine Adresse bekommt ein Achtel davon, und ein Browser allein braucht ${browser}`,
  policy: "muss private oder off sein",
  policyWithoutCookie:
    "muss private oder off sein: Versiegelte Anfragen brauchen kein Cookie, und mit einem ließe sich jedes Programm verfolgen",
}

export const system: Words["system"] = {
  EACCES: "keine Berechtigung",
  EPERM: "nicht erlaubt",
  ENOENT: "diese Datei oder diesen Ordner gibt es nicht",
  ENOTDIR: "ein Teil des Pfads ist kein Ordner",
  EISDIR: "das ist ein Ordner",
  EEXIST: "das gibt es schon",
  ENOSPC: "die Festplatte ist voll",
  EDQUOT: "der Platz auf der Festplatte ist aufgebraucht",
  EROFS: "das Dateisystem lässt sich nur lesen",
  EMFILE: "zu viele Dateien sind offen",
  ENAMETOOLONG: "der Pfad ist zu lang",
  EIO: "die Festplatte ist gestört",
  EADDRINUSE: "die Adresse ist belegt",
  EADDRNOTAVAIL: "dieser Rechner hat diese Adresse nicht",
  ENOTFOUND: "einen Host mit diesem Namen gibt es nicht",
  EAI_AGAIN: "der Name lässt sich gerade nicht nachschlagen",
  ECONNREFUSED: "die Verbindung wurde abgelehnt",
}

export const placeholders: Words["placeholders"] = {
  FILE: "DATEI",
  DIR: "ORDNER",
  PATH: "PFAD",
  OUT: "ZIEL",
  TITLE: "TITEL",
  KEY: "SCHLÜSSEL",
  WHO: "WEN",
  WHOSE: "WESSEN",
  TYPE: "TYP",
  SIZE: "GRÖSSE",
  DAYS: "TAGE",
  SECONDS: "SEKUNDEN",
  POLICY: "REGEL",
  IDS: "IDS",
  COMMAND: "BEFEHL",
  "COMMAND [options]": "BEFEHL [Optionen]",
  "ADDRESS,…": "ADRESSE,…",
  "ORIGIN,…": "HERKUNFT,…",
}
