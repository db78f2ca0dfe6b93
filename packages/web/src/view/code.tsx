import { useEffect, useState } from "preact/hooks"

/** Digits in groups, large enough to be read to somebody. */
export function Code({
  code,
  label,
  testId,
}: {
  readonly code: string
  readonly label: string
  readonly testId: string
}) {
  return (
    <ol class="code" aria-label={label} data-testid={testId}>
      {code.split(" ").map((group, at) => (
        <li key={at}>{group}</li>
      ))}
    </ol>
  )
}

interface CopyButtonProps {
  readonly text: string
  readonly label: string
  readonly done: string
}

const DONE_MILLISECONDS = 2_000

export function CopyButton({ text, label, done }: CopyButtonProps) {
  const [isDone, setDone] = useState(false)
  useEffect(() => {
    if (!isDone) return
    const timer = setTimeout(() => setDone(false), DONE_MILLISECONDS)
    return () => clearTimeout(timer)
  }, [isDone])
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setDone(true),
      () => {},
    )
  return (
    <button type="button" class="button" onClick={() => void copy()}>
      <span aria-live="polite">{isDone ? done : label}</span>
    </button>
  )
}
