import type { Conversation } from "@conclave/client/browser"
import type { RefObject } from "preact"
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { isolated, titleOf } from "../profile/words.js"
import { list, words } from "../words/words.js"
import { Composer } from "./composer.js"
import { HeaderTrust } from "./header-trust.js"
import { BackIcon, Mark, PeopleIcon, SearchIcon } from "./icons.js"
import { MessageList } from "./message-list.js"
import { part } from "./part.js"
import { goTo, useRoute } from "./route.js"

const FindBar = part(() => import("./find-bar.js").then((it) => it.FindBar))

export interface ChatProps {
  readonly profile: Profile
  readonly conversation: Conversation | undefined
  readonly groupShown: boolean
}

export function Chat({ profile, conversation, groupShown }: ChatProps) {
  if (conversation === undefined) return <NothingChosen profile={profile} />
  return <OpenChat profile={profile} conversation={conversation} groupShown={groupShown} />
}

type OpenChatProps = ChatProps & { readonly conversation: Conversation }

function OpenChat({ profile, conversation, groupShown }: OpenChatProps) {
  const { message } = useRoute()
  const [finding, setFinding] = useState(false)
  const [found, setFound] = useState<{ readonly seq: number }>()
  const linked = useMemo(() => (message === undefined ? undefined : { seq: message }), [message])
  const head = useRef<HTMLElement>(null)
  useEffect(() => setFound(undefined), [linked])
  const pane = useRef<HTMLElement>(null)
  /** What is typed while the find bar is on its way. */
  const early = useRef<string | undefined>(undefined)
  useEffect(() => {
    // What is drawn is not all that is here: the browser's own search would miss the rest. Pressed in the field, it is the browser's.
    const press = (event: KeyboardEvent) => {
      const isSign = event.key.length === 1 && !event.ctrlKey && !event.metaKey
      if (isSign && early.current !== undefined && pane.current?.querySelector(":scope > .part-missing") === null) {
        event.preventDefault()
        early.current += event.key
      }
      if (event.key.toLowerCase() !== "f" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return
      const field = pane.current?.querySelector<HTMLInputElement>(".find-bar input")
      const isHere = pane.current?.checkVisibility() === true && document.querySelector("dialog[open]") === null
      if (!isHere || (field != null && field === document.activeElement)) return
      event.preventDefault()
      if (field == null) early.current = ""
      setFinding(true)
      field?.focus()
      field?.select()
    }
    addEventListener("keydown", press)
    return () => removeEventListener("keydown", press)
  }, [])
  const close = () => {
    early.current = undefined
    setFinding(false)
    head.current?.querySelector<HTMLElement>(".find-toggle")?.focus()
  }
  return (
    <main class="chat-pane" aria-label={words().chat.conversation} ref={pane}>
      <ChatHead
        profile={profile}
        conversation={conversation}
        groupShown={groupShown}
        head={head}
        finding={finding}
        onFind={() => (finding ? close() : setFinding(true))}
      />
      {finding && (
        <FindBar profile={profile} conversation={conversation} early={early} onFound={setFound} onClose={close} />
      )}
      <MessageList profile={profile} conversation={conversation} target={found ?? linked} />
      <Composer profile={profile} conversation={conversation} />
    </main>
  )
}

type ChatHeadProps = OpenChatProps & {
  readonly head: RefObject<HTMLElement | null>
  readonly finding: boolean
  readonly onFind: () => void
}

function ChatHead({ profile, conversation, groupShown, head, finding, onFind }: ChatHeadProps) {
  const { id, members, status } = conversation
  const others = members.filter((name) => name !== profile.name)
  const toggle = useRef<HTMLButtonElement>(null)
  const wasShown = useRef(groupShown)
  useEffect(() => {
    // Closing the panel gives the focus back to what opened it.
    if (wasShown.current && !groupShown) toggle.current?.focus()
    wasShown.current = groupShown
  }, [groupShown])
  return (
    <header class="pane-head chat-head" ref={head}>
      <button type="button" class="icon-button only-narrow" aria-label={words().chat.all} onClick={() => goTo({})}>
        <BackIcon />
      </button>
      <div class="chat-head-text">
        <h1>
          <bdi>{titleOf(conversation, profile)}</bdi>
          <HeaderTrust profile={profile} conversation={conversation} />
        </h1>
        <p>
          {status === "left"
            ? words().chat.noMember
            : others.length === 0
              ? words().chat.onlyYou
              : list([words().chat.you, ...others.map((name) => profile.called(name))])}
        </p>
      </div>
      <button
        type="button"
        class="icon-button find-toggle"
        aria-label={words().chat.find}
        aria-pressed={finding}
        onClick={onFind}
      >
        <SearchIcon />
      </button>
      <button
        type="button"
        class="button button-quiet group-toggle"
        ref={toggle}
        aria-expanded={groupShown}
        onClick={() => goTo({ conversation: id, group: !groupShown })}
      >
        <PeopleIcon />
        <span class="group-toggle-text">{words().members.panel}</span>
      </button>
    </header>
  )
}

function NothingChosen({ profile }: { readonly profile: Profile }) {
  return (
    <main class="chat-pane chat-nothing">
      <Mark size={56} />
      <h1>{words().chat.youAre(profile.called(profile.name))}</h1>
      <p>
        {profile.client.conversations.size === 0 ? words().chat.begin(isolated(profile.name)) : words().chat.choose}
      </p>
    </main>
  )
}
