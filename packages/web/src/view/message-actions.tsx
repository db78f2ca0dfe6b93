import { useLayoutEffect, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { linksIn } from "../profile/rich-text.js"
import { words } from "../words/words.js"
import { MoreIcon } from "./icons.js"

export interface MessageActionsProps {
  readonly profile: Profile
  readonly text: string
  /** The one stop of the tab key among all messages; the arrow keys go to the others. */
  readonly isStop: boolean
}

const LINKS_SHOWN = 3

/** What can be done with a message; a menu, so that each has one stop only. */
export function MessageActions({ profile, text, isStop }: MessageActionsProps) {
  const [isOpen, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const close = () => {
    setOpen(false)
    button.current?.focus()
  }
  return (
    <span class="message-actions">
      <button
        type="button"
        class="message-more"
        ref={button}
        aria-label={words().messages.actions}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        tabIndex={isStop ? 0 : -1}
        data-roving
        onClick={() => setOpen(!isOpen)}
      >
        <MoreIcon />
      </button>
      {isOpen && <Menu profile={profile} text={text} onClose={close} onLeave={() => setOpen(false)} />}
    </span>
  )
}

interface MenuProps {
  readonly profile: Profile
  readonly text: string
  readonly onClose: () => void
  readonly onLeave: () => void
}

function Menu({ profile, text, onClose, onLeave }: MenuProps) {
  const menu = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => menu.current?.querySelector<HTMLElement>("[role='menuitem']")?.focus(), [])
  const copy = async (what: string) => {
    onClose()
    try {
      await navigator.clipboard.writeText(what)
      profile.say(words().messages.copied)
    } catch {
      profile.say(words().messages.copyFailed)
    }
  }
  const press = (event: KeyboardEvent) => {
    const items = [...(menu.current?.querySelectorAll<HTMLElement>("[role='menuitem']") ?? [])]
    const at = items.indexOf(document.activeElement as HTMLElement)
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (event.key === "Escape") onClose()
    else if (step === undefined) return
    else items[(at + step + items.length) % items.length]?.focus()
    event.preventDefault()
    // Nothing around it moves, or closes.
    event.stopPropagation()
  }
  const leave = ({ relatedTarget }: FocusEvent) => {
    if (!(relatedTarget instanceof Node) || menu.current?.contains(relatedTarget) !== true) onLeave()
  }
  return (
    <div class="menu" role="menu" aria-label={words().messages.actions} ref={menu} onKeyDown={press} onFocusOut={leave}>
      <button type="button" role="menuitem" tabIndex={-1} onClick={() => void copy(text)}>
        {words().messages.copy}
      </button>
      {linksIn(text)
        .slice(0, LINKS_SHOWN)
        .map(({ href, host }) => (
          <button key={href} type="button" role="menuitem" tabIndex={-1} onClick={() => void copy(href)}>
            {words().messages.copyLink(host)}
          </button>
        ))}
    </div>
  )
}
