/// <reference lib="dom" />
import type { Channel } from "./keep.js"

/** The windows of one origin that have this profile's {@link Keep} open. Ids of conversations and names are posted in it. */
export function broadcastChannel(profile: string): Channel {
  const channel = new BroadcastChannel(`conclave-headless ${profile}`)
  const listeners = new Set<(keys: readonly string[]) => void>()
  channel.onmessage = ({ data: keys }: MessageEvent<unknown>) => {
    // Another version may post something else.
    if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string")) return
    for (const listener of [...listeners]) listener(keys)
  }
  return {
    post: (keys) => channel.postMessage([...keys]),
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => channel.close(),
  }
}
