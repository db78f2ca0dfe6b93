import { type CryptoProvider, wipe } from "@conclave/crypto"
import { NetworkQuota, type QuotaLimits } from "./network-quota.js"
import { prefixOf } from "./prefix.js"
import { SpentTable } from "./spent-table.js"
import { TAG_SIZE, TOKEN_SIZE } from "./wire.js"

export interface AddressTokensOptions {
  readonly provider: CryptoProvider
  /** Default one hour. A key makes tokens for this long, and its tokens are good for as long again. */
  readonly lifetimeMilliseconds?: number
  /** Tokens that can be spent in one lifetime. Default 1,048,576, in 32 MiB. */
  readonly capacity?: number
  /**
   * Tokens that are made for one network in one lifetime, and as many that it can spend: one network must not use up
   * what can be remembered. Default a 32nd of the capacity for an address, a 16th for a /24 or /48.
   */
  readonly quota?: QuotaLimits
  readonly now?: () => number
}

const NONCE_SIZE = 12
const KEY_BYTES = 16

interface TokenKey {
  readonly key: Uint8Array
  readonly since: number
}

/**
 * Address tokens, docs/fast-open.md §5: proof that an address has answered before, good once. A token is a nonce and an
 * authenticated expiry, bound to the prefix of the address; to whom the key is unknown it looks random.
 *
 * Nothing is stored but what was spent. Front ends that share keys ({@link exportKeys}) take each other's tokens; each
 * then takes a token once.
 */
export class AddressTokens {
  readonly #provider: CryptoProvider
  readonly #aead
  readonly #lifetime: number
  readonly #now: () => number
  readonly #spent: SpentTable
  readonly #quotas: Readonly<Record<"issued" | "spent", NetworkQuota>>
  /** The newest first; the second one still opens what it made. */
  #keys: TokenKey[]

  constructor({
    provider,
    lifetimeMilliseconds = 3_600_000,
    capacity = 1_048_576,
    quota = { peer: Math.ceil(capacity / 32), network: Math.ceil(capacity / 16) },
    now = Date.now,
  }: AddressTokensOptions) {
    this.#provider = provider
    this.#aead = provider.aeads["AES-128-GCM"]!
    this.#lifetime = lifetimeMilliseconds
    this.#now = now
    this.#spent = new SpentTable({ capacity, generationMilliseconds: lifetimeMilliseconds, now: now() })
    const newQuota = () => new NetworkQuota({ limits: quota, generationMilliseconds: lifetimeMilliseconds, now: now() })
    this.#quotas = { issued: newQuota(), spent: newQuota() }
    this.#keys = [{ key: provider.random(KEY_BYTES), since: now() }]
  }

  /**
   * A token of {@link TOKEN_SIZE} bytes for the network of `address`.
   * @throws {RangeError} when the network has had its quota
   */
  issue(address: string): Uint8Array {
    const [token] = this.issueMany(address, 1)
    if (token === undefined) throw new RangeError("the network has had its quota of tokens")
    return token
  }

  /** `wanted` tokens, or as many as the quota of the network leaves. */
  issueMany(address: string, wanted: number): Uint8Array[] {
    const now = this.#now()
    const count = wanted === 0 ? 0 : this.#quotas.issued.take(address, wanted, now)
    if (count === 0) return []
    const { key } = this.#currentKeys(now)[0]!
    const prefix = prefixOf(address)
    const nonces = this.#provider.random(count * NONCE_SIZE)
    const expiry = new Uint8Array(4)
    new DataView(expiry.buffer).setUint32(0, Math.floor((now + this.#lifetime) / 1000))
    return Array.from({ length: count }, (_, n) => {
      const token = new Uint8Array(TOKEN_SIZE)
      token.set(nonces.subarray(n * NONCE_SIZE, (n + 1) * NONCE_SIZE))
      token.set(this.#aead.seal(key, token.subarray(0, NONCE_SIZE), expiry, prefix), NONCE_SIZE)
      return token
    })
  }

  /** Whether the token is good for `address`; it is not, afterwards. */
  spend(token: Uint8Array, address: string): boolean {
    const now = this.#now()
    const expiry = this.#open(token, prefixOf(address), now)
    if (expiry === undefined || expiry * 1000 < now) return false
    // What cannot be remembered is not taken: it costs the client a round trip, nothing else.
    if (this.#quotas.spent.take(address, 1, now) === 0) return false
    return this.#spent.spend(token, now) === "first"
  }

  /** The current keys for front ends that are to take each other's tokens. Secret: whoever has them makes tokens. */
  exportKeys(): readonly { readonly key: Uint8Array; readonly since: number }[] {
    return this.#currentKeys(this.#now()).map(({ key, since }) => ({ key: key.slice(), since }))
  }

  importKeys(keys: readonly { readonly key: Uint8Array; readonly since: number }[]): void {
    if (keys.length === 0 || keys.some(({ key }) => key.length !== KEY_BYTES)) throw new RangeError("keys of 16 bytes")
    for (const { key } of this.#keys) wipe(key)
    this.#keys = keys.slice(0, 2).map(({ key, since }) => ({ key: key.slice(), since }))
  }

  #open(token: Uint8Array, prefix: Uint8Array, now: number): number | undefined {
    if (token.length !== TOKEN_SIZE) return undefined
    const nonce = token.subarray(0, NONCE_SIZE)
    const sealed = token.subarray(NONCE_SIZE, NONCE_SIZE + 4 + TAG_SIZE)
    for (const { key } of this.#currentKeys(now)) {
      const expiry = this.#aead.open(key, nonce, sealed, prefix)
      if (expiry) return new DataView(expiry.buffer, expiry.byteOffset, 4).getUint32(0)
    }
    return undefined
  }

  #currentKeys(now: number): readonly TokenKey[] {
    if (now - this.#keys[0]!.since >= this.#lifetime) {
      this.#keys.unshift({ key: this.#provider.random(KEY_BYTES), since: now })
      for (const { key } of this.#keys.splice(2)) wipe(key)
    }
    return this.#keys
  }
}
