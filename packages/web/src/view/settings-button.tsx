import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"
import { SettingsIcon } from "./icons.js"
import { part } from "./part.js"

const SettingsDialog = part(() => import("./settings.js").then((it) => it.SettingsDialog))

export interface SettingsButtonProps {
  readonly profile: Profile
  readonly onForget: () => void
}

export function SettingsButton({ profile, onForget }: SettingsButtonProps) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <button type="button" class="icon-button" aria-label={words().list.openSettings} onClick={() => setOpen(true)}>
        <SettingsIcon />
      </button>
      {isOpen && <SettingsDialog profile={profile} onForget={onForget} onClose={() => setOpen(false)} />}
    </>
  )
}
