import { decode } from "@conclave/codec"
import { authRequests, REGISTRATION_LABEL } from "@conclave/contracts/auth"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests, type Entry } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { type CipherSuite, cipherSuite, signWithLabel } from "@conclave/mls"
import { directTransport } from "@conclave/transport"
import { hex } from "../src/bytes.js"
import { registrationContent } from "../src/service/directory.js"
import type { Dice } from "./random.js"
import type { Services } from "./service.js"

/** Somebody who knows the ids of groups and is a member of none: asks the service for what anybody may ask. */
export class Stranger {
  readonly #services: Services
  readonly #suite: CipherSuite
  /** Has written into a log: members are told of what they pass over. */
  isAbout = false

  constructor(services: Services, provider: CryptoProvider) {
    this.#services = services
    this.#suite = cipherSuite(1, provider)
  }

  /** Appends something that was there before, something damaged, or noise, in the place of the next entry. */
  async act(dice: Dice): Promise<void> {
    const { groups } = this.#services.ledger
    if (groups.length === 0) return
    const groupId = dice.pick(groups)
    const read = await this.#ask({ type: "read", groupId, afterSeq: 0n, limit: 500 })
    const head = await this.#ask({ type: "head", groupId })
    if (read?.type !== "entries" || head?.type !== "head" || read.entries.length === 0) return
    const entry = dice.pick(read.entries)
    const { kind } = entry
    if (kind === "expired") return
    const body = this.#body(dice, entry)
    const idempotencyId = dice.bytes(16)
    this.#services.ledger.strangers.add(hex(idempotencyId))
    this.isAbout = true
    const none = new Uint8Array()
    const groupInfo = await this.#ask({ type: "groupInfo", groupId })
    const commit =
      kind === "commit" && groupInfo?.type === "groupInfo"
        ? { welcome: none, recipients: [], ratchetTree: groupInfo.ratchetTree, groupInfo: groupInfo.groupInfo }
        : undefined
    const after = head.lastCommitSeq
    const { epoch } = entry
    await this.#ask({ type: "append", groupId, idempotencyId, kind, epoch, body, commit, after })
  }

  /** Registers a device under a name that belongs to somebody else, with nobody's consent. */
  async impersonate(name: string, dice: Dice): Promise<void> {
    using key = this.#suite.signature.generate((length) => dice.bytes(length))
    const device = { name, cipherSuite: this.#suite.number, signatureKey: key.publicKey }
    const signature = signWithLabel(key, REGISTRATION_LABEL, registrationContent(device))
    const request = authRequests.encode({ type: "register", ...device, signature, endorsement: undefined })
    await directTransport(this.#services.auth).request(request)
  }

  #body(dice: Dice, { body }: Entry): Uint8Array {
    if (dice.chance(50)) return body
    const at = dice.below(body.length)
    return body.map((byte, index) => (index === at ? byte ^ (1 + dice.below(255)) : byte))
  }

  async #ask(request: DeliveryRequest): Promise<DeliveryResponse | undefined> {
    const transport = directTransport(this.#services.delivery)
    return decode(DeliveryResponse, await transport.request(deliveryRequests.encode(request)))
  }
}
