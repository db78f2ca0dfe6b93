import { type Rate, RateLimiter, type Requester, type Taking, takeAll } from "@conclave/transport"
import { groupTopic, inboxTopic } from "./topics.js"

/**
 * How much is taken of whom. A requester is a `RequestContext.peer`; its network may have four times as much, and at
 * most three quarters of what there is for all. A request without a requester counts for all alone.
 */
export interface DeliveryRates {
  /** Appends to one group; default 200 a second, 2,000 at once. */
  readonly appends: Rate
  /** Those of them that are one requester's; default 100 a second, 1,000 at once. */
  readonly appendsByRequester: Rate
  /**
   * Requests to append and to change policies, of one requester to all groups together, accepted or not; default 400 a second,
   * 8,000 at once. Like the other rates over all groups it is taken from before anything is known of the group.
   */
  readonly appendsByRequesterInAll: Rate
  /** Proposals of one group, which are appends too; default 2 a second, 100 at once. */
  readonly proposals: Rate
  /** Those of them that are one requester's; default 1 a second, 50 at once. */
  readonly proposalsByRequester: Rate
  /** Commits of one group, which are appends too; default 1 a second, 5 at once. Whose turn it is: `CommitTurns`. */
  readonly commits: Rate
  /** New groups of all creators together; default 50 a second, 2,000 at once. */
  readonly creations: Rate
  /** New groups of one requester; default 1 a second, 100 at once. */
  readonly creationsByRequester: Rate
  /**
   * Claims of single-use key packages of one device; more get its last resort. Default 1 in 5 seconds, 15 at once: a
   * client keeps 20, and fills them up when it is told that they run low.
   */
  readonly claims: Rate
  /** Those of them that are one requester's; default 1 an hour, 5 at once. */
  readonly claimsOfDeviceByRequester: Rate
  /** Claims by one requester, of whatever devices, known or not; default 1 a second, 1,000 at once. */
  readonly claimsByRequester: Rate
  /** Welcomes from one requester into the inbox of one device; default 1 in 5 minutes, 20 at once. */
  readonly welcomesByRequester: Rate
  /** Cursors of subscriptions that one requester begins; default 1,000 a second, 20,000 at once. */
  readonly cursorsByRequester: Rate
  /** Knocks beside one group's log; default 1 a second, 1,000 at once. */
  readonly knocks: Rate
  /** Those of them that are one requester's; default 1 in 10 seconds, 100 at once. */
  readonly knocksByRequester: Rate
  /** Requests to knock, of one requester at all groups together, left or not; default 1 a second, 500 at once. */
  readonly knocksByRequesterInAll: Rate
  /**
   * Requests of one requester that are denied for the key, signature or pass that they show, or are about a group that is not
   * there; default 20 a second, 2,000 at once. Who has used them up waits with all that needs a proof.
   */
  readonly denialsByRequester: Rate
  /** Registrations for pushes, and removals, of one group by one requester; default 1 in 10 seconds, 100 at once. */
  readonly pushesByRequester: Rate
  /** Those requests of one requester for all groups together, proved or not; default 1 a second, 1,000 at once. */
  readonly pushesByRequesterInAll: Rate
  /** Signals of one group, at this gateway; default 50 a second, 200 at once. */
  readonly signals: Rate
  /** Those of them that are one requester's; default 5 a second, 50 at once. */
  readonly signalsByRequester: Rate
  /** Signals of one requester to all groups together, passed on or not; default 20 a second, 200 at once. */
  readonly signalsByRequesterInAll: Rate
  /** Blobs that one requester begins or deletes; default 1 a second, 200 at once. */
  readonly blobsByRequester: Rate
  /** Chunks of blobs that one requester sends, stored or not; default 40 a second, 1,000 at once. */
  readonly chunksByRequester: Rate
  /** Bytes of blobs that one requester reads; default 4 MiB a second, 1 GiB at once. */
  readonly blobBytesReadByRequester: Rate
  /** Bytes that one requester has stored, in logs and as blobs; default 64 KiB a second, 256 MiB at once. */
  readonly bytesByRequester: Rate
}

export const defaultRates: DeliveryRates = {
  appends: { perSecond: 200, burst: 2_000 },
  appendsByRequester: { perSecond: 100, burst: 1_000 },
  appendsByRequesterInAll: { perSecond: 400, burst: 8_000 },
  proposals: { perSecond: 2, burst: 100 },
  proposalsByRequester: { perSecond: 1, burst: 50 },
  commits: { perSecond: 1, burst: 5 },
  creations: { perSecond: 50, burst: 2_000 },
  creationsByRequester: { perSecond: 1, burst: 100 },
  claims: { perSecond: 0.2, burst: 15 },
  claimsOfDeviceByRequester: { perSecond: 1 / 3600, burst: 5 },
  claimsByRequester: { perSecond: 1, burst: 1_000 },
  welcomesByRequester: { perSecond: 1 / 300, burst: 20 },
  cursorsByRequester: { perSecond: 1_000, burst: 20_000 },
  knocks: { perSecond: 1, burst: 1_000 },
  knocksByRequester: { perSecond: 0.1, burst: 100 },
  knocksByRequesterInAll: { perSecond: 1, burst: 500 },
  denialsByRequester: { perSecond: 20, burst: 2_000 },
  pushesByRequester: { perSecond: 0.1, burst: 100 },
  pushesByRequesterInAll: { perSecond: 1, burst: 1_000 },
  signals: { perSecond: 50, burst: 200 },
  signalsByRequester: { perSecond: 5, burst: 50 },
  signalsByRequesterInAll: { perSecond: 20, burst: 200 },
  blobsByRequester: { perSecond: 1, burst: 200 },
  chunksByRequester: { perSecond: 40, burst: 1_000 },
  blobBytesReadByRequester: { perSecond: 4 * 1024 * 1024, burst: 1024 * 1024 * 1024 },
  bytesByRequester: { perSecond: 64 * 1024, burst: 256 * 1024 * 1024 },
}

/** Milliseconds until a request may come again, or `undefined` where it may pass. */
export type Wait = number | undefined

/** What a requester does to groups, and has a rate for at each of them. */
export type ToGroup = "appends" | "knocks" | "proposals" | "pushes" | "signals"
/** Of these each requester has a rate for all groups together besides; proposals and policies are appends to it. */
export type ToAll = Exclude<ToGroup, "proposals">

/** The rates, kept. Whoever is refused by one level has taken nothing from another. */
export class Rates {
  readonly #ofGroup: Readonly<Record<ToGroup, Shared>>
  readonly #ofAll: Readonly<Record<ToAll, Shared>>
  readonly #creations: Shared
  readonly #claims: Shared
  readonly #singleUse: Shared
  readonly #welcomes: Shared
  readonly #cursors: Shared
  readonly #denials: Shared
  readonly #signals: RateLimiter
  readonly #blobs: Shared
  readonly #chunks: Shared
  readonly #blobReads: Shared
  readonly #bytes: Shared

  constructor(rates: DeliveryRates) {
    this.#ofGroup = {
      appends: new Shared(rates.appendsByRequester, rates.appends),
      knocks: new Shared(rates.knocksByRequester, rates.knocks),
      proposals: new Shared(rates.proposalsByRequester, rates.proposals),
      pushes: new Shared(rates.pushesByRequester),
      signals: new Shared(rates.signalsByRequester, rates.signals),
    }
    this.#ofAll = {
      appends: new Shared(rates.appendsByRequesterInAll),
      knocks: new Shared(rates.knocksByRequesterInAll),
      pushes: new Shared(rates.pushesByRequesterInAll),
      signals: new Shared(rates.signalsByRequesterInAll),
    }
    this.#creations = new Shared(rates.creationsByRequester, rates.creations)
    this.#claims = new Shared(rates.claimsByRequester)
    this.#singleUse = new Shared(rates.claimsOfDeviceByRequester, rates.claims)
    this.#welcomes = new Shared(rates.welcomesByRequester)
    this.#cursors = new Shared(rates.cursorsByRequester)
    this.#denials = new Shared(rates.denialsByRequester)
    this.#signals = new RateLimiter(rates.signals)
    this.#blobs = new Shared(rates.blobsByRequester)
    this.#chunks = new Shared(rates.chunksByRequester)
    this.#blobReads = new Shared(rates.blobBytesReadByRequester)
    this.#bytes = new Shared(rates.bytesByRequester)
  }

  /**
   * Before anything is known of the group, which a stranger may have made up: takes from what the requester has for all groups,
   * and of the group's rates takes nothing, but asks whether there is anything.
   */
  arrival(kind: ToAll, { groupId, requester, now }: AtGroup): Wait {
    return this.groupWait(kind, { groupId, requester, now }) ?? this.#ofAll[kind].take(requester, now)
  }

  /** What {@link ofGroup} would say, with nothing taken. */
  groupWait(kind: ToGroup, { groupId, requester, now }: AtGroup): Wait {
    return this.#ofGroup[kind].waitOfRequester(requester, now, groupTopic(groupId))
  }

  /** A requester's share of a group that is there, of what is its to do; the group's own share lies with it: `Budgets`. */
  ofGroup(kind: ToGroup, { groupId, requester, now }: AtGroup): Wait {
    return this.#ofGroup[kind].takeOfRequester(requester, now, groupTopic(groupId))
  }

  denied(requester: Requester | undefined, now: number): Wait {
    return this.#denials.take(requester, now)
  }

  /** Whether {@link denied} would have to wait. */
  denialsWait(requester: Requester | undefined, now: number): Wait {
    return this.#denials.wait(requester, now, { amount: 1, leaving: 0 })
  }

  creation(requester: Requester | undefined, now: number): Wait {
    return this.#creations.take(requester, now)
  }

  claim(requester: Requester | undefined, now: number): Wait {
    return this.#claims.take(requester, now)
  }

  /** For a single-use key package of a device that is registered: made-up ids would fill the table. */
  singleUse(deviceId: Uint8Array, requester: Requester | undefined, now: number): Wait {
    return this.#singleUse.take(requester, now, { of: inboxTopic(deviceId) })
  }

  welcome(deviceId: Uint8Array, requester: Requester | undefined, now: number): Wait {
    return this.#welcomes.take(requester, now, { of: inboxTopic(deviceId) })
  }

  cursors(count: number, requester: Requester | undefined, now: number): Wait {
    return this.#cursors.take(requester, now, { amount: count })
  }

  /** Of the group's own signals, beside what {@link ofGroup} takes. */
  signal(groupId: Uint8Array, now: number): Wait {
    return this.#signals.take(groupTopic(groupId), now)
  }

  blob(requester: Requester | undefined, now: number): Wait {
    return this.#blobs.take(requester, now)
  }

  chunk(requester: Requester | undefined, now: number): Wait {
    return this.#chunks.take(requester, now)
  }

  blobRead(size: number, requester: Requester | undefined, now: number): Wait {
    return this.#blobReads.take(requester, now, { amount: size })
  }

  bytes(size: number, requester: Requester | undefined, now: number): Wait {
    return this.#bytes.take(requester, now, { amount: size })
  }

  /** What {@link bytes} would say, with nothing taken, if so much of the share, from 0 to 1, has to be left over. */
  bytesWait(size: number, requester: Requester | undefined, now: number, leaving = 0): Wait {
    return this.#bytes.wait(requester, now, { amount: size, leaving })
  }
}

/** Who does something to which group, and when (milliseconds). */
export interface AtGroup {
  readonly groupId: Uint8Array
  readonly requester: Requester | undefined
  readonly now: number
}

/** One rate at the levels of a requester, its network, and all. */
class Shared {
  readonly #peer: RateLimiter
  readonly #network: RateLimiter
  readonly #all: RateLimiter | undefined
  readonly #bursts: { readonly peer: number; readonly network: number }

  constructor(byRequester: Rate, ofAll?: Rate) {
    this.#bursts = { peer: byRequester.burst, network: networkShare(byRequester.burst, ofAll?.burst) }
    this.#peer = new RateLimiter(byRequester)
    this.#network = new RateLimiter({
      perSecond: networkShare(byRequester.perSecond, ofAll?.perSecond),
      burst: this.#bursts.network,
    })
    this.#all = ofAll && new RateLimiter(ofAll)
  }

  /** `of`: each such thing has the rate for itself. */
  take(requester: Requester | undefined, now: number, { of = "", amount = 1 } = {}): Wait {
    return takeAll(this.#levels(requester, of, amount), now)
  }

  /** What {@link take} takes, but for that of all. */
  takeOfRequester(requester: Requester | undefined, now: number, of: string): Wait {
    return takeAll(this.#ofRequester(requester, of, 1), now)
  }

  /** What {@link takeOfRequester} would return, with nothing taken. */
  waitOfRequester(requester: Requester | undefined, now: number, of: string): Wait {
    const waits = this.#ofRequester(requester, of, 1).map(({ limiter, key, amount, owner }) =>
      key === undefined ? 0 : (limiter.wait(key, now, amount, owner) ?? 0),
    )
    return Math.max(...waits) || undefined
  }

  wait(requester: Requester | undefined, now: number, { amount, leaving }: { amount: number; leaving: number }): Wait {
    if (requester === undefined) return undefined
    const { peer, network } = this.#bursts
    const waits = [
      this.#peer.wait(keyOf(requester.peer, ""), now, amount + leaving * peer),
      this.#network.wait(keyOf(requester.network, ""), now, amount + leaving * network),
    ]
    return Math.max(0, ...waits.map((wait) => wait ?? 0)) || undefined
  }

  #levels(requester: Requester | undefined, of: string, amount: number): Taking[] {
    const ofAll = this.#all === undefined ? [] : [{ limiter: this.#all, key: of, amount }]
    return [...this.#ofRequester(requester, of, amount), ...ofAll]
  }

  #ofRequester(requester: Requester | undefined, of: string, amount: number): Taking[] {
    const levels = [
      { limiter: this.#peer, name: requester?.peer },
      { limiter: this.#network, name: requester?.network },
    ]
    return levels.map(({ limiter, name }) => ({
      limiter,
      key: name === undefined ? undefined : keyOf(name, of),
      amount,
      // With many things of its choice it makes room for others at its own cost.
      owner: of === "" ? undefined : name,
    }))
  }
}

const keyOf = (name: string, of: string) => `${name} ${of}`

/** Four times of one requester's, at least as much, and room for another network where that is possible. */
export function networkShare(ofRequester: number, ofAll = Number.POSITIVE_INFINITY): number {
  return Math.max(ofRequester, Math.min(4 * ofRequester, 0.75 * ofAll))
}
