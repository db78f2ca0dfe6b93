/** A link in a text: what it leads to, and how it is shown so that nobody takes it for another one. */
export interface Link {
  /** Where it leads: of the protocols `http`, `https` and `mailto` alone, without a user name. */
  readonly href: string
  /** As it is shown: before the host, the host, and what follows it. */
  readonly before: string
  readonly host: string
  readonly after: string
  /** Why it has to be looked at: the text showed another host, or letters that look like others. */
  readonly warning: LinkWarning | undefined
}

export type LinkWarning =
  /** What stood before an `@` is no host: it has been left out. */
  | { readonly code: "userinfo" }
  /** The host has letters beside ASCII, and is shown as it is asked for; `typed`: as it was written. */
  | { readonly code: "letters"; readonly typed: string }

export type TextPart = string | Link

/** Longer than this, nothing is a link. In UTF-16 units. */
const LENGTH_MAX = 2_048
const SHOWN_MAX = 120
const BEGINNING = /(?:https?:\/\/|mailto:)/giu
/** What ends a link: white space, what nobody can see, and quotes and brackets that stand around links. */
const END = /[\s\p{C}\p{Z}\p{Default_Ignorable_Code_Point}<>"“”„«»`]/u
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u
const ADDRESS =
  /^[a-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/iu

/** The links in a text, and what stands between them. Nothing is a link that does not say its protocol. */
export function withLinks(text: string): readonly TextPart[] {
  const parts: TextPart[] = []
  let done = 0
  BEGINNING.lastIndex = 0
  for (let found = BEGINNING.exec(text); found !== null; found = BEGINNING.exec(text)) {
    const at = found.index
    // `xhttp://` is a word.
    if (at > 0 && /[\p{L}\p{N}]/u.test(text[at - 1]!)) continue
    const typed = linkAt(text, at)
    const link = typed === undefined ? undefined : linkOf(typed)
    if (typed === undefined || link === undefined) continue
    if (at > done) parts.push(text.slice(done, at))
    parts.push(link)
    done = at + typed.length
    BEGINNING.lastIndex = done
  }
  if (done < text.length || parts.length === 0) parts.push(text.slice(done))
  return parts
}

/** The text of a link that begins here, without the punctuation of the sentence around it. */
function linkAt(text: string, at: number): string | undefined {
  const rest = text.slice(at, at + LENGTH_MAX + 1)
  const end = rest.search(END)
  if (end === -1 && rest.length > LENGTH_MAX) return undefined
  const whole = end === -1 ? rest : rest.slice(0, end)
  // What is written on after something invisible was to be read together with it.
  if (end !== -1 && INVISIBLE.test(rest[end]!) && /^[^\s]/u.test(rest.slice(end + 1))) return undefined
  let length = whole.length
  for (;;) {
    const last = whole[length - 1]
    if (last === undefined) return undefined
    const isClosing = last === ")" || last === "]"
    if (isClosing && isBalanced(whole.slice(0, length), last)) break
    if (!isClosing && !/[.,;:!?'’*_~…]/u.test(last)) break
    length--
  }
  return whole.slice(0, length)
}

function isBalanced(text: string, closing: ")" | "]"): boolean {
  const opening = closing === ")" ? "(" : "["
  let depth = 0
  for (const character of text) {
    if (character === opening) depth++
    if (character === closing) depth--
  }
  return depth >= 0
}

function linkOf(typed: string): Link | undefined {
  if (/^mailto:/iu.test(typed)) return mailLink(typed)
  let url: URL
  try {
    url = new URL(typed)
  } catch {
    return undefined
  }
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") return undefined
  const hadUser = url.username !== "" || url.password !== "" || hostTyped(typed).includes("@")
  url.username = ""
  url.password = ""
  const typedHost = hadUser ? hostTyped(typed).split("@").at(-1)! : hostTyped(typed)
  const host = shownHost(typedHost, url.host)
  const warning: LinkWarning | undefined = hadUser
    ? { code: "userinfo" }
    : host === undefined
      ? { code: "letters", typed: typedHost }
      : undefined
  const after = url.href.slice(url.origin.length)
  const afterTyped = typed.slice(typed.indexOf("//") + 2 + hostTyped(typed).length)
  // As it was typed where that is the same and can be read: percents say nothing.
  const shownAfter = isReadable(afterTyped) && sameAfter(url, afterTyped) ? afterTyped : after === "/" ? "" : after
  return {
    href: url.href,
    before: `${url.protocol}//`,
    host: host ?? url.host,
    after: shownAfter.length > SHOWN_MAX ? `${shownAfter.slice(0, SHOWN_MAX - 1)}…` : shownAfter,
    warning,
  }
}

/** A subject or a body that strangers have written is not put into anybody's letter. */
function mailLink(typed: string): Link | undefined {
  const address = typed.slice("mailto:".length).split("?")[0]!
  if (!ADDRESS.test(address)) return undefined
  const at = address.lastIndexOf("@")
  return {
    href: `mailto:${address}`,
    before: `mailto:${address.slice(0, at + 1)}`,
    host: address.slice(at + 1),
    after: "",
    warning: /(?:^|\.)xn--/iu.test(address.slice(at + 1))
      ? { code: "letters", typed: address.slice(at + 1) }
      : undefined,
  }
}

/** Between `//` and the path, as it was written. A backslash is a slash to browsers. */
function hostTyped(typed: string): string {
  const rest = typed.slice(typed.indexOf("//") + 2)
  const end = rest.search(/[/\\?#]/u)
  return end === -1 ? rest : rest.slice(0, end)
}

/**
 * The host as it may be shown: as it was typed, of ASCII or wholly of the letters of one other script, its last label
 * included. `undefined`: only as it is asked for.
 */
function shownHost(typed: string, asked: string): string | undefined {
  if (/(?:^|\.)xn--/iu.test(typed)) return undefined
  // Letters of other widths are ASCII to browsers.
  if (!/(?:^|\.)xn--/u.test(asked)) return asked
  const letters = typed.normalize("NFC").replace(/[.\-0-9:]/gu, "")
  return scripts.some((script) => script.test(letters)) ? typed.normalize("NFC").toLowerCase() : undefined
}

/** Scripts whose letters are not taken for Latin ones where nothing Latin is beside them. */
const scripts: readonly RegExp[] = [
  ...["Arabic", "Armenian", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Hangul"],
  ...["Hebrew", "Kannada", "Khmer", "Lao", "Malayalam", "Sinhala", "Tamil", "Telugu", "Thai"],
]
  .map((name) => new RegExp(`^[\\p{Script=${name}}\\p{M}]+$`, "u"))
  .concat(
    /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]+$/u,
    /^\p{Script=Cyrillic}*[бвгджзийлнптфцчшщъыьэюя]\p{Script=Cyrillic}*$/u,
  )

function isReadable(after: string): boolean {
  return !/[^\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(after)
}

function sameAfter(url: URL, typed: string): boolean {
  try {
    return new URL(`${url.origin}${typed}`).href === url.href
  } catch {
    return false
  }
}
