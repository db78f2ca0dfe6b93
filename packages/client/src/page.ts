/// <reference lib="dom" />
import type { Client } from "./client.js"

/**
 * Tells a client when somebody looks at the page, and when there is a reason to look after its lines: the page is in front
 * again, or was put away and is back, or the network is. In a worker, which has no page, the network alone says so.
 */
export function followPage(client: Pick<Client, "attend" | "reconnect" | "closed">): void {
  const ended = new AbortController()
  const { signal } = ended
  const reconnect = () => client.reconnect()
  addEventListener("online", reconnect, { signal })
  addEventListener("pageshow", reconnect, { signal })
  if (typeof document !== "undefined") {
    const look = () => client.attend(document.visibilityState === "visible")
    document.addEventListener("visibilitychange", look, { signal })
    look()
  }
  void client.closed.then(() => ended.abort())
}
