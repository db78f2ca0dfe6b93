import type { PartWords } from "../form.js"

export const compare: PartWords["compare"] = {
  title: (who) => `${who} überprüfen`,
  how: (who) =>
    `Triff ${who} oder ruft euch an. Die andere Person öffnet diese Unterhaltung, wählt unter den Mitgliedern deinen Namen und dann „Überprüfen“. Ihr seht denselben Code, wenn niemand dazwischen ist.`,
  devices: (count) => (count > 1 ? `Der Code steht hier für alle ${count} Geräte dort und für alle deine.` : ""),
  codeLabel: "Sicherheitscode",
  codeWith: (who) => `Sicherheitscode mit ${who}`,
  match: "Codes sind gleich",
  matched: (who) => `Die Codes stimmen überein. ${who} ist überprüft.`,
  unverify: "Markierung entfernen",
  mismatch: (who) =>
    `Die Codes sind verschieden. Vielleicht liest jemand mit, oder eine von euch beiden Seiten hat ein neues Gerät. Seht noch einmal nach, ${who} und du, und schreib nichts Geheimes, bis sie übereinstimmen.`,
  notACode: "Das ist kein Code von Conclave.",
  wrongLength: (digits) => `Das sind keine ${digits} Ziffern.`,
  scan: "Mit der Kamera scannen",
  cannotScan: "Dieser Browser kann keine Codes scannen.",
  scanning: "Halte den anderen Bildschirm vor die Kamera.",
  stopScanning: "Kamera anhalten",
  noCamera: "Die Kamera lässt sich nicht benutzen.",
  typed: "Oder gib die Ziffern ein, die du bekommen hast",
  check: "Prüfen",
  copy: "Ziffern kopieren",
  copied: "Ziffern kopiert",
  picture: "QR-Code dieser Ziffern, für die andere Kamera",
}

export const days: PartWords["days"] = {
  goToDay: "Zu einem Tag gehen",
  day: "Tag",
  cancel: "Abbrechen",
  go: "Dorthin",
  noneSince: "Auf diesem Gerät gibt es keine Nachricht von diesem Tag oder danach.",
  noDay: "Wähle einen Tag.",
}

export const invitationPane: PartWords["invitationPane"] = {
  headline: (who) => `${who} lädt dich zu einer Unterhaltung ein`,
  back: "Alle Unterhaltungen",
  inIt: "Wer dabei ist",
  more: (count) => `und ${count} weitere.`,
  accept: "Annehmen",
  decline: "Ablehnen",
  block: "Blockieren",
  blockTitle: (who) => `${who} blockieren?`,
  blocked: (who) => `${who} ist blockiert.`,
  blockMeans:
    "Diese Einladung und alle weiteren dieser Person werden abgelehnt. Was sie in Gruppen mit anderen schreibt, wird dir nicht gezeigt; dort kannst du die Blockierung aufheben. Sie erfährt nichts davon.",
  seen: "Titel und Nachrichten siehst du, wenn du angenommen hast.",
  takesPlace:
    "Wenn du annimmst, tritt sie an die Stelle der alten Unterhaltung. Deren Nachrichten bleiben, und was noch zu senden ist, wird dort gesendet.",
  declined: "Wenn du ablehnst, ist die Einladung weg, und die Mitglieder erfahren es.",
  stranger: "Du hast mit dieser Person keine Unterhaltung: Vergewissere dich, wer es ist.",
  mixed: (count) =>
    `${count === 1 ? "Ein Name hier mischt" : `${count} Namen hier mischen`} Buchstaben verschiedener Alphabete und ${count === 1 ? "ahmt" : "ahmen"} vielleicht einen anderen Namen nach. Frag auf anderem Weg nach, bevor du annimmst.`,
  looksLike: (who) =>
    `Dieser Name sieht aus wie der von ${who}. Es kann dieselbe Person unter neuem Namen sein oder jemand, der sie nachahmt. Frag ${who} auf anderem Weg, bevor du annimmst.`,
  known: (titles) => `Ihr schreibt euch schon, in ${titles}.`,
  moreTitles: (count) => `${count} weiteren`,
}

export const restart: PartWords["restart"] = {
  title: "In neuer Gruppe weitermachen",
  stopped: (by) => `${by} hat die anderen ausgesperrt: Hier kann niemand mehr schreiben.`,
  aMember: "Ein Mitglied",
  missing:
    "Der Dienst zeigt diese Unterhaltung nicht, wie er sollte. Dieses Gerät behält sie und fragt wieder. Wenn sie nicht zurückkommt, macht in einer neuen Gruppe weiter.",
  lost: "Dieses Gerät hat hier den Anschluss verloren. Es wartet, dass das Gerät eines Mitglieds es wieder aufnimmt. Wenn das keins tut, macht in einer neuen Gruppe weiter.",
  whatItIs:
    "Eine neue Gruppe hat denselben Titel und dieselben Mitglieder. Alle werden gefragt, was du gelesen hast, bleibt, und was noch zu senden ist, wird dort gesendet.",
  without: (by) => `Ohne ${by} weitermachen`,
  withAll: "Mit allen weitermachen",
  making: "Die neue Gruppe entsteht …",
}
