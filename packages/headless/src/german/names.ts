import type { NameFault, NameFaultCode } from "@conclave/client"

const faults: Readonly<Record<NameFaultCode, (point: string, fault: NameFault) => string>> = {
  empty: () => "er ist leer",
  tooLong: () => "er ist zu lang",
  invisible: (point) => `er enthält ${point}, ein unsichtbares Zeichen`,
  control: (point) => `er enthält das Steuerzeichen ${point}`,
  surrogate: (point) => `er enthält ein halbes Zeichen, ${point}`,
  unassigned: (point) => `er enthält ${point}, was kein Standard festlegt`,
  lineBreak: (point) => `er enthält einen Zeilenumbruch, ${point}`,
  space: (point, { character }) =>
    character === " " ? "er enthält ein Leerzeichen" : `er enthält ein Leerzeichen, ${point}`,
  character: (point, { character }) => `er enthält „${character}“ (${point})`,
  notComposed: () => "er ist nicht in zusammengesetzter Form (NFC)",
  variant: (point, { plain }) => `er enthält ${point}, eine Variante von „${plain}“`,
  notSimple: () => "er hat eine einfachere Form (NFKC)",
  noLetter: () => "er hat weder Buchstaben noch Ziffern",
  strayMark: () => "er hat ein Zeichen, das auf einen Buchstaben gehört, ohne einen davor",
  manyMarks: () => "er hat mehr als sechs Zeichen auf einem Buchstaben",
  doubleMark: () => "er hat zweimal dasselbe Zeichen auf einem Buchstaben",
}

function said(given: NameFault, rule: string): string {
  const { code, character } = given
  const point = character?.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")
  return `${faults[code](`U+${point}`, given)}; ${rule}`
}

/** Of `nameFault`, in German. */
export function nameFault(fault: NameFault): string {
  return said(
    fault,
    'ein Name hat 1 bis 128 Buchstaben, Ziffern und ASCII-Zeichen außer ( ) < > [ ] , ; ", ohne Leerzeichen (höchstens 256 Byte)',
  )
}

/** Of `judgeDisplayName`, in German. */
export function displayNameFault(fault: NameFault): string {
  return said(
    fault,
    "ein Anzeigename hat 1 bis 64 Buchstaben, Ziffern, Leerzeichen und . ' ’ - _ · & + / # (höchstens 256 Byte)",
  )
}
