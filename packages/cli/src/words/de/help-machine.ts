import type { HelpWords } from "../form.js"

export const machineHelp: HelpWords["machine"] = {
  completions: {
    summary: "ein Skript ausgeben, mit dem eine Shell Wörter vervollständigt",
    description: [
      "bash, in ~/.bashrc: source <(conclave completions bash)",
      "zsh, in ~/.zshrc nach compinit: source <(conclave completions zsh)",
      "fish: conclave completions fish > ~/.config/fish/completions/conclave.fish",
    ],
    operand: "die Shell",
  },
  demo: {
    summary: "drei Mitgliedern zusehen, die reden, Schlüssel erneuern, gehen und kommen",
    description: [
      "Ein Dienst an einem freien Port dieses Rechners, drei Profile in vorläufigen Dateien, und dazwischen ein Vermittler, der Bytes zählt (innerhalb von TCP, in beiden Richtungen, von allen Mitgliedern zusammen). Die Zeit eines Schritts endet, wenn alle Mitglieder sich über Epoche, ihren Nachweis, die Mitglieder und jeden Text einig sind, und wenn ein entferntes Mitglied nichts gelesen hat.",
      "Mit --fast-open stellen die Mitglieder versiegelte Anfragen, am Vermittler vorbei: Gezählt werden die Bytes beider Wege, mit denen zum Auffüllen.",
      "Ergebnis 1, wenn etwas nicht übereinstimmt.",
    ],
    options: {
      "fast-open": "versiegelte Anfragen stellen",
    },
  },
  doctor: {
    summary: "sagen, was dieser Rechner hat und was ihm fehlt",
    description: [
      "Es ändert nichts; im Datenordner legt es zur Probe eine Datei an und löscht sie wieder. Ein Kreuz steht vor dem, ohne das Conclave nicht auskommt, dann ist das Ergebnis 1; ein Strich vor dem, ohne das es geht.",
      "Mit --as gibt es stattdessen einen Bericht über dieses Profil aus, auf Englisch, für die Meldung eines Fehlers: Versionen, Zustände und was das Programm zuletzt getan hat, und nichts, woran man Leute erkennt. Dafür fragt es den Dienst einmal nach dem, was angekommen ist, und sendet, was wartet, wie receive und send.",
    ],
    options: {
      as: "einen Bericht über das Profil dieses Namens ausgeben",
      json: "die Befunde als einen Wert in JSON schreiben",
    },
  },
  inspect: {
    summary: "jede Nachricht, jeden Baum und Datensatz von MLS Feld für Feld zeigen",
    description: [
      "Liest Bytes, hexadezimale Ziffern oder base64, findet durch strenges Lesen heraus, was sie sind, und zeigt den Wert in der Schreibweise von RFC 9420: Felder mit ihren Typen, Vektoren mit ihren Bytes. Bemerkungen (auf Englisch) sagen, was sich ohne Geheimnisse berechnen lässt: Verweise, Prüfsummen von Bäumen, ob Signaturen gelten, wann ein Blatt abläuft. Eine Eingabe, die zu mehreren Typen passt, wird als der wahrscheinlichste gezeigt, und die anderen werden genannt.",
      "Bekannt sind MLSMessage in allen Formen, KeyPackage, GroupInfo, ratchet_tree, mit --as die anderen Strukturen von RFC 9420, und die Datensätze eines Profils, entsiegelt. Private Schlüssel und Geheimnisse werden nie gezeigt.",
      "Mit --profile nennt es die Datensätze eines Profils mit ihrer Größe in Byte; mit dem Schlüssel eines Datensatzes zeigt es diesen. Das Profil wird entsiegelt wie bei anderen Befehlen, mit CONCLAVE_KEY oder der Schlüsseldatei daneben, und nicht geändert. Ein Programm, das es offen hat, muss vorher enden.",
    ],
    operand: "was gezeigt wird; - ist die Eingabe; mit --profile der Schlüssel eines Datensatzes",
    options: {
      profile: "die Datensätze des Profils in dieser Datei nennen, oder in diesem Ordner, wenn es dort das einzige ist",
      as: "es für diesen Typ halten; help nennt alle",
      full: "Bytes ganz zeigen",
      json: "mit --profile allein: die Datensätze als einen Wert in JSON nennen",
    },
  },
  trace: {
    summary: "in aufgezeichneten Paketen finden, was Verbindungen verknüpft",
    description: [
      "Liest pcap und pcapng, wie tcpdump und Wireshark sie schreiben, und zeigt (auf Englisch), was erfährt, wer dieselben Pakete sieht: Cookies von TCP Fast Open und ihre Ketten, wiederbenutzte Tickets von TLS, Ports, Zeitstempel, Adressen.",
      "Es nennt, was es nicht lesen konnte. Ergebnis: 0, wenn etwas Verbindungen verknüpft, oder wenn die ganze Aufzeichnung gelesen ist und nichts es tut; 4, wenn nichts gefunden, aber ein Teil nicht gelesen wurde; 1, wenn nichts zu lesen war.",
    ],
    operand: "die Aufzeichnung",
    options: {
      html: "auch eine Seite mit dem zeitlichen Ablauf schreiben",
      json: "was gefunden wurde, als einen Wert in JSON schreiben",
    },
  },
  "verify-evidence": {
    summary: "prüfen, ob ein Dienst sich widersprochen hat",
    description: [
      "Liest eine Datei mit einem Beweis und prüft, ob ein Schlüssel zwei verschiedene Verläufe einer Unterhaltung signiert hat. Es fragt niemanden. Wenn ein Dienst Mitgliedern Verschiedenes zeigt, schreiben conclave chat und conclave receive eine solche Datei neben das Profil und nennen ihren Namen.",
      "Vergleiche den Schlüssel, den es zeigt, mit dem, den dein Profil kennt, und mit dem der anderen: Mit einem erfundenen Schlüssel lässt sich alles signieren. Um deinen zu sehen: conclave inspect service --profile DATEI --full",
    ],
    operand: "der Beweis",
  },
}
