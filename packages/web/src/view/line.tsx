import type { Client } from "@conclave/client/browser"
import { useEffect, useState } from "preact/hooks"
import { lineWords } from "../profile/line-words.js"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"
import { AlertIcon, ClockIcon } from "./icons.js"

/** What is over so soon is not worth a word: a stream that broke is opened again at once. */
const TROUBLE_MILLISECONDS = 3_000
const TRYING_MILLISECONDS = 2_000

/** How news come, in two words. A page that has just begun is connecting, not offline. */
export function Connection({ client }: { readonly client: Client }) {
  const { state } = client.line
  const isSettled = useHeld(state !== "connected", TROUBLE_MILLISECONDS)
  const shown = state === "offline" && !isSettled ? "connecting" : state
  return (
    <span class="connection" role="status" data-state={shown}>
      <span class="connection-dot" aria-hidden="true" />
      {words().line[shown]}
    </span>
  )
}

/** Why news do not come at once. The element stays, so that what appears in it is said. */
export function LineBanner({ profile }: { readonly profile: Profile }) {
  const { line } = profile.client
  const isTrouble = useHeld(line.state !== "connected", TROUBLE_MILLISECONDS)
  return (
    <div role="status">
      {line.state !== "connected" && isTrouble && (
        <div class={line.state === "polling" ? "banner banner-quiet" : "banner banner-warning"}>
          {line.state === "polling" ? <ClockIcon /> : <AlertIcon />}
          <span>{lineWords(line, location.origin)}</span>
          <TryNow client={profile.client} />
        </div>
      )}
    </div>
  )
}

function TryNow({ client }: { readonly client: Client }) {
  const [trying, setTrying] = useState(0)
  useEffect(() => {
    if (trying === 0) return
    const timer = setTimeout(() => setTrying(0), TRYING_MILLISECONDS)
    return () => clearTimeout(timer)
  }, [trying])
  const tryNow = () => {
    client.reconnect()
    setTrying(trying + 1)
  }
  // It keeps the focus, which a disabled one would lose.
  return (
    <button type="button" class="button" aria-disabled={trying > 0} onClick={tryNow}>
      {trying > 0 ? words().line.trying : words().line.tryNow}
    </button>
  )
}

/** Whether something has been so for so long without a break. */
function useHeld(isSo: boolean, milliseconds: number): boolean {
  const [isHeld, setHeld] = useState(false)
  useEffect(() => {
    setHeld(false)
    if (!isSo) return
    const timer = setTimeout(() => setHeld(true), milliseconds)
    return () => clearTimeout(timer)
  }, [isSo, milliseconds])
  return isSo && isHeld
}
