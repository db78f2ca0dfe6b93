import { useEffect } from "preact/hooks"
import type { Versions } from "../page/versions.js"
import type { Profile } from "../profile/profile.js"
import { titleOf } from "../profile/words.js"
import { words } from "../words/words.js"
import { Alerts } from "./alerts.js"
import { Chat } from "./chat.js"
import { ConversationList } from "./conversation-list.js"
import { FilesRefused } from "./files-refused.js"
import { GroupPanel } from "./group-panel.js"
import { LineBanner } from "./line.js"
import { NewVersion } from "./new-version.js"
import { part } from "./part.js"
import { useRoute } from "./route.js"
import { Broken } from "./start.js"
import { useProfile } from "./use-profile.js"

const InvitationPane = part(() => import("./invitation-pane.js").then((it) => it.InvitationPane))
const Inspector = part(() => import("./inspector.js").then((it) => it.Inspector))
const You = part(() => import("./you.js").then((it) => it.You))

export interface ShellProps {
  readonly profile: Profile
  readonly versions: Versions
  /** How often files were dropped or pasted. */
  readonly filesRefused: number
  readonly onForget: () => void
}

/** The page of somebody who has a name: conversations, the one in front, and its group. */
export function Shell({ profile, versions, filesRefused, onForget }: ShellProps) {
  useProfile(profile)
  const route = useRoute()
  const conversation =
    route.conversation === undefined ? undefined : profile.client.conversations.get(route.conversation)
  const id = conversation?.id
  useEffect(() => profile.headless.show(id), [profile, id])
  useDocumentTitle(profile, conversation === undefined ? undefined : titleOf(conversation, profile))
  const { isClosed, fault, isFull } = profile.headless.getSnapshot()
  if (isClosed) return <Broken reason={words().page.taken} />
  const isInvited = conversation?.status === "invited"
  const isBeside = (route.group || route.inspector) && !isInvited
  const view = route.you ? "you" : conversation === undefined ? "list" : isBeside ? "group" : "chat"
  return (
    <div class="page">
      {fault !== undefined && (
        <p class="banner banner-danger" role="alert">
          {isFull ? words().page.full : words().page.notKept(fault)}
        </p>
      )}
      <Alerts profile={profile} />
      <LineBanner profile={profile} />
      <NewVersion versions={versions} />
      <FilesRefused count={filesRefused} />
      <div class="shell" data-view={view}>
        <ConversationList profile={profile} selected={id} isShown={view === "list"} onForget={onForget} />
        {route.you ? (
          <You profile={profile} />
        ) : isInvited ? (
          <InvitationPane key={`invitation ${id}`} profile={profile} conversation={conversation} />
        ) : (
          <Chat key={id ?? "none"} profile={profile} conversation={conversation} groupShown={isBeside} />
        )}
        {conversation !== undefined &&
          !isInvited &&
          (route.inspector ? (
            <Inspector key={`inspector ${id}`} profile={profile} conversation={conversation} />
          ) : (
            <GroupPanel key={`group ${id}`} profile={profile} conversation={conversation} />
          ))}
      </div>
      <div class="visually-hidden" aria-live="polite" data-testid="announcement">
        {profile.announcement}
      </div>
    </div>
  )
}

function useDocumentTitle(profile: Profile, title: string | undefined): void {
  const { unread } = profile.headless.getSnapshot()
  const text = `${unread > 0 ? `(${unread}) ` : ""}${title === undefined ? "" : `${title} – `}Conclave`
  useEffect(() => {
    document.title = text
  }, [text])
}
