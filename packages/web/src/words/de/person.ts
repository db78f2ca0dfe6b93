import { displayNameFault, nameFault } from "@conclave/headless/german"
import type { Words } from "../form.js"

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
  nameFault,
  displayNameFault,
}
