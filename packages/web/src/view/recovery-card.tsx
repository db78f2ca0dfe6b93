import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { isolated } from "../profile/words.js"
import { partWords } from "../words/words.js"
import { RecoveryDialog } from "./recovery-dialog.js"
import type { Own } from "./use-own.js"

/** Whether the user's name has a recovery key, and the way to one. */
export function RecoveryCard({ profile, own }: { readonly profile: Profile; readonly own: Own }) {
  const [isOpen, setOpen] = useState(false)
  const [isDone, setDone] = useState(false)
  // It goes on where the dialog is closed meanwhile: a second key beside it would be on a paper that is worth nothing.
  const [isSetting, setSetting] = useState(false)
  const { listed, ask } = own
  const said = partWords().recovery
  const hasOne = typeof listed !== "string" && listed.hasRecovery
  const isOldest =
    typeof listed !== "string" && listed.devices.find(({ revoked }) => revoked === undefined)?.isThisDevice === true
  const bind = async (text: string, before: string) => {
    setDone(false)
    setSetting(true)
    try {
      await profile.client.recovery.set(text, hasOne ? { replaces: before } : {})
      setOpen(false)
      setDone(true)
    } finally {
      setSetting(false)
      ask()
    }
  }
  return (
    <section class="card" aria-labelledby="you-recovery">
      <div class="card-head">
        <h2 id="you-recovery">{said.title}</h2>
      </div>
      <p class="explanation">{said.text}</p>
      {/* Why there is no list is said with the devices. */}
      {typeof listed !== "string" && (
        <>
          <p class="explanation">
            <strong>{hasOne ? said.has : said.hasNone}</strong> {hasOne && said.hasText(isolated(profile.name))}
          </p>
          {hasOne || isOldest ? (
            <div class="action-row">
              <button type="button" class="button" disabled={isSetting} onClick={() => setOpen(true)}>
                {isSetting ? said.setting : hasOne ? said.replace : said.make}
              </button>
            </div>
          ) : (
            <p class="hint">{said.notOldest}</p>
          )}
        </>
      )}
      <p class="field-good" role="status">
        {isDone ? said.done : ""}
      </p>
      {isOpen && <RecoveryDialog profile={profile} replaces={hasOne} bind={bind} onClose={() => setOpen(false)} />}
    </section>
  )
}
