import { hash, randomBytes } from "node:crypto"
import { requesterAt } from "@conclave/transport/parts"

const CELLS = 65_536

export interface QuotaLimits {
  /** For one address of IPv4, or 56 bits of one of IPv6, in one generation. */
  readonly peer: number
  /** For 24 or 48 bits. */
  readonly network: number
}

export interface NetworkQuotaOptions {
  readonly limits: QuotaLimits
  readonly generationMilliseconds: number
  readonly now: number
}

/**
 * Counts what each network has had of something since the generation began, in 512 KiB whatever comes. Networks are
 * known by 16 bits of a keyed digest: two that fall together share a quota, and nobody can choose with whom.
 */
export class NetworkQuota {
  readonly #limits: QuotaLimits
  readonly #generation: number
  readonly #key = randomBytes(32)
  readonly #counts = { peer: new Uint32Array(CELLS), network: new Uint32Array(CELLS) }
  #endsAt: number

  constructor({ limits, generationMilliseconds, now }: NetworkQuotaOptions) {
    this.#limits = limits
    this.#generation = generationMilliseconds
    this.#endsAt = now + generationMilliseconds
  }

  /** Takes as many of `wanted` as are left to `address`, and returns how many that are. */
  take(address: string, wanted: number, now: number): number {
    this.#turn(now)
    const requester = requesterAt(address)
    if (requester === undefined) return 0
    const cells = { peer: this.#cell(requester.peer), network: this.#cell(requester.network) }
    const left = (level: keyof QuotaLimits) => this.#limits[level] - this.#counts[level][cells[level]]!
    const taken = Math.max(Math.min(wanted, left("peer"), left("network")), 0)
    for (const level of ["peer", "network"] as const) this.#counts[level][cells[level]]! += taken
    return taken
  }

  #turn(now: number): void {
    if (now < this.#endsAt) return
    for (const counts of Object.values(this.#counts)) counts.fill(0)
    this.#endsAt = now + this.#generation
  }

  #cell(name: string): number {
    return hash("sha256", Buffer.concat([this.#key, Buffer.from(name)]), "buffer").readUInt16LE(0)
  }
}
