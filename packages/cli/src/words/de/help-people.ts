import type { HelpWords } from "../form.js"
import { paragraphs } from "./help-shared.js"

export const peopleHelp: HelpWords["people"] = {
  chat: {
    summary: "in Unterhaltungen schreiben, in diesem Terminal",
    description: [
      "Der erste Start registriert den Namen, der von da an zu diesem Profil gehört; jeder spätere geht auch ohne den Dienst: Was du schreibst, bleibt hier und wird gesendet, wenn er antwortet. /help zeigt, was man eingeben kann.",
      "Es beginnt in der Unterhaltung, in der etwas zu entscheiden ist, sonst in der zuletzt benutzten. Was eingefügt wird, ist eine Nachricht mit allen ihren Zeilen; Befehle werden getippt.",
      "Eine Einladung ist eine Anfrage: /list zeigt die wartenden, /accept und /decline beantworten sie.",
      'Zeilen können aus einer Pipe kommen: Jede wird vor der nächsten ausgeführt, und das Ergebnis sagt, ob alles gelungen und gesendet ist: echo "/new team bob" | conclave chat --as alice',
      paragraphs.fastOpen,
      paragraphs.key,
    ],
  },
  send: {
    summary: "die Eingabe in eine Unterhaltung senden",
    description: [
      "Eine Eingabe über 64 KiB wird zu mehreren Nachrichten, die conclave receive wieder als eine schreibt (sein --help sagt, wie ein Programm die Zeilen von --json verbindet); mehr als 16 MiB werden abgelehnt.",
      "Es ist gelungen, wenn der Dienst alles hat. Nach einer Unterbrechung, auch kill -9, macht derselbe Befehl mit derselben Eingabe dort weiter: Nichts kommt zweimal an.",
      paragraphs.accept,
      paragraphs.fastOpen,
      paragraphs.key,
    ],
    options: {
      to: "Titel oder ID der Unterhaltung",
      timeout: "nach so vielen Sekunden nicht länger auf den Dienst warten",
    },
  },
  receive: {
    summary: "Nachrichten ausgeben, die ankommen",
    description: [
      "Schreibt, was da ist, und endet; ist nichts da, wartet es auf die erste Nachricht. Jede Nachricht wird einmal geschrieben, ihr Inhalt Byte für Byte; in einem Terminal mit Zeit und Absender. Eine Nachricht gilt als empfangen, wenn sie geschrieben ist.",
      "Der erste Start registriert den Namen, damit andere ihn einladen können.",
      "Mit --json hat eine Nachricht conversation, title, from, messageId, seq, sentAt und text, oder base64, wo sie kein UTF-8 ist. conclave send macht aus einer Eingabe über 64 KiB mehrere Nachrichten: Um sie wiederzubekommen, verbinde, was in den Nachrichten einer conversation und eines from steht, in der Reihenfolge von seq, und wandle base64 vorher zurück. Nachrichten anderer können dazwischen liegen, und nichts zeigt den letzten Teil an: Wer das wissen muss, braucht ein Zeichen in der Eingabe.",
      "Ergebnis 3: Nichts kam rechtzeitig, oder weniger Nachrichten als --count.",
      paragraphs.accept,
      paragraphs.fastOpen,
      paragraphs.key,
    ],
    options: {
      from: "nur diese Unterhaltung, nach Titel oder ID; die anderen warten",
      follow: "weitermachen bis Strg-C",
      count: "nach N Nachrichten enden",
      timeout: "nach S Sekunden ohne Nachricht enden (sonst: 30; mit --follow: nie)",
      lines: "jede Nachricht mit einem Zeilenende beenden, wenn sie keines hat",
      json: "jede Nachricht als eine Zeile JSON schreiben",
    },
  },
  devices: {
    summary: "die Geräte deines Namens zeigen, und ein verlorenes sperren",
    description: [
      "Jedes Profil und jede Installation einer App ist ein Gerät. Ein Gerät sperrt eines, das vor ihm registriert wurde, oder es selbst. Das älteste Gerät eines Namens sperrt kein anderes, nur der Notfallschlüssel: Bewahre es sicher auf, und mach einen (conclave recovery make).",
    ],
  },
  "devices list": {
    summary: "die Geräte deines Namens zeigen, das älteste zuerst",
    description: [
      "Welche Geräte das Verzeichnis zu deinem Namen nennt, welches für welches signiert hat, und welche gesperrt sind. Eines, für das keins deiner Geräte signiert hat, ist als unbekannt gekennzeichnet.",
    ],
    options: {
      json: "als eine Liste in JSON",
    },
  },
  "devices revoke": {
    summary: "ein Gerät deines Namens sperren, für immer",
    description: [
      "Niemand lädt es mehr ein, und es wird aus jeder Unterhaltung entfernt: aus denen, in denen dieses Profil ist, sofort. Wofür das Gerät signiert hat, wird mit gesperrt, außer dem, was --keep nennt.",
      "ID ist, was conclave devices list zeigt. Ein Gerät, das vor diesem registriert wurde, kann es nicht sperren.",
    ],
    operand: "das Gerät, mit 8 Ziffern oder mehr",
    options: {
      keep: "Geräte, für die es signiert hat und die bleiben, mit Kommas",
    },
  },
  recovery: {
    summary: "den Notfallschlüssel deines Namens machen, und mit ihm zurückkommen",
    description: [
      "Ein Notfallschlüssel liegt auf Papier, getrennt von allen Geräten. Er sperrt jedes davon, auch das älteste, und bringt ein neues, wo alle verloren sind. Wer ihn hat, hat den Namen; wer ihn verliert, kann keinen anderen machen.",
      "Er kommt aus der Eingabe und steht nie im Aufruf: Den sehen andere.",
    ],
  },
  "recovery make": {
    summary: "einen neuen Notfallschlüssel zeigen und festlegen",
    description: [
      "Der Schlüssel wird einmal gezeigt, und nichts bewahrt ihn auf. Er gilt, wenn du ihn so eingegeben hast, wie du ihn aufgeschrieben hast. Nur das älteste Gerät eines Namens kann das, und nur, solange der Name keinen hat; --replace fragt nach dem, den er hat.",
    ],
    options: {
      replace: "an die Stelle des Notfallschlüssels, den du hast",
    },
  },
  "recovery use": {
    summary: "zu deinem Namen zurückkommen und verlorene Geräte sperren",
    description: [
      "Der Schlüssel kommt aus der Eingabe. Wo dieses Profil neu ist, wird es ein Gerät des Namens. Dann nennt --revoke Geräte, die verloren oder gestohlen sind, oder --revoke-others alle außer diesem und denen von --keep. Was gesperrt ist, bleibt es.",
    ],
    options: {
      revoke: "Geräte, die gesperrt werden, mit Kommas",
      "revoke-others": "alle Geräte sperren außer diesem und denen, die bleiben",
      keep: "Geräte, die bleiben, mit Kommas",
    },
  },
}
