import type { ComponentChildren } from "preact"
import { useId, useState } from "preact/hooks"
import { askForNotifications, notificationPermission } from "../page/notifications.js"
import {
  applyLanguage,
  applyTheme,
  type ChosenLanguage,
  keepSettings,
  type Settings,
  type Theme,
} from "../page/settings.js"
import type { Profile } from "../profile/profile.js"
import { partWords } from "../words/words.js"
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
  const [isMissing, setMissing] = useState(false)
  const [forgetting, setForgetting] = useState(false)
  const said = partWords().settings
  const change = (changes: Partial<Settings>) => {
    profile.settings = { ...settings, ...changes }
    keepSettings(profile.settings)
    applyTheme(profile.settings.theme)
    if (changes.language !== undefined) {
      applyLanguage(changes.language).then(
        () => setMissing(false),
        () => setMissing(true),
      )
    }
    setSettings(profile.settings)
  }
  if (forgetting) return <Forgetting profile={profile} onClose={() => setForgetting(false)} onForget={onForget} />
  return (
    <Dialog title={said.title} onClose={onClose}>
      <Choices<Theme>
        title={said.theme}
        labels={said.themes}
        chosen={settings.theme}
        onChange={(theme) => change({ theme })}
      />
      <Choices<ChosenLanguage>
        title={said.language}
        labels={said.languages}
        chosen={settings.language}
        problem={isMissing ? said.languageMissing : undefined}
        onChange={(language) => change({ language })}
      />
      <NotificationSection settings={settings} onChange={change} />
      <Section title={said.device}>
        <div class="setting-action">
          <p class="hint">{said.forgetHint}</p>
          <button type="button" class="button button-danger-quiet" onClick={() => setForgetting(true)}>
            {said.forget}
          </button>
        </div>
      </Section>
      <div class="dialog-actions">
        <button type="button" class="button button-primary" onClick={onClose}>
          {said.close}
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

interface ChoicesProps<Choice extends string> {
  readonly title: string
  /** In the order in which they are offered. */
  readonly labels: Readonly<Record<Choice, string>>
  readonly chosen: Choice
  readonly problem?: string | undefined
  readonly onChange: (choice: Choice) => void
}

function Choices<Choice extends string>({ title, labels, chosen, problem, onChange }: ChoicesProps<Choice>) {
  const name = useId()
  return (
    <fieldset class="setting">
      <legend>{title}</legend>
      <div class="choices">
        {(Object.keys(labels) as Choice[]).map((it) => (
          <label key={it} class="choice">
            <input type="radio" name={name} value={it} checked={it === chosen} onChange={() => onChange(it)} />
            <span>{labels[it]}</span>
          </label>
        ))}
      </div>
      {problem !== undefined && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  )
}

interface NotificationSectionProps {
  readonly settings: Settings
  readonly onChange: (changes: Partial<Settings>) => void
}

function NotificationSection({ settings, onChange }: NotificationSectionProps) {
  const [permission, setPermission] = useState(notificationPermission)
  const problem = permission === "unsupported" || permission === "denied" ? partWords().settings[permission] : undefined
  const notifies = settings.notifies && permission === "granted"
  const toggle = async (isWanted: boolean) => {
    if (!isWanted) return onChange({ notifies: false })
    const answer = await askForNotifications()
    setPermission(answer)
    onChange({ notifies: answer === "granted" })
  }
  return (
    <Section title={partWords().settings.notifications}>
      <Check
        label={partWords().settings.notify}
        hint={problem ?? partWords().settings.notifyHint}
        isChecked={notifies}
        isDisabled={problem !== undefined}
        onChange={(isWanted) => void toggle(isWanted)}
      />
      <Check
        label={partWords().settings.contents}
        hint={partWords().settings.contentsHint}
        isChecked={notifies && settings.showsContents}
        isDisabled={!notifies}
        onChange={(showsContents) => onChange({ showsContents })}
      />
    </Section>
  )
}
