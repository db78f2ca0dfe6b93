import { encode, enumeration, fixed, opaque, struct, type TypeOf, uint64 } from "@conclave/codec"
import { ACCESS_MAC_LABEL, type Access, AccessMacTBS, type Pass } from "@conclave/contracts/access"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import { Recent } from "./recent.js"

/** Of about 300 bytes each. */
const MAC_KEYS_KEPT = 10_000
const HOUR = 60n * 60n * 1000n
const GIVEN_FOR = 24n * HOUR
/** No service gives a pass for longer: its clock was wrong. */
const AHEAD_MAX = 48n * HOUR

/** Which secret of a pass: `tag` is shown when reading, so `macKey` must not follow from it. */
const PassUse = enumeration("PassUse", 1, { tag: 1, macKey: 2 })
/** Of what a secret of a pass is the HMAC-SHA256. */
const PassTBS = struct("PassTBS", { use: PassUse, groupId: opaque, key: fixed(32), until: uint64 })
type PassTBS = TypeOf<typeof PassTBS>

/** Gives passes, and checks what is shown by them. A pass is for one group and key; nothing of it is stored. */
export class Passes {
  readonly #crypto: CryptoProvider
  readonly #secret: Uint8Array
  readonly #macKeys = new Recent<Uint8Array>(MAC_KEYS_KEPT)

  constructor(crypto: CryptoProvider, secret: Uint8Array) {
    this.#crypto = crypto
    this.#secret = secret
  }

  /** For one who has proved the key. `now`: Unix time in milliseconds. */
  give({ groupId, key }: Pick<Pass, "groupId" | "key">, now: bigint): Pass {
    const until = now + GIVEN_FOR
    const place = { groupId, key, until }
    return { ...place, tag: this.#tag(place), macKey: this.#secretOf("macKey", place) }
  }

  isGood(groupId: Uint8Array, { key, until, tag }: Extract<Access, { type: "pass" }>, now: bigint): boolean {
    if (!isTime(until, now)) return false
    return equalBytes(tag, this.#tag({ groupId, key, until }))
  }

  /** `content`: see AccessTBS. Whether its `at` is of now is for the caller to check. */
  isAuthentic(
    { groupId, access, content }: { groupId: Uint8Array; access: Mac; content: () => Uint8Array },
    now: bigint,
  ): boolean {
    const { key, until, at, mac } = access
    if (!isTime(until, now)) return false
    const input = encode(AccessMacTBS, { label: ACCESS_MAC_LABEL, tbs: { at, content: content() } })
    return equalBytes(mac, this.#hmac(this.#keptMacKey({ groupId, key, until }), input))
  }

  #tag(place: Place): Uint8Array {
    return this.#secretOf("tag", place)
  }

  /** Deriving it takes as long as the MAC itself, and a sender appends more than once. */
  #keptMacKey(place: Place): Uint8Array {
    const name = `${place.until} ${textOf(place.key)} ${textOf(place.groupId)}`
    const known = this.#macKeys.get(name)
    if (known !== undefined) return known
    const macKey = this.#secretOf("macKey", place)
    this.#macKeys.set(name, macKey)
    return macKey
  }

  #secretOf(use: PassTBS["use"], place: Place): Uint8Array {
    return this.#hmac(this.#secret, encode(PassTBS, { use, ...place }))
  }

  #hmac(key: Uint8Array, input: Uint8Array): Uint8Array {
    return this.#crypto.hashes["SHA-256"]!.hmac(key, input)
  }
}

type Mac = Extract<Access, { type: "mac" }>
type Place = Omit<PassTBS, "use">

const textOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
const isTime = (until: bigint, now: bigint) => until > now && until <= now + AHEAD_MAX
