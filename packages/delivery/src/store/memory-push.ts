import { equalBytes } from "@conclave/crypto"
import { key } from "./memory-state.js"
import type { Claiming, NewRegistration, PushStore, Registration, RegistrationName } from "./push-store.js"
import type { Refusal, Swept } from "./store.js"

/** The reference model of a store of push registrations. */
export function memoryPushStore(): PushStore {
  return new MemoryPushStore()
}

interface Kept extends Omit<NewRegistration, "admit"> {
  claimedAt: bigint
}

class MemoryPushStore implements PushStore {
  readonly #all = new Map<string, Kept>()

  async register(registration: NewRegistration): Promise<{ readonly type: "registered" | "idReused" } | Refusal> {
    const { admit, ...kept } = registration
    const name = nameOf(registration)
    const present = this.#all.get(name)
    if (present !== undefined && !equalBytes(present.removal, kept.removal)) return { type: "idReused" }
    const others = [...this.#all].filter(
      ([other, it]) => other !== name && it.until > kept.at && equalBytes(it.groupId, kept.groupId),
    )
    const ofSender = others.filter(([, it]) => equalBytes(it.sender, kept.sender)).length
    const refusal = admit({ ofGroup: others.length, ofSender })
    if (refusal !== undefined) return refusal
    this.#all.set(name, { ...kept, claimedAt: present?.claimedAt ?? 0n })
    return { type: "registered" }
  }

  async remove({ removal, ...name }: RegistrationName & { readonly removal: Uint8Array }) {
    const present = this.#all.get(nameOf(name))
    if (present === undefined) return { type: "none" } as const
    if (!equalBytes(present.removal, removal)) return { type: "wrongToken" } as const
    this.#all.delete(nameOf(name))
    return { type: "removed" } as const
  }

  async ofGroup({ groupId, at }: { readonly groupId: Uint8Array; readonly at: bigint }) {
    const found = [...this.#all.values()].filter((it) => equalBytes(it.groupId, groupId) && it.until > at)
    return found.map(
      ({ id, key, kind, endpoint, parameters, until }): Registration => ({
        ...{ groupId, id, key, kind, endpoint, parameters, until },
      }),
    )
  }

  async claim({ groupId, ids, at, before }: Claiming): Promise<readonly Uint8Array[]> {
    return ids.filter((id) => {
      const kept = this.#all.get(nameOf({ groupId, id }))
      if (kept === undefined || kept.claimedAt > before) return false
      kept.claimedAt = at
      return true
    })
  }

  async forget({ groupId, ids }: { readonly groupId: Uint8Array; readonly ids: readonly Uint8Array[] }) {
    for (const id of ids) this.#all.delete(nameOf({ groupId, id }))
  }

  async sweep({ at, rowsMax }: { readonly at: bigint; readonly rowsMax: number }): Promise<Swept> {
    const due = [...this.#all].filter(([, { until }]) => until <= at).slice(0, rowsMax)
    for (const [name] of due) this.#all.delete(name)
    return { rows: due.length, more: due.length === rowsMax }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const nameOf = ({ groupId, id }: RegistrationName) => `${key(groupId)} ${key(id)}`
