/**
 * What a person is called, for the service, the SDK, the page and the command line alike. Pure functions without
 * dependencies.
 *
 * A person has two fields:
 *
 * - The **name** (id) is what the directory lists, what stands in the MLS credential and what events carry. It is unique,
 *   chosen once, and compared byte by byte: a UUID, `auth0|5f7c`, `alice@example.org`, `Xavier`, `किरण`.
 * - The **display name** is free text that a device of the name has signed. Any number of people may have the same one, so
 *   it is always shown together with the name: {@link personLabel}.
 */

/** Code points of a name. */
export const NAME_LENGTH_MAX = 128
/** Bytes of a name in UTF-8. */
export const NAME_SIZE_MAX = 256
/** Code points of a display name. */
export const DISPLAY_NAME_LENGTH_MAX = 64
/** Bytes of a display name in UTF-8. */
export const DISPLAY_NAME_SIZE_MAX = 256

const NAME_RULE =
  'a name has 1 to 128 letters, digits, and ASCII signs other than ( ) < > [ ] , ; ", without spaces (at most 256 bytes)'
const DISPLAY_NAME_RULE =
  "a display name has 1 to 64 letters, digits, spaces, and . ' ’ - _ · & + / # (at most 256 bytes)"

/** Whether `text` is a well-formed name, in the one form in which it is registered and compared. */
export function isName(text: string): boolean {
  return nameFault(text) === undefined
}

/**
 * A name as a person types or pastes it, in the form in which names are compared: composed (NFC), without surrounding
 * white space. The case stays. The result may still be ill-formed: see {@link nameFault}.
 */
export function normalizeName(text: string): string {
  return composeAm(text.normalize("NFC")).trim()
}

/**
 * Why `text` is not a name, and what a name may be, as clauses without a full stop; `undefined` where it is one.
 *
 * A name has 1 to {@link NAME_LENGTH_MAX} code points and at most {@link NAME_SIZE_MAX} bytes of UTF-8. They are letters,
 * combining marks, digits, ASCII signs except `( ) < > [ ] , ; "` (of which labels and lists are built), and the few
 * signs that words of a script contain. Nothing in it is invisible, unassigned or has a compatibility form (fullwidth,
 * ligature, superscript): `text` equals its NFKC form. That implies NFC.
 */
export function nameFault(text: string): string | undefined {
  return judgeName(text)?.text
}

/** What is wrong with a name, or a display name: see {@link NameFault}. */
export type NameFaultCode =
  | "empty"
  | "tooLong"
  | "invisible"
  | "control"
  | "surrogate"
  | "unassigned"
  | "lineBreak"
  | "space"
  | "character"
  | "notComposed"
  | "variant"
  | "notSimple"
  | "noLetter"
  | "strayMark"
  | "manyMarks"
  | "doubleMark"

/** Why a text is not a name, or not a display name. */
export interface NameFault {
  readonly code: NameFaultCode
  /** The code point that is wrong, where it is one. */
  readonly character: string | undefined
  /** Of `variant`: the plain characters that it is a variant of. */
  readonly plain: string | undefined
  /** In English, as clauses without a full stop: what is wrong, and after a semicolon what may be. */
  readonly text: string
}

/** As {@link nameFault}, with a code: for words of one's own. */
export function judgeName(text: string): NameFault | undefined {
  const fault = nameFaultOf(text)
  return fault && told(fault, NAME_RULE)
}

type Fault = Pick<NameFault, "code"> & Partial<Pick<NameFault, "character" | "plain">>

function told(fault: Fault, rule: string): NameFault {
  const { code, character, plain } = fault
  return { code, character, plain, text: `it ${clauses[code](character ?? "", plain ?? "")}; ${rule}` }
}

const clauses: Readonly<Record<NameFaultCode, (character: string, plain: string) => string>> = {
  empty: () => "is empty",
  tooLong: () => "is too long",
  invisible: (it) => `contains ${codePoint(it)}, which is invisible`,
  control: (it) => `contains the control character ${codePoint(it)}`,
  surrogate: (it) => `contains half of a surrogate pair, ${codePoint(it)}`,
  unassigned: (it) => `contains ${codePoint(it)}, which no standard assigns`,
  lineBreak: (it) => `contains a line break, ${codePoint(it)}`,
  space: (it) => (it === " " ? "contains a space" : `contains a space, ${codePoint(it)}`),
  character: (it) => `contains “${it}” (${codePoint(it)})`,
  notComposed: () => "is not in composed form (NFC)",
  variant: (it, plain) => `contains ${codePoint(it)}, a variant of “${plain}”`,
  notSimple: () => "has a simpler form (NFKC)",
  noLetter: () => "has neither a letter nor a digit",
  strayMark: () => "has a combining mark without a letter before it",
  manyMarks: () => "has more than six combining marks on one letter",
  doubleMark: () => "has the same combining mark twice on one letter",
}

function nameFaultOf(text: string): Fault | undefined {
  if (text === "") return { code: "empty" }
  if (isLonger(text, { length: NAME_LENGTH_MAX, size: NAME_SIZE_MAX })) return { code: "tooLong" }
  // ASCII is its own NFC and NFKC form. The names of a large group are looked at whenever it is judged.
  if (asciiName.test(text)) return undefined
  for (const character of text) {
    const what = hidden(character) ?? (nameCharacter.test(character) ? undefined : unsuitable(character))
    if (what !== undefined) return what
  }
  if (text.normalize("NFC") !== text || composeAm(text) !== text) return { code: "notComposed" }
  for (const character of text) {
    const plain = composeAm(character.normalize("NFKC"))
    if (plain !== character) return { code: "variant", character, plain }
  }
  // Each code point is its own NFKC form, and together they are not: no such sequence of assigned characters is known.
  if (composeAm(text.normalize("NFKC")) !== text) return { code: "notSimple" }
  const what = marksFault(text)
  if (what !== undefined) return what
  if (!/[\p{L}\p{N}]/u.test(text)) return { code: "noLetter" }
  return undefined
}

/** A display name that can be used, or why it cannot be, as clauses without a full stop. */
export type DisplayNameJudgement =
  | { readonly fault: string; readonly why: NameFault; readonly text?: undefined; readonly mixedScripts?: undefined }
  /** `mixedScripts`: see {@link hasMixedScripts}. To be marked where it is shown. */
  | { readonly fault?: undefined; readonly why?: undefined; readonly text: string; readonly mixedScripts: boolean }

/**
 * Judges a display name, and brings it into the one form in which it is signed and shown: NFKC, trimmed, with single
 * spaces. It has 1 to {@link DISPLAY_NAME_LENGTH_MAX} code points and at most {@link DISPLAY_NAME_SIZE_MAX} bytes of
 * UTF-8: letters, combining marks, digits, spaces, and `. ' ’ - _ · & + / #`. Brackets, commas, colons, `@` and symbols
 * are refused, because with them a display name could contain what looks like somebody's name, a list or a badge.
 */
export function judgeDisplayName(text: string): DisplayNameJudgement {
  const refuse = (fault: Fault) => {
    const why = told(fault, DISPLAY_NAME_RULE)
    return { fault: why.text, why }
  }
  if (text.length > TYPED_LENGTH_MAX) return refuse({ code: "tooLong" })
  for (const character of text) {
    const what = /[\t\n\r]/.test(character) ? undefined : hidden(character)
    if (what !== undefined) return refuse(what)
  }
  const plain = composeAm(text.normalize("NFKC"))
    .replace(/[\p{Zs}\t\n\r]+/gu, " ")
    .trim()
  if (plain === "") return refuse({ code: "empty" })
  if (isLonger(plain, { length: DISPLAY_NAME_LENGTH_MAX, size: DISPLAY_NAME_SIZE_MAX })) {
    return refuse({ code: "tooLong" })
  }
  for (const character of plain) {
    if (character === " ") continue
    const what = hidden(character) ?? (displayNameCharacter.test(character) ? undefined : unsuitable(character))
    if (what !== undefined) return refuse(what)
  }
  if (!/[\p{L}\p{N}]/u.test(plain)) return refuse({ code: "noLetter" })
  const what = marksFault(plain)
  return what === undefined ? { text: plain, mixedScripts: hasMixedScripts(plain) } : refuse(what)
}

/**
 * Whether `text` has letters of scripts that one word has no reason to mix (UTS 39, "highly restrictive"): a Cyrillic `а`
 * among Latin letters. Latin beside Han with kana, bopomofo or Hangul is not mixed. Letters of a script that is no longer
 * in general use count as mixed.
 */
export function hasMixedScripts(text: string): boolean {
  return !scriptProfiles().some((profile) => profile.test(text))
}

/** How a person is shown. */
export interface PersonLabel {
  /** As the directory lists it; of an ill-formed one what can be seen, shortened. */
  readonly name: string
  /** Where there is one that differs from the name. */
  readonly displayName: string | undefined
  /** A warning to show beside it: `mixed scripts`, or `not a valid name`. */
  readonly mark: "mixed scripts" | "not a valid name" | undefined
  /** All of it in one line: `Alice (alice)`, `alice`, `аlice [mixed scripts]`. */
  readonly text: string
}

/**
 * The label of a person: the display name, where there is one, always together with the name. Text of different writing
 * directions is not isolated here: a page puts each field into an element `bdi`.
 */
export function personLabel(name: string, displayName?: string): PersonLabel {
  const isValid = isName(name)
  const shownName = isValid ? name : shownText(name, NAME_LENGTH_MAX)
  const judged = displayName === undefined || displayName === name ? undefined : judgeDisplayName(displayName)
  const shownDisplayName = judged?.text
  const isMixed = hasMixedScripts(name) || (judged?.mixedScripts ?? false)
  const mark = !isValid ? "not a valid name" : isMixed ? "mixed scripts" : undefined
  const both = shownDisplayName === undefined ? shownName : `${shownDisplayName} (${shownName})`
  return {
    name: shownName,
    displayName: shownDisplayName,
    mark,
    text: mark === undefined ? both : `${both} [${mark}]`,
  }
}

/**
 * Text from others for one line: what is invisible, controls something or cannot be drawn becomes U+FFFD, white space one
 * space, and more than `lengthMax` code points are cut off with an ellipsis.
 */
export function shownText(text: string, lengthMax: number): string {
  // A character has at most two units: no more than that of it is looked at.
  const characters = [...text.slice(0, 2 * (lengthMax + 1))]
  const cut = characters.length > lengthMax ? `${characters.slice(0, lengthMax - 1).join("")}…` : characters.join("")
  return cut.replace(/\p{White_Space}+/gu, " ").replace(/[\p{C}\p{Default_Ignorable_Code_Point}]/gu, "\ufffd")
}

/** UTF-16 units of what may become a display name. */
const TYPED_LENGTH_MAX = 1_024

/** Punctuation that words of a script contain (UTS 39, "inclusion"): tsheg, geresh, gershayim, katakana middle dot. */
const inWords = "·་׳״・"
const nameCharacter = new RegExp(`[\\p{L}\\p{M}\\p{N}${inWords}!#$%&'*+\\-./:=?@\\\\^_\`{|}~]`, "u")
/** All that a name may have of ASCII, with a letter or a digit. */
const asciiName = /^(?=.*[A-Za-z0-9])[\w!#$%&'*+\-./:=?@\\^`{|}~]+$/
const displayNameCharacter = new RegExp(`[\\p{L}\\p{M}\\p{N}${inWords}.'’\\-_&+/#]`, "u")

/** What is wrong with a code point that nobody can see, or that has no agreed meaning. */
function hidden(character: string): Fault | undefined {
  const [, code] = hiddenKinds.find(([kind]) => kind.test(character)) ?? []
  return code && { code, character }
}

const hiddenKinds: readonly (readonly [RegExp, NameFaultCode])[] = [
  [/\p{Default_Ignorable_Code_Point}|\p{Cf}/u, "invisible"],
  [/\p{Cc}/u, "control"],
  [/\p{Cs}/u, "surrogate"],
  [/\p{Co}|\p{Cn}/u, "unassigned"],
  [/[\p{Zl}\p{Zp}]/u, "lineBreak"],
]

function unsuitable(character: string): Fault {
  return { code: /\p{White_Space}/u.test(character) ? "space" : "character", character }
}

/** UTS 39 §5.4 on nonspacing marks, with room for Burmese, where more than four are written. */
function marksFault(text: string): Fault | undefined {
  if (/(?:^|[^\p{L}\p{N}\p{M}])\p{M}/u.test(text)) return { code: "strayMark" }
  if (/[\p{Mn}\p{Me}]{7}/u.test(text)) return { code: "manyMarks" }
  if (/(\p{Mn}|\p{Me})\1/u.test(text)) return { code: "doubleMark" }
  return undefined
}

/**
 * The vowel am of Thai and Lao is one character on every keyboard. Its NFKC form is two, which are drawn wrongly behind a
 * tone mark: the one character is the form that is used here, and the two become it.
 */
function composeAm(text: string): string {
  return text
    .replace(/\u0e4d([\u0e48-\u0e4b]?)\u0e32/g, "$1\u0e33")
    .replace(/\u0ecd([\u0ec8-\u0ecb]?)\u0eb2/g, "$1\u0eb3")
}

function isLonger(text: string, max: { readonly length: number; readonly size: number }): boolean {
  // A code point has at most two UTF-16 units, a unit at least one byte.
  if (text.length > 2 * max.length || text.length > max.size) return true
  return [...text].length > max.length || new TextEncoder().encode(text).length > max.size
}

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`
}

/** UAX 31, tables 5 and 7: scripts that people write today. */
const scripts = [
  ...["Adlam", "Arabic", "Armenian", "Balinese", "Bamum", "Batak", "Bengali", "Bopomofo", "Canadian_Aboriginal"],
  ...["Chakma", "Cham", "Cherokee", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek", "Gujarati", "Gurmukhi"],
  ...["Han", "Hangul", "Hanifi_Rohingya", "Hebrew", "Hiragana", "Javanese", "Kannada", "Katakana", "Kayah_Li", "Khmer"],
  ...[
    "Lao",
    "Latin",
    "Lepcha",
    "Limbu",
    "Lisu",
    "Malayalam",
    "Mandaic",
    "Meetei_Mayek",
    "Miao",
    "Mongolian",
    "Myanmar",
  ],
  ...["New_Tai_Lue", "Newa", "Nko", "Nyiakeng_Puachue_Hmong", "Ol_Chiki", "Oriya", "Osage", "Saurashtra", "Sinhala"],
  ...["Sundanese", "Syloti_Nagri", "Syriac", "Tai_Le", "Tai_Tham", "Tai_Viet", "Tamil", "Telugu", "Thaana", "Thai"],
  ...["Tibetan", "Tifinagh", "Vai", "Wancho", "Yi"],
]
/** UTS 39 §5.2, "highly restrictive": Japanese, Chinese and Korean, each with Latin. */
const combinations = [
  ["Latin", "Han", "Hiragana", "Katakana"],
  ["Latin", "Han", "Bopomofo"],
  ["Latin", "Han", "Hangul"],
]

let profiles: readonly RegExp[] | undefined

/** Each matches the text whose letters are all of it; Latin first, which most are. */
function scriptProfiles(): readonly RegExp[] {
  profiles ??= [["Latin"], ...combinations, ...scripts.map((script) => [script])].map(
    (together) =>
      new RegExp(`^[\\p{scx=Common}\\p{scx=Inherited}${together.map((it) => `\\p{scx=${it}}`).join("")}]*$`, "u"),
  )
  return profiles
}
