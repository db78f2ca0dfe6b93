import type { Words } from "../form.js"

export const trust: Words["trust"] = {
  verified: "überprüft",
  changed: "neu überprüfen",
  allVerified: "alle sind überprüft",
  someChanged: "jemand hat einen neuen Schlüssel: neu überprüfen",
  isVerified: (who) => `Du hast ${who} überprüft.`,
  changedText: (who) =>
    `Du hattest ${who} überprüft. Seitdem ist bei einer oder einem von euch ein Gerät dazugekommen, deshalb ist der Code neu: Vergleicht ihn noch einmal.`,
  notVerified: (who) => `Du hast mit ${who} noch keine Codes verglichen.`,
}

export const keys: Words["keys"] = {
  newKey: "Neuer Schlüssel",
  compare: "Vergleichen",
  refuse: "Weiter ablehnen",
  seen: "Gesehen",
  verify: (who) => `${who} neu überprüfen`,
  approve: (who) => `Es ist ${who}: bestätigen`,
  approveOwn: "Es ist meiner: bestätigen",
  wasVerified: (who) => `Du hattest ${who} überprüft. Das gilt nicht mehr.`,
  title: (who) => `Der neue Schlüssel von ${who}`,
  titleOwn: "Der neue Schlüssel unter deinem Namen",
  how: (who) =>
    `Ruf ${who} an oder trefft euch. Die andere Person öffnet auf dem neuen Gerät „Du“ und liest dir den Code dieses Geräts vor. Bestätige nur, wenn es dieser ist.`,
  howOwn: "Öffne „Du“ auf dem anderen Gerät, wenn du eins hast. Bestätige nur, wenn sein Code dieser ist.",
  codeLabel: "Code des neuen Schlüssels",
  matched: "Die Codes stimmen überein. Du kannst ihn bestätigen.",
  mismatch:
    "Die Codes sind verschieden: Dieser Schlüssel ist nicht auf jenem Gerät. Lehne ihn weiter ab und sag es den anderen auf anderem Weg.",
  approved: (who) => `Du hast den neuen Schlüssel von ${who} bestätigt.`,
  approvedOwn: "Du hast den neuen Schlüssel als deinen bestätigt.",
  noticeOpen: (who) => `${who} hat einen neuen Schlüssel, den du nicht bestätigt hast.`,
  noticeApproved: (who) => `${who} hat einen neuen Schlüssel, den du bestätigt hast.`,
  noticeAccepted: (who) => `${who} hat ein Gerät hinzugefügt. Ein bekanntes Gerät hat dafür signiert.`,
}
