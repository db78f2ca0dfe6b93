import { useId, useLayoutEffect, useRef, useState } from "preact/hooks"
import { type CodeKind, type Compared, compareCode, scannableText } from "../profile/codes.js"
import { partWords } from "../words/words.js"
import { Code, CopyButton } from "./code.js"
import { AlertIcon, ShieldIcon } from "./icons.js"
import { QrPicture } from "./qr-picture.js"
import { canScan, Scanner } from "./scanner.js"

export interface ComparingProps {
  readonly kind: CodeKind
  /** In groups, with spaces in between. */
  readonly code: string
  readonly label: string
  readonly testId: string
  /** There is one to be scanned only where the other side shows the same code. */
  readonly hasPicture: boolean
  readonly matched: string
  readonly mismatch: string
  readonly onCompared: (isMatch: boolean) => void
}

/** A code, and the ways to compare it with what somebody else has on their screen: by eye, by camera, by pasting. */
export function Comparing({ kind, code, label, testId, hasPicture, matched, mismatch, onCompared }: ComparingProps) {
  const [result, setResult] = useState<Compared>()
  const verdict = useRef<HTMLDivElement>(null)
  // On a phone the verdict comes below what can be seen.
  useLayoutEffect(() => {
    if (result !== undefined) verdict.current?.scrollIntoView({ block: "center" })
  }, [result])
  const [isScanning, setScanning] = useState(false)
  const [trouble, setTrouble] = useState(canScan() ? "" : partWords().compare.cannotScan)
  const check = (text: string) => {
    const compared = compareCode(text, { kind, code })
    setResult(compared)
    if (compared !== "match" && compared !== "mismatch") return
    setScanning(false)
    onCompared(compared === "match")
  }
  const failed = () => {
    setScanning(false)
    setTrouble(partWords().compare.noCamera)
  }
  return (
    <div class="comparing">
      <Code code={code} label={label} testId={testId} />
      {hasPicture && !isScanning && <QrPicture text={scannableText(kind, code)} label={partWords().compare.picture} />}
      {isScanning && <Scanner onFound={check} onFailed={failed} />}
      <div class="action-row">
        {canScan() && (
          <button type="button" class="button" aria-pressed={isScanning} onClick={() => setScanning(!isScanning)}>
            {isScanning ? partWords().compare.stopScanning : partWords().compare.scan}
          </button>
        )}
        {hasPicture && <CopyButton text={code} label={partWords().compare.copy} done={partWords().compare.copied} />}
      </div>
      {trouble !== "" && <p class="hint">{trouble}</p>}
      <Typed onCheck={check} />
      <div role="status" ref={verdict}>
        {result === "match" && (
          <p class="verdict verdict-good">
            <ShieldIcon /> {matched}
          </p>
        )}
        {result === "mismatch" && (
          <p class="verdict verdict-bad">
            <AlertIcon /> {mismatch}
          </p>
        )}
        {result === "notACode" && <p class="field-problem">{partWords().compare.notACode}</p>}
        {result === "wrongLength" && (
          <p class="field-problem">{partWords().compare.wrongLength(code.replaceAll(" ", "").length)}</p>
        )}
      </div>
    </div>
  )
}

function Typed({ onCheck }: { readonly onCheck: (text: string) => void }) {
  const [text, setText] = useState("")
  const id = useId()
  const submit = (event: Event) => {
    event.preventDefault()
    if (text.trim() !== "") onCheck(text)
  }
  return (
    <form class="typed" onSubmit={submit} noValidate>
      <label for={id}>{partWords().compare.typed}</label>
      <div class="field-row">
        <input
          id={id}
          class="input"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          inputMode="numeric"
          autocomplete="off"
          spellcheck={false}
        />
        <button type="submit" class="button">
          {partWords().compare.check}
        </button>
      </div>
    </form>
  )
}
