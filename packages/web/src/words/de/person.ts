import type { Words } from "../form.js"

/** What the client says of names has no code: it is recognized by its words. */
const faults: readonly (readonly [RegExp, (point: string) => string])[] = [
  [/is empty/, () => "er ist leer"],
  [/too long/, () => "er ist zu lang"],
  [/invisible/, (point) => `er enthält ${point}, ein unsichtbares Zeichen`],
  [/control character/, (point) => `er enthält das Steuerzeichen ${point}`],
  [/line break/, (point) => `er enthält einen Zeilenumbruch, ${point}`],
  [/a variant of/, (point) => `er enthält ${point}, eine Variante eines anderen Zeichens`],
  [/neither a letter/, () => "er hat weder Buchstaben noch Ziffern"],
]

function fault(text: string, rule: string): string {
  const [, said] = faults.find(([form]) => form.test(text)) ?? []
  const point = /U\+[0-9A-F]{4,6}/.exec(text)?.[0]
  const other = point === undefined ? "er enthält Zeichen, die nicht gehen" : `er enthält ${point}, was nicht geht`
  return `${said?.(point ?? "") ?? other}; ${rule}`
}

export const person: Words["person"] = {
  alike: "sieht aus wie ein anderes Mitglied",
  reasons: {
    "mixed scripts": "Buchstaben verschiedener Alphabete: Das kann aussehen wie der Name einer anderen Person.",
    "not a valid name": "Er enthält, was niemand sehen oder unterscheiden kann.",
  },
  marks: { "mixed scripts": "gemischte Schriften", "not a valid name": "kein gültiger Name" },
  somebody: "jemandem",
  others: (count) => `${count} weitere`,
  quoted: (text) => `„${text}“`,
  nameFault: (text) =>
    fault(
      text,
      'ein Name hat 1 bis 128 Buchstaben, Ziffern und ASCII-Zeichen außer ( ) < > [ ] , ; ", ohne Leerzeichen (höchstens 256 Byte)',
    ),
  displayNameFault: (text) =>
    fault(
      text,
      "ein Anzeigename hat 1 bis 64 Buchstaben, Ziffern, Leerzeichen und . ' ’ - _ · & + / # (höchstens 256 Byte)",
    ),
}
