/** What is said of names has no code: it is recognized by its words. */
const faults: readonly (readonly [RegExp, (point: string) => string])[] = [
  [/is empty/, () => "er ist leer"],
  [/too long/, () => "er ist zu lang"],
  [/invisible/, (point) => `er enthält ${point}, ein unsichtbares Zeichen`],
  [/control character/, (point) => `er enthält das Steuerzeichen ${point}`],
  [/line break/, (point) => `er enthält einen Zeilenumbruch, ${point}`],
  [/contains a space/, () => "er enthält ein Leerzeichen"],
  [/a variant of/, (point) => `er enthält ${point}, eine Variante eines anderen Zeichens`],
  [/neither a letter/, () => "er hat weder Buchstaben noch Ziffern"],
]

function fault(text: string, rule: string): string {
  const [, said] = faults.find(([form]) => form.test(text)) ?? []
  const point = /U\+[0-9A-F]{4,6}/.exec(text)?.[0]
  const other = point === undefined ? "er enthält Zeichen, die nicht gehen" : `er enthält ${point}, was nicht geht`
  return `${said?.(point ?? "") ?? other}; ${rule}`
}

/** Of `nameFault`, in German. */
export function nameFault(text: string): string {
  return fault(
    text,
    'ein Name hat 1 bis 128 Buchstaben, Ziffern und ASCII-Zeichen außer ( ) < > [ ] , ; ", ohne Leerzeichen (höchstens 256 Byte)',
  )
}

/** Of `judgeDisplayName`, in German. */
export function displayNameFault(text: string): string {
  return fault(
    text,
    "ein Anzeigename hat 1 bis 64 Buchstaben, Ziffern, Leerzeichen und . ' ’ - _ · & + / # (höchstens 256 Byte)",
  )
}
