import type { Socket } from "node:net"
import { tcpInfo } from "../sockets/index.js"
import type { AddressTokens } from "./address-tokens.js"
import { prefixOf } from "./prefix.js"

export interface AdmissionLimits {
  /** Connections whose address nobody has heard of, and that wait for their handshake. Default 256. */
  readonly heldMax: number
  /** Of these, from one network. Default 64. */
  readonly heldPerPrefixMax: number
  /** How long a held one is safe from being given up for a newer one, in milliseconds. Default 500. */
  readonly patienceMilliseconds: number
  /** How long one is held at most. Default 5,000. */
  readonly heldMillisecondsMax: number
}

export const admissionLimits: AdmissionLimits = {
  heldMax: 256,
  heldPerPrefixMax: 64,
  patienceMilliseconds: 500,
  heldMillisecondsMax: 5000,
}

interface Held {
  readonly prefix: string
  readonly since: number
  readonly socket: Socket
  settle(proven: boolean): void
}

const LOOK_EVERY_MILLISECONDS = 4
const BUDGET_MIN = 16

/**
 * Decides when a server may answer: at once where the handshake has ended or an address token vouches for the address,
 * after the handshake otherwise, docs/fast-open.md §6. Nothing else of a first flight is looked at before.
 *
 * What is held counts against the kernel's queue of unfinished handshakes, which, when full, switches fast open off for
 * everybody: so there is a budget, it shrinks while held connections come to nothing, and what exceeds it is aborted.
 */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #tokens: AddressTokens
  readonly #held = new Set<Held>()
  readonly #heldByPrefix = new Map<string, number>()
  #budget: number
  #timer: NodeJS.Timeout | undefined
  /** `synData` are among the others: connections whose first packet brought data. */
  readonly counts = { established: 0, byToken: 0, held: 0, proven: 0, aborted: 0, synData: 0 }

  constructor(tokens: AddressTokens, limits: AdmissionLimits = admissionLimits) {
    this.#tokens = tokens
    this.#limits = limits
    this.#budget = limits.heldMax
  }

  /**
   * Whether the connection may be answered; where not, it is to be aborted.
   *
   * @param token from a first flight that is there in full, as one that came in a SYN is
   */
  async admit(socket: Socket, token: Uint8Array | undefined): Promise<boolean> {
    const address = socket.remoteAddress
    if (address === undefined) return false
    const info = tcpInfo(socket)
    if (info?.synDataAccepted) this.counts.synData++
    if (isProven(info)) {
      this.counts.established++
      return true
    }
    if (token && this.#tokens.spend(token, address)) {
      this.counts.byToken++
      return true
    }
    return this.#hold(socket, Buffer.from(prefixOf(address)).toString("latin1"))
  }

  get heldCount(): number {
    return this.#held.size
  }

  close(): void {
    for (const held of this.#held) this.#release(held, false)
  }

  #hold(socket: Socket, prefix: string): Promise<boolean> | boolean {
    if (!this.#makeRoom() || (this.#heldByPrefix.get(prefix) ?? 0) >= this.#limits.heldPerPrefixMax) {
      this.counts.aborted++
      return false
    }
    this.counts.held++
    return new Promise((resolve) => {
      const held: Held = { prefix, since: performance.now(), socket, settle: resolve }
      this.#held.add(held)
      this.#heldByPrefix.set(prefix, (this.#heldByPrefix.get(prefix) ?? 0) + 1)
      socket.once("close", () => this.#release(held, false))
      this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MILLISECONDS)
    })
  }

  /** The oldest ones make room when they have had their time: an honest handshake ends within a round trip. */
  #makeRoom(): boolean {
    const before = performance.now() - this.#limits.patienceMilliseconds
    for (const held of this.#held) {
      if (this.#held.size < this.#budget || held.since > before) break
      this.#release(held, false)
    }
    return this.#held.size < this.#budget
  }

  #look(): void {
    const tooOld = performance.now() - this.#limits.heldMillisecondsMax
    for (const held of this.#held) {
      if (isProven(tcpInfo(held.socket))) this.#release(held, true)
      else if (held.since < tooOld) this.#release(held, false)
    }
  }

  #release(held: Held, proven: boolean): void {
    if (!this.#held.delete(held)) return
    const others = this.#heldByPrefix.get(held.prefix)! - 1
    if (others === 0) this.#heldByPrefix.delete(held.prefix)
    else this.#heldByPrefix.set(held.prefix, others)
    if (proven) this.counts.proven++
    else this.counts.aborted++
    // Slowly up and quickly down, as TCP treats a crowded path.
    this.#budget = proven
      ? Math.min(this.#limits.heldMax, this.#budget + 4)
      : Math.max(Math.min(BUDGET_MIN, this.#limits.heldMax), Math.floor(this.#budget * 0.95))
    if (this.#held.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    held.settle(proven)
  }
}

/** A connection that the kernel cannot be asked about was accepted in the ordinary way: after its handshake. */
function isProven(info: ReturnType<typeof tcpInfo>): boolean {
  return info?.state !== "syn-received"
}
