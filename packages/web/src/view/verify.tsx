import type { Conversation } from "@conclave/client/browser"
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
  const mark = (isCompared: boolean) => headless.setCompared(id, name, isCompared)
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
        onCompared={mark}
      />
      <div class="dialog-actions">
        {comparison === "compared" ? (
          <>
            <p class="verified-text">
              <ShieldIcon /> {words().trust.isVerified(who)}
            </p>
            <button type="button" class="button" data-first onClick={() => mark(false)}>
              {partWords().compare.unverify}
            </button>
          </>
        ) : (
          <button type="button" class="button button-primary" data-first onClick={() => mark(true)}>
            <ShieldIcon /> {partWords().compare.match}
          </button>
        )}
      </div>
    </Dialog>
  )
}
