import type { ComponentChildren } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { askedGroups, groupsOf, isSameGroup } from "../profile/recovery-key.js"
import { isolated } from "../profile/words.js"
import { list, partWords } from "../words/words.js"
import { Dialog } from "./dialog.js"
import { KeyField, recoveryProblem, useTypedKey, WholeKeyField } from "./recovery-field.js"

export interface RecoveryDialogProps {
  readonly profile: Profile
  /** The name has one already, which has to be typed first. */
  readonly replaces: boolean
  /** Resolves when it is the key of the name; `before` is the one that it replaces. */
  readonly bind: (text: string, before: string) => Promise<void>
  readonly onClose: () => void
}

type Step = "before" | "write" | "check"

/** Makes a recovery key: shows it, lets the person write it down, asks for three of its groups, and binds it only then. */
export function RecoveryDialog({ profile, replaces, bind, onClose }: RecoveryDialogProps) {
  const said = partWords().recovery
  const [step, setStep] = useState<Step>(replaces ? "before" : "write")
  const before = useRef("")
  // In memory as long as this dialog is open, and nowhere else.
  const [text] = useState(() => profile.client.recovery.make())
  const next = (typed: string) => {
    before.current = typed
    setStep("write")
  }
  const title = replaces ? said.replaceTitle : said.make
  return (
    <Dialog title={title} onClose={onClose}>
      {step === "before" && <Before onNext={next} />}
      {step === "write" && <Sheet profile={profile} text={text} onNext={() => setStep("check")} />}
      {step === "check" && (
        <Check
          text={text}
          bind={() => bind(text, before.current)}
          replaces={replaces}
          onAgain={() => setStep("write")}
        />
      )}
    </Dialog>
  )
}

function Before({ onNext }: { readonly onNext: (typed: string) => void }) {
  const said = partWords().recovery
  const typed = useTypedKey()
  const submit = (event: Event) => {
    event.preventDefault()
    onNext(typed.read())
  }
  return (
    <form onSubmit={submit} noValidate>
      <WholeKeyField label={said.before} typed={typed} trouble="" />
      <div class="dialog-actions">
        <button type="submit" class="button button-primary" disabled={typed.isEmpty}>
          {said.next}
        </button>
      </div>
    </form>
  )
}

interface SheetProps {
  readonly profile: Profile
  readonly text: string
  readonly onNext: () => void
}

/** What is printed is this alone. */
function Sheet({ profile, text, onNext }: SheetProps) {
  const said = partWords().recovery
  const { host, pathname } = location
  const next = useRef<HTMLButtonElement>(null)
  useEffect(() => next.current?.focus(), [])
  return (
    <>
      <p class="explanation">{said.write}</p>
      {/* No service that translates pages reads it. */}
      <div class="recovery-sheet" translate={false}>
        <p class="only-printed">
          <strong>{said.sheetTitle(isolated(profile.name))}</strong>
        </p>
        <ol class="code recovery-code" aria-label={said.key} data-testid="recovery-key">
          {groupsOf(text).map((group, at) => (
            <li key={at}>{group}</li>
          ))}
        </ol>
        <p class="only-printed">{said.sheetText(`${host}${pathname}`)}</p>
      </div>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={() => print()}>
          {said.print}
        </button>
        <button type="button" class="button button-primary" ref={next} onClick={onNext}>
          {said.written}
        </button>
      </div>
    </>
  )
}

interface CheckProps {
  readonly text: string
  readonly replaces: boolean
  readonly bind: () => Promise<void>
  readonly onAgain: () => void
}

function Check({ text, replaces, bind, onAgain }: CheckProps) {
  const said = partWords().recovery
  const groups = groupsOf(text)
  const [asked] = useState(() => askedGroups(groups.length, (length) => crypto.getRandomValues(new Uint8Array(length))))
  const [typed, setTyped] = useState<readonly string[]>(asked.map(() => ""))
  const [trouble, setTrouble] = useState("")
  const [isSetting, setSetting] = useState(false)
  const id = useId()
  const submit = async (event: Event) => {
    event.preventDefault()
    const wrong = asked.filter((at, index) => !isSameGroup(typed[index]!, groups[at]!))
    if (wrong.length > 0) return setTrouble(said.wrong(list(wrong.map((at) => `${at + 1}`))))
    setTrouble("")
    setSetting(true)
    try {
      await bind()
    } catch (error) {
      setTrouble(recoveryProblem(error, replaces))
      setSetting(false)
    }
  }
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <p class="explanation">{said.check}</p>
      <div class="recovery-check">
        {asked.map((at, index) => (
          <Field key={at} label={said.group(at + 1)}>
            {(field) => (
              <KeyField
                id={field}
                value={typed[index]!}
                onInput={(value) => setTyped(typed.map((it, other) => (other === index ? value : it)))}
                describedBy={trouble === "" ? undefined : id}
                isFirst={index === 0}
              />
            )}
          </Field>
        ))}
      </div>
      {trouble !== "" && (
        <p class="field-problem" id={id} role="alert">
          {trouble}
        </p>
      )}
      <div class="dialog-actions">
        <button type="button" class="button" disabled={isSetting} onClick={onAgain}>
          {said.again}
        </button>
        <button type="submit" class="button button-primary" disabled={isSetting}>
          {isSetting ? said.setting : said.set}
        </button>
      </div>
    </form>
  )
}

function Field({ label, children }: { readonly label: string; readonly children: (id: string) => ComponentChildren }) {
  const id = useId()
  return (
    <div>
      <label for={id}>{label}</label>
      {children(id)}
    </div>
  )
}
