import { equalBytes } from "@conclave/crypto"
import { groupsAmong, key } from "./memory-state.js"
import type { Claiming, NewRegistration, PushStore, Registration, RegistrationName } from "./push-store.js"
import type { GroupPage, Refusal, Swept } from "./store.js"

/** The reference model of a store of push registrations. */
export function memoryPushStore(): PushStore {
  return new MemoryPushStore()
}

interface Kept extends Omit<NewRegistration, "admit" | "toldUpTo"> {
  toldUpTo: bigint
  claimedAt: bigint
}

class MemoryPushStore implements PushStore {
  readonly #all = new Map<string, Kept>()
  readonly #due = new Map<string, { readonly groupId: Uint8Array; readonly at: bigint }>()

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
    const { claimedAt = 0n, toldUpTo = kept.toldUpTo } = present ?? {}
    this.#all.set(name, { ...kept, claimedAt, toldUpTo })
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
      ({ id, key, kind, endpoint, parameters, until, version, toldUpTo }): Registration => ({
        ...{ groupId, id, key, kind, endpoint, parameters, until, version, toldUpTo },
      }),
    )
  }

  async claim({ groupId, told, at, before }: Claiming): Promise<readonly Uint8Array[]> {
    const claimed = told.filter(({ id, version, upTo }) => {
      const kept = this.#all.get(nameOf({ groupId, id }))
      if (kept === undefined || !equalBytes(kept.version, version)) return false
      if (kept.claimedAt > before || kept.toldUpTo >= upTo) return false
      Object.assign(kept, { claimedAt: at, toldUpTo: upTo })
      return true
    })
    return claimed.map(({ id }) => id)
  }

  async forget({ groupId, registrations }: Parameters<PushStore["forget"]>[0]): Promise<void> {
    for (const { id, version } of registrations) {
      const kept = this.#all.get(nameOf({ groupId, id }))
      if (kept !== undefined && equalBytes(kept.version, version)) this.#all.delete(nameOf({ groupId, id }))
    }
  }

  async groups({ after, limit }: GroupPage): Promise<readonly Uint8Array[]> {
    return groupsAmong(this.#all.values(), { after, limit })
  }

  async deleteOfGroup(groupId: Uint8Array): Promise<Swept> {
    this.#due.delete(key(groupId))
    const ofGroup = [...this.#all].filter(([, kept]) => equalBytes(kept.groupId, groupId))
    for (const [name] of ofGroup) this.#all.delete(name)
    return { rows: ofGroup.length, more: false }
  }

  async mark({ groupId, at }: { readonly groupId: Uint8Array; readonly at: bigint }): Promise<void> {
    const hasAny = [...this.#all.values()].some((it) => equalBytes(it.groupId, groupId))
    if (hasAny && !this.#due.has(key(groupId))) this.#due.set(key(groupId), { groupId, at })
  }

  async due({ before, limit }: { readonly before: bigint; readonly limit: number }): Promise<readonly Uint8Array[]> {
    const due = [...this.#due.values()].filter(({ at }) => at <= before)
    due.sort((a, b) => Number(a.at - b.at) || Buffer.compare(a.groupId, b.groupId))
    return due.slice(0, limit).map(({ groupId }) => groupId)
  }

  async settle({ groupId, at }: { readonly groupId: Uint8Array; readonly at: bigint }): Promise<void> {
    const due = this.#due.get(key(groupId))
    if (due !== undefined && due.at <= at) this.#due.delete(key(groupId))
  }

  async sweep({ at, rowsMax }: { readonly at: bigint; readonly rowsMax: number }): Promise<Swept> {
    const due = [...this.#all].filter(([, { until }]) => until <= at).slice(0, rowsMax)
    for (const [name] of due) this.#all.delete(name)
    return { rows: due.length, more: due.length === rowsMax }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const nameOf = ({ groupId, id }: RegistrationName) => `${key(groupId)} ${key(id)}`
