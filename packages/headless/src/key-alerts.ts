import type { ClientEvent } from "@conclave/client"
import { hexOf, type KeyAlert } from "./records.js"

/** One for each key of a name. */
export function keyAlertId({ name, signatureKey }: Pick<KeyAlert, "name" | "signatureKey">): string {
  return `${signatureKey} ${name}`
}

export function keyAlertOf(event: Extract<ClientEvent, { type: "keyChanged" }>): KeyAlert {
  const { number, conversation, name, endorsed, accepted, signatureKey } = event
  return { number, conversation: conversation?.id, name, signatureKey: hexOf(signatureKey), endorsed, accepted }
}
