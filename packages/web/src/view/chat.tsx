import type { Conversation } from "@conclave/client/browser"
import { useEffect, useRef } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { isolated, list, titleOf } from "../profile/words.js"
import { Composer } from "./composer.js"
import { BackIcon, Mark, TreeIcon } from "./icons.js"
import { MessageList } from "./message-list.js"
import { goTo } from "./route.js"

export interface ChatProps {
  readonly profile: Profile
  readonly conversation: Conversation | undefined
  readonly groupShown: boolean
}

export function Chat({ profile, conversation, groupShown }: ChatProps) {
  if (conversation === undefined) return <NothingChosen profile={profile} />
  return (
    <main class="chat-pane" aria-label="Conversation">
      <ChatHead profile={profile} conversation={conversation} groupShown={groupShown} />
      <MessageList profile={profile} conversation={conversation} />
      <Composer profile={profile} conversation={conversation} />
    </main>
  )
}

function ChatHead({ profile, conversation, groupShown }: ChatProps & { readonly conversation: Conversation }) {
  const { id, members, status, epoch } = conversation
  const others = members.filter((name) => name !== profile.name)
  const toggle = useRef<HTMLButtonElement>(null)
  const wasShown = useRef(groupShown)
  useEffect(() => {
    // Closing the panel gives the focus back to what opened it.
    if (wasShown.current && !groupShown) toggle.current?.focus()
    wasShown.current = groupShown
  }, [groupShown])
  return (
    <header class="pane-head chat-head">
      <button type="button" class="icon-button only-narrow" aria-label="All conversations" onClick={() => goTo({})}>
        <BackIcon />
      </button>
      <div class="chat-head-text">
        <h1>
          <bdi>{titleOf(conversation, profile)}</bdi>
        </h1>
        <p>
          {status === "left"
            ? "No longer a member"
            : others.length === 0
              ? "Only you"
              : list(["You", ...others.map((name) => profile.called(name))])}
        </p>
      </div>
      <button
        type="button"
        class="button button-quiet group-toggle"
        ref={toggle}
        aria-expanded={groupShown}
        onClick={() => goTo({ conversation: id, group: !groupShown })}
      >
        <TreeIcon />
        <span>Group</span>
        {status !== "left" && <span class="epoch-tag">epoch {epoch.toString()}</span>}
      </button>
    </header>
  )
}

function NothingChosen({ profile }: { readonly profile: Profile }) {
  return (
    <main class="chat-pane chat-nothing">
      <Mark size={56} />
      <h1>You are {profile.called(profile.name)}</h1>
      <p>
        {profile.client.conversations.size === 0
          ? `Create a conversation on the left, or give others your name, ${isolated(profile.name)}, so that they can add you to theirs.`
          : "Choose a conversation on the left, or create a new one."}
      </p>
    </main>
  )
}
