import type { Conversation } from "@conclave/client/browser"
import { useEffect, useId, useState } from "preact/hooks"
import { namesProblem, typedNames } from "../profile/chosen-name.js"
import type { Profile } from "../profile/profile.js"
import { listOf, problem, titleOf } from "../profile/words.js"
import { words } from "../words/words.js"
import { Confirmation } from "./dialog.js"
import { BackIcon, KeyIcon, LeaveIcon, TreeIcon } from "./icons.js"
import { Keeping } from "./keeping.js"
import { Members } from "./members.js"
import { focusPanel } from "./panel-ways.js"
import { addressOf, goTo, useRoute } from "./route.js"
import { useAlone } from "./use-alone.js"

export interface GroupPanelProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

export function GroupPanel({ profile, conversation }: GroupPanelProps) {
  const { id, members, status } = conversation
  const { group } = useRoute()
  const isAlone = useAlone(group)
  const isIn = status !== "left" && status !== "lost" && status !== "stopped" && status !== "continued"
  const hasKeys = isIn && status !== "leaving"
  useEffect(() => {
    if (group) focusPanel(isIn && members.length < 2)
  }, [group])
  const close = () => goTo({ conversation: id })
  const press = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !group || event.defaultPrevented) return
    // A dialog that is open inside closes first, by itself.
    if (document.querySelector("dialog[open]") === null) close()
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it has a role, one of two.
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both have a label.
    <div
      class="group-pane"
      role={isAlone ? "main" : "complementary"}
      aria-label={words().members.panel}
      onKeyDown={press}
    >
      <div class="pane-head group-head">
        <button type="button" class="icon-button only-overlaid" aria-label={words().members.back} onClick={close}>
          <BackIcon />
        </button>
        {isAlone && <h1 class="visually-hidden">{titleOf(conversation, profile)}</h1>}
        <h2 tabIndex={-1}>{words().members.panel}</h2>
      </div>
      <div class="group-cards">
        {isIn && (
          <>
            {hasKeys && <Invitation profile={profile} conversation={conversation} />}
            <Members profile={profile} conversation={conversation} />
            {hasKeys && <Rename conversation={conversation} />}
          </>
        )}
        <Keeping profile={profile} conversation={conversation} />
        {hasKeys && <Renewal profile={profile} conversation={conversation} />}
        <Inside id={id} />
        {hasKeys && <Leave profile={profile} conversation={conversation} />}
      </div>
    </div>
  )
}

/** The way to what is inside, for those who want to see it. */
function Inside({ id }: { readonly id: string }) {
  return (
    <section class="card actions" aria-label={words().members.inside}>
      <p class="hint">{words().members.insideText}</p>
      <div class="action-row">
        <a class="button" href={addressOf({ conversation: id, inspector: true })}>
          <TreeIcon /> {words().members.look}
        </a>
      </div>
    </section>
  )
}

/** What was done is in the list of members by then. */
const DONE_MILLISECONDS = 6_000

function Invitation({ profile, conversation }: GroupPanelProps) {
  const [text, setText] = useState("")
  const [outcome, setOutcome] = useState<{ readonly good: boolean; readonly words: string }>()
  const [waiting, setWaiting] = useState(false)
  const ids = { field: useId(), hint: useId() }
  useEffect(() => {
    if (outcome?.good !== true) return
    const timer = setTimeout(() => setOutcome(undefined), DONE_MILLISECONDS)
    return () => clearTimeout(timer)
  }, [outcome])
  const change = (value: string) => {
    setText(value)
    setOutcome(undefined)
  }
  const submit = async (event: Event) => {
    event.preventDefault()
    const names = typedNames(text)
    const wrong = namesProblem(names)
    if (names.length === 0) return setOutcome({ good: false, words: words().members.inviteNobody })
    if (wrong !== undefined) return setOutcome({ good: false, words: wrong })
    const present = names.filter((name) => conversation.members.includes(name))
    if (present.length === names.length) {
      return setOutcome({
        good: false,
        words: words().members.present(listOf(present, profile), present.length === 1),
      })
    }
    setOutcome(undefined)
    setWaiting(true)
    try {
      await conversation.invite(...names)
      setText("")
      setOutcome({ good: true, words: words().members.added(listOf(names, profile)) })
    } catch (error) {
      const why = problem(error, { names })
      // All of them are invited, or none.
      setOutcome({ good: false, words: names.length > 1 ? `${why} ${words().members.nobodyAdded}` : why })
    } finally {
      setWaiting(false)
    }
  }
  return (
    <form class="card invitation" onSubmit={(event) => void submit(event)} noValidate>
      <label for={ids.field}>{words().members.invite}</label>
      <div class="field-row">
        <input
          id={ids.field}
          class="input"
          value={text}
          onInput={(event) => change(event.currentTarget.value)}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby={ids.hint}
          aria-invalid={outcome?.good === false}
        />
        <button type="submit" class="button" disabled={waiting}>
          {waiting ? words().members.adding : words().members.inviteAction}
        </button>
      </div>
      <p
        class={outcome === undefined ? "hint" : outcome.good ? "field-good" : "field-problem"}
        id={ids.hint}
        role="status"
      >
        {outcome?.words ?? (waiting && isOffline(profile) ? words().members.waiting : words().members.inviteHint)}
      </p>
    </form>
  )
}

const isOffline = ({ client }: Profile) => client.line.state === "offline"

function Renewal({ profile, conversation }: GroupPanelProps) {
  const [refreshing, setRefreshing] = useState(false)
  const [outcome, setOutcome] = useState("")
  useEffect(() => {
    if (outcome !== words().members.renewed) return
    const timer = setTimeout(() => setOutcome(""), DONE_MILLISECONDS)
    return () => clearTimeout(timer)
  }, [outcome])
  const refresh = async () => {
    setRefreshing(true)
    setOutcome("")
    try {
      await conversation.refresh()
      setOutcome(words().members.renewed)
    } catch (error) {
      setOutcome(problem(error))
    } finally {
      setRefreshing(false)
    }
  }
  return (
    <section class="card actions" aria-label={words().members.keys}>
      <div class="action-row">
        <button type="button" class="button" disabled={refreshing} onClick={() => void refresh()}>
          <KeyIcon /> {refreshing ? words().members.renewing : words().members.renew}
        </button>
      </div>
      <p class="hint" role="status">
        {outcome || (refreshing && isOffline(profile) ? words().members.waiting : words().members.renewHint)}
      </p>
    </section>
  )
}

/** The last thing in the panel: nobody comes by it on the way to another. */
function Leave({ profile, conversation }: GroupPanelProps) {
  const [leaving, setLeaving] = useState(false)
  const [trouble, setTrouble] = useState("")
  const leave = () => {
    setLeaving(false)
    conversation.leave().then(
      () => {
        // Where there is room for one thing only, the conversation says that one has left.
        if (location.hash === addressOf({ conversation: conversation.id, group: true })) {
          goTo({ conversation: conversation.id })
        }
      },
      (error: unknown) => setTrouble(problem(error)),
    )
  }
  return (
    <section class="group-end" aria-label={words().members.leave}>
      <button type="button" class="button button-danger-quiet" onClick={() => setLeaving(true)}>
        <LeaveIcon /> {words().members.leave}
      </button>
      {trouble !== "" && (
        <p class="field-problem" role="alert">
          {trouble}
        </p>
      )}
      {leaving && (
        <Confirmation
          title={words().members.leaveTitle(titleOf(conversation, profile))}
          action={words().members.leave}
          onConfirm={leave}
          onClose={() => setLeaving(false)}
        >
          {words().members.leaveText}
        </Confirmation>
      )}
    </section>
  )
}

function Rename({ conversation }: { readonly conversation: Conversation }) {
  const [text, setText] = useState<string>()
  const [trouble, setTrouble] = useState("")
  const fieldId = useId()
  const submit = async (event: Event) => {
    event.preventDefault()
    const title = text?.trim() ?? conversation.title
    if (title === "" || title === conversation.title) return setText(undefined)
    setTrouble("")
    try {
      await conversation.setTitle(title)
      setText(undefined)
    } catch (error) {
      setTrouble(problem(error))
    }
  }
  return (
    <form class="card rename" onSubmit={(event) => void submit(event)} noValidate>
      <label for={fieldId}>{words().members.rename}</label>
      <div class="field-row">
        <input
          id={fieldId}
          class="input"
          value={text ?? conversation.title}
          onInput={(event) => setText(event.currentTarget.value)}
          maxLength={80}
          autocomplete="off"
          dir="auto"
        />
        <button type="submit" class="button" disabled={text === undefined || text.trim() === conversation.title}>
          {words().members.renameAction}
        </button>
      </div>
      {trouble !== "" && (
        <p class="field-problem" role="alert">
          {trouble}
        </p>
      )}
    </form>
  )
}
