import type { Append } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import type { Requester } from "@conclave/transport"
import { afterTaking, budgetWait } from "./budgets.js"
import { CommitTurns } from "./commit-turns.js"
import type { DeliveryLimits } from "./limits.js"
import { Rates, type ToAll, type ToGroup, type Wait } from "./rates.js"
import type { RefusalKind } from "./refusals.js"
import {
  type Admitted,
  type Budgets,
  ENTRY_OVERHEAD,
  type GroupUse,
  type Refusal,
  type Store,
  type StoreUsage,
} from "./store/store.js"
import { groupTopic } from "./topics.js"

export interface AdmissionOptions {
  readonly store: Store
  readonly crypto: CryptoProvider
  readonly limits: DeliveryLimits
  readonly onRefusal: (kind: RefusalKind) => void
}

/** Who asks, and when (milliseconds). */
export interface Asking {
  readonly requester: Requester | undefined
  readonly now: number
}

/** A knock, with what it takes of the room in bytes. */
interface Knocking {
  readonly groupId: Uint8Array
  readonly size: number
}

/** What is asked again of a group that others have changed meanwhile, beside its budgets. */
interface Recheck {
  readonly now: number
  readonly refusalOf?: (use: GroupUse) => Refusal | undefined
}

/** Of the store's room: what is left beyond is for commits, and then for what frees room. */
const ROOM = { message: 15 / 16, commit: 31 / 32 } as const

/** Shares out what there is: rates, turns, room. Says nothing about whether a request is right. */
export class Admission {
  readonly rates: Rates
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #limits: DeliveryLimits
  readonly #onRefusal: (kind: RefusalKind) => void
  readonly #turns: CommitTurns
  readonly #senderSecret: Uint8Array

  constructor({ store, crypto, limits, onRefusal }: AdmissionOptions) {
    this.rates = new Rates(limits)
    this.#store = store
    this.#crypto = crypto
    this.#limits = limits
    this.#onRefusal = onRefusal
    this.#turns = new CommitTurns({ rate: limits.commits, random: () => fraction(crypto.random(4)) })
    this.#senderSecret = crypto.random(32)
  }

  /**
   * Before the request is looked at any closer. Nothing is taken that is kept by the group's id, which may be made up: that
   * comes with {@link ofGroup}.
   */
  arrivalWait(kind: ToAll, groupId: Uint8Array, { requester, now }: Asking): Wait {
    return this.waiting(kind, this.rates.arrival(kind, { groupId, requester, now }))
  }

  /** As {@link arrivalWait}, of an entry or another change of a group. */
  appendWait({ groupId, kind }: Pick<Append, "groupId" | "kind">, { requester, now }: Asking): Wait {
    const proposals = kind === "proposal" ? this.rates.groupWait("proposals", { groupId, requester, now }) : undefined
    return this.waiting("proposals", proposals) ?? this.arrivalWait("appends", groupId, { requester, now })
  }

  /** What the requester has at a group that is there, for what is its to do. */
  ofGroup(kind: ToGroup, groupId: Uint8Array, { requester, now }: Asking): Wait {
    return this.waiting(kind, this.rates.ofGroup(kind, { groupId, requester, now }))
  }

  /** When the entry would be accepted otherwise: see `NewEntry.admit`. */
  entry(request: Append, { bytes, budgets }: GroupUse, asking: Asking): Refusal | Admitted {
    const isCommit = request.kind === "commit"
    const size = sizeOf(request)
    const refusal = this.#roomRefusal(request, bytes)
    if (refusal !== undefined) return refusal
    const { requester, now } = asking
    const taken = takenFrom(request.kind)
    const { groupId } = request
    // A turn is not spent on what does not fit into the requester's share, nor the other way round.
    const wait =
      this.#budgetsWait(taken, budgets, now) ??
      this.waiting("bytes", this.#bytesWait(size, asking)) ??
      this.#groupsWait(taken, groupId, asking) ??
      this.waiting("commits", isCommit ? this.#turn(request, budgets, asking) : undefined)
    if (wait !== undefined) return { type: "throttled", retryAfterMilliseconds: wait }
    this.rates.bytes(size, requester, now)
    for (const kind of taken) this.rates.ofGroup(kind, { groupId, requester, now })
    const all = isCommit ? [...taken, "commits" as const] : taken
    return this.#admitted(all, budgets, { now, refusalOf: (use) => this.#roomRefusal(request, use.bytes) })
  }

  #roomRefusal(request: Append, bytes: number): Refusal | undefined {
    const { groupSizeMax } = this.#limits
    const isCommit = request.kind === "commit"
    if (bytes + request.body.length > (isCommit ? (groupSizeMax * 9) / 8 : groupSizeMax)) {
      return this.#quotaExceeded("group")
    }
    if (this.#isFull(sizeOf(request), isCommit ? ROOM.commit : ROOM.message)) return this.#quotaExceeded("service")
    return undefined
  }

  #admitted(taken: readonly (keyof Budgets)[], budgets: Budgets, recheck: Recheck): Admitted {
    const { now, refusalOf } = recheck
    return {
      type: "admitted",
      budgets: this.#afterTaking(taken, budgets, now),
      again: (use) => {
        const refusal = refusalOf?.(use)
        if (refusal !== undefined) return refusal
        const wait = this.#budgetsWait(taken, use.budgets, now)
        if (wait !== undefined) return { type: "throttled", retryAfterMilliseconds: wait }
        return this.#admitted(taken, use.budgets, recheck)
      },
    }
  }

  #groupsWait(taken: readonly ToGroup[], groupId: Uint8Array, { requester, now }: Asking): Wait {
    for (const kind of taken) {
      const wait = this.waiting(kind, this.rates.groupWait(kind, { groupId, requester, now }))
      if (wait !== undefined) return wait
    }
    return undefined
  }

  #turn({ groupId }: Append, { commits: fullAt }: Budgets, { requester, now }: Asking): Wait {
    return this.#turns.take(groupTopic(groupId), requester, { now, fullAt })
  }

  #budgetsWait(taken: readonly (keyof Budgets)[], budgets: Budgets, now: number): Wait {
    for (const name of taken) {
      const wait = this.waiting(name, budgetWait({ rate: this.#limits[name], fullAt: budgets[name] }, now))
      if (wait !== undefined) return wait
    }
    return undefined
  }

  #afterTaking(taken: readonly (keyof Budgets)[], budgets: Budgets, now: number): Budgets {
    const after = taken.map((name) => [name, afterTaking({ rate: this.#limits[name], fullAt: budgets[name] }, now)])
    return { ...budgets, ...Object.fromEntries(after) }
  }

  /** When the knock would be left otherwise. Where there is no room for it, it is to come later. */
  knock({ groupId, size }: Knocking, { budgets }: GroupUse, asking: Asking): Refusal | Admitted {
    const wait = this.#budgetsWait(["knocks"], budgets, asking.now) ?? this.#groupsWait(["knocks"], groupId, asking)
    if (wait !== undefined) return { type: "throttled", retryAfterMilliseconds: wait }
    const refusal = this.bytes(size, asking)
    if (refusal === undefined) {
      this.rates.ofGroup("knocks", { groupId, ...asking })
      return this.#admitted(["knocks"], budgets, { now: asking.now })
    }
    return refusal.type === "quotaExceeded"
      ? { type: "throttled", retryAfterMilliseconds: NO_ROOM_MILLISECONDS }
      : refusal
  }

  /** When a policy would be changed otherwise: it takes what a proposal does. */
  policy(groupId: Uint8Array, { budgets }: GroupUse, asking: Asking): Refusal | Admitted {
    const { now } = asking
    const taken = takenFrom("proposal")
    const wait = this.#budgetsWait(taken, budgets, now) ?? this.ofGroup("proposals", groupId, asking)
    if (wait !== undefined) return { type: "throttled", retryAfterMilliseconds: wait }
    return this.#admitted(taken, budgets, { now })
  }

  /** How long a requester who was denied too often has to wait. */
  denialsWait({ requester, now }: Asking): Wait {
    return this.waiting("denials", this.rates.denialsWait(requester, now))
  }

  denied({ requester, now }: Asking): void {
    this.#onRefusal("denied")
    this.rates.denied(requester, now)
  }

  /** For so many bytes that are no entry of a log. */
  bytes(size: number, asking: Asking): Refusal | undefined {
    if (this.#isFull(size, ROOM.message)) return this.#quotaExceeded("service")
    return this.blobBytes(size, this.#store.usage(), asking)
  }

  /** For so many bytes of a blob, which may lie elsewhere: `usage` is that of its store. */
  blobBytes(size: number, usage: StoreUsage, asking: Asking): Refusal | undefined {
    const wait = this.waiting("bytes", this.#bytesWait(size, asking, usage))
    if (wait !== undefined) return { type: "throttled", retryAfterMilliseconds: wait }
    this.rates.bytes(size, asking.requester, asking.now)
    return undefined
  }

  /**
   * The fuller the service, the less of a share may be used: who has stored little always finds room, and to fill it
   * takes very many networks, not the few whose shares add up to all there is.
   */
  #bytesWait(size: number, { requester, now }: Asking, { bytes, sizeMax } = this.#store.usage()): Wait {
    return this.rates.bytesWait(size, requester, now, Math.min(1, bytes / sizeMax))
  }

  mayDeliver(deviceId: Uint8Array, { requester, now }: Asking): boolean {
    return this.waiting("welcomes", this.rates.welcome(deviceId, requester, now)) === undefined
  }

  /**
   * 8 bytes that tell a requester's network from others for as long as this process lives, and say nothing of it: what
   * they are made from is in memory alone.
   */
  senderOf(requester: Requester | undefined): Uint8Array {
    if (requester === undefined) return new Uint8Array(8)
    const network = new TextEncoder().encode(requester.network)
    return this.#crypto.hashes["SHA-256"]!.digest(this.#senderSecret, network).slice(0, 8)
  }

  /** The wait as it is; a refusal is counted. */
  waiting(kind: RefusalKind, wait: Wait): Wait {
    if (wait !== undefined) this.#onRefusal(kind)
    return wait
  }

  #isFull(size: number, share: number): boolean {
    const { bytes, sizeMax } = this.#store.usage()
    return bytes + size > sizeMax * share
  }

  #quotaExceeded(of: "group" | "service"): Refusal {
    this.#onRefusal(of === "group" ? "groupQuota" : "serviceQuota")
    return { type: "quotaExceeded", of }
  }
}

const NO_ROOM_MILLISECONDS = 60_000

/** Commits take from a budget of their own besides, in turns. */
const takenFrom = (kind: Append["kind"]): readonly ("appends" | "proposals")[] =>
  kind === "proposal" ? ["proposals", "appends"] : ["appends"]

function sizeOf({ body, commit }: Append): number {
  const { welcome, answers } = commit ?? {}
  const answering = answers?.to.reduce((sum, { key }) => sum + key.length + ENTRY_OVERHEAD, answers.welcome.length)
  return body.length + (welcome?.length ?? 0) + (answering ?? 0) + ENTRY_OVERHEAD
}

/** From 0 to below 1. */
const fraction = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32
