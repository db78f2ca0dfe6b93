import { authRequests, REGISTRATION_LABEL } from "@conclave/contracts/auth"
import type { Entry } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { type CipherSuite, cipherSuite, signWithLabel } from "@conclave/mls"
import { directTransport } from "@conclave/transport"
import { registrationContent } from "../src/service/directory.js"
import type { Dice } from "./random.js"
import type { Services } from "./service.js"

/** Somebody who is a member of no group, and has the service write into logs what no member has sent. */
export class Stranger {
  readonly #services: Services
  readonly #suite: CipherSuite
  /** Has written into a log: members are told of what they pass over. */
  isAbout = false
  /** There are conversations in which nobody can go on. */
  hasLockedOut = false

  constructor(services: Services, provider: CryptoProvider) {
    this.#services = services
    this.#suite = cipherSuite(1, provider)
  }

  /** Has something that was there before, something damaged, or noise, in the place of the next entry. */
  async act(dice: Dice): Promise<void> {
    const { ledger } = this.#services
    const { groups } = ledger
    if (groups.length === 0) return
    const groupId = dice.pick(groups)
    const entries = await ledger.log(groupId)
    if (entries.length === 0) return
    const entry = dice.pick(entries)
    const { kind, epoch } = entry
    if (kind === "expired") return
    this.isAbout = true
    await ledger.insert({ groupId, idempotencyId: dice.bytes(16), kind, epoch, body: this.#body(dice, entry) })
  }

  /** Has a key that nobody else has be registered with noise, as a member can: all members stop there. */
  async lockOut(dice: Dice): Promise<void> {
    const { ledger } = this.#services
    if (ledger.groups.length === 0) return
    const groupId = dice.pick(ledger.groups)
    const entries = await ledger.log(groupId)
    const last = entries.at(-1)
    if (last === undefined) return
    this.isAbout = true
    this.hasLockedOut = true
    using key = this.#suite.signature.generate((length) => dice.bytes(length))
    const begins = { accessKey: key.publicKey, removes: dice.chance(50) }
    const body = this.#body(dice, last)
    await ledger.insert({ groupId, idempotencyId: dice.bytes(16), kind: "commit", epoch: last.epoch, body }, begins)
  }

  /** Registers a device under a name that belongs to somebody else, with nobody's consent. */
  async impersonate(name: string, dice: Dice): Promise<void> {
    using key = this.#suite.signature.generate((length) => dice.bytes(length))
    const device = { name, cipherSuite: this.#suite.number, signatureKey: key.publicKey }
    const signature = signWithLabel(key, REGISTRATION_LABEL, registrationContent(device))
    const request = authRequests.encode({ type: "register", ...device, signature, endorsement: undefined })
    // No gateway may be there just now.
    await directTransport(this.#services.handler("auth"))
      .request(request)
      .catch(() => {})
  }

  #body(dice: Dice, { body }: Entry): Uint8Array {
    if (dice.chance(50)) return body
    const at = dice.below(body.length)
    return body.map((byte, index) => (index === at ? byte ^ (1 + dice.below(255)) : byte))
  }
}
