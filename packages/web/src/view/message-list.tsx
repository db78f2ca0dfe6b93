import type { Conversation } from "@conclave/client/browser"
import type { Thread, ThreadSnapshot, TimelineItem } from "@conclave/headless/browser"
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks"
import { textOf } from "../profile/content-words.js"
import { alike } from "../profile/likeness.js"
import { newWords } from "../profile/message-words.js"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"
import { DownIcon, UpIcon } from "./icons.js"
import { focusPanel, openMember } from "./panel-ways.js"
import { part } from "./part.js"
import { addressOf } from "./route.js"
import { moveInList } from "./roving.js"
import { Scroller } from "./scroller.js"
import { Item } from "./timeline-item.js"

const DayDialog = part(() => import("./day-dialog.js").then((it) => it.DayDialog))

export interface MessageListProps {
  readonly profile: Profile
  readonly conversation: Conversation
  /** A message to go to, by its place. */
  readonly target: { readonly seq: number } | undefined
}

/** Lines of a day and of what is new belong to whatever comes after them. */
const isLasting = (key: string) => !key.startsWith("d") && key !== "unread"
/** How long a message that was looked for stands out. */
const FOUND_MILLISECONDS = 2_500

export function MessageList({ profile, conversation, target }: MessageListProps) {
  const thread = profile.headless.thread(conversation.id)
  const snapshot = thread.getSnapshot()
  const { items, hasEarlier, isLoaded, isFollowing, unread, isGroup } = snapshot
  const [choosingDay, setChoosingDay] = useState(false)
  const { area, list, drawn, scroll, reveal, found, loading, scroller } = useScroller(thread, snapshot)
  const goTo = async (place: Promise<string | undefined>) => {
    const key = await place
    if (key !== undefined) reveal(key)
    return key !== undefined
  }
  useEffect(() => {
    // After the conversation has been put in front, which goes to its end.
    if (target !== undefined) void Promise.resolve().then(() => goTo(thread.jumpTo(target.seq)))
  }, [thread, target])
  const jump = () => {
    void thread.jumpToLatest()
    // The button that had the focus is gone.
    area.current?.focus({ preventScroll: true })
  }
  const shown = items.slice(drawn.first, drawn.end)
  const isUnreadAbove = scroller.isAbove("unread")
  const stop = shown.findLast(({ type }) => type === "message")?.key
  const below = newWords(unread)
  const isBehind = isLoaded && !isFollowing
  const { members } = conversation
  const called = members.map((name) => profile.called(name)).join("\n")
  const namesAlike = useMemo(() => alike(members, profile), [called])
  return (
    <div class="messages-frame">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by the keyboard. */}
      <section class="messages" ref={area} aria-label={words().messages.region} tabIndex={0} onScroll={scroll}>
        {hasEarlier ? (
          <Loading isAt="earlier" loading={loading} />
        ) : (
          isLoaded && <Beginning conversation={conversation} alone={conversation.members.length < 2} />
        )}
        <ol
          class="message-list"
          ref={list}
          style={{ paddingTop: `${drawn.above}px`, paddingBottom: `${drawn.below}px` }}
          onKeyDown={(event) => moveInList(event, list.current)}
        >
          {shown.map((item, at) => (
            <Item
              key={item.key}
              item={item}
              before={items[drawn.first + at - 1]}
              after={items[drawn.first + at + 1]}
              profile={profile}
              conversation={conversation}
              isGroup={isGroup}
              alike={namesAlike}
              isStop={item.key === stop}
              isFound={item.key === found}
              onDay={setChoosingDay}
            />
          ))}
        </ol>
        {snapshot.hasLater && <Loading isAt="later" loading={loading} />}
      </section>
      {(isUnreadAbove || isBehind) && (
        <div class="jumps">
          {isUnreadAbove && (
            <button type="button" class="jump jump-up" onClick={() => reveal("unread")}>
              <UpIcon /> {words().messages.unreadAbove}
              <span class="visually-hidden">{words().messages.unreadAboveFull}</span>
            </button>
          )}
          {isBehind && (
            <button type="button" class="jump" onClick={jump}>
              <DownIcon /> {below.short}
              <span class="visually-hidden">{below.full}</span>
            </button>
          )}
        </div>
      )}
      {choosingDay && <DayDialog onGo={(day) => goTo(thread.jumpToDate(day))} onClose={() => setChoosingDay(false)} />}
    </div>
  )
}

interface LoadState {
  readonly state: "idle" | "loading" | "failed"
  readonly again: () => void
}

function useScroller(thread: Thread, snapshot: ThreadSnapshot) {
  const area = useRef<HTMLElement>(null)
  const list = useRef<HTMLOListElement>(null)
  const scroller = useMemo(() => new Scroller(isLasting), [])
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const [found, setFound] = useState<string>()
  const [state, setState] = useState<LoadState["state"]>("idle")
  const isBusy = useRef(false)
  const latest = useRef(snapshot)
  latest.current = snapshot
  const { items, isFollowing } = snapshot
  useMemo(
    () =>
      scroller.rows.set(
        items.map(({ key }) => key),
        items.map(guessedHeight),
      ),
    [items],
  )
  scroller.follow(isFollowing)
  const drawn = scroller.draw()

  const load = async (end: "earlier" | "later") => {
    isBusy.current = true
    setState("loading")
    try {
      await (end === "earlier" ? thread.loadEarlier() : thread.loadLater())
      setState("idle")
    } catch {
      setState("failed")
      return
    } finally {
      isBusy.current = false
    }
  }
  /** Reads on before the edge is in sight. */
  const readOn = () => {
    const { hasEarlier, hasLater, isLoaded } = latest.current
    if (!isLoaded || isBusy.current || state === "failed") return
    const { above, below } = scroller.left
    const near = area.current?.clientHeight ?? 0
    if (hasEarlier && above < near) void load("earlier")
    else if (hasLater && below < near) void load("later")
  }
  const settle = () => {
    if (scroller.settle()) redraw(undefined)
    readOn()
  }
  const settled = useRef(settle)
  settled.current = settle
  useLayoutEffect(() => {
    scroller.attach(area.current, list.current)
    settle()
  })
  useLayoutEffect(() => {
    if (area.current === null || list.current === null) return
    // A keyboard that comes up, or a panel, must not hide what was last read; nor must what grows.
    const resized = new ResizeObserver(() => settled.current())
    resized.observe(area.current)
    resized.observe(list.current)
    return () => resized.disconnect()
  }, [])
  useEffect(() => {
    if (found === undefined) return
    const timer = setTimeout(() => setFound(undefined), FOUND_MILLISECONDS)
    return () => clearTimeout(timer)
  }, [found])
  const scroll = () => {
    thread.follow(scroller.scrolled(latest.current.isFollowing))
    if (scroller.isShort() || latest.current.items.some(({ type }) => type === "unread")) redraw(undefined)
    readOn()
  }
  const reveal = (key: string) => {
    thread.follow(false)
    scroller.reveal(key)
    setFound(key)
    redraw(undefined)
    // Who looks for something goes on typing.
    if (!(document.activeElement instanceof HTMLInputElement)) area.current?.focus({ preventScroll: true })
  }
  const again = () => {
    setState("idle")
    void load(scroller.left.above <= scroller.left.below ? "earlier" : "later")
  }
  return { area, list, drawn, scroll, reveal, found, loading: { state, again }, scroller }
}

/** As long as a row is not measured: a line of text has some 60 letters. */
function guessedHeight(item: TimelineItem): number {
  switch (item.type) {
    case "day":
    case "unread":
      return 52
    case "notice":
    case "blocked":
      return 52
    case "message":
      return 40 + 24 * guessedLines(textOf(item.message.content))
    case "pending":
      return 60 + 24 * guessedLines(textOf(item.content))
    case "failed":
      return 60 + 24 * guessedLines(textOf(item.message.content))
  }
}

function guessedLines(text: string): number {
  return Math.min(30, Math.ceil(text.length / 60))
}

function Loading({ isAt, loading }: { readonly isAt: "earlier" | "later"; readonly loading: LoadState }) {
  const { state, again } = loading
  return (
    <div class={`loading-more is-${isAt}`} role="status">
      {state === "failed" ? (
        <>
          {words().messages.loadingFailed}{" "}
          <button type="button" class="text-button" onClick={again}>
            {words().messages.again}
          </button>
        </>
      ) : (
        words().messages.loading
      )}
    </div>
  )
}

function Beginning({ conversation, alone }: { readonly conversation: Conversation; readonly alone: boolean }) {
  if (conversation.status === "left") return null
  const { nobody, invite, inviteAfter, encrypted, compare } = words().messages
  return (
    <p class="beginning">
      {alone ? nobody : encrypted}{" "}
      <a
        href={addressOf({ conversation: conversation.id, group: true })}
        onClick={() => (alone ? focusPanel(true) : openMember())}
      >
        {alone ? invite : compare}
      </a>
      {alone ? inviteAfter : "."}
    </p>
  )
}
