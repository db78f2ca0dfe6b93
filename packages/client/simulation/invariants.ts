import { decode, encode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { type Append, DeliveryRequest, type Entry } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { cipherSuite, keyPackageRef } from "@conclave/mls"
import { MLSMessage } from "@conclave/mls/wire"
import { NAMES } from "./plan.js"
import { digest, hex, type Sealing } from "./provider.js"

const somebody = new RegExp(NAMES.join("|"), "g")

/** What must hold after every step, whatever goes wrong. */
export const invariantNames = [
  "one commit for each place",
  "a dense log, the same for all",
  "an entry is there once",
  "only the present incarnation speaks",
  "the budget of a group is one for all gateways",
  "an acknowledged append is kept",
  "a key package is handed out once",
  "a key package is used once",
  "a Welcome is there with its commit",
  "no key and nonce twice",
  "one message for each key",
  "one request for each id",
  "same epoch, same group",
  "only members read",
  "nothing after the removal",
  "a stranger changes nothing",
  "one place, one message",
  "nothing is told twice",
  "told in the order of the log",
  "a wish ends once",
  "events never change",
  "events have no gaps",
  "nothing is refused",
  "no fault in the program",
  "what is in memory is what is stored",
  "a step depends on its inputs alone",
  "history is complete",
  "what is told is shown",
  "who listens hears",
  "everybody agrees in the end",
  "every call is answered",
  "nothing from outside",
  "a seed decides everything",
] as const
export type InvariantName = (typeof invariantNames)[number]

/** Commits of one group, as `defaultRates` has it; and how many of them may come a little too soon. */
const COMMITS = { perSecond: 1, burst: 5 } as const
const COMMITS_TOLERATED = 1.5
/** An answer is on its way for less. */
const ON_THE_WAY_MILLISECONDS = 20_000

export class Violation extends Error {
  override readonly name = "Violation"
  readonly invariant: InvariantName
  /** What is broken and how, whoever it is and wherever: two violations of one shape are taken for the same. */
  readonly shape: string

  constructor(invariant: InvariantName, message: string) {
    super(`${invariant}: ${message}`)
    this.invariant = invariant
    this.shape = this.message.replaceAll(somebody, "somebody").replaceAll(/[0-9a-f]*[0-9][0-9a-f]*/g, "0")
  }
}

interface AcceptedEntry {
  readonly group: string
  readonly seq: bigint
  readonly entry: StoredEntry
  readonly isStranger: boolean
}
interface StoredEntry {
  readonly kind: Append["kind"]
  readonly epoch: bigint
  readonly body: Uint8Array
  readonly after: bigint
  readonly at: bigint
  readonly idempotencyId: Uint8Array
  readonly commit: { readonly welcome: Uint8Array } | undefined
}

/** An entry as it was accepted. */
interface Known {
  readonly kind: string
  readonly epoch: bigint
  readonly body: string
  readonly isStranger: boolean
}

/** Whose answer it is, and of which incarnation of the service. */
interface Answered {
  readonly who: string
  readonly incarnation: bigint
}

/** What the members of an epoch are. */
interface Epoch {
  readonly authenticator: string
  readonly names: string
  readonly seenBy: string
}

/**
 * The invariants of the services and of the cryptography: each is a method that is told of a fact, and notes where it
 * contradicts what is known. Those of the clients are in `watch.ts`.
 */
export class Invariants {
  /** The first. */
  violation: Violation | undefined
  readonly provider: CryptoProvider
  readonly #now: () => number
  #logs = new Map<string, Known[]>()
  /** Logs as they were under former incarnations. */
  readonly #former = new Map<bigint, ReadonlyMap<string, readonly Known[]>>()
  #incarnation = 1n
  #announcedAt = 0
  /** Groups of which entries were lost in a failover: members go back, each in its time. */
  readonly #unsettled = new Set<string>()
  /** What each request to append has said that it goes after, by its id. */
  readonly #afters = new Map<string, Set<bigint>>()
  /** By group: how full its budget of commits is. */
  readonly #commits = new Map<string, { readonly at: number; readonly left: number }>()
  readonly #claimed = new Map<string, string>()
  readonly #lastCommits = new Map<string, bigint>()
  #acknowledged: { readonly group: string; readonly seq: bigint; readonly body: string }[] = []
  readonly #handedOut = new Set<string>()
  readonly #singleUse = new Set<string>()
  readonly #used = new Map<string, { readonly group: string; readonly seq: bigint }>()
  readonly #sealed = new Map<string, string>()
  /** By the ciphertext: under which key it was made, and of what. */
  readonly #contents = new Map<string, { readonly key: string; readonly plaintext: string }>()
  readonly #keys = new Map<string, string>()
  readonly #requests = new Map<string, string>()
  readonly #epochs = new Map<string, Epoch>()
  readonly #messages = new Map<string, string>()

  constructor(provider: CryptoProvider, now: () => number) {
    this.provider = provider
    this.#now = now
  }

  broken(invariant: InvariantName, message: string): void {
    this.violation ??= new Violation(invariant, message)
  }

  /** An entry as the service has accepted it. */
  entry(group: string, seq: bigint): Known | undefined {
    return this.#logs.get(group)?.[Number(seq) - 1]
  }

  // --- The services ---

  /** The service has accepted something new. */
  accepted({ group, seq, entry, isStranger }: AcceptedEntry): void {
    const log = this.#logs.get(group) ?? []
    this.#logs.set(group, log)
    if (seq !== BigInt(log.length) + 1n) {
      this.broken("a dense log, the same for all", `${seq} was accepted after ${log.length}`)
    }
    const body = digest(entry.body)
    const before = isStranger ? -1 : log.findIndex((it) => it.body === body && !it.isStranger)
    if (before >= 0) this.broken("an entry is there once", `${seq} is the entry ${before + 1} again`)
    log.push({ kind: entry.kind, epoch: entry.epoch, body, isStranger })
    if (entry.kind !== "commit") return
    this.#oneCommitForEachPlace(group, seq, entry)
    if (!isStranger) this.#theBudgetIsOneForAllGateways(group, seq, Number(entry.at))
    if (entry.commit !== undefined && entry.commit.welcome.length > 0) {
      this.#aKeyPackageIsUsedOnce({ group, seq }, entry.commit.welcome)
    }
  }

  #oneCommitForEachPlace(group: string, seq: bigint, { after, idempotencyId }: StoredEntry): void {
    const last = this.#lastCommits.get(group) ?? 0n
    this.#lastCommits.set(group, seq)
    // What the author had read is in its request; a gateway may ask the store for something else.
    const afters = this.#afters.get(`${group} ${hex(idempotencyId)}`) ?? new Set([after])
    if (after !== last || !afters.has(last)) {
      this.broken("one commit for each place", `commit ${seq} goes after ${[...afters]}, not ${last}`)
    }
  }

  /** `at`: when the commit was asked for. */
  #theBudgetIsOneForAllGateways(group: string, seq: bigint, at: number): void {
    const { perSecond, burst } = COMMITS
    const before = this.#commits.get(group) ?? { at, left: burst }
    const left = Math.min(burst, before.left + (Math.max(0, at - before.at) / 1_000) * perSecond) - 1
    this.#commits.set(group, { at: Math.max(at, before.at), left })
    // Those that wait for a transaction come a little out of the order in which they were asked for.
    if (left < -COMMITS_TOLERATED) {
      this.broken("the budget of a group is one for all gateways", `commit ${seq} comes too soon`)
    }
  }

  aDenseLogTheSameForAll(group: string, entries: readonly Entry[], { who, incarnation }: Answered): void {
    let last: bigint | undefined
    if (!this.#isSpoken(incarnation, who)) return
    const log = incarnation === this.#incarnation ? this.#logs.get(group) : this.#former.get(incarnation)?.get(group)
    for (const { seq, body, kind } of entries) {
      const known = log?.[Number(seq) - 1]
      if (last !== undefined && seq !== last + 1n) {
        this.broken("a dense log, the same for all", `${who} is shown ${seq} after ${last}`)
      }
      if (known === undefined) this.broken("a dense log, the same for all", `${who} is shown ${seq}: nobody wrote it`)
      else if (kind !== "expired" && known.body !== digest(body)) {
        this.broken("a dense log, the same for all", `${who} is shown other bytes at ${seq} than were accepted`)
      }
      last = seq
    }
  }

  /** Answers of a former incarnation may still be on their way. */
  #isSpoken(incarnation: bigint, who: string): boolean {
    if (incarnation === this.#incarnation) return true
    if (this.#now() - this.#announcedAt > ON_THE_WAY_MILLISECONDS || !this.#former.has(incarnation)) {
      this.broken("only the present incarnation speaks", `${who} is answered by the incarnation ${incarnation}`)
    }
    return this.#former.has(incarnation)
  }

  /** A page that was asked for after `after`, of a stream or a request, leaves nothing out. */
  nothingIsLeftOut(group: string, after: bigint, entries: readonly Entry[], who: string): void {
    const first = entries[0]?.seq
    if (first !== undefined && first > after + 1n && !this.isUnsettled(group)) {
      this.broken("a dense log, the same for all", `${who} is shown ${first} after ${after}`)
    }
  }

  acknowledged(group: string, seq: bigint, { body, incarnation }: { body: Uint8Array; incarnation: bigint }): void {
    if (incarnation === this.#incarnation) this.#acknowledged.push({ group, seq, body: digest(body) })
  }

  /** The service has said that logs may be shorter than they were: as they are now. */
  announced(incarnation: bigint, lengths: ReadonlyMap<string, bigint>): void {
    const former = this.#logs
    this.#former.set(this.#incarnation, former)
    this.#incarnation = incarnation
    this.#announcedAt = this.#now()
    const lengthOf = (group: string) => Number(lengths.get(group) ?? former.get(group)?.length ?? 0)
    const isKept = ({ group, seq }: { group: string; seq: bigint }) => seq <= lengthOf(group)
    this.#acknowledged = this.#acknowledged.filter(isKept)
    for (const [ref, use] of this.#used) if (!isKept(use)) this.#used.delete(ref)
    this.#logs = new Map([...former].map(([group, log]) => [group, log.slice(0, lengthOf(group))]))
    for (const [group, log] of this.#logs) {
      if (log.length < former.get(group)!.length) this.#unsettled.add(group)
      this.#lastCommits.set(group, BigInt(log.findLastIndex(({ kind }) => kind === "commit") + 1))
      this.#commits.delete(group)
    }
  }

  /** Whether entries of the group were lost in a failover. */
  isUnsettled(group: string): boolean {
    return this.#unsettled.has(group)
  }

  /** Whether a failover has lost anything. */
  get hasLost(): boolean {
    return this.#former.size > 0
  }

  /** A claim that was answered: `request` is one that a device has sent, once or several times. */
  aKeyPackageAnswersOneClaim(keyPackage: Uint8Array, request: string): void {
    const name = digest(keyPackage)
    const before = this.#claimed.get(name)
    if (before !== undefined && before !== request) {
      this.broken("a key package is handed out once", "two claims are answered with one key package")
    }
    this.#claimed.set(name, request)
  }

  /** `log`: what the store has of the group. */
  anAcknowledgedAppendIsKept(group: string, log: readonly Entry[]): void {
    const stored = new Map(log.map(({ seq, body }) => [seq, digest(body)]))
    for (const it of this.#acknowledged) {
      if (it.group === group && stored.get(it.seq) !== it.body) {
        this.broken("an acknowledged append is kept", `entry ${it.seq} was acknowledged, and is gone or another`)
      }
    }
  }

  publishedForOneUse(keyPackage: Uint8Array): void {
    const { wireFormat } = decode(MLSMessage, keyPackage)
    if (wireFormat.type !== "mlsKeyPackage") return
    this.#singleUse.add(hex(keyPackageRef(cipherSuite(1, this.provider), wireFormat.keyPackage)))
  }

  aKeyPackageIsHandedOutOnce(keyPackage: string): void {
    if (this.#handedOut.has(keyPackage)) {
      this.broken("a key package is handed out once", "a single-use key package was handed out again")
    }
    this.#handedOut.add(keyPackage)
  }

  #aKeyPackageIsUsedOnce(commit: { readonly group: string; readonly seq: bigint }, welcome: Uint8Array): void {
    const { wireFormat } = decode(MLSMessage, welcome)
    if (wireFormat.type !== "mlsWelcome") return
    for (const { newMember } of wireFormat.welcome.secrets) {
      const ref = hex(newMember)
      if (!this.#singleUse.has(ref)) continue
      if (this.#used.has(ref)) {
        this.broken("a key package is used once", "two commits add somebody with the same key package")
      }
      this.#used.set(ref, commit)
    }
  }

  aWelcomeIsThereWithItsCommit(group: string, seq: bigint, entry: Entry | undefined): void {
    if (entry?.seq === seq && entry.kind === "commit") return
    this.broken("a Welcome is there with its commit", `a Welcome is shown, and commit ${seq} of ${short(group)} is not`)
  }

  aCommitIsThereWithItsWelcomes(group: string, seq: bigint, isThere: boolean): void {
    if (isThere) return
    this.broken("a Welcome is there with its commit", `commit ${seq} of ${short(group)} is there without its Welcome`)
  }

  // --- Cryptography ---

  sealed(who: string, { aead, key, nonce, plaintext, ciphertext }: Sealing): void {
    const place = `${aead} ${hex(key)}`
    const content = digest(plaintext)
    const use = `${place} ${hex(nonce)}`
    const before = this.#sealed.get(use)
    if (before !== undefined && before !== content) {
      this.broken("no key and nonce twice", `${who} seals two texts with one key and nonce`)
    }
    this.#sealed.set(use, content)
    if (aead !== "AES-256-GCM") this.#contents.set(digest(ciphertext), { key: place, plaintext: content })
  }

  /** A request leaves a device. */
  sent(who: string, append: Append): void {
    const { commit, ...rest } = append
    const request = digest(encode(DeliveryRequest, { type: "append", ...rest, commit, after: 0n, access: noAccess }))
    const id = `${hex(append.groupId)} ${hex(append.idempotencyId)}`
    const before = this.#requests.get(id)
    if (before !== undefined && before !== request) {
      this.broken("one request for each id", `${who} sends another request under the same idempotency id`)
    }
    this.#requests.set(id, request)
    this.#afters.set(id, (this.#afters.get(id) ?? new Set()).add(append.after))
    this.#oneMessageForEachKey(who, append.body)
  }

  /** The key of a ratchet's generation encrypts one message: the nonce's guard is no reason to use it twice. */
  #oneMessageForEachKey(who: string, body: Uint8Array): void {
    const { wireFormat } = decode(MLSMessage, body)
    if (wireFormat.type !== "mlsPrivateMessage") return
    const content = this.#contents.get(digest(wireFormat.privateMessage.ciphertext))
    if (content === undefined) return
    const before = this.#keys.get(content.key)
    if (before !== undefined && before !== content.plaintext) {
      this.broken("one message for each key", `${who} sends two messages under the key of one generation`)
    }
    this.#keys.set(content.key, content.plaintext)
  }

  // --- Members ---

  sameEpochSameGroup(who: string, group: string, epoch: bigint, { authenticator, names }: Omit<Epoch, "seenBy">): void {
    if (this.isUnsettled(group)) return
    const place = `${group} ${epoch}`
    const before = this.#epochs.get(place)
    if (before === undefined) {
      this.#epochs.set(place, { authenticator, names, seenBy: who })
    } else if (before.authenticator !== authenticator || before.names !== names) {
      const difference = before.authenticator === authenticator ? "members" : "an authenticator"
      this.broken("same epoch, same group", `${who} has other ${difference} in epoch ${epoch} than ${before.seenBy}`)
    }
  }

  /** Names, sorted, with commas; `undefined` where nobody has been seen in the epoch. */
  membersOf(group: string, epoch: bigint): string | undefined {
    return this.isUnsettled(group) ? undefined : this.#epochs.get(`${group} ${epoch}`)?.names
  }

  onePlaceOneMessage(who: string, place: string, content: string): void {
    if (this.isUnsettled(place.split(" ")[0]!)) return
    const before = this.#messages.get(place)
    if (before !== undefined && before !== content) {
      this.broken("one place, one message", `${who} reads ${content} at ${place}, where others read ${before}`)
    }
    this.#messages.set(place, content)
  }

  /** Places of a group and what is said there. */
  messagesIn(group: string): ReadonlyMap<number, string> {
    const messages = new Map<number, string>()
    if (this.isUnsettled(group)) return messages
    for (const [place, content] of this.#messages) {
      const [of, seq] = place.split(" ")
      if (of === group) messages.set(Number(seq), content)
    }
    return messages
  }
}

export const short = (group: string) => group.slice(0, 8)
