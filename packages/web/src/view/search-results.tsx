import { shownText } from "@conclave/client/browser"
import type { ConversationSummary, SearchHit } from "@conclave/headless/browser"
import { useRef } from "preact/hooks"
import { colourOf } from "../profile/person-colours.js"
import type { Profile } from "../profile/profile.js"
import { foundWords } from "../profile/search-words.js"
import { shortTime } from "../profile/time.js"
import { titleOf } from "../profile/words.js"
import { words } from "../words/words.js"
import { initialOf } from "./person.js"
import { addressOf } from "./route.js"
import { moveInList } from "./roving.js"
import { useSearch } from "./use-search.js"

export interface SearchResultsProps {
  readonly profile: Profile
  /** What is looked for. */
  readonly typed: string
  /** Above the first one: back into the field. */
  readonly onLeave: () => void
}

const FOUND_MAX = 200
const TITLES_MAX = 5
/** UTF-16 units around the first match. */
const BEFORE = 32
const SNIPPET = 200

/** Conversations whose title or people have the words, and messages on this device that have them. */
export function SearchResults({ profile, typed, onLeave }: SearchResultsProps) {
  const list = useRef<HTMLElement>(null)
  const { hits, isOver } = useSearch(profile, typed, FOUND_MAX)
  const { conversations, archived } = profile.headless.getSnapshot()
  const all = [...conversations, ...archived]
  const titles = new Map(all.map((it) => [it.id, titleOf({ ...it, invitedBy: undefined }, profile)]))
  const named = all.filter((it) => isNamed(it, typed, profile)).slice(0, TITLES_MAX)
  const press = (event: KeyboardEvent) => {
    const first = list.current?.querySelector("[data-roving]")
    if (event.key === "Escape" || (event.key === "ArrowUp" && document.activeElement === first)) {
      event.preventDefault()
      onLeave()
    } else moveInList(event, list.current)
  }
  return (
    <section class="search-results" ref={list} aria-label={words().search.found} onKeyDown={press}>
      {named.length > 0 && (
        <section aria-label={words().search.conversations}>
          <h2 class="search-head">{words().search.conversations}</h2>
          <ul>
            {named.map(({ id }, at) => (
              <li key={id}>
                <a class="list-row" href={addressOf({ conversation: id })} tabIndex={at === 0 ? 0 : -1} data-roving>
                  <span class={`monogram person-ground-${colourOf(id)}`} aria-hidden="true">
                    {initialOf(titles.get(id) ?? "")}
                  </span>
                  <span class="list-row-title">
                    <bdi>{titles.get(id)}</bdi>
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section aria-label={words().search.results}>
        <h2 class="search-head">{words().search.messages}</h2>
        <p class="search-state" role="status">
          {foundWords(hits.length, isOver)}
        </p>
        <ul>
          {hits.map((hit, at) => (
            <li key={`${hit.conversation} ${hit.seq}`}>
              <Hit
                hit={hit}
                title={titles.get(hit.conversation) ?? ""}
                by={hit.own ? words().search.you : profile.called(hit.from)}
                isStop={at === 0 && named.length === 0}
              />
            </li>
          ))}
        </ul>
        {isOver && hits.length === 0 && <p class="search-state">{words().search.hint}</p>}
      </section>
    </section>
  )
}

interface HitProps {
  readonly hit: SearchHit
  readonly title: string
  readonly by: string
  readonly isStop: boolean
}

function Hit({ hit, title, by, isStop }: HitProps) {
  const { conversation, seq, sentAt } = hit
  return (
    <a
      class="list-row search-hit"
      href={addressOf({ conversation, message: seq })}
      tabIndex={isStop ? 0 : -1}
      data-roving
    >
      <span class="list-row-text">
        <span class="search-where">
          <bdi class="search-title">{title}</bdi>
          <time class="search-time">{shortTime(sentAt)}</time>
        </span>
        <span class="search-text">
          {by}:{" "}
          <bdi>
            {snippet(hit).map(({ text, isMatch }) => (isMatch ? <mark class="search-match">{text}</mark> : text))}
          </bdi>
        </span>
      </span>
    </a>
  )
}

interface Piece {
  readonly text: string
  readonly isMatch: boolean
}

/** The matches with some of what stands around the first one. */
function snippet({ text, matches }: SearchHit): readonly Piece[] {
  const begin = Math.max(0, (matches[0]?.[0] ?? 0) - BEFORE)
  const end = Math.min(text.length, begin + SNIPPET)
  const pieces: Piece[] = begin === 0 ? [] : [{ text: "…", isMatch: false }]
  let at = begin
  for (const [from, to] of matches) {
    if (from >= end) break
    pieces.push({ text: shownText(text.slice(at, from), SNIPPET), isMatch: false })
    pieces.push({ text: shownText(text.slice(from, Math.min(to, end)), SNIPPET), isMatch: true })
    at = Math.min(to, end)
  }
  pieces.push({ text: `${shownText(text.slice(at, end), SNIPPET)}${end < text.length ? "…" : ""}`, isMatch: false })
  return pieces
}

function isNamed(conversation: ConversationSummary, typed: string, profile: Profile): boolean {
  const people = conversation.members.filter((name) => name !== profile.name).map((name) => profile.label(name).text)
  const all = [conversation.title, ...people].join(" ").toLowerCase()
  const wanted = typed.toLowerCase().split(/\s+/u).filter(Boolean)
  return wanted.length > 0 && wanted.every((word) => all.includes(word))
}
