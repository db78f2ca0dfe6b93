import type { ConversationSummary } from "@conclave/headless/browser"
import { useLayoutEffect, useMemo, useReducer, useRef } from "preact/hooks"
import { textOf } from "../profile/content-words.js"
import { nothingSaidWords, stateWords } from "../profile/list-words.js"
import { colourOf } from "../profile/person-colours.js"
import type { Profile } from "../profile/profile.js"
import { shortTime } from "../profile/time.js"
import { shownTitle, titleOf } from "../profile/words.js"
import { language, words } from "../words/words.js"
import { MuteIcon } from "./icons.js"
import { initialOf } from "./person.js"
import { addressOf } from "./route.js"
import { moveInList } from "./roving.js"

export interface RowsProps {
  readonly profile: Profile
  readonly conversations: readonly ConversationSummary[]
  readonly selected: string | undefined
}

/** Of more than so many, those in sight are drawn. */
const DRAWN_WHOLE = 80
const ROW_HEIGHT_GUESSED = 64
/** Rows above and below those in sight. */
const OVERSCAN = 10

export function Rows(props: RowsProps) {
  const { conversations, selected } = props
  const stop = conversations.some(({ id }) => id === selected) ? selected : conversations[0]?.id
  if (conversations.length > DRAWN_WHOLE) return <ManyRows {...props} stop={stop} />
  return <FewRows {...props} stop={stop} />
}

type StoppedRowsProps = RowsProps & { readonly stop: string | undefined }

function FewRows({ profile, conversations, selected, stop }: StoppedRowsProps) {
  const list = useRef<HTMLUListElement>(null)
  return (
    <ul class="list-rows" ref={list} onKeyDown={(event) => moveInList(event, list.current)}>
      {conversations.map((conversation) => (
        <li key={conversation.id}>
          <Row
            profile={profile}
            conversation={conversation}
            isSelected={conversation.id === selected}
            isStop={conversation.id === stop}
          />
        </li>
      ))}
    </ul>
  )
}

/** All rows are equally high; the one that is selected and the one that has the focus stay, wherever they are. */
function ManyRows({ profile, conversations, selected, stop }: StoppedRowsProps) {
  const area = useRef<HTMLDivElement>(null)
  const list = useRef<HTMLUListElement>(null)
  const height = useRef(ROW_HEIGHT_GUESSED)
  const wanted = useRef<number | undefined>(undefined)
  const drawn = useRef("")
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const count = conversations.length
  const bounds = () => {
    const { scrollTop = 0, clientHeight = 800 } = area.current ?? {}
    const first = Math.max(0, Math.floor(scrollTop / height.current) - OVERSCAN)
    return { first, end: Math.min(count, Math.ceil((scrollTop + clientHeight) / height.current) + OVERSCAN) }
  }
  const { first, end } = bounds()
  drawn.current = `${first} ${end}`
  const focused = list.current?.contains(document.activeElement) === true ? indexOf(document.activeElement) : undefined
  const others = [focused, wanted.current, conversations.findIndex(({ id }) => id === stop)]
  const indexes = new Set(Array.from({ length: end - first }, (_, at) => first + at))
  for (const index of others) if (index !== undefined && index >= 0 && index < count) indexes.add(index)
  useLayoutEffect(() => {
    const row = list.current?.querySelector<HTMLElement>("li > a")
    const measured = row?.getBoundingClientRect().height ?? 0
    if (measured > 0 && measured !== height.current) {
      height.current = measured
      redraw(undefined)
    }
    if (wanted.current === undefined) return
    const target = list.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"] > a`)
    wanted.current = undefined
    target?.focus()
  })
  const scroll = () => {
    const now = bounds()
    if (`${now.first} ${now.end}` !== drawn.current) redraw(undefined)
  }
  const press = (event: KeyboardEvent) => {
    const at = indexOf(document.activeElement)
    const targets: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: count - 1 }
    const target = targets[event.key]
    if (target === undefined || at === -1) return
    event.preventDefault()
    wanted.current = Math.min(Math.max(target, 0), count - 1)
    redraw(undefined)
  }
  return (
    <div class="list-scroll" ref={area} onScroll={scroll}>
      <ul class="list-rows is-long" ref={list} style={{ height: `${count * height.current}px` }} onKeyDown={press}>
        {[...indexes]
          .sort((a, b) => a - b)
          .map((index) => {
            const conversation = conversations[index]!
            const { id } = conversation
            return (
              <li
                key={id}
                data-index={index}
                aria-setsize={count}
                aria-posinset={index + 1}
                style={{ top: `${index * height.current}px` }}
              >
                <Row profile={profile} conversation={conversation} isSelected={id === selected} isStop={id === stop} />
              </li>
            )
          })}
      </ul>
    </div>
  )
}

function indexOf(element: Element | null): number {
  const index = element?.closest<HTMLElement>("[data-index]")?.dataset.index
  return index === undefined ? -1 : Number(index)
}

interface RowProps {
  readonly profile: Profile
  readonly conversation: ConversationSummary
  readonly isSelected: boolean
  readonly isStop: boolean
}

/** Drawn again only where something has changed that it shows: summaries keep their identity. */
function Row({ profile, conversation, isSelected, isStop }: RowProps) {
  const { id, last, hasDraft } = conversation
  const title = titleOf({ ...conversation, invitedBy: undefined }, profile)
  const by = last === undefined ? "" : profile.called(last.from)
  const draft = hasDraft && !isSelected ? profile.headless.draft(id).text : ""
  return useMemo(
    () => (
      <DrawnRow
        conversation={conversation}
        title={title}
        by={by}
        draft={draft}
        state={stateWords(conversation, profile)}
        isSelected={isSelected}
        isStop={isStop}
      />
    ),
    [conversation, title, by, draft, isSelected, isStop, language()],
  )
}

interface DrawnRowProps extends Omit<RowProps, "profile"> {
  readonly title: string
  /** Who said the last thing. */
  readonly by: string
  readonly draft: string
  readonly state: string | undefined
}

function DrawnRow({ conversation, title, by, draft, state, isSelected, isStop }: DrawnRowProps) {
  const { id, unread, last, isMuted } = conversation
  return (
    <a
      class="list-row"
      href={addressOf({ conversation: id })}
      aria-current={isSelected ? "page" : undefined}
      tabIndex={isStop ? 0 : -1}
      data-roving
    >
      <span class={`monogram person-ground-${colourOf(id)}`} aria-hidden="true">
        {initialOf(title)}
      </span>
      <span class="list-row-text">
        <span class="list-row-title">
          <bdi>{title}</bdi>
          {isMuted && (
            <>
              <MuteIcon />
              <span class="visually-hidden">{words().list.muted}</span>
            </>
          )}
        </span>
        <span class="list-row-last">
          <Summary conversation={conversation} by={by} draft={draft} state={state} />
        </span>
      </span>
      <span class="list-row-side">
        {last !== undefined && <time dateTime={isoOf(last.sentAt)}>{shortTime(last.sentAt)}</time>}
        {unread > 0 && (
          <span class={isMuted ? "unread is-muted" : "unread"}>
            {unread}
            <span class="visually-hidden">{words().list.unread}</span>
          </span>
        )}
      </span>
    </a>
  )
}

type SummaryProps = Pick<DrawnRowProps, "conversation" | "by" | "draft" | "state">

function Summary({ conversation, by, draft, state }: SummaryProps) {
  const { last } = conversation
  if (state !== undefined) return <>{state}</>
  // The field itself shows what is being written.
  if (draft !== "") {
    return (
      <>
        <span class="list-row-draft">{words().list.draft}</span> <bdi>{lineOf(draft)}</bdi>
      </>
    )
  }
  if (last === undefined) return <>{nothingSaidWords(conversation)}</>
  return (
    <>
      {last.own ? words().list.you : by}: <bdi>{lineOf(textOf(last.content))}</bdi>
    </>
  )
}

/** As much as a line can show: what is not seen is not laid out either. */
function lineOf(text: string): string {
  return shownTitle(text.trimStart().slice(0, LINE_LENGTH))
}

const LINE_LENGTH = 200

function isoOf(at: Date): string | undefined {
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}
