import type { KeyChange } from "@conclave/identity/verdicts"
import type { Transaction } from "../journal/transactions.js"

/** One that is accepted because a recovery key has signed is told of as that, and raises no alarm beyond. */
export function tellKeyChange(transaction: Transaction, conversation: Uint8Array | undefined, change: KeyChange): void {
  const { name, signatureKey, endorsed, accepted, recovered } = change
  if (accepted && recovered) transaction.emit({ type: "returned", conversation, name, signatureKey })
  else transaction.emit({ type: "keyChanged", conversation, name, signatureKey, endorsed, accepted })
}
