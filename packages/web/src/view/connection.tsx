import type { Client } from "@conclave/client/browser"
import { useLater } from "./start.js"

/** Whether the service's stream is open. A page that has just begun is connecting, not offline. */
export function Connection({ client }: { readonly client: Client }) {
  const settled = useLater(3_000)
  const state = client.online ? "online" : settled ? "offline" : "connecting"
  const words = { online: "Connected", offline: "Offline, trying again", connecting: "Connecting" }
  return (
    <span class="connection" role="status" data-state={state}>
      <span class="connection-dot" aria-hidden="true" />
      {words[state]}
    </span>
  )
}
