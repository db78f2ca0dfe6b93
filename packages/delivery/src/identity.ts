import { encode } from "@conclave/codec"
import {
  type Handover,
  LOG_HEAD_LABEL,
  LogHead,
  SERVICE_KEY_LABEL,
  type ServiceIdentity,
  ServiceKeyTBS,
} from "@conclave/contracts/heads"
import type { CryptoProvider, SigningKey } from "@conclave/crypto"
import { signWithLabel } from "@conclave/mls"
import { Recent } from "./recent.js"
import type { Store, StoredIdentity } from "./store/store.js"
import { groupTopic } from "./topics.js"

/** What a service signs with and says of itself. It is made when a store is opened for the first time, and stays in it. */
export class Identity {
  readonly said: ServiceIdentity
  /** 32 bytes; of passes. */
  readonly passSecret: Uint8Array
  readonly #key: SigningKey
  readonly #signatures = new Recent<{ readonly chainHash: Uint8Array; readonly signature: Uint8Array }>(SIGNATURES_KEPT)

  constructor({ seed, passSecret, incarnation, handovers }: StoredIdentity, crypto: CryptoProvider) {
    this.#key = signatures(crypto).importKey(seed)
    this.passSecret = passSecret
    this.said = { key: this.#key.publicKey, incarnation, handovers }
  }

  /** The service's word that the entry `seq` of the group's log has this hash: a page is signed once for all who read it. */
  signHead(groupId: Uint8Array, { seq, chainHash }: { readonly seq: bigint; readonly chainHash: Uint8Array }) {
    const { incarnation } = this.said
    const name = `${seq} ${groupTopic(groupId)}`
    const known = this.#signatures.get(name)
    // A store that was put back has another history.
    if (known !== undefined && Buffer.compare(known.chainHash, chainHash) === 0) {
      return { incarnation, signature: known.signature }
    }
    const head = encode(LogHead, { groupId, incarnation, seq, chainHash })
    const signature = signWithLabel(this.#key, LOG_HEAD_LABEL, head)
    this.#signatures.set(name, { chainHash, signature })
    return { incarnation, signature }
  }
}

/** Of about 300 bytes each. */
const SIGNATURES_KEPT = 10_000

export async function openIdentity(store: Store, crypto: CryptoProvider): Promise<Identity> {
  return new Identity(await storedIn(store, crypto), crypto)
}

/** What raising the incarnation asks of a store. */
export type IdentityStore = Pick<Store, "identity" | "raiseIncarnation">

export interface NewIncarnation {
  /** Default: the time in seconds, or one above the stored one where that is higher: a backup that is restored twice is two. */
  readonly to?: bigint | undefined
  /** Unix time in milliseconds; default `Date.now`. */
  readonly now?: () => number
}

/**
 * Says that logs may be shorter than they were, to be called once after the store was restored from a backup and before a
 * service is opened on it: a service that is open already does not notice. Returns the new identity. The new incarnation has to
 * be above every one that clients have seen, also where the backup is older than an earlier restore.
 *
 * @throws {RangeError} when `to` is not above the stored incarnation, or does not fit into 63 bits.
 */
export async function raiseIncarnation(
  store: IdentityStore,
  crypto: CryptoProvider,
  { to, now = Date.now }: NewIncarnation = {},
): Promise<ServiceIdentity> {
  const stored = await storedIn(store, crypto)
  const seconds = BigInt(Math.floor(now() / 1_000))
  const incarnation = to ?? (seconds > stored.incarnation ? seconds : stored.incarnation + 1n)
  if (incarnation <= stored.incarnation || incarnation >= 1n << 63n) {
    throw new RangeError(`the incarnation ${incarnation} is not above ${stored.incarnation}, or too high`)
  }
  using key = signatures(crypto).importKey(stored.seed)
  const content = encode(ServiceKeyTBS, { key: key.publicKey, incarnation })
  const signature = signWithLabel(key, SERVICE_KEY_LABEL, content)
  const handover: Handover = { by: key.publicKey, key: key.publicKey, incarnation, signature }
  await store.raiseIncarnation(handover)
  return { key: key.publicKey, incarnation, handovers: [...stored.handovers, handover] }
}

function storedIn(store: IdentityStore, crypto: CryptoProvider): Promise<StoredIdentity> {
  return store.identity({ seed: crypto.random(32), passSecret: crypto.random(32), incarnation: 1n, handovers: [] })
}

const signatures = (crypto: CryptoProvider) => crypto.signatures.Ed25519!
