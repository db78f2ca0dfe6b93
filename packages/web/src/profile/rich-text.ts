import { type Link, withLinks } from "./links.js"

/**
 * A message as it is drawn. The text is never HTML: what is not one of these few signs stands there as it was written.
 *
 * ```
 * `code`   **bold**   *italic*   _italic_   https://example.org
 * - a list        1. a numbered list        three backticks before and after lines of code
 * ```
 */
export type Block =
  | { readonly type: "text"; readonly parts: readonly Inline[] }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "list"; readonly start: number | undefined; readonly items: readonly (readonly Inline[])[] }

export type Inline =
  | string
  | { readonly type: "link"; readonly link: Link }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: Emphasis; readonly parts: readonly Inline[] }

type Emphasis = "bold" | "italic"

/** More lines than this are not looked through for signs: they stand there as they are. */
const LINES_MAX = 2_000
const FENCE = /^\s{0,3}```[\w+#.-]{0,20}\s*$/u
const ITEM = /^\s{0,3}[-*•]\s+(?=\S)/u
const NUMBERED = /^\s{0,3}(\d{1,4})[.)]\s+(?=\S)/u

/** Takes time in proportion to the length of the text, whatever is in it. */
export function richText(text: string): readonly Block[] {
  const lines = harmless(text).split(/\r\n|\r|\n/u)
  if (lines.length > LINES_MAX) return [{ type: "text", parts: [lines.join("\n")] }]
  const blocks: Block[] = []
  let plain: string[] = []
  const flush = () => {
    if (plain.length > 0) blocks.push({ type: "text", parts: inlineLines(plain) })
    plain = []
  }
  /** So that fences that nothing closes are looked for once. */
  let lastFence = lines.findLastIndex((line) => FENCE.test(line))
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    if (FENCE.test(line) && at < lastFence) {
      const end = lines.findIndex((it, index) => index > at && FENCE.test(it))
      flush()
      blocks.push({ type: "code", text: visibleControls(lines.slice(at + 1, end).join("\n")) })
      at = end
      if (end === lastFence) lastFence = -1
      continue
    }
    const list = listAt(lines, at)
    if (list === undefined) plain.push(line)
    else {
      flush()
      blocks.push(list.block)
      at = list.last
    }
  }
  flush()
  return blocks
}

/** Of one kind, without others inside: of numbered lists the first number counts, as it is written. */
function listAt(lines: readonly string[], at: number): { readonly block: Block; readonly last: number } | undefined {
  const numbered = NUMBERED.exec(lines[at]!)
  const sign = numbered === null ? ITEM : NUMBERED
  if (!sign.test(lines[at]!)) return undefined
  // "2026. What a year" is a sentence.
  if (numbered !== null && !NUMBERED.test(lines[at + 1] ?? "")) return undefined
  let last = at
  const items: (readonly Inline[])[] = []
  for (; last < lines.length && sign.test(lines[last]!); last++) items.push(inlines(lines[last]!.replace(sign, "")))
  return { block: { type: "list", start: numbered === null ? undefined : Number(numbered[1]), items }, last: last - 1 }
}

function inlineLines(lines: readonly string[]): readonly Inline[] {
  const parts: Inline[] = []
  for (const [index, line] of lines.entries()) {
    if (index > 0) append(parts, "\n")
    for (const part of inlines(line)) append(parts, part)
  }
  return parts
}

/** Neighbours that are text are one text. */
function append(parts: Inline[], part: Inline): void {
  const last = parts.at(-1)
  if (typeof part === "string" && typeof last === "string") parts[parts.length - 1] = last + part
  else if (part !== "") parts.push(part)
}

/** Code first, then links, then what is bold: what is code is nothing else. */
function inlines(line: string): readonly Inline[] {
  const tokens: Inline[] = []
  const parts = line.split("`")
  for (const [index, part] of parts.entries()) {
    const isCode = index % 2 === 1 && index < parts.length - 1
    if (isCode && part.trim() !== "") tokens.push({ type: "code", text: visibleControls(part) })
    else {
      const isOpen = index % 2 === 1
      const literal = isCode ? `\`${part}\`` : isOpen ? `\`${part}` : part
      for (const it of withLinks(literal)) tokens.push(typeof it === "string" ? it : { type: "link", link: it })
    }
  }
  return emphasized(tokens)
}

interface Open {
  readonly sign: string
  readonly parts: Inline[]
}

/** Signs have a space or punctuation outside, and none inside: `2 * 3` and `snake_case` are what they are. */
function emphasized(tokens: readonly Inline[]): readonly Inline[] {
  const stack: Open[] = [{ sign: "", parts: [] }]
  const top = () => stack.at(-1)!
  /** What nothing has closed is text. */
  const giveUp = (depth: number) => {
    while (stack.length > depth) {
      const { sign, parts } = stack.pop()!
      for (const part of [sign, ...parts]) append(top().parts, part)
    }
  }
  for (const [index, token] of tokens.entries()) {
    if (typeof token !== "string") {
      append(top().parts, token)
      continue
    }
    let done = 0
    for (const { 0: sign, index: at } of token.matchAll(/\*\*|\*|_+/gu)) {
      const before = token[at - 1] ?? (at === 0 && index > 0 ? "." : " ")
      const after = token[at + sign.length] ?? (index < tokens.length - 1 ? "." : " ")
      append(top().parts, token.slice(done, at))
      done = at + sign.length
      // `__init__` is a name.
      if (sign.startsWith("__")) {
        append(top().parts, sign)
        continue
      }
      const depth = stack.findIndex((it) => it.sign === sign)
      if (depth !== -1 && !isSpace(before) && !isWord(after) && hasContent(stack, depth)) {
        giveUp(depth + 1)
        const { parts } = stack.pop()!
        top().parts.push({ type: sign === "**" ? "bold" : "italic", parts })
      } else if (depth === -1 && !isSpace(after) && !isWord(before) && stack.length <= DEPTH_MAX) {
        stack.push({ sign, parts: [] })
      } else append(top().parts, sign)
    }
    append(top().parts, token.slice(done))
  }
  giveUp(1)
  return top().parts
}

/** One inside another, and no more. */
const DEPTH_MAX = 2

const isSpace = (character: string) => /\s/u.test(character)
const isWord = (character: string) => /[\p{L}\p{N}]/u.test(character)
const hasContent = (stack: readonly Open[], depth: number) => stack.slice(depth).some(({ parts }) => parts.length > 0)

/** Marks above and below one letter: no language needs more. */
const MARKS_MAX = 6
const TOO_MANY_MARKS = new RegExp(`(\\p{M}{${MARKS_MAX}})\\p{M}+`, "gu")

/** Without what reverses letters that stand there in their order, and without towers of marks. */
function harmless(text: string): string {
  return text.replace(/[\u202d\u202e]/gu, "").replace(TOO_MANY_MARKS, "$1")
}

/** In code nothing may hide, or stand elsewhere than it is. */
function visibleControls(code: string): string {
  return code.replace(
    /[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu,
    (it) => `[U+${it.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
  )
}

/** Whether anything of a text can be seen. */
export function isVisible(text: string): boolean {
  return /[^\s\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u.test(text)
}

const EMOJI_ALONE = /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|\u200d|\ufe0f|\s)+$/u
const EMOJI_LENGTH_MAX = 60
const EMOJI_MAX = 3

/** A few pictures and nothing else: they are drawn large. */
export function isEmojiAlone(text: string): boolean {
  if (text.length > EMOJI_LENGTH_MAX || !EMOJI_ALONE.test(text)) return false
  const graphemes = [...new Intl.Segmenter().segment(text.replace(/\s/gu, ""))].map(({ segment }) => segment)
  return (
    graphemes.length > 0 &&
    graphemes.length <= EMOJI_MAX &&
    graphemes.every((it) => /[\p{Extended_Pictographic}\p{Regional_Indicator}]/u.test(it))
  )
}

/** A text is cut where it is longer, until the reader wants all of it. In UTF-16 units and lines. */
const LENGTH_SHOWN = 2_000
const LINES_SHOWN = 30

/** The beginning of a long text; `undefined` where all of it is shown. */
export function beginningOf(text: string): string | undefined {
  let end = Math.min(text.length, LENGTH_SHOWN)
  let lines = 0
  for (let at = text.indexOf("\n"); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) {
    if (++lines === LINES_SHOWN) end = at
  }
  if (end === text.length) return undefined
  // Not half of a character.
  return text.slice(0, end).replace(/[\ud800-\udbff]$/u, "")
}

/** Addresses in a text, each once. */
export function linksIn(text: string): readonly Link[] {
  const links = withLinks(text).flatMap((part) => (typeof part === "string" ? [] : [part]))
  return links.filter(({ href }, at) => links.findIndex((it) => it.href === href) === at)
}
