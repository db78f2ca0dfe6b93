import type { OwnDevice } from "./client.js"

/**
 * A recovery key: a key of this person's name that no device has. It is written down, revokes any device, the oldest too, brings a
 * new one where all are lost or stolen (`recovery` of the options of the opening), and erases the name. Nobody else can take a
 * name from its owner for good as long as there is one; whoever has it has the name.
 *
 * ```ts
 * const text = client.recovery.make()          // 36 digits and letters: show it, and let the person write it down
 * await client.recovery.set(text)              // only after that
 * ```
 */
export interface Recovery {
  /** A new one, at random, in groups of four. Nothing knows it yet, and nothing keeps it: it is not to be had again. */
  make(): string
  /** Whether the name has one. Rejects with `UNAVAILABLE`, or `REFUSED`. */
  isSet(options?: { readonly signal?: AbortSignal }): Promise<boolean>
  /**
   * Makes it the recovery key of this name: on the oldest device while the name has none, after that where `replaces` is the one
   * that it has. All other devices of the name are told, by the event `recoveryKey`. May be repeated. Throws `TypeError` for a text
   * that is none, and rejects with `REFUSED` where the name has another one, or an older device.
   */
  set(text: string, options?: { readonly replaces?: string; readonly signal?: AbortSignal }): Promise<void>
  /**
   * Revokes any device of the name, as {@link Client.revokeDevice} does those that came after this one. This device stays, and
   * what `keep` names: the recovery key endorses them. Rejects with `REFUSED` where it is not the one of the name.
   */
  revokeDevice(
    id: string,
    text: string,
    options?: { readonly keep?: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<readonly OwnDevice[]>
  /** Erases the name as {@link Client.eraseAccount} does, whichever device this is. */
  eraseAccount(text: string): Promise<void>
}
