import type { ComponentChildren } from "preact"
import type { Link } from "../profile/links.js"
import { linkWarningWords } from "../profile/message-words.js"
import type { Block, Inline } from "../profile/rich-text.js"

/** What blocks say: each line has the direction of its own letters, by `unicode-bidi`; nothing is HTML that others have written. */
export function RichText({ blocks }: { readonly blocks: readonly Block[] }) {
  return blocks.map((block) => <DrawnBlock block={block} />)
}

function DrawnBlock({ block }: { readonly block: Block }) {
  switch (block.type) {
    case "text":
      return <p class="text">{inlines(block.parts)}</p>
    case "code":
      return (
        <pre class="code-block" dir="ltr">
          <code>{block.text}</code>
        </pre>
      )
    case "list": {
      const items = block.items.map((item) => <li>{inlines(item)}</li>)
      if (block.start === undefined) return <ul class="text-list">{items}</ul>
      return (
        <ol class="text-list" start={block.start}>
          {items}
        </ol>
      )
    }
  }
}

function inlines(parts: readonly Inline[]): ComponentChildren {
  return parts.map((part) => (typeof part === "string" ? part : <DrawnInline part={part} />))
}

function DrawnInline({ part }: { readonly part: Exclude<Inline, string> }) {
  switch (part.type) {
    case "link":
      return <TextLink link={part.link} />
    case "code":
      return (
        <code class="code-inline" dir="ltr">
          {part.text}
        </code>
      )
    case "bold":
      return <strong>{inlines(part.parts)}</strong>
    case "italic":
      return <em>{inlines(part.parts)}</em>
  }
}

/** The host stands out, and cannot be carried away by letters of another direction. */
function TextLink({ link: { href, before, host, after, warning } }: { readonly link: Link }) {
  return (
    <>
      <a class="text-link" href={href} target="_blank" rel="noopener noreferrer" dir="ltr">
        {before}
        <bdi class="link-host">{host}</bdi>
        {after !== "" && <bdi dir="ltr">{after}</bdi>}
      </a>
      {warning !== undefined && (
        <>
          {" "}
          <bdi class="link-warning">{linkWarningWords(warning, host)}</bdi>
        </>
      )}
    </>
  )
}
