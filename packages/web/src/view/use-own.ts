import type { OwnDevice } from "@conclave/client/browser"
import { useEffect, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"

/** What the directory says of the user's own name. */
export interface Own {
  readonly listed:
    | {
        /** The oldest first. */
        readonly devices: readonly OwnDevice[]
        readonly hasRecovery: boolean
      }
    | "loading"
    | "unreachable"
  /** Asks again. */
  readonly ask: () => void
}

export function useOwn({ client }: Profile): Own {
  const [listed, setListed] = useState<Own["listed"]>("loading")
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    const { signal } = stop
    Promise.all([client.ownDevices({ signal }), client.recovery.isSet({ signal })]).then(
      ([devices, hasRecovery]) => setListed({ devices, hasRecovery }),
      () => !signal.aborted && setListed("unreachable"),
    )
    return () => stop.abort()
  }, [client, attempt])
  return { listed, ask: () => setAttempt((count) => count + 1) }
}
