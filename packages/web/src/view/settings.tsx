import type { ComponentChildren } from "preact"
import { useId, useState } from "preact/hooks"
import { askForNotifications, notificationPermission } from "../page/notifications.js"
import { applyTheme, keepSettings, type Settings, type Theme } from "../page/settings.js"
import type { Profile } from "../profile/profile.js"
import { notificationProblem, settingsWords as words } from "../words/settings-words.js"
import { Check } from "./check.js"
import { Dialog } from "./dialog.js"
import { Forgetting } from "./forgetting.js"

export interface SettingsProps {
  readonly profile: Profile
  readonly onClose: () => void
  readonly onForget: () => void
}

/** What the user chooses for this browser. A part of the page that has something to choose adds a section. */
export function SettingsDialog({ profile, onClose, onForget }: SettingsProps) {
  const [settings, setSettings] = useState(profile.settings)
  const [forgetting, setForgetting] = useState(false)
  const change = (changes: Partial<Settings>) => {
    profile.settings = { ...settings, ...changes }
    keepSettings(profile.settings)
    applyTheme(profile.settings.theme)
    setSettings(profile.settings)
  }
  if (forgetting) return <Forgetting profile={profile} onClose={() => setForgetting(false)} onForget={onForget} />
  return (
    <Dialog title={words.title} onClose={onClose}>
      <ThemeSection theme={settings.theme} onChange={(theme) => change({ theme })} />
      <NotificationSection settings={settings} onChange={change} />
      <Section title={words.device}>
        <div class="setting-action">
          <p class="hint">{words.forgetHint}</p>
          <button type="button" class="button button-danger-quiet" onClick={() => setForgetting(true)}>
            {words.forget}
          </button>
        </div>
      </Section>
      <div class="dialog-actions">
        <button type="button" class="button button-primary" onClick={onClose}>
          {words.close}
        </button>
      </div>
    </Dialog>
  )
}

function Section({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  const id = useId()
  return (
    <section class="setting" aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      {children}
    </section>
  )
}

interface ThemeSectionProps {
  readonly theme: Theme
  readonly onChange: (theme: Theme) => void
}

function ThemeSection({ theme, onChange }: ThemeSectionProps) {
  const name = useId()
  return (
    <fieldset class="setting">
      <legend>{words.theme}</legend>
      <div class="choices">
        {(Object.keys(words.themes) as Theme[]).map((it) => (
          <label key={it} class="choice">
            <input type="radio" name={name} value={it} checked={it === theme} onChange={() => onChange(it)} />
            <span>{words.themes[it]}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}

interface NotificationSectionProps {
  readonly settings: Settings
  readonly onChange: (changes: Partial<Settings>) => void
}

function NotificationSection({ settings, onChange }: NotificationSectionProps) {
  const [permission, setPermission] = useState(notificationPermission)
  const problem = notificationProblem(permission)
  const notifies = settings.notifies && permission === "granted"
  const toggle = async (isWanted: boolean) => {
    if (!isWanted) return onChange({ notifies: false })
    const answer = await askForNotifications()
    setPermission(answer)
    onChange({ notifies: answer === "granted" })
  }
  return (
    <Section title={words.notifications}>
      <Check
        label={words.notify}
        hint={problem ?? words.notifyHint}
        isChecked={notifies}
        isDisabled={problem !== undefined}
        onChange={(isWanted) => void toggle(isWanted)}
      />
      <Check
        label={words.contents}
        hint={words.contentsHint}
        isChecked={notifies && settings.showsContents}
        isDisabled={!notifies}
        onChange={(showsContents) => onChange({ showsContents })}
      />
    </Section>
  )
}
