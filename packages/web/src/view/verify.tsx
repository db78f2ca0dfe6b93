import type { Conversation } from "@conclave/client/browser"
import { useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { partWords, words } from "../words/words.js"
import { Comparing } from "./comparing.js"
import { Dialog } from "./dialog.js"
import { AlertIcon, ShieldIcon } from "./icons.js"

export interface VerifyProps {
  readonly profile: Profile
  readonly conversation: Conversation
  readonly name: string
  readonly onClose: () => void
}

/** To compare the safety code with somebody, and to mark them as verified. */
export function Verify({ profile, conversation: { id }, name, onClose }: VerifyProps) {
  const { headless } = profile
  const who = profile.called(name)
  const comparison = headless.comparison(id, name)
  const devices = headless.devices(id).get(name)?.length ?? 0
  const code = headless.safetyCode(id, name)
  const [differs, setDiffers] = useState(false)
  const done = useRef<HTMLButtonElement>(null)
  const mark = (isCompared: boolean) => {
    setDiffers(false)
    headless.setCompared(id, name, isCompared)
    // What was pressed is gone.
    done.current?.focus()
  }
  const compared = (isMatch: boolean) => {
    setDiffers(!isMatch)
    headless.setCompared(id, name, isMatch)
  }
  return (
    <Dialog title={partWords().compare.title(who)} onClose={onClose}>
      {comparison === "changed" && (
        <p class="verdict verdict-bad">
          <AlertIcon /> {words().trust.changedText(who)}
        </p>
      )}
      <p class="explanation">
        {partWords().compare.how(who)} {partWords().compare.devices(devices)}
      </p>
      <Comparing
        key={code}
        kind="SAFETY"
        code={code}
        label={partWords().compare.codeWith(who)}
        testId="safety-code"
        hasPicture
        matched={partWords().compare.matched(who)}
        mismatch={partWords().compare.mismatch(who)}
        onCompared={compared}
      />
      <div class="dialog-actions">
        {comparison === "compared" && (
          <>
            <p class="verified-text">
              <ShieldIcon /> {words().trust.isVerified(who)}
            </p>
            <button type="button" class="button" onClick={() => mark(false)}>
              {partWords().compare.unverify}
            </button>
          </>
        )}
        {/* The first, so that Enter pressed once too often does not say that two codes match which nobody has compared. */}
        <button type="button" class="button" data-first ref={done} onClick={onClose}>
          {comparison === "compared" ? partWords().settings.close : words().page.cancel}
        </button>
        {comparison !== "compared" && !differs && (
          <button type="button" class="button button-primary" onClick={() => mark(true)}>
            <ShieldIcon /> {partWords().compare.match}
          </button>
        )}
      </div>
    </Dialog>
  )
}
