import { event, reason as reasonOf } from "@conclave/headless/german"
import type { Words } from "../form.js"

export const conversations: Words["conversations"] = {
  several: (who, count, called, ids) =>
    `${who} hat ${count} Unterhaltungen mit dem Titel „${called}“; nimm eine ID: ${ids}`,
  onlyInvitations: (who, called, waiting) =>
    `${who} hat keine Unterhaltung „${called}“, aber ${waiting === 1 ? "eine Einladung" : `${waiting} Einladungen`} ` +
    `ohne Antwort: /accept in conclave chat --as ${who}, oder --accept-invitations`,
  none: (who, called, others, remedy) =>
    `${who} hat keine Unterhaltung „${called}“${others === "" ? "" : `, aber ${others}`}; ${remedy}`,
  make: (who, called) =>
    called === undefined
      ? "/new in conclave chat legt eine an"
      : `um sie anzulegen: echo "/new ${called} NAME" | conclave chat --as ${who}`,
  aConversation: "einer Unterhaltung",
  states: {
    creating: "wird angelegt",
    active: "aktiv",
    invited: "eingeladen",
    halted: "angehalten",
    recovering: "ohne Anschluss",
    leaving: "wird verlassen",
    left: "verlassen",
    lost: "verloren",
    stopped: "gesperrt",
    continued: "fortgesetzt",
  },
}

export const people: Words["people"] = {
  somebody: "jemand",
  more: (count) => `${count} weitere`,
  marks: { "mixed scripts": "gemischte Schriften", "not a valid name": "kein gültiger Name" },
  notAName: (given, fault) => `„${given}“ ist kein Name: ${fault}`,
}

/** Of these, the sentences say what the reason would. */
const explained: ReadonlySet<string> = new Set(["rejected", "update"])
const REFUSED = "der Dienst hat es abgelehnt: "

export const messages: Words["messages"] = {
  event(told, reader) {
    const sentences = event(told, reader)
    const known = "reason" in told && !explained.has(told.type) ? reasonOf(told.reason) : undefined
    if (known === undefined || (told.type === "failed" && told.code !== "REFUSED")) return sentences
    const why = known.startsWith(REFUSED) ? known.slice(REFUSED.length) : known
    return [...sentences, `Grund: ${why.charAt(0).toUpperCase()}${why.slice(1)}`]
  },
  notText: (bytes) => `${bytes} Byte, die kein Text sind`,
  title: (title) => `„${title}“`,
  charactersMore: (count) => `… und ${count} weitere Zeichen: /whole`,
  seeInvitations: (line) => `${line}: siehe --accept-invitations, oder /accept in conclave chat`,
  evidenceNotKept: (reason) => `Der Beweis ließ sich nicht aufheben: ${reason}`,
  evidenceKept: (file) => `Der Beweis ist aufgehoben; um ihn zu prüfen: conclave verify-evidence ${file}`,
}

export const chat: Words["chat"] = {
  keptForLater: (reason) => `${reason}; was du schreibst, bleibt hier und wird später gesendet`,
  thisIs: (who) => `Hier ist ${who}. /help zeigt die Befehle.`,
  noInvitation: "keine Einladung wartet auf eine Antwort",
  severalInvitations: "es gibt mehrere Einladungen: Sag mit der Nummer aus /list, welche",
  noSuchInvitation: (called) => `es gibt keine Einladung „${called}“; /list zeigt sie`,
  answers: (number) => `/accept ${number} oder /decline ${number}`,
  noSuchConversation: (called) => `es gibt keine Unterhaltung „${called}“; /list zeigt sie`,
  isInvitation: (answers) => `das ist eine Einladung: ${answers}`,
  inNone: (answers) =>
    `du bist in keiner Unterhaltung; ${
      answers === undefined ? "/new TITEL NAME… legt eine an" : `eine Einladung wartet: ${answers}`
    }`,
  nothingCut: "keine Nachricht wurde gekürzt",
  noKey: (who) => `von ${who} wartet kein Schlüssel auf Bestätigung`,
  keyAccepted: (who) => `der neue Schlüssel von ${who} gilt ab jetzt`,
  noCommand: (name, like) =>
    `es gibt keinen Befehl /${name}${like === undefined ? "" : `, meinst du /${like}?`}; /help zeigt sie`,
  usage: (usage) => `so geht es: ${usage}`,
  tooManyWords: (usage) => `zu viele Wörter; so geht es: ${usage}`,
  commandWaits: (command) => `${command} ist gespeichert und wartet; du kannst weiterschreiben`,
  waits: (what, reason) => `${what} ist gespeichert und wartet auf ${reason}`,
  theMessage: "die Nachricht",
  theService: "den Dienst",
  conversationNeeds: (label, advice) => `${label}: ${advice}`,
  notSent: (reason, label, advice) => `nicht gesendet: ${reason}. In ${label}: ${advice}`,
  delayed: (reason) => `${reasonOf(reason) ?? reason}; Nachrichten kommen mit Verzögerung`,
  promptDelayed: "verzögert",
  promptOffline: "offline",
  promptBusy: (time) => `ausgelastet bis ${time}`,
  promptWaiting: (count) => `${count} warten`,
  adviceHalted: "mit /approve NAME oder /remove NAME geht es weiter",
  adviceRecovering: "ein Mitglied muss dieses Gerät wieder aufnehmen, oder /restart macht in einer neuen Gruppe weiter",
  adviceMissing: "der Dienst zeigt sie nicht; /restart macht in einer neuen Gruppe weiter",
  adviceStopped: "/restart macht in einer neuen Gruppe weiter",
  characters: (count) => `${count} Zeichen`,
  lines: (count) => `${count} Zeilen`,
}

export const typed: Words["typed"] = {
  declined: (who) => `du hast die Einladung von ${who} abgelehnt`,
  notYourself: "um selbst zu gehen, nimm /leave",
  notHere: (who) => `${who} ist nicht in dieser Unterhaltung`,
  you: " (du)",
  devices: (count) => `, ${count} Geräte`,
  compare: (who) => `Vergleiche mit ${who}, am Telefon oder persönlich:`,
  withWhom: "sag, mit wem: /safety NAME",
  calledAlready: (label) => `sie heißt schon „${label}“`,
  seenAsNow: (who) => `andere sehen dich als ${who}; /name TEXT ändert das, /name - nimmt es zurück`,
  seenAs: (who) => `andere sehen dich als ${who}`,
  notADisplayName: (given, fault) => `„${given}“ ist kein Anzeigename: ${fault}`,
  memberAlready: (who, added) =>
    `${who === undefined ? "du bist" : `${who} ist`} schon dabei${added > 0 ? `; neue Geräte: ${added}` : ""}`,
  restartUsage: "so geht es: /restart [without NAME…]",
  restarted: (label, others) =>
    `eine neue Gruppe tritt an die Stelle von ${label}; ${others === "" ? "sonst ist niemand darin" : `gefragt sind: ${others}`}`,
  none: "Noch gibt es keine Unterhaltung: /new TITEL NAME… legt eine an.",
  invitations: (count) => `Einladungen (${count}):`,
  moreInvitations: (count) => `  und ${count} weitere: Sie haben die nächsten Nummern`,
  waits: "(wartet)",
  nothingSaid: (label) => `in ${label} hat noch niemand etwas gesagt`,
  noTree: "es gibt keinen Baum",
  moreLines: (count) => `und ${count} Zeilen`,
  legend: {
    filled: "hat einen Schlüssel",
    blank: "leer",
    renewed: (epoch) => `Schlüssel aus dieser Epoche (${epoch})`,
  },
  blankLeaves: (count) => `${count} leere Blätter`,
  sinceEpoch: (epoch) => `seit Epoche ${epoch}`,
  unknownTo: (leaves) => `Blatt ${leaves} noch unbekannt`,
  language: "ab jetzt spreche ich Deutsch",
  noLanguage: (known) => `sag, welche: /language ${known}`,
  anythingElse: "Alles andere geht in die Unterhaltung; eine Zeile, die mit // beginnt, wird mit einem / gesendet.",
  commands: {
    new: {
      usage: "TITEL [NAME…]",
      help: 'eine Unterhaltung anlegen und einladen; ein TITEL aus mehreren Wörtern steht in Anführungszeichen: "unser Team"',
    },
    list: { usage: "", help: "die Unterhaltungen zeigen" },
    accept: { usage: "[NUMMER]", help: "eine Einladung annehmen" },
    decline: { usage: "[NUMMER]", help: "eine Einladung ablehnen: Sie ist weg, und die Mitglieder erfahren es" },
    open: { usage: "NUMMER|TITEL", help: "in einer anderen Unterhaltung schreiben" },
    invite: { usage: "NAME…", help: "Mitglieder hinzufügen" },
    remove: { usage: "NAME…", help: "Mitglieder entfernen: Sie lesen nichts mehr" },
    members: { usage: "", help: "zeigen, wer dabei ist" },
    safety: {
      usage: "[NAME]",
      help: "Ziffern, um sie am Telefon zu vergleichen: Sie sind verschieden, wenn jemand dazwischen ist",
    },
    tree: { usage: "", help: "den Schlüsselbaum zeichnen" },
    reinvite: {
      usage: "NAME…",
      help: "Mitglieder entfernen und wieder aufnehmen, deren Geräte die Unterhaltung verloren haben; andere werden gewarnt",
    },
    restart: {
      usage: "[without NAME…]",
      help: "nach /open in einer neuen Gruppe weitermachen, wo niemand mehr schreiben kann: Die Mitglieder werden gefragt",
    },
    refresh: { usage: "", help: "deine Schlüssel erneuern: Vorher gestohlene sind danach wertlos" },
    title: { usage: "TITEL", help: "die Unterhaltung umbenennen" },
    name: { usage: "TEXT|-", help: "sagen, was andere neben deinem Namen sehen; -: nichts mehr" },
    history: { usage: "", help: "die letzten 20 Nachrichten zeigen" },
    whole: { usage: "", help: "die zuletzt gekürzte Nachricht ganz zeigen" },
    approve: { usage: "NAME", help: "den neuen Schlüssel einer Person bestätigen, nach dem Vergleichen" },
    leave: { usage: "", help: "darum bitten, aus dieser Unterhaltung entfernt zu werden" },
    language: { usage: "de|en", help: "ab jetzt eine andere Sprache sprechen" },
    help: { usage: "", help: "dies zeigen" },
    quit: { usage: "", help: "beenden (auch Strg-D)" },
  },
}
