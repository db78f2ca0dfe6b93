import { encode } from "@conclave/codec"
import {
  type Device,
  type NewEndorsement,
  RECOVERY_SUITE,
  REGISTRATION_LABEL,
  REVOCATION_LABEL,
  REVOCATIONS_MAX,
  type Revocation,
  RevocationTBS,
  type RevokedDevice,
} from "@conclave/contracts/auth"
import { equalBytes, type SigningKey } from "@conclave/crypto"
import { isEndorsement, isRevocation } from "@conclave/identity/verdicts"
import { cipherSuite, signWithLabel } from "@conclave/mls"
import { hex } from "../bytes.js"
import type { OwnDevice } from "../client.js"
import { ClientError, thisDeviceRevoked } from "../errors.js"
import type { Identity } from "../identity/identity.js"
import type { Judge } from "../identity/judge.js"
import type { Recoveries } from "../identity/recoveries.js"
import type { Revocations } from "../identity/revocations.js"
import { type Directory, type Listing, registrationContent } from "../service/directory.js"

export interface RevokingOptions {
  readonly directory: Directory
  readonly identity: Identity
  readonly judge: Judge
  readonly revocations: Revocations
  readonly recoveries: Recoveries
  /** Unix time in milliseconds. */
  readonly now: () => number
}

/** Who states that a device is revoked: a device of the name, or its recovery key. */
export interface RevokingAuthor {
  readonly key: SigningKey
  /** By what its endorsements name it. */
  readonly id: Uint8Array
  readonly isRecovery: boolean
}

interface Keeping {
  readonly device: Device
  readonly all: readonly Device[]
  readonly author: RevokingAuthor
}

/** The devices of this device's name, and how this one revokes those that came after it. */
export class Revoking {
  readonly #options: RevokingOptions
  /** Of this device's last statement, as far as this process has made one. */
  #latest = 0n

  constructor(options: RevokingOptions) {
    this.#options = options
  }

  /** In the order of registration. */
  async devices(signal: AbortSignal): Promise<readonly OwnDevice[]> {
    const { directory, identity } = this.#options
    return this.#shown(await directory.listing(identity.name, signal))
  }

  /**
   * Revokes a device, and what comes from it by endorsements, but for those to keep. Each gets a statement of its own: others
   * take nobody out without one.
   */
  async revoke(
    id: string,
    keep: readonly string[],
    signal: AbortSignal,
    author: RevokingAuthor = this.#own,
  ): Promise<readonly OwnDevice[]> {
    const { directory, identity, revocations } = this.#options
    const { name } = identity
    const listing = await directory.listing(name, signal)
    if (revocations.isThisDevice) throw thisDeviceRevoked()
    const all = allOf(listing)
    const device = all.find(({ deviceId }) => hex(deviceId) === id)
    if (device === undefined) throw new ClientError("REFUSED", `${name} has no device ${id}`)
    const isOwn = equalBytes(device.signatureKey, author.key.publicKey)
    const wanted = author.isRecovery ? this.#withOwn(keep, { device, all }) : keep
    const kept = isOwn ? [] : this.#kept(wanted, { device, all, author })
    if (kept.length > REVOCATIONS_MAX) throw new ClientError("REFUSED", `at most ${REVOCATIONS_MAX} can be kept`)
    const isKept = ({ deviceId }: Device) => kept.some((it) => equalBytes(it.deviceId, deviceId))
    // The device first: nobody comes from it any more after that.
    const falling = isOwn
      ? []
      : this.#comingFrom(device, all).filter((it) => !isKept(it) && !this.#isStated(it, listing))
    // What is kept is endorsed in the same request: nobody can put the former endorsement back in between.
    if (!this.#isDone(device, { author, listing })) await this.#state([device], { signal, author }, kept)
    for (const some of partsOf(falling, REVOCATIONS_MAX)) await this.#state(some, { signal, author })
    // What was registered meanwhile has fallen without a statement.
    const after = await directory.listing(name, signal)
    const late = isOwn ? [] : this.#comingFrom(device, allOf(after)).filter((it) => hasFallen(it, after) && !isKept(it))
    for (const some of partsOf(late, REVOCATIONS_MAX)) await this.#state(some, { signal, author })
    const shown = await this.#shown(late.length === 0 ? after : await directory.listing(name, signal))
    return shown.filter(({ revoked }) => revoked !== undefined)
  }

  /** Gives statements back to a directory that has forgotten them. Rejects with `UNAVAILABLE`. */
  async giveBack(listing: Listing, signal: AbortSignal): Promise<void> {
    const { directory, identity, revocations, recoveries } = this.#options
    // The keys first: the statements may be by them.
    for (const key of recoveries.of(identity.name)?.statements.slice(listing.recovery.length) ?? []) {
      await directory.setRecoveryKey(identity.name, key, signal).catch(leaveRefused)
    }
    const forgotten = revocations.forgottenBy(identity.name, listing).map(({ revocation }) => revocation)
    for (const some of partsOf(forgotten, REVOCATIONS_MAX)) {
      await directory.revoke(identity.name, { revocations: some, endorsements: [] }, signal).catch(leaveRefused)
    }
  }

  async #state(
    devices: readonly Device[],
    { signal, author }: { readonly signal: AbortSignal; readonly author: RevokingAuthor },
    endorsements: readonly NewEndorsement[] = [],
  ): Promise<readonly RevokedDevice[]> {
    const { directory, identity } = this.#options
    const { name } = identity
    const { key } = author
    const at = this.#time(key.publicKey)
    const revocations = devices.map(({ deviceId, signatureKey }): Revocation => {
      const statement = { deviceId, signatureKey, revokerKey: key.publicKey, at }
      const content = encode(RevocationTBS, { name, ...statement })
      return { ...statement, signature: signWithLabel(key, REVOCATION_LABEL, content) }
    })
    return directory.revoke(name, { revocations, endorsements }, signal)
  }

  /**
   * Later than all that the author has stated, also where its clock was set back since: what it says of itself last would be
   * taken for earlier than what it said of others, which would not hold then.
   */
  #time(author: Uint8Array): bigint {
    const { identity, revocations, now } = this.#options
    const own = revocations.of(identity.name).filter(({ revocation }) => equalBytes(revocation.revokerKey, author))
    const before = own.reduce((latest, { revocation: { at } }) => (at > latest ? at : latest), this.#latest)
    const time = BigInt(now())
    this.#latest = time > before ? time : before + 1n
    return this.#latest
  }

  get #own(): RevokingAuthor {
    const { signer, deviceId: id } = this.#options.identity
    return { key: signer.key, id, isRecovery: false }
  }

  /** Whoever uses the recovery key on a device that would fall does not mean that one. */
  #withOwn(keep: readonly string[], { device, all }: Pick<Keeping, "device" | "all">): readonly string[] {
    const { deviceId } = this.#options.identity
    const falls = this.#comingFrom(device, all).some((it) => equalBytes(it.deviceId, deviceId))
    return falls && !keep.includes(hex(deviceId)) ? [...keep, hex(deviceId)] : keep
  }

  /** The author's endorsements, in the place of those by which the devices would fall. */
  #kept(keep: readonly string[], { device, all, author }: Keeping): readonly NewEndorsement[] {
    const { identity } = this.#options
    return keep.map((id) => {
      const kept = all.find(({ deviceId }) => hex(deviceId) === id)
      if (kept === undefined || equalBytes(kept.deviceId, device.deviceId)) {
        throw new ClientError("REFUSED", `${id} is not another device of ${identity.name}`)
      }
      const content = registrationContent({ name: identity.name, ...kept })
      const endorsement = { deviceId: author.id, signature: signWithLabel(author.key, REGISTRATION_LABEL, content) }
      return { deviceId: kept.deviceId, endorsement }
    })
  }

  /** By endorsements that are true: a directory must not be able to say who falls. */
  #comingFrom(device: Device, all: readonly Device[]): readonly Device[] {
    const { name, suite } = this.#options.identity
    const found: Device[] = [device]
    for (let at = 0; at < found.length; at++) {
      const { signatureKey: endorser } = found[at]!
      const endorsed = all.filter((it) => !found.includes(it) && isEndorsement(suite, { name, device: it, endorser }))
      found.push(...endorsed)
    }
    return found.slice(1)
  }

  /** Of hundreds that a thief has brought, most are gone with the first: the owner waits for none of them again. */
  #isDone(
    device: Device,
    { author, listing }: { readonly author: RevokingAuthor; readonly listing: Listing },
  ): boolean {
    const { name, suite } = this.#options.identity
    const revocation = listing.revoked.find((it) => it.device === device)?.revocation
    if (!author.isRecovery || revocation === undefined) return false
    const isByAuthor = equalBytes(revocation.revokerKey, author.key.publicKey)
    return isByAuthor && isRevocation(cipherSuite(RECOVERY_SUITE, suite.provider), { name, revocation, device })
  }

  #isStated({ deviceId }: Device, { revoked }: Listing): boolean {
    return revoked.some((it) => it.revocation !== undefined && equalBytes(it.device.deviceId, deviceId))
  }

  async #shown({ devices, revoked }: Listing): Promise<readonly OwnDevice[]> {
    const { identity, judge, revocations, recoveries } = this.#options
    const known = await judge.knownAmong(identity.name, devices)
    const all = allOf({ devices, revoked })
    return all.map((device): OwnDevice => {
      const { deviceId, signatureKey, registeredAt, endorsement } = device
      const own = known.find((it) => it.device === device)
      const gone = revoked.find((it) => it.device === device)
      const statement =
        gone?.revocation ??
        revocations.of(identity.name).find((it) => equalBytes(it.device.signatureKey, signatureKey))?.revocation
      const by = statement && all.find((it) => equalBytes(it.signatureKey, statement.revokerKey))
      return {
        id: hex(deviceId),
        signatureKey,
        registeredAt: new Date(Number(registeredAt)),
        endorsedBy: endorsement && hex(endorsement.deviceId),
        recovered: recoveries.of(identity.name)?.hasEndorsed(device) ?? false,
        isThisDevice: equalBytes(signatureKey, identity.signatureKey),
        pinned: own?.pinned ?? false,
        endorsed: own?.known ?? false,
        revoked:
          gone === undefined && statement === undefined
            ? undefined
            : { at: statement && new Date(Number(statement.at)), by: by && hex(by.deviceId) },
      }
    })
  }
}

function allOf({ devices, revoked }: Pick<Listing, "devices" | "revoked">): readonly Device[] {
  const all = [...devices, ...revoked.map(({ device }) => device)]
  return all.sort((a, b) => Number(a.registeredAt - b.registeredAt))
}

function hasFallen({ deviceId }: Device, { revoked }: Listing): boolean {
  return revoked.some((it) => it.revocation === undefined && equalBytes(it.device.deviceId, deviceId))
}

function partsOf<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  const parts: T[][] = []
  for (let at = 0; at < all.length; at += size) parts.push(all.slice(at, at + size))
  return parts
}

/** A directory that refuses one statement may take the others. */
function leaveRefused(error: unknown): void {
  if (!(error instanceof ClientError && error.code === "REFUSED")) throw error
}
