import type { OwnDevice } from "@conclave/client/browser"
import { hexOf } from "@conclave/headless/parts"
import type { Profile } from "./profile.js"

/** There is nothing to decide any more about a key that the user has revoked. */
export function dismissAlertsOf({ headless, name }: Profile, revoked: readonly OwnDevice[]): void {
  const keys = new Set(revoked.map(({ signatureKey }) => hexOf(signatureKey)))
  const { alerts, refusedKeys } = headless.getSnapshot()
  for (const { id, event } of [...alerts, ...refusedKeys]) {
    if (event.type !== "keyChanged" || event.name !== name) continue
    if (keys.has(hexOf(event.signatureKey))) headless.dismiss(id)
  }
}
