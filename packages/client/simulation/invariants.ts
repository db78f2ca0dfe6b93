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
  "everybody agrees in the end",
  "every call is answered",
  "nothing from outside",
  "a seed decides everything",
] as const
export type InvariantName = (typeof invariantNames)[number]

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
  readonly entry: Pick<Append, "kind" | "epoch" | "body" | "after" | "commit" | "idempotencyId"> | StoredEntry
  readonly isStranger: boolean
}
interface StoredEntry {
  readonly kind: Append["kind"]
  readonly epoch: bigint
  readonly body: Uint8Array
  readonly after: bigint
  readonly commit: { readonly welcome: Uint8Array } | undefined
}

/** An entry as it was accepted. */
interface Known {
  readonly kind: string
  readonly epoch: bigint
  readonly body: string
  readonly isStranger: boolean
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
  readonly #logs = new Map<string, Known[]>()
  readonly #lastCommits = new Map<string, bigint>()
  readonly #acknowledged: { readonly group: string; readonly seq: bigint; readonly body: string }[] = []
  readonly #handedOut = new Set<string>()
  readonly #singleUse = new Set<string>()
  readonly #used = new Map<string, string>()
  readonly #sealed = new Map<string, string>()
  /** By the ciphertext: under which key it was made, and of what. */
  readonly #contents = new Map<string, { readonly key: string; readonly plaintext: string }>()
  readonly #keys = new Map<string, string>()
  readonly #requests = new Map<string, string>()
  readonly #epochs = new Map<string, Epoch>()
  readonly #messages = new Map<string, string>()

  constructor(provider: CryptoProvider) {
    this.provider = provider
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
    log.push({ kind: entry.kind, epoch: entry.epoch, body: digest(entry.body), isStranger })
    if (entry.kind !== "commit") return
    this.#oneCommitForEachPlace(group, seq, entry.after)
    if (entry.commit !== undefined && entry.commit.welcome.length > 0) {
      this.#aKeyPackageIsUsedOnce(`${group} ${seq}`, entry.commit.welcome)
    }
  }

  #oneCommitForEachPlace(group: string, seq: bigint, after: bigint): void {
    const last = this.#lastCommits.get(group) ?? 0n
    this.#lastCommits.set(group, seq)
    // The lie bends what the store is asked: what the author had read is in its request.
    if (after !== last) this.broken("one commit for each place", `commit ${seq} goes after ${after}, not ${last}`)
  }

  aDenseLogTheSameForAll(group: string, entries: readonly Entry[], who: string): void {
    let last: bigint | undefined
    for (const { seq, body, kind } of entries) {
      const known = this.entry(group, seq)
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

  acknowledged(group: string, seq: bigint, body: Uint8Array): void {
    this.#acknowledged.push({ group, seq, body: digest(body) })
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

  #aKeyPackageIsUsedOnce(commit: string, welcome: Uint8Array): void {
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
    return this.#epochs.get(`${group} ${epoch}`)?.names
  }

  onePlaceOneMessage(who: string, place: string, content: string): void {
    const before = this.#messages.get(place)
    if (before !== undefined && before !== content) {
      this.broken("one place, one message", `${who} reads ${content} at ${place}, where others read ${before}`)
    }
    this.#messages.set(place, content)
  }

  /** Places of a group and what is said there. */
  messagesIn(group: string): ReadonlyMap<number, string> {
    const messages = new Map<number, string>()
    for (const [place, content] of this.#messages) {
      const [of, seq] = place.split(" ")
      if (of === group) messages.set(Number(seq), content)
    }
    return messages
  }
}

export const short = (group: string) => group.slice(0, 8)
